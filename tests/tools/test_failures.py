"""Every failure of the sandbox, met by the same requests: none is taken for an answer."""

import pytest

from tools import failures


@pytest.fixture(scope="module")
def met():
    sandbox = failures.Sandbox()
    try:
        yield failures.run(sandbox), failures.faults(sandbox)
    finally:
        sandbox.close()


def test_no_failure_is_taken_for_an_answer(met):
    found, _ = met
    assert failures.wrong(found) == []
    assert len(found) > 120
    assert sum(len(by_name) for by_name in found.values()) > 400


def test_a_wrong_answer_would_be_found(met):
    found, _ = met
    seen = failures.Seen("the answer", taken=True, right=False)
    assert failures.wrong({**found, "made-up": {"chat": seen}}) == ["made-up: chat"]


def test_what_is_meant_to_be_good_is_an_answer(met):
    found, known = met
    good = [name for name, text in known.items() if "a good " in text.casefold()]
    assert len(good) >= 10
    lost = [
        f"{name}: {request}"
        for name in good
        for request, seen in found[name].items()
        if not seen.right and name != "gzip"  # refused: it could unfold to any size
    ]
    assert lost == []


def test_the_page_is_what_was_seen(met):
    found, known = met
    assert failures.PAGE.read_text(encoding="utf-8") == failures.page(found, known), (
        "type:  python -m tools.failures"
    )

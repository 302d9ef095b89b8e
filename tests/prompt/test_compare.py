"""Several models at once."""

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError


@pytest.fixture(autouse=True)
def sandbox():
    return alcf.connect("sandbox")


def test_each_answers_in_its_place_with_latency_and_tokens():
    names = ["sandbox/code", "sandbox/echo", "sandbox/cut-off"]
    done = alcf.compare("add it up", names, temperature=0)
    assert list(done.models) == names
    assert done["sandbox/echo"].text == "add it up"
    assert list(done.table["status"]) == ["ok", "ok", "incomplete"]
    assert (done.table["seconds"] >= 0).all()
    assert int(done.table.loc["sandbox/echo", "completion_tokens"]) == 3
    assert repr(done).index("sandbox/code") < repr(done).index("sandbox/echo")


def test_one_failure_leaves_the_others():
    done = alcf.compare("hi", ["sandbox/echo", "sandbox/ecko"])
    assert done.replies[1] is None
    assert "sandbox/ecko" in done.table.loc["sandbox/ecko", "reason"]
    assert done.replies[0].text == "hi"
    with pytest.raises(KeyError):
        done["sandbox/code"]


@pytest.mark.parametrize(
    ("models", "options"),
    [
        (["a"], {}),
        ("sandbox/echo", {}),
        (["a", "a"], {}),
        ([str(n) for n in range(9)], {}),
        (["a", "b"], {"thread": "t"}),
        (["a", "b"], {"schema": "x"}),
    ],
)
def test_what_cannot_be_compared(models, options):
    with pytest.raises(UsageError):
        alcf.compare("hi", models, **options)

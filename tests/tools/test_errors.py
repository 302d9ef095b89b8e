"""The page of errors is what the code says, and leaves nothing out."""

import inspect

import pytest

from alcf_jupyter import errors
from alcf_jupyter.service import advice
from tools import errors as tool

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, BaseException) and kind.__module__ == errors.__name__
]


def test_the_page_is_current(capsys):
    assert tool.main(["--check"]) == 0, capsys.readouterr().out


def test_an_old_page_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "PAGE", tmp_path / "errors.md")
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    (tmp_path / "errors.md").write_text("old")
    assert tool.main(["--check"]) == 1
    assert "python -m tools.errors" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_its_entry_with_a_meaning_and_a_next_step(kind):
    text = tool.page()
    assert f"# {kind.__name__}\n\n{tool.meaning(kind)}\n\n**Next:** " in text
    assert tool.meaning(kind).endswith(".")
    assert advice.NEXT[kind].endswith(".")


def test_every_error_is_drawn_in_the_tree():
    for kind in ALL:
        assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    "entry",
    ["Connection Timeout", "Permission Denied", "Batch Permission Error", "IdentityMismatchError"],
)
def test_every_troubleshooting_entry_of_the_guide_is_there(entry):
    assert f"| {entry} | [" in tool.page()


def test_the_refusals_are_told_apart():
    text = tool.page()
    kinds = {"TokenRefusedError", "LoginRequiredError", "RestrictedError", "IdentityCheckError"}
    rows = text.partition("## Refusals")[2].partition("## Whom")[0]
    assert all(f"[{kind}]" in rows for kind in kinds)
    assert rows.count("\n| ") == len(tool.REFUSALS) + 1


def test_links_lead_to_an_entry():
    text = tool.page()
    for kind in ALL:
        if f"](#{kind.__name__.lower()})" in text:
            assert f"# {kind.__name__}\n" in text

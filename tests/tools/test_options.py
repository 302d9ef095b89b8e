"""The page of options is what the parsers say, and leaves nothing out."""

import pytest

from alcf_jupyter.notebook.commands import table
from tools import options as tool


def test_the_page_is_current(capsys):
    assert tool.main(["--check"]) == 0, capsys.readouterr().out


def test_an_old_page_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "PAGE", tmp_path / "options.md")
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    (tmp_path / "options.md").write_text("old")
    assert tool.main(["--check"]) == 1
    assert "python -m tools.options" in capsys.readouterr().out


@pytest.mark.parametrize("name", table.PARSERS)
def test_every_option_is_there_with_its_meaning(name):
    text = tool.page()
    parser = table.PARSERS[name]()
    for flag in parser.takes_value:
        assert f"`{flag}`" in text
    assert all(meaning for _, meaning in tool.rows(parser))

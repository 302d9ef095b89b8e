"""The site builds without a warning, has every function, and loads nothing from afar."""

import re

import pytest

import alcf_jupyter as alcf
from tools import site as tool


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "site"
    said = tool.build(out)
    assert said == ""
    return out


def test_every_page_and_tutorial_is_built(site):
    pages = {path.stem for path in (tool.ROOT / "docs").glob("*.md")}
    assert pages == {path.stem for path in (site / "docs").glob("*.html")}
    tutorials = {path.stem for path in (tool.ROOT / "notebooks").glob("*.ipynb")}
    assert tutorials == {path.stem for path in (site / "notebooks").glob("*.html")}
    assert (site / "index.html").read_text().count("docs/index.html") == 2


def test_the_site_loads_nothing_from_elsewhere(site):
    assert list(tool.fetched_from_elsewhere(site)) == []


def test_every_function_is_there_with_what_it_does(site):
    text = (site / "docs" / "functions.html").read_text()
    for name in set(alcf.__all__) - {"__version__"}:
        assert f'id="alcf_jupyter.{name}"' in text, name


def test_a_tutorial_shows_its_stored_outputs(site):
    text = (site / "notebooks" / "01_first_prompt.html").read_text()
    assert "A synchrotron light source is a machine that makes very bright X-rays" in text
    assert "Incomplete: cut off at the token limit" in text
    assert "Did you mean:" in text


def test_formulas_need_no_script(site):
    text = (site / "notebooks" / "03_chat_in_full.html").read_text()
    assert text.count("<math") == 2  # of the tutorial's text, and of an answer
    assert "\\(" not in text
    assert not re.search(r"<script[^>]*(?:mathjax|require)", text, re.IGNORECASE)


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<img srcset="https://cdn.example/x.png 2x">',
        '<p style="background: url(https://cdn.example/x.png)">',
        "<style>@import 'https://fonts.example/css';</style>",
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(tmp_path, page):
    (tmp_path / "page.html").write_text(page)
    assert len(list(tool.fetched_from_elsewhere(tmp_path))) == 1


def test_a_link_to_follow_is_nothing_that_is_loaded(tmp_path):
    (tmp_path / "page.html").write_text('<a href="https://app.globus.org/logout">out</a>')
    (tmp_path / "style.css").write_text("a { background: url(local.png) }")
    assert list(tool.fetched_from_elsewhere(tmp_path)) == []

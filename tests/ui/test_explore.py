"""The map of embeddings in a real JupyterLab: a lasso is dragged, and the kernel has the rows."""

from __future__ import annotations

import time

import pytest

from tests.ui import browser
from tests.ui.notebook import NotebookPage

pytestmark = pytest.mark.browser

SET_UP = """\
%load_ext alcf_jupyter
%alcf connect sandbox
import numpy as np, pandas as pd, alcf_jupyter as alcf
"""
# two clouds far apart: which one a lasso is around is known beforehand
CLOUDS = """\
words = {"left": "storage ring beam of light", "right": "rain and climate in a warmer world"}
names = ["left"] * 60 + ["right"] * 40
texts = [f"{words[name]} {n}" for n, name in enumerate(names)]
texts[0] = "<img src=x onerror='window.__pwned=1'> $x^2$ beam"
emb = alcf.embed(pd.Series(texts, index=[f"row {n}" for n in range(100)]), model="sandbox/embed")
emb["side"], emb["number"] = names, np.arange(100.0)
emb["x"] = np.where(emb["side"] == "left", -1.0, 1.0) + np.linspace(0, 0.1, 100)
emb["y"] = np.sin(np.arange(100))
view = alcf.explore(emb, color="side", hover="side")
view
"""
SELECTED = "print(sorted(set(view.selection['side'])), len(view.selection), *view.selection)"
COLUMNS = "text embedding status reason tokens side number x y"


@pytest.fixture(scope="module")
def page(profile, lab):
    """One notebook for all tests."""
    context, record = profile
    record.clear()
    opened = NotebookPage(context.pages[0] if context.pages else context.new_page(), lab)
    opened.open([SET_UP, CLOUDS, SELECTED, "view.selection"])
    opened.page.set_viewport_size({"width": 1500, "height": 1000})
    for index in (0, 1):
        opened.run(index)
    opened.output(1).locator("canvas").first.wait_for()
    opened.output(1).get_by_text("Drag a lasso").wait_for()
    opened.settle(1)
    yield opened, record
    opened.close()


@pytest.fixture
def explored(page):
    """The map with nothing chosen; afterwards nothing has left the machine or popped up."""
    notebook, record = page
    notebook.click("Clear", 1)
    yield notebook
    notebook.theme("light")
    assert record.quiet
    assert not record.errors


def lasso(notebook, left, right):
    """Drag a lasso around all between two parts of the map's width."""
    box = notebook.output(1).locator("canvas").first.bounding_box()

    def at(x, y):
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    corners = [(left, 0.04), (right, 0.04), (right, 0.96), (left, 0.96), (left, 0.05)]
    mouse = notebook.page.mouse
    mouse.move(*at(*corners[0]))
    mouse.down()
    for corner in corners[1:]:
        mouse.move(*at(*corner), steps=5)
        # by the page's own clock: it takes a corner a moment after the mouse was there
        notebook.page.evaluate("new Promise(done => setTimeout(done, 60))")
    mouse.up()


def another(notebook, canvas, before):
    """Wait until the map is another picture than before."""
    until = time.monotonic() + 60
    while canvas.screenshot() == before:
        assert time.monotonic() < until
        notebook.page.wait_for_timeout(200)


def test_a_lasso_gives_the_rows_to_the_kernel(explored, pictures):
    lasso(explored, 0.02, 0.5)
    explored.output(1).get_by_text("60 texts are chosen").wait_for()
    (shown,) = explored.run(2)
    assert shown["text"] == f"['left'] 60 {COLUMNS}\n"
    (table,) = explored.run(3)
    assert "row 59" in table["data"]["text/html"]
    explored.output(1).get_by_text("row 12", exact=True).wait_for()
    explored.pictures(pictures, "explore-lasso")
    lasso(explored, 0.5, 0.98)
    explored.output(1).get_by_text("40 texts are chosen").wait_for()
    explored.click("Clear", 1)
    explored.output(1).get_by_text("Nothing is chosen").wait_for()


def test_a_search_chooses_the_nearest_texts(explored, pictures):
    search = explored.output(1).get_by_label("Search")
    search.fill("climate 77")
    search.press("Enter")
    explored.output(1).get_by_text("The 20 texts nearest to").wait_for()
    items = explored.output(1).locator("li")
    assert "in a warmer world 77" in items.first.inner_text()
    assert items.count() == 20
    (shown,) = explored.run(2)
    assert shown["text"] == f"['right'] 20 {COLUMNS}\n"
    explored.pictures(pictures, "explore-search")


def test_what_is_shown_of_a_text_is_text(explored):
    search = explored.output(1).get_by_label("Search")
    search.fill("img src onerror beam")
    search.press("Enter")
    explored.output(1).get_by_text("<img src=x").first.wait_for()
    box = explored.output(1).locator("canvas").first.bounding_box()
    # the first point is at (-1, 0); the middle of the map at (0.05, 0), its half height 1.134
    left = box["x"] + box["width"] / 2 - 1.05 * box["height"] / 2 / 1.134
    explored.page.mouse.move(left + 40, box["y"] + box["height"] / 2)
    explored.page.mouse.move(left, box["y"] + box["height"] / 2, steps=4)
    above = explored.output(1).locator("div[style*='-webkit-line-clamp']")
    above.get_by_text("<img src=x onerror=").wait_for()
    explored.settle(0.5)
    assert browser.scripts_run(explored.page) == 0


def test_color_and_theme_change_the_picture(explored, pictures):
    canvas = explored.output(1).locator("canvas").first
    by_side = canvas.screenshot()
    explored.output(1).get_by_label("Color by").select_option("number")
    another(explored, canvas, by_side)
    explored.settle(1)  # it goes over into the other colors
    by_number = canvas.screenshot()
    explored.theme("dark")
    another(explored, canvas, by_number)
    explored.pictures(pictures, "explore-number")


def test_the_saved_notebook_shows_a_picture(explored):
    explored.save()
    (saved,) = explored.outputs(1)
    assert saved["data"]["text/plain"] == "<map of 100 texts>"
    assert saved["data"]["text/html"].count('src="data:image/png;base64,') == 1
    assert "onerror" not in saved["data"]["text/html"]

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
PLAIN = """\
import jscatter
points = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
jscatter.Scatter(data=points, x="x", y="y", height=480).axes(axes=False).show()
"""
SELECTED = "print(sorted(set(view.selection['side'])), len(view.selection), *view.selection)"
COLUMNS = "text side number x y status reason tokens embedding"
# all that is computed of elements, one line each, but for names and what no button shows
_STYLES = """found => found.flatMap((one, n) => [...getComputedStyle(one)]
  .filter(name => !/^--|tab-size|text-size-adjust|tap-highlight/.test(name))
  .map(name => `${n} ${one.localName} ${name}: ${getComputedStyle(one).getPropertyValue(name)}`))"""
OUTSIDE = f"""() => {{
  const made = document.createElement('div');
  made.innerHTML = '<h1>a</h1><ol><li>b</li></ol><button>c</button><input><table></table><a>d</a>';
  document.body.append(made);
  const bars = document.querySelectorAll(
    '#jp-MainMenu li, .jp-NotebookPanel-toolbar jp-button, .jp-NotebookPanel-toolbar select');
  const told = ({_STYLES})([...made.querySelectorAll('*'), ...bars]);
  made.remove();
  return told;
}}"""
WIDE = {"width": 1500, "height": 1000}
TOOLS = "[data-jss-theme], [data-jss-theme] *"


@pytest.fixture(scope="module")
def page(profile, lab):
    """One notebook for all tests, and how all else looked before there was a map."""
    context, record = profile
    record.clear()
    opened = NotebookPage(context.pages[0] if context.pages else context.new_page(), lab)
    opened.open([SET_UP, CLOUDS, SELECTED, "view.selection", PLAIN])
    opened.page.set_viewport_size(WIDE)
    opened.run(0)
    before = opened.page.evaluate(OUTSIDE)
    opened.run(1)
    opened.output(1).locator("canvas").first.wait_for()
    opened.output(1).get_by_text("Drag a lasso").wait_for()
    opened.settle(1)
    yield opened, record, before
    opened.close()


@pytest.fixture
def explored(page):
    """The map with nothing chosen; afterwards nothing has left the machine or popped up."""
    notebook, record, _ = page
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


@pytest.mark.parametrize("width", [1100, 900, 700])
def test_no_point_is_cut_off_where_it_is_narrow(explored, pictures, width):
    """At the last width the drawing has some 300 pixels, and a list beside it would have none."""
    explored.page.set_viewport_size({"width": width, "height": 1000})
    try:
        explored.settle()
        explored.output(1).evaluate("output => output.scrollIntoView()")
        lasso(explored, 0.0, 1.0)
        explored.output(1).get_by_text("100 texts are chosen").wait_for()
        explored.output(1).get_by_text("row 12", exact=True).wait_for()
        explored.pictures(pictures, f"explore-{width}")
        hidden = "output => output.scrollWidth - output.clientWidth"
        assert explored.output(1).evaluate(hidden) == 0
    finally:
        explored.page.set_viewport_size(WIDE)


def test_nothing_else_on_the_page_looks_other_than_before(page):
    notebook, _, before = page
    assert set(before) ^ set(notebook.page.evaluate(OUTSIDE)) == set()


def test_its_tools_look_as_those_of_jupyter_scatter(explored):
    found = explored.output(1).locator(TOOLS)
    explored.output(1).get_by_title("Activate pan & zoom").click()  # as the other's are at first
    explored.page.mouse.move(0, 0)
    explored.settle()
    ours = found.evaluate_all(_STYLES)
    explored.run(4)
    plain = explored.output(4).locator(TOOLS)
    plain.first.wait_for()
    explored.settle()
    try:
        theirs = plain.evaluate_all(_STYLES)
        assert len(ours) > 1000
        assert set(ours) ^ set(theirs) == set()
    finally:
        explored.output(1).get_by_title("Activate lasso selection").click()
        # its sheet stays in the page, which others test in
        style = "document.getElementById('jscatter.widget.JupyterScatter')"
        explored.page.evaluate(f"{style}?.remove()")


def test_the_saved_notebook_shows_a_picture(explored):
    explored.save()
    (saved,) = explored.outputs(1)
    assert saved["data"]["text/plain"] == "<map of 100 texts>"
    assert saved["data"]["text/html"].count('src="data:image/png;base64,') == 1
    assert "onerror" not in saved["data"]["text/html"]

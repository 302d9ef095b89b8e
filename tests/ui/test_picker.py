"""The model picker in a real JupyterLab: states move, the list is filtered, a model is chosen."""

from __future__ import annotations

import pytest

from tests.ui.notebook import HELD, HOLD, LET_GO, NotebookPage
from tests.ui.side import CONNECT

pytestmark = pytest.mark.browser

BUTTONS = ("Use for chat", "Use for embeddings", "Warm it up", "Refresh")


@pytest.fixture(scope="module")
def opened(profile, lab):
    """One notebook for all tests: each has a picker of its own in it."""
    context, _ = profile
    page = context.pages[0] if context.pages else context.new_page()
    book = NotebookPage(page, lab)
    defaults = "alcf_now = __import__('alcf_jupyter').defaults()\nalcf_now"
    book.open([CONNECT, "%alcf models", defaults, HELD, HOLD, LET_GO])
    book.run(0)
    yield book
    book.close()


@pytest.fixture
def picker(opened, record):  # noqa: ARG001 (recorded from the start)
    """A picker that was not used yet."""
    opened.run(1)
    opened.output(1).locator("select").wait_for()
    return opened


def rows(notebook):
    # the widget shows spaces as no-break spaces
    found = notebook.output(1).locator("select option").all_inner_texts()
    return [row.replace("\xa0", " ") for row in found]


def pick(notebook, name):
    at = next(i for i, row in enumerate(rows(notebook)) if name in row)
    notebook.output(1).locator("select").select_option(index=at)


def test_it_lists_every_model_with_its_state(picker, pictures, record):
    shown = rows(picker)
    assert any(row.startswith("Live") and "sandbox/echo" in row for row in shown)
    assert any(row.startswith("Offline") and "sandbox/cold" in row for row in shown)
    assert any(row.startswith("Queued") and "sandbox/queued" in row for row in shown)
    pick(picker, "sandbox/queued")
    picker.output(1).get_by_text("Estimated start").wait_for()
    picker.pictures(pictures, "picker")
    assert record.quiet


def test_filter_and_search(picker):
    picker.click("Offline", 1)
    picker.page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea select option')].every("
        "o => o.text.startsWith('Offline'))"
    )
    assert rows(picker)
    picker.click("All", 1)
    search = picker.output(1).get_by_placeholder("part of a name")
    search.fill("embed")
    picker.page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea select option')].every("
        "o => o.text.includes('embed'))"
    )
    assert len(rows(picker)) == 2


def test_choosing_sets_the_default_and_shows_the_line(picker):
    pick(picker, "sandbox/summary")
    picker.click("Use for chat", 1)
    picker.output(1).get_by_text("%alcf use sandbox/summary").wait_for()
    pick(picker, "sandbox/embed @")
    picker.click("Use for embeddings", 1)
    picker.output(1).get_by_text("%alcf use --embed sandbox/embed").wait_for()
    (shown,) = picker.run(2)
    assert "'chat': 'sandbox/summary'" in shown["data"]["text/plain"]
    assert "'embed': 'sandbox/embed'" in shown["data"]["text/plain"]


def test_it_opens_on_the_model_in_use(picker):
    pick(picker, "sandbox/summary")
    picker.click("Use for chat", 1)
    picker.output(1).get_by_text("%alcf use sandbox/summary").wait_for()
    picker.run(1)
    picker.output(1).locator("option:checked", has_text="sandbox/summary").wait_for(
        state="attached"
    )


def test_no_click_waits_for_a_cell_that_runs(picker):
    pick(picker, "sandbox/code")
    other = picker.start(3)
    picker.output(3).get_by_text("step 1").wait_for()
    pick(picker, "sandbox/summary")
    picker.click("Use for chat", 1)
    picker.output(1).get_by_text("%alcf use sandbox/summary").wait_for()
    picker.click("Refresh", 1)
    picker.output(1).get_by_text("%alcf use sandbox/summary").wait_for(state="hidden")
    assert picker.runs(other)
    picker.release(other)
    picker.click("Offline", 1)
    picker.page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea select option')].every("
        "o => o.text.startsWith('Offline'))"
    )


def test_warm_up_moves_the_states_on_screen(picker, pictures):
    picker.run(4)
    pick(picker, "sandbox/cold")
    picker.click("Warm it up", 1)
    picker.output(1).get_by_text("Asked to start").wait_for()
    for state in ("Starting", "Live"):
        picker.page.wait_for_function(
            "state => [...document.querySelectorAll('.jp-OutputArea select option')].some("
            "o => o.text.startsWith(state) && o.text.includes('sandbox/cold'))",
            arg=state,
        )
        picker.run(5)
    picker.pictures(pictures, "picker-warm")


def test_the_keyboard_is_enough(picker):
    search = picker.output(1).get_by_placeholder("part of a name")
    search.focus()
    picker.page.keyboard.type("summary")
    one = "() => document.querySelectorAll('.jp-OutputArea select option').length === 1"
    picker.page.wait_for_function(one)
    for _ in range(2):  # past the list, whose first model is selected, to the first button
        picker.page.keyboard.press("Tab")
    picker.page.keyboard.press("Enter")
    picker.output(1).get_by_text("%alcf use sandbox/summary").wait_for()


@pytest.mark.parametrize("width", [1280, 800])
def test_all_of_it_is_seen_where_it_is_narrow(picker, pictures, width):
    view = picker.page.viewport_size
    picker.page.set_viewport_size({"width": width, "height": 1200})
    try:
        picker.settle()
        picker.output(1).evaluate("output => output.scrollIntoView()")
        picker.pictures(pictures, f"picker-{width}")
        right = picker.output(1).evaluate("output => output.getBoundingClientRect().right")
        parts = ["select", "table", *(f"button:has-text('{name}')" for name in BUTTONS)]
        for part in parts:
            box = picker.output(1).locator(part).last.bounding_box()
            assert box["x"] + box["width"] <= right, part
            assert box["width"] > 60, part
        for name in BUTTONS:
            button = picker.output(1).get_by_role("button", name=name, exact=True)
            assert button.evaluate("button => button.scrollWidth <= button.clientWidth"), name
    finally:
        picker.page.set_viewport_size(view)


def test_what_is_chosen_is_told_in_forced_colors_too(picker, pictures):
    ground = "found => found.map(one => getComputedStyle(one).backgroundColor)"
    picker.page.emulate_media(forced_colors="active")
    try:
        picker.settle()
        picker.picture(pictures, "picker-forced", picker.output(1))
        states = picker.output(1).locator(".widget-toggle-buttons button")
        pressed = states.filter(has_text="All").evaluate_all(ground)
        assert pressed != states.filter(has_text="Live").evaluate_all(ground)
        # by its letters: a browser gives its color to the one under the pointer, too
        weight = "one => [one.selected, getComputedStyle(one).fontWeight]"
        models = picker.output(1).locator("select")
        told = models.evaluate(f"list => [...list.options].map({weight})")
        assert {weight for selected, weight in told if selected} == {"700"}
        assert {weight for selected, weight in told if not selected} == {"400"}
    finally:
        picker.page.emulate_media(forced_colors="none")


def test_the_saved_notebook_shows_a_table(picker):
    picker.save()
    (saved,) = picker.outputs(1)
    assert "<table>" in saved["data"]["text/html"]
    assert saved["data"]["text/plain"].startswith("Model ")

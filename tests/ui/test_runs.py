"""A run over a column in a real JupyterLab: its panel, its buttons, and a call waited for."""

from __future__ import annotations

import re
import time

import pytest

from tests.ui.notebook import HELD

pytestmark = pytest.mark.browser

SET_UP = """%load_ext alcf_jupyter
%alcf connect sandbox
import alcf_jupyter as alcf, pandas as pd
texts = [f"line {i}" for i in range(490)] + ["half a character: \\ud800"] * 10
df = pd.DataFrame({"text": texts}, dtype=object)"""
# about four rows a second
HOW = 'f"{{{{text}}}} {8 * \'word \'}", model="sandbox/slow", concurrency=2'
BEHIND = f"run = alcf.map(df, {HOW}, background=True)\nrun"
BEFORE = f'alcf.map(df.tail(30), {HOW})["status"].value_counts()'


def count(notebook, index):
    """How many rows are done, as the page says it."""
    shown = notebook.output(index).get_by_text(re.compile("of 500 rows")).first.inner_text()
    return int(re.search(r"([\d,]+) of 500 rows", shown)[1])


def more_than(notebook, index, before):
    """Wait until more rows are done."""
    until = time.monotonic() + 60
    while count(notebook, index) <= before:
        assert time.monotonic() < until
        notebook.page.wait_for_timeout(100)


def settled(notebook, index):
    """How many are done once what was under way has come in."""
    while True:
        before = count(notebook, index)
        notebook.page.wait_for_timeout(1500)
        if count(notebook, index) == before:
            return before


def wait_for(notebook, words, timeout=60_000):
    notebook.page.wait_for_function(
        "words => document.querySelector('.jp-Notebook').innerText.includes(words)",
        arg=words,
        timeout=timeout,
    )


def test_the_panel_counts_pauses_goes_on_and_stops(notebook, record, pictures):
    from playwright.sync_api import expect

    notebook.open([SET_UP, BEHIND, HELD])
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1)
    pause, resume, stop = (
        panel.get_by_role("button", name=name) for name in ("Pause", "Resume", "Stop")
    )
    pause.wait_for()
    expect(resume).to_be_disabled()
    more_than(notebook, 1, count(notebook, 1))  # it counts up while no cell runs
    notebook.pictures(pictures, "run-running", panel)

    other = notebook.start(2)
    notebook.output(2).get_by_text("step 1").wait_for()
    pause.focus()
    notebook.page.keyboard.press("Enter")
    wait_for(notebook, "Paused")
    assert notebook.runs(other), "no click waits"
    notebook.release(other)
    paused = settled(notebook, 1)
    notebook.picture(pictures, "run-paused", panel)
    expect(pause).to_be_disabled()

    resume.click()
    wait_for(notebook, "Running")
    more_than(notebook, 1, paused)
    assert count(notebook, 1) < 500

    stop.click()
    wait_for(notebook, "Stopped")
    expect(stop).to_be_disabled()
    expect(pause).to_be_disabled()
    bar = panel.get_by_role("progressbar", name="Rows done")
    done = count(notebook, 1)
    assert bar.get_attribute("aria-valuenow") == str(done)
    assert "10 failed" in bar.get_attribute("aria-valuetext")
    notebook.picture(pictures, "run-stopped", panel)

    # the plain form is changed after the panel
    notebook.wait_for_output(1, "Stopped")
    notebook.save()
    takes, saved = notebook.outputs(1)
    assert takes["data"]["text/plain"].startswith("490 rows to send · 10 cannot be sent · about")
    assert "Stopped" in saved["data"]["text/html"]
    assert f"{done} of 500 rows" in saved["data"]["text/html"]
    assert saved["data"]["text/plain"].startswith("<Run ")
    assert record.quiet


def test_a_call_that_is_waited_for_has_one_output(notebook, record, pictures):
    notebook.open([SET_UP, BEFORE])
    notebook.run(0)
    notebook.keep(1)
    run = notebook.start(1)
    notebook.wait_for_kept("of 30 rows")
    notebook.picture(pictures, "run-waited-for", notebook.output(1))
    notebook.wait(run)
    assert min(done for label, done in notebook.bars() if label == "Rows done") < 30
    shown, result = notebook.outputs(1)
    assert shown["data"]["text/plain"] == "30 rows: 20 ok, 10 failed"
    assert "ok" in result["data"]["text/plain"]
    notebook.picture(pictures, "run-done", notebook.output(1))
    assert record.quiet


def test_a_bar_is_told_in_forced_colors_too(notebook, pictures):
    shown = "from IPython.display import HTML\nfrom alcf_jupyter.notebook.runs import run_view"
    notebook.open([f"{shown}\nHTML(run_view.bar_of(50, 10, 100, 'rows'))"])
    notebook.run(0)
    bar = notebook.output(0).get_by_role("progressbar")
    notebook.page.emulate_media(forced_colors="active")
    try:
        notebook.settle()
        notebook.picture(pictures, "run-forced", bar)
        grounds = bar.evaluate(
            "bar => [bar, ...bar.children].map(one => getComputedStyle(one).backgroundColor)"
        )
        assert len(set(grounds)) == 3
    finally:
        notebook.page.emulate_media(forced_colors="none")

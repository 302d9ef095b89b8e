"""A campaign of batches in a real JupyterLab: its panel counts, and lets go when told to."""

from __future__ import annotations

import pytest

from tests.ui.notebook import HELD

pytestmark = pytest.mark.browser

SET_UP = """%load_ext alcf_jupyter
%alcf connect sandbox
import alcf_jupyter as alcf, pandas as pd
from alcf_jupyter.connection import standin
df = pd.DataFrame({"text": [f"<b>text</b> {i}" for i in range(30)]})
def submit(prompt):
    batch = alcf.submit_batch(df, prompt, model="sandbox/echo")
    return get_ipython().run_line_magic("alcf", f"batches {batch.id}")"""
LONG = """standin.control(standin.start(), "POST", "/limits", {"batch_seconds": 60_000})
submit("Again: {{text}}")"""


def test_the_panel_counts_to_the_end_and_lets_go_while_a_cell_runs(notebook, record, pictures):
    notebook.open([SET_UP, 'submit("{{text}}")', LONG, HELD])
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1)
    panel.get_by_role("cell", name="completed").wait_for()
    bar = panel.get_by_role("progressbar", name="Lines done")
    assert bar.get_attribute("aria-valuetext") == "30 of 30 lines, 0 failed"
    stop = panel.get_by_role("button", name="Stop following")
    notebook.page.wait_for_function("stop => stop.disabled", arg=stop.element_handle())
    notebook.pictures(pictures, "batches", panel)

    notebook.run(2)
    panel = notebook.output(2)
    other = notebook.start(3)
    notebook.output(3).get_by_text("step 1").wait_for()
    panel.get_by_role("button", name="Stop following").focus()
    notebook.page.keyboard.press("Enter")
    panel.get_by_text("To follow it again: %alcf batches").wait_for()
    assert notebook.runs(other), "no click waits"
    notebook.release(other)
    assert "completed" not in panel.inner_text()

    notebook.save()
    for index in (1, 2):
        (saved,) = notebook.outputs(index)
        assert "<table>" in saved["data"]["text/html"]
        assert saved["data"]["text/plain"].startswith("<Batch ")
    assert record.quiet

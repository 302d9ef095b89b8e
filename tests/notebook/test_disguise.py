"""The sandbox under the names of real models, in a real kernel: it always says what it is."""

import contextlib

import pytest

from tests.notebook.test_magics import Notebook

ALIASES = {"real/cold": "sandbox/cold", "real/echo": "sandbox/echo"}


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    with contextlib.closing(book):
        book.run("%load_ext alcf_jupyter\nimport alcf_jupyter as alcf, pandas as pd")
        book.run(f"alcf.connect('sandbox', aliases={ALIASES}, poll_seconds=1)")
        yield book


def lines_of(done, name):
    """Return every line of text that was ever shown with a model's name in it."""
    kinds = ("display_data", "update_display_data", "execute_result")
    texts = [one["data"].get("text/plain", "") for kind in kinds for one in done.of(kind)]
    texts += [one["text"] for one in done.of("stream")]
    return [line for text in texts for line in text.splitlines() if name in line]


@pytest.mark.parametrize("code", ["%alcf wait real/cold", "%%alcf_chat -m real/cold\nhello"])
def test_a_wait(notebook, code):
    offline = {"model": "real/cold", "state": "Offline"}
    notebook.sandbox(ALIASES).control("POST", "/state", offline)
    shown = lines_of(notebook.run(code), "real/cold")
    assert any("· Starting" in line for line in shown), shown
    assert [line for line in shown if "local sandbox" not in line] == []


def test_a_run_and_a_batch(notebook):
    notebook.run("frame = pd.DataFrame({'text': [f'row {n}' for n in range(120)]})")
    run = "run = alcf.map(frame, 'Say {{text}}', model='real/echo', background=True)\nrun"
    shown = lines_of(notebook.run(run), "real/echo")
    assert shown
    assert [line for line in shown if "local sandbox" not in line] == []
    notebook.run("run.wait()")
    notebook.run("batch = alcf.submit_batch(frame, 'Say {{text}}', model='real/echo')")
    look = "%alcf batches " + notebook.value("batch.id").strip("'")
    for watched in (True, False):
        shown = lines_of(notebook.run(look, watched=watched), "real/echo")
        assert shown
        assert [line for line in shown if "local sandbox" not in line] == []


def test_a_name_that_says_it_is_told_once(notebook):
    done = notebook.run("alcf.map(frame, 'Do {{text}}', model='sandbox/echo', background=True)")
    [line] = lines_of(done, "sandbox/echo")
    assert line.endswith("· sandbox/echo · 120 rows>")

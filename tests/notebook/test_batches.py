"""%alcf batches in a real kernel: the table, one batch, and its panel."""

import contextlib
import re
import signal

import pytest

from tests.notebook.test_magics import Notebook

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    with contextlib.closing(book):
        book.run(
            "%load_ext alcf_jupyter\nimport alcf_jupyter as alcf, pandas as pd\n"
            "from alcf_jupyter.notebook import widgets\n%alcf connect sandbox"
        )
        book.run(
            "df = pd.DataFrame({'text': [f'<b>text</b> {n}' for n in range(30)]})\n"
            "batch = alcf.submit_batch(df, '{{text}}', model='sandbox/echo')"
        )
        yield book


def test_a_watched_batch_is_a_panel_that_follows_it(notebook):
    done = notebook.run(
        "panel = get_ipython().run_line_magic('alcf', f'batches {batch.id}')\npanel"
    )
    shown = done.only("execute_result")["data"]
    assert WIDGET in shown
    assert re.fullmatch(r"<Batch batch-\w+ · sandbox/echo @ sophia · 30 rows>", shown["text/plain"])
    assert "<progress" not in shown["text/html"]
    assert 'role="progressbar"' in shown["text/html"]
    notebook.run(
        "import time\nuntil = time.monotonic() + 60\n"
        "while not panel._stop.disabled and time.monotonic() < until: time.sleep(0.05)"
    )
    told = notebook.run("panel.shadow()", watched=False).only("execute_result")["data"]
    assert "completed" in told["text/plain"]
    assert "30 of 30 lines" in told["text/plain"]
    ended = notebook.run("panel._stop.disabled, batch.wait().status").only("execute_result")
    assert ended["data"]["text/plain"] == "(True, 'completed')"


def test_what_hinders_is_told_until_it_is_gone(notebook):
    notebook.run(
        "def fails(): raise alcf.AlcfError('Nobody is signed in.')\n"
        "other = type(panel)(alcf.batch(batch.id))\n"
        "real, other._batch.progress = other._batch.progress, fails\nother._show()"
    )
    assert "Nobody is signed in." in notebook.value("other._told.value")
    notebook.run("other._batch.progress = real; other._show()")
    assert "Nobody is signed in." not in notebook.value("other._told.value")


def test_headless_it_is_one_plain_output(notebook):
    notebook.run("batch.wait()")
    line = "get_ipython().run_line_magic('alcf', f'batches {batch.name}')"
    shown = notebook.run(line, watched=False).only("execute_result")["data"]
    assert WIDGET not in shown
    assert "completed · 30 of 30 lines" in shown["text/plain"]
    assert "<td>completed</td>" in shown["text/html"]


def test_the_table(notebook):
    notebook.run("batch.wait()")
    shown = notebook.run("%alcf batches").only("execute_result")["data"]
    assert "sandbox/echo" in shown["text/plain"]
    assert "failed_lines" in shown["text/html"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%alcf batches abc", "no id of a batch"),
        ("%alcf batches a b", "one id or name"),
        ("%alcf batches --status done", "no status"),
        ("%alcf batches 00000000-0000-4000-8000-000000000000", "no such batch"),
    ],
)
def test_bad_input(notebook, line, words):
    assert words in notebook.run(line).error


def test_a_kernel_dies_and_the_next_one_has_the_whole_of_it():
    """37 rows are made to fail; the answers of all are joined to the table in the new kernel."""
    load = "%load_ext alcf_jupyter\nimport alcf_jupyter as alcf, pandas as pd\n"
    table = (
        "df = pd.DataFrame({'text': [('word ' * (900 if n % 27 == 5 else 3)) for n in range(999)]},"
        " index=[f'k{n}' for n in range(999)])\n"
    )
    submit = "batch = alcf.submit_batch(df, '{{text}}', model='sandbox/echo', max_tokens=32_000)"
    first = Notebook()
    with contextlib.closing(first):
        first.run(f"{load}%alcf connect sandbox\n{table}{submit}")
        batch_id = first.value("batch.id")
        first.manager.signal_kernel(signal.SIGKILL)
    book = Notebook()
    with contextlib.closing(book):
        book.run(f"{load}%alcf connect sandbox\n{table}batch = alcf.batch({batch_id}).wait()")
        counts = "batch.results()['status'].value_counts().to_dict()"
        assert book.value(counts) == "{'ok': 962, 'failed': 37}"
        assert (
            book.value("batch.failures()['reason'].str.contains('too large').sum().item()") == "37"
        )
        rows = "[f'k{n}' for n in range(5, 999, 27)]"
        assert book.value(f"batch.failures().index.tolist() == {rows}") == "True"
        assert book.value("batch.metrics()[['lines', 'failed_lines']].values.tolist()") == (
            "[[999, 37]]"
        )
        book.run("batch.retry_failed(max_tokens=2_000).wait()")
        assert book.value(counts) == "{'ok': 999}"
        same = "(df.join(batch.results())['reply'].str.strip() == df['text'].str.strip()).all()"
        assert book.value(f"{same}.item()") == "True"

"""A notebook in the terminal: a growing display prints only what is new, an error ends the run."""

import io

import nbformat
import pytest
from nbformat import v4

from alcf_jupyter.cli.terminal import Screen, run


def shown(text, display_id=None, kind="display_data"):
    transient = {"display_id": display_id} if display_id else {}
    return {"msg_type": kind, "content": {"data": {"text/plain": text}, "transient": transient}}


def stream(text, name="stdout"):
    return {"msg_type": "stream", "content": {"name": name, "text": text}}


def printed(*messages):
    out = io.StringIO()
    screen = Screen(out)
    for message in messages:
        screen.output(message)
    return out.getvalue()


def update(text, display_id):
    return shown(text, display_id, "update_display_data")


def test_a_growing_answer_is_printed_once():
    growing = [shown("The", "a"), update("The queue", "a"), update("The queue\nmoves", "a")]
    assert printed(*growing) == "The queue\nmoves"


def test_an_answer_may_grow_by_digits_alone():
    assert printed(shown("4", "a"), update("42", "a"), update("42.5", "a")) == "42.5"


def test_a_clock_that_goes_on_is_not_printed():
    assert printed(shown("Queued · 9s", "a"), update("Queued · 1m 05s", "a")) == "Queued · 9s"


def test_a_display_that_changes_is_printed_anew_on_its_own_line():
    assert printed(shown("Queued", "a"), update("Live", "a"), update("Live: 42", "a")) == (
        "Queued\nLive: 42"
    )


def test_an_update_that_changes_nothing_prints_nothing():
    assert printed(shown("42", "a"), update("42", "a")) == "42"


def test_outputs_of_different_kinds_start_on_a_line_of_their_own():
    messages = [shown("one", "a"), stream("two"), stream(" and three\n"), shown("four"), shown("5")]
    assert printed(*messages) == "one\ntwo and three\nfour\n5"


def test_another_display_in_between_does_not_mix_the_two():
    messages = [shown("a", "a"), shown("b", "b"), update("a!", "a"), update("b?", "b")]
    assert printed(*messages) == "a\nb\na!\nb?"


def test_escape_sequences_do_not_reach_the_terminal():
    assert printed(stream("\x1b]0;title\x07plain\x1b[31m red")) == "plain red"


@pytest.fixture
def notebook(tmp_path):
    def write(*cells):
        path = tmp_path / "01_test.ipynb"
        nbformat.write(v4.new_notebook(cells=list(cells)), path)
        return path

    return write


def test_cells_and_their_outputs_are_printed_in_order(notebook, capsys):
    path = notebook(
        v4.new_markdown_cell("# A title", id="m"),
        v4.new_code_cell("x = 6\nx * 7", id="a"),
        v4.new_code_cell("print('before'); 1 / 0", id="b", metadata={"tags": ["raises-exception"]}),
        v4.new_code_cell("get_ipython().kernel._allow_stdin", id="c"),
    )
    assert run(path) == 0
    assert capsys.readouterr().out == (
        "\n# A title\n"
        "\nIn [1]: x = 6\n   ...: x * 7\n42\n"
        "\nIn [2]: print('before'); 1 / 0\n"
        "before\nZeroDivisionError: division by zero\n"
        "\nIn [3]: get_ipython().kernel._allow_stdin\nTrue\n"
    )


def test_a_failing_cell_ends_the_run(notebook, capsys):
    path = notebook(v4.new_code_cell("1 / 0", id="a"), v4.new_code_cell("print('no')", id="b"))
    assert run(path) == 1
    assert capsys.readouterr().out == "\nIn [1]: 1 / 0\nZeroDivisionError: division by zero\n"

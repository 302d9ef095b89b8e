"""A prompt that ends in a question mark, in a real kernel; what asks for help goes on doing so."""

import contextlib

import pytest

from tests.notebook.test_magics import Notebook

ASK = "%alcf_chat -q -m sandbox/echo"


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    with contextlib.closing(book):
        book.run("%load_ext alcf_jupyter\n%alcf connect sandbox")
        yield book


@pytest.mark.parametrize(
    ("cell", "prompt"),
    [
        (f"{ASK} What is a beamline?", "What is a beamline?"),
        (f"{ASK} What's {{1 + 2}}??", "What's {1 + 2}??"),
        (f'{ASK} "Who is there?", he said. Is it "me"?', '"Who is there?", he said. Is it "me"?'),
        (f"{ASK} 2 + 2 = 4?   ", "2 + 2 = 4?"),
        (f"{ASK} {{{{1 + 2}}}} is three?", "3 is three?"),
        (f"if True:\n    {ASK} Inside?", "Inside?"),
        (f"{ASK} One \\\n  or two?", "One or two?"),
        (f"_ = 1\nanswer = {ASK} Kept?\n_ = 2", "Kept?"),
        (f"{ASK} {ASK}?", f"{ASK}?"),
    ],
)
def test_a_question_is_a_prompt(notebook, cell, prompt):
    done = notebook.run(cell)
    assert not done.failed, done.messages
    assert done.of("stream") == []
    assert done.last["text/plain"].split() == prompt.split()
    if "answer" in cell:
        assert notebook.value("answer.text") == "'Kept?'"


def helped(notebook, cell):
    reply = notebook.client.execute_interactive(cell, output_hook=lambda _: None, timeout=60)
    assert reply["content"]["status"] == "ok"
    (page,) = reply["content"]["payload"]
    return page["data"]["text/plain"]


def test_help_is_help(notebook):
    for cell in ("%alcf_chat?", "%%alcf_chat?", "?%alcf_chat"):
        assert "Ask a model" in helped(notebook, cell)
    assert "number of items" in helped(notebook, "len?")
    assert "number of items" in helped(notebook, "x = 1\nlen?")
    done = notebook.run("text = '''\n%alcf_chat Is this a string?\n'''\ntext")
    assert "Is this a string?" in done.only("execute_result")["data"]["text/plain"]
    assert notebook.value("5 % 3") == "2"


def test_unloaded_it_leaves_every_line_to_ipython():
    book = Notebook()
    with contextlib.closing(book):
        look = "get_ipython().input_transformer_manager.token_transformers"
        before = book.value(look)
        book.run("%load_ext alcf_jupyter\n%reload_ext alcf_jupyter")
        assert len(book.value(look)) > len(before)
        book.run("%unload_ext alcf_jupyter")
        assert book.value(look) == before
        assert "not found" in book.run("%alcf_chat What is it?").only("stream")["text"]

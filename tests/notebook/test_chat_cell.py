"""The chat cell's options in a real kernel, against the sandbox."""

import json

import pytest

from tests.notebook.test_magics import Notebook


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    book.run("%load_ext alcf_jupyter")
    book.run("%alcf connect sandbox")
    book.run("import numpy as np\npicture = np.zeros((4, 6))")
    book.run("nameless = lambda n: n")
    book.run("import os, tempfile\nos.chdir(tempfile.mkdtemp())")
    book.run("open('not_an_image.txt', 'w').write('x')")
    book.run("def double(n: int) -> int:\n    'Double it.'\n    return 2 * n")
    yield book
    book.close()


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("-m sandbox/markdown -f code\nx", "print('hello from the sandbox')"),
        ("-m sandbox/json -f json\nx", '{\n  "prompt": "x",\n  "words": 1\n}'),
        ("-m sandbox/json --schema 'n int'\nx 3", '{\n  "n": 3\n}'),
        ("-m sandbox/echo -f text\n*x* $5", "*x* $5"),
        ("-m sandbox/vision -i picture\nx", "a PNG of 6 x 4 pixels"),
        ("-m sandbox/tools --tool double\n4", "double(n=4) → 8\n\nThe tool says: 8"),
        ("-m sandbox/echo --thread t\nx", "thread t, turn 1"),
        ("-m sandbox/echo -m sandbox/code\nx", "## sandbox/code"),
    ],
)
@pytest.mark.parametrize("watched", [True, False])
def test_it_is_shown_once(notebook, cell, shown, watched):
    if "--thread" in cell:
        cell = cell.replace("--thread t", "--thread t --new-thread")
    done = notebook.run(f"%%alcf_chat {cell}", watched=watched)
    assert not done.failed
    assert done.of("execute_result") == []
    assert shown in done.last["text/plain"]


def test_reasoning_is_folded_and_kept_apart(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/reasoning -o r --reasoning-effort low\nWhy?")
    assert "<summary>Reasoning</summary>" in done.last["text/html"]
    assert notebook.value("r.reasoning") == "'The question has 1 words.'"
    assert notebook.value("r.text") == "'You asked: Why?'"


def test_a_dry_run_prints_and_returns_nothing(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/echo -t 0 --dry-run -o dry\nhi")
    assert "YOUR_TOKEN" in done.only("stream")["text"]
    assert len(done.messages) == 1
    assert notebook.value("dry.body['temperature']") == "0.0"


def test_several_answers_are_in_the_metadata_and_shown_again(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/echo -m sandbox/code -o both\nx")
    last = [*done.of("display_data"), *done.of("update_display_data")][-1]
    assert [one["model"] for one in last["metadata"]["alcf"]] == ["sandbox/echo", "sandbox/code"]
    assert "## sandbox/code" in notebook.run("both").only("display_data")["data"]["text/plain"]
    failed = notebook.run("%%alcf_chat -m sandbox/echo -m sandbox/ecko -o both\nx")
    assert "sandbox/ecko" in failed.error
    assert notebook.value("both.replies[0].text") == "'x'"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("-m sandbox/echo -f json\nno json", ["What came", "no json"]),
        ("-m sandbox/echo -f yaml\nx", ["yaml", "%alcf help"]),
        ("-m sandbox/echo -i nothing.png\nx", ["nothing.png"]),
        ("-m sandbox/echo -i not_an_image.txt\nx", ["not_an_image.txt is not an image"]),
        ("-m sandbox/echo --tool nameless\nx", ["not a tool", "def"]),
        ("-m sandbox/echo --schema double\nx", ["is not a schema", "--schema"]),
        ("-m sandbox/echo -P response_format=json\nx", ["json_object"]),
        ("-m sandbox/echo -t 1 -P temperature=0\nx", ["temperature is given twice"]),
        ("-m sandbox/echo -t hot\nx", ["-t takes a number, not 'hot'", "%alcf help"]),
        ("-m sandbox/echo -n 1.5\nx", ["-n takes a whole number, not '1.5'"]),
        ("-m sandbox/echo -f marcdown\nx", ["-f takes markdown", "-f markdown"]),
        ("-m --seed 3\nx", ["-m needs a value"]),
        ("-m sandbox/echo --no-wait=3\nx", ["--no-wait takes no value"]),
        ("-m sandbox/echo -s 'be short\nx", ["not closed", "some words"]),
        ("-m sandbox/echo -s it's\nx", ["not closed"]),
        ("-m sandbox/echo --xyz\nx", ["no option --xyz", "%alcf help alcf_chat"]),
        ("sandbox/echo\nx", ["-m sandbox/echo"]),
        ("sandbox-echo\nx", ["-m sandbox-echo"]),
        ("-m sandbox/xyz\nx", ["no model", "%alcf models"]),
        ("-m sandbox/echo -n 0\nx", ["from 1"]),
        ("-m sandbox/echo -i http://127.0.0.1:9/a.png\nx", ["not fetched"]),
        ("-m sandbox/echo --schema 'a intt'\nx", ["intt", "int"]),
        ("-m sandbox/echo --tool duble\nx", ["duble", "--tool double"]),
        ("-m sandbox/echo --tool picture\nx", ["not a tool"]),
        ("-m sandbox/echo --new-thread\nx", ["--thread"]),
        ("-m sandbox/echo -P thread=x\nx", ["option of its own"]),
        ("-m sandbox/echo -P reasoning_effort=none\nx", ["low, medium, high"]),
        ("-m sandbox/echo --stop a --stop b --stop c --stop d --stop e\nx", ["1 to 4"]),
        ("-m sandbox/echo -m sandbox/code --thread t\nx", ["one by one"]),
    ],
)
def test_bad_input_is_two_or_three_lines(notebook, cell, words):
    shown = notebook.run(f"%%alcf_chat {cell}").error
    for word in words:
        assert word in shown


def test_json_in_a_parameter_keeps_its_quotes(notebook):
    done = notebook.run('%%alcf_chat -m sandbox/echo -P logit_bias={"50":-100} -o biased\nx')
    assert not done.failed
    assert notebook.value("biased.provenance['parameters']") == "{'logit_bias': {'50': -100}}"


def test_json_that_is_shown_as_json_is_data(notebook):
    notebook.run('%%alcf_chat -m sandbox/echo -f json -o said\n{"a": [1, null]}')
    assert notebook.value("said.data") == "{'a': [1, None]}"


def test_a_table_that_was_cut_is_told_in_the_footer(notebook):
    notebook.run("import pandas as pd\ntable = pd.DataFrame({'x': range(8412)})")
    done = notebook.run("%%alcf_chat -m sandbox/echo -n 4 -o cut\n{{table}}")
    assert "{{table}}: 20 of 8,412 rows" in done.last["text/plain"]
    assert "20 of 8,412 rows" in done.last["text/html"]
    assert notebook.value("cut.remarks") == "('{{table}}: 20 of 8,412 rows',)"
    both = notebook.run("%%alcf_chat -m sandbox/echo -m sandbox/code\n{{table}}")
    assert both.last["text/plain"].count("20 of 8,412 rows") == 2 + 1  # one is echoed


# Beside a cell: interrupts it when what it asks for has come to the sandbox.
INTERRUPT = """
import alcf_jupyter as alcf, os, signal, threading, time
from alcf_jupyter.connection import standin
def interrupt(route):
    while not standin.control(standin.start(), "GET", f"/log?route={route}")["entries"]:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)
def interrupt_at(route):
    standin.control(standin.start(), "DELETE", "/log")
    threading.Thread(target=interrupt, args=(route,)).start()
"""


@pytest.mark.parametrize(
    ("cell", "route"),
    [
        ("alcf.chat('word ' * 4000, model='sandbox/slow')", "chat/completions"),
        ("get_ipython().run_line_magic('alcf', 'wait sandbox/queued')", "jobs"),
    ],
)
def test_an_interrupt_is_shown_as_one_line(notebook, cell, route):
    notebook.run(INTERRUPT)
    done = notebook.run(f"interrupt_at({route!r})\n{cell}")
    assert done.only("error")["traceback"] == ["Interrupted."]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%alcf_chat -m sandbox/queued --timeout {}\nx", "Not answered."),
        ("%alcf wait sandbox/queued --timeout {}", "No longer waited for."),
    ],
)
def test_a_status_that_is_true_no_longer_is_not_what_stays(notebook, cell, told):
    done = notebook.run(cell.format("6s"))  # time enough for it to be shown
    assert "Queued" in done.only("display_data")["data"]["text/plain"]
    assert done.last["text/plain"] == told
    assert "6s have passed" in done.error
    silent = notebook.run(cell.format("1s"), watched=False)
    assert [name for name, _ in silent.messages] == ["error"]


def test_an_interrupt_among_several_keeps_the_answers_that_had_come(notebook):
    notebook.run(
        "import os, signal, threading, time, alcf_jupyter as alcf\n"
        "talk = alcf.client(); real = talk.chat_many\n"
        "def interrupt(came):\n"
        "    while came[1] is None: time.sleep(0.05)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "def chat_many(calls, observer, came):\n"
        "    threading.Thread(target=interrupt, args=(came,)).start()\n"
        "    return real(calls, observer, came)\n"
        "talk.chat_many = chat_many"
    )
    done = notebook.run(
        "line = '-m sandbox/slow -m sandbox/code -o both'\n"
        "get_ipython().run_cell_magic('alcf_chat', line, 'word ' * 4000)"
    )
    notebook.run("del talk.chat_many")
    assert done.only("error")["traceback"] == ["Interrupted."]
    assert "sandbox/code @ sophia" in done.last["text/html"]
    assert "Interrupted before its answer had come." in done.last["text/html"]
    assert notebook.value("both is _, both.replies[0], list(both.errors)") == (
        "(True, None, ['sandbox/slow'])"
    )
    assert notebook.value("both.replies[1].complete") == "True"


def test_threads_usage_and_cite(notebook):
    notebook.run("%%alcf_chat -m sandbox/echo --thread talk --new-thread\nfirst")
    shown = notebook.run("%alcf threads talk").only("execute_result")["data"]["text/plain"]
    assert "first" in shown
    assert "talk" in notebook.run("%alcf threads tlak").error
    assert (
        "sandbox/echo" in notebook.run("%alcf usage").only("execute_result")["data"]["text/plain"]
    )
    shown = notebook.run("%alcf cite").only("stream")["text"]
    assert "10.1145/3731599.3767346" in shown
    assert "local sandbox" in shown


def test_provenance_of_a_saved_notebook(notebook, tmp_path):
    import nbformat

    done = notebook.run("%%alcf_chat -m sandbox/echo -t 0 -P user=alice\nx", watched=False)
    shown = done.only("display_data")
    output = nbformat.v4.new_output("display_data", data=shown["data"], metadata=shown["metadata"])
    cells = [nbformat.v4.new_markdown_cell("x"), nbformat.v4.new_code_cell("y", outputs=[output])]
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    import alcf_jupyter as alcf

    (row,) = alcf.provenance(path).to_dict("records")
    assert (row["cell"], row["model"], row["cluster"]) == (1, "sandbox/echo", "sophia")
    assert row["parameters"] == {"temperature": 0.0}
    assert (row["complete"], row["prompt_tokens"], row["time"].tzname()) == (True, 1, "UTC")
    assert "h11" in row["versions"]
    assert "alice" not in path.read_text()
    assert "sandbox/echo on sophia" in alcf.cite(path)
    for bad in ("{", "[]", json.dumps({"worksheets": []})):
        path.write_text(bad)
        with pytest.raises(alcf.AlcfError, match="as a notebook"):
            alcf.provenance(path)


@pytest.mark.parametrize("options", ["", "-q ", "-q -o kept "])
def test_an_embed_cell_keeps_its_provenance_as_a_chat_does(notebook, tmp_path, options):
    import nbformat

    import alcf_jupyter as alcf

    outputs = []
    for cell in (
        f"%%alcf_embed {options}-m sandbox/embed --dimensions 64\na text\nanother",
        "%%alcf_chat -m sandbox/echo\nx",
    ):
        shown = notebook.run(cell, watched=False).only("display_data")
        outputs.append(
            nbformat.v4.new_output("display_data", data=shown["data"], metadata=shown["metadata"])
        )
    path = tmp_path / "n.ipynb"
    cells = [nbformat.v4.new_code_cell("y", outputs=[output]) for output in outputs]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    embedded, chat = alcf.provenance(path).to_dict("records")
    assert outputs[1]["metadata"]["alcf"].keys() <= outputs[0]["metadata"]["alcf"].keys()
    assert (embedded["route"], chat["route"]) == ("embeddings", "chat/completions")
    assert (embedded["model"], embedded["cluster"]) == ("sandbox/embed", "sophia")
    assert embedded["parameters"] == {"dimensions": 64}
    assert (embedded["dimensions"], embedded["complete"]) == (64, True)
    assert embedded["prompt_tokens"] == 3
    assert embedded["total_seconds"] > 0
    assert len(embedded["prompt_sha256"]) == len(embedded["answer_sha256"]) == 64
    assert "a text" not in path.read_text()
    assert "sandbox/embed" in alcf.cite(path)


def test_a_frame_that_is_shown_says_where_its_answers_come_from(notebook, tmp_path):
    import nbformat

    import alcf_jupyter as alcf

    notebook.run("import alcf_jupyter as alcf, pandas as pd\ndf = pd.DataFrame({'n': [1, 2]})")
    outputs = []
    for cell in (
        "df",
        "out = alcf.map(df, 'Say {{n}}', model='sandbox/echo', temperature=0)\nout.head(1)",
        "out[['reply', 'status']]",
        "run = alcf.map(df, 'Or {{n}}', model='sandbox/json', background=True)\nrun.result(60)",
        "emb = alcf.embed(['a text', 'another'], model='sandbox/embed')\nalcf.project(emb)",
        "emb.tail(1)",
        "alcf.submit_batch(df, 'Say {{n}}', model='sandbox/echo').wait().results()",
    ):
        done = notebook.run(cell, watched=False)
        shown = done.only("execute_result")
        assert list(shown["data"]) == ["text/plain", "text/html"], "as pandas shows it"
        shown.pop("transient", None)
        outputs.append(nbformat.v4.new_output("execute_result", **shown))
    assert " · local sandbox · 2 of 2 lines" in done.only("display_data")["data"]["text/plain"]
    path = tmp_path / "n.ipynb"
    cells = [nbformat.v4.new_code_cell("y", outputs=[output]) for output in outputs]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    told = alcf.provenance(path)
    assert told["cell"].tolist() == [1, 3, 4, 6], "once each, where it was shown first"
    models = ["sandbox/echo", "sandbox/json", "sandbox/embed", "sandbox/echo"]
    assert told["model"].tolist() == models
    assert told["route"].tolist() == 2 * ["chat/completions"] + ["embeddings", "chat/completions"]
    assert told["prompt_tokens"].tolist()[::3] == [4, 4]
    assert told["parameters"][0] == {"temperature": 0}
    assert told["complete"].all()
    assert told["time"].notna().all()
    assert all("python" in one for one in told["versions"])
    assert "sandbox/json" in alcf.cite(path)
    notebook.run("%unload_ext alcf_jupyter")
    assert notebook.run("out").only("execute_result")["metadata"] == {}
    notebook.run("%load_ext alcf_jupyter")


def test_an_embed_cell_without_a_vector_fails_and_says_why(notebook):
    done = notebook.run("%%alcf_embed -m sandbox/echo -o none\na text")
    assert "Embeddings API" in done.error
    assert "%alcf models --can embed" in done.error


def test_an_embed_cell_whose_time_is_over_fails_and_keeps_the_frame(notebook):
    done = notebook.run("%%alcf_embed -m sandbox/queued --timeout 3s\na text")
    assert "None of the texts was embedded in time." in done.error
    assert "The time is over." in done.last["text/plain"]
    assert notebook.value("list(_['status'])") == "['pending']"

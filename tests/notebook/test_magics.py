"""The magics in a real kernel, against the sandbox: what a person types and what they see."""

import ast
import contextlib

import pytest

from tests.controlled import Controlled
from tests.kernels import start_kernel


class Notebook:
    """A kernel that cells are run in, the way a front end (or nbclient) runs them."""

    def __init__(self):
        self.manager, self.client = start_kernel()

    def run(self, code, *, watched=True, timeout=60, on_message=None):
        """Run a cell; return its messages of output, in order, and whether it failed."""
        seen = []

        def keep(message):
            kind, content = message["msg_type"], message["content"]
            if kind not in ("status", "execute_input"):
                if not joined(kind, content):
                    seen.append((kind, content))
                if on_message:
                    on_message(message)

        def joined(kind, content):
            """Add to the text before it, as front ends do: the kernel sends text as time passes."""
            before = seen[-1] if seen else (None, {})
            goes_on = kind == before[0] == "stream" and content["name"] == before[1]["name"]
            if goes_on:
                before[1]["text"] += content["text"]
            return goes_on

        reply = self.client.execute_interactive(
            code,
            allow_stdin=watched,
            stdin_hook=lambda _: None,
            output_hook=keep,
            timeout=timeout,
        )
        return Outcome(seen, reply["content"]["status"] == "error")

    def value(self, expression):
        """Return an expression's repr."""
        return self.run(expression).only("execute_result")["data"]["text/plain"]

    def sandbox(self, aliases=None):
        """Return the sandbox of this kernel, to be steered while a cell runs."""
        self.run("from alcf_jupyter.connection import standin as _standin")
        running = f"(_one := _standin.start({aliases})).url, _standin.secret_of(_one)"
        url, secret = ast.literal_eval(self.value(running))
        return Controlled({"url": url, "secret": secret})

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


class Outcome:
    def __init__(self, messages, failed):
        self.messages, self.failed = messages, failed

    def of(self, kind):
        return [content for name, content in self.messages if name == kind]

    def only(self, kind):
        found = self.of(kind)
        assert len(found) == 1, self.messages
        return found[0]

    @property
    def error(self):
        """The error as it is shown, which must be short."""
        assert self.failed
        shown = "\n".join(self.only("error")["traceback"])
        assert 2 <= len(shown.splitlines()) <= 6, shown
        return shown

    @property
    def last(self):
        """The saved output: what the last update left."""
        shown = self.of("display_data")
        assert len(shown) == 1, self.messages
        return [*shown, *self.of("update_display_data")][-1]["data"]


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    book.run("%load_ext alcf_jupyter")
    book.run("%alcf connect sandbox")
    yield book
    book.close()


def test_an_answer_is_shown_once_with_its_footer(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/echo\nHello {{1 + 2}}, \\{{literal}}")
    assert not done.failed
    assert done.of("execute_result") == []
    assert "<p>Hello 3, {{literal}}</p>" in done.last["text/html"]
    assert "sandbox/echo @ sophia · local sandbox" in done.last["text/plain"]
    assert "total" in done.last["text/plain"]


def test_the_reply_is_in_underscore_and_out(notebook):
    notebook.run("%%alcf_chat -m sandbox/echo\nremember me")
    assert notebook.value("_.text") == "'remember me'"
    notebook.run("%%alcf_chat -m sandbox/echo\nand me")
    number = notebook.value("max(Out)")
    assert notebook.value(f"type(Out[{number}]).__name__") == "'Reply'"


def test_a_reply_shown_again_is_displayed_again(notebook):
    notebook.run("again = %alcf_chat -m sandbox/echo once more")
    done = notebook.run("again")
    assert "once more" in done.only("display_data")["data"]["text/html"]


def test_one_line_takes_the_text_as_it_is(notebook):
    notebook.run("""said = %alcf_chat -q -m sandbox/echo What's "up", {{'do' + 'c'}}? -m x""")
    assert notebook.value("said.text") == """'What\\'s "up", doc? -m x'"""


def test_parameters_are_sent_only_when_given(notebook):
    done = notebook.run(
        "%%alcf_chat -m sandbox/echo -t 0.5 -n 20 --top-p 0.9 --seed 7 --stop x --stop y "
        "-P presence_penalty=0.5 -s 'be short' -o reply\nhi"
    )
    assert not done.failed
    assert notebook.value("reply.provenance['parameters']") == (
        "{'temperature': 0.5,\n 'max_tokens': 20,\n 'top_p': 0.9,\n 'seed': 7,\n "
        "'stop': ['x', 'y'],\n 'presence_penalty': 0.5}"
    )
    notebook.run("%%alcf_chat -m sandbox/echo -o reply\nhi")
    assert notebook.value("reply.provenance['parameters']") == "{}"


def test_no_vars_leaves_braces(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/echo --no-vars -q\n{{x}}")
    assert done.last["text/plain"] == "{{x}}"


CHOICE = [f"%alcf use sandbox/{one}    # Live on sophia" for one in ("echo", "summary", "json")]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%alcf_chat --temprature 0\nhi", ["--temprature", "--temperature"]),
        ("%%alcf_chat -m sandbox/ecko\nhi", ["sandbox/ecko", "-m sandbox/echo"]),
        ("%%alcf_chat -m sandbox/echo -c sofia\nhi", ["sofia", "-c sophia"]),
        ("%%alcf_chat\nhi", ["No model was chosen", *CHOICE]),
        ("%%alcf_chat -m sandbox/echo\n  \n", ["empty", "%%alcf_chat"]),
        ("%%alcf_chat -m sandbox/echo\n{{promt}}", ["promt", "nothing was sent", "prompt_text"]),
        ("%%alcf_chat -m sandbox/echo\n{{1/0}}", ["ZeroDivisionError", "nothing was sent"]),
        ("%%alcf_chat -m sandbox/echo\n{{a b}}", ["not a Python expression", "--no-vars"]),
        ("%%alcf_chat -m sandbox/echo what?\nhi", ["what?", "below"]),
        ("%%alcf_chat -m sandbox/echo -n many\nhi", ["many", "%alcf help"]),
        ("%%alcf_chat -m sandbox/echo -P top_k=3\nhi", ["top_k", "--top-p"]),
        ("%%alcf_chat -m sandbox/echo -P nothing\nhi", ["KEY=VALUE"]),
        ("%%alcf_chat -m sandbox/echo --timeout soon\nhi", ["soon", "--timeout 30m"]),
        ("%%alcf_chat -m sandbox/echo -o 3x\nhi", ["3x", "variable"]),
        ("%%alcf_chat -m sandbox/cold --no-wait\nhi", ["Offline", "Live now", "-m sandbox/echo"]),
        ("%%alcf_chat -m sandbox-stopped -c metis\nhi", ["Stopped", "Live now", "-m sandbox/json"]),
        ("%alcf chat hello", ["no command 'chat'", "Did you mean:  %%alcf_chat", "%alcf_chat P"]),
        ("%alcf embbed x", ["Did you mean:  %%alcf_embed"]),
        ("%%alcf_embed\na text", ["No model was chosen", "%alcf use --embed sandbox/embed"]),
        ("%alcf_embed", ["something to embed", "df['text']"]),
        ("%alcf_embed -m sandbox/embed 'one text'", ["one string"]),
        ('%alcf_embed df["t"] -m sandbox/embed', ["Options go first", "%alcf_embed -m"]),
        ("%%alcf_embed -m sandbox/embed\n{{[1, 2]}}", ["many values", "%alcf_embed [1, 2]"]),
        ("%%alcf_chat -m sandbox/echo -o print\nhi", ["print", "variable"]),
        ("alcf_jupyter = __import__('alcf_jupyter').connect(5)", ["int", "alcf.connect("]),
        ("%alcf whoami x", ["only its options", "%alcf whoami"]),
        ("%alcf conect", ["conect", "%alcf connect"]),
        ("%alcf connect sandbx", ["sandbx", "%alcf connect sandbox"]),
        ("%alcf use sandbox/ech", ["sandbox/ech", "sandbox/echo"]),
        ("%alcf status now", ["no options"]),
    ],
)
def test_bad_input_gets_a_short_error_that_says_what_to_type(notebook, cell, words):
    notebook.run("prompt_text = 'x'")
    shown = notebook.run(cell).error
    for word in words:
        assert word in shown


def test_a_body_over_the_limit_is_not_sent(notebook):
    notebook.run("huge = 'x' * 2_700_000")
    shown = notebook.run("%%alcf_chat -m sandbox/echo\n{{huge}}").error
    assert "2,621,440" in shown
    assert "Nothing was sent" in shown


def test_an_unreachable_service_names_address_and_sandbox(notebook):
    notebook.run("import alcf_jupyter as alcf\nbefore = alcf.client()")
    notebook.run("c = alcf.connect('http://127.0.0.1:9/resource_server', token='t')")
    shown = notebook.run("%%alcf_chat -m m\nhi").error
    notebook.run("alcf.connect('sandbox')")
    assert "http://127.0.0.1:9" in shown
    assert "%alcf connect sandbox" in shown


def test_a_failed_stream_keeps_and_marks_what_came(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/stream-error -o part\nTell me about rings")
    assert done.failed
    assert "Incomplete" in done.last["text/plain"]
    assert notebook.value("part.complete, _.complete") == "(False, False)"


def test_a_stream_without_an_end_is_no_answer(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/early-end\nTell me about rings")
    assert done.failed
    assert "incomplete" in done.last["text/plain"].casefold()
    assert "without" in done.error or "stopped" in done.error


def test_a_cut_off_answer_is_marked(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/echo -n 3 -o cut\none two three four five")
    assert not done.failed
    assert "Incomplete: cut off at the token limit" in done.last["text/plain"]
    assert notebook.value("cut.complete") == "False"


def test_no_stream_gives_the_same_answer(notebook):
    notebook.run("a = %alcf_chat -m sandbox/markdown one two")
    done = notebook.run("b = %alcf_chat -m sandbox/markdown --no-stream one two")
    assert done.of("update_display_data") == []
    assert notebook.value("a.text == b.text") == "True"


def test_a_cold_model_is_waited_for_with_its_states_in_words(notebook):
    service, told = notebook.sandbox(), {"model": "sandbox/cold"}
    service.control("POST", "/state", told | {"load_seconds": 86_400})

    def start(message):
        if "Starting" in str(message["content"]):
            service.control("POST", "/state", told | {"load_seconds": 0})

    done = notebook.run("%%alcf_chat -m sandbox/cold\nhi", on_message=start)
    shown = [m["data"]["text/plain"] for m in done.of("update_display_data")]
    assert not done.failed
    assert any("Starting" in text for text in shown)
    assert "Offline → " in done.last["text/plain"]
    assert "waited" in done.last["text/plain"]


def test_an_interrupt_gives_back_control_and_keeps_what_came(notebook):
    interrupted = []

    def interrupt(message):
        html = message["content"].get("data", {}).get("text/html", "")
        if "Answering" in html and not interrupted:
            interrupted.append(html)
            notebook.manager.interrupt_kernel()

    # how soon, tests/faults/test_interrupts.py measures; here it is long before the answer's end
    prompt = "word " * 4000
    done = notebook.run(f"%%alcf_chat -m sandbox/slow -o half\n{prompt}", on_message=interrupt)
    assert done.failed
    assert "Incomplete: interrupted" in done.last["text/plain"]
    assert "word" in done.last["text/plain"]
    assert notebook.value("half.finish_reason") == "'interrupted'"


def test_headless_has_one_output_without_times(notebook):
    done = notebook.run("%%alcf_chat -m sandbox/slow\na b c d e f g h", watched=False)
    assert [name for name, _ in done.messages] == ["display_data"]
    shown = done.only("display_data")
    assert shown["data"]["text/plain"].endswith(
        "sandbox/slow @ sophia · local sandbox · 8 in / 8 out"
    )
    assert shown["metadata"]["alcf"]["total_seconds"] > 0


def test_headless_an_embed_cell_has_a_line_and_the_table_without_times(notebook):
    done = notebook.run("%%alcf_embed -m sandbox/embed\na", watched=False)
    assert [name for name, _ in done.messages] == ["display_data", "execute_result"]
    line, table = (told["data"]["text/plain"] for _, told in done.messages)
    assert (
        line
        == "sandbox/embed @ sophia · local sandbox · 1 of 1 texts · 256 numbers each · 1 tokens in"
    )
    assert "seconds" not in table


def test_embed_lines_and_columns(notebook):
    done = notebook.run("%%alcf_embed -m sandbox/embed -o lines\nfirst\n\nsecond {{1 + 1}}")
    assert "<th>embedding</th>" in done.only("execute_result")["data"]["text/html"]
    assert notebook.value("list(lines['text'])") == "['first', 'second 2']"
    notebook.run(
        "import pandas as pd\n"
        "df = pd.DataFrame({'t': ['a b', None, 'c d']}, index=['x', 'y', 'y'])\n"
        "emb = %alcf_embed -m sandbox/embed df['t']"
    )
    assert notebook.value("list(emb.index), list(emb['status'])") == (
        "(['x', 'y', 'y'], ['ok', 'skipped', 'ok'])"
    )


def test_the_same_cells_run_on_an_openai_server(notebook):
    notebook.run(
        "from alcf_jupyter.connection import standin\n"
        "one = standin.start()\n"
        "plain = one.url.replace('/resource_server', '/v1')\n"
        "alcf.connect(plain, token=standin.secret_of(one))"
    )
    done = notebook.run("%%alcf_chat -m sandbox/echo -o reply\nHello {{1 + 2}}")
    assert not done.failed
    assert "<p>Hello 3</p>" in done.last["text/html"]
    assert not notebook.run("%%alcf_embed -m sandbox/embed\na text").failed
    assert "sandbox/echo" in notebook.run("%%alcf_chat -m sandbox/ecko\nhi").error
    notebook.run("alcf.connect('sandbox')")


def test_status_and_help_say_what_there_is(notebook):
    shown = notebook.run("%alcf status").only("stream")["text"]
    for word in ("sandbox", "Sandbox User", "no model chosen", "sophia", "Live"):
        assert word in shown
    shown = notebook.run("%alcf help").only("stream")["text"]
    for word in ("%%alcf_chat", "%%alcf_embed", "%alcf connect", "%alcf use", "%alcf status"):
        assert word in shown
    assert "--temperature" in notebook.run("%alcf help alcf_chat").only("stream")["text"]
    for command in (line.split()[1] for line in shown.splitlines() if line.startswith("%alcf ")):
        told = notebook.run(f"%alcf help {command}").only("stream")["text"]
        assert told.startswith(f"usage: %alcf {command}")


def test_use_sets_the_defaults_and_an_alias(notebook):
    notebook.run("%alcf use sandbox/echo as e")
    notebook.run("%alcf use --embed sandbox/embed")
    assert not notebook.run("%%alcf_chat\nhi").failed
    assert not notebook.run("%%alcf_chat -m e\nhi").failed
    assert not notebook.run("%%alcf_embed\na text").failed


@pytest.mark.parametrize(
    ("line", "chat", "embed"),
    [
        ("--chat sandbox/code as c --embed sandbox/embed", "sandbox/code", "sandbox/embed"),
        ("sandbox/json --embed sandbox/embed-cold as v", "sandbox/json", "sandbox/embed-cold"),
        ("sandbox/embed --embed", "sandbox/json", "sandbox/embed"),
        ("c", "sandbox/code", "sandbox/embed"),
    ],
)
def test_use_takes_a_model_for_each_kind_of_cell(notebook, line, chat, embed):
    notebook.run("import alcf_jupyter as alcf")
    assert not notebook.run(f"%alcf use {line}").failed
    assert notebook.value("alcf.defaults()") == f"{{'chat': '{chat}', 'embed': '{embed}'}}"


def test_use_sets_nothing_when_one_of_two_is_unknown(notebook):
    notebook.run("import alcf_jupyter as alcf")
    before = notebook.value("alcf.defaults()")
    for line in (
        "--chat sandbox/echo --embed sandbox/embd",
        "sandbox/echo sandbox/json",
        "--embed",
        "--chat sandbox/echo as 1x --embed sandbox/embed",
    ):
        assert notebook.run(f"%alcf use {line}").error
    assert notebook.value("alcf.defaults()") == before


def test_unload_restores_what_was_there():
    book = Notebook()
    with contextlib.closing(book):
        book.run("from IPython.core.magic import register_line_magic")
        book.run("@register_line_magic\ndef alcf(line):\n    return 'mine'")
        book.run("formatters = get_ipython().display_formatter.ipython_display_formatter")
        book.run("before = str(formatters.deferred_printers), str(formatters.type_printers)")
        for _ in range(2):
            book.run("%load_ext alcf_jupyter")
            book.run("%alcf connect sandbox")
            book.run("%%alcf_chat -m sandbox/echo\nhi")
            book.run("%unload_ext alcf_jupyter")
            assert book.value("%alcf x") == "'mine'"
            assert book.run("%%alcf_chat\nhi").failed
        assert (
            book.value(
                "before == (str(formatters.deferred_printers), str(formatters.type_printers))"
            )
            == "True"
        )

"""Recorded answers: kept without tokens, played without a network, refused if not ours."""

import json
import os
import signal
import stat
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from traitlets.config import Config

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.http.pace import Pace
from alcf_jupyter.connection.record import replay, saver
from alcf_jupyter.connection.record.record import Record
from alcf_jupyter.errors import ReplayError, StreamFailedError, UnknownModelError, UsageError
from alcf_jupyter.notebook.panel.looks import Looks
from alcf_jupyter.notebook.widgets.picker import ModelPicker
from alcf_jupyter.service.catalog import State
from tests.connection.faultserver import Gateway, chat_answer, jobs, serving, whole
from tests.controlled import sandbox
from tests.kernels import by_files, start_kernel
from tests.scripted import model


@pytest.fixture(autouse=True)
def rewound(monkeypatch):
    """Begin and end without a tape and without a connection."""
    monkeypatch.setattr(replay, "_tape", None)
    monkeypatch.setattr(replay, "_looked", False)
    monkeypatch.setattr(session.current(), "client", None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.json"


def everything():
    """Ask in every way, and return all that came."""
    alcf.connect("sandbox")
    seen = [
        alcf.chat("hello", model="sandbox/echo").text,
        "".join(alcf.stream("hello", model="sandbox/echo")),
        alcf.chat("why", model="sandbox/reasoning").reasoning,
        alcf.complete("once upon", model="sandbox/echo").text,
        alcf.chat("half", model="sandbox/cut-off").complete,
        repr(alcf.compare("hi", ["sandbox/echo", "sandbox/code"])),
        alcf.matrix(alcf.embed(["a", "b b"], model="sandbox/embed")).tobytes(),
        list(alcf.models()["model"]),
        alcf.chat("Ada is 36", model="sandbox/json", schema="name, age int").data,
        alcf.chat("look", model="sandbox/vision", images=np.zeros((2, 2))).text,
    ]
    with pytest.raises(StreamFailedError) as failed:
        list(alcf.stream("x y z", model="sandbox/stream-error"))
    with pytest.raises(UnknownModelError) as unknown:
        alcf.chat("hi", model="sandbox/ecko")
    told = [failed.value.message, failed.value.reply.text, unknown.value.message]
    return [*seen, *told]


def test_what_is_recorded_is_played_with_nothing_running(path):
    alcf.replay("record", path)
    first = everything()
    secret = alcf.client()._credential.header().removeprefix("Bearer ")
    program = (
        "import sys, alcf_jupyter as alcf, pickle\n"
        "from tests.connection.test_replay import everything\n"
        f"alcf.replay('only', {str(path)!r})\n"
        "sys.stdout.buffer.write(pickle.dumps(everything()))\n"
        "from alcf_jupyter.connection import standin\n"
        "assert not standin._running\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    import pickle

    assert pickle.loads(done.stdout) == first
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_recording_twice_gives_the_same_file(path):
    contents = []
    for _ in range(2):
        alcf.replay("record", path)
        everything()
        contents.append(path.read_text())
    assert contents[0] == contents[1]


def test_the_file_is_readable_and_holds_an_image_s_hash_only(path):
    alcf.replay("record", path)
    alcf.connect("sandbox")
    alcf.chat("look", model="sandbox/vision", images=np.zeros((99, 99)))
    (entry,) = json.loads(path.read_text())["entries"]
    said = entry["request"]["body"]["messages"][0]["content"]
    assert said[0]["text"] == "look"
    assert said[1]["image_url"]["url"].startswith("data:image/png;base64,sha256:")
    assert "PNG of 99 x 99" in entry["answers"][0]["text"]


def test_a_question_asked_twice_has_two_answers_in_order(path):
    with model("one", "two"):
        alcf.replay("record", path)
        said = [alcf.chat("again", model="m").text for _ in range(2)]
        alcf.replay("only", path)
        played = [alcf.chat("again", model="m").text for _ in range(3)]
    assert said == ["one", "two"]
    assert played == ["one", "two", "two"]


def test_a_cell_that_runs_again_replaces_what_it_recorded(path):
    manager, client = start_kernel()

    def run(cell, code):
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = client.session.msg("execute_request", content)
        message["metadata"]["cellId"] = cell  # as JupyterLab does
        sent = message["header"]["msg_id"]
        client.shell_channel.send(message)
        # a kernel that starts slowly is asked more than once whether it is there
        while (reply := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != sent:
            pass
        assert reply["content"]["status"] == "ok", reply["content"]

    twice = "for _ in range(2):\n    alcf.chat('again', model='m')"
    try:
        with model("a", "b", "c", "d", "e", "f") as served:
            run("start", f"import alcf_jupyter as alcf; alcf.replay('record', {str(path)!r})")
            run("connect", f"alcf.connect({served.url!r}, token='t')")
            run("above", twice)  # a, b
            run("below", "alcf.chat('again', model='m')")  # c
            run("above", twice)  # d, e
            run("below", "alcf.chat('again', model='m')")  # f
            alcf.replay("only", path)
            played = [alcf.chat("again", model="m").text for _ in range(4)]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert played == ["d", "e", "f", "f"]


def test_a_metis_endpoint_is_played_without_its_file(path, tmp_path):
    from tests.connection.test_endpoints import write

    with sandbox() as stand_in:
        file = write(
            tmp_path / "metis_endpoint_1.txt",
            BASE_URL=stand_in.plain,
            SAMBANOVA_API_KEY=stand_in.secret,
            MODELS="sandbox/echo",
        )

        def asked():
            alcf.connect(str(file))
            said = alcf.chat("hi", model="sandbox/echo")
            return said.text, said.footer, list(alcf.models()["cluster"]), str(alcf.client())

        alcf.replay("record", path)
        recorded = asked()
        stand_in.sent()
        file.unlink()
        alcf.replay("only", path)
        assert asked() == recorded
        assert stand_in.sent() == []
        text = path.read_text()
        assert stand_in.secret not in text
        assert stand_in.plain not in text


@pytest.mark.parametrize("where", ["/nowhere/answers.json", 5])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_asked(where):
    with pytest.raises(UsageError):
        alcf.replay("record", where)
    assert replay.active() is None


def test_nothing_is_sent_while_it_plays(path):
    with model("one") as served:
        alcf.replay("record", path)
        alcf.chat("known", model="m")
        alcf.replay("only", path)
        with pytest.raises(ReplayError):
            alcf.chat("unknown", model="m")
        with pytest.raises(ReplayError, match="Nothing is sent"):
            alcf.client().whoami()
        assert len(served.asked) == 1


@pytest.mark.parametrize(
    ("prompt", "options", "words"),
    [
        ("What is a proton?", {}, "nearest recorded prompt:  'What is a neutron\\?'"),
        ("What is a neutron?", {"temperature": 1}, "these differ:  temperature"),
    ],
)
def test_a_miss_names_what_is_nearest(path, prompt, options, words):
    with model("one"):
        alcf.replay("record", path)
        alcf.chat("What is a neutron?", model="m")
        alcf.replay("only", path)
        with pytest.raises(ReplayError, match=words) as raised:
            alcf.chat(prompt, model="m", **options)
    assert len(str(raised.value).splitlines()) == 3


def edited(told):
    told["entries"][0]["answers"][0]["text"] = "better"


def asked_otherwise(told):
    told["entries"][0]["request"]["body"]["messages"][0]["content"] = "x"


def more(told):
    told["entries"][0]["answers"][0]["token"] = "x"


def other(told):
    told["format"] = "another 1"


@pytest.mark.parametrize("change", [edited, asked_otherwise, more, other])
@pytest.mark.parametrize("mode", ["only", "record"])
def test_a_changed_file_is_refused_and_left_alone(path, change, mode):
    with model("one"):
        alcf.replay("record", path)
        alcf.chat("known", model="m")
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    before = path.read_bytes()
    with pytest.raises(ReplayError, match="cannot be used") as raised:
        alcf.replay(mode, path)
    assert len(str(raised.value).splitlines()) == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": []}', b"\x80\x04", b"[" * 9999])
def test_another_kind_of_file_is_refused(path, content):
    path.write_bytes(content)
    for mode in ("record", "only"):
        with pytest.raises(ReplayError):
            alcf.replay(mode, path)
    assert path.read_bytes() == content


def test_a_missing_file_a_folder_and_a_mode_that_is_none(path, tmp_path):
    with pytest.raises(ReplayError, match="Record it first"):
        alcf.replay("only", path)
    with pytest.raises(ReplayError):
        alcf.replay("record", tmp_path)
    with pytest.raises(UsageError, match="no replay mode"):
        alcf.replay("play", path)


def test_a_folder_that_goes_away_is_said(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    with model("one"):
        alcf.replay("record", folder / "answers.json")
        folder.rmdir()
        with pytest.raises(ReplayError, match="cannot be recorded"):
            alcf.chat("hi", model="m")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_any_more_is_let_go(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    with model("one"):
        alcf.replay("record", folder / "answers.json")
        folder.rmdir()
        with pytest.raises(ReplayError, match="cannot be recorded"):
            alcf.chat("hi", model="m")
        with pytest.raises(ReplayError, match="cannot be recorded"):
            alcf.replay("off")
        assert replay.active() is None
        assert alcf.chat("hi", model="m").text == "one"


@pytest.mark.parametrize("mode", ["only", "record"])
def test_what_is_still_to_be_written_is_there_when_the_file_is_named_again(path, monkeypatch, mode):
    monkeypatch.setattr(saver, "QUICK_SECONDS", 0)  # every file takes longer, as a large one does
    monkeypatch.setattr(saver, "_SHARE", 100_000)
    with model("one", "two", "three"):
        alcf.replay("record", path)
        for prompt in ("first", "second"):
            alcf.chat(prompt, model="m")
        alcf.replay(mode, path)
        if mode == "record":
            alcf.chat("third", model="m")
            alcf.replay("only", path)
        assert [alcf.chat(p, model="m").text for p in ("first", "second")] == ["one", "two"]


def test_the_environment_wins(path, monkeypatch):
    with model("one") as served:
        alcf.replay("record", path)
        alcf.chat("known", model="m")
        monkeypatch.setenv("ALCF_JUPYTER_REPLAY", "only")
        alcf.replay("record", path)
        assert alcf.chat("known", model="m").provenance["replayed"] is True
        assert len(served.asked) == 1
        monkeypatch.setattr(replay, "_looked", False)
        monkeypatch.setattr(replay, "_tape", None)
        monkeypatch.setenv("ALCF_JUPYTER_REPLAY", f"only:{path}")
        assert alcf.chat("known", model="m").text == "one"
        monkeypatch.setenv("ALCF_JUPYTER_REPLAY", "off")
        alcf.replay("only", path)
        alcf.chat("known", model="m")
        assert len(served.asked) == 2


@pytest.mark.parametrize("value", ["only", "record"])
def test_off_says_that_the_variable_wins_and_changes_nothing(path, monkeypatch, value):
    with model("one"):
        alcf.replay("record", path)
        alcf.chat("known", model="m")
        monkeypatch.setenv("ALCF_JUPYTER_REPLAY", value)
        alcf.replay("record", path)
        with pytest.warns(UserWarning, match="wins over this line") as told:
            alcf.replay("off")
        assert replay.active().mode == value
        assert f"ALCF_JUPYTER_REPLAY={value} wins" in str(told[0].message)
        assert "%env ALCF_JUPYTER_REPLAY=  and run the cell again" in str(told[0].message)
        assert told[0].filename == __file__
        monkeypatch.setenv("ALCF_JUPYTER_REPLAY", "")
        alcf.replay("off")
        assert replay.active() is None


def test_off_before_any_answer_leaves_the_file_to_be_named_later(clean_environ):
    clean_environ["ALCF_JUPYTER_REPLAY"] = "only"
    with pytest.warns(UserWarning, match="wins over this line"):
        alcf.replay("off")
    assert replay.plays()


def test_what_to_type_counts_also_where_the_variable_is_set(path, clean_environ):
    with model("one"):
        alcf.replay("record", path)
        alcf.chat("known", model="m")
        told = []
        for value in ("", "only"):
            clean_environ["ALCF_JUPYTER_REPLAY"] = value
            alcf.replay("only", path)
            for ask in (
                lambda: alcf.chat("unknown", model="m"),
                lambda: alcf.client().whoami(),
                lambda: alcf.replay("only", path.with_name("other.json")),
            ):
                with pytest.raises(ReplayError) as raised:
                    ask()
                told.append(raised.value.do)
    first = "%env ALCF_JUPYTER_REPLAY=   and then   "
    assert all("alcf.replay('" in do and "%env" not in do for do in told[:3])
    assert [do.replace(first, "") for do in told[3:]] == told[:3]
    assert all(first in do for do in told[3:])


ROW = pd.DataFrame({"text": ["one"]})


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda _: alcf.openai("sophia"), "alcf.openai"),
        (lambda _: alcf.openai("sophia", asynchronous=True), "alcf.openai"),
        (
            lambda folder: alcf.submit_batch(
                ROW, "{{text}}", model="sandbox/echo", folder=str(folder)
            ),
            "batch",
        ),
        (
            lambda folder: alcf.map(
                ROW, "{{text}}", model="sandbox/echo", via="batch", folder=str(folder)
            ),
            "batch",
        ),
    ],
)
def test_what_is_not_recorded_is_said_once_and_not_played(path, tmp_path, monkeypatch, ask, what):
    monkeypatch.chdir(tmp_path)
    alcf.connect("sandbox")
    alcf.replay("record", path)
    with pytest.warns(UserWarning, match="not recorded") as told:
        ask(tmp_path)
    (words,) = [one for one in told if "not recorded" in str(one.message)]
    assert what in str(words.message)
    assert words.filename == __file__
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*not recorded")
        ask(tmp_path)
    alcf.chat("hello", model="sandbox/echo")
    alcf.replay("only", path)
    with pytest.raises(ReplayError, match="not recorded") as raised:
        ask(tmp_path)
    assert what in raised.value.what
    assert "alcf.replay('off')" in raised.value.do
    alcf.replay("off")
    ask(tmp_path)


def test_played_answers_count_as_they_did_when_they_were_recorded(path):
    program = (
        "import sys, alcf_jupyter as alcf\n"
        "from tests.connection.test_replay import everything\n"
        "alcf.replay(*sys.argv[1:])\n"
        "everything()\n"
        "alcf.map(['a', 'b'], 'Say {{text}}', model='sandbox/echo', temperature=0)\n"
        "print(alcf.usage().to_csv(), alcf.cite(), alcf.client().meter.lately()[0] > 0)\n"
    )
    told = {}
    for mode in ("record", "only"):
        command = [sys.executable, "-c", program, mode, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told[mode] = done.stdout.rstrip().rpartition(" ")
    assert "sandbox/echo" in told["record"][0]
    assert told["only"][0] == told["record"][0]
    assert (told["record"][2], told["only"][2]) == ("True", "False"), (
        "nothing of the limits is used"
    )


def test_what_the_panel_and_the_picker_see_is_no_part_of_a_record(path):
    """They look at moments of their own; the cells see what they saw, watched or not."""
    queues = [jobs(queued=["m"]), jobs(starting=["m"]), jobs(running=["m"])]
    gateway = Gateway(jobs={"sophia": queues[0]})

    def looked(queue, look):
        gateway.jobs["sophia"] = queue
        look.now(fresh=True).result(60)

    def seen(client):
        return [model.state for model in client.models(fresh=True).models]

    with serving(gateway) as server:
        client = alcf.connect(server.url, poll_seconds=0.01)
        panel, picker = Looks(client), ModelPicker(client)
        try:
            alcf.replay("record", path)
            first = seen(client)
            looked(queues[1], panel.models)
            looked(queues[1], picker._look)
            gateway.jobs["sophia"] = queues[2]
            assert (first, seen(client)) == ([State.QUEUED], [State.LIVE])
            alcf.replay("only", path)
            first = seen(client)
            looked(queues[1], panel.models)
            looked(queues[1], picker._look)
            assert [model.state for model in client.known.models] == [State.QUEUED]
            assert (first, seen(client)) == ([State.QUEUED], [State.LIVE])
        finally:
            picker.close()


def test_a_column_is_played_without_the_service_s_pace(path, monkeypatch):
    texts = pd.DataFrame({"text": [f"text {number}" for number in range(25)]})

    def infer(peer, request):
        peer.send(whole(chat_answer(request.json["messages"][-1]["content"])))

    with serving(Gateway(infer=infer)) as server:
        alcf.connect(server.url)
        alcf.replay("record", path)
        recorded = alcf.map(texts, "{{text}}", model="m", fresh=True)
        alcf.replay("only", path)
        monkeypatch.setattr(Pace, "turn", None)
        played = alcf.map(texts, "{{text}}", model="m", fresh=True)
    assert list(played["reply"]) == list(recorded["reply"]) == list(texts["text"])


def test_the_file_may_be_named_after_connecting(path, clean_environ):
    with model("one") as served:
        alcf.replay("record", path)
        alcf.chat("known", model="m")
        replay._tape, replay._looked = None, False
        clean_environ["ALCF_JUPYTER_REPLAY"] = "only"
        alcf.connect("sandbox")
        alcf.connect(served.url)
        alcf.replay("record", path)
        assert alcf.chat("known", model="m").text == "one"


def test_a_file_that_nobody_has_named_is_told_with_what_to_type(clean_environ):
    clean_environ["ALCF_JUPYTER_REPLAY"] = "only"
    alcf.connect("sandbox")
    for ask in (alcf.models, lambda: alcf.chat("hi", model="m")):
        with pytest.raises(ReplayError, match="ALCF_JUPYTER_REPLAY=only asks for") as caught:
            ask()
        assert "alcf.replay('record', PATH)" in caught.value.do
        assert "before it asks anything" in caught.value.why


def test_an_interrupt_while_it_writes_leaves_no_half_file(path, tmp_path):
    class Struck(type(path)):
        """A path that an interrupt meets where the new file is about to take its place."""

        parent = tmp_path

        def __fspath__(self):
            signal.raise_signal(signal.SIGINT)
            return super().__fspath__()

    with pytest.raises(KeyboardInterrupt):
        Record(Struck(path)).write()
    assert list(tmp_path.iterdir()) == []


def test_the_words_of_a_recorded_failure_are_shown_harmless(path):
    with sandbox() as service:
        service.connect()
        alcf.replay("record", path)
        with pytest.raises(StreamFailedError):
            list(alcf.stream("x y z", model="sandbox/stream-error"))
        told = Record.read(path)
        (entry,) = told.entries.values()
        entry.answers[0].said = ["\x1b]0;mine\x07\u202eWhat", "why\x1b[31m", "do\nthis"]
        told.write()
        alcf.replay("only", path)
        with pytest.raises(StreamFailedError) as failed:
            list(alcf.stream("x y z", model="sandbox/stream-error"))
    assert str(failed.value) == "What\nwhy\ndo\nthis"


NOTEBOOK = [
    "%load_ext alcf_jupyter\nimport alcf_jupyter as alcf\nalcf.replay('record', 'answers.json')",
    "%alcf connect sandbox",
    "%alcf use sandbox/echo\n%alcf use --embed sandbox/embed",
    "%%alcf_chat\nHello {{1 + 2}}",
    "%%alcf_chat -m sandbox/reasoning --thread t\nWhy?",
    "%%alcf_chat -m sandbox/echo --thread t\nAnd then?",
    "alcf.models(state='Offline')[['model']]",
    "%%alcf_chat -m sandbox/cold\nAre you there?",
    "alcf.models(state='Offline')[['model']]",
    "%%alcf_chat -m sandbox/summary -m sandbox/code\nOne. Two.",
    "%%alcf_chat -m sandbox/json --schema 'name, age int'\nAda is 36",
    "%%alcf_embed\nfirst\nsecond",
    "alcf.models()[['model', 'state']].head()",
]


def test_a_recorded_notebook_passes_nbval_with_the_sandbox_stopped(tmp_path):
    import nbclient
    import nbformat

    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in NOTEBOOK],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    failing = nbformat.v4.new_code_cell("%%alcf_chat -m sandbox/stream-error\nTell me about rings")
    failing.metadata["tags"] = ["raises-exception"]
    notebook.cells.append(failing)
    nbclient.NotebookClient(
        notebook,
        config=Config(KernelManager=by_files()),
        timeout=180,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    path = tmp_path / "mine.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "mine.ipynb"]
    # no sandbox can start: its module is not to be found
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['alcf_jupyter.sandbox'] = None\n"
        "sys.modules['alcf_jupyter.sandbox.__main__'] = None\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import functools, nbval.kernel\n"
        f"files = {by_files()}\n"
        "manager = functools.partial(nbval.kernel.KernelManager, **files)\n"
        "nbval.kernel.KernelManager = manager\n"
    )
    environ = {**os.environ, "ALCF_JUPYTER_REPLAY": "only", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(NOTEBOOK) + 1} passed" in done.stdout

"""The kernel's side of the panel: a real kernel, and comms on subshells as JupyterLab has them."""

import time

import pytest

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.panel import messages
from tests.controlled import sandbox
from tests.notebook.panel_page import Kernel, Page

ASLEEP = 4  # seconds: a cell that sleeps so long is not over when an answer has come meanwhile


@pytest.fixture(scope="module")
def kernel():
    running = Kernel("alcf.connect('sandbox')")
    yield running
    running.close()


@pytest.fixture
def page(kernel):
    opened = Page(kernel)
    yield opened
    opened.close()
    kernel.run("alcf.connect('sandbox')")


def test_it_is_greeted_with_the_versions_in_the_kernel(page, kernel):
    hello = page.told("hello")
    assert hello["protocol"] == messages.protocol()
    assert hello["package"] == kernel.run("print(alcf.__version__)").strip()
    assert (
        hello["environment"]["ipykernel"]
        == kernel.run("import ipykernel; print(ipykernel.__version__)").strip()
    )


def test_what_the_browser_told_is_there_for_the_doctor(page, kernel):
    page.told("hello")
    code = "from alcf_jupyter.notebook.panel.frontend import reported; print(reported())"
    assert kernel.run(code).strip() == "{'alcf-jupyter': '0.1.0', 'jupyterlab': '4.6.4'}"


def test_nothing_is_told_before_it_is_on_the_screen(page, kernel):
    page.told("hello")
    kernel.run("alcf.use('sandbox/echo')")
    kernel.listen(1.2)
    assert [message["type"] for message in page.all()] == ["hello"]


def test_every_model_is_shown_with_its_state(page):
    page.send("watch", parts=["models"])
    live = page.model("sandbox/echo", state="Live")
    cold = page.model("sandbox/cold", state="Offline")
    assert (live["cluster"], live["starts"], cold["starts"]) == ("sophia", False, True)
    assert ["State", "Offline"] in cold["facts"]


def test_a_model_that_is_started_is_seen_to_become_live(page):
    page.send("watch", parts=["models"])
    page.model("sandbox/embed-cold", state="Offline")
    said = page.ask("warm", model="sandbox/embed-cold", cluster="sophia")
    assert said["error"] is None
    assert "minutes" in said["said"]
    # nothing more is asked from here on: the kernel tells by itself
    page.model("sandbox/embed-cold", state="Starting")
    page.model("sandbox/embed-cold", state="Live")
    again = page.ask("warm", model="sandbox/embed-cold", cluster="sophia")
    assert again["error"]["why"] == "It is Live."


def test_the_model_that_is_chosen_is_the_next_cells(page, kernel):
    page.send("watch", parts=["models", "status"])
    page.model("sandbox/summary")
    said = page.ask("use", kind="chat", model="sandbox/summary")
    assert "%alcf use sandbox/summary" in said["said"]
    status = page.told("status", lambda s: (s["chat"] or {}).get("model") == "sandbox/summary")
    assert status["chat"] == {"model": "sandbox/summary", "cluster": "sophia", "state": "Live"}
    assert kernel.run("print(alcf.chat('One. Two. Three.').model)").strip() == "sandbox/summary"
    page.ask("use", kind="chat", model=None)
    assert kernel.run("print(alcf.defaults()['chat'])").strip() == "None"


def test_what_a_cell_chooses_is_shown(page, kernel):
    page.send("watch", parts=["status"])
    kernel.run("%alcf use sandbox/echo\n%alcf use --embed sandbox/embed")
    status = page.told("status", lambda s: s["embed"] is not None)
    assert (status["chat"]["model"], status["embed"]["model"]) == ("sandbox/echo", "sandbox/embed")
    assert status["account"]["state"] == "none"
    assert "local stand-in" in status["service"]


def test_a_model_that_is_gone_cannot_be_chosen(page):
    page.send("watch", parts=["models"])
    page.model("sandbox/echo")
    error = page.ask("use", kind="chat", model="sandbox/nothing")["error"]
    assert error["what"].startswith("There is no model sandbox/nothing")
    assert error["do"].endswith("%alcf models")


def test_it_is_answered_while_a_cell_runs_and_the_cells_output_stays_its_own(page, kernel):
    page.send("watch", parts=["models"])
    page.model("sandbox/echo")
    cell = kernel.start(f"import time; time.sleep({ASLEEP}); print('from the cell')")
    began = time.monotonic()
    page.ask("use", kind="chat", model="sandbox/echo", seconds=ASLEEP)
    assert time.monotonic() - began < ASLEEP / 2
    assert kernel.end(cell) == "from the cell\n"


def test_what_a_running_cell_changes_is_told_and_does_not_take_the_panel_with_it(page, kernel):
    page.send("watch", parts=["status", "models"])
    page.model("sandbox/echo")
    since = page.mark()
    cell = kernel.start(
        f"import time; alcf.use('sandbox/code'); time.sleep({ASLEEP}); print('later')"
    )
    began = time.monotonic()
    page.told("status", lambda s: (s["chat"] or {}).get("model") == "sandbox/code", since=since)
    page.ask("use", kind="chat", model="sandbox/json", seconds=ASLEEP)
    assert time.monotonic() - began < ASLEEP - 1
    assert kernel.end(cell) == "later\n"
    assert kernel.run("print(alcf.defaults()['chat'])").strip() == "sandbox/json"


def test_what_is_hidden_is_told_nothing(page, kernel):
    page.send("watch", parts=["status"])
    page.told("status")
    page.send("watch", parts=[])
    page.ask("use", kind="chat", model=None)  # what was sent before it has arrived now
    before = len(page.all())
    kernel.run("alcf.use('sandbox/markdown')")
    kernel.listen(1.5)
    assert len(page.all()) == before


def test_what_comes_back_on_the_screen_is_told_whole(page):
    page.send("watch", parts=["status"])
    page.told("status")
    page.send("watch", parts=[])
    page.ask("use", kind="chat", model=None)
    since = page.mark()
    page.send("watch", parts=["status"])
    page.told("status", since=since)


LIVE = ["Live", "Live"]


def test_what_does_not_change_is_told_once(page, kernel):
    page.send("watch", parts=["status"])
    kernel.run("alcf.use('sandbox/echo', 'sandbox/embed')")
    page.told("status", lambda s: [(s[k] or {}).get("state") for k in ("chat", "embed")] == LIVE)
    before = len(page.all())
    kernel.listen(1.5)
    assert len(page.all()) == before


MALFORMED = [
    None,
    "watch",
    [],
    {},
    {"type": "nothing"},
    {"type": "use", "id": 3},
    {"type": "use", "id": "3", "kind": "chat", "model": "m"},
    {"type": "use", "id": 3, "kind": "chat", "model": "m" * 1000},
    {"type": "watch", "parts": ["secrets"]},
    {"type": "watch", "parts": ["runs"], "more": 1},
    {"type": "steer", "id": 1, "run": "1", "action": "delete"},
    {"type": "refresh", "id": True, "part": "models"},
]


def test_messages_that_are_none_are_refused_and_change_nothing(page):
    page.told("hello")
    for data in MALFORMED:
        since = page.mark()
        page.raw(data)
        reply = page.told("reply", since=since)
        assert reply["error"]["what"] == "A message of the JupyterLab extension cannot be read."
        number = data.get("id") if isinstance(data, dict) else None
        assert reply["to"] == (number if type(number) is int else None)
    page.send("watch", parts=["runs"])
    assert page.told("runs")["runs"] == []


def test_a_page_of_another_protocol_is_greeted_and_left_alone(kernel):
    other = Page(kernel, {"protocol": messages.protocol() + 1, "new": "field"})
    other.told("hello")
    other.send("watch", parts=["status"])
    kernel.run("alcf.use('sandbox/echo')")
    kernel.listen(1.2)
    assert [message["type"] for message in other.all()] == ["hello"]
    other.close()


@pytest.mark.parametrize("greeting", [None, "hello", {"frontend": {"a": 1}}, {"extension": 1}])
def test_a_greeting_that_is_none_is_told_so(kernel, greeting):
    other = Page(kernel, greeting)
    assert other.told("reply")["error"]["do"].endswith("%alcf doctor")
    other.close()


def test_two_pages_are_told_the_same_and_one_may_go(kernel, page):
    other = Page(kernel)
    for one in (page, other):
        one.send("watch", parts=["status"])
        one.told("status")
    kernel.run("alcf.use('sandbox/echo')")
    for one in (page, other):
        one.told("status", lambda s: (s["chat"] or {}).get("model") == "sandbox/echo")
    other.close()
    kernel.run("alcf.use('sandbox/code')")
    page.told("status", lambda s: (s["chat"] or {}).get("model") == "sandbox/code")
    assert not any((m.get("chat") or {}).get("model") == "sandbox/code" for m in other.all())


COUNT = """\
import comm
names = [one.target_name for one in comm.get_comm_manager().comms.values()]
print(names.count("alcf_jupyter.panel"))
"""


@pytest.mark.parametrize("shown", [["status"], []], ids=["open", "hidden"])
def test_a_page_that_vanishes_is_forgotten_when_the_next_one_comes(kernel, shown):
    before = int(kernel.run(COUNT))
    first = Page(kernel)
    first.told("hello")
    first.send("watch", parts=shown)
    first.ask("refresh", part="runs")
    assert int(kernel.run(COUNT)) == before + 1
    first.vanish()
    second = Page(kernel)
    second.ask("refresh", part="runs")
    assert int(kernel.run(COUNT)) == before + 1
    second.close()


def test_refresh_asks_the_service_again(page):
    page.send("watch", parts=["models"])
    first = page.told("models", lambda m: m["checked"] is not None)["checked"]
    assert page.ask("refresh", part="models")["error"] is None
    page.told("models", lambda m: m["checked"] is not None and m["checked"] > first)


def test_the_service_is_left_alone_ten_minutes_after_the_last_use(page, kernel):
    page.send("watch", parts=["models"])
    page.told("models", lambda m: m["followed"] and m["checked"])
    # the last use is put back, as nobody waits ten minutes for a test; by a thread, since a cell
    # that is run is a use
    late = "from alcf_jupyter.notebook.panel import target\nlook = target._hub._looks.models\n"
    late += "import threading, time\n"
    late += "def past(): look._used = time.monotonic() - 599.5\n"
    kernel.run(late + "threading.Timer(0.5, past).start()")
    ended = page.told("models", lambda m: not m["followed"])
    since = page.mark()
    kernel.listen(2.5)
    assert page.all()[-1] == ended
    assert page.ask("refresh", part="models")["error"] is None
    page.told("models", lambda m: m["followed"], since=since)


COLUMN = """
import pandas as pd
frame = pd.DataFrame({"text": [f"row {n}" for n in range(400)]})
run = alcf.map(frame, "Say {{text}}", model="sandbox/slow", concurrency=4, background=True)
"""


def test_a_run_is_shown_paused_resumed_and_stopped(page, kernel):
    page.send("watch", parts=["runs"])
    kernel.run(COLUMN)
    message = page.told("runs", lambda m: m["runs"] and m["runs"][0]["state"] == "running")
    shown = message["runs"][0]
    assert shown["rows"] == 400
    assert "sandbox/slow" in shown["title"]
    for action, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        since = page.mark()
        assert page.ask("steer", run=shown["key"], action=action)["error"] is None
        page.told("runs", lambda m, s=state: m["runs"][0]["state"] == s, since=since)
    error = page.ask("steer", run=shown["key"], action="stop")["error"]
    assert error["what"] == "This run has ended."
    assert kernel.run("print(run.running, len(run.result()))").strip() == "False 400"
    since = page.mark()
    kernel.run("del run")
    page.told("runs", lambda m: m["runs"] == [], since=since)


def test_batches_are_shown_until_they_are_completed(page, kernel):
    page.send("watch", parts=["batches"])
    page.told("batches", lambda b: b["checked"] is not None)
    kernel.run(
        "import pandas as pd\n"
        "frame = pd.DataFrame({'text': [f'row {n}' for n in range(30)]})\n"
        "b = alcf.submit_batch(frame, 'Say {{text}}', model='sandbox/echo')"
    )
    page.ask("refresh", part="batches")
    number = kernel.run("print(b.id)").strip()

    def mine(message, *states):
        """Return this batch; those of other kernels with the same home are shown, too."""
        found = [one for one in message["batches"] if one["key"] == number]
        return [one for one in found if not states or one["state"] in states]

    assert len(mine(page.told("batches", mine))) == 1
    [done] = mine(page.told("batches", lambda b: mine(b, "completed"), seconds=60))
    assert (done["rows"], done["done"], done["failed"]) == (30, 30, 0)
    assert "sandbox/echo" in done["title"]


def test_batches_are_looked_up_again_when_they_come_back_on_the_screen(page):
    page.send("watch", parts=["batches"])
    first = page.told("batches", lambda b: b["checked"] is not None)["checked"]
    page.kernel.listen(0.6)  # the sandbox's batches change no faster
    page.send("watch", parts=[])
    page.send("watch", parts=["batches"])
    page.told("batches", lambda b: b["checked"] is not None and b["checked"] > first)


def test_a_look_at_a_batch_that_runs_submits_nothing(page, kernel):
    kernel.run(
        "import pandas as pd\n"
        "from alcf_jupyter.connection import standin\n"
        "from alcf_jupyter.frames.batch import submission as batch_submission\n"
        "def pace(lines, seconds):\n"
        "    told = {'batch_chunk_lines': lines, 'batch_chunk_seconds': seconds}\n"
        "    return standin.control(standin.start(), 'POST', '/limits', told)\n"
        "pace(10, 240)\n"
        "frame = pd.DataFrame({'text': [f'row {n}' for n in range(30)]})\n"
        "b = alcf.submit_batch(frame, 'Do {{text}}', model='sandbox/echo')\n"
        "submitted, kept = [], batch_submission._submit_all\n"
        "batch_submission._submit_all = lambda *given: submitted.append(given)"
    )
    key = kernel.run("print(b.id)").strip()
    page.send("watch", parts=["batches"])
    page.ask("refresh", part="batches")

    def runs(batches):
        mine = [one for one in batches["batches"] if one["key"] == key]
        return mine and [mine[0][name] for name in ("done", "failed", "rows")] == [10, 0, 30]

    page.told("batches", runs)
    code = "batch_submission._submit_all = kept; pace(20_000, 10); print(len(submitted))"
    assert kernel.run(code).strip() == "0"


def test_who_is_not_let_in_is_told_so(page, kernel):
    with sandbox() as running:
        kernel.run(f"alcf.connect({running.url!r}, token='wrong-token-of-a-test', poll_seconds=1)")
        page.send("watch", parts=["status", "models"])
        status = page.told("status", lambda s: s["account"]["state"] == "signed out")
        assert status["account"]["words"]
        assert page.told("models", lambda m: m["note"])["models"] == []
        kernel.run(f"alcf.connect({running.url!r}, token={running.secret!r}, poll_seconds=1)")
        page.told("status", lambda s: s["account"]["state"] == "signed in")
        page.model("sandbox/echo", state="Live")
        assert running.secret not in str(page.all())


def test_who_signs_in_is_told_so_before_the_next_look_is_due(page, kernel):
    with sandbox() as running:
        kernel.run(
            "from alcf_jupyter.connection.sign_in.sources import Token\n"
            "from alcf_jupyter.connection.sign_in.secret import Secret\n"
            f"c = alcf.connect({running.url!r}, token='wrong-token', poll_seconds=600)"
        )
        page.send("watch", parts=["status"])
        page.told("status", lambda s: s["account"]["state"] == "signed out")
        since = page.mark()
        kernel.run(f"c.credential._secret = Secret({running.secret!r}, 'a sign-in')")
        page.told("status", lambda s: s["account"]["state"] == "signed in", 5, since)


def test_a_service_that_hangs_holds_up_no_click(page, kernel):
    with sandbox() as running:
        kernel.run(f"alcf.connect({running.url!r}, token={running.secret!r}, poll_seconds=1)")
        page.send("watch", parts=["models"])
        page.model("sandbox/echo")
        running.fail("upstream-timeout;seconds=20", match={"route": "/jobs"})
        number = page.send("refresh", part="models")
        assert page.ask("use", kind="chat", model="sandbox/echo", seconds=5)["error"] is None
        assert not [m for m in page.all() if m["type"] == "reply" and m["to"] == number]


def test_settings_that_cannot_be_read_are_told_until_they_can(kernel, tmp_path):
    name = "os.environ['JUPYTER_CONFIG_PATH']"
    kernel.run(f"import os; before = os.environ.get('JUPYTER_CONFIG_PATH'); {name} = '{tmp_path}'")
    page = Page(kernel)
    page.send("watch", parts=["status"])
    page.told("status")
    file = tmp_path / "alcf_jupyter.toml"
    since = page.mark()
    file.write_text("models = [")
    assert "alcf_jupyter.toml" in page.told("status", since=since)["service"]
    since = page.mark()
    file.unlink()
    page.told("status", lambda s: "stand-in" in s["service"], since=since)
    page.close()
    kernel.run(f"del {name}\nif before: {name} = before")


def test_a_message_that_cannot_be_sent_keeps_back_none_after_it(page, kernel):
    page.send("watch", parts=["models"])
    page.model("sandbox/echo")
    kernel.run(
        "from dataclasses import replace\n"
        "d = alcf.client()._directory; good = d.known\n"
        "bad = replace(good.models[0], can_chat=object())\n"
        "d.known = replace(good, models=(bad,)); d.catalog = None"
    )
    kernel.listen(1.2)
    since = page.mark()
    kernel.run("d.known = replace(good, models=good.models[:1])")
    assert len(page.told("models", since=since)["models"]) == 1


def test_a_name_that_is_no_text_keeps_back_no_other(page, kernel):
    page.send("watch", parts=["models"])
    page.model("sandbox/echo")
    since = page.mark()
    kernel.run(
        "from dataclasses import replace\n"
        "d = alcf.client()._directory; one, other = d.known.models[:2]\n"
        "bad = replace(one, id='half a \\ud800 character')\n"
        "d.known = replace(d.known, models=(bad, other)); d.catalog = None"
    )
    [shown] = page.told("models", lambda m: len(m["models"]) == 1, 5, since)["models"]
    assert shown["id"] == kernel.run("print(other.id)").strip()


def test_an_order_that_fails_is_answered(page, kernel):
    page.send("watch", parts=["models"])
    page.model("sandbox/cold")
    kernel.run("c = alcf.client(); c.warm_up = lambda model: 1 / 0")
    error = page.ask("warm", model="sandbox/cold", cluster="sophia", seconds=5)["error"]
    assert "ZeroDivisionError" in error["what"]


def test_hostile_words_of_the_server_come_as_plain_text(kernel):
    comment = "<img src=x onerror=alert(1)>\x1b[31m\u202e evil"
    code = (
        "from alcf_jupyter.notebook.panel import parts\n"
        "from alcf_jupyter.service.catalog import Model, State\n"
        f"m = Model(id='m', cluster='c', state=State.QUEUED, comment={comment!r})\n"
        "print(parts._model(m, None)['note'])"
    )
    assert kernel.run(code).strip() == "<img src=x onerror=alert(1)> evil"


def test_unloading_closes_and_loading_lets_in_again(kernel):
    page = Page(kernel)
    page.send("watch", parts=["status"])
    page.told("status")
    kernel.run("%unload_ext alcf_jupyter")
    refused = Page(kernel)
    for gone in (page, refused):
        kernel.wait(
            lambda m, i=gone.id: m["msg_type"] == "comm_close" and m["content"]["comm_id"] == i
        )
    kernel.run("%load_ext alcf_jupyter")
    again = Page(kernel)
    assert again.told("hello")
    again.close()


def test_every_definition_names_only_what_there_is():
    with pytest.raises(UsageError, match="cannot be read"):
        messages.read({"type": "hello"}, "Hello")
    good = {"type": "hello", "protocol": 1, "extension": "1", "frontend": {}}
    assert messages.read(good, "Hello") == good

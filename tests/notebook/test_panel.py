"""The kernel's side of the panel: a real kernel, and comms on subshells as JupyterLab has them."""

import time

import pytest

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.panel import messages
from tests.controlled import Controlled, sandbox
from tests.notebook.panel_page import Kernel, Page

HOLD = """
import pathlib, time
print("held")
while not pathlib.Path({over!r}).exists():
    time.sleep(0.05)
"""


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


class Held:
    """A cell that runs until it is let go: what comes meanwhile has not waited for it."""

    def __init__(self, kernel, over):
        self._kernel, self._over = kernel, over

    def start(self, before, after):
        """Start a cell, and wait until it is held between what is done before and after."""
        cell = self._kernel.start(f"{before}{HOLD.format(over=str(self._over))}{after}")
        self._kernel.printed("held", cell)
        return cell

    def let_go(self):
        self._over.touch()


@pytest.fixture
def held(page, tmp_path):
    cell = Held(page.kernel, tmp_path / "over")
    yield cell
    cell.let_go()


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


def loads_for(kernel, seconds):
    """Have a model start for so long, in the sandbox's seconds."""
    told = {"model": "sandbox/embed-cold", "load_seconds": seconds}
    kernel.run(
        "from alcf_jupyter.connection import standin\n"
        f"_ = standin.control(standin.start(), 'POST', '/state', {told})"
    )


def test_a_model_that_is_started_is_seen_to_become_live(page, kernel):
    loads_for(kernel, 86_400)  # until it was seen to start
    page.send("watch", parts=["models"])
    page.model("sandbox/embed-cold", state="Offline")
    said = page.ask("warm", model="sandbox/embed-cold", cluster="sophia")
    assert said["error"] is None
    assert "minutes" in said["said"]
    # nothing more is asked from here on: the kernel tells by itself
    page.model("sandbox/embed-cold", state="Starting")
    loads_for(kernel, 0)
    page.model("sandbox/embed-cold", state="Live")
    again = page.ask("warm", model="sandbox/embed-cold", cluster="sophia")
    assert again["error"]["why"] == "It is Live."


def test_the_model_that_is_chosen_is_the_next_cells(page, kernel):
    page.send("watch", parts=["models", "status"])
    page.model("sandbox/summary")
    said = page.ask("use", kind="chat", model="sandbox/summary")
    assert said["said"].startswith("Chat cells now use sandbox/summary.")
    assert said["line"] == "%alcf use sandbox/summary"
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


def test_it_is_answered_while_a_cell_runs_and_the_cells_output_stays_its_own(page, kernel, held):
    page.send("watch", parts=["models"])
    page.model("sandbox/echo")
    cell = held.start("", "print('from the cell')")
    page.ask("use", kind="chat", model="sandbox/echo")
    held.let_go()
    assert kernel.end(cell) == "held\nfrom the cell\n"


def test_what_a_running_cell_changes_is_told_and_does_not_take_the_panel_with_it(
    page, kernel, held
):
    page.send("watch", parts=["status", "models"])
    page.model("sandbox/echo")
    since = page.mark()
    cell = held.start("alcf.use('sandbox/code')", "print('later')")
    page.told("status", lambda s: (s["chat"] or {}).get("model") == "sandbox/code", since=since)
    page.ask("use", kind="chat", model="sandbox/json")
    held.let_go()
    assert kernel.end(cell) == "held\nlater\n"
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


def _told_whole(page, part):
    """Return what is told of a part that comes back on the screen."""
    page.send("watch", parts=[])
    since = page.mark()
    page.send("watch", parts=[part])
    return page.told(part, since=since)


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


def wait_for_panels(kernel, number):
    """Wait until the kernel tells so many panels."""
    kernel.run(
        "import time\n"
        "from alcf_jupyter.notebook.panel import target\n"
        f"while len(target._hub._channels) != {number}: time.sleep(0.02)"
    )


def test_two_pages_are_told_the_same_and_one_may_go(kernel, page):
    other = Page(kernel)
    for one in (page, other):
        one.send("watch", parts=["status"])
        one.told("status")
    kernel.run("alcf.use('sandbox/echo')")
    for one in (page, other):
        one.told("status", lambda s: (s["chat"] or {}).get("model") == "sandbox/echo")
    other.close()
    # its end is read on a subshell of its own, beside the next cell
    wait_for_panels(kernel, 1)
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


# The last use is put back, as nobody waits ten minutes for a test; by a thread, and when the cell
# is over, since a cell that is run is a use.
LATE = """
import pathlib, threading, time
from alcf_jupyter.connection import standin
from alcf_jupyter.notebook.panel import target
def late(look=target._hub._looks.models):
    while not pathlib.Path({over!r}).exists(): time.sleep(0.05)
    look._used = time.monotonic() - 599.5
    while look.followed or not look._under_way.done(): time.sleep(0.05)
    pathlib.Path({alone!r}).touch()
threading.Thread(target=late, daemon=True).start()
print(standin.start().url, standin.secret_of(standin.start()))
"""


def test_the_service_is_left_alone_ten_minutes_after_the_last_use(page, kernel, tmp_path):
    page.send("watch", parts=["models"])
    page.told("models", lambda m: m["followed"] and m["checked"])
    over, alone = tmp_path / "over", tmp_path / "alone"
    url, secret = kernel.run(LATE.format(over=str(over), alone=str(alone))).split()
    service = Controlled({"url": url, "secret": secret})
    over.touch()
    page.told("models", lambda m: not m["followed"])
    until = time.monotonic() + 60
    while not alone.exists():  # a look that had begun before comes to its end
        assert time.monotonic() < until
        kernel.listen(0.1)
    service.sent()
    since = page.mark()
    kernel.listen(2.5)
    assert service.sent() == []
    assert not page.all()[-1]["followed"]
    assert page.ask("refresh", part="models")["error"] is None
    page.told("models", lambda m: m["followed"], since=since)


COLUMN = """
import pandas as pd
frame = pd.DataFrame({"text": [f"row {n}" for n in range(400)]})
prompt = "Say {{text}}" + 8 * " word"
run = alcf.map(frame, prompt, model="sandbox/slow", concurrency=4, background=True)
"""


def test_a_run_is_shown_paused_resumed_and_stopped(page, kernel):
    page.send("watch", parts=["runs"])
    kernel.run(COLUMN)
    message = page.told("runs", lambda m: m["runs"] and m["runs"][0]["state"] == "running")
    shown = message["runs"][0]
    assert shown["rows"] == 400
    assert "sandbox/slow" in shown["title"]
    assert shown["name"] == kernel.run("print(run.name)").strip(), "as in the list of records"
    assert shown["about"].startswith("Say {{text}} word")
    for action, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        since = page.mark()
        assert page.ask("steer", run=shown["key"], action=action)["error"] is None
        page.told("runs", lambda m, s=state: m["runs"][0]["state"] == s, since=since)
    error = page.ask("steer", run=shown["key"], action="stop")["error"]
    assert error["what"] == "This run has ended."
    assert kernel.run("print(run.running, len(run.result()))").strip() == "False 400"
    kernel.run("del run")
    left = _told_whole(page, "runs")
    assert left["runs"][0]["words"].endswith("run it again to go on")
    since = page.mark()
    page.ask("steer", run=shown["key"], action="hide")
    page.told("runs", lambda m: m["runs"] == [], since=since)


AGAIN = """
frame = pd.DataFrame({"text": [f"entry {n}" for n in range(120)]})
out = alcf.map(frame, "Say {{text}}" + 8 * " word", model="sandbox/slow", concurrency=%d)
"""


def test_an_interrupted_run_is_shown_until_it_is_run_again(page, kernel):
    kernel.run("import pandas as pd")
    page.send("watch", parts=["runs"])
    cell = kernel.start(AGAIN % 2)
    page.told("runs", lambda m: m["runs"] and m["runs"][0]["done"])
    kernel.manager.interrupt_kernel()
    kernel.end(cell)
    # before, while its cell ends, it is a run that was stopped
    words = "run it again to go on"
    shown = page.told("runs", lambda m: m["runs"] and m["runs"][0]["words"].endswith(words))
    [run] = shown["runs"]
    assert run["state"] == "stopped"
    assert 0 < run["done"] < 120
    assert (len(run["name"]), run["about"][:12]) == (16, "Say {{text}}")
    error = page.ask("steer", run=run["key"], action="resume")["error"]
    assert error["what"] == "This run has ended."
    since = page.mark()
    kernel.run(AGAIN % 16)
    page.told("runs", lambda m: m["runs"] == [], since=since)


def test_a_run_that_has_ended_can_be_hidden_and_one_that_goes_on_cannot(page, kernel):
    kernel.run("import pandas as pd")
    page.send("watch", parts=["runs"])
    cell = kernel.start(AGAIN.replace("entry", "item") % 2)
    going = page.told("runs", lambda m: m["runs"] and m["runs"][0]["done"])["runs"][0]
    error = page.ask("steer", run=going["key"], action="hide")["error"]
    assert error["what"] == "This run goes on."
    kernel.manager.interrupt_kernel()
    kernel.end(cell)
    left = page.told("runs", lambda m: m["runs"] and "run it again" in m["runs"][0]["words"])
    since = page.mark()
    assert page.ask("steer", run=left["runs"][0]["key"], action="hide")["error"] is None
    page.told("runs", lambda m: m["runs"] == [], since=since)
    shown = kernel.run("print(alcf.runs().frame['rows'].tolist())")
    assert "120" in shown, "its record stays"
    since = page.mark()
    kernel.run(COLUMN)
    running = page.told("runs", lambda m: m["runs"] and m["runs"][0]["done"], since=since)
    [held] = running["runs"]
    since = page.mark()
    page.ask("steer", run=held["key"], action="stop")
    page.told("runs", lambda m: m["runs"][0]["state"] == "stopped", since=since)
    since = page.mark()
    said = page.ask("steer", run=held["key"], action="hide")
    assert (said["error"], said["line"]) == (None, "%alcf runs")
    page.told("runs", lambda m: m["runs"] == [], since=since)
    assert kernel.run("print(len(run.result()))").strip() == "400"
    kernel.run("del run")


def test_a_run_that_failed_says_why_until_it_is_run_again(page, kernel):
    kernel.run(
        "import gc, pandas as pd\n"
        "gc.disable()\n"
        "from alcf_jupyter.connection import standin\n"
        "rule = {'fault': 'validation', 'times': 1, 'match': {'route': '/chat/'}}\n"
        "standin.control(standin.start(), 'POST', '/faults', rule)\n"
        "frame = pd.DataFrame({'text': [f'shift {n}' for n in range(8)]})"
    )
    page.send("watch", parts=["runs"])
    code = "alcf.map(frame, 'Say {{text}}', model='sandbox/echo', on_error='raise')"
    kernel.run(f"try:\n    {code}\nexcept alcf.AlcfError as error:\n    failed = error")
    shown = page.told("runs", lambda m: m["runs"] and m["runs"][0]["state"] == "failed")
    assert "A row failed" in shown["runs"][0]["words"]
    since = page.mark()
    kernel.run(f"out = {code}")
    page.told("runs", lambda m: m["runs"] == [], since=since)
    kernel.run("del failed\ngc.enable()")


def test_a_run_in_the_background_that_failed_is_told_though_nobody_holds_it(page, kernel):
    kernel.run(
        "import pandas as pd\n"
        "from alcf_jupyter.connection import standin\n"
        "rule = {'fault': 'validation', 'times': 1, 'match': {'route': '/chat/'}}\n"
        "standin.control(standin.start(), 'POST', '/faults', rule)\n"
        "frame = pd.DataFrame({'text': [f'night {n}' for n in range(8)]})"
    )
    page.send("watch", parts=["runs"])
    code = "alcf.map(frame, 'Say {{text}}', model='sandbox/echo', on_error='raise'"
    kernel.run(f"{code}, background=True);")
    shown = page.told("runs", lambda m: m["runs"] and m["runs"][0]["state"] == "failed")
    kernel.run("import gc; gc.collect()")
    shown = _told_whole(page, "runs")
    assert "A row failed" in shown["runs"][0]["words"]
    since = page.mark()
    kernel.run(f"out = {code})")
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
    files = kernel.run("print(b.parts['file'].tolist())")
    assert (done["name"], repr([done["about"]])) == (number, files.strip())


def test_batches_are_looked_up_again_when_they_come_back_on_the_screen(page):
    page.send("watch", parts=["batches"])
    first = page.told("batches", lambda b: b["checked"] is not None)["checked"]
    page.kernel.listen(0.6)  # the sandbox's batches change no faster
    page.send("watch", parts=[])
    page.send("watch", parts=["batches"])
    page.told("batches", lambda b: b["checked"] is not None and b["checked"] > first)


BATCH = """
import pandas as pd
frame = pd.DataFrame({'text': [f'row {n}' for n in range(3)]})
b = alcf.submit_batch(frame, 'Say {{text}}', model='sandbox/echo')
print(b.id)
"""


def none_is_active(page, kernel, running, poll_seconds):
    """Connect to a service without batches, and watch those."""
    kernel.run(f"alcf.connect({running.url!r}, token={running.secret!r}, {poll_seconds=})")
    page.send("watch", parts=["batches"])
    page.told("batches", lambda b: b["checked"] is not None and not b["batches"])


def keys(message):
    return [one["key"] for one in message["batches"]]


def test_a_batch_that_is_submitted_here_is_shown_at_once_where_none_was_active(page, kernel):
    with sandbox() as running:
        none_is_active(page, kernel, running, 600)  # the next look is minutes away
        number = kernel.run(BATCH).strip()
        assert keys(page.told("batches", lambda b: b["batches"])) == [number]
        since = page.mark()
        page.send("watch", parts=[])
        page.ask("refresh", part="runs")  # what was sent before it has arrived now
        kernel.run(BATCH.replace("Say", "Tell"))
        running.sent()
        kernel.listen(1.5)
        assert running.sent("/batches") == [], "nobody sees them"
        page.send("watch", parts=["batches"])
        page.told("batches", lambda b: len(b["batches"]) == 2, since=since)


def test_a_batch_of_another_kernel_is_shown_before_long(page, kernel, tmp_path):
    with sandbox() as running:
        none_is_active(page, kernel, running, 1)
        number = kernel.run(
            "from alcf_jupyter.connection.client import Client\n"
            "one = alcf.client()\n"
            "elsewhere = Client(one.profile, one.credential)\n"
            f"folder = {str(tmp_path)!r}; name = f'{{folder}}/other.jsonl'\n"
            "rows = [{'text': 'a'}]\n"
            "_ = alcf.write_batch_input(rows, 'Say {{text}}', name, model='sandbox/echo')\n"
            "print(elsewhere.create_batch(elsewhere.batch_model('sandbox/echo'), name, folder))"
        ).strip()
        assert keys(page.told("batches", lambda b: b["batches"])) == [number]


def test_a_look_at_a_batch_that_runs_submits_nothing(page, kernel):
    kernel.run(
        "import pandas as pd\n"
        "from alcf_jupyter.connection import standin\n"
        "from alcf_jupyter.frames.batch import submission as batch_submission\n"
        "def pace(lines, seconds):\n"
        "    told = {'batch_chunk_lines': lines, 'batch_chunk_seconds': seconds}\n"
        "    return standin.control(standin.start(), 'POST', '/limits', told)\n"
        "pace(1, 60)\n"  # half a minute in all
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
        return mine and mine[0]["rows"] == 30 and 0 < mine[0]["done"] < 30

    [seen] = [one for one in page.told("batches", runs)["batches"] if one["key"] == key]
    assert seen["failed"] == 0
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


def test_who_is_not_signed_in_is_told_so_once_and_offered_the_sandbox(page, kernel):
    kernel.run("alcf.connect('alcf')")
    page.send("watch", parts=["status", "models", "batches"])
    status = page.told("status", lambda s: s["account"]["state"] == "signed out")
    assert status["account"]["words"] == "You are not signed in to the ALCF Inference Endpoints."
    assert status["offers_sandbox"]
    for part in ("models", "batches"):
        assert page.told(part, lambda m: m["note"])["note"] == "Sign in to see them."
    # who asks is told all of it, line by line
    assert "\n" in page.ask("refresh", part="models")["error"]["do"]
    kernel.run("alcf.connect('sandbox')")
    page.told("status", lambda s: s["account"]["state"] == "none" and not s["offers_sandbox"])


def test_the_lines_of_a_note_stay_lines(kernel):
    code = (
        "from alcf_jupyter.notebook.models import look\n"
        "error = alcf.AlcfError('What\x1b[31m  happened.', do='One.\\n\\nTwo  more.')\n"
        "print(repr(look.words(error)), len(look.words(alcf.AlcfError('word\\n' * 1000))))"
    )
    words, length = kernel.run(code).rsplit(maxsplit=1)
    assert words == repr("What happened.\nOne.\nTwo more.")
    assert int(length) < 1000


def test_who_signs_in_is_told_so_before_the_next_look_is_due(page, kernel):
    with sandbox() as running:
        kernel.run(
            "from alcf_jupyter.connection.sign_in.sources import Token\n"
            "from alcf_jupyter.connection.sign_in.secret import Secret\n"
            f"c = alcf.connect({running.url!r}, token='wrong-token', poll_seconds=600)"
        )
        page.send("watch", parts=["status", "batches"])
        page.told("status", lambda s: s["account"]["state"] == "signed out")
        page.told("batches", lambda b: b["note"])
        since = page.mark()
        kernel.run(f"c.credential._secret = Secret({running.secret!r}, 'a sign-in')")
        page.told("status", lambda s: s["account"]["state"] == "signed in", since=since)
        page.told("batches", lambda b: b["checked"] and not b["note"], since=since)


def entries(running, route):
    return running.control("GET", f"/log?route={route}")["entries"]


def test_a_service_that_hangs_holds_up_no_click(page, kernel):
    with sandbox() as running:
        kernel.run(f"alcf.connect({running.url!r}, token={running.secret!r}, poll_seconds=1)")
        page.send("watch", parts=["models"])
        page.model("sandbox/echo")
        running.fail("half-open", match={"route": "/jobs"})
        # a look that had begun before does not hang, and who refreshes then has its answer
        until = time.monotonic() + 60
        while not any(one["outcome"] == "open" for one in entries(running, "/jobs")):
            assert time.monotonic() < until
            kernel.listen(0.1)
        number = page.send("refresh", part="models")
        assert page.ask("use", kind="chat", model="sandbox/echo")["error"] is None
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
    page.told("status", lambda s: "alcf_jupyter.toml" in s["service"], since=since)
    since = page.mark()
    file.unlink()
    page.told("status", lambda s: "stand-in" in s["service"], since=since)
    page.close()
    kernel.run(f"del {name}\nif before: {name} = before")


# A look that is under way would bring the models of the sandbox again.
NO_NEWS = """
from dataclasses import replace
from alcf_jupyter.notebook.panel import target
d = alcf.client()._directory; d.catalog = None
_ = target._hub._looks.models.now().exception()
"""


def test_a_message_that_cannot_be_sent_keeps_back_none_after_it(page, kernel):
    page.send("watch", parts=["models"])
    page.model("sandbox/echo")
    kernel.run(
        f"{NO_NEWS}good = d.known\n"
        "bad = replace(good.models[0], can_chat=object())\n"
        "d.known = replace(good, models=(bad,))"
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
        f"{NO_NEWS}one, other = d.known.models[:2]\n"
        "bad = replace(one, id='half a \\ud800 character')\n"
        "d.known = replace(d.known, models=(bad, other))"
    )
    [shown] = page.told("models", lambda m: len(m["models"]) == 1, since=since)["models"]
    assert shown["id"] == kernel.run("print(other.id)").strip()


def test_an_order_that_fails_is_answered(page, kernel):
    page.send("watch", parts=["models"])
    page.model("sandbox/cold")
    kernel.run("c = alcf.client(); c.warm_up = lambda model: 1 / 0")
    error = page.ask("warm", model="sandbox/cold", cluster="sophia")["error"]
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
    good = {"type": "hello", "protocol": 2, "extension": "1", "frontend": {}}
    assert messages.read(good, "Hello") == good

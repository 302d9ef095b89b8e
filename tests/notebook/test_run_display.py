"""What a call over many rows shows below its cell, and the panel of a run in the background."""

import contextlib
import threading
from types import SimpleNamespace

import pytest

from alcf_jupyter.notebook.runs import run_view
from alcf_jupyter.notebook.runs.run_display import RunDisplay
from tests.notebook.test_display import Clock, published
from tests.notebook.test_magics import Notebook
from tests.test_progress import Now

__all__ = ["published"]
HOSTILE = "<img src=x onerror=alert(1)> $\\href{javascript:alert(1)}{x}$ \u202e\x1b[31m"


@pytest.fixture
def clock():
    return Clock()


def test_a_bar_grows_in_one_output_and_ends_in_words(published, clock):
    display = RunDisplay(live=True, clock=clock)
    display.note("20,000 rows, about an hour")
    for done in range(0, 20_001, 100):
        clock.now += 0.0625
        display.progress(Now(ok=done, pending=20_000 - done, rate=1234.5, left_seconds=70))
    display.close()
    display.close("again")
    display.progress(Now())
    updates = [update for *_, update in published.messages]
    assert updates == [False] + [True] * (len(updates) - 1)
    assert 25 <= len(updates) <= 27, "two a second"
    assert len({transient["display_id"] for _, _, transient, _ in published.messages}) == 1
    middle = published.messages[10][0]
    assert 'role="progressbar"' in middle["text/html"]
    assert 'aria-valuenow="7900"' in middle["text/html"]
    assert "width:39.50%" in middle["text/html"]
    assert "1.23e+03 rows a second" not in middle["text/plain"]
    assert "1,234 rows a second · about 1m 10s left" in middle["text/plain"]
    last = published.messages[-1][0]
    assert last["text/plain"] == "20,000 rows, about an hour\n20,000 rows: 20,000 ok"
    assert "progressbar" not in last["text/html"]


def test_what_a_run_waits_for_is_told_on_the_screen_and_as_text(published, clock):
    display = RunDisplay(live=True, clock=clock)
    clock.now += 2
    display.progress(Now(rows=1, ok=0, pending=1, state="waiting", words="m @ sophia · Queued"))
    display.close()
    data, *_ = published.messages[0]
    for shown in (data["text/html"], data["text/plain"]):
        assert "Waiting: m @ sophia · Queued" in shown


def test_failed_rows_are_told_in_words_and_by_hatching():
    shown = run_view.bar(Now(rows=100, ok=40, failed=10, pending=50))
    assert "width:40.00%" in shown
    assert "width:10.00%" in shown
    assert "repeating-linear-gradient" in shown
    assert 'aria-valuetext="50 of 100 rows, 10 failed"' in shown
    told = run_view.facts(Now(rows=100, ok=40, failed=10, truncated=2, skipped=1, pending=47))
    assert told.startswith("53 of 100 rows · 10 failed · 2 cut off · 1 skipped")


def test_headless_is_one_output_without_times(published, clock):
    display = RunDisplay(live=False, clock=clock)
    display.note("an estimate")
    display.status("Queued · 1m 20s")
    for done in range(0, 2001, 20):
        clock.now += 1
        display.progress(Now(rows=2000, ok=done, pending=2000 - done, seconds=clock.now))
    assert published.messages == []
    display.close()
    ((data, metadata, transient, update),) = published.messages
    assert data["text/plain"] == "an estimate\n2,000 rows: 2,000 ok"
    assert (metadata, transient, update) == ({}, {}, False)


@pytest.mark.parametrize("live", [True, False])
def test_a_short_run_of_few_rows_shows_nothing(published, clock, live):
    display = RunDisplay(live=live, clock=clock)
    display.status("Live")
    for done in range(4):
        clock.now += 0.2
        display.progress(Now(rows=3, ok=done, pending=3 - done))
    display.close()
    assert published.messages == []


@pytest.mark.parametrize("live", [True, False])
def test_rows_that_are_not_ok_are_shown_however_few(published, clock, live):
    display = RunDisplay(live=live, clock=clock)
    display.progress(Now(rows=6, ok=3, failed=1, skipped=2, state="finished"))
    display.close()
    ((data, *_),) = published.messages
    assert data["text/plain"] == "6 rows: 3 ok, 1 failed, 2 skipped"
    assert "6 rows: 3 ok, 1 failed, 2 skipped" in data["text/html"]


def test_a_long_run_of_few_rows_is_shown(published, clock):
    display = RunDisplay(live=True, clock=clock)
    display.status("Queued")
    clock.now += 1.1
    display.status("Starting · 1s")
    display.progress(Now(rows=3, pending=3, state="waiting", words="Starting · 2s"))
    clock.now += 1
    display.progress(Now(rows=3, ok=3))
    display.close()
    shown = [data["text/plain"] for data, *_ in published.messages]
    assert shown[0] == "Starting · 1s"
    assert shown[-1] == "3 rows: 3 ok"


def test_words_from_a_server_are_shown_as_text(published, clock):
    display = RunDisplay(live=True, clock=clock)
    display.note(HOSTILE)
    clock.now += 1
    display.status(HOSTILE)
    clock.now += 1
    display.progress(Now(pending=20_000, state="waiting", words=HOSTILE))
    clock.now += 1
    display.close(HOSTILE)
    assert len(published.messages) == 4
    for data, *_ in published.messages:
        assert "<img" not in data["text/html"]
        assert "$\\href" not in data["text/html"]
        assert not {"\x1b", "\u202e"} & set(data["text/html"] + data["text/plain"])


def test_a_run_s_name_is_shown_as_text():
    asked = {"model": HOSTILE, "cluster": HOSTILE, "service": "sandbox"}
    run = SimpleNamespace(name=HOSTILE, progress=Now(), **asked)
    told = run_view.title(run)
    assert not {"\x1b", "\u202e", "\n"} & set(told)
    assert len(told) <= 200


def test_threads_may_tell(published):
    display = RunDisplay(live=True)
    display.note("begun")

    def tell():
        for done in range(2000):
            display.progress(Now(ok=done))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    display.close("ended")
    assert [update for *_, update in published.messages].count(False) == 1
    assert published.messages[-1][0]["text/plain"].endswith("ended")


BLOCKING = """\
import time
from alcf_jupyter import progress
from tests.test_progress import Now
watcher = progress.observer()
watcher.note("estimate")
watcher.status("Queued")
for done in range(0, 2001, 400):
    time.sleep(0.3)
    watcher.progress(Now(rows=2000, ok=done, pending=2000 - done, rate=600.0))
watcher.close()
"""
SET_UP = """\
%load_ext alcf_jupyter
import alcf_jupyter as alcf, pandas as pd
alcf.connect("sandbox")
df = pd.DataFrame({"n": range(25)})
many = pd.DataFrame({"n": range(500)})
"""


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    with contextlib.closing(book):
        assert not book.run(SET_UP).failed
        yield book


def test_a_blocking_call_has_one_output_watched_or_not(notebook):
    done = notebook.run(BLOCKING)
    assert len(done.of("update_display_data")) >= 3
    assert done.last["text/plain"] == "estimate\n2,000 rows: 2,000 ok"
    done = notebook.run(BLOCKING, watched=False)
    assert [kind for kind, _ in done.messages] == ["display_data"]
    assert done.last["text/plain"] == "estimate\n2,000 rows: 2,000 ok"


def test_of_a_run_that_was_interrupted_nothing_is_left_to_wait_for(notebook):
    interrupted = []

    def interrupt(message):
        html = message["content"].get("data", {}).get("text/html", "")
        if " left<" in html and not interrupted:
            interrupted.append(html)
            notebook.manager.interrupt_kernel()

    call = "_ = alcf.map(many, '{{n}} slowly', model='sandbox/slow', concurrency=2)"
    done = notebook.run(call, on_message=interrupt)
    assert interrupted
    html = done.last["text/html"]
    assert "Interrupted." in html
    assert " tokens" in html
    assert " left<" not in html


def test_without_the_extension_it_is_told_on_stderr(notebook):
    notebook.run("%unload_ext alcf_jupyter")
    done = notebook.run(BLOCKING)
    notebook.run("%load_ext alcf_jupyter")
    assert {kind for kind, _ in done.messages} == {"stream"}
    told = "".join(content["text"] for content in done.of("stream"))
    assert told.splitlines() == ["estimate", "Queued", "2,000 rows: 2,000 ok"]


# A run's thread tells its end after it has ended.
TOLD = """\
import threading
for thread in threading.enumerate():
    if thread.name == "alcf_jupyter run":
        thread.join(50)
"""


def begin(notebook, prompt, *, slowly=False):
    data, model = ("many", "slow") if slowly else ("df", "echo")
    how = f"model='sandbox/{model}', concurrency=4, background=True, fresh=True"
    assert not notebook.run(f"run = alcf.map({data}, {prompt!r}, {how})").failed


def test_the_panel_of_a_run(notebook):
    begin(notebook, "Say {{n}}")
    done = notebook.run("run")
    shown = done.only("display_data")["data"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"].startswith("<Run ")
    assert shown["text/plain"].endswith(" · 25 rows>")
    assert "of 25 rows" in shown["text/html"]
    # the same panel in another cell, and what is saved with both at the end
    more = notebook.run("run\nrun.result(60)")
    assert more.of("display_data") == [], "only the last expression of a cell is shown"
    again = notebook.run("run").only("display_data")["data"]
    assert "25 of 25 rows" in again["text/html"]
    assert "Finished" in again["text/html"]
    assert again["text/plain"] == shown["text/plain"], "nothing that changes is in it"


def test_what_stays_in_the_notebook_tells_the_end(notebook):
    begin(notebook, "Say {{n}}, please" + 20 * " word", slowly=True)
    done = notebook.run(
        f"import time\nfrom IPython.display import display\ndisplay(run)\nrun.stop()\n{TOLD}"
    )
    (first,) = done.of("display_data")
    assert "Stopped" not in first["data"]["text/html"]
    seen = [content["data"]["text/html"] for content in done.of("update_display_data")]
    assert "Stopped" in seen[-1]
    assert "progressbar" in seen[-1]


def test_buttons_and_their_state(notebook):
    begin(notebook, "Say {{n}} again" + 20 * " word", slowly=True)
    notebook.run(
        "from alcf_jupyter.notebook.widgets.run import RunPanel\n"
        "import time\n"
        "panel = RunPanel(run)\n"
        "def off():\n"
        "    return [one.disabled for one in (panel._pause, panel._resume, panel._stop)]\n"
        "def soon(wanted):\n"
        "    until = time.monotonic() + 60\n"
        "    while off() != wanted and time.monotonic() < until: time.sleep(0.02)\n"
        "    return off() == wanted\n"
    )
    assert notebook.value("soon([False, True, False])") == "True"
    assert notebook.value("panel._pause.click(), soon([True, False, False])") == "(None, True)"
    assert notebook.value("'Paused' in panel.shadow()") == "True"
    assert notebook.value("panel._resume.click(), soon([False, True, False])") == "(None, True)"
    assert notebook.value("panel._stop.click(), soon([True, True, True])") == "(None, True)"
    assert notebook.value("'Stopped' in panel.shadow(), run.progress.pending > 0") == "(True, True)"


def test_a_panel_that_is_closed_or_done_lets_go_of_the_run(notebook):
    begin(notebook, "Say {{n}} once more" + 20 * " word", slowly=True)
    notebook.run("panel, other = RunPanel(run), RunPanel(run)\npanel.close()")
    assert notebook.value("len(run._watchers), panel._run") == "(1, None)"
    notebook.run(f"run.stop()\n{TOLD}")
    assert notebook.value("len(run._watchers), other._run") == "(0, None)"
    assert notebook.value("'Stopped' in other.shadow()") == "True"
    assert notebook.value("RunPanel(run)._run is None") == "True"


def test_trouble_on_the_screen_does_not_end_the_run(notebook):
    begin(notebook, "Say {{n}} in the end")
    notebook.run("panel = RunPanel(run)\npanel._show = None")
    done = notebook.value("run.result(60)['status'].value_counts().to_dict()")
    assert done == "{'ok': 25}"


def test_what_a_run_in_the_background_takes_is_said_where_somebody_reads_it(notebook):
    call = "run = alcf.map(many, '{{n}} times', model='sandbox/echo', background=True, fresh=True)"
    done = notebook.run(call)
    said = done.only("display_data")["data"]["text/plain"]
    assert said.startswith("500 rows to send · about")
    assert said.endswith(" · local sandbox")
    notebook.run("_ = run.result(60)")
    assert not notebook.run(call, watched=False).of("display_data"), "it goes on for others"
    notebook.run("_ = run.result(60)")


def test_headless_a_run_is_a_line_of_text(notebook):
    done = notebook.run(
        "alcf.map(df, 'Say {{n}}', model='sandbox/echo', background=True)", watched=False
    )
    shown = done.only("display_data")["data"]
    assert list(shown) == ["text/plain"]
    assert shown["text/plain"].startswith("<Run ")


def test_an_embed_cell_shows_a_bar_and_then_its_footer(notebook):
    texts = "[f'text {i}' for i in range(2048 * 2)]"
    done = notebook.run(f"emb = %alcf_embed -m sandbox/embed {texts}")
    seen = [content["data"] for content in done.of("update_display_data")]
    assert any('role="progressbar"' in data["text/html"] for data in seen)
    assert "4,096 of 4,096 texts" in seen[-1]["text/plain"]
    assert "progressbar" not in seen[-1]["text/html"]
    assert done.of("update_display_data")[-1]["metadata"]["alcf"]["dimensions"] > 1
    texts = "[f'text {i}' for i in range(200)]"
    done = notebook.run(f"emb = %alcf_embed -q -m sandbox/embed {texts}")
    assert [kind for kind, _ in done.messages] == ["display_data"]
    assert done.last["text/plain"] == ""
    done = notebook.run(f"emb = %alcf_embed -m sandbox/embed {texts}", watched=False)
    assert [kind for kind, _ in done.messages] == ["display_data"]
    assert "200 of 200 texts" in done.last["text/plain"]

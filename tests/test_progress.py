"""What a long run writes to stderr: lines in a file, one line that changes on a terminal."""

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from alcf_jupyter import progress


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that stands still unless a test sets it: a stall would be a line of its own."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@dataclass(frozen=True)
class Now:
    """How far a made-up run is."""

    rows: int = 20_000
    ok: int = 0
    truncated: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    reused: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    left_seconds: float | None = None
    state: str = "running"
    words: str = ""

    def __str__(self):
        return f"{self.ok} of {self.rows}, {self.state} {self.words}".strip()


def test_counts_add_up_and_hold_no_times():
    now = Now(ok=19_000, truncated=3, failed=7, skipped=1, pending=989, seconds=12.5)
    told = "20,000 rows: 19,000 ok, 3 truncated, 7 failed, 1 skipped, 989 not done"
    assert progress.counts(now) == told
    assert progress.counts(Now(rows=1, ok=1)) == "1 row: 1 ok"
    assert progress.counts(Now(rows=0)) == "0 rows"


def test_states_are_told_when_they_change_but_no_running_clock(capfd):
    observer = progress.StderrObserver()
    for words in (
        "m @ sophia · Queued · 5s",
        "m @ sophia · Queued · 6s",
        "m @ sophia · Queued · 1m 05s",
        "m @ sophia · Starting · 2m 00s",
        "m @ sophia · Starting · 1h 00m",
    ):
        observer.status(words)
    progress.SilentObserver().status("nothing")
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["m @ sophia · Queued · 5s", "m @ sophia · Starting · 2m 00s"]


def test_lines_for_new_states_but_not_for_every_count(capfd):
    watcher = progress.observer()
    watcher.note("20,000 rows, about an hour")
    for ok in range(1000):
        watcher.progress(Now(ok=ok))
    watcher.progress(Now(ok=1000, state="waiting", words="Queued"))
    watcher.progress(Now(ok=1000, state="waiting", words="Queued"))
    watcher.progress(Now(ok=20_000))
    watcher.close()
    watcher.close()
    assert capfd.readouterr().err.splitlines() == [
        "20,000 rows, about an hour",
        "1000 of 20000, waiting Queued",
        "20000 of 20000, running",
        "20,000 rows: 20,000 ok",
    ]


def test_a_clock_in_the_words_is_no_new_state(capfd):
    watcher = progress.observer()
    for second in range(50):
        watcher.progress(Now(rows=3, pending=3, state="waiting", words=f"Queued · {second}s"))
    for ok in range(4):
        watcher.progress(Now(rows=3, ok=ok, pending=3 - ok))
    watcher.progress(Now(rows=3, ok=3, state="finished"))
    watcher.close()
    assert capfd.readouterr().err.splitlines() == [
        "0 of 3, waiting Queued · 0s",
        "0 of 3, running",
        "3 rows: 3 ok",
    ]


def test_a_short_run_of_few_rows_says_nothing(capfd):
    watcher = progress.observer()
    for ok in range(4):
        watcher.progress(Now(rows=3, ok=ok, pending=3 - ok))
    watcher.progress(Now(rows=3, ok=3, state="finished"))
    watcher.close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("what", ["truncated", "failed", "skipped", "pending"])
def test_rows_that_are_not_ok_are_told_however_few(capfd, what):
    watcher = progress.observer()
    watcher.progress(Now(rows=3, ok=2, state="finished", **{what: 1}))
    watcher.close()
    assert capfd.readouterr().err == f"3 rows: 2 ok, 1 {what.replace('pending', 'not done')}\n"


def test_counts_get_a_line_now_and_then(capfd, clock):
    watcher = progress.LineObserver()
    for second in range(100):
        clock[0] = float(second)
        watcher.progress(Now(ok=second))
    written = [int(line.split()[0]) for line in capfd.readouterr().err.splitlines()]
    assert written == list(range(11, 100, 11))


def test_where_nothing_was_told_nothing_is_shown(capfd):
    progress.observer().close()
    progress.SilentObserver().close("done")
    assert capfd.readouterr().err == ""


def test_another_layer_may_register(capfd):
    class Kept(progress.SilentObserver):
        pass

    progress.report_to(Kept)
    try:
        assert isinstance(progress.observer(), Kept)
    finally:
        progress.report_to(None)
    assert isinstance(progress.observer(), progress.LineObserver)
    assert capfd.readouterr().err == ""


PROGRAM = """\
from tests.test_progress import Now
from alcf_jupyter import progress
watcher = progress.observer()
watcher.note("an estimate")
for ok in range(0, 20_001, 100):
    watcher.progress(Now(ok=ok, words="\\x1b[31mred" + "x" * 200))
watcher.close()
watcher.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal")
def test_one_line_on_a_terminal():
    ours, theirs = pty.openpty()
    environ = os.environ | {"COLUMNS": "60", "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=theirs, env=environ) as child:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    assert child.returncode == 0
    text = written.decode().replace("\r\n", "\n")
    assert text.count("\n") == 2, "the note and the end"
    shown = re.split(r"\r\x1b\[K|\n", text)
    assert "an estimate" in shown
    assert [one for one in shown if one][-1] == "20,000 rows: 20,000 ok"
    assert len(shown) > 100
    assert max(map(len, shown)) < 60
    assert "\x1b[31m" not in text

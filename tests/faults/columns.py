"""Runs columns against the fault server, and holds every row against what the server knows."""

import itertools
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.profiles import resolve
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.service.limits import JOBS_CACHE_SECONDS
from tests.faults import answers, schedules
from tests.faults.server import FaultServer, Served

POLL_SECONDS = 0.2
"""A second of the service is a three-hundredth of one here."""

PATIENCE = {"_LEAST_SECONDS": 10.0, "PATIENCE_SECONDS": 10.0 * JOBS_CACHE_SECONDS / POLL_SECONDS}
"""What the engine has to be told: minutes without an answer are ten seconds here, and not two.

Anything that runs on a busy machine may stand still for some seconds, and the service with it.
"""

STATUSES = {"ok", "truncated", "failed", "skipped", "pending"}
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where syncs cost nothing
HUNG_SECONDS = 120.0
TEMPLATE = "Say {{text}}!"


def connect(server, *, plain=False, token="the-token-of-the-test", pace=None):
    """Connect this process to a fault server, as fast as it can be asked unless told otherwise."""
    target = server.plain if plain else server.url
    profile = resolve(target, poll_seconds=None if plain else POLL_SECONDS)
    client = Client(replace(profile, requests_per_second=pace), Credential(token, "the test"))
    session.current().client = client
    return client


@dataclass(frozen=True)
class Address:
    """Where a fault server of another process is."""

    url: str
    plain: str = ""


@contextmanager
def folder():
    """Give a folder for records."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


def start(one, checkpoint):
    """Begin a schedule's column in the background."""
    frame = one.frame()
    how = {"model": one.name, "checkpoint": checkpoint, "background": True, "timeout": 100}
    if one.kind == "embed":
        return alcf.embed(frame["text"], **how)
    if one.kind == "schema":
        how["schema"] = "label, n int"
    return alcf.map(frame, TEMPLATE, concurrency=one.concurrency, **how)


@dataclass
class Trial:
    """One schedule on its way: its runs, and what was found wrong."""

    schedule: schedules.Schedule
    ledger: object
    checkpoint: Path
    run: object = None
    runs: int = 0
    ended_early: int = 0
    began: float = 0.0
    sent_before: int = 0
    done: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)
    frame: pd.DataFrame = None
    _delivered: Counter = None

    def begin(self):
        """Start the column, for the first time or again."""
        self.runs += 1
        self.began = time.monotonic()
        self.sent_before = self._sent()
        self.run = start(self.schedule, self.checkpoint)

    def step(self):
        """Look whether the run has ended, and go on; tell whether the schedule is through."""
        if self.run.running:
            return self._has_hung()
        try:
            frame = self.run.result(1)
        except AlcfError as error:
            self.ended_early += 1
            frame = getattr(error, "result", None)
            if frame is None:
                self.wrong.append(f"lost: no frame with {error!r}")
                return True
        except Exception as error:  # noqa: BLE001 - whatever it is, the schedule found it
            self.wrong.append(f"crashed: {error!r:.300}")
            return True
        self.look(frame)
        if self.wrong or (self._sent() == self.sent_before and self.run.error is None):
            self.frame = frame
            self._look_at_the_end()
            return True
        if self.runs > len(self.schedule.faults) + 8:
            self.wrong.append("hung: it never comes to an end")
            return True
        self.begin()
        return False

    def _has_hung(self):
        if time.monotonic() - self.began < HUNG_SECONDS:
            return False
        self.wrong.append(f"hung: {self.run.progress}")
        self.run.stop()
        return True

    def _sent(self):
        return len(self.ledger.of(self.schedule.name))

    def look(self, frame):
        """Hold a frame against what the server knows."""
        one, wrong = self.schedule, self.wrong
        given = one.frame()
        if len(frame) != len(given):
            wrong.append(f"{'lost' if len(frame) < len(given) else 'duplicated'}: {len(frame)}")
            return
        if not frame.index.equals(given.index) or frame.index.names != given.index.names:
            wrong.append("misordered: another index")
        statuses = frame["status"].tolist()
        if set(statuses) - STATUSES:
            wrong.append(f"counts: {set(statuses)}")
        counts = Counter(statuses)
        told = self.run.progress
        for name in STATUSES:
            if getattr(told, name) != counts[name]:
                wrong.append(f"counts: {getattr(told, name)} {name} told, {counts[name]} there")
        self._delivered = self.ledger.delivered(one.name)
        rows = frame.to_dict("records")
        for place, asked in enumerate(one.fates()):
            self._look_at_row(place, asked, rows[place])
        self._look_for_repetition(statuses)

    def _look_at_row(self, place, asked, row):
        one, status = self.schedule, row["status"]
        if asked is None:
            problem = self._unasked(one.texts[place], status)
        else:
            problem = getattr(self, f"_{status}")(asked, self._held(row), row["reason"])
        if problem:
            told = f"{row!r:.300}"
            self.wrong.append(f"{problem}: row {place} of {one.seed}: {told}")

    def _unasked(self, value, status):
        """Return what is wrong with a row for which nothing can be sent."""
        half = value is not None and bool(value.strip())
        return "" if status == ("failed" if half else "skipped") else "wrong"

    def _ok(self, asked, held, _reason):
        is_right = held == schedules.right(self.schedule.kind, asked)
        return "" if is_right and self._delivered[asked] else "wrong"

    def _truncated(self, asked, held, _reason):
        cut = self.ledger.faults(self.schedule.name)["cut-by-length"]
        is_begun = self.schedule.kind != "map" or str(held).startswith(answers.mark(asked))
        return "" if cut and is_begun else "wrong"

    def _failed(self, _asked, held, reason):
        is_empty = self.schedule.kind != "map" or pd.isna(held)
        return "" if reason and is_empty else "wrong"

    def _skipped(self, _asked, _held, _reason):
        return "lost"

    def _pending(self, _asked, _held, _reason):
        return "" if self.run.error is not None else "lost"

    def _held(self, row):
        if self.schedule.kind == "embed":
            found = row["embedding"]
            # a missing one is None, or NA
            return tuple(np.asarray(found).tolist()) if isinstance(found, np.ndarray | list) else ()
        if self.schedule.kind == "schema":
            return (row["label"], row["n"])
        return row["reply"]

    def _look_for_repetition(self, statuses):
        """See that what was finished before this run was not sent in it."""
        name, asked = self.schedule.name, self.schedule.fates()
        sent = self.ledger.texts(name, self.sent_before)
        unfinished = Counter()
        for place, text in enumerate(asked):
            if text is not None and place not in self.done:
                unfinished[text] += 1
        for text in sent:
            if not unfinished[text]:
                self.wrong.append(f"sent again: {text!r}")
        for place, status in enumerate(statuses):
            if place in self.done and status not in self.done[place]:
                self.wrong.append(f"lost: row {place} was {self.done[place]} and is {status}")
            if status in ("ok", "truncated"):
                self.done[place] = (status,)

    def _look_at_the_end(self):
        """Hold the end against all that the server sent."""
        one = self.schedule
        if self.wrong:
            return
        delivered, rows = self.ledger.delivered(one.name), Counter(one.fates())
        finished = Counter()
        statuses = self.frame["status"].tolist()
        for text, status in zip(one.fates(), statuses, strict=True):
            finished[text] += status in ("ok", "truncated")
        final = Counter()
        for sent in self.ledger.of(one.name):
            if sent.fault in schedules.LASTING:
                final.update(sent.texts)
        extra = 0
        for text, count in delivered.items():
            wanted = 1 if one.kind == "embed" else rows[text]
            extra += max(0, count - wanted)
            # what came too late for the client may be refused when it is sent again
            if finished[text] < min(rows[text], count) and not final[text]:
                self.wrong.append(f"lost: {text!r} was answered {count} times")
        most = self.ended_early * (one.concurrency if one.kind != "embed" else 40)
        if extra > most:
            self.wrong.append(f"sent again: {extra} right answers more than rows")
        for place, text in enumerate(one.fates()):
            if (
                text is not None
                and self.frame["status"].iloc[place] == "failed"
                and not final[text]
            ):
                self.wrong.append(f"lost: row {place} failed, and nothing refused it for good")


def run_all(many, *, at_once=48, plain=False):
    """Run schedules, many at once, another as soon as one is through; return their trials."""
    many = list(many)
    served = {one.name: Served(one.faults, latency=one.latency, seed=one.seed) for one in many}
    with folder() as records, FaultServer(served) as server:
        connect(server, plain=plain)
        trials = [Trial(one, server.ledger, records / f"{one.seed}") for one in many]
        waiting, under_way = iter(trials), []
        while True:
            for trial in itertools.islice(waiting, at_once - len(under_way)):
                trial.begin()
                under_way.append(trial)
            if not under_way:
                return trials
            under_way = [trial for trial in under_way if not trial.step()]
            time.sleep(0.02)

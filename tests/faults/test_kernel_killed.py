"""A notebook's kernel is killed twice in the middle of a long column, and the cell is run again."""

import json
import signal
import time
from collections import Counter

import pytest

from tests.faults.kernel import Kernel
from tests.faults.size import RELEASE
from tests.sandbox.conftest import running

ROWS = 20_000 if RELEASE else 1_200
FAULTS = ["reset-in-body", "internal-error", "upstream-500", "proxy-502", "chat-api-error"]
SETUP = """
from dataclasses import replace
import pandas as pd
import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.connection.profiles import resolve

profile = replace(resolve({url!r}, poll_seconds=1), requests_per_second=None)
session.current().client = Client(profile, Credential({secret!r}, "the test"))
frame = pd.DataFrame({{"text": [f"row {{n}}" for n in range({rows})]}}, index=range({rows}, 0, -1))
"""
CELL = "out = alcf.map(frame, 'Say {{text}}', model='sandbox/echo', checkpoint='the run')"


def faults(sandbox):
    known = sandbox.control("GET", "/faults")
    names = [one for one in FAULTS if one in json.dumps(known)]
    assert len(names) >= 4
    share = 0.1 / len(names)
    return [
        {"fault": name, "rate": share, "seed": n, "match": {"route": "/chat/"}}
        for n, name in enumerate(names)
    ]


def sent(log):
    """Every prompt that the sandbox was sent, in order, by its own log."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    chats = [one for one in lines if "/chat/" in one["path"]]
    return [json.loads(one["body"])["messages"][0]["content"] for one in chats]


def recorded(folder):
    """Every prompt whose answer is on the disk; the echo tells which it was."""
    found, journal = set(), folder / "journal.jsonl"
    for line in journal.read_bytes().split(b"\n") if journal.exists() else ():
        if line[8:11] == b" r " and line.endswith(b"}"):
            found.add(json.loads(line[11:])["reply"])
    return found


@pytest.fixture
def sandbox(tmp_path):
    with running("--no-rate-limit", "--log", str(tmp_path / "log.jsonl")) as made:
        yield made


def goes_on_for(sandbox, count=None):
    """Let one in ten fail; behind so many others nothing is answered any more."""
    sandbox.control("DELETE", "/faults")
    rules = faults(sandbox)
    if count is not None:
        rules.append({"fault": "half-open", "skip": count, "match": {"route": "/chat/"}})
    sandbox.control("POST", "/faults", rules)


def settle(sandbox):
    """Wait until all that the killed one sent is in the log."""
    until = time.monotonic() + 60
    while any(
        one["outcome"] == "open" for one in sandbox.control("GET", "/log?route=/chat/")["entries"]
    ):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_killed_kernel_loses_nothing_and_sends_nothing_twice(sandbox, tmp_path):
    log, folder = tmp_path / "log.jsonl", tmp_path / "the run"
    setup = SETUP.format(url=sandbox.url, secret=sandbox.secret, rows=ROWS)
    for share in (0.3, 0.6):
        kernel = Kernel(tmp_path)
        try:
            kernel.run(setup)
            settle(sandbox)
            before = len(sent(log))
            done = recorded(folder)
            # however late it is killed, it is not through by then
            goes_on_for(sandbox, int((share + 0.15) * ROWS) - len(done))
            kernel.begin(CELL)
            until = time.monotonic() + 600
            while len(recorded(folder)) < share * ROWS:
                time.sleep(0.05)
                assert time.monotonic() < until
            kernel.manager.signal_kernel(signal.SIGKILL)
        finally:
            kernel.close()
        assert not done & set(sent(log)[before:]), "what was finished is not sent again"
    kernel = Kernel(tmp_path)
    try:
        kernel.run(setup)
        settle(sandbox)
        before, done = len(sent(log)), recorded(folder)
        goes_on_for(sandbox)
        assert 0.6 * ROWS <= len(done) < ROWS
        kernel.run(CELL, seconds=600)
        replies = kernel.value("out['reply'].tolist()")
        assert kernel.value("[len(out), bool((out.index == frame.index).all())]") == [ROWS, True]
        assert kernel.value("out['status'].value_counts().to_dict()") == {"ok": ROWS}
        assert kernel.value("out.attrs['alcf']['reused']") == len(done)
    finally:
        kernel.close()
    assert replies == [f"Say row {n}" for n in range(ROWS)]
    assert not done & set(sent(log)[before:])
    counts = Counter(sent(log))
    assert set(counts) == set(replies)
    assert max(counts.values()) < 9
    # one in ten fails and is sent again; what was under way when it was killed is, too
    assert sum(counts.values()) < ROWS * 1.25 + 2 * 64

"""Killed at any moment and run again: the same result, and nothing finished is sent again."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults import answers, figures
from tests.faults.columns import TEMPLATE, folder
from tests.faults.mapper import POINTS, texts
from tests.faults.server import FaultServer, Served
from tests.faults.size import SIZE

ROWS = 30
CONCURRENCY = 4
AT_THE_SERVER = ("request", "answer", "in the answer", "any moment")
SEED = 20261121


class Mapper:
    """The process that forks those who die."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mapper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # how far each run is
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def begin(self, told):
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        return self._line()["pid"]

    def end(self):
        return self._line()

    def _line(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def mapper():
    made = Mapper()
    yield made
    made.close()


def recorded(place):
    """The marks of all answers that stand whole in the record, read without the package."""
    try:
        lines = (place / "journal.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return Counter()
    return Counter(mark.decode() for line in lines for mark in re.findall(rb"echo:\w{24}", line))


def run_to_the_end(mapper, kind, deaths, dice, place):
    """Run a column over and over, each time with a death, until it is through; what was wrong."""
    wrong, kills = Counter(), 0
    served = Served(latency=(0.0, 0.004), seed=dice.randrange(10**6))
    asked = [TEMPLATE.replace("{{text}}", text) for text in texts(ROWS, kind)]
    asked = texts(ROWS, kind) if kind == "embed" else asked
    told = {
        "rows": ROWS,
        "kind": kind,
        "concurrency": CONCURRENCY,
        "folder": str(place / "run"),
        "result": str(place / "result"),
    }
    with FaultServer({"m": served}) as server:
        told["url"] = server.url
        while True:
            death = next(deaths, None)
            since, known = len(server.ledger.sent), recorded(place / "run")
            pid = mapper.begin(told | _at(death, server, dice))
            if death and death[0] in AT_THE_SERVER[:3]:
                _kill_from_the_server(server, pid, death)
            how = mapper.end()
            server.on_request = server.on_answer = None
            sent = server.ledger.texts(since=since)
            if kind == "map":
                rows = Counter(asked)
                for text, count in sent.items():
                    left = rows[text] - known[answers.mark(text)]
                    wrong["finished rows sent again"] += max(0, count - left)
            kills += how["killed"]
            if not how["killed"]:
                assert how["status"] == 0, (place / "result").read_text()
                break
        total = server.ledger.texts().total()
    wrong["requests more than allowed"] = max(0, total - ROWS - kills * CONCURRENCY)
    return kills, wrong, json.loads((place / "result").read_text()), asked, total


def _at(death, _server, dice):
    if not death:
        return {}
    point, time = death
    if point in POINTS:
        return {"point": point, "time": time}
    return {"seconds": dice.uniform(0, 0.25)} if point == "any moment" else {}


def _kill_from_the_server(server, pid, death):
    point, time = death
    left = [time]

    def count(_sent):
        left[0] -= 1
        if left[0] == 0:
            os.kill(pid, signal.SIGKILL)

    if point == "answer":
        server.on_answer = count
    else:
        server.on_request = count


def test_a_killed_run_goes_on_where_it_was(mapper):
    dice = random.Random(SEED)
    points = [*POINTS, *AT_THE_SERVER]
    killed, wrong, met = 0, Counter(), Counter()
    reached = 0
    while killed < SIZE.kills:
        some = [(dice.choice(points), dice.randint(1, 9)) for _ in range(dice.randint(2, 6))]
        if reached < len(points):  # each of them once, for certain
            some.insert(0, (points[reached], 1))
            reached += 1
        met.update(point for point, _ in some)
        with folder() as place:
            kills, found, result, asked, _ = run_to_the_end(mapper, "map", iter(some), dice, place)
        killed += kills
        wrong += found
        assert result["index"] == [n // 2 for n in range(ROWS)]
        assert set(result["status"]) == {"ok"}
        wrong["wrong rows"] += sum(
            found != answers.reply(text) for found, text in zip(result["found"], asked, strict=True)
        )
    figures.record(
        "kills", tried=killed, seeds=str(SEED), wrong=wrong, told=f"at {len(points)} points"
    )
    assert not +wrong

"""Killed at any moment and run again: the same result, and nothing finished is sent again."""

import itertools
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

ROWS = {"map": 30, "embed": 16}
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
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def mapper():
    made = Mapper()
    yield made
    made.close()


def recorded(place):
    """What stands whole in the record: the marks of answers, and how many rows have a vector."""
    try:
        lines = (place / "journal.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return Counter()
    found = Counter(mark.decode() for line in lines for mark in re.findall(rb"echo:\w{24}", line))
    found["vectors"] = len({line[11:60] for line in lines if b'"vector":' in line})
    return found


def run_to_the_end(mapper, kind, deaths, dice, place):
    """Run a column over and over, each time with a death, until it is through; what was wrong."""
    wrong, kills, rows = Counter(), 0, ROWS[kind]
    served = Served(latency=(0.0, 0.004), seed=dice.randrange(10**6))
    told = {
        "rows": rows,
        "kind": kind,
        "concurrency": CONCURRENCY,
        "folder": str(place / "run"),
        "result": str(place / "result"),
    }
    asked = texts(rows, kind)
    if kind == "map":
        asked = [TEMPLATE.replace("{{text}}", text) for text in asked]
    with FaultServer({"m": served}) as server:
        told["url"] = server.url
        while True:
            death = next(deaths, None)
            server.settle()
            since, known = len(server.ledger.sent), recorded(place / "run")
            pid = mapper.begin(told | _at(death, dice))
            if death and death[0] in AT_THE_SERVER[:3]:
                _kill_from_the_server(server, pid, death)
            how = mapper.end()
            server.on_request = server.on_answer = None
            again = sent_again(kind, asked, known, server.ledger.texts(since=since))
            wrong["finished rows sent again"] += again
            kills += how["killed"]
            if not how["killed"]:
                assert how["status"] == 0, (place / "result").read_text()
                break
        requests = len(server.ledger.sent)
    if kind == "map":
        wrong["requests more than allowed"] = max(0, requests - rows - kills * CONCURRENCY)
    return kills, wrong, json.loads((place / "result").read_text()), asked


def sent_again(kind, asked, known, sent):
    """Return how many rows were sent although the record had them."""
    if kind == "embed":  # its lines name no text: as many as are left may be sent
        return max(0, sent.total() - (len(set(asked)) - known["vectors"]))
    rows = Counter(asked)
    return sum(max(0, n - rows[text] + known[answers.mark(text)]) for text, n in sent.items())


def _at(death, dice):
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


@pytest.mark.parametrize("kind", ["map", "embed"])
def test_a_killed_run_goes_on_where_it_was(mapper, kind):
    dice = random.Random(f"{SEED} {kind}")
    points = [*POINTS, *AT_THE_SERVER]
    killed, wrong = 0, Counter()
    first = iter(points)  # each of them once, for certain
    while killed < (SIZE.kills if kind == "map" else SIZE.kills // 4):
        some = [(dice.choice(points), dice.randint(1, 9)) for _ in range(dice.randint(2, 6))]
        some[:0] = [(point, 1) for point in itertools.islice(first, 1)]
        with folder() as place:
            kills, found, result, asked = run_to_the_end(mapper, kind, iter(some), dice, place)
        killed += kills
        wrong += found
        assert result["index"] == [n // 2 for n in range(ROWS[kind])]
        assert set(result["status"]) == {"ok"}
        right = answers.reply if kind == "map" else answers.vector
        wrong["wrong rows"] += sum(
            found != right(text) for found, text in zip(result["found"], asked, strict=True)
        )
    figures.record(
        f"kills of {kind}",
        tried=killed,
        seeds=str(SEED),
        wrong=wrong,
        told=f"at {len(points)} points",
    )
    assert not +wrong, wrong

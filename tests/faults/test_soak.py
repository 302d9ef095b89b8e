"""All at once on one long column: faults, kills, tokens that end; the result is the right one."""

import json
import os
import random
import signal
from collections import Counter

from tests.faults import answers, figures
from tests.faults.columns import TEMPLATE, folder
from tests.faults.faults import FAULTS
from tests.faults.mapper import texts
from tests.faults.schedules import ENDS_THE_RUN, LASTING
from tests.faults.server import FaultServer, Served
from tests.faults.size import RELEASE, SIZE
from tests.faults.test_kills import Mapper, recorded

SHARE = 0.05
KILLS, EXPIRIES = (20, 2) if RELEASE else (3, 1)
CONCURRENCY = 16
MOST_MEGABYTES = 500
SEED = 7


def passing():
    """The faults that may pass; those that refuse a row for good are none of these."""
    return [
        name
        for name, fault in FAULTS.items()
        if fault.kind in ("broken", "wrong", "refusal", "right", "model")
        and fault.fits("chat")
        and name not in ENDS_THE_RUN | LASTING
        and name != "cut-by-length"
        and not name.startswith("redirect")
    ]


def test_a_long_column_through_everything():
    rows, dice = SIZE.soak, random.Random(SEED)
    pool = passing()
    faults = [dice.choice(pool) if dice.random() < SHARE else "" for _ in range(2 * rows)]
    moments = sorted(dice.sample(range(rows // 20, rows), KILLS + EXPIRIES))
    expiring = set(dice.sample(moments, EXPIRIES))
    wrong, known, runs, killed = Counter(), Counter(), 0, 0
    failed = []
    mapper = Mapper()
    with (
        FaultServer({"m": Served(faults, seed=SEED)}, token="token-0") as server,
        folder() as place,
    ):
        told = {
            "rows": rows,
            "kind": "map",
            "concurrency": CONCURRENCY,
            "folder": str(place / "run"),
            "result": str(place / "result"),
            "url": server.url,
            "timeout": 7200,
        }
        asked = Counter(TEMPLATE.replace("{{text}}", text) for text in texts(rows, "map"))
        while True:
            runs += 1
            assert runs < 20 + KILLS + EXPIRIES + rows // 100, "it does not come to an end"
            since = len(server.ledger.sent)
            pid = mapper.begin(told | {"token": server.token})
            _strike(server, pid, moments, expiring)
            how = mapper.end()
            server.on_request = None
            for text, count in server.ledger.texts(since=since).items():
                new = count - (asked[text] - known[answers.mark(text)])
                # a refused or broken request is sent again within a run; a finished row never
                if known[answers.mark(text)] >= asked[text]:
                    wrong["finished rows sent again"] += max(0, new)
            known = recorded(place / "run")
            killed += how["killed"]
            if not how["killed"] and how["status"] == 0:
                result = json.loads((place / "result").read_text())
                failed.append(result["status"].count("failed"))
                # a row that met four failures in a row is told as failed, and sent by the next run
                if not failed[-1]:
                    break
        sent, befell = len(server.ledger.sent), server.ledger.faults()
    mapper.close()
    wrong["lost"] = abs(len(result["found"]) - rows) + rows - result["status"].count("ok")
    wrong["wrong"] = sum(
        found != answers.reply(TEMPLATE.replace("{{text}}", text))
        for found, text in zip(result["found"], texts(rows, "map"), strict=True)
    )
    wrong[f"over {MOST_MEGABYTES} MB"] = int(result["megabytes"] > MOST_MEGABYTES)
    figures.record(
        "soak",
        tried=rows,
        seeds=str(SEED),
        wrong=wrong,
        told=f"{befell.total():,} faults, {killed} kills, {EXPIRIES} expired tokens, "
        f"{sent:,} requests in {runs} runs, {sum(failed)} rows told as failed and then "
        f"sent by the next run, {result['megabytes']:.0f} MB",
    )
    assert killed >= KILLS - 1
    assert sum(failed) <= rows * 0.001
    assert not +wrong, wrong


def _strike(server, pid, moments, expiring):
    """Kill the process, or end its token, at the next of the moments."""

    def strike(_sent):
        if not moments or len(server.ledger.sent) < moments[0]:
            return
        if moments.pop(0) in expiring:
            server.token = f"token-{len(moments) + 1}"
        else:
            os.kill(pid, signal.SIGKILL)

    server.on_request = strike

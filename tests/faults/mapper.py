"""A process that maps columns and dies where it is told to, by its own hand or another's.

It reads lines of JSON: which column, where to, and the point at which to die. Each is done in a
forked child, since a fresh interpreter for each of a thousand deaths would take most of the time.
For each it says the child's number, and then how the child ended.
"""

import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

REAL = {name: getattr(os, name) for name in ("write", "fdatasync", "ftruncate", "open")}
POINTS = (
    "before write",
    "half written",
    "behind write",
    "behind sync",
    "before cut",
    "before lock",
    "behind lock",
)


class Death:
    """Dies at the so-many-eth time that a point is reached."""

    def __init__(self):
        self.point, self.left = "", 0

    def at(self, point):
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


death = Death()


def _is_record(handle):
    return Path(f"/proc/self/fd/{handle}").readlink().name in ("journal.jsonl", "vectors.f32")


def _write(handle, data):
    if not death.point or not _is_record(handle):
        return REAL["write"](handle, data)
    death.at("before write")
    if death.point == "half written" and death.left <= 1 and len(data) > 1:
        REAL["write"](handle, bytes(data)[: len(data) // 2])
    death.at("half written")
    done = REAL["write"](handle, data)
    death.at("behind write")
    return done


def _fdatasync(handle):
    REAL["fdatasync"](handle)
    death.at("behind sync")


def _ftruncate(handle, size):
    death.at("before cut")
    return REAL["ftruncate"](handle, size)


def _open(path, *more, **named):
    is_lock = str(path).endswith("writer.lock")
    if is_lock:
        death.at("before lock")
    handle = REAL["open"](path, *more, **named)
    if is_lock:
        death.at("behind lock")
    return handle


# before the package is imported: it may keep the functions under names of its own
os.write, os.fdatasync, os.ftruncate, os.open = _write, _fdatasync, _ftruncate, _open

import alcf_jupyter as alcf  # noqa: E402
from alcf_jupyter.frames import column  # noqa: E402, F401 - here, so that no child has to
from alcf_jupyter.frames.sending import run_limits  # noqa: E402
from tests.faults import columns  # noqa: E402


def texts(count, kind):
    """The column of so many rows; every seventh is one of three that occur again and again.

    Those to embed are long, so that no request holds all of them.
    """
    tail = "x" * 300_000 if kind == "embed" else ""
    return [
        f"again {n % 3}{tail}" if n % 7 == 3 else f"{kind} {n} → 🙂{tail}" for n in range(count)
    ]


def work(told):
    """Map a column, and write down what it came to."""
    import pandas as pd

    columns.connect(columns.Address(told["url"]), token=told.get("token", "the-token"))
    values = texts(told["rows"], told["kind"])
    frame = pd.DataFrame({"text": values}, index=[n // 2 for n in range(len(values))])
    death.point, death.left = told.get("point", ""), told.get("time", 1)
    how = {"model": "m", "checkpoint": told["folder"], "timeout": told.get("timeout", 60)}
    if told["kind"] == "embed":
        out = alcf.embed(frame["text"], **how)
        found = [list(map(float, one)) for one in out["embedding"]]
    else:
        out = alcf.map(frame, columns.TEMPLATE, concurrency=told["concurrency"], **how)
        found = out["reply"].tolist()
    death.point = ""
    result = {
        "index": out.index.tolist(),
        "status": out["status"].tolist(),
        "found": found,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    Path(told["result"]).write_text(json.dumps(result))


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main():
    for name, seconds in columns.PATIENCE.items():
        setattr(run_limits, name, seconds)
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if not child:
            try:
                work(told)
            except BaseException:  # noqa: BLE001 - told to the test
                Path(told["result"]).write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        say(pid=child)
        if "seconds" in told:
            time.sleep(told["seconds"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        say(killed=os.WIFSIGNALED(status), status=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()

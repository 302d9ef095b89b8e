"""Cases of a benchmark, each in a process of its own that runs what it is told, in turns."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds, CPU seconds, and bytes at the most above what was before."""

    seconds: float
    cpu: float
    grew: int


class Worker:
    """A process that runs one case of a script.

    Parameters
    ----------
    script
        The script; with ``--worker CASE`` it calls `work`.
    case
        Which.
    """

    def __init__(self, script: str, case: str) -> None:
        command = [sys.executable, script, "--worker", case]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, **order: Any) -> Cost:
        """Have it run once; raises SystemExit where it fails."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        told = self._process.stdout.readline()
        if not told:
            raise SystemExit(f"{self._process.args} has failed")
        return Cost(**json.loads(told))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def workers(script: str, cases: tuple[str, ...]) -> Iterator[dict[str, Worker]]:
    """Start a worker for each case, and end them."""
    made = {case: Worker(script, case) for case in cases}
    try:
        yield made
    finally:
        for worker in made.values():
            worker.close()


def work(run: Callable[..., Any]) -> None:
    """Run what standard input orders, and print what each took; `run` returns what it made."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no figure
    for line in sys.stdin:
        order = json.loads(line)
        gc.collect()
        before = _forget_peak()
        began, cpu = time.perf_counter(), time.process_time()
        made = run(**order)
        took = time.perf_counter() - began, time.process_time() - cpu
        print(json.dumps(asdict(Cost(*took, _peak() - before))), file=out, flush=True)
        del made


def _forget_peak() -> int:
    """Return the memory in use, and count the peak from here on where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return _told("VmRSS")
    return _peak()


def _peak() -> int:
    with contextlib.suppress(OSError):
        return _told("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _told(name: str) -> int:
    told = Path("/proc/self/status").read_text().partition(f"{name}:")[2]
    return int(told.split()[0]) * 1024

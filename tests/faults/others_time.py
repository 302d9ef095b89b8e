"""What of a stretch of time the machine took for others."""

import contextlib
import os
import threading
import time
from pathlib import Path


class _Beside:
    """Does something again and again in a thread of its own, as long as the body of a ``with``."""

    tick = 0.0

    def __init__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while self._passes():
            self.look()

    def _passes(self):
        return not self._stop.wait(self.tick)

    def look(self):
        """Do it once: nothing, where only the pauses between count."""

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


class Usable(_Beside):
    """How long something takes in this process and others, but for waiting for a processor.

    Linux counts for how long a thread that could run did not; the counts of all threads of the
    processes are taken together, as one hands on to the other. A count is gone with its thread, so
    they are looked at all the time.
    """

    tick = 0.02

    def __init__(self, *processes):
        super().__init__()
        self._processes = os.getpid(), *processes
        self._first, self._last = {}, {}
        self.look()
        self._first = dict(self._last)
        self._stolen, self._began = _stolen(), time.monotonic()

    def look(self):
        """Read the counts of all threads."""
        for process in self._processes:
            for thread in _threads(process):
                # one that has ended keeps its last count; some systems do not count at all
                with contextlib.suppress(OSError):
                    self._last[thread] = int((thread / "schedstat").read_text().split()[1]) / 1e9

    def took(self, until=None):
        """Return the seconds to a moment, or to now, that the processes could use."""
        until = until or time.monotonic()
        self.look()
        last = dict(self._last)
        waited = sum(seconds - self._first.get(thread, 0.0) for thread, seconds in last.items())
        return max(0.0, until - self._began - waited - (_stolen() - self._stolen))


def _threads(process):
    with contextlib.suppress(OSError):  # the process has ended
        return list(Path(f"/proc/{process}/task").iterdir())
    return []


def _stolen():
    """Return the seconds in which the machine itself did not run, where it is a virtual one."""
    with contextlib.suppress(OSError):  # another system than Linux
        first = Path("/proc/stat").read_text().partition("\n")[0].split()
        return int(first[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


class Lateness(_Beside):
    """How much too late a thread is woken that sleeps in between, in `seconds`.

    Who sends at a pace, in the same process, loses about as much.
    """

    tick = 0.2

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def _passes(self):
        began = time.monotonic()
        goes_on = super()._passes()
        if goes_on:
            self.seconds += max(0.0, time.monotonic() - began - self.tick)
        return goes_on

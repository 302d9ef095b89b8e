"""Seconds that a process could use, on a machine that lets it stand still for some."""

import itertools
import threading
import time
from contextlib import contextmanager

_LOOK_SECONDS = 0.01
_MOST_SECONDS = 0.05
"""What a gap between two looks counts at most: the rest of it nothing of the process ran."""


class Looks:
    """The moments at which a thread of its own looked at the clock, a hundred times a second.

    It needs what every other thread needs. Where it comes late, the process stood still, and
    nothing in it could have been quicker; while another thread waits, it goes on looking.
    """

    def __init__(self):
        self.at = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self):
        while not self._ended.wait(_LOOK_SECONDS):
            self.at.append(time.monotonic())

    def end(self):
        self._ended.set()
        self._thread.join()


def usable(looks, began, ended):
    """The seconds from one moment to another without those in which the process stood still."""
    moments = [began, *(at for at in looks if began < at < ended), ended]
    return sum(min(later - at, _MOST_SECONDS) for at, later in itertools.pairwise(moments))


@contextmanager
def stopwatch():
    """Yield a function that tells the usable seconds since the body began."""
    looks, began = Looks(), time.monotonic()
    try:
        yield lambda: usable(list(looks.at), began, time.monotonic())
    finally:
        looks.end()

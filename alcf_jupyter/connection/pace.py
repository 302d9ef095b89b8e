"""How fast requests may follow each other."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

from alcf_jupyter.connection.loop import Lock

_paces: dict[str, Pace] = {}


def of(origin: str, per_second: float | None) -> Pace:
    """Return the pace of requests to `origin`: one for all clients of this process.

    Parameters
    ----------
    origin
        Scheme, host and port.
    per_second
        The most requests in a second; None for no limit.
    """
    pace = _paces.get(origin)
    if pace is None or pace.per_second != per_second:
        pace = _paces[origin] = Pace(per_second)
    return pace


class Pace:
    """Lets requests through, at most so many a second, a burst of one second's worth at once.

    Parameters
    ----------
    per_second
        The most requests in a second; None for no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self.per_second = per_second
        # the service counts over any second: a window of a burst must be longer than that
        self._burst = math.ceil(per_second or 0)
        self._window = self._burst / per_second if per_second else 0.0
        self._sent: deque[float] = deque(maxlen=self._burst or 1)
        self._queue = Lock()

    async def turn(self) -> None:
        """Wait for the turn of one request, behind whoever waits already.

        A request that is given up while it waits takes no turn: after an interrupted run of
        thousands the next request goes at once.
        """
        if not self._burst:
            return
        async with self._queue.here():
            while len(self._sent) == self._burst:
                early = self._sent[0] + self._window - time.monotonic()
                if early <= 0:
                    break
                await asyncio.sleep(early)
            self._sent.append(time.monotonic())

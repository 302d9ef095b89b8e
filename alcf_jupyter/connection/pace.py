"""How fast requests may follow each other."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque


class Pace:
    """Lets requests through, at most so many a second, a burst of one second's worth at once.

    Parameters
    ----------
    per_second
        The most requests in a second; None for no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        # the service counts over any second: a window of a burst must be longer than that
        self._burst = math.ceil(per_second or 0)
        self._window = self._burst / per_second if per_second else 0.0
        self._sent: deque[float] = deque(maxlen=self._burst or 1)

    async def turn(self) -> None:
        """Wait for the turn of one request."""
        if not self._burst:
            return
        now = time.monotonic()
        start = now
        if len(self._sent) == self._burst:
            start = max(now, self._sent[0] + self._window)
        # the slot is taken before the wait, so that whoever comes next waits behind this one
        self._sent.append(start)
        if start > now:
            await asyncio.sleep(start - now)

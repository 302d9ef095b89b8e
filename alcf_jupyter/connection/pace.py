"""How fast requests may follow each other."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import Any

from alcf_jupyter.connection.loop import Lock

_LOOK_SECONDS = 0.05
_SENDING_SECONDS = 10.0
"""For so long a request that is on its way holds its turn; one that hangs is counted no longer."""

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


class Turn:
    """The turn of one request; it counts from when the request has left."""

    __slots__ = ("_given", "_left")

    def __init__(self) -> None:
        self._given = time.monotonic()
        self._left: float | None = None

    @property
    def on_its_way(self) -> bool:
        """Whether the request has not left yet: its connection is being made, for example."""
        return self._left is None

    @property
    def at(self) -> float:
        """The moment on the monotonic clock from which it counts."""
        return self._given + _SENDING_SECONDS if self._left is None else self._left

    def leaves(self) -> None:
        """Count the turn from now."""
        self._left = time.monotonic()

    def ends(self) -> None:
        """Count the turn at the latest from now: its request was answered, or failed."""
        if self._left is None:
            self.leaves()

    async def trace(self, event: str, _about: dict[str, Any]) -> None:
        """Take what httpcore tells about its request."""
        if event.endswith("send_request_body.complete"):
            self.leaves()


class Pace:
    """Lets requests through, at most so many a second, a burst of one second's worth at once.

    The service counts requests when they arrive. A first one that has its connection to make
    arrives later than it was let through, so what counts is when it left.

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
        self._turns: deque[Turn] = deque()
        self._queue = Lock()

    async def turn(self) -> Turn:
        """Wait for the turn of one request, behind whoever waits already.

        A request that is given up while it waits takes no turn: after an interrupted run of
        thousands the next request goes at once.
        """
        if not self._burst:
            return Turn()
        async with self._queue.here():
            while (early := self._early()) > 0:  # noqa: ASYNC110 - time passes by itself
                await asyncio.sleep(early)
            turn = Turn()
            self._turns.append(turn)
            return turn

    def _early(self) -> float:
        """Return the seconds until the next turn may be given, or until it is worth a look."""
        now = time.monotonic()
        self._turns = deque(turn for turn in self._turns if turn.at + self._window > now)
        if len(self._turns) < self._burst:
            return 0.0
        left = min(turn.at for turn in self._turns) + self._window - now
        waits = any(turn.on_its_way for turn in self._turns)
        return min(left, _LOOK_SECONDS) if waits else left

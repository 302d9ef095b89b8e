"""How fast requests may follow each other."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from alcf_jupyter.connection import worker
from alcf_jupyter.connection.http.turns import SharedTurns
from alcf_jupyter.connection.loop import Lock
from alcf_jupyter.errors import AlcfError

if TYPE_CHECKING:
    from concurrent.futures import Future

_LOOK_SECONDS = 0.05
_SENDING_SECONDS = 10.0
"""For so long a request that is on its way holds its turn; one that hangs is counted no longer."""

_FILE_SECONDS = 0.5
_BUSY_SECONDS = 0.005
_ALONE_SECONDS = 60.0
"""How long the shared file is left alone after it could not be used."""

_T = TypeVar("_T")

_paces: dict[tuple[str, float | None], Pace] = {}


def of(origin: str, per_second: float | None, *, shared: bool = False) -> Pace:
    """Return the pace of requests to `origin`: one for all clients of this process.

    Parameters
    ----------
    origin
        Scheme, host and port.
    per_second
        The most requests in a second; None for no limit.
    shared
        Whether all of the user's processes keep it together.
    """
    # setdefault, since clients are made in any thread
    made = Pace(per_second, origin if shared else None)
    return _paces.setdefault((origin, per_second), made)


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


class Pace:
    """Lets requests through, at most so many a second, a burst of one second's worth at once.

    The service counts requests when they arrive. A first one that has its connection to make
    arrives later than it was let through, so what counts is when it left.

    Parameters
    ----------
    per_second
        The most requests in a second; None for no limit.
    origin
        The service at which all of the user's processes keep it together; None where each has its
        own. Where they cannot, the service's refusals slow each of them down.
    """

    def __init__(self, per_second: float | None, origin: str | None = None) -> None:
        self.per_second = per_second
        # the service counts over any second: a window of a burst must be longer than that
        self._burst = math.ceil(per_second or 0)
        self._window = self._burst / per_second if per_second else 0.0
        self._turns: deque[Turn] = deque()
        self._queue = Lock()
        self._shared: SharedTurns | None = None
        self._alone_until = float("-inf")
        if origin is not None and self._burst:
            self._shared = SharedTurns(origin, self._burst, self._window)

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
            await self._turn_among_all()
            turn = Turn()
            self._turns.append(turn)
            return turn

    async def _turn_among_all(self) -> None:
        """Wait for a turn among all processes, or go on alone where there is no way to agree."""
        busy = 0.0
        while self._shared is not None and time.monotonic() >= self._alone_until:
            began = time.monotonic()
            try:
                early, busy = await _in_time(worker.start(self._shared.take)), 0.0
            except (OSError, ImportError, AlcfError) as error:
                early = _BUSY_SECONDS
                # no look counts for more than so much: the process may have stood still
                busy += min(time.monotonic() - began + early, _LOOK_SECONDS)
                if busy > _FILE_SECONDS or not isinstance(error, BlockingIOError):
                    self._alone_until = time.monotonic() + _ALONE_SECONDS
            else:
                if early <= 0:
                    return
            await asyncio.sleep(early)

    def _early(self) -> float:
        """Return the seconds until the next turn may be given, or until it is worth a look."""
        now = time.monotonic()
        self._turns = deque(turn for turn in self._turns if turn.at + self._window > now)
        if len(self._turns) < self._burst:
            return 0.0
        left = min(turn.at for turn in self._turns) + self._window - now
        waits = any(turn.on_its_way for turn in self._turns)
        return min(left, _LOOK_SECONDS) if waits else left


async def _in_time(future: Future[_T]) -> _T:
    """Return what a thread found out from a file; one on a network may hang."""
    # twice: the first look of a process that stood still is over before it looked
    with suppress(TimeoutError):
        async with asyncio.timeout(_FILE_SECONDS / 2):
            return await worker.result(future)
    async with asyncio.timeout(_FILE_SECONDS / 2):
        return await worker.result(future)

"""What arrives of a stream, on its way to the caller's thread: a few pieces at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GATHER_SECONDS = 0.02
"""Waking the caller's thread costs more than reading a piece, and nobody sees fifty a second."""


class Gathering:
    """Calls a function soon after there is something new: at once, but not often.

    Parameters
    ----------
    give
        Gives on whatever is new.
    """

    def __init__(self, give: Callable[[], None]) -> None:
        self._give = give
        self._loop = asyncio.get_running_loop()
        self._due = float("-inf")
        self._timer: asyncio.Handle | None = None

    def soon(self) -> None:
        """Give on when all that has come is read, and some time has passed since the last time."""
        if self._timer is None:
            if self._due <= self._loop.time():
                self._timer = self._loop.call_soon(self.now)
            else:
                self._timer = self._loop.call_at(self._due, self.now)

    def now(self) -> None:
        """Give on now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._give()
        self._due = self._loop.time() + GATHER_SECONDS

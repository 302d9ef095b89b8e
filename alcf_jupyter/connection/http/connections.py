"""The connections to one service that are kept; the one used last is taken first."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from alcf_jupyter.connection.http.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alcf_jupyter.connection.http.channel import Channel, Request

_IDLE_SECONDS = 5.0
"""What was not needed for so long is closed: the other end may be about to."""


class Connections:
    """Carries requests, each on a connection of its own while it is under way.

    Parameters
    ----------
    dial
        Makes a connection.
    most
        Requests at once; further ones wait.
    """

    def __init__(self, dial: Callable[[], Awaitable[Channel]], most: int) -> None:
        self._dial = dial
        self._room = asyncio.Semaphore(most)
        self._idle: deque[tuple[float, Channel]] = deque()

    async def ask(self, request: Request, sent: Callable[[], None] | None = None) -> Incoming:
        """Send a request; its connection is taken until the answer is closed.

        Parameters
        ----------
        request
            What to send.
        sent
            Called when it has left.

        Raises
        ------
        BrokenError
            There is no connection, or it broke. A request that has left is not sent again.
        """
        await self._room.acquire()
        try:
            channel = self._kept() or await self._dial()
            try:
                head = await channel.ask(request, sent)
            except BaseException:
                channel.wire.abort()
                raise
        except BaseException:
            self._room.release()
            raise
        return Incoming(head, channel, self._give_back)

    def close(self) -> None:
        """Close those that are not in use."""
        while self._idle:
            self._idle.pop()[1].wire.close()

    def _kept(self) -> Channel | None:
        """Return the one used last that still holds; what is older than that is of no use."""
        early = time.monotonic() - _IDLE_SECONDS
        while self._idle:
            at, channel = self._idle.pop()
            # a loop that was busy, or goes straight on, has not looked into the socket since
            if at > early and channel.is_free and not channel.wire.has_untold:
                return channel
            channel.wire.close()
        return None

    def _give_back(self, channel: Channel) -> None:
        """Keep it for the next request, unless its answer was broken off in the middle."""
        self._room.release()
        if not channel.is_free:
            channel.wire.abort()
            return
        now = time.monotonic()
        self._idle.append((now, channel))
        if self._idle[0][0] < now - _IDLE_SECONDS:
            self._idle.popleft()[1].wire.close()

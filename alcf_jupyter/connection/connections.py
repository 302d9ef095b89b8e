"""The connections to one service that are kept; the one used last is taken first.

A pool of httpx looks at all of its connections, several times, for each request, and at each of
them once for each other: with many under way that costs more than the requests. Here each
connection has a pool of its own, and only the one that is taken is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

import httpx

from alcf_jupyter.connection import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_IDLE_SECONDS = 5.0
"""What was not needed for so long is closed when another one is given back; as httpx has it."""


class Connections(httpx.AsyncBaseTransport):
    """Carries requests, each on a connection of its own while it is under way.

    Parameters
    ----------
    make
        Makes a transport that is used for one request at a time; called once here, so that what is
        wrong with it is known before anything is sent.
    most
        Requests at once; further ones wait.
    """

    def __init__(self, make: Callable[[], httpx.AsyncHTTPTransport], most: int) -> None:
        self._make = make
        self._room = asyncio.Semaphore(most)
        self._closing: set[asyncio.Task[None]] = set()
        first = make()
        self._all = {first}
        self._free = deque([(time.monotonic(), first)])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its connection is taken until the response is closed."""
        await self._room.acquire()
        try:
            carrier = self._taken()
            try:
                response = await carrier.handle_async_request(request)
            except BaseException:
                self._drop(carrier)
                raise
        except BaseException:
            self._room.release()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for the type checker
        response.stream = _Body(response.stream, self, carrier)
        return response

    async def aclose(self) -> None:
        """Close all of them."""
        for carrier in list(self._all):
            await carrier.aclose()

    def _taken(self) -> httpx.AsyncHTTPTransport:
        if self._free:
            return self._free.pop()[1]
        made = self._make()
        self._all.add(made)
        return made

    def _drop(self, carrier: httpx.AsyncHTTPTransport) -> None:
        """Close what was broken off in the middle: its pool may never let go of its connection."""
        self._all.discard(carrier)
        wire.abort(carrier)
        task = asyncio.get_running_loop().create_task(_closed(carrier))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _give_up(self, carrier: httpx.AsyncHTTPTransport) -> None:
        self._drop(carrier)
        self._room.release()

    async def _give_back(self, carrier: httpx.AsyncHTTPTransport) -> None:
        now = time.monotonic()
        self._free.append((now, carrier))
        self._room.release()
        if self._free[0][0] < now - _IDLE_SECONDS:
            _, idle = self._free.popleft()
            self._all.discard(idle)
            await idle.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of a response; closed, it gives its connection back."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        connections: Connections,
        carrier: httpx.AsyncHTTPTransport,
    ) -> None:
        self._stream = stream
        self._connections = connections
        self._carrier: httpx.AsyncHTTPTransport | None = carrier
        self._whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
        self._whole = True

    async def aclose(self) -> None:
        """End it; a second call does nothing."""
        carrier, self._carrier = self._carrier, None
        if carrier is None:
            return
        if not self._whole:
            self._connections._give_up(carrier)  # noqa: SLF001 - this module's own
            return
        try:
            await self._stream.aclose()
        except BaseException:
            self._connections._give_up(carrier)  # noqa: SLF001 - this module's own
            raise
        await self._connections._give_back(carrier)  # noqa: SLF001 - this module's own


async def _closed(carrier: httpx.AsyncHTTPTransport) -> None:
    with contextlib.suppress(Exception):  # nobody waits for it
        await carrier.aclose()

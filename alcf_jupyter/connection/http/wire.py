"""The bytes of one connection, by asyncio's own means.

A read takes what has come, or waits for it, and nothing else: a streamed answer is thousands of
small reads, and whatever each of them costs beyond that is most of what reading it costs. An
answer of known length is received where it is to stand, and nowhere else: new memory for each part
of it costs several times as much as its bytes.
"""

from __future__ import annotations

import asyncio
import ipaddress
import select
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from alcf_jupyter.connection.http import reasons

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator

CONNECT_SECONDS = 10.0
HIGH_BYTES, LOW_BYTES = 1_048_576, 262_144
"""Bytes that wait to be read before the other end is held up, and until it may go on."""

_BUFFER_BYTES = 65_536
_NOWHERE = memoryview(b"")
_EYEBALLS_SECONDS = 0.25
_GOODBYE_SECONDS = 1.0


class BrokenError(Exception):
    """A connection could not be made, did not hold, or carried what it should not."""


class UnmadeError(BrokenError):
    """A connection could not be made: nothing was asked."""


async def connect(host: str, port: int) -> Wire:
    """Return a connection to a host.

    Raises
    ------
    BrokenError
        There is none, or not soon enough.
    """
    async with _opening():
        _, wire = await asyncio.get_running_loop().create_connection(
            Wire, host, port, happy_eyeballs_delay=_delay(host)
        )
    return wire


def _delay(host: str) -> float | None:
    """Return when to try another address of a host as well: a single one needs no race."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _EYEBALLS_SECONDS
    return None


class Wire(asyncio.BufferedProtocol):
    """One connection: what has come and was not read yet, and whether it has ended.

    One task at a time reads or writes.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._rest = _NOWHERE
        self._came: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._full = False
        self._gather_seconds = 0.0
        self._read_at = float("-inf")

    @property
    def is_quiet(self) -> bool:
        """Whether it holds, and nothing is on its way: all was sent, and all that came was read."""
        return (
            self._transport is not None
            and not self._transport.is_closing()
            and not self._ended
            and not self._came
            and not self._transport.get_write_buffer_size()
        )

    @property
    def has_untold(self) -> bool:
        """Whether bytes, or the end, lie in the socket of which the loop has not told yet."""
        if self._transport is None:
            return False
        news = select.poll()
        news.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(news.poll(0))

    def gather(self, seconds: float) -> None:
        """Let what comes gather for so long after each read; the next read is still at once.

        For a stream of many small parts: waking up for each of them costs more than reading it.
        """
        self._gather_seconds = seconds
        self._read_at = float("-inf")

    async def read(self, most: int = 2 * HIGH_BYTES) -> bytes:
        """Return what has come, up to so many bytes, or nothing where the other end has closed.

        Raises
        ------
        BrokenError
            It has broken off.
        """
        if self._gather_seconds and not self._came:
            await self._pause()
        while not self._came and not self._ended:
            await self._news()
        if not self._came:
            self._check_end()
        return self._take(most)

    async def fill(self, place: memoryview) -> int:
        """Receive bytes into `place` until it is full, or the other end has closed; tell how many.

        Raises
        ------
        BrokenError
            It has broken off.
        """
        begun = self._take(len(place))
        place[: len(begun)] = begun
        self._rest = place[len(begun) :]
        try:
            while self._rest and not self._ended:
                await self._news()
            if self._rest:
                self._check_end()
            return len(place) - len(self._rest)
        finally:
            self._rest = _NOWHERE

    def _check_end(self) -> None:
        if self._error is not None:
            raise BrokenError(reasons.of(self._error)) from self._error

    def _ending(self, otherwise: str) -> str:
        return reasons.of(self._error) if self._error is not None else otherwise

    def unread(self, data: bytes) -> None:
        """Put back what was read too far."""
        if data:
            self._came.insert(0, data)
            self._size += len(data)

    async def write(self, data: bytes) -> None:
        """Send bytes; return when they are on their way, or when the other end speaks before.

        Raises
        ------
        BrokenError
            It has ended. Where it ends only now, the next read tells; an answer may have come.
        """
        if self._transport is None or self._transport.is_closing():
            raise BrokenError(self._ending("the connection is closed"))
        self._transport.write(data)
        while self._full and not self._came and not self._ended:
            await self._news()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt what follows, once the other end has shown that it is `host`.

        Raises
        ------
        BrokenError
            It is not, or has said something in the clear that nobody asked for.
        """
        if not self.is_quiet or self._transport is None:
            raise BrokenError(self._ending("the other end spoke or closed before its turn"))
        async with _opening():
            secure = await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                context,
                server_hostname=host,
                ssl_shutdown_timeout=_GOODBYE_SECONDS,
            )
        if secure is None:
            raise BrokenError("the connection was closed")
        self._transport = secure

    def close(self) -> None:
        """Close it; what was not sent yet will not be."""
        if self._transport is not None:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    # what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where to put what comes next."""
        return self._rest or self._buffer

    def buffer_updated(self, count: int) -> None:
        """Keep what has come, and wake whoever waits for it."""
        if self._rest:
            self._rest = self._rest[count:]
            if not self._rest:
                self._wake()
            return
        self._came.append(bytes(self._buffer[:count]))
        self._size += count
        if self._size > HIGH_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Note that no more will come; asyncio closes the connection."""
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Note why it ended."""
        self._ended, self._error = True, error
        self._wake()

    def pause_writing(self) -> None:
        """Hold whoever writes."""
        self._full = True

    def resume_writing(self) -> None:
        """Let whoever writes go on."""
        self._full = False
        self._wake()

    async def _news(self) -> None:
        """Wait until asyncio has told something."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _pause(self) -> None:
        """Leave what comes to the system for a while; one look takes all of it."""
        now = asyncio.get_running_loop().time()
        early = self._read_at + self._gather_seconds - now
        if early > 0 and self._transport is not None and not self._ended:
            self._transport.pause_reading()
            try:
                await asyncio.sleep(early)
            finally:
                self._transport.resume_reading()
            now += early
        self._read_at = now

    def _take(self, most: int) -> bytes:
        data = self._came[0] if len(self._came) == 1 else b"".join(self._came)
        self._came.clear()
        if len(data) > most:
            self._came.append(data[most:])
            data = data[:most]
        before, self._size = self._size, self._size - len(data)
        if before > LOW_BYTES >= self._size and self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return data


@asynccontextmanager
async def _opening() -> AsyncGenerator[None]:
    """Limit the time, and raise BrokenError for errors of the system; a host may be no name."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            yield
    except TimeoutError as error:
        raise BrokenError(f"no connection within {CONNECT_SECONDS:.0f} s") from error
    except (OSError, UnicodeError) as error:
        raise BrokenError(reasons.of(error)) from error

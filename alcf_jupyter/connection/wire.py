"""The bytes of one connection by asyncio's own means, at a third of the usual cost of a read.

httpcore reads through anyio, which for each read sets up a cancel scope and takes the socket out of
the selector and back in. A streamed answer is thousands of small reads, so that is most of what
reading it costs. Here a read takes what has come, or waits for it, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from typing import TYPE_CHECKING, Any

import httpcore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    import httpx

HIGH_BYTES, LOW_BYTES = 1_048_576, 262_144
"""Bytes that wait to be read before the other end is held up, and until it may go on."""

_EYEBALLS_SECONDS = 0.25
_GOODBYE_SECONDS = 1.0


def swift(transport: httpx.AsyncHTTPTransport) -> httpx.AsyncHTTPTransport:
    """Let a transport of httpx read and write through this module."""
    # httpx has no option for it; where the name is another one day, the usual way is taken
    transport._pool._network_backend = Network()  # noqa: SLF001
    return transport


def abort(transport: httpx.AsyncHTTPTransport) -> None:
    """Close the connections of a transport at once, also those that its pool has lost."""
    network = getattr(transport._pool, "_network_backend", None)  # noqa: SLF001 - as in `swift`
    if isinstance(network, Network):
        network.abort()


def _delay(host: str) -> float | None:
    """Return when to try another address of a host as well: a single one needs no race."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _EYEBALLS_SECONDS
    return None


def guard(response: httpx.Response) -> None:
    """Let no further request go where a server has said more than it was asked.

    What it said too much stays with httpcore's parser, which would take it for the answer to the
    next request on that connection.
    """
    connection = response.extensions.get("network_stream")
    part: Any = response.stream
    for name in ("_stream", "_httpcore_stream", "_stream", "_connection"):
        part = getattr(part, name, None)
    parser = getattr(part, "_h11_state", None)
    if isinstance(connection, Wire) and hasattr(parser, "trailing_data"):
        connection._parser = parser  # noqa: SLF001 - this module's own
        # all that has come, in one part: each of them costs as much
        part.READ_NUM_BYTES = 2 * HIGH_BYTES


class Network(httpcore.AsyncNetworkBackend):
    """Makes connections."""

    def __init__(self) -> None:
        self._made: list[Wire] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to a host."""
        source = None if local_address is None else (local_address, 0)
        with _as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                _, wire = await asyncio.get_running_loop().create_connection(
                    Wire, host, port, local_addr=source, happy_eyeballs_delay=_delay(host)
                )
        self._made = [one for one in self._made if not one.closing] + [wire]
        for option in socket_options or ():
            wire.get_extra_info("socket").setsockopt(*option)
        return wire

    def abort(self) -> None:
        """Close every connection it has made, at once."""
        for wire in self._made:
            wire.abort()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection: what has come and was not read yet, and whether it has ended."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._came: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._full = False
        self._gather_seconds = 0.0
        self._read_at = float("-inf")
        self._awaited = 0
        self._parser: Any = None

    def expect(self, size: int) -> None:
        """Let so many bytes come before whoever reads them is woken; 0: as they come.

        For an answer that is read as a whole: waking up for each of its parts costs more than they
        do. What is expected may be more than ever comes.
        """
        waiting = len(self._parser.trailing_data[0]) if self._parser is not None else 0
        self._awaited = max(0, size - waiting)

    def gather(self, seconds: float) -> None:
        """Let what comes gather for so long after each read; the next read is still at once.

        For a stream of many small parts: waking up for each of them costs more than reading it.
        """
        self._gather_seconds = seconds
        self._read_at = float("-inf")

    @property
    def closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    # what asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what has come, and wake whoever waits for it."""
        self._came.append(data)
        self._size += len(data)
        if self._size > HIGH_BYTES and self._transport is not None:
            self._transport.pause_reading()
        if self._is_enough():
            _wake(self._reader)

    def eof_received(self) -> None:
        """Note that no more will come; asyncio closes the connection."""
        self._ended = True
        _wake(self._reader)

    def connection_lost(self, error: Exception | None) -> None:
        """Note why it ended."""
        self._ended, self._error = True, error
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        """Hold whoever writes."""
        self._full = True

    def resume_writing(self) -> None:
        """Let whoever writes go on."""
        self._full = False
        _wake(self._writer)

    # what httpcore asks for

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> bytes:
        """Return some of what has come, or nothing where the other end has closed."""
        if self._gather_seconds and not self._came:
            await self._rest()
        if not self._is_enough() and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await _within(self._reader, timeout, httpcore.ReadTimeout)
            finally:
                self._reader = None
        if self._came:
            return self._take(max_bytes)
        if self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        return b""

    async def _rest(self) -> None:
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

    def _is_enough(self) -> bool:
        return self._size >= min(max(1, self._awaited), HIGH_BYTES)

    def _take(self, most: int) -> bytes:
        data = self._came[0] if len(self._came) == 1 else b"".join(self._came)
        self._came.clear()
        if len(data) > most:
            self._came.append(data[most:])
            data = data[:most]
        self._awaited = max(0, self._awaited - len(data))
        before, self._size = self._size, self._size - len(data)
        if before > LOW_BYTES >= self._size and self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> None:
        """Send bytes; return when the connection takes more."""
        if not buffer:
            return
        if self._parser is not None and self._parser.trailing_data[0]:
            # a WriteError would not do: httpcore would go on, and read what stands there
            raise httpcore.RemoteProtocolError("the server said more than it was asked")
        if self._transport is None or self._transport.is_closing():
            raise httpcore.WriteError(str(self._error or "the connection is closed"))
        self._awaited = 0  # of the answer before
        self._transport.write(buffer)
        if self._full:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await _within(self._writer, timeout, httpcore.WriteTimeout)
            finally:
                self._writer = None
            if self._full:  # woken by the end, not by room
                raise httpcore.WriteError(str(self._error or "the connection is closed"))

    async def aclose(self) -> None:
        """Close the connection; what was not sent yet will not be."""
        if self._transport is not None:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt what follows, once the other end has shown who it is."""
        loop = asyncio.get_running_loop()
        assert self._transport is not None  # noqa: S101 - for the type checker
        with _as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                secure = await loop.start_tls(
                    self._transport,
                    self,
                    ssl_context,
                    server_hostname=server_hostname,
                    ssl_shutdown_timeout=_GOODBYE_SECONDS,
                )
            if secure is None:
                raise OSError("the connection was closed")
        self._transport = secure
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks about the connection."""
        if info == "is_readable":  # an idle one that is has ended, or says what nobody asked for
            return self._ended or bool(self._came)
        if self._transport is None:
            return None
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


async def _within(
    waiting: asyncio.Future[None],
    timeout: float | None,  # noqa: ASYNC109 - see read
    late: type[Exception],
) -> None:
    if timeout is None:
        await waiting
        return
    try:
        async with asyncio.timeout(timeout):
            await waiting
    except TimeoutError:
        raise late from None


@contextlib.contextmanager
def _as(late: type[Exception], failed: type[Exception]) -> Iterator[None]:
    """Raise httpcore's errors in place of the system's; a host may also be no name at all."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except (OSError, UnicodeError) as error:
        raise failed(str(error)) from error

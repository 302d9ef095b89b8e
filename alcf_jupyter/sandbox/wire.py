"""One connection: HTTP/1.1 read and written with h11, and the means to break it on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from .requests import Request

if TYPE_CHECKING:
    from .answers import Answer

# Above this a web server in front of the gateway refuses by itself.
RECEIVE_LIMIT = 128 * 1024 * 1024
IDLE_SECONDS = 75.0


class TooMuchError(Exception):
    """The request is larger than this server reads."""


class Wire:
    """One client's connection.

    `reader` and `writer` are asyncio streams. An answer is sent with `send`, or in parts with
    `send_head`, `send_body` and `finish`; `raw`, `hang` and `reset` are there for faults.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self._ahead = b""
        self.broken = False
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self) -> Request | None:
        """Return the next request, or None when the client has gone."""
        head = None
        parts: list[bytes] = []
        size = 0
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._write(h11.InformationalResponse(status_code=100, headers=[]))
                async with asyncio.timeout(IDLE_SECONDS):
                    self._http.receive_data(await self._read())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > RECEIVE_LIMIT:
                    raise TooMuchError
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, b"".join(parts))
            else:
                return None

    async def _read(self) -> bytes:
        ahead, self._ahead = self._ahead, b""
        return ahead or await self._reader.read(262_144)

    async def wait_until_gone(self) -> None:
        """Return when the client closes its end; what it sends meanwhile is kept."""
        with contextlib.suppress(OSError):
            while data := await self._reader.read(65_536):
                self._ahead += data

    async def send(self, answer: Answer) -> None:
        """Send a whole answer, or a stream frame by frame as its frames come."""
        if answer.frames is None:
            body = answer.body()
            parts = [self.head(answer, len(body)), self._bytes(h11.Data(data=body))]
            await self.raw(b"".join([*parts, self._bytes(h11.EndOfMessage())]))
            return
        await self.send_head(answer)
        async with contextlib.aclosing(answer.frames) as frames:  # type: ignore[type-var]
            async for piece in frames:
                await self.send_body(piece)
        await self.finish()

    async def send_head(self, answer: Answer, length: int | None = None) -> None:
        """Send the status line and the headers."""
        await self.raw(self.head(answer, length))

    def head(self, answer: Answer, length: int | None = None) -> bytes:
        """Return the bytes of the status line and the headers; without a length, chunks follow."""
        headers = [("content-type", answer.content_type), ("server", "alcf-jupyter-sandbox")]
        headers += answer.headers
        if length is not None:
            headers.append(("content-length", str(length)))
        reason = HTTPStatus(answer.status).phrase.encode()
        response = h11.Response(status_code=answer.status, headers=headers, reason=reason)
        return self._http.send(response) or b""

    async def send_body(self, data: bytes) -> None:
        """Send a part of the body."""
        if data:
            await self._write(h11.Data(data=data))

    async def finish(self) -> None:
        """End the answer."""
        await self._write(h11.EndOfMessage())

    def _bytes(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""

    async def _write(self, event: h11.Event) -> None:
        await self.raw(self._bytes(event))

    async def raw(self, data: bytes) -> None:
        """Send bytes past HTTP."""
        self._writer.write(data)
        await self._writer.drain()

    def next_request(self) -> bool:
        """Make ready for the next request; False when the connection is done."""
        if self.broken or self._http.our_state is not h11.DONE:
            return False
        if self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def reset(self) -> None:
        """Drop the connection so that the client sees it reset."""
        self.broken = True
        sock: socket.socket = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def hang(self) -> None:
        """Keep the connection open and say nothing more; whoever watches for the client ends it."""
        self.broken = True
        await asyncio.Event().wait()

    def break_off(self) -> None:
        """Close the connection in good manners, wherever the answer is."""
        self.broken = True
        self._writer.close()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


def _request(head: h11.Request, body: bytes) -> Request:
    target = urlsplit(head.target.decode("ascii", "replace"))
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode(), unquote(target.path), query, headers, body)

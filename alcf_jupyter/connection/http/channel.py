"""HTTP/1.1 on one connection: a request goes, its answer comes, and then perhaps the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11

from alcf_jupyter.connection.http.wire import BrokenError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from alcf_jupyter.connection.http.wire import Wire

_MAX_HEAD_BYTES = 100 * 1024
_PIECE_BYTES = 4_194_304
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Request:
    """What to send.

    Attributes
    ----------
    method
        Such as ``"POST"``.
    target
        Path and query, as they stand in a request.
    headers
        All but those that tell the body's length. One holds a token: they are not shown.
    body
        None for none.
    """

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


class Channel:
    """Speaks HTTP/1.1 over a connection, with one other end, one request at a time.

    Parameters
    ----------
    wire
        The connection.
    prefix, headers
        What a proxy that is not tunnelled through wants before each target, and with each request.
    """

    def __init__(self, wire: Wire, prefix: str = "", headers: dict[str, str] | None = None) -> None:
        self.wire = wire
        self._prefix = prefix
        self._headers = headers or {}
        self._speech = h11.Connection(h11.CLIENT)
        self.length: int | None = 0
        """How many bytes the body of the answer has, or None where it tells its end itself."""
        self._whole = False
        self._sound = False

    @property
    def is_free(self) -> bool:
        """Whether a next request may follow: the answer was read to its end, and no more came.

        Whatever came too much would be taken for the answer to the next request.
        """
        return self._whole and self._sound and self.wire.is_quiet

    async def ask(self, request: Request, sent: Callable[[], None] | None = None) -> h11.Response:
        """Send a request and return the head of its answer.

        Parameters
        ----------
        request
            What to send.
        sent
            Called when it has left.

        Raises
        ------
        BrokenError
            The connection does not hold, or what comes is no answer.
        """
        # one for each: what this one has read ahead is nobody else's
        self._speech = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._whole = False
        try:
            await self.wire.write(self._written(request))
            if sent is not None:
                sent()
            head = await self._head()
        except h11.ProtocolError as error:
            raise _odd(error) from error
        self._frame(request.method, head)
        return head

    def parts(self) -> AsyncGenerator[bytes]:
        """Yield the body of the answer as it comes; raises BrokenError where it has no end."""
        return self._framed() if self.length is None else self._counted(self.length)

    async def body(self, most: int) -> bytearray | bytes:
        """Return the body of the answer, or where it is longer, its first bytes, over `most`.

        Raises
        ------
        BrokenError
            It does not come to its end.
        """
        found: list[bytes | bytearray] = []
        if self.length is None:
            size = 0
            async for part in self._framed():
                found.append(part)
                size += len(part)
                if size > most:
                    break
        else:
            left = min(self.length, most + 1)
            while left:
                # no more at a time: nothing is taken for what is only announced
                piece = bytearray(min(left, _PIECE_BYTES))
                if (came := await self.wire.fill(memoryview(piece))) < len(piece):
                    raise self._early(self.length - left + came)
                found.append(piece)
                left -= came
            self._whole = self.length <= most
        return found[0] if len(found) == 1 else b"".join(found)

    def _written(self, request: Request) -> bytes:
        headers = [*self._headers.items(), *request.headers.items()]
        if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(request.body or b""))))
        parts = [
            self._speech.send(
                h11.Request(
                    method=request.method, target=self._prefix + request.target, headers=headers
                )
            ),
            self._speech.send(h11.Data(data=request.body)) if request.body else b"",
            self._speech.send(h11.EndOfMessage()),
        ]
        return b"".join(part for part in parts if part)

    def _frame(self, method: str, head: h11.Response) -> None:
        """Learn how the body ends (RFC 9112, section 6.3), and whether the connection stays."""
        told = dict(head.headers)
        self._sound = self._speech.our_state is h11.DONE
        if method == "HEAD" or head.status_code in (204, 304) or self._switched:
            self.length = 0
        elif b"transfer-encoding" in told:
            self.length = None
            # two ways to find the end: whoever is in between may have taken the other one
            self._sound = self._sound and b"content-length" not in told
        elif b"content-length" in told:
            self.length = int(told[b"content-length"])
        else:
            self.length = None
        if self.length is not None:
            self.wire.unread(self._speech.trailing_data[0])

    @property
    def _switched(self) -> bool:
        return self._speech.their_state is h11.SWITCHED_PROTOCOL

    async def _counted(self, length: int) -> AsyncGenerator[bytes]:
        """Yield a body of known length: h11 would copy it twice, and look at no byte of it."""
        left = length
        while left:
            part = await self.wire.read(left)
            if not part:
                raise self._early(length - left)
            left -= len(part)
            yield part
        self._whole = True

    def _early(self, came: int) -> BrokenError:
        return BrokenError(f"the answer ended early: {came:,} of {self.length:,} bytes")

    async def _framed(self) -> AsyncGenerator[bytes]:
        """Yield a body that comes in chunks, or up to the end of the connection."""
        found: list[bytes] = []
        while True:
            try:
                event = self._speech.next_event()
            except h11.ProtocolError as error:
                if found:
                    yield b"".join(found)
                raise _odd(error) from error
            if type(event) is h11.Data:
                found.append(event.data)
                continue
            if found:
                yield b"".join(found)
                found.clear()
            if event is h11.NEED_DATA:
                self._speech.receive_data(await self.wire.read())
            else:  # the end of the message
                break
        self._whole = not self._speech.trailing_data[0]

    async def _head(self) -> h11.Response:
        """Return the head of the answer, past the informational ones."""
        data = await self.wire.read()
        # no more than the head: what follows is read past h11 where its length is known
        if (end := data.find(_END_OF_HEAD)) >= 0:
            end += len(_END_OF_HEAD)
            self.wire.unread(data[end:])
            data = data[:end]
        while data:
            self._speech.receive_data(data)
            while (event := self._speech.next_event()) is not h11.NEED_DATA:
                if type(event) is h11.Response:
                    return event
            data = await self.wire.read()
        raise BrokenError("the connection was closed without an answer")


def _odd(error: h11.ProtocolError) -> BrokenError:
    told = str(error)
    if told.startswith("peer closed"):
        return BrokenError("the answer ended early and is incomplete")
    return BrokenError(f"what came is no proper HTTP ({told})")

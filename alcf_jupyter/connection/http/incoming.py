"""An answer: while it arrives, and whole."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alcf_jupyter.connection.http.wire import BrokenError
from alcf_jupyter.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import h11

    from alcf_jupyter.connection.http.channel import Channel

MAX_ANSWER_BYTES = 32_000_000
MAX_STREAM_BYTES = 250_000_000
"""More than 100,000 tokens come in, each with a few hundred bytes about it, or some thousand."""

_MAX_FAILURE_BYTES = 1_000_000
_DRAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: the HTTP status, the content type and the body (also as a bytearray)."""

    status: int
    content_type: str
    body: bytes | bytearray


class Incoming:
    """An answer whose head has come and whose body is on its way.

    Parameters
    ----------
    head
        Its head.
    channel
        Where it comes from.
    ended
        Called once, when nothing more is wanted of it.

    Attributes
    ----------
    status
        The HTTP status.
    content_type
        In small letters.
    chunks
        The body, as it comes.
    """

    def __init__(
        self, head: h11.Response, channel: Channel, ended: Callable[[Channel], None]
    ) -> None:
        self.status = head.status_code
        self._headers = head.headers
        self.content_type = self.header("content-type").casefold()
        self.chunks = _bounded(channel.parts())
        self._channel = channel
        self._ended: Callable[[Channel], None] | None = ended

    def header(self, name: str) -> str:
        """Return what a header says, ``""`` where there is none; its name is in small letters."""
        wanted = name.encode()
        return ", ".join(told.decode("latin-1") for key, told in self._headers if key == wanted)

    async def read(self, limit: int = MAX_ANSWER_BYTES) -> Response:
        """Read the rest; of a refusal no more than tells why.

        Raises
        ------
        AnswerError
            It is longer than `limit` bytes.
        """
        if self.status != 200:
            limit = min(limit, _MAX_FAILURE_BYTES)
        elif (self._channel.length or 0) > limit:
            raise _too_long(limit)
        body = await self._channel.body(limit)
        if self.status == 200 and len(body) > limit:
            raise _too_long(limit)
        return Response(self.status, self.content_type, body)

    def gather(self, seconds: float) -> None:
        """Take what comes in portions, so many seconds apart; 0: as it comes."""
        self._channel.wire.gather(seconds)

    async def drain(self) -> None:
        """Read on to the end for a moment, so that the connection can be used again.

        For an answer that is whole already: what the connection does from here on is no matter.
        """
        with suppress(TimeoutError, BrokenError, AnswerError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for _ in self.chunks:
                    pass

    def close(self) -> None:
        """End it; a second call does nothing."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self._channel)


async def _bounded(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the parts of a stream, up to where it is none that anybody asked for."""
    size = 0
    async for part in parts:
        size += len(part)
        if size > MAX_STREAM_BYTES:
            raise _too_long(MAX_STREAM_BYTES)
        yield part


def _too_long(limit: int) -> AnswerError:
    return AnswerError(
        f"The answer is longer than {limit:,} bytes; it was not read further.",
        do="Ask for less in one request.",
    )

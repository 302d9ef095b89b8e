"""Relaying a stream from the model server to the client, with each cluster's own failures."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from .answers import DONE, frame
from .model_server import DiedError
from .models import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .clock import Clock
    from .pieces import Piece

# Sophia: the compute node posts its chunks to the gateway in bursts.
BURST_CHUNKS = 20
BURST_SECONDS = 0.5
LARGEST_CHUNK = 150_000
SHORTEST_SLEEP = 0.002
FIRST_DATA_SECONDS = 30.0
NO_NEW_DATA_SECONDS = 5.0
STREAM_SECONDS = 300.0

TIMED_OUT = {
    "object": "error",
    "message": (
        "Streaming task timed out: No data received from compute endpoint after 30 seconds. "
        "This may indicate network or endpoint configuration issues."
    ),
    "type": "StreamingTimeoutError",
    "param": None,
    "code": 504,
}
MASKED = {
    "object": "error",
    "message": "An error occurred during processing",
    "type": "InternalServerError",
    "param": None,
    "code": 500,
}


class BrokenOffError(Exception):
    """The answer ends here, without a proper end of the HTTP message."""


class Pace:
    """Waits for the pieces of a stream at the speed they are meant to come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = time.monotonic()
        self.seconds = 0.0

    async def wait(self, piece: Piece) -> None:
        """Wait until a piece is due; what one wait takes too long the next ones make up for."""
        self.seconds += piece.pause + piece.stall
        if piece.stall:
            await self._clock.sleep(piece.stall)
            self._due = max(self._due, time.monotonic())
        self._due += piece.pause
        left = self._due - time.monotonic()
        # Without a wait, other requests still have their turn.
        await asyncio.sleep(left if left > SHORTEST_SLEEP else 0)


class _Node:
    """A compute node that gathers chunks and posts them to the gateway in bursts."""

    def __init__(self, clock: Clock) -> None:
        self._pace = Pace(clock)
        self._chunks: list[bytes] = []
        self._posted = time.monotonic()
        self.has_posted = False

    async def take(self, piece: Piece) -> None:
        """Wait for a piece and keep it; very large ones are lost on the way."""
        patience = NO_NEW_DATA_SECONDS if self.has_posted else FIRST_DATA_SECONDS
        if piece.stall > patience:
            # To the gateway a long silence and a dead server are the same.
            raise DiedError
        await self._pace.wait(piece)
        chunk = frame(piece.event)
        if len(chunk) <= LARGEST_CHUNK:
            self._chunks.append(chunk)

    def seconds(self) -> float:
        """Return how long the answer has taken by the model's own account."""
        return self._pace.seconds

    def burst(self, *, last: bool = False) -> list[bytes]:
        """Return the chunks that are posted now."""
        due = time.monotonic() - self._posted >= BURST_SECONDS
        if not (last or due or len(self._chunks) >= BURST_CHUNKS):
            return []
        ready, self._chunks = self._chunks, []
        self._posted, self.has_posted = time.monotonic(), True
        return ready


async def compute_relay(pieces: AsyncIterator[Piece], clock: Clock) -> AsyncIterator[bytes]:
    """Relay as Sophia does: in bursts, with [DONE] after 5 s of silence whatever is missing.

    An error of the model server arrives in the stream; newer servers' errors are masked. A server
    that dies before the first burst makes the gateway wait 30 s and report a time-out.
    """
    node = _Node(clock)
    try:
        async for piece in pieces:
            await node.take(piece)
            if node.seconds() > STREAM_SECONDS:
                return
            for chunk in node.burst():
                yield chunk
        for chunk in node.burst(last=True):
            yield chunk
    except Refused as refused:
        yield frame(masked(refused.body))
    except DiedError:
        await clock.sleep(NO_NEW_DATA_SECONDS if node.has_posted else FIRST_DATA_SECONDS)
        if not node.has_posted:
            yield frame(TIMED_OUT)
    yield DONE


def masked(body: dict[str, Any]) -> dict[str, Any]:
    """Return a model server's error as Sophia's stream shows it."""
    return body if body.get("object") == "error" else MASKED


async def direct_relay(
    pieces: AsyncIterator[Piece], clock: Clock, model: str
) -> AsyncIterator[bytes]:
    """Relay as Metis does: piece by piece; an error comes as the assistant's words.

    A model server that dies leaves a stream that just ends: no finish reason, no [DONE].
    """
    pace = Pace(clock)
    try:
        async for piece in pieces:
            await pace.wait(piece)
            yield frame(piece.event)
    except Refused as refused:
        yield frame(api_error(json.dumps(refused.body), model, int(clock.now())))
    except DiedError:
        return
    yield DONE


def api_error(body: str, model: str, created: int) -> dict[str, Any]:
    """Return the chunk in which Metis dresses an upstream error up as an answer."""
    text = (
        "\n\n[ERROR] Error: Unexpected error calling stream API: Error: Could not send stream API "
        f"call to http://upstream.invalid/v1/chat/completions: {body}"
    )
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    return {
        "id": "chatcmpl-api-error",
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "choices": [choice],
    }


async def plain_relay(pieces: AsyncIterator[Piece], clock: Clock) -> AsyncIterator[bytes]:
    """Relay as a model server without a gateway does."""
    pace = Pace(clock)
    try:
        async for piece in pieces:
            await pace.wait(piece)
            yield frame(piece.event)
    except DiedError:
        raise BrokenOffError from None
    yield DONE

"""Faults of the connection: dropped, silent, slow, cut in odd places, too much."""

# ruff: noqa: D401  # a fault's docstring is what is listed of it: what happens
from __future__ import annotations

import asyncio
import gzip as gzip_format
import json
import zlib
from typing import TYPE_CHECKING

from alcf_jupyter.sandbox.answers import Answer

from .fault import ANY, Occasion, fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from alcf_jupyter.sandbox.wire import Wire

MEGABYTE = 1_000_000
# Long enough for what was written to leave the machine's buffers before the next step.
_MOMENT = 0.02


async def _parts(answer: Answer) -> AsyncIterator[bytes]:
    """Give the body in the parts it would be sent in."""
    if answer.frames is None:
        yield answer.body()
        return
    async for part in answer.frames:
        yield part


async def _whole(answer: Answer) -> bytes:
    return b"".join([part async for part in _parts(answer)])


async def _head(wire: Wire, answer: Answer) -> None:
    length = None if answer.frames is not None else len(answer.body())
    await wire.send_head(answer, length)


@fault("send")
async def refused(occasion: Occasion, wire: Wire, _answer: Answer) -> None:
    """The connection is reset and new ones are refused; parameter `seconds` (1), real."""
    occasion.service.stop_listening(occasion.number("seconds", 1.0))
    wire.reset()


@fault("send")
async def reset_before(_occasion: Occasion, wire: Wire, _answer: Answer) -> None:
    """The connection is reset before any byte of the answer."""
    wire.reset()


@fault("send")
async def reset_in_headers(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """The connection is reset within the headers."""
    head = wire.head(answer, 100)
    await wire.raw(head[: len(head) // 2])
    await asyncio.sleep(_MOMENT)
    wire.reset()


@fault("send")
async def reset_after_headers(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """The connection is reset after the headers."""
    await _head(wire, answer)
    await asyncio.sleep(_MOMENT)
    wire.reset()


async def _some_body(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """Send the head and a part of the body, half of it or parameter `after` bytes."""
    body = await _whole(answer)
    keep = int(occasion.number("after", len(body) // 2))
    length = None if answer.frames is not None else len(body)
    await wire.send_head(answer, length)
    await wire.send_body(body[: min(keep, len(body) - 1)])


@fault("send")
async def reset_in_body(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """The connection is reset within the body; parameter `after` (half), bytes."""
    await _some_body(occasion, wire, answer)
    await asyncio.sleep(_MOMENT)
    wire.reset()


@fault("send")
async def close_before(_occasion: Occasion, wire: Wire, _answer: Answer) -> None:
    """The connection is closed before any byte of the answer."""
    wire.break_off()


@fault("send")
async def close_in_headers(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """The connection is closed within the headers."""
    head = wire.head(answer, 100)
    await wire.raw(head[: len(head) // 2])
    wire.break_off()


@fault("send")
async def close_in_body(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """The connection is closed within the body; parameter `after` (half), bytes."""
    await _some_body(occasion, wire, answer)
    wire.break_off()


@fault("send")
async def half_open(_occasion: Occasion, wire: Wire, _answer: Answer) -> None:
    """The connection stays open and nothing ever comes."""
    await wire.hang()


@fault("send")
async def half_open_after_headers(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """The headers come, then nothing ever."""
    await _head(wire, answer)
    await wire.hang()


@fault("send")
async def half_open_in_body(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """Half of the body comes, then nothing ever; parameter `after`, bytes."""
    await _some_body(occasion, wire, answer)
    await wire.hang()


@fault("send")
async def drip(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """One byte of the body a second; parameter `interval` (1), real seconds."""
    await _head(wire, answer)
    async for part in _parts(answer):
        for place in range(len(part)):
            await wire.send_body(part[place : place + 1])
            await asyncio.sleep(occasion.number("interval", 1.0))
    await wire.finish()


@fault("send")
async def drip_headers(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """One byte of the headers a second; parameter `interval` (1), real seconds."""
    body = await _whole(answer)
    head = wire.head(answer, len(body))
    for place in range(len(head)):
        await wire.raw(head[place : place + 1])
        await asyncio.sleep(occasion.number("interval", 1.0))
    await wire.send_body(body)
    await wire.finish()


@fault("send")
async def one_byte_chunks(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """A good answer, each byte in an HTTP chunk of its own."""
    body = await _whole(answer)
    await wire.send_head(answer)
    for place in range(len(body)):
        await wire.send_body(body[place : place + 1])
    await wire.finish()


@fault("send")
async def one_chunk(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """A good stream, all events in one HTTP chunk."""
    body = await _whole(answer)
    await wire.send_head(answer)
    await wire.send_body(body)
    await wire.finish()


@fault("send")
async def split_utf8(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """A good answer, cut within every character that has more than one byte."""
    if answer.content is None and answer.frames is None:
        answer = _as_written(answer)
    await wire.send_head(answer)
    async for part in _parts(answer):
        for piece in _cut(part, lambda before, after: after & 0xC0 == 0x80 and before >= 0x80):
            await wire.send_body(piece)
            await asyncio.sleep(0)
    await wire.finish()


@fault("send")
async def split_crlf(_occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """A good stream whose lines end in CR LF, cut between the two."""
    await wire.send_head(answer)
    async for part in _parts(answer):
        lines = part.replace(b"\n", b"\r\n") if answer.frames is not None else part
        for piece in _cut(lines, lambda before, after: before == 13 and after == 10):
            await wire.send_body(piece)
            await asyncio.sleep(0)
    await wire.finish()


def _as_written(answer: Answer) -> Answer:
    """Return a JSON answer whose characters are not escaped."""
    text = json.dumps(answer.payload, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(answer.status, content=text, headers=answer.headers)


def _cut(data: bytes, between: Callable[[int, int], bool]) -> list[bytes]:
    """Cut between two bytes wherever `between` holds for them."""
    places = [n for n in range(1, len(data)) if between(data[n - 1], data[n])]
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@fault("after")
async def gzip(_occasion: Occasion, answer: Answer) -> Answer:
    """A good answer, compressed though nobody asked."""
    if answer.frames is not None:
        return answer
    packed = gzip_format.compress(answer.body(), mtime=0)
    headers = [*answer.headers, ("content-encoding", "gzip")]
    return Answer(answer.status, content=packed, content_type=answer.content_type, headers=headers)


@fault("send")
async def gzip_bomb(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """A small compressed body that opens to parameter `mb` (500) megabytes of white space."""
    blank = b" " * MEGABYTE
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(blank) + packer.flush(zlib.Z_FULL_FLUSH)
    await wire.send_head(
        Answer(200, content_type=answer.content_type, headers=[("content-encoding", "gzip")])
    )
    await wire.send_body(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
    check = 0
    count = int(occasion.number("mb", 500))
    for _ in range(count):
        check = zlib.crc32(blank, check)
        await wire.send_body(block)
        await asyncio.sleep(0)
    last = b"{}"
    end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    size = (count * MEGABYTE + len(last)) & 0xFFFFFFFF
    trailer = zlib.crc32(last, check).to_bytes(4, "little") + size.to_bytes(4, "little")
    await wire.send_body(end.compress(last) + end.flush() + trailer)
    await wire.finish()


@fault("send")
async def long_line(occasion: Occasion, wire: Wire, answer: Answer) -> None:
    """A line of parameter `mb` (100) megabytes, in a stream or as a whole answer."""
    opening = b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, '
    opening += b'"message": {"role": "assistant", "content": "'
    closing = b'"}, "finish_reason": "stop"}]}'
    if answer.frames is not None:
        opening = b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": "'
        closing = b'"}, "finish_reason": null}]}\n\ndata: [DONE]\n\n'
    await wire.send_head(Answer(200, content_type=answer.content_type))
    await wire.send_body(opening)
    block = b"x" * MEGABYTE
    for _ in range(int(occasion.number("mb", 100))):
        await wire.send_body(block)
    await wire.send_body(closing)
    await wire.finish()


@fault("send", ANY)
async def not_http(_occasion: Occasion, wire: Wire, _answer: Answer) -> None:
    """An answer that is not HTTP."""
    await wire.raw(b"SSH-2.0-OpenSSH_9.6\r\n")
    wire.break_off()

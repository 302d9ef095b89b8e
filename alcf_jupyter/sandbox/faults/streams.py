"""Faults inside a stream, where the status 200 is already out."""

# ruff: noqa: D401  # a fault's docstring is what is listed of it: what happens
from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from alcf_jupyter.sandbox import relay
from alcf_jupyter.sandbox.answers import DONE, Answer, frame
from alcf_jupyter.sandbox.answers import STREAM as STREAM_TYPE
from alcf_jupyter.sandbox.catalog import COMPUTE

from .fault import STREAM, Occasion, fault
from .proxies import PORTAL

Frames = AsyncIterator[bytes]
_USUAL_AFTER = 3


def _event(raw: bytes) -> dict[str, Any] | None:
    if raw == DONE or not raw.startswith(b"data: "):
        return None
    event: dict[str, Any] = json.loads(raw[6:])
    return event


def _finishes(raw: bytes) -> bool:
    event = _event(raw)
    return bool(event and any(one.get("finish_reason") for one in event.get("choices") or []))


async def _first(frames: Frames, occasion: Occasion) -> Frames:
    """Give the first `after` frames, short of any that ends the answer."""
    left = int(occasion.number("after", _USUAL_AFTER))
    async for raw in frames:
        if left <= 0 or raw == DONE or _finishes(raw):
            return
        left -= 1
        yield raw


async def _then(frames: Frames, *more: bytes) -> Frames:
    async for raw in frames:
        yield raw
    for raw in more:
        yield raw


def _stream(frames: Frames) -> Answer:
    return Answer(content_type=STREAM_TYPE, frames=frames)


async def _only(*frames: bytes) -> Frames:
    for raw in frames:
        yield raw


def _of(answer: Answer) -> Frames:
    # A refusal before the stream has no frames; it is left as it is by giving it as one.
    return answer.frames if answer.frames is not None else _only(answer.body())


async def _each(
    frames: Frames, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> Frames:
    async for raw in frames:
        event = _event(raw)
        if event is None:
            yield raw
        elif (changed := change(event)) is not None:
            yield frame(changed)


def _error(occasion: Occasion) -> dict[str, Any]:
    code = int(occasion.number("code", 500))
    kind = {400: "BadRequestError", 404: "NotFoundError"}.get(code, "InternalServerError")
    message = occasion.text("message", "The model stopped in the middle of its answer.")
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


@fault("after", STREAM)
async def stream_error(occasion: Occasion, answer: Answer) -> Answer:
    """An error object after some pieces, then [DONE]; parameters `after` (3), `code`, `message`."""
    return _stream(_then(_first(_of(answer), occasion), frame(_error(occasion)), DONE))


@fault("after", STREAM)
async def stream_error_masked(occasion: Occasion, answer: Answer) -> Answer:
    """The same, with the words in which the gateway hides a current vLLM error; `after` (3)."""
    return _stream(_then(_first(_of(answer), occasion), frame(relay.MASKED), DONE))


@fault("after", STREAM)
async def stream_error_nested(occasion: Occasion, answer: Answer) -> Answer:
    """The same in the shape {"error": {...}}; parameters `after` (3), `code`, `message`."""
    told = _error(occasion)
    del told["object"]
    return _stream(_then(_first(_of(answer), occasion), frame({"error": told}), DONE))


@fault("after", STREAM)
async def stream_api_error(occasion: Occasion, answer: Answer) -> Answer:
    """The error as the assistant's words, id chatcmpl-api-error, and stop; `after` (0)."""
    parameters = {"after": "0", **occasion.parameters}
    early = Occasion(occasion.service, occasion.request, parameters)
    created = int(occasion.service.clock.now())
    body = json.dumps({"error": {"message": "upstream says 500", "code": 500}})
    event = relay.api_error(body, occasion.model_name(), created)
    return _stream(_then(_first(_of(answer), early), frame(event), DONE))


@fault("after", STREAM)
async def stream_no_finish(occasion: Occasion, answer: Answer) -> Answer:
    """Cut off with [DONE] and no finish_reason; parameter `after` (3)."""
    return _stream(_then(_first(_of(answer), occasion), DONE))


@fault("after", STREAM)
async def stream_cut(occasion: Occasion, answer: Answer) -> Answer:
    """Cut off without [DONE], the HTTP message ending as it should; parameter `after` (3)."""
    return _stream(_first(_of(answer), occasion))


@fault("after", STREAM)
async def stream_broken(occasion: Occasion, answer: Answer) -> Answer:
    """Cut off by a connection that closes within the HTTP message; parameter `after` (3)."""

    async def broken() -> Frames:
        async for raw in _first(_of(answer), occasion):
            yield raw
        raise relay.BrokenOffError

    return _stream(broken())


@fault("after", STREAM)
async def stream_no_done(_occasion: Occasion, answer: Answer) -> Answer:
    """Whole but for the [DONE] at its end."""

    async def without() -> Frames:
        async for raw in _of(answer):
            if raw != DONE:
                yield raw

    return _stream(without())


@fault("after", STREAM)
async def stream_gap(occasion: Occasion, answer: Answer) -> Answer:
    """Silence after some pieces; Sophia then says [DONE]; parameters `after` (3), `seconds` (8)."""
    cluster = occasion.cluster()
    seconds = occasion.number("seconds", 8.0)
    patience = relay.NO_NEW_DATA_SECONDS if cluster and cluster.kind == COMPUTE else seconds

    async def gapped() -> Frames:
        frames = _of(answer)
        async for raw in _first(frames, occasion):
            yield raw
        await occasion.service.clock.sleep(min(seconds, patience))
        if seconds > patience:
            yield DONE
            return
        async for raw in frames:
            yield raw

    return _stream(gapped())


@fault("after", STREAM)
async def stream_timeout(occasion: Occasion, _answer: Answer) -> Answer:
    """Nothing for 30 service seconds, then StreamingTimeoutError and [DONE]."""

    async def late() -> Frames:
        await occasion.service.clock.sleep(relay.FIRST_DATA_SECONDS)
        yield frame(relay.TIMED_OUT)
        yield DONE

    return _stream(late())


@fault("after", STREAM)
async def stream_authentication(_occasion: Occasion, _answer: Answer) -> Answer:
    """The compute node may not call back: AuthenticationError 401 in the stream."""
    event = {
        "object": "error",
        "message": (
            "Streaming authentication failed: Remote compute endpoint could not authenticate with "
            "streaming API. Check INTERNAL_STREAMING_SECRET configuration."
        ),
        "type": "AuthenticationError",
        "param": None,
        "code": 401,
    }
    return _stream(_only(frame(event), DONE))


@fault("after", STREAM)
async def stream_empty(_occasion: Occasion, _answer: Answer) -> Answer:
    """Nothing but [DONE]."""
    return _stream(_only(DONE))


@fault("after", STREAM)
async def stream_nothing(_occasion: Occasion, _answer: Answer) -> Answer:
    """An event stream of no bytes at all."""
    return _stream(_only())


@fault("after", STREAM)
async def stream_hole(occasion: Occasion, answer: Answer) -> Answer:
    """One piece in the middle is lost without a trace; parameter `after` (3)."""
    place = int(occasion.number("after", _USUAL_AFTER))

    async def holed() -> Frames:
        number = 0
        async for raw in _of(answer):
            number += 1
            if number != place + 1 or raw == DONE or _finishes(raw):
                yield raw

    return _stream(holed())


@fault("after", STREAM)
async def stream_garbage(occasion: Occasion, answer: Answer) -> Answer:
    """A line in the middle that is not JSON, then [DONE]; parameter `after` (3)."""
    garbage = b'data: {"id": "chatcmpl-1", "choices": [{"index": 0, "del\n\n'
    return _stream(_then(_first(_of(answer), occasion), garbage, DONE))


@fault("after", STREAM)
async def stream_null_choices(_occasion: Occasion, answer: Answer) -> Answer:
    """Every piece has `choices: null`."""
    return _stream(_each(_of(answer), lambda event: {**event, "choices": None}))


@fault("after", STREAM)
async def stream_no_text(_occasion: Occasion, answer: Answer) -> Answer:
    """Role and finish_reason stop, and not one word."""

    def without(event: dict[str, Any]) -> dict[str, Any] | None:
        deltas = [one.get("delta", {}) for one in event["choices"]]
        speaks = any(delta.get("content") or delta.get("reasoning_content") for delta in deltas)
        return None if speaks else event

    return _stream(_each(_of(answer), without))


@fault("after", STREAM)
async def stream_as_json(_occasion: Occasion, answer: Answer) -> Answer:
    """A whole JSON answer where a stream was asked for."""
    text, last = "", {}
    async for raw in _of(answer):
        if (event := _event(raw)) and event.get("choices"):
            text += event["choices"][0].get("delta", {}).get("content") or ""
            last = event
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Answer(payload={**last, "object": "chat.completion", "choices": [choice]})


@fault("after", STREAM)
async def stream_html(_occasion: Occasion, _answer: Answer) -> Answer:
    """An event stream that is a page."""
    return _stream(_only(PORTAL.encode()))


@fault("after", STREAM)
async def stream_comments(_occasion: Occasion, answer: Answer) -> Answer:
    """A good stream with comments, other fields and empty lines between its events."""

    async def commented() -> Frames:
        yield b": hello\n\n"
        async for raw in _of(answer):
            yield b": keep-alive\n\nid: 7\nretry: 3000\n" + raw + b"\n"

    return _stream(commented())


@fault("after", STREAM)
async def stream_no_space(_occasion: Occasion, answer: Answer) -> Answer:
    """A good stream that writes `data:` without the space."""

    async def tight() -> Frames:
        async for raw in _of(answer):
            yield raw.replace(b"data: ", b"data:", 1)

    return _stream(tight())

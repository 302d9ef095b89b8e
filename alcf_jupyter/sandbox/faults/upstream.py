"""Faults of the model server behind the gateway, worded as each cluster words them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alcf_jupyter.sandbox.answers import DONE, STREAM, Answer, GatewayError, frame, internal_error
from alcf_jupyter.sandbox.catalog import COMPUTE
from alcf_jupyter.sandbox.models import Refused
from alcf_jupyter.sandbox.relay import api_error, masked
from alcf_jupyter.sandbox.stopwatch import Stopwatch
from alcf_jupyter.sandbox.upstream import direct_error, traceback_of

from .fault import INFERENCE, Fault, Occasion, add, fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MESSAGES = {
    400: ("BadRequestError", "This model's maximum context length is 8192 tokens."),
    404: ("NotFoundError", "The model does not exist."),
    429: ("RateLimitError", "The engine is overloaded."),
    500: ("InternalServerError", "EngineCore encountered an issue."),
    503: ("ServiceUnavailableError", "The engine is not ready."),
}


def refusal(status: int, shape: str, message: str = "") -> Refused:
    """Return a model server's error: `nested` as current vLLM has it, or `flat` as older ones."""
    kind, usual = _MESSAGES[status]
    error: dict[str, Any] = {"message": message or usual, "type": kind, "param": None}
    error["code"] = status
    return Refused(status, {"error": error} if shape == "nested" else {"object": "error", **error})


def upstream_answer(occasion: Occasion, refused: Refused) -> Answer:
    """Return a model server's error as the request's cluster passes it on."""
    cluster = occasion.cluster()
    clock = occasion.service.clock
    if cluster is None:
        return Answer(refused.status, refused.body)
    if occasion.request.wants_stream() and cluster.kind == COMPUTE:
        return Answer(content_type=STREAM, frames=_frames(masked(refused.body)))
    if occasion.request.wants_stream():
        text = json.dumps(refused.body)
        event = api_error(text, occasion.model_name(), int(clock.now()))
        return Answer(content_type=STREAM, frames=_frames(event))
    if cluster.kind == COMPUTE:
        message = traceback_of(clock, refused, Stopwatch())
        return GatewayError("internal_endpoint_error", message).answer()
    return direct_error(refused).answer()


async def _frames(event: dict[str, Any]) -> AsyncIterator[bytes]:
    yield frame(event)
    yield DONE


def _upstream(status: int) -> None:
    async def answer(occasion: Occasion) -> Answer:
        shape = occasion.text("shape", "nested")
        return upstream_answer(occasion, refusal(status, shape, occasion.text("message", "")))

    summary = f"The model server says {status}; parameters `shape` (nested or flat), `message`."
    add(Fault(f"upstream-{status}", summary, INFERENCE, instead=answer))


for _status in _MESSAGES:
    _upstream(_status)


@fault("instead", INFERENCE)
async def node_unreachable(occasion: Occasion) -> Answer:
    """500 without detail: the compute node could not reach its own model server."""
    return internal_error(occasion.service.new_id())

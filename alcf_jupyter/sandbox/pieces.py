"""The events of a streamed answer, one token each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import tokens
from .whole import logprobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generation import Generated


@dataclass(frozen=True)
class Piece:
    """One event, after `pause` real seconds and `stall` service seconds of silence."""

    event: dict[str, Any]
    pause: float = 0.0
    stall: float = 0.0


def chat_pieces(
    made: Generated, body: dict[str, Any], reasoning_field: str
) -> Iterator[tuple[dict[str, Any], float, float]]:
    """Give each choice of a chat stream with its pause and its stall."""
    top = body.get("top_logprobs") or 0
    for number, delta in enumerate(_deltas(made, reasoning_field)):
        if made.dies_after is not None and number > made.dies_after:
            return
        told = body.get("logprobs") and delta.get("content")
        choice = {
            "delta": delta,
            "logprobs": logprobs([delta["content"]], top) if told else None,
            "finish_reason": None,
        }
        yield choice, made.pause() if number else 0.0, made.stalls.get(number, 0.0)
    yield {"delta": {"content": ""}, "logprobs": None, "finish_reason": made.finish}, 0.0, 0.0


def text_pieces(made: Generated) -> Iterator[tuple[dict[str, Any], float, float]]:
    """Give each choice of a completion stream with its pause and its stall."""
    for number, token in enumerate(made.content):
        choice = {"text": token, "logprobs": None, "finish_reason": None}
        yield choice, made.pause(), made.stalls.get(number, 0.0)
    yield {"text": "", "logprobs": None, "finish_reason": made.finish}, 0.0, 0.0


def _deltas(made: Generated, reasoning_field: str) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for token in made.reasoning:
        yield {reasoning_field: token}
    for token in made.content:
        yield {"content": token}
    for index, call in enumerate(made.tool_calls):
        head = {"index": index, "id": call.id, "type": "function"}
        yield {"tool_calls": [{**head, "function": {"name": call.name, "arguments": ""}}]}
        for token in tokens.split(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": token}}]}

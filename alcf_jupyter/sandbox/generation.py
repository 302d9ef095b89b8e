"""From what a model says to what it may say: cut at stop texts and limits, in tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import tokens
from .models import Prompt, Refused, answer

if TYPE_CHECKING:
    from .catalog import Model
    from .models import ToolCall


@dataclass
class Generated:
    """One choice, in tokens; `finish` is None when the model never said that it was done."""

    reasoning: list[str]
    content: list[str]
    tool_calls: tuple[ToolCall, ...]
    finish: str | None
    stop_reason: str | None
    null_content: bool
    pace: float | None
    stalls: dict[int, float] = field(default_factory=dict)
    dies_after: int | None = None

    def count(self) -> int:
        """Return the tokens that were generated."""
        called = sum(tokens.count(call.name + call.arguments) for call in self.tool_calls)
        return len(self.reasoning) + len(self.content) + called

    def pause(self) -> float:
        """Return the real seconds between two tokens."""
        return 1 / self.pace if self.pace else 0.0

    def seconds(self) -> float:
        """Return how long it takes at the model's pace, in real seconds."""
        return self.count() * self.pause()


def refuse(message: str, status: int = 400, kind: str = "BadRequestError") -> Refused:
    """Return the model server's error answer, in the shape of current vLLM."""
    error = {"message": message, "type": kind, "param": None, "code": status}
    return Refused(status, {"error": error})


def generate(model: Model, prompt: Prompt, prompt_tokens: int, limit: int | None) -> Generated:
    """Let the model answer, then cut at the stop texts and at `limit` tokens.

    Raises
    ------
    Refused
        When prompt and limit are over the model's context, as vLLM refuses them.
    """
    room = _room(model, prompt_tokens, limit)
    said = answer(model.behaviour, prompt)
    text, stopped = _cut_at_stops(said.content or "", prompt.parameters.get("stop"))
    content = tokens.split(text)
    reasoning = tokens.split(said.reasoning or "")
    finish = "stop" if stopped and said.finish else said.finish
    if len(reasoning) + len(content) > room:
        reasoning = reasoning[:room]
        content = content[: room - len(reasoning)]
        finish = "length"
    return Generated(
        reasoning=reasoning,
        content=content,
        tool_calls=said.tool_calls,
        finish=finish,
        stop_reason=stopped,
        null_content=said.content is None,
        pace=said.pace or model.pace,
        stalls=said.stalls,
        dies_after=said.dies_after,
    )


def _room(model: Model, prompt_tokens: int, limit: int | None) -> int:
    longest = f"This model's maximum context length is {model.context} tokens."
    if limit is not None and limit < 1:
        raise refuse(f"max_tokens must be at least 1, got {limit}.")
    if prompt_tokens >= model.context:
        raise refuse(
            f"{longest} However, your request has {prompt_tokens} input tokens. Please reduce the "
            "length of the input messages."
        )
    if limit is not None and prompt_tokens + limit > model.context:
        raise refuse(
            f"'max_tokens' or 'max_completion_tokens' is too large: {limit}. {longest[:-1]} and "
            f"your request has {prompt_tokens} input tokens ({limit} > {model.context} - "
            f"{prompt_tokens})."
        )
    return limit if limit is not None else model.context - prompt_tokens


def _cut_at_stops(text: str, stops: str | list[str] | None) -> tuple[str, str | None]:
    listed = [stops] if isinstance(stops, str) else stops or []
    places = [(text.find(stop), stop) for stop in listed if stop and stop in text]
    if not places:
        return text, None
    place, stop = min(places)
    return text[:place], stop

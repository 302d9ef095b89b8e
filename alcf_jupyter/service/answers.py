"""What a model answers: a text with its reasoning and tokens, a piece of it, embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FINISHED = frozenset({"stop", "tool_calls", "function_call", "end_turn"})
"""Finish reasons of a whole answer; ``length`` means cut off, any other is not trusted."""

_CALLS = frozenset({"tool_calls", "function_call"})


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request; None where the server does not tell."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(slots=True)
class Answer:
    """What a model answered, or the part of it that has arrived.

    Attributes
    ----------
    text, reasoning
        The answer, and what the model thought before it, which is kept apart.
    finish_reason
        ``""`` while none has come.
    tool_calls
        As the server gives them.
    model
        The name the server gives itself.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    model: str = ""
    id: str = ""

    @property
    def complete(self) -> bool:
        """Whether this is a whole answer."""
        if self.finish_reason in _CALLS:
            return bool(self.tool_calls)
        return self.finish_reason in FINISHED and bool(
            self.text or self.tool_calls or not self.reasoning
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event of a stream adds."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings as they came: each a base64 string or a list of numbers, in the inputs' order."""

    data: list[Any]
    usage: Usage
    model: str


def read_usage(value: Any) -> Usage:
    """Read a ``usage`` object; anything but whole numbers counts as not told."""
    told = value if isinstance(value, dict) else {}

    def count(name: str, of_responses: str = "") -> int | None:
        number = told.get(name, told.get(of_responses))
        plain = isinstance(number, int) and not isinstance(number, bool) and number >= 0
        return number if plain else None

    return Usage(
        count("prompt_tokens", "input_tokens"),
        count("completion_tokens", "output_tokens"),
        count("total_tokens"),
    )

"""What goes into a model and what comes out, before it is cut, counted and wrapped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the tools that the request brought; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass
class Said:
    """A model's whole answer.

    `pace` is in tokens per real second (None: at once). `stalls` maps a token's number to the
    service seconds of silence before it. After `dies_after` tokens the model server is gone.
    """

    content: str | None = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str | None = "stop"
    pace: float | None = None
    stalls: dict[int, float] = field(default_factory=dict)
    dies_after: int | None = None


class Refused(Exception):  # noqa: N818  # it is an answer of the model server, not a failure of it
    """The model server's own error answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass
class Prompt:
    """A chat request as a model sees it: the messages and the parameters that were set."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def user(self) -> str:
        """Return the text of the last message of the user."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return text_of(self.messages[-1].get("content")) if self.messages else ""

    def system(self) -> str:
        """Return the text of the system messages."""
        told = [m for m in self.messages if m.get("role") in ("system", "developer")]
        return "\n".join(text_of(message.get("content")) for message in told)

    def demands_json(self) -> bool:
        """Tell whether the answer must be JSON."""
        kind = (self.parameters.get("response_format") or {}).get("type")
        return kind in ("json_schema", "json_object")

    def demands_tool(self) -> bool:
        """Tell whether the answer must be a tool call, whatever the model would like."""
        choice = self.parameters.get("tool_choice")
        asked = choice == "required" or isinstance(choice, dict)
        return bool(asked and self.parameters.get("tools"))


def text_of(content: Any) -> str:
    """Return the text in a message's content: a text, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else part.get("text") for part in content]
    return "\n".join(text for text in texts if text)

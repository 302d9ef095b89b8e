"""The messages of a chat request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from .base import Strict, part_of


class Detail(StrEnum):
    """How closely an image is looked at."""

    low = "low"
    high = "high"
    auto = "auto"


class TextPart(Strict):
    """Text."""

    text: str
    type: Literal["text"]


class ImageAddress(Strict):
    """Where an image is, or the image itself in a data URL."""

    url: str
    detail: Detail | None = Detail.auto


class ImagePart(Strict):
    """An image."""

    image_url: ImageAddress
    type: Literal["image_url"]


class Sound(Strict):
    """Recorded sound."""

    data: str
    format: Literal["wav", "mp3"]


class SoundPart(Strict):
    """A recording."""

    input_audio: Sound
    type: Literal["input_audio"]


class FileFacts(Strict):
    """A file."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Strict):
    """A file."""

    file: FileFacts
    type: Literal["file"]


class RefusalPart(Strict):
    """What the model would not say."""

    refusal: str
    type: Literal["refusal"]


def _user_part(values: Any) -> Any:
    kinds: dict[str, type[Strict]] = {
        "text": TextPart,
        "image_url": ImagePart,
        "input_audio": SoundPart,
        "file": FilePart,
    }
    return part_of(values, "type", kinds, " in each user message content item")


def _assistant_part(values: Any) -> Any:
    kinds: dict[str, type[Strict]] = {"text": TextPart, "refusal": RefusalPart}
    return part_of(values, "type", kinds, " in each assistant message content item")


UserPart = Annotated[
    TextPart | ImagePart | SoundPart | FilePart | dict[str, Any], BeforeValidator(_user_part)
]
AssistantPart = Annotated[TextPart | RefusalPart | dict[str, Any], BeforeValidator(_assistant_part)]


class CalledFunction(Strict):
    """The function of a tool call."""

    arguments: str
    name: str


class Call(Strict):
    """A tool call that the assistant made."""

    function: CalledFunction
    id: str
    type: Literal["function"]


class AudioReference(Strict):
    """An earlier spoken answer."""

    id: str


class DeveloperMessage(Strict):
    """An instruction; its content is text or a list of texts, never of parts."""

    content: str | list[str]
    role: Literal["developer"]
    name: str | None = None


class SystemMessage(Strict):
    """An instruction; its content is text or a list of texts, never of parts."""

    content: str | list[str]
    role: Literal["system"]
    name: str | None = None


class UserMessage(Strict):
    """What the user says."""

    content: str | list[UserPart]
    role: Literal["user"]
    name: str | None = None


class AssistantMessage(Strict):
    """What the assistant said; other keys of an SDK's message object are refused."""

    role: Literal["assistant"]
    audio: AudioReference | None = None
    content: str | list[AssistantPart] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class ToolMessage(Strict):
    """What a tool returned."""

    content: str | list[str]
    role: Literal["tool"]
    tool_call_id: str


def _message(values: Any) -> Any:
    kinds: dict[str, type[Strict]] = {
        "developer": DeveloperMessage,
        "system": SystemMessage,
        "user": UserMessage,
        "assistant": AssistantMessage,
        "tool": ToolMessage,
    }
    return part_of(values, "role", kinds, " in each message object")


Message = Annotated[
    DeveloperMessage | SystemMessage | UserMessage | AssistantMessage | ToolMessage,
    BeforeValidator(_message),
]

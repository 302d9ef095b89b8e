"""What the gateway accepts as a chat request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .base import (
    Amount,
    Choices,
    Model,
    Penalty,
    Seed,
    Share,
    Strict,
    Temperature,
    check_bias,
    part_of,
)
from .messages import Message  # noqa: TC001  # pydantic reads the annotations


class Effort(StrEnum):
    """How long a reasoning model may think."""

    low = "low"
    medium = "medium"
    high = "high"


class Tier(StrEnum):
    """OpenAI's service tiers, as far as the gateway knows them."""

    auto = "auto"
    default = "default"


class Choice(StrEnum):
    """Whether a tool is to be called."""

    none = "none"
    auto = "auto"
    required = "required"


class TextFormat(Strict):
    """Plain text."""

    type: Literal["text"]


class JsonFormat(Strict):
    """Any JSON object."""

    type: Literal["json_object"]


class Schema(Strict):
    """A JSON schema with its name."""

    name: Annotated[str, Field(max_length=64)]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = False


class SchemaFormat(Strict):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: Schema


def _format(values: Any) -> Any:
    kinds: dict[str, type[Strict]] = {
        "text": TextFormat,
        "json_schema": SchemaFormat,
        "json_object": JsonFormat,
    }
    return part_of(values, "type", kinds, "")


ResponseFormat = Annotated[
    TextFormat | SchemaFormat | JsonFormat | dict[str, Any], BeforeValidator(_format)
]


class NamedFunction(Strict):
    """The function to call."""

    name: str


class NamedTool(Strict):
    """The tool to call."""

    function: NamedFunction
    type: Literal["function"]


class Function(Strict):
    """A function that the model may call."""

    name: Annotated[str, Field(max_length=64)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = False

    @model_validator(mode="after")
    def _check_name(self) -> Function:
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(
                "a tool's function name must be a-z, A-Z, 0-9, or contain underscores and dashes."
            )
        return self


class Tool(Strict):
    """A tool that the model may call."""

    function: Function
    type: Literal["function"]


class PredictedText(Strict):
    """A piece of a predicted answer."""

    text: str
    type: Literal["text"]


class Prediction(Strict):
    """What the answer will probably be."""

    content: str | list[PredictedText]
    type: Literal["content"]


class Place(Strict):
    """Roughly where the user is."""

    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class UserLocation(Strict):
    """Where the user is."""

    approximate: Place
    type: Literal["approximate"]


class WebSearch(Strict):
    """How to search the web."""

    search_context_size: Literal["low", "medium", "high"] | None = "medium"
    user_location: UserLocation | None = None


class StreamOptions(Strict):
    """What a stream tells at its end."""

    include_usage: bool | None = None


class ExtraBody(Strict):
    """The one extra of vLLM's that is let through, under a key that is really called so."""

    use_beam_search: bool


def _metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > 16:
        raise ValueError("'metadata' must have at most 16 key-value pairs.")
    if any(len(key) > 64 for key in value):
        raise ValueError("all 'metadata' keys must be at most 64 characters.")
    if any(len(text) > 512 for text in value.values()):
        raise ValueError("all 'metadata' values must be at most 512 characters.")
    return value


class ChatRequest(Strict):
    """A chat request; the order of the fields is the order of the errors."""

    openai_endpoint: Literal["chat/completions"] = "chat/completions"
    messages: list[Message]
    model: Model
    frequency_penalty: Penalty = 0
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = False
    max_completion_tokens: Amount = None
    max_tokens: Amount = None
    metadata: Annotated[dict[str, str], AfterValidator(_metadata)] | None = None
    modalities: (
        Annotated[list[Literal["text", "audio"]], Field(min_length=1, max_length=2)] | None
    ) = None
    n: Choices = 1
    parallel_tool_calls: bool | None = True
    prediction: Prediction | None = None
    presence_penalty: Penalty = 0
    reasoning_effort: Effort | None = Effort.medium
    response_format: ResponseFormat | None = None
    seed: Seed = None
    service_tier: Tier | None = Tier.auto
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    store: bool | None = False
    temperature: Temperature = 1
    tool_choice: Choice | NamedTool | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: Share = 1
    user: str | None = None
    web_search_options: WebSearch | None = None
    extra_body: ExtraBody | None = None

    @model_validator(mode="after")
    def _check_together(self) -> ChatRequest:
        if self.top_logprobs is not None and self.logprobs is False:
            raise ValueError("'logprobs' must be set to True when 'top_logprobs' is used.")
        check_bias(self.logit_bias)
        if isinstance(self.stop, list) and not 1 <= len(self.stop) <= 4:
            raise ValueError("'stop' list must have between 1 to 4 items.")
        return self

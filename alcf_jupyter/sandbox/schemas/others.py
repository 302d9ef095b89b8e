"""What the gateway accepts on its other routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .base import (
    Amount,
    Choices,
    Encoding,
    Model,
    Open,
    Penalty,
    Seed,
    Share,
    Strict,
    Temperature,
    check_bias,
)

MOST_INPUTS = 2048


class CompletionStreamOptions(Strict):
    """What a stream of the completions route tells at its end."""

    include_usage: bool


class CompletionRequest(Strict):
    """A request to go on from a text."""

    openai_endpoint: Literal["completions"] = "completions"
    prompt: str | list[str] | list[int] | list[list[int]]
    model: Model
    best_of: Annotated[int, Field(ge=0, le=20)] | None = 1
    echo: bool | None = False
    frequency_penalty: Penalty = 0
    logit_bias: dict[str, float] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    max_tokens: Amount = 16
    n: Choices = 1
    presence_penalty: Penalty = 0
    seed: Seed = None
    stop: Annotated[str | list[str] | None, Field(min_length=1, max_length=4)] = None
    stream: bool | None = False
    stream_options: CompletionStreamOptions | None = None
    suffix: str | None = None
    temperature: Temperature = 1
    top_p: Share = 1
    user: str | None = None

    @model_validator(mode="after")
    def _check_together(self) -> CompletionRequest:
        check_bias(self.logit_bias)
        return self


class EmbeddingRequest(Strict):
    """A request for vectors."""

    openai_endpoint: Literal["embeddings"] = "embeddings"
    input: str | list[str] | list[int] | list[list[int]]
    model: str
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Encoding | None = Encoding.float
    user: str | None = None

    @model_validator(mode="after")
    def _check_lengths(self) -> EmbeddingRequest:
        if isinstance(self.input, list):
            inner = [item for item in self.input if isinstance(item, list)]
            if any(not 1 <= len(one) <= MOST_INPUTS for one in [self.input, *inner]):
                raise ValueError("Length of all 'input' arrays must be between 1 and 2048.")
        return self


class ResponseRequest(Open):
    """A request in OpenAI's newer form."""

    openai_endpoint: Literal["responses"] = "responses"
    model: Model
    input: str | list[dict[str, Any]]
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    stream: bool | None = False
    temperature: Temperature = None
    top_p: Share = None


class MessagesMessage(Open):
    """A turn of a conversation in Anthropic's form."""

    role: Literal["user", "assistant"]
    content: str | list[dict[str, Any]]


class MessagesRequest(Open):
    """A request in Anthropic's form."""

    openai_endpoint: Literal["messages"] = "messages"
    model: Model
    messages: list[MessagesMessage]
    max_tokens: Annotated[int, Field(ge=1)]
    system: str | list[dict[str, Any]] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = False
    temperature: Share = None
    top_p: Share = None


class BatchRequest(Strict):
    """A request to work through a file."""

    model: str
    input_file: str
    output_folder_path: str | None = None


class SegmentationRequest(Open):
    """A request to find things in an image."""

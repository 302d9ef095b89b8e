"""The server behind the gateway: what vLLM does on a compute node, with the sandbox's models."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import tokens
from .generation import (
    Generated,
    deltas,
    generate,
    logprobs,
    message,
    refuse,
    usage,
)
from .models import Prompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .catalog import Model
    from .clock import Clock

USUAL_COMPLETION_TOKENS = 16
# Above this many letters embedding is done off the event loop.
_MANY_LETTERS = 20_000


class DiedError(Exception):
    """The model server went away in the middle of an answer."""


@dataclass(frozen=True)
class Piece:
    """One event of a stream, after `pause` real seconds and `stall` service seconds of silence."""

    event: dict[str, Any]
    pause: float = 0.0
    stall: float = 0.0


class ModelServer:
    """Answers requests as the model server does: JSON in, JSON or pieces out.

    Every method raises `Refused` with the server's own error answer.
    """

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id

    async def call(self, route: str, model: Model, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request that is not streamed; `route` is what stands behind /v1/."""
        _check_name(model, body)
        if model.embeds is not (route == "embeddings"):
            raise refuse(f"The model does not support {_API[route]} API")
        if route == "embeddings":
            return await self._embeddings(model, body)
        choices = self._choices(route, model, body)
        total = usage(_prompt_tokens(route, body), sum(made.count() for made in choices))
        await asyncio.sleep(max(made.seconds() for made in choices))
        if any(made.dies_after is not None for made in choices):
            raise DiedError
        return self._WRAP[route](self, model, body, choices, total)

    async def stream(self, route: str, model: Model, body: dict[str, Any]) -> AsyncIterator[Piece]:
        """Answer a streamed chat or completion request, piece by piece."""
        _check_name(model, body)
        if model.embeds:
            raise refuse(f"The model does not support {_API[route]} API")
        choices = self._choices(route, model, body)
        chat = route == "chat/completions"
        head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{self._new_id()}",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": int(self._clock.now()),
            "model": body["model"],
        }
        for index, made in enumerate(choices):
            for piece in _chat_pieces(model, body, made) if chat else _text_pieces(made):
                choice = {"index": index, **piece.event}
                yield Piece({**head, "choices": [choice]}, piece.pause, piece.stall)
            if made.dies_after is not None:
                raise DiedError
        if (body.get("stream_options") or {}).get("include_usage"):
            total = usage(_prompt_tokens(route, body), sum(made.count() for made in choices))
            yield Piece({**head, "choices": [], "usage": total})

    def _choices(self, route: str, model: Model, body: dict[str, Any]) -> list[Generated]:
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        if route == "completions" and limit is None:
            limit = USUAL_COMPLETION_TOKENS
        if route == "responses":
            limit = body.get("max_output_tokens")
        made = []
        for messages in _conversations(route, body):
            prompt = Prompt(messages, body, model.options)
            _check_images(model, messages)
            size = sum(tokens.count_content(one.get("content")) for one in messages)
            made += [generate(model, prompt, size, limit)] * (body.get("n") or 1)
        return made

    async def _embeddings(self, model: Model, body: dict[str, Any]) -> dict[str, Any]:
        from .models import vectors

        texts = _texts(body["input"])
        longest = max(tokens.count(text) for text in texts)
        if longest > model.context:
            raise refuse(
                f"This model's maximum context length is {model.context} tokens. However, you "
                f"requested {longest} tokens in the input for embedding generation. Please reduce "
                "the length of the input."
            )
        size = body.get("dimensions") or model.dimensions
        if sum(map(len, texts)) > _MANY_LETTERS:
            made = await asyncio.to_thread(vectors.embed, texts, size)
        else:
            made = vectors.embed(texts, size)
        if model.pace:
            await asyncio.sleep(tokens.count_prompt(body["input"]) / model.pace)
        rows = vectors.rows(made, body.get("encoding_format") or "float")
        return {
            "id": f"embd-{self._new_id()}",
            "object": "list",
            "created": int(self._clock.now()),
            "model": body["model"],
            "data": [
                {"index": index, "object": "embedding", "embedding": row}
                for index, row in enumerate(rows)
            ],
            "usage": usage(tokens.count_prompt(body["input"]), 0),
        }

    def _chat(
        self, model: Model, body: dict[str, Any], choices: list[Generated], total: dict[str, Any]
    ) -> dict[str, Any]:
        top = body.get("top_logprobs") or 0
        return {
            "id": f"chatcmpl-{self._new_id()}",
            "object": "chat.completion",
            "created": int(self._clock.now()),
            "model": body["model"],
            "choices": [
                {
                    "index": index,
                    "message": message(made, _reasoning_field(model)),
                    "logprobs": logprobs(made.content, top) if body.get("logprobs") else None,
                    "finish_reason": made.finish,
                    "stop_reason": made.stop_reason,
                }
                for index, made in enumerate(choices)
            ],
            "usage": total,
            "prompt_logprobs": None,
        }

    def _completion(
        self, _model: Model, body: dict[str, Any], choices: list[Generated], total: dict[str, Any]
    ) -> dict[str, Any]:
        echoed = body["prompt"] if body.get("echo") and isinstance(body["prompt"], str) else ""
        return {
            "id": f"cmpl-{self._new_id()}",
            "object": "text_completion",
            "created": int(self._clock.now()),
            "model": body["model"],
            "choices": [
                {
                    "index": index,
                    "text": echoed + "".join(made.content),
                    "logprobs": None,
                    "finish_reason": made.finish,
                    "stop_reason": made.stop_reason,
                    "prompt_logprobs": None,
                }
                for index, made in enumerate(choices)
            ],
            "usage": {key: total[key] for key in total if key != "prompt_tokens_details"},
        }

    def _response(
        self, _model: Model, body: dict[str, Any], choices: list[Generated], total: dict[str, Any]
    ) -> dict[str, Any]:
        text = {"type": "output_text", "text": "".join(choices[0].content), "annotations": []}
        return {
            "id": f"resp_{self._new_id()}",
            "object": "response",
            "created_at": int(self._clock.now()),
            "model": body["model"],
            "status": "incomplete" if choices[0].finish == "length" else "completed",
            "output": [
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "assistant",
                    "status": "completed",
                    "content": [text],
                }
            ],
            "usage": {
                "input_tokens": total["prompt_tokens"],
                "output_tokens": total["completion_tokens"],
                "total_tokens": total["total_tokens"],
            },
        }

    def _message(
        self, _model: Model, body: dict[str, Any], choices: list[Generated], total: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": f"msg_{self._new_id()}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": "".join(choices[0].content)}],
            "stop_reason": "max_tokens" if choices[0].finish == "length" else "end_turn",
            "usage": {
                "input_tokens": total["prompt_tokens"],
                "output_tokens": total["completion_tokens"],
            },
        }

    _WRAP = {  # noqa: RUF012  # a table of this class's own methods, never changed
        "chat/completions": _chat,
        "completions": _completion,
        "responses": _response,
        "messages": _message,
    }


_API = {
    "chat/completions": "Chat Completions",
    "completions": "Completions",
    "embeddings": "Embeddings",
    "responses": "Responses",
    "messages": "Messages",
}


def _check_name(model: Model, body: dict[str, Any]) -> None:
    # The gateway finds a model in any case, but forwards the name as it was typed.
    if body["model"] != model.id:
        raise refuse(f"The model `{body['model']}` does not exist.", 404, "NotFoundError")


def _check_images(model: Model, messages: list[dict[str, Any]]) -> None:
    parts = [
        part for one in messages if isinstance(one.get("content"), list) for part in one["content"]
    ]
    pictures = any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)
    if pictures and model.behaviour != "vision":
        raise refuse(f"{model.id} is not a multimodal model")


def _reasoning_field(model: Model) -> str:
    return str(model.options.get("reasoning_field", "reasoning_content"))


def _chat_pieces(model: Model, body: dict[str, Any], made: Generated) -> Iterator[Piece]:
    pause = 1 / made.pace if made.pace else 0.0
    top = body.get("top_logprobs") or 0
    for number, delta in enumerate(deltas(made, _reasoning_field(model))):
        if made.dies_after is not None and number > made.dies_after:
            return
        probable = (
            logprobs([delta["content"]], top)
            if body.get("logprobs") and delta.get("content")
            else None
        )
        choice = {"delta": delta, "logprobs": probable, "finish_reason": None}
        yield Piece(choice, pause if number else 0.0, made.stalls.get(number, 0.0))
    yield Piece({"delta": {"content": ""}, "logprobs": None, "finish_reason": made.finish})


def _text_pieces(made: Generated) -> Iterator[Piece]:
    pause = 1 / made.pace if made.pace else 0.0
    for token in made.content:
        yield Piece({"text": token, "logprobs": None, "finish_reason": None}, pause)
    yield Piece({"text": "", "logprobs": None, "finish_reason": made.finish})


def _conversations(route: str, body: dict[str, Any]) -> list[list[dict[str, Any]]]:
    if route == "chat/completions":
        return [body["messages"]]
    if route == "messages":
        system = body.get("system")
        told = [{"role": "system", "content": system}] if system else []
        return [told + body["messages"]]
    asked = body["prompt" if route == "completions" else "input"]
    if route == "responses" and isinstance(asked, list):
        return [asked]
    return [[{"role": "user", "content": text}] for text in _texts(asked)]


def _texts(given: Any) -> list[str]:
    """Return the texts of a prompt or an input; token ids are written out."""
    if isinstance(given, str):
        return [given]
    if all(isinstance(item, int) for item in given):
        return [" ".join(map(str, given))]
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in given]


def _prompt_tokens(route: str, body: dict[str, Any]) -> int:
    if route == "completions":
        return tokens.count_prompt(body["prompt"])
    messages = [one for talk in _conversations(route, body) for one in talk]
    return sum(tokens.count_content(one.get("content")) for one in messages)


class Stopwatch:
    """How long an answer took, and how many tokens a second that makes."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def metrics(self, result: dict[str, Any]) -> dict[str, float]:
        """Return the two keys that Sophia's compute function adds to an answer."""
        took = max(time.monotonic() - self._start, 1e-6)
        spent = (result.get("usage") or {}).get("total_tokens", 0)
        return {"response_time": took, "throughput_tokens_per_second": spent / took}

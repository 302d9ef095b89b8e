"""The server behind the gateway: what vLLM does on a compute node, with the sandbox's models."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from . import tokens
from .conversation import conversation_tokens, conversations, has_images, prompt_tokens, texts
from .generation import Generated, generate, refuse
from .models import Prompt
from .pieces import Piece, chat_pieces, text_pieces
from .whole import WRAP, Facts, usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .catalog import Model
    from .clock import Clock

USUAL_COMPLETION_TOKENS = 16
# Above this many letters embedding is done off the event loop.
_MANY_LETTERS = 20_000
_API = {
    "chat/completions": "Chat Completions",
    "completions": "Completions",
    "embeddings": "Embeddings",
    "responses": "Responses",
    "messages": "Messages",
}


class DiedError(Exception):
    """The model server went away in the middle of an answer."""


class ModelServer:
    """Answers requests as the model server does: JSON in, JSON or pieces out.

    Every method raises `Refused` with the server's own error answer.
    """

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id

    async def call(self, route: str, model: Model, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request that is not streamed, at the model's pace."""
        if route == "embeddings" and len(str(body.get("input"))) > _MANY_LETTERS:
            result, seconds = await asyncio.to_thread(self.answer, route, model, body)
        else:
            result, seconds = self.answer(route, model, body)
        await asyncio.sleep(seconds)
        return result

    def answer(
        self, route: str, model: Model, body: dict[str, Any]
    ) -> tuple[dict[str, Any], float]:
        """Return the answer and the real seconds it takes; `route` is what stands behind /v1/."""
        _check(route, model, body)
        if route == "embeddings":
            return self._embeddings(model, body)
        choices = _choices(route, model, body)
        if any(made.dies_after is not None for made in choices):
            raise DiedError
        seconds = max(made.seconds() for made in choices)
        return WRAP[route](self._facts(route, model, body), choices), seconds

    async def stream(self, route: str, model: Model, body: dict[str, Any]) -> AsyncIterator[Piece]:
        """Answer a streamed chat or completion request, piece by piece."""
        _check(route, model, body)
        choices = _choices(route, model, body)
        facts = self._facts(route, model, body)
        chat = route == "chat/completions"
        head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{facts.id}",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": facts.created,
            "model": body["model"],
        }
        for index, made in enumerate(choices):
            parts = chat_pieces(made, body, facts.reasoning_field) if chat else text_pieces(made)
            for choice, pause, stall in parts:
                yield Piece({**head, "choices": [{"index": index, **choice}]}, pause, stall)
            if made.dies_after is not None:
                raise DiedError
        if (body.get("stream_options") or {}).get("include_usage"):
            total = usage(facts.prompt_tokens, sum(made.count() for made in choices))
            yield Piece({**head, "choices": [], "usage": total})

    def _facts(self, route: str, model: Model, body: dict[str, Any]) -> Facts:
        return Facts(
            self._new_id(),
            int(self._clock.now()),
            body,
            prompt_tokens(route, body),
            str(model.options.get("reasoning_field", "reasoning_content")),
        )

    def _embeddings(self, model: Model, body: dict[str, Any]) -> tuple[dict[str, Any], float]:
        from .models import vectors

        given = texts(body["input"])
        longest = max(tokens.count(text) for text in given)
        if longest > model.context:
            raise refuse(
                f"This model's maximum context length is {model.context} tokens. However, you "
                f"requested {longest} tokens in the input for embedding generation. Please reduce "
                "the length of the input."
            )
        made = vectors.embed(given, body.get("dimensions") or model.dimensions)
        rows = vectors.rows(made, body.get("encoding_format") or "float")
        spent = tokens.count_prompt(body["input"])
        answer = {
            "id": f"embd-{self._new_id()}",
            "object": "list",
            "created": int(self._clock.now()),
            "model": body["model"],
            "data": [
                {"index": index, "object": "embedding", "embedding": row}
                for index, row in enumerate(rows)
            ],
            "usage": usage(spent, 0),
        }
        return answer, spent / model.pace if model.pace else 0.0


def _check(route: str, model: Model, body: dict[str, Any]) -> None:
    # The gateway finds a model in any case, but forwards the name as it was typed.
    if body["model"] != model.id:
        raise refuse(f"The model `{body['model']}` does not exist.", 404, "NotFoundError")
    if model.embeds is not (route == "embeddings"):
        raise refuse(f"The model does not support {_API[route]} API")


def _choices(route: str, model: Model, body: dict[str, Any]) -> list[Generated]:
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if route == "completions" and limit is None:
        limit = USUAL_COMPLETION_TOKENS
    if route == "responses":
        limit = body.get("max_output_tokens")
    made = []
    for messages in conversations(route, body):
        if has_images(messages) and model.behaviour != "vision":
            raise refuse(f"{model.id} is not a multimodal model")
        prompt = Prompt(messages, body, model.options)
        one = generate(model, prompt, conversation_tokens(messages), limit)
        made += [one] * (body.get("n") or 1)
    return made

"""The whole answers of a model server, route by route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .generation import Generated


@dataclass(frozen=True)
class Facts:
    """What every answer tells: its id, its time, the model, and what it was asked."""

    id: str
    created: int
    body: dict[str, Any]
    prompt_tokens: int
    reasoning_field: str = "reasoning_content"


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """Return the token counts of an answer."""
    return {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens": completion_tokens,
        "prompt_tokens_details": None,
    }


def logprobs(content: list[str], top: int) -> dict[str, Any]:
    """Return made-up log probabilities in the shape of the real ones."""
    listed = []
    for token in content:
        one = {"token": token, "logprob": -0.25, "bytes": list(token.encode("utf-8", "replace"))}
        others = [{**one, "logprob": -0.25 - rank} for rank in range(top)]
        listed.append({**one, "top_logprobs": others})
    return {"content": listed}


def chat_answer(facts: Facts, choices: list[Generated]) -> dict[str, Any]:
    """Return a whole chat completion."""
    body = facts.body
    top = body.get("top_logprobs") or 0
    told = [
        {
            "index": index,
            "message": _message(made, facts.reasoning_field),
            "logprobs": logprobs(made.content, top) if body.get("logprobs") else None,
            "finish_reason": made.finish,
            "stop_reason": made.stop_reason,
        }
        for index, made in enumerate(choices)
    ]
    return {
        "id": f"chatcmpl-{facts.id}",
        "object": "chat.completion",
        "created": facts.created,
        "model": body["model"],
        "choices": told,
        "usage": usage(facts.prompt_tokens, _spent(choices)),
        "prompt_logprobs": None,
    }


def _message(made: Generated, reasoning_field: str) -> dict[str, Any]:
    null = made.null_content and not made.content
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in made.tool_calls
    ]
    return {
        "role": "assistant",
        reasoning_field: "".join(made.reasoning) or None,
        "content": None if null else "".join(made.content),
        "tool_calls": calls,
    }


def completion_answer(facts: Facts, choices: list[Generated]) -> dict[str, Any]:
    """Return a whole text completion."""
    prompt = facts.body["prompt"]
    echoed = prompt if facts.body.get("echo") and isinstance(prompt, str) else ""
    told = [
        {
            "index": index,
            "text": echoed + "".join(made.content),
            "logprobs": None,
            "finish_reason": made.finish,
            "stop_reason": made.stop_reason,
            "prompt_logprobs": None,
        }
        for index, made in enumerate(choices)
    ]
    spent = usage(facts.prompt_tokens, _spent(choices))
    del spent["prompt_tokens_details"]
    return {
        "id": f"cmpl-{facts.id}",
        "object": "text_completion",
        "created": facts.created,
        "model": facts.body["model"],
        "choices": told,
        "usage": spent,
    }


def response_answer(facts: Facts, choices: list[Generated]) -> dict[str, Any]:
    """Return a whole answer of the responses route."""
    first = choices[0]
    text = {"type": "output_text", "text": "".join(first.content), "annotations": []}
    said = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    spent = usage(facts.prompt_tokens, _spent(choices))
    return {
        "id": f"resp_{facts.id}",
        "object": "response",
        "created_at": facts.created,
        "model": facts.body["model"],
        "status": "incomplete" if first.finish == "length" else "completed",
        "output": [said],
        "usage": {
            "input_tokens": spent["prompt_tokens"],
            "output_tokens": spent["completion_tokens"],
            "total_tokens": spent["total_tokens"],
        },
    }


def messages_answer(facts: Facts, choices: list[Generated]) -> dict[str, Any]:
    """Return a whole answer of the messages route."""
    first = choices[0]
    return {
        "id": f"msg_{facts.id}",
        "type": "message",
        "role": "assistant",
        "model": facts.body["model"],
        "content": [{"type": "text", "text": "".join(first.content)}],
        "stop_reason": "max_tokens" if first.finish == "length" else "end_turn",
        "usage": {"input_tokens": facts.prompt_tokens, "output_tokens": _spent(choices)},
    }


def _spent(choices: list[Generated]) -> int:
    return sum(made.count() for made in choices)


WRAP = {
    "chat/completions": chat_answer,
    "completions": completion_answer,
    "responses": response_answer,
    "messages": messages_answer,
}

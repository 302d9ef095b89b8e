"""What a request gives a model to read: conversations, texts, and how many tokens they are."""

from __future__ import annotations

from typing import Any

from . import tokens


def conversations(route: str, body: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the conversations to answer; a completion request may hold several prompts."""
    if route == "chat/completions":
        return [body["messages"]]
    if route == "messages":
        system = body.get("system")
        told = [{"role": "system", "content": system}] if system else []
        return [told + body["messages"]]
    asked = body["prompt" if route == "completions" else "input"]
    if route == "responses" and isinstance(asked, list):
        return [asked]
    return [[{"role": "user", "content": text}] for text in texts(asked)]


def texts(given: Any) -> list[str]:
    """Return the texts of a prompt or an input; token ids are written out."""
    if isinstance(given, str):
        return [given]
    if all(isinstance(item, int) for item in given):
        return [" ".join(map(str, given))]
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in given]


def prompt_tokens(route: str, body: dict[str, Any]) -> int:
    """Return the tokens of everything a request gives to read."""
    if route == "completions":
        return tokens.count_prompt(body["prompt"])
    return sum(conversation_tokens(talk) for talk in conversations(route, body))


def conversation_tokens(messages: list[dict[str, Any]]) -> int:
    """Return the tokens of one conversation."""
    return sum(tokens.count_content(one.get("content")) for one in messages)


def has_images(messages: list[dict[str, Any]]) -> bool:
    """Tell whether a conversation shows an image."""
    return any(
        isinstance(part, dict) and part.get("type") == "image_url"
        for one in messages
        if isinstance(one.get("content"), list)
        for part in one["content"]
    )

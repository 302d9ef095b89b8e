"""Tokens: a simple count that gives the same figure on every machine."""

from __future__ import annotations

import re
from typing import Any

# A token is a word (long ones in parts of 12 letters) or one mark, with the white space before it.
_TOKEN = re.compile(r"\s*\w{1,12}|\s*[^\w\s]|\s+\Z")

IMAGE_TOKENS = 85


def split(text: str) -> list[str]:
    """Return the tokens of `text`; joined, they are the text again."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Return how many tokens `text` has."""
    return sum(1 for _ in _TOKEN.finditer(text))


def count_content(content: Any) -> int:
    """Return the tokens of a message's content: text, or a list of parts."""
    if isinstance(content, str):
        return count(content)
    if isinstance(content, list):
        return sum(_count_part(part) for part in content)
    return 0


def _count_part(part: Any) -> int:
    if isinstance(part, str):
        return count(part)
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return count(part["text"])
    return IMAGE_TOKENS


def count_prompt(prompt: Any) -> int:
    """Return the tokens of a completion's prompt or of an embedding's input.

    That is a text, a list of texts, a list of token ids, or a list of such lists.
    """
    if isinstance(prompt, str):
        return count(prompt)
    if isinstance(prompt, list):
        return sum(1 if isinstance(item, int) else count_prompt(item) for item in prompt)
    return 0

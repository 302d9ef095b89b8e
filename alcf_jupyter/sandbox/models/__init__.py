"""How the stand-in's models answer: every chat behaviour by name, and the embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import scripted, structured, text, vision
from .said import Prompt, Refused, Said, ToolCall
from .summary import summary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BEHAVIOURS", "Prompt", "Refused", "Said", "ToolCall", "answer"]

BEHAVIOURS: dict[str, Callable[[Prompt], Said]] = {
    "code": text.code,
    "commands": scripted.commands,
    "cut-off": text.cut_off,
    "echo": text.echo,
    "hostile": scripted.hostile,
    "json": structured.json_answer,
    "long": text.long,
    "markdown": text.markdown,
    "reasoning": text.reasoning,
    "summary": summary,
    "tools": structured.tools,
    "vision": vision.vision,
}


def answer(behaviour: str, prompt: Prompt) -> Said:
    """Return what a model of this behaviour says to `prompt`.

    As on a real model server, a demanded format or tool call comes before the model's own ways.
    """
    if prompt.demands_tool():
        return structured.tools(prompt)
    if prompt.demands_json() and behaviour != "commands":
        return structured.json_answer(prompt)
    return BEHAVIOURS[behaviour](prompt)

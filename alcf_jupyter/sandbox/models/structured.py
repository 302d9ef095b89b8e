"""Models that answer in a demanded form: JSON by schema, or a call of a tool."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from .instances import instance
from .said import Prompt, Said, ToolCall, text_of


def json_answer(prompt: Prompt) -> Said:
    """Answer with JSON: an instance of the schema asked for, made with words of the prompt."""
    asked = prompt.user()
    form = prompt.parameters.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = (form.get("json_schema") or {}).get("schema") or {}
        return Said(json.dumps(instance(schema, asked), ensure_ascii=False))
    words = re.findall(r"\w+", asked)
    return Said(json.dumps({"prompt": asked, "words": len(words)}, ensure_ascii=False))


def tools(prompt: Prompt) -> Said:
    """Call the first tool (or the one demanded) once, then answer with its result."""
    results = [message for message in prompt.messages if message.get("role") == "tool"]
    if results:
        told = "; ".join(text_of(message.get("content")) for message in results)
        return Said(f"The tool says: {told}")
    tool = _chosen(prompt)
    if tool is None:
        return Said(f"I was given no tool. You asked: {prompt.user()}")
    asked = prompt.user()
    arguments = json.dumps(instance(tool.get("parameters") or {}, asked), ensure_ascii=False)
    mark = zlib.crc32(f"{tool['name']} {arguments}".encode())
    call = ToolCall(f"chatcmpl-tool-{mark:08x}", tool["name"], arguments)
    return Said(None, tool_calls=(call,), finish="tool_calls")


def _chosen(prompt: Prompt) -> dict[str, Any] | None:
    offered = [tool["function"] for tool in prompt.parameters.get("tools") or []]
    choice = prompt.parameters.get("tool_choice")
    if choice == "none":
        return None
    if isinstance(choice, dict):
        name = choice["function"]["name"]
        return next((tool for tool in offered if tool["name"] == name), None)
    return offered[0] if offered else None

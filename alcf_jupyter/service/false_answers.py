"""Failures in the shape of an answer: the gateway reports many of them inside HTTP 200."""

from __future__ import annotations

import re
from typing import Any

from alcf_jupyter.errors import StreamFailedError
from alcf_jupyter.service.model_failures import in_stream

_ERROR_ID = "chatcmpl-api-error"


def reports_failure(value: dict[str, Any]) -> bool:
    """Tell whether an answer, or an event of a stream, says that it is a failure."""
    return (
        value.get("error") is not None
        or value.get("object") == "error"
        or value.get("id") == _ERROR_ID
    )


def stream_failure(event: dict[str, Any]) -> StreamFailedError:
    """Read the three shapes of a failure inside a stream: an object, an error, a false answer."""
    inner = event.get("error")
    told = inner if isinstance(inner, dict) else event
    code, kind, message = told.get("code"), str(told.get("type") or ""), told.get("message")
    if event.get("id") == _ERROR_ID:
        code, message = _false_answer(event)
    if not isinstance(message, str):
        message = inner if isinstance(inner, str) else "It gave no reason."
    cause = in_stream(code, kind, message)
    error = StreamFailedError(cause.what, why=cause.why, do=cause.do)
    error.failure = cause
    return error


def _false_answer(event: dict[str, Any]) -> tuple[Any, str]:
    """Read the failure that Metis sends as the text of an answer."""
    try:
        text = event["choices"][0]["delta"]["content"]
        text = text.removeprefix("\n\n[ERROR] ")
    except (KeyError, IndexError, TypeError, AttributeError):
        return 500, "The model server failed."
    code = re.search(r'"code": ?(\d{3})\b', text)
    reason = re.search(r'"message": ?"((?:[^"\\]|\\.)*)"', text)
    return (int(code[1]) if code else 500), (reason[1] if reason else text)

"""Reading the gateway's answers: a chat, a completion, embeddings; a stream is in `answer_stream`.

An answer counts only if it says so itself (service contract, 3.3): the gateway reports many
failures inside HTTP 200, and every one of them is an error here or is marked incomplete.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import (
    AnswerError,
    IncompleteError,
    MixedUpError,
    NotTheServiceError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service.answer_stream import AnswerStream
from alcf_jupyter.service.answers import FINISHED, Answer, Piece, Usage, Vectors, read_usage
from alcf_jupyter.service.false_answers import reports_failure, stream_failure
from alcf_jupyter.service.report import report

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FINISHED",
    "Answer",
    "AnswerStream",
    "Piece",
    "Usage",
    "Vectors",
    "decode",
    "read_chat",
    "read_completion",
    "read_embeddings",
    "read_usage",
]

_AGAIN = "Run the cell again."


def decode(
    body: bytes | bytearray,
    content_type: str,
    loads: Callable[[bytes | bytearray], Any] = json.loads,
) -> Any:
    """Read the JSON of an answer with status 200.

    Raises
    ------
    NotTheServiceError
        It is HTML, as a captive portal or a proxy sends with status 200.
    AnswerError
        It is not JSON.
    """
    try:
        return loads(body)
    except (ValueError, RecursionError) as error:
        told = report(body, content_type)
        if told.html:
            raise NotTheServiceError(
                "A web page came back in place of an answer.",
                why=told.message,
                do="A proxy or a sign-in portal may stand in between; look at:  %alcf status",
            ) from None
        raise AnswerError(
            "The service's answer is not JSON." if body else "The service's answer is empty.",
            why=told.message,
            do=_AGAIN,
        ) from error


def read_chat(value: Any) -> Answer:
    """Read the answer of ``/chat/completions``.

    Raises
    ------
    AnswerError
        It reports a failure, or is not the answer to a chat.
    IncompleteError
        It has no finish reason.
    """
    choice = _first_choice(value)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _no_answer("it has no message", value)
    content, calls = message.get("content"), message.get("tool_calls")
    if content is not None and not isinstance(content, str):
        raise _no_answer("its text is not a string", value)
    answer = Answer(
        content or "",
        _text(message, "reasoning_content") or _text(message, "reasoning"),
        _finish(choice),
        read_usage(value.get("usage")),
        [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else [],
        str(value.get("model") or ""),
        str(value.get("id") or ""),
    )
    if content is None and not answer.tool_calls and not answer.reasoning:
        raise _no_answer("the model said nothing", value)
    return answer


def read_completion(value: Any) -> Answer:
    """Read the answer of ``/completions``; raises as `read_chat` does."""
    choice = _first_choice(value)
    if not isinstance(choice.get("text"), str):
        raise _no_answer("it has no text", value)
    return Answer(
        choice["text"],
        "",
        _finish(choice),
        read_usage(value.get("usage")),
        model=str(value.get("model") or ""),
        id=str(value.get("id") or ""),
    )


def read_embeddings(value: Any, count: int) -> Vectors:
    """Read the answer of ``/embeddings`` to a request with `count` texts.

    Raises
    ------
    AnswerError
        It reports a failure, or does not hold exactly one vector for each text.
    """
    _check(value)
    rows = value.get("data")
    if not isinstance(rows, list):
        raise _no_answer("it holds no embeddings", value)
    try:
        by_index: dict[int, Any] = {row["index"]: row.get("embedding") for row in rows}
    except (TypeError, KeyError, AttributeError):
        by_index = {}
    if len(by_index) != len(rows) or not {type(index) for index in by_index} <= {int}:
        raise MixedUpError(
            "The embeddings that came are not numbered one by one.",
            why="None was taken, since it cannot be told which belongs to which.",
            do=_AGAIN,
        )
    if by_index.keys() != set(range(count)):
        raise MixedUpError(
            f"The service sent {len(rows)} embeddings for {count} texts.",
            why="None was taken, since it cannot be told which belongs to which.",
            do=_AGAIN,
        )
    usage = read_usage(value.get("usage"))
    return Vectors([by_index[i] for i in range(count)], usage, str(value.get("model") or ""))


def _check(value: Any) -> None:
    """Raise unless `value` is a JSON object that reports no failure."""
    if not isinstance(value, dict):
        raise _no_answer("it is not an object", value)
    if reports_failure(value):
        choices = value.get("choices")
        shown = [_as_delta(c) for c in choices] if isinstance(choices, list) else []
        cause = stream_failure({**value, "choices": shown})
        raise AnswerError(cause.what, why=cause.why, do=cause.do)


def _as_delta(choice: Any) -> Any:
    return {"delta": choice.get("message")} if isinstance(choice, dict) else choice


def _first_choice(value: Any) -> dict[str, Any]:
    _check(value)
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _no_answer("it holds no choice", value)
    return choices[0]


def _finish(choice: dict[str, Any]) -> str:
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or not reason:
        raise IncompleteError(
            "The answer is incomplete: it has no finish reason.",
            why="The model was stopped, or its server failed.",
            do=_AGAIN,
        )
    return reason


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _no_answer(why: str, value: Any) -> AnswerError:
    return AnswerError(
        f"What came with success is no answer: {why}.",
        why=brief(_shown(value), 160),
        do=_AGAIN,
    )


def _shown(value: Any) -> str:
    try:
        return json.dumps(value, default=str)
    except (ValueError, RecursionError):
        return type(value).__name__

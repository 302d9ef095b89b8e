"""Reading the gateway's answers: a chat, a completion, embeddings, the pieces of a stream.

An answer counts only if it says so itself (service contract, 3.3): the gateway reports many
failures inside HTTP 200, and every one of them is an error here or is marked incomplete.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import (
    AnswerError,
    IncompleteError,
    NotTheServiceError,
    StreamFailedError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service.failures import in_stream
from alcf_jupyter.service.report import report

if TYPE_CHECKING:
    from collections.abc import Callable

FINISHED = frozenset({"stop", "tool_calls", "function_call", "end_turn"})
"""Finish reasons of a whole answer; ``length`` means cut off, any other is not trusted."""

_CALLS = frozenset({"tool_calls", "function_call"})

_AGAIN = "Run the cell again."
_ERROR_ID = "chatcmpl-api-error"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request; None where the server does not tell."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(slots=True)
class Answer:
    """What a model answered, or the part of it that has arrived.

    Attributes
    ----------
    text, reasoning
        The answer, and what the model thought before it, which is kept apart.
    finish_reason
        ``""`` while none has come.
    tool_calls
        As the server gives them.
    model
        The name the server gives itself.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    model: str = ""
    id: str = ""

    @property
    def complete(self) -> bool:
        """Whether this is a whole answer."""
        if self.finish_reason in _CALLS:
            return bool(self.tool_calls)
        return self.finish_reason in FINISHED and bool(
            self.text or self.tool_calls or not self.reasoning
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event of a stream adds."""

    text: str = ""
    reasoning: str = ""


def decode(body: bytes, content_type: str, loads: Callable[[bytes], Any] = json.loads) -> Any:
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


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings as they came: each a base64 string or a list of numbers, in the inputs' order."""

    data: list[Any]
    usage: Usage
    model: str


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
    by_index: dict[int, Any] = {}
    for row in rows:
        index = row.get("index") if isinstance(row, dict) else None
        if not isinstance(index, int) or isinstance(index, bool) or index in by_index:
            raise _no_answer("its embeddings are not numbered one by one", value)
        by_index[index] = row.get("embedding")
    if sorted(by_index) != list(range(count)):
        raise AnswerError(
            f"The service sent {len(rows)} embeddings for {count} texts.",
            why="None was taken, since it cannot be told which belongs to which.",
            do=_AGAIN,
        )
    usage = read_usage(value.get("usage"))
    return Vectors([by_index[i] for i in range(count)], usage, str(value.get("model") or ""))


def read_usage(value: Any) -> Usage:
    """Read a ``usage`` object; anything but whole numbers counts as not told."""
    told = value if isinstance(value, dict) else {}

    def count(name: str) -> int | None:
        number = told.get(name)
        plain = isinstance(number, int) and not isinstance(number, bool) and number >= 0
        return number if plain else None

    return Usage(count("prompt_tokens"), count("completion_tokens"), count("total_tokens"))


class AnswerStream:
    """Puts the events of a streamed chat or completion together into an `Answer`.

    Parameters
    ----------
    loads
        Reads JSON; `json.loads` unless a faster one is given.
    """

    def __init__(self, loads: Callable[[bytes], Any] = json.loads) -> None:
        self._loads = loads
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._answer = Answer()
        self._told = 0
        self.done = False
        """Whether ``[DONE]`` has come: nothing follows it, not that the answer is whole."""

    @property
    def answer(self) -> Answer:
        """What has arrived so far."""
        answer = self._answer
        answer.text = "".join(self._texts)
        answer.reasoning = "".join(self._thoughts)
        answer.tool_calls = [self._calls[i] for i in sorted(self._calls)]
        return answer

    @property
    def empty(self) -> bool:
        """Whether nothing has arrived that a reader has seen."""
        return not self._texts

    def feed(self, data: bytes) -> Piece | None:
        """Take the data of one event and return what it adds, if anything; raises as `take`."""
        before = len(self._texts)
        self.take(data)
        return Piece(self._texts[-1], self._thoughts[-1]) if len(self._texts) > before else None

    def take(self, data: bytes) -> None:
        """Take the data of one event.

        Raises
        ------
        StreamFailedError
            The event reports a failure.
        AnswerError
            The event cannot be read.
        """
        if data == b"[DONE]":
            self.done = True
            return
        try:
            event = self._loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise _unreadable(data)
        choices = event.get("choices")
        if not isinstance(choices, list) or _reports_failure(event):
            raise _stream_failure(event)
        if usage := event.get("usage"):
            self._answer.usage = read_usage(usage)
        if not self._answer.id:
            self._answer.id = str(event.get("id") or "")
            self._answer.model = str(event.get("model") or "")
        if choices and not self._take_choice(choices[0]):
            raise _unreadable(data)  # passed over, it would be a hole that nobody sees

    def news(self) -> Piece | None:
        """Return what has arrived since this was last asked, in one piece; None if nothing has."""
        start, self._told = self._told, len(self._texts)
        if start == self._told:
            return None
        return Piece("".join(self._texts[start:]), "".join(self._thoughts[start:]))

    def _take_choice(self, choice: Any) -> bool:
        """Take the first choice of an event; tell whether it could be read."""
        delta = choice.get("delta", choice) or {} if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            return False
        text = delta.get("content") or delta.get("text") or ""
        if not isinstance(text, str):
            return False
        if reason := choice.get("finish_reason"):
            self._answer.finish_reason = str(reason)
        if calls := delta.get("tool_calls"):
            self._add_calls(calls)
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if not isinstance(thought, str):
            thought = ""
        if text or thought:
            self._texts.append(text)
            self._thoughts.append(thought)
        return True

    def _add_calls(self, calls: Any) -> None:
        for part in calls if isinstance(calls, list) else []:
            if not isinstance(part, dict) or not isinstance(part.get("index"), int):
                continue
            call = self._calls.setdefault(
                part["index"], {"id": "", "type": "function", "function": {}}
            )
            call["id"] = part.get("id") or call["id"]
            told = part.get("function")
            for key in ("name", "arguments"):
                if isinstance(told, dict) and isinstance(told.get(key), str):
                    call["function"][key] = call["function"].get(key, "") + told[key]

    def end(self) -> Answer:
        """Return the answer once the stream has ended.

        Raises
        ------
        IncompleteError
            No finish reason came: the gateway ends cut-off streams like whole ones, so ``[DONE]``
            says nothing.
        """
        answer = self.answer
        if not answer.finish_reason:
            raise IncompleteError(
                "The answer is incomplete: the stream stopped before its end."
                if answer.text or answer.reasoning
                else "The stream ended without an answer.",
                why="The service gave no reason.",
                do="Run it again; if it happens twice, with --no-stream (in Python: alcf.chat).",
            )
        return answer


def _unreadable(data: bytes) -> AnswerError:
    return AnswerError(
        "A piece of the stream could not be read.",
        why=brief(data[:400].decode("utf-8", "replace"), 80),
        do=_AGAIN,
    )


def _reports_failure(value: dict[str, Any]) -> bool:
    return (
        value.get("error") is not None
        or value.get("object") == "error"
        or value.get("id") == _ERROR_ID
    )


def _stream_failure(event: dict[str, Any]) -> StreamFailedError:
    """Read the three shapes of a failure inside a stream: an object, an error, a false answer."""
    inner = event.get("error")
    told = inner if isinstance(inner, dict) else event
    code, kind, message = told.get("code"), str(told.get("type") or ""), told.get("message")
    if event.get("id") == _ERROR_ID:
        code, message = _false_answer(event)
    if not isinstance(message, str):
        message = inner if isinstance(inner, str) else "An event without choices."
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


def _check(value: Any) -> None:
    """Raise unless `value` is a JSON object that reports no failure."""
    if not isinstance(value, dict):
        raise _no_answer("it is not an object", value)
    if _reports_failure(value):
        choices = value.get("choices")
        shown = [_as_delta(c) for c in choices] if isinstance(choices, list) else []
        cause = _stream_failure({**value, "choices": shown})
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

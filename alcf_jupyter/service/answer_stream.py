"""The events of a streamed answer, put together as they come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import AnswerError, IncompleteError
from alcf_jupyter.plain import brief
from alcf_jupyter.service.answers import Answer, Piece, read_usage
from alcf_jupyter.service.false_answers import reports_failure, stream_failure

if TYPE_CHECKING:
    from collections.abc import Callable


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
        if reports_failure(event):
            raise stream_failure(event)
        if not isinstance(choices, list):
            raise stream_failure({"message": "An event without choices.", **event})
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
        do="Run the cell again.",
    )

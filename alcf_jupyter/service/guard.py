"""What other people's code may be given of the service: good answers and good streams, as they are.

An OpenAI client takes the gateway's failures inside HTTP 200 for answers (service contract, 3.3).
Here each of them raises, and whatever passes is passed byte for byte.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import AlcfError, AnswerError, IncompleteError
from alcf_jupyter.service import dialect
from alcf_jupyter.service.false_answers import stream_failure
from alcf_jupyter.service.sse import MAX_EVENT_BYTES, EventReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# the group is atomic: CR LF is one end of a line, never two
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LAST_EVENTS = {"response.completed", "response.incomplete", "message_stop"}
_FAILED_EVENTS = {"error", "response.failed"}


def check_answer(route: str, value: Any, asked: Any) -> None:
    """Raise unless `value` is an answer to `asked`.

    Parameters
    ----------
    route
        ``"chat/completions"``, ``"completions"``, ``"embeddings"``, or any other, of which only
        failures are told.
    value
        The JSON that came with status 200.
    asked
        The request's JSON.

    Raises
    ------
    AnswerError
        It reports a failure, is not whole, or is no answer to this.
    """
    if route == "embeddings":
        dialect.read_embeddings(value, texts(asked))
        return
    read = {"chat/completions": dialect.read_chat, "completions": dialect.read_completion}.get(
        route
    )
    if read is None:
        if isinstance(value, dict):
            _check_other(value)
        return
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or not choices:
        read(value)
        return
    for choice in choices:
        read({**value, "choices": [choice]})


def texts(asked: Any) -> int:
    """Return how many texts a request for embeddings holds; one text may be a list of numbers."""
    given = asked.get("input") if isinstance(asked, dict) else None
    if isinstance(given, list) and given and not isinstance(given[0], int):
        return len(given)
    return 1


def _check_other(value: dict[str, Any]) -> None:
    if value.get("status") == "failed" or value.get("object") == "error" or value.get("error"):
        raise stream_failure(value)


class StreamGuard:
    """Passes a stream's events on, each as soon as it has come whole and been found good.

    Comments between them are left out: behind an event that has an ``id``, the OpenAI client
    takes each of them for an event without data, and fails to read that.

    Parameters
    ----------
    route
        ``"chat/completions"``, ``"completions"``, ``"responses"`` or ``"messages"``.
    loads
        Reads JSON; `json.loads` unless a faster one is given.
    """

    def __init__(self, route: str, loads: Callable[[bytes], Any] = json.loads) -> None:
        self._rest = bytearray()
        self._events = EventReader()
        self._loads = loads
        self._event: Any = None
        self._open: dict[Any, bool] = {}
        self.done = False
        """Whether ``[DONE]`` has come: nothing that follows it counts."""
        self._usage = dialect.Usage()
        speaks_chat = route in ("chat/completions", "completions")
        self._reading = dialect.AnswerStream(self._kept) if speaks_chat else None

    @property
    def usage(self) -> dialect.Usage:
        """The tokens that the stream has told of."""
        return self._reading.answer.usage if self._reading is not None else self._usage

    def _kept(self, data: bytes) -> Any:
        self._event = self._loads(data)
        return self._event

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield what may be passed on of all that has come.

        Raises
        ------
        AnswerError
            Behind the good events stands one that is a failure, or no event at all.
        """
        searched = max(0, len(self._rest) - 3)
        self._rest += chunk
        good, failed = 0, None
        passed = bytearray()
        for blank in _BLANK_LINE.finditer(self._rest, searched):
            # a CR at the very end may be half of a CR LF
            if blank.end() == len(self._rest) and self._rest.endswith(b"\r"):
                break
            raw = bytes(self._rest[good : blank.end()])
            try:
                if self._check(raw):
                    passed += raw
            except AlcfError as error:
                failed = error
                break
            good = blank.end()
        del self._rest[:good]
        if passed:
            yield bytes(passed)
        if failed is not None:
            raise failed
        if len(self._rest) > MAX_EVENT_BYTES:
            self._rest.clear()
            raise AnswerError(
                f"The stream sent one event of over {MAX_EVENT_BYTES:,} bytes; it was stopped.",
                do="Ask again, without stream=True if it happens twice.",
            )

    def end(self) -> bytes:
        """Return what is left once the stream has ended.

        Raises
        ------
        IncompleteError
            The stream stopped before its end.
        """
        rest = bytes(self._rest)
        speaks = self._check(rest + b"\n\n")
        self._check_whole()
        return rest if speaks else b""

    def _check(self, raw: bytes) -> bool:
        """Read an event; tell whether it says anything, as a comment does not."""
        # in one spelling of line ends, so that the reader holds nothing back
        plain = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        found = self._events.feed(plain)
        for data in found:
            if self.done:
                break
            if data == b"[DONE]":
                self._check_whole()
                self.done = True
            elif self._reading is not None:
                self._reading.feed(data)
                self._note_choices()
            else:
                self._check_named(data)
        return bool(found)

    def _note_choices(self) -> None:
        """Note which of several answers have ended."""
        for choice in self._event.get("choices") or []:
            if isinstance(choice, dict):
                index = choice.get("index", 0)
                index = index if isinstance(index, int) else 0
                self._open[index] = self._open.get(index, True) and not choice.get("finish_reason")

    def _check_named(self, data: bytes) -> None:
        """Read an event of the routes that name their events in ``type``."""
        try:
            event = self._loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise AnswerError("A piece of the stream could not be read.", do="Ask again.")
        kind = event.get("type")
        inner = event.get("response")
        inner = inner if isinstance(inner, dict) else {}
        if kind in _FAILED_EVENTS or event.get("object") == "error" or event.get("error"):
            raise stream_failure({**event, **inner})
        if usage := inner.get("usage") or event.get("usage"):
            self._usage = dialect.read_usage(usage)
        self._open["last"] = self._open.get("last", True) and kind not in _LAST_EVENTS

    def _check_whole(self) -> None:
        if self.done:
            return
        if not self._open or any(self._open.values()):
            started = bool(self._open)
            raise IncompleteError(
                "The answer is incomplete: the stream stopped before its end."
                if started
                else "The stream ended without an answer.",
                why="The service gave no reason.",
                do="Ask again, without stream=True if it happens twice.",
            )

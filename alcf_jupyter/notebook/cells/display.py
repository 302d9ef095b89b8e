"""The one output of a chat cell: a status in words, the answer as it streams, a quiet footer."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.notebook.rendering.bundle import QUIET, Format, answer_bundle
from alcf_jupyter.notebook.uninterrupted import uninterrupted
from alcf_jupyter.plain import brief, clean, escape, escape_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from alcf_jupyter.notebook.cells.growing import GrowingMarkdown
    from alcf_jupyter.prompt.tools import ToolRun

_FIRST_INTERVAL: Final = 0.1
_LAST_INTERVAL: Final = 0.25
_GROWN_AT: Final = 2_000
"""Characters at which the interval between two updates, in seconds, has grown to its last."""
_LONGEST_GAP: Final = 0.29
_REASONING_SHOWN: Final = 600
"""Characters of the reasoning's end that are seen while it is all there is."""


class AnswerDisplay:
    """The output of one answer, replaced as the answer grows.

    The caller's waiting loop drives it, in the kernel's main thread: it calls `status` or `piece`
    when there is news and `tick` at least every 0.1 s, and `finish` or `fail` once.

    Parameters
    ----------
    live
        Whether updates are shown. Without it (nbclient, nbconvert, papermill, nbval) nothing is
        emitted until the end, and then exactly one output.
    quiet
        Leave out the status line and the footer.
    fmt
        How the answer is shown while it streams.
    clock
        Seconds from a monotonic clock.
    """

    def __init__(
        self,
        *,
        live: bool,
        quiet: bool = False,
        fmt: Format = "markdown",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live, self._quiet, self._fmt = live, quiet, fmt
        self._clock = clock
        self._id = os.urandom(8).hex()
        self._shown = False
        self._dirty = False
        self._last_shown = self._last_call = clock() - _LAST_INTERVAL
        self._status = ""
        self._pieces: list[str] = []
        self._reasoning: list[str] = []
        self._length = 0
        self._fed = 0  # how many pieces the growing Markdown has had
        self._growing: GrowingMarkdown | None = None

    @property
    def text(self) -> str:
        """What has arrived of the answer."""
        return "".join(self._pieces)

    @property
    def reasoning(self) -> str:
        """What has arrived of the reasoning."""
        return "".join(self._reasoning)

    def status(self, words: str) -> None:
        """Say in words what is being waited for.

        Parameters
        ----------
        words
            Plain text, for example ``"Queued · 1m 20s"``; a server's comment in it is harmless.
        """
        self._dirty |= words != self._status and not self._quiet
        self._status = words
        self.tick()

    def piece(self, text: str, reasoning: str = "") -> None:
        """Take the next piece of the stream.

        Parameters
        ----------
        text
            Text of the answer.
        reasoning
            Text of the model's reasoning.
        """
        if text:
            self._pieces.append(text)
        if reasoning:
            self._reasoning.append(reasoning)
        if text or reasoning:
            self._length += len(text) + len(reasoning)
            self._dirty = True
        self.tick()

    def tick(self) -> None:
        """Show what is new, if it is time to."""
        now = self._clock()
        waited, pause = now - self._last_shown, now - self._last_call
        self._last_call = now
        if not (self._live and self._dirty):
            return
        grown = min(1.0, self._length / _GROWN_AT)
        interval = _FIRST_INTERVAL + grown * (_LAST_INTERVAL - _FIRST_INTERVAL)
        # The next call may be as long in coming as this one was: too late if it is put off.
        if waited >= interval or waited + pause > _LONGEST_GAP:
            self._dirty = False
            self._last_shown = now
            self._emit({"text/html": self._html(), "text/plain": self._words()}, {})

    def finish(
        self,
        text: str,
        footer: str,
        *,
        reasoning: str = "",
        note: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        fmt: Format | None = None,
        calls: Sequence[ToolRun] = (),
    ) -> None:
        """Show the whole answer, for good.

        Parameters
        ----------
        text
            The answer.
        footer
            One line of plain text; not shown if the display is quiet.
        reasoning
            The model's reasoning, shown folded.
        note
            What is wrong with the answer, for example ``"Incomplete: the stream ended early"``.
        metadata
            The answer's provenance, kept as ``alcf`` in the output's metadata.
        fmt
            How the answer is shown, if not as it streamed.
        calls
            The tools that were called on the way to it, each shown folded.
        """
        foot = "" if self._quiet else footer
        shown = answer_bundle(text, foot, note, reasoning, fmt or self._fmt, calls)
        self._dirty = False
        self._emit(shown, {"alcf": dict(metadata)} if metadata else {})

    def put(self, data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """Show what is made already, for good.

        Parameters
        ----------
        data, metadata
            An output's, with HTML that is safe.
        """
        self._dirty = False
        self._emit(dict(data), dict(metadata))

    def fail(self, note: str) -> None:
        """Keep what has arrived, and mark it; a status that was true for a moment is replaced.

        Where nothing has been shown and nothing has arrived, nothing is emitted: the error that
        ends the cell says it all.

        Parameters
        ----------
        note
            What happened, for example ``"Incomplete: interrupted"``.
        """
        if self._shown or self._length:
            self.finish(self.text, "", reasoning=self.reasoning, note=note)

    def _words(self) -> str:
        if self._pieces:
            return "Answering"
        return "Reasoning" if self._reasoning else brief(self._status)

    def _html(self) -> str:
        words = escape_line(self._words())
        status = "" if self._quiet else f'<div role="status" style="{QUIET}">{words}</div>'
        if self._pieces:
            return self._answer() + status
        if not self._reasoning:
            return status
        end = escape(clean(self.reasoning[-_REASONING_SHOWN:]))
        return f'{status}<div style="{QUIET};white-space:pre-wrap">{end}</div>'

    def _answer(self) -> str:
        if self._fmt != "markdown":
            from alcf_jupyter.notebook.rendering.render import plain_html

            return plain_html(self.text)
        if self._growing is None:
            from alcf_jupyter.notebook.cells.growing import GrowingMarkdown

            self._growing = GrowingMarkdown()
        self._growing.feed("".join(self._pieces[self._fed :]))
        self._fed = len(self._pieces)
        return self._growing.html()

    def _emit(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        from IPython.display import publish_display_data

        # Without updates an id would be noise; with them the last one replaces all before.
        updates = (
            {"transient": {"display_id": self._id}, "update": self._shown} if self._live else {}
        )
        # published and noted as one: else what comes next would be a second output, or lost
        with uninterrupted():
            publish_display_data(data, metadata, **updates)  # type: ignore[no-untyped-call]
            self._shown = True

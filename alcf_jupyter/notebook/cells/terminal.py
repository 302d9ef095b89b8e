"""A chat in a terminal: the state on stderr, the answer on stdout line by line as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from alcf_jupyter.plain import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alcf_jupyter.notebook.rendering.bundle import Format
    from alcf_jupyter.prompt.tools import ToolRun


class TerminalDisplay:
    """The output of a chat in a terminal: the state on stderr, the answer on stdout as it comes.

    Parameters
    ----------
    quiet
        No state and no footer.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._status = ""
        self._line = ""
        self._printed = False

    def status(self, words: str) -> None:
        """Show how the queue is, in place of what was shown before."""
        if not self._quiet and words != self._status and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{clean(words)}")
            sys.stderr.flush()
        self._status = words

    def piece(self, text: str, reasoning: str = "") -> None:  # noqa: ARG002 - as AnswerDisplay
        """Print the lines that are whole; half a line may be half an escape sequence."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._print(f"{clean(line)}\n")

    def tick(self) -> None:
        """Do nothing: there is nothing to redraw."""

    def finish(
        self,
        text: str,
        footer: str,
        *,
        reasoning: str = "",  # noqa: ARG002 - as AnswerDisplay
        note: str | None = None,
        metadata: Mapping[str, Any] | None = None,  # noqa: ARG002 - a terminal keeps none
        fmt: Format = "markdown",
        calls: Sequence[ToolRun] = (),
    ) -> None:
        """Print what is left of the answer, what is wrong with it, and the footer."""
        if not self._printed and not self._line:
            from alcf_jupyter.notebook.rendering.bundle import plain_text

            self._line = plain_text(text, fmt, calls)
        if self._line:
            self._print(f"{clean(self._line)}\n")
        self._line = ""
        for line in (note, "" if self._quiet else footer):
            if line:
                self._print(f"[{clean(line)}]\n")

    def fail(self, note: str) -> None:  # noqa: ARG002 - the error that follows says it
        """Take the state away, which is true no longer."""
        self._forget_status()

    def put(self, data: Mapping[str, str], metadata: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Print what is made already."""
        self._print(f"{clean(data['text/plain'])}\n")

    def _print(self, text: str) -> None:
        self._forget_status()
        sys.stdout.write(text)
        sys.stdout.flush()
        self._printed = True

    def _forget_status(self) -> None:
        if self._status and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._status = ""

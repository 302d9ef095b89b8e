"""What a long call tells while it runs: to stderr by default, in a display where one is shown."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from alcf_jupyter.plain import brief, counted

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"\d+\w?")
_QUIET_SECONDS: Final = 10.0
"""How long counts may change without a line of their own."""

_ENDED: Final = ("stopped", "finished", "failed")

FEW: Final = 100
"""Up to so many rows, all of them ok, a run ends without a word if there was none before."""


class Observer(Protocol):
    """Whoever wants to know how a long call is getting on."""

    def status(self, words: str) -> None:
        """Take the state of things in a few words; called again when it changes."""


class RunProgress(Protocol):
    """How far a run over many rows is; ``str`` gives it as one line.

    Attributes
    ----------
    rows
        How many there are.
    ok, truncated, failed, skipped, pending
        How many of them are in each status.
    reused
        Finished rows that were recorded before.
    seconds
        Since it began.
    rate
        Rows a second lately.
    prompt_tokens, completion_tokens
        What was used so far.
    left_seconds
        What it will take still, where that can be told.
    state
        ``waiting``, ``running``, ``paused``, ``stopped``, ``finished`` or ``failed``.
    words
        What it waits for.
    """

    @property
    def rows(self) -> int: ...  # noqa: D102
    @property
    def ok(self) -> int: ...  # noqa: D102
    @property
    def truncated(self) -> int: ...  # noqa: D102
    @property
    def failed(self) -> int: ...  # noqa: D102
    @property
    def skipped(self) -> int: ...  # noqa: D102
    @property
    def pending(self) -> int: ...  # noqa: D102
    @property
    def reused(self) -> int: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def rate(self) -> float: ...  # noqa: D102
    @property
    def prompt_tokens(self) -> int: ...  # noqa: D102
    @property
    def completion_tokens(self) -> int: ...  # noqa: D102
    @property
    def left_seconds(self) -> float | None: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def words(self) -> str: ...  # noqa: D102


class RunObserver(Observer, Protocol):
    """Whoever wants to know how a run over many rows is getting on; any thread may tell."""

    def note(self, words: str) -> None:
        """Take a line that is to stay: an estimate, or what was found wrong with a record."""

    def progress(self, now: RunProgress) -> None:
        """Take how far it is; called a few times a second."""

    def close(self, words: str = "") -> None:
        """Show how it ended, once: `words`, or the counts of the last progress."""


class StderrObserver:
    """Writes each new state as a line to stderr; a clock that runs in it is no new state."""

    def __init__(self) -> None:
        self._last = ""

    def status(self, words: str) -> None:
        """Write `words` if they differ from the last ones."""
        state = without_clock(words)
        if state != self._last:
            self._last = state
            _write(f"{words}\n")


class SilentObserver:
    """Tells nobody."""

    def status(self, words: str) -> None:
        """Take `words` and do nothing."""

    def note(self, words: str) -> None:
        """Take `words` and do nothing."""

    def progress(self, now: RunProgress) -> None:
        """Take how far it is, and do nothing."""

    def close(self, words: str = "") -> None:
        """Do nothing."""


class LineObserver(StderrObserver):
    """Writes a run to stderr: each new state at once, counts every ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._now: RunProgress | None = None
        self._state = "running "  # that it runs is no news
        self._written_at = time.monotonic()
        self._told = self._closed = False

    def status(self, words: str) -> None:
        """Write `words` if they differ from the last ones."""
        with self._guard:
            super().status(words)

    def note(self, words: str) -> None:
        """Write a line."""
        with self._guard:
            self._told = True
            _write(f"{words}\n")

    def progress(self, now: RunProgress) -> None:
        """Write how far it is, if its state is new or the last line is a while ago."""
        with self._guard:
            self._now = now
            if now.state in _ENDED:  # `close` tells that
                return
            before, self._state = self._state, f"{now.state} {without_clock(now.words)}"
            late = time.monotonic() - self._written_at > _QUIET_SECONDS
            if self._state != before or late:
                self._written_at = time.monotonic()
                self._told = True
                _write(f"{now}\n")

    def close(self, words: str = "") -> None:
        """Write how it ended."""
        with self._guard:
            ended = words or ending(self._now, told=self._told or bool(self._last))
            if ended and not self._closed:
                _write(f"{ended}\n")
            self._closed = True


class TerminalObserver:
    """Shows a run on one line of a terminal, written over and over."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._now: RunProgress | None = None
        self._shown = ""
        self._noted = self._closed = False

    def status(self, words: str) -> None:
        """Show `words` in place of what was shown."""
        self._show(words)

    def note(self, words: str) -> None:
        """Write a line that stays, above the one that changes."""
        with self._guard:
            self._noted = True
            _write(f"\r\x1b[K{brief(words, 1000)}\n{self._shown}")

    def progress(self, now: RunProgress) -> None:
        """Show how far it is, in place of what was shown."""
        self._now = now
        self._show(str(now))

    def close(self, words: str = "") -> None:
        """Show how it ended, and leave the line."""
        with self._guard:
            ended = words or ending(self._now, told=self._noted)
            if not self._closed and (ended or self._shown):
                _write(f"\r\x1b[K{brief(ended, 1000)}\n" if ended else "\r\x1b[K")
            self._closed = True

    def _show(self, words: str) -> None:
        # a line that is wider than the terminal could not be written over
        line = brief(words, max(20, shutil.get_terminal_size().columns - 1))
        with self._guard:
            if not self._closed and line != self._shown:
                self._shown = line
                _write(f"\r\x1b[K{line}")


_make: Callable[[], RunObserver] | None = None


def observer() -> RunObserver:
    """Return who is told of the long call that begins now.

    Returns
    -------
    RunObserver
        What the notebook layer registered, else lines on stderr, or one line on a terminal.
    """
    return on_stderr() if _make is None else _make()


def on_stderr() -> RunObserver:
    """Return who writes to stderr: one line that changes on a terminal, else lines."""
    return TerminalObserver() if sys.stderr.isatty() else LineObserver()


def report_to(make: Callable[[], RunObserver] | None) -> None:
    """Let long calls tell what `make` returns from now on; None for stderr again."""
    global _make  # noqa: PLW0603 - there is one screen
    _make = make


def counts(now: RunProgress) -> str:
    """Return how many rows there are and what became of them, a line without times."""
    told = {name: getattr(now, name) for name in ("ok", "truncated", "failed", "skipped")}
    parts = [f"{count:,} {name}" for name, count in told.items() if count]
    if now.pending:
        parts.append(f"{now.pending:,} not done")
    rows = counted(now.rows, "row")
    return f"{rows}: {', '.join(parts)}" if parts else rows


def ending(now: RunProgress | None, *, told: bool) -> str:
    """Return what a run ends with where no words are given: its counts, or nothing.

    Nothing only where all is well: rows that are not ok are told, few as they may be.

    Parameters
    ----------
    now
        How far it came.
    told
        Whether anything was told before that needs an end.
    """
    if now is None or (now.ok == now.rows <= FEW and not told):
        return ""
    return counts(now)


def without_clock(words: str) -> str:
    """Return `words` without their numbers and units: the same while only a clock goes on."""
    return " ".join(_NUMBER.sub("", words).split())


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()

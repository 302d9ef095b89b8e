"""The one output of a call over many rows: a bar that grows, and at its end what became of them."""

from __future__ import annotations

import contextvars
import os
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter import progress
from alcf_jupyter.notebook.rendering.bundle import QUIET
from alcf_jupyter.notebook.runs import run_view
from alcf_jupyter.notebook.surface import Surface, surface
from alcf_jupyter.notebook.uninterrupted import uninterrupted
from alcf_jupyter.plain import brief, escape_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver, RunProgress

_PATIENCE: Final = 1.0
"""Seconds that a run of few rows takes without a word."""
_INTERVAL: Final = 0.5
"""Seconds between two updates: a run of hours stays a few megabytes for the browser."""


class RunDisplay:
    """Shows a run below the cell; any thread may tell.

    Parameters
    ----------
    live
        Whether updates are shown. Without it (nbclient, nbconvert, papermill, nbval) nothing is
        emitted until the end, and then exactly one output, without times.
    quiet
        Only what `end` is given is shown.
    clock
        Seconds from a monotonic clock.
    """

    def __init__(
        self, *, live: bool, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._live, self._quiet, self._clock = live, quiet, clock
        self._id = os.urandom(8).hex()
        self._guard = threading.Lock()
        # what another thread shows belongs to the cell that made this
        self._context = contextvars.copy_context()
        self._notes: list[str] = []
        self._status = ""
        self._now: RunProgress | None = None
        self._last = ""
        self._began = clock()
        self._shown_at = self._began - _INTERVAL
        self._shown = self._closed = False

    def status(self, words: str) -> None:
        """Show in words what is being waited for."""
        self._status = brief(words)
        self._show()

    def note(self, words: str) -> None:
        """Show a line that stays."""
        if not self._quiet:
            self._notes.append(brief(words, 600))
            self._show()

    def progress(self, now: RunProgress) -> None:
        """Show how far it is."""
        if self._now is not None and now.state == "running":
            self._status = ""  # what was waited for is there
        self._now = now
        self._show()

    def close(self, words: str = "") -> None:
        """Show how it ended, for good: `words`, or the counts."""
        told = brief(words, 600) or progress.ending(
            self._now, told=self._shown or bool(self._notes)
        )
        if not self._quiet and (told or self._notes):
            more = [run_view.costs(self._now)] if self._live and self._now else []
            html = f'<div role="status">{escape_line(told, 600)}</div>{run_view.lines(more)}'
            self.end({"text/html": html if told else "", "text/plain": told})

    def end(self, data: Mapping[str, str], metadata: Mapping[str, Any] | None = None) -> None:
        """Show what is made already below the notes, for good; what comes later is not shown.

        Parameters
        ----------
        data
            ``text/html`` that is safe, and ``text/plain``.
        metadata
            The output's.
        """
        html = run_view.lines(self._notes) + data["text/html"]
        plain = "\n".join(part for part in (*self._notes, data["text/plain"]) if part)
        with self._guard:
            if not self._closed:
                self._closed = True
                self._emit({"text/html": html, "text/plain": plain}, dict(metadata or {}))

    def _show(self) -> None:
        with self._guard:
            now = self._clock()
            few = self._now is None or self._now.rows <= progress.FEW
            if few and not self._notes and not self._shown and now - self._began < _PATIENCE:
                return
            if not self._live or self._quiet or self._closed or now - self._shown_at < _INTERVAL:
                return
            html = self._html()
            if html != self._last:
                self._last, self._shown_at = html, now
                self._emit({"text/html": html, "text/plain": self._plain()}, {})

    def _html(self) -> str:
        parts = [run_view.lines(self._notes)]
        if self._now is not None:
            parts += [run_view.bar(self._now), run_view.lines([run_view.facts(self._now)])]
        if waiting := self._waiting():
            parts.append(f'<div role="status" style="{QUIET}">{escape_line(waiting)}</div>')
        return "".join(parts)

    def _plain(self) -> str:
        told = [*self._notes, run_view.facts(self._now) if self._now else "", self._waiting()]
        return "\n".join(line for line in told if line)

    def _waiting(self) -> str:
        if self._status or self._now is None or self._now.state == "running":
            return self._status
        return run_view.state(self._now)

    def _emit(self, data: dict[str, str], metadata: dict[str, Any]) -> None:
        from IPython.display import publish_display_data

        updates: dict[str, Any] = (
            {"transient": {"display_id": self._id}, "update": self._shown} if self._live else {}
        )
        # published and noted as one: else what comes next would be a second output, or lost
        with uninterrupted():
            self._context.copy().run(publish_display_data, data, metadata, **updates)
            self._shown = True


def observer(shell: InteractiveShell) -> RunObserver:
    """Return who shows a call over many rows in `shell`, as its surface is now."""
    where = surface(shell)
    if where is Surface.TERMINAL:
        return progress.on_stderr()
    return RunDisplay(live=where is Surface.NOTEBOOK)


def show(run: Run, shell: InteractiveShell) -> None:
    """Show a run in the background: a panel with buttons, or a line of text."""
    from IPython.display import publish_display_data

    where = surface(shell)
    if where is Surface.NOTEBOOK and find_spec("ipywidgets"):
        from alcf_jupyter.notebook.widgets.run import show as show_panel

        show_panel(run)
    elif where is Surface.TERMINAL:
        print(run)  # noqa: T201 - it is what this shows
    else:  # whoever reads it later finds it as it was asked for: nothing that goes on is in it
        publish_display_data({"text/plain": f"<{run_view.title(run)}>"})  # type: ignore[no-untyped-call]

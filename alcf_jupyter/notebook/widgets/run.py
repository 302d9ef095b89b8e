"""The panel of a run in the background: how far it is, and buttons to pause, resume and stop it."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ipywidgets as widgets
from IPython.display import display

from alcf_jupyter.notebook.runs import run_view
from alcf_jupyter.notebook.widgets.clicks import at_once
from alcf_jupyter.notebook.widgets.shadow import Shadowed
from alcf_jupyter.notebook.widgets.told import Told
from alcf_jupyter.plain import escape_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunProgress

_panels: WeakKeyDictionary[Run, RunPanel] = WeakKeyDictionary()


class RunPanel(Shadowed):
    """Follows a run until it ends, or until the panel is closed.

    Parameters
    ----------
    run
        The run. What changes is shown from its own thread.
    """

    def __init__(self, run: Run) -> None:
        self._run: Run | None = run
        self._title = run_view.title(run)
        self._guard = threading.RLock()
        # that of `show`: what the run's thread changes must not make the buttons wait either
        self._context = contextvars.copy_context()
        self._handles: list[Any] = []
        self._state, self._bar, self._facts = Told(), widgets.HTML(), widgets.HTML()
        self._pause = self._button(
            "Pause", "Send nothing new until Resume", lambda run: run.pause()
        )
        self._resume = self._button("Resume", "Go on", lambda run: run.resume())
        self._stop = self._button(
            "Stop", "End it; what is finished is kept", lambda run: run.stop()
        )
        title = widgets.HTML(f"<strong>{escape_line(self._title)}</strong>")
        buttons = widgets.HBox(
            [self._pause, self._resume, self._stop], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([title, self._state, self._bar, self._facts, buttons])
        self._show(run, run.progress)
        self._unwatch = _nothing
        unwatch = run.watch(self._on_progress)
        with self._guard:  # a run that has ended tells it before `watch` returns
            if self._run is not None:
                self._unwatch = unwatch

    def __repr__(self) -> str:
        return f"<{self._title}>"

    def close(self) -> None:
        """Take the panel away; the run goes on."""
        self._forget()
        super().close()

    def display(self) -> None:
        """Show the panel below the cell; shown in several places, it is the same in all."""
        handle = display(self, display_id=True)  # type: ignore[no-untyped-call]
        with self._guard:
            if self._run is not None:
                self._handles.append(handle)

    def _button(self, label: str, hint: str, act: Callable[[Run], None]) -> Any:
        button = widgets.Button(
            description=label, tooltip=hint, layout=widgets.Layout(width="auto", min_width="7em")
        )

        def clicked(_button: object) -> None:
            if self._run is not None:
                act(self._run)

        button.on_click(clicked)
        return button

    def _on_progress(self, now: RunProgress) -> None:
        # whatever is wrong with the screen, the run goes on
        with contextlib.suppress(Exception):
            self._context.copy().run(self._take, now)

    def _take(self, now: RunProgress) -> None:
        with self._guard:
            run = self._run
            if run is None:
                return
            self._show(run, now)
            if run.running:
                return
            handles = self._handles
            self._forget()
        for handle in handles:  # the plain form that stays in the notebook tells the end
            handle.update(self)

    def _forget(self) -> None:
        """Follow the run no longer; its rows may take much memory, a panel stays for ever."""
        with self._guard:
            self._unwatch()
            self._run, self._unwatch, self._handles = None, _nothing, []

    def _show(self, run: Run, now: RunProgress) -> None:
        """Show how far it is; only what has changed is sent to the browser."""
        state = run_view.state(now)
        self._state.say(state if run.error is None else f"{state}\n{run.error}")
        shown = {
            self._bar: run_view.bar(now),
            self._facts: run_view.lines([run_view.facts(now)]),
        }
        for part, html in shown.items():
            if part.value != html:
                part.value = html
        self._pause.disabled = not run.running or now.state == "paused"
        self._resume.disabled = not run.running or now.state != "paused"
        self._stop.disabled = not run.running


def show(run: Run) -> None:
    """Show a run's panel."""
    panel = _panels.get(run)
    if panel is None or panel.comm is None:
        panel = _panels[run] = at_once().run(RunPanel, run)
    panel.display()


def _nothing() -> None:
    """Unwatch what is not watched."""

"""The panel of a campaign of batches: how far it is, kept up to date at the service's pace."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING

import ipywidgets as widgets

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.runs import batch_view
from alcf_jupyter.notebook.widgets.clicks import at_once
from alcf_jupyter.notebook.widgets.shadow import Shadowed
from alcf_jupyter.notebook.widgets.told import Told

if TYPE_CHECKING:
    from alcf_jupyter.frames.batch.campaign import Batch

_LOOK_SECONDS = 0.5
"""How often the panel looks what is known; the service is asked at its own pace."""


class BatchPanel(Shadowed):
    """Follows a campaign until it has ended, or until the panel is closed.

    Parameters
    ----------
    batch
        The campaign. Its parts that wait for the quota are submitted meanwhile.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._title = batch_view.title(batch)
        self._shown = widgets.HTML()
        self._told = Told()
        self._in_trouble = False
        self._stop = widgets.Button(
            description="Stop following",
            tooltip="The batches go on; the service cannot cancel them",
            layout=widgets.Layout(width="auto", min_width="9em"),
        )
        self._stop.on_click(self._on_stop)
        super().__init__([self._shown, self._stop, self._told])
        self._ended = threading.Event()
        self._show()
        if not batch.ended and batch.transferred:
            batch.wait(background=True)
            context = contextvars.copy_context()
            threading.Thread(
                target=context.run, args=(self._follow,), name="alcf_jupyter batch", daemon=True
            ).start()
        else:
            self._ended.set()
            self._stop.disabled = True

    def __repr__(self) -> str:
        return f"<{self._title}>"

    def close(self) -> None:
        """Take the panel away; the batches go on."""
        self._ended.set()
        super().close()

    def _follow(self) -> None:
        # whatever is wrong with the screen, the campaign goes on
        with contextlib.suppress(Exception):
            while not self._ended.wait(_LOOK_SECONDS):
                self._show()
                if self._batch.ended:
                    break
            self._show()
            self._stop.disabled = True

    def _show(self) -> None:
        try:
            now = self._batch.progress()
        except AlcfError as error:
            self._in_trouble = True
            self._told.say(str(error))
            return
        if self._in_trouble:
            self._in_trouble = False
            self._told.say("")
        text = batch_view.html(self._batch, now)
        if self._shown.value != text:
            self._shown.value = text

    def _on_stop(self, _button: object) -> None:
        self._ended.set()
        self._batch.stop()
        self._stop.disabled = True
        self._told.say(f"To follow it again:  %alcf batches {self._batch.id or self._batch.name}")


def panel(batch: Batch) -> BatchPanel:
    """Return a panel whose button works while a cell runs, too."""
    return at_once().run(BatchPanel, batch)

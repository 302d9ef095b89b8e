"""%alcf models and %alcf wait: the queue, to look at and to wait in."""

from __future__ import annotations

import contextvars
import shutil
import threading
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.notebook.line import options
from alcf_jupyter.notebook.surface import Surface, patience, surface
from alcf_jupyter.typed import WAIT, on_a_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.service.catalog import Model


def models(line: str) -> Any:
    """See every model and its state: ``%alcf models [--state S] [-c CLUSTER] [--can SKILL]``."""
    chosen, rest = options.models_parser().read(line)
    if rest:
        raise UsageError(
            f"%alcf models takes options only, not {rest.split(maxsplit=1)[0]!r}.",
            do="See them:  %alcf help models",
        )
    asked = {"state": chosen.state, "cluster": chosen.cluster, "can": chosen.can}
    if chosen.table:
        from alcf_jupyter.frames.models import models as table

        return table(**asked)[["model", "cluster", "state", "context", "comment"]]
    from alcf_jupyter.connection.session import client
    from alcf_jupyter.service.selection import select

    talk = client()
    found = select(talk.models(), **asked)  # names a state, cluster or skill that there is not
    where = _surface()
    if where is Surface.NOTEBOOK:
        from alcf_jupyter.notebook.widgets.picker import picker

        return picker(talk, **asked)
    from alcf_jupyter.notebook.models.model_table import WIDTH, ModelTable

    columns = shutil.get_terminal_size().columns if where is Surface.TERMINAL else WIDTH
    return ModelTable(talk, found, columns)


def wait(line: str) -> str | None:
    """Wait until a model is Live: ``%alcf wait MODEL [-c CLUSTER] [--timeout 30m] [--bg]``."""
    chosen, rest = options.wait_parser().read(line)
    words = rest.split()
    if len(words) != 1:
        raise UsageError("%alcf wait takes one model.", do="Type:  %alcf wait MODEL")
    settings = {
        "model": words[0],
        "cluster": chosen.cluster,
        "timeout": chosen.timeout or patience(_shell()),
    }
    from alcf_jupyter.connection.session import client
    from alcf_jupyter.connection.waiting import wait_at

    talk = client()
    if chosen.bg and _surface() is not Surface.HEADLESS:
        _wait_behind(talk, settings)
        return None

    display = _display()
    try:
        with on_a_line(WAIT):
            model = wait_at(talk, **settings, observer=display)
    except BaseException:
        display.fail("No longer waited for.")
        raise
    display.finish("", _live(model, talk))
    return None


def _wait_behind(talk: Client, settings: dict[str, Any]) -> None:
    """Wait in a thread of this cell's, so that what it shows goes on appearing below the cell.

    Another service may be connected to meanwhile: the cell's own is asked.
    """
    from alcf_jupyter.connection.waiting import wait_at

    display = _display()
    display.status(f"{settings['model']} · waiting while other cells run")

    def work() -> None:
        try:
            with on_a_line(WAIT):
                model = wait_at(talk, **settings, observer=display)
        except AlcfError as error:
            display.finish(str(error), "", fmt="text")
        else:
            display.finish("", _live(model, talk))

    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(work,), name="alcf_jupyter wait", daemon=True
    ).start()


def _live(model: Model, talk: Client) -> str:
    from alcf_jupyter.connection.profiles import whom

    return f"{whom(model.id, model.cluster, talk.profile.name)} is Live"


def _shell() -> InteractiveShell:
    shell = get_ipython()
    if shell is None:
        raise UsageError("This needs IPython.", do="In Python:  alcf.models()")
    return shell


def _surface() -> Surface:
    return surface(_shell())


def _display() -> Any:
    from alcf_jupyter.notebook.cells.terminal import TerminalDisplay

    where = _surface()
    if where is Surface.TERMINAL:
        return TerminalDisplay()
    from alcf_jupyter.notebook.cells.display import AnswerDisplay

    return AnswerDisplay(live=where is Surface.NOTEBOOK)

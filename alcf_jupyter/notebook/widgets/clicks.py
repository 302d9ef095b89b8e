"""Widgets whose clicks count at once, also while a cell runs."""

from __future__ import annotations

import contextvars

from IPython.core.getipython import get_ipython


def at_once() -> contextvars.Context:
    """Return a context to make a widget in, and to change it in, so that its clicks do not wait.

    ipykernel 7.4 hands a click to the shell that last sent something for the same widget; for one
    that a cell sent, that is the main shell, where a click waits until the cell that runs is done.
    What is sent in this context is an answer to no cell, and so the click stays on the subshell
    that the browser has sent it to. Kernels without subshells are not changed by it.
    """
    context = contextvars.copy_context()
    parent = getattr(getattr(get_ipython(), "kernel", None), "_shell_parent", None)
    if isinstance(parent, contextvars.ContextVar):
        context.run(parent.set, {})
    return context

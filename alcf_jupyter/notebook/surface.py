"""Where the output goes: a notebook somebody watches, one that nobody does, or a terminal."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


WATCHED_TIMEOUT = "30m"
HEADLESS_TIMEOUT = "5m"


class Surface(Enum):
    """Who sees the output while a cell runs."""

    NOTEBOOK = "notebook"
    HEADLESS = "headless"
    TERMINAL = "terminal"


def surface(shell: InteractiveShell) -> Surface:
    """Return where `shell` shows its output now.

    A kernel that may not ask for input is run by nbclient, nbconvert, papermill or nbval: nobody
    watches it, and updates of an output would end up in the stored notebook or in a comparison.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Surface.TERMINAL
    return Surface.NOTEBOOK if getattr(kernel, "_allow_stdin", False) else Surface.HEADLESS


def patience(shell: InteractiveShell) -> str:
    """Return how long a cell in `shell` goes on at the most, the queue included, unless told."""
    return HEADLESS_TIMEOUT if surface(shell) is Surface.HEADLESS else WATCHED_TIMEOUT

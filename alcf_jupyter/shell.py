"""The IPython shell that runs the cells of this process."""

from __future__ import annotations

import sys
from typing import Any


def running_shell() -> Any:
    """Return IPython's shell, None in a program, which is not made to import IPython either."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return ask() if ask else None


def in_notebook() -> bool:
    """Return whether cells run here, where magics can be typed, and not a program or a command."""
    return running_shell() is not None

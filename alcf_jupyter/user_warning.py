"""A warning at the user's own line, however deep below it it arises."""

from __future__ import annotations

import inspect
import warnings


def warn(words: str) -> None:
    """Warn at the line that called the package.

    Parameters
    ----------
    words
        What to know, in a sentence or two.
    """
    package = __name__.partition(".")[0]
    level, frame = 1, inspect.currentframe()
    # the names of code that is executed by itself need not hold one
    while frame and str(frame.f_globals.get("__name__")).partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(words, stacklevel=level)

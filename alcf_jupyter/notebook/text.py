"""Text from a model or a server, escaped: for one line of HTML, and so that none of it is math."""

from __future__ import annotations

import html
import re
from typing import Final

from alcf_jupyter.plain import brief, clean, drop_invisible

__all__ = ["clean", "drop_invisible", "escape", "escape_line", "one_line"]

_TEX: Final = re.compile(r"[\\$]")


def escape(text: str) -> str:
    r"""Escape text for the inside of an HTML element, so that none of it is read as math.

    JupyterLab typesets ``$...$``, ``\(...\)`` and the like in any HTML output, and its TeX has
    links and styles. MathJax looks for delimiters in one run of text at a time, so a dollar or a
    backslash in an element of its own is only a character.

    Parameters
    ----------
    text
        Cleaned text.

    Returns
    -------
    str
        HTML that shows exactly this text.
    """
    return _TEX.sub(r"<span>\g<0></span>", html.escape(text))


def escape_line(text: object, limit: int = 200) -> str:
    """Show a server's string, such as a job's comment or a model's name, on one line of HTML.

    Parameters
    ----------
    text
        The string; anything else is shown as ``str`` shows it, and None as nothing.
    limit
        The most characters that are shown; a longer string ends in an ellipsis.

    Returns
    -------
    str
        Cleaned, escaped, for the inside of an element.
    """
    return escape(one_line(text, limit))


def one_line(text: object, limit: int = 200) -> str:
    """Bring a server's string onto one line of plain text; see `plain.brief`."""
    return brief(text, limit)

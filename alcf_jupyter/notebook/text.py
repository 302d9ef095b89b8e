"""Text from a model or a server, escaped: for one line of HTML, and so that none of it is math."""

from __future__ import annotations

from alcf_jupyter.plain import brief, clean, drop_invisible, escape

__all__ = ["clean", "drop_invisible", "escape", "escape_line", "one_line"]


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

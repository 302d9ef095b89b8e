"""Text from a server or a model, made safe to print: no control, escape or direction characters."""

from __future__ import annotations

import functools
import html
import re
from typing import Final

_ESCAPES: Final = re.compile(
    # A string sequence (title, hyperlink) must end on its line, or it would swallow the answer.
    r"\x1b[\]PX^_][^\x07\x1b\n]{0,2048}(?:\x07|\x1b\\)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]"
)
_LINE_ENDS: Final = re.compile("\r\n?|[\u2028\u2029]")
_EMOJI: Final = "\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
# Scripts whose spelling needs the joiners: Arabic to Khmer, and Mongolian.
_JOINING: Final = "\u0600-\u109f\u1780-\u18af\ua840-\uabff\ufb50-\ufdff\ufe70-\ufefc"
_NEVER: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for newline and tab
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # seen as nothing
    "\u061c\u200b\u200e\u200f\u202a-\u202e"  # spaces without width, direction
    "\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000effff"  # tags and selectors that can carry hidden text
    "\ud800-\udfff"  # lone surrogates, which no UTF-8 message can hold
)
_INVISIBLE: Final = (
    f"[{_NEVER}]"
    # A joiner stays inside an emoji, and inside a word of a script that needs it.
    f"|(?<![{_EMOJI}{_JOINING}\ufe0f])\u200d|\u200d(?![{_EMOJI}{_JOINING}])"
    f"|(?<![{_JOINING}])\u200c|\u200c(?![{_JOINING}])"
    f"|(?<![{_EMOJI}#*0-9\xa9\xae\u203c\u2049\u2122\u2139])\ufe0f"
)
_TEX: Final = re.compile(r"[\\$]")
_SUSPECT: Final = re.compile(f"[{_NEVER}\u200c\u200d\ufe0f\u2028\u2029]")


def counted(count: int, noun: str) -> str:
    """Return how many there are of what a noun names, as ``1 row`` and ``8,412 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def clean(text: str) -> str:
    r"""Take out what a terminal or a reader's eye could be deceived with.

    Terminal escape sequences, control characters (newline and tab stay, every line end becomes
    ``\n``), direction marks, invisible characters and lone surrogates are dropped. Joiners stay
    where emoji and Arabic or Indic spelling need them.

    Parameters
    ----------
    text
        Text from a model or a server.

    Returns
    -------
    str
        The text without them; cleaning it again changes nothing.
    """
    if not _SUSPECT.search(text):
        return text
    return drop_invisible(_LINE_ENDS.sub("\n", _ESCAPES.sub("", text)))


def drop_invisible(text: str) -> str:
    """Drop control, direction and invisible characters, one by one.

    Parameters
    ----------
    text
        Any text; in HTML no markup is touched.

    Returns
    -------
    str
        The text without them.
    """
    if not _SUSPECT.search(text):
        return text
    # A joiner may have stood beside something that is now gone: look again until it is settled.
    invisible = _invisible()
    while (dropped := invisible.sub("", text)) != text:
        text = dropped
    return text


@functools.cache
def _invisible() -> re.Pattern[str]:
    """Return what drops them; most text has none, and to compile it takes milliseconds."""
    return re.compile(_INVISIBLE)


def brief(text: object, width: int = 300) -> str:
    """Bring a server's string onto one line of plain text.

    Parameters
    ----------
    text
        The string; anything else is taken as ``str`` shows it, and None as nothing.
    width
        The most characters that are kept; a longer string ends in an ellipsis.

    Returns
    -------
    str
        Cleaned, every run of blanks a single space.
    """
    # A server may send megabytes where a name is expected: cut before looking at all of it.
    line = " ".join(clean("" if text is None else str(text)[: 20 * width]).split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


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


def escape_line(text: object, width: int = 200) -> str:
    """Show a server's string, such as a job's comment or a model's name, on one line of HTML.

    Parameters
    ----------
    text
        The string; anything else is taken as ``str`` shows it, and None as nothing.
    width
        The most characters that are shown; a longer string ends in an ellipsis.

    Returns
    -------
    str
        Cleaned and escaped, for the inside of an element.
    """
    return escape(brief(text, width))

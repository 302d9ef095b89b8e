"""Text from a server or a model, made safe to print: no control, escape or direction characters."""

from __future__ import annotations

import re

# CSI, OSC (also the form a broken one takes) and two-character escapes of ECMA-48
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|[\x1b\x9b\x9d][\]PX^_]?[^\x07\x1b\x9c\n]{0,2000}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 and C1 but tab and newline; zero-width and bidirectional controls; tags; specials; surrogates
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def clean(text: str) -> str:
    r"""Return `text` without escape sequences, control, invisible and direction characters.

    Newlines and tabs stay; ``\r\n`` and ``\r`` become ``\n``.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAFE.sub("", _ESCAPES.sub("", text))


def brief(text: object, width: int = 300) -> str:
    """Return `text` cleaned, on one line, at most `width` characters long."""
    line = " ".join(clean(str(text)[: 20 * width]).split())
    return line if len(line) <= width else line[: width - 1] + "…"

"""Markdown that is still arriving: what is finished is rendered once, only the end again."""

from __future__ import annotations

from typing import Final

from alcf_jupyter.notebook.render import plain_html, to_html
from alcf_jupyter.notebook.text import clean

_LARGE: Final = 4_000
"""Characters of an unfinished block that is shown as plain text until it is finished."""
_CLOSERS: Final = {"<ul": "</ul>\n", "<ol": "</ol>\n", "<ta": "</tbody>\n</table>\n"}


class GrowingMarkdown:
    """An answer while it streams in.

    Blocks, items of a list and rows of a table that more text cannot change are rendered once and
    kept. What a later line may still change (a link defined at the very end, the spacing of a
    list) comes right in the final rendering, which is always `to_html` of the whole.
    """

    def __init__(self) -> None:
        self._frozen = ""
        self._head = ""  # the first two lines of a table some rows of which are frozen
        self._divided = False  # whether the frozen part ends within a list or a table
        self._lines = ""  # cleaned, complete lines of the unfinished end
        self._line = ""  # the last line as it came: an escape sequence may be cut in two
        self._look_at = 0  # the length from which a search for finished blocks is worth it

    def feed(self, piece: str) -> None:
        """Take the next piece of text.

        Parameters
        ----------
        piece
            Any length of text, as it came.
        """
        lines, newline, self._line = (self._line + piece).rpartition("\n")
        self._lines += clean(lines + newline)

    def html(self) -> str:
        """Render what has arrived.

        Returns
        -------
        str
            Sanitized HTML.
        """
        if len(self._lines) > self._look_at:
            self._freeze()
            # Each look passes over the whole block, so a large one is looked at less often.
            length = len(self._lines)
            self._look_at = length * 11 // 10 if length > _LARGE else length
        end = self._lines + clean(self._line)
        return self._joined(to_html(self._head + end) if len(end) <= _LARGE else _large(end))

    def _freeze(self) -> None:
        from alcf_jupyter.notebook.markdown import TooMuchError, outline

        text = self._head + self._lines
        try:
            blocks, parts = outline(text)
        except TooMuchError:
            return
        line = max(blocks + parts, default=0)
        if line:
            lines = text.splitlines(keepends=True)
            self._frozen = self._joined(to_html("".join(lines[:line])))
            self._divided = line in parts
            table = self._divided and self._frozen.endswith(_CLOSERS["<ta"])
            self._head = "".join(lines[blocks[-1] : blocks[-1] + 2]) if table else ""
            self._lines = "".join(lines[line:])

    def _joined(self, end: str) -> str:
        """Set the rendered end to the frozen part, within its last list or table if it goes on."""
        closer = _CLOSERS.get(end[:3], "")
        if not self._divided or not self._frozen.endswith(closer or "\0"):
            return self._frozen + end
        rest = end.partition("</thead>\n" if self._head else ">\n")[2]
        if self._head and not rest.startswith("<tbody>\n"):  # the table had no other row
            return self._frozen + rest.removeprefix("</table>\n")
        return self._frozen.removesuffix(closer) + rest.removeprefix("<tbody>\n")


def _large(text: str) -> str:
    fence = text[:3] in {"```", "~~~"}
    return plain_html(text.partition("\n")[2] if fence else text)

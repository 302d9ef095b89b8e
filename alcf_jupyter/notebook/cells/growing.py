"""Markdown that is still arriving: what is finished is rendered once, only the end again."""

from __future__ import annotations

from typing import Final

from alcf_jupyter.notebook.rendering.render import plain_html, sanitize
from alcf_jupyter.plain import clean

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
        self._divided = False  # whether the frozen part ends within a list or a table
        self._head = ""  # the first two lines of that table
        self._lines = ""  # cleaned, complete lines of the unfinished end
        self._line = ""  # the last line as it came: an escape sequence may be cut in two
        self._read_from = 0  # the length from which the end is read again

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
        end = self._lines + clean(self._line)
        if len(end) >= self._read_from and (self._lines or len(end) <= _LARGE):
            shown = self._read(self._head + end)
            end = self._lines + clean(self._line)
            # Each reading passes over the whole block, so a large one is read less often.
            self._read_from = len(end) * 5 // 4 if len(end) > _LARGE else 0
            if self._read_from == 0:
                return shown
        return self._frozen + _as_it_is(end)

    def _read(self, text: str) -> str:
        """Render the end, and freeze what is finished in it."""
        from alcf_jupyter.notebook.rendering.markdown import TooMuchError, divide, parse, render

        try:
            tokens = parse(text)
        except TooMuchError:
            return self._frozen + _as_it_is(text)
        finished, unfinished, line = divide(tokens, text.count("\n"))
        if line:
            self._frozen = self._joined(sanitize(render(finished)))
            lines = text.splitlines(keepends=True)
            begins = (unfinished[0].map or [line])[0]
            self._divided = begins < line
            table = self._divided and unfinished[0].tag == "table"
            self._lines = (self._head + self._lines)[sum(map(len, lines[:line])) :]
            self._head = "".join(lines[begins : begins + 2]) if table else ""
        return self._joined(sanitize(render(unfinished)))

    def _joined(self, end: str) -> str:
        """Set the rendered end to the frozen part, within its last list or table if it goes on."""
        closer = _CLOSERS.get(end[:3], "")
        if not (self._divided and closer and self._frozen.endswith(closer)):
            return self._frozen + end
        rest = end.partition("</thead>\n" if self._head else ">\n")[2]
        if self._head and not rest.startswith("<tbody>\n"):  # the table had no other row
            return self._frozen + rest.removeprefix("</table>\n")
        return self._frozen.removesuffix(closer) + rest.removeprefix("<tbody>\n")


def _as_it_is(text: str) -> str:
    fence = text[:3] in {"```", "~~~"}
    return plain_html(text.partition("\n")[2] if fence else text)

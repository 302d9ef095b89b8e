"""What came of the last click, or is wrong, below what was clicked."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from alcf_jupyter.plain import escape_line


class Told(widgets.HTML):  # type: ignore[misc]
    """A few lines that are read out, too, to those who do not see them."""

    value: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.say("")

    def say(self, words: str, quietly: str = "") -> None:
        """Show words in place of those before; the same again is not sent again.

        Parameters
        ----------
        words
            Of anybody: a server, a model.
        quietly
            What stands before them in a fainter shade, in the same line.
        """
        lines = [escape_line(line, 500) for line in words.splitlines()]
        if quietly:
            faint = f'<span style="opacity:.75">{escape_line(quietly)}</span>'
            lines[:1] = [f"{faint} {lines[0]}" if lines else faint]
        text = "<br>".join(lines)
        html = f'<div role="status" aria-live="polite" style="line-height:1.5">{text}</div>'
        if self.value != html:
            self.value = html

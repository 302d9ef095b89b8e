"""The answers of several models beside each other, as they are stored in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.notebook.rendering.bundle import Format, answer_bundle
from alcf_jupyter.plain import brief, escape_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.prompt.compare import Comparison
    from alcf_jupyter.prompt.reply import Reply

# They stand below each other where the page is narrow. Long words are broken; a table, whose cells
# would be broken into letters, keeps its words and is scrolled.
_ROW = "display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start"
_COLUMN = "flex:1 1 18em;min-width:0;overflow-x:auto;overflow-wrap:break-word"


def bundle(
    compared: Comparison, footer: Callable[[Reply], str], fmt: Format = "markdown"
) -> dict[str, str]:
    """Show answers beside each other.

    Parameters
    ----------
    compared
        The answers, taken as hostile.
    footer
        Returns what stands below an answer.
    fmt
        How each is shown.

    Returns
    -------
    dict
        ``text/html`` and ``text/plain``.
    """
    columns, plain = [], []
    for name, reply in zip(compared.models, compared.replies, strict=True):
        if reply is None:
            error = compared.errors[name]
            shown = answer_bundle("", note=brief(f"{error.what} {error.why}", 400))
        else:
            shown = answer_bundle(
                reply.text, footer(reply), reply.note or None, reply.reasoning, fmt
            )
        head = f"<strong>{escape_line(name)}</strong>\n"
        columns.append(f'<div style="{_COLUMN}">{head}{shown["text/html"]}</div>\n')
        plain.append(f"## {brief(name, 200)}\n\n{shown['text/plain']}")
    html = f'<div style="{_ROW}">\n{"".join(columns)}</div>\n'
    return {"text/html": html, "text/plain": "\n\n".join(plain)}

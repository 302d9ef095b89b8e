"""A map of embeddings as plain HTML: its picture, and a list of what is chosen."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from alcf_jupyter.notebook.rendering.bundle import QUIET
from alcf_jupyter.plain import escape_line

if TYPE_CHECKING:
    from alcf_jupyter.frames.explore.embedding_map import Exploration

LISTED = 50
_SHADOW_ROWS = 10


def title(exploration: Exploration) -> str:
    """Return what the map is, on a line of plain text."""
    about = exploration.frame.attrs.get("alcf", {})
    method = about.get("projection", {}).get("method")
    texts = f"{len(exploration.shown):,} texts" if len(exploration.shown) != 1 else "1 text"
    chosen = f", {len(exploration.chosen):,} chosen" if len(exploration.chosen) else ""
    return f"map of {texts}{f' by {method}' if method else ''}{chosen}"


def listing(exploration: Exploration, rows: int = LISTED) -> str:
    """Return the texts that are chosen as a list of plain HTML, the first of them."""
    if not len(exploration.chosen):
        return ""
    texts = exploration.texts(exploration.chosen[:rows])
    labels = exploration.frame.index[exploration.chosen[:rows]]
    items = "".join(
        f"<li><b>{escape_line(label, 60)}</b> {escape_line(text, 300)}</li>"
        for label, text in zip(labels, texts, strict=True)
    )
    more = len(exploration.chosen) - rows
    rest = f'<p style="{QUIET}">and {more:,} more</p>' if more > 0 else ""
    return f"<ul>{items}</ul>{rest}"


def html(exploration: Exploration, picture: bytes | None) -> str:
    """Return the map as HTML that needs no script: picture, title and what is chosen."""
    image = ""
    if picture is not None:
        coded = base64.b64encode(picture).decode()
        alt = escape_line(title(exploration))
        image = f'<img alt="{alt}" src="data:image/png;base64,{coded}">'
    head = f'<div style="{QUIET}">{escape_line(title(exploration))}</div>'
    return f"<div>{image}{head}{listing(exploration, _SHADOW_ROWS)}</div>"

"""How far a campaign of batches is, as HTML and as text: a bar, and a table of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.connection.profiles import whom
from alcf_jupyter.notebook.runs import run_view
from alcf_jupyter.plain import brief, escape_line

if TYPE_CHECKING:
    from alcf_jupyter.frames.batch.campaign import Batch
    from alcf_jupyter.frames.batch.progress import Progress

MOST_PARTS = 40


class BatchView:
    """How a campaign is now: what is seen where nothing can be clicked.

    Parameters
    ----------
    batch
        The campaign; asked once.
    """

    def __init__(self, batch: Batch) -> None:
        now = batch.progress()
        self._text = f"{title(batch)}\n{state(batch)} · {now}"
        self._html = html(batch, now)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html


def title(batch: Batch) -> str:
    """Return what a campaign is, in one line of text that does not change while it goes on."""
    where = whom(batch.model, batch.cluster, batch.service)
    rows = f"{batch.rows:,} rows" if batch.rows else ""
    return brief(" · ".join(part for part in (f"Batch {batch.name}", where, rows) if part))


def state(batch: Batch) -> str:
    """Return the states of its parts in words, as last seen."""
    return brief(f"{batch.state}{f' · {batch.trouble}' if batch.trouble else ''}", 400)


def html(batch: Batch, now: Progress) -> str:
    """Return all that is shown of a campaign."""
    return (
        f"<div><strong>{escape_line(title(batch))}</strong></div>"
        f'<div role="status">{escape_line(state(batch), 400)}</div>'
        f"{run_view.bar_of(now.lines, now.failed, now.total or now.lines, 'lines')}"
        f"{run_view.lines([str(now)])}{table(batch)}"
    )


def table(batch: Batch) -> str:
    """Return a row for each part; `MOST_PARTS` of them."""
    parts = batch.parts
    head = "".join(f"<th>{name}</th>" for name in ("Lines", "Status", "Id", "Reason"))
    rows = "".join(
        f"<tr><td>{part.lines:,}</td><td>{escape_line(part.status or 'waiting')}</td>"
        f"<td>{escape_line(part.id)}</td><td>{escape_line(part.reason, 300)}</td></tr>"
        for part in parts.head(MOST_PARTS).itertuples()
    )
    more = f"<p>and {len(parts) - MOST_PARTS:,} more</p>" if len(parts) > MOST_PARTS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"

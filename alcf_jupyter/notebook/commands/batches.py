"""%alcf batches: the table of batches, or how one of them is."""

from __future__ import annotations

from typing import Any, Final

from IPython.core.getipython import get_ipython

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.line import options
from alcf_jupyter.notebook.surface import Surface, surface

SHOWN: Final = [
    *("id", "status", "cluster", "model", "created", "lines", "failed_lines", "total_tokens"),
    *("response_time", "throughput"),
]


def batches(line: str) -> Any:
    """See your batches, or how one is: ``%alcf batches [--status S] [ID]``."""
    chosen, rest = options.batches_parser().read(line)
    words = rest.split()
    from alcf_jupyter.frames import batches as frames

    if len(words) > 1 or (words and chosen.status):
        raise UsageError(
            "%alcf batches takes one id or name, or --status.", do="See them all:  %alcf batches"
        )
    if not words:
        return frames.batches(chosen.status)[SHOWN]
    batch = frames.batch(words[0])
    shell = get_ipython()
    if shell is not None and surface(shell) is Surface.NOTEBOOK:
        from alcf_jupyter.notebook.widgets.batches import panel

        return panel(batch)
    from alcf_jupyter.notebook.runs.batch_view import BatchView

    return BatchView(batch)

"""%alcf threads, cite and usage: what was said, and what goes into a paper."""

from __future__ import annotations

from typing import Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook import options


def threads(line: str) -> Any:
    """See the conversations: ``%alcf threads [NAME]``."""
    from alcf_jupyter.prompt.threads import threads as all_threads

    _, name = options.threads_parser().read(line)
    return all_threads(name or None)


def cite(line: str) -> str:
    """Get a paragraph for a methods section, and the reference: ``%alcf cite [NOTEBOOK]``."""
    from alcf_jupyter.notebook.methods import cite as paragraph

    _, path = options.cite_parser().read(line)
    return paragraph(path.strip("'\"") or None)


def usage(line: str) -> Any:
    """See the tokens this notebook has used, by model: ``%alcf usage``."""
    from alcf_jupyter.notebook.methods import usage as table

    if line:
        raise UsageError("%alcf usage takes no options.", do="Type:  %alcf usage")
    return table()

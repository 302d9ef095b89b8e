"""%alcf threads, runs, cite and usage: what was said, and what goes into a paper."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from IPython.core.getipython import get_ipython

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.notebook.line import named, options
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIONS: Final = {"open": ["NAME"], "export": ["NAME", "FILE"], "delete": ["NAME"]}
"""What can be done with a recorded run, and what has to be named for it."""


def threads(line: str) -> Any:
    """See the conversations: ``%alcf threads [NAME]``."""
    from alcf_jupyter.prompt.threads import threads as all_threads

    _, name = options.threads_parser().read(line)
    return all_threads(name or None)


def runs(line: str) -> Any:
    """See the recorded runs, or open, export or delete one: ``%alcf runs [open NAME]``."""
    from alcf_jupyter.frames.record import recorded
    from alcf_jupyter.frames.record.run_list import runs as all_runs

    chosen, rest = options.runs_parser().read(line)
    named.check_result(chosen.out)
    words = shlex.split(rest)
    if not words:
        return all_runs()
    action, *given = words
    _check(action, given)
    run = recorded.find(given[0])
    if action == "export":
        return f"Written to {run.export(given[1])}."
    if action == "delete":
        run.delete()
        return f"Run {run.name} is deleted ({recorded.in_words(run.size)})."
    frame = run.open()
    shell = get_ipython()
    if chosen.out and shell is not None:
        shell.user_ns[chosen.out] = frame
    return frame


def _check(action: str, given: Sequence[str]) -> None:
    """Raise where what is to be done with a run is not clear."""
    if action not in ACTIONS:
        near = nearest(action, ACTIONS)
        raise UsageError(
            f"%alcf runs cannot {brief(action, 60)}.",
            do=f"Did you mean:  %alcf runs {near[0]}" if near else "See:  %alcf help runs",
        )
    if len(given) != len(ACTIONS[action]):
        wanted = " ".join(ACTIONS[action])
        raise UsageError(
            f"%alcf runs {action} takes {wanted.replace(' ', ' and ')}.",
            do=f"Type:  %alcf runs {action} {wanted}",
        )


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

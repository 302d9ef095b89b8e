"""Which cell of the notebook is running."""

from __future__ import annotations

from dataclasses import dataclass

from alcf_jupyter.shell import running_shell


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that runs, or None for each of these outside of a notebook.

    Attributes
    ----------
    id
        The cell, the same whenever it is run again; where the front end does not tell, each run
        counts as a cell of its own.
    run
        This run of it.
    number
        What stands before it as ``[n]``.
    """

    id: str | None = None
    run: str | None = None
    number: int | None = None


def running() -> Cell:
    """Return the cell that is running."""
    shell = running_shell()
    if shell is None:
        return Cell()
    number = shell.execution_count
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    run = parent.get("header", {}).get("msg_id") or f"terminal {number}"
    return Cell(parent.get("metadata", {}).get("cellId") or run, run, number)

"""The functions of the package, as ``%alcf help`` lists them and tells of one."""

from __future__ import annotations

import inspect
import textwrap
from typing import Final

FUNCTIONS: Final = {
    "Connect": ("connect", "client", "login", "logout", "whoami"),
    "Models": ("models", "use", "defaults", "wait_until_live"),
    "Chat": ("chat", "stream", "complete", "compare", "dry_run", "threads", "openai"),
    "Columns": ("map", "embed", "estimate", "runs"),
    "Embeddings": (
        *("neighbors", "explore", "near_duplicates", "project", "group", "matrix"),
        *("save_embeddings", "load_embeddings"),
    ),
    "Batches": (
        *("submit_batch", "batch", "batches", "batch_metrics"),
        *("write_batch_input", "read_batch_results", "read_batch_progress"),
    ),
    "Afterwards": ("provenance", "cite", "usage", "replay"),
}
"""The public functions, by what they are about."""

NAMES: Final = tuple(name for names in FUNCTIONS.values() for name in names)

_WIDTH = 79


def listed() -> str:
    """Return the functions, by what they are about, and how to read about one."""
    lines = ["In Python, after  import alcf_jupyter as alcf :"]
    for about, names in FUNCTIONS.items():
        first = f"  {about:<12}"
        words = ", ".join(names)
        lines += textwrap.wrap(
            words, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first)
        )
    return "\n".join([*lines, "Of one of them:  %alcf help neighbors   and all:  alcf.neighbors?"])


def described(name: str) -> str:
    """Return how a function is called and what it does, in a line each."""
    import alcf_jupyter

    function = getattr(alcf_jupyter, name)
    full, nothing = inspect.signature(function), inspect.Signature.empty
    bare = [one.replace(annotation=nothing) for one in full.parameters.values()]
    takes = full.replace(parameters=bare, return_annotation=nothing)
    does = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return f"usage: alcf.{name}{takes}\n\n{does}\n\nAll of it:  alcf.{name}?"

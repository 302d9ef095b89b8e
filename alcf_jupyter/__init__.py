"""The ALCF Inference Endpoints in a notebook, with the queue in view.

Load the magics with ``%load_ext alcf_jupyter``, or use the same functions from Python::

    import alcf_jupyter as alcf
    alcf.connect("sandbox")
    alcf.chat("What is an exascale computer?", model="sandbox/echo")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter._version import __version__
from alcf_jupyter.frames import accessor as _accessor

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.record.replay import replay
    from alcf_jupyter.connection.sdk.clients import openai
    from alcf_jupyter.connection.session import client, connect, defaults, use
    from alcf_jupyter.connection.sign_in.account import logout, whoami
    from alcf_jupyter.connection.waiting import wait_until_live
    from alcf_jupyter.errors import AlcfError
    from alcf_jupyter.frames.batch.input import write_batch_input
    from alcf_jupyter.frames.batch.metrics import batch_metrics
    from alcf_jupyter.frames.batch.progress import read_batch_progress
    from alcf_jupyter.frames.batch.results import read_batch_results
    from alcf_jupyter.frames.batches import batch, batches, submit_batch
    from alcf_jupyter.frames.column import map  # noqa: A004
    from alcf_jupyter.frames.embedding_file import load_embeddings, save_embeddings
    from alcf_jupyter.frames.embeddings import embed
    from alcf_jupyter.frames.estimate import estimate
    from alcf_jupyter.frames.explore.duplicates import near_duplicates
    from alcf_jupyter.frames.explore.groups import group
    from alcf_jupyter.frames.explore.neighbors import neighbors
    from alcf_jupyter.frames.explore.projection import project
    from alcf_jupyter.frames.matrix import matrix
    from alcf_jupyter.frames.models import models
    from alcf_jupyter.frames.record.run_list import runs
    from alcf_jupyter.notebook.explore import explore
    from alcf_jupyter.notebook.methods import cite, usage
    from alcf_jupyter.notebook.provenance import provenance
    from alcf_jupyter.notebook.sign_in import login
    from alcf_jupyter.prompt.ask import chat, complete, stream
    from alcf_jupyter.prompt.compare import compare
    from alcf_jupyter.prompt.dry_run import dry_run
    from alcf_jupyter.prompt.reply import Reply
    from alcf_jupyter.prompt.threads import threads

__all__ = [
    "AlcfError",
    "Client",
    "Reply",
    "__version__",
    "batch",
    "batch_metrics",
    "batches",
    "chat",
    "cite",
    "client",
    "compare",
    "complete",
    "connect",
    "defaults",
    "dry_run",
    "embed",
    "estimate",
    "explore",
    "group",
    "load_embeddings",
    "load_ipython_extension",
    "login",
    "logout",
    "map",
    "matrix",
    "models",
    "near_duplicates",
    "neighbors",
    "openai",
    "project",
    "provenance",
    "read_batch_progress",
    "read_batch_results",
    "replay",
    "runs",
    "save_embeddings",
    "stream",
    "submit_batch",
    "threads",
    "unload_ipython_extension",
    "usage",
    "use",
    "wait_until_live",
    "whoami",
    "write_batch_input",
]

# where each public name lives; its module, and what that imports, is loaded at the first use
_HOMES = {
    "AlcfError": "errors",
    "Client": "connection.client",
    "Reply": "prompt.reply",
    "batch": "frames.batches",
    "batch_metrics": "frames.batch.metrics",
    "batches": "frames.batches",
    "chat": "prompt.ask",
    "cite": "notebook.methods",
    "client": "connection.session",
    "compare": "prompt.compare",
    "complete": "prompt.ask",
    "connect": "connection.session",
    "defaults": "connection.session",
    "dry_run": "prompt.dry_run",
    "embed": "frames.embeddings",
    "estimate": "frames.estimate",
    "explore": "notebook.explore",
    "group": "frames.explore.groups",
    "load_embeddings": "frames.embedding_file",
    "login": "notebook.sign_in",
    "logout": "connection.sign_in.account",
    "map": "frames.column",
    "matrix": "frames.matrix",
    "models": "frames.models",
    "near_duplicates": "frames.explore.duplicates",
    "neighbors": "frames.explore.neighbors",
    "openai": "connection.sdk.clients",
    "project": "frames.explore.projection",
    "provenance": "notebook.provenance",
    "read_batch_progress": "frames.batch.progress",
    "read_batch_results": "frames.batch.results",
    "replay": "connection.record.replay",
    "runs": "frames.record.run_list",
    "save_embeddings": "frames.embedding_file",
    "stream": "prompt.ask",
    "submit_batch": "frames.batches",
    "threads": "prompt.threads",
    "usage": "notebook.methods",
    "use": "connection.session",
    "wait_until_live": "connection.waiting",
    "whoami": "connection.sign_in.account",
    "write_batch_input": "frames.batch.input",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    from types import FunctionType

    from alcf_jupyter.names import spelled

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if isinstance(value, FunctionType):
        value = spelled(value)
    globals()[name] = value
    _accessor.register()
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics to `shell`: what ``%load_ext alcf_jupyter`` calls."""
    from alcf_jupyter.notebook.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics out of `shell` again, and put back what they stood in for."""
    from alcf_jupyter.notebook.extension import unload

    unload(shell)


_accessor.register()

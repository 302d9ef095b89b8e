"""An embed cell: texts to a frame, and below it where the vectors came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.notebook.footer import times

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell
    from pandas import DataFrame

    from alcf_jupyter.notebook.display import AnswerDisplay
    from alcf_jupyter.notebook.terminal import TerminalDisplay


def embed(
    texts: Any,
    chosen: Namespace,
    timeout: str,
    display: AnswerDisplay | TerminalDisplay,
    shell: InteractiveShell,
) -> DataFrame:
    """Embed texts as the options of a cell say, and tell below it what came.

    Parameters
    ----------
    texts
        Any list or column.
    chosen
        The options.
    timeout
        The deadline where none is given.
    display, shell
        Where it is told.
    """
    from alcf_jupyter.frames import embeddings

    frame = embeddings.embed(
        texts,
        model=chosen.model,
        cluster=chosen.cluster,
        dimensions=chosen.dimensions,
        normalize=chosen.normalize,
        timeout=chosen.timeout or timeout,
        wait=not chosen.no_wait,
        observer=display,
    )
    told: dict[str, Any] = frame.attrs["alcf"]
    line = footer(told, done=int((frame["status"] == "ok").sum()), asked=len(frame))
    # without a footer, too: the output's metadata is where a notebook keeps the provenance
    display.finish("", line + times(told, shell), metadata=told)
    return frame


def footer(told: Mapping[str, Any], *, done: int, asked: int) -> str:
    """Return what answered, in one line without times.

    Parameters
    ----------
    told
        The provenance of the vectors.
    done, asked
        How many texts have a vector, of how many.
    """
    tokens = told.get("prompt_tokens")
    parts = [
        f"{told['model']} @ {told['cluster']}" if told["cluster"] else told["model"],
        "local sandbox" if told["service"] == "sandbox" else "",
        f"{done:,} of {asked:,} texts",
        f"{told['dimensions']:,} numbers each",
        "" if tokens is None else f"{tokens:,} tokens in",
        " → ".join(told["states"]) if len(told["states"]) > 1 else "",
    ]
    return " · ".join(part for part in parts if part)

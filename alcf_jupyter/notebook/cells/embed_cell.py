"""An embed cell: texts to a frame, and below it where the vectors came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import DeadlineError, RefusedError
from alcf_jupyter.notebook.cells.footer import times
from alcf_jupyter.notebook.cells.terminal import TerminalDisplay
from alcf_jupyter.notebook.rendering.bundle import answer_bundle
from alcf_jupyter.notebook.runs.run_display import RunDisplay
from alcf_jupyter.notebook.surface import Surface, surface

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell
    from pandas import DataFrame

    from alcf_jupyter.progress import RunProgress


_UNDER_WAY = ("waiting", "running", "paused")


class _Output(RunDisplay):
    """The cell's one output: a bar while texts are sent, then the footer."""

    ended = ""
    """How it ended, where it did before its end."""

    def close(self, words: str = "") -> None:
        self.ended = words

    def finish(self, footer: str, told: dict[str, Any]) -> None:
        self.end(answer_bundle("", footer, self.ended or None), {"alcf": told})

    def fail(self) -> None:
        super().close(self.ended)


class _Terminal:
    """The same in a terminal: the state on one line, then the footer."""

    def __init__(self, *, quiet: bool) -> None:
        self._display = TerminalDisplay(quiet=quiet)
        self.ended = ""

    def status(self, words: str) -> None:
        self._display.status(words)

    def note(self, words: str) -> None:
        self._display.status(words)

    def progress(self, now: RunProgress) -> None:
        if now.state in _UNDER_WAY:  # how it ended is said below, for good
            self._display.status(now.words or str(now))

    def close(self, words: str = "") -> None:
        self.ended = words

    def finish(self, footer: str, told: dict[str, Any]) -> None:
        self._display.finish("", footer, note=self.ended or None, metadata=told)

    def fail(self) -> None:
        self._display.fail("")


def embed(texts: Any, chosen: Namespace, timeout: str | None, shell: InteractiveShell) -> DataFrame:
    """Embed texts as the options of a cell say, and tell below it what came.

    Parameters
    ----------
    texts
        Any list or column.
    chosen
        The options.
    timeout
        The deadline where none is given; None for that of a run.
    shell
        Where it is told, and where the frame goes.

    Raises
    ------
    RefusedError
        None of the texts could be embedded; the frame that says why is in ``_``.
    DeadlineError
        None of them was embedded in time.
    """
    from alcf_jupyter.frames import embeddings
    from alcf_jupyter.frames.launch import TIMEOUT

    output = _output(shell, quiet=chosen.quiet)
    try:
        frame = embeddings.embed(
            texts,
            model=chosen.model,
            cluster=chosen.cluster,
            dimensions=chosen.dimensions,
            normalize=chosen.normalize,
            timeout=chosen.timeout or timeout or TIMEOUT,
            wait=not chosen.no_wait,
            observer=output,
        )
    except BaseException:
        output.fail()
        raise
    told: dict[str, Any] = frame.attrs["alcf"]
    line = footer(told, done=int((frame["status"] == "ok").sum()), asked=len(frame))
    # without a footer, too: the output's metadata is where a notebook keeps the provenance
    output.finish("" if chosen.quiet else line + times(told, shell), told)
    if chosen.out:
        shell.user_ns[chosen.out] = frame
    _check(frame, shell)
    return frame


def _output(shell: InteractiveShell, *, quiet: bool) -> _Output | _Terminal:
    where = surface(shell)
    if where is Surface.TERMINAL:
        return _Terminal(quiet=quiet)
    return _Output(live=where is Surface.NOTEBOOK, quiet=quiet)


def _check(frame: DataFrame, shell: InteractiveShell) -> None:
    """Fail the cell where no text has a vector, so that nothing goes on without one."""
    failed, pending = (frame[frame["status"] == status] for status in ("failed", "pending"))
    if (failed.empty and pending.empty) or (frame["status"] == "ok").any():
        return
    shell.displayhook.update_user_ns(frame)  # type: ignore[no-untyped-call]
    if failed.empty:
        raise DeadlineError(
            "None of the texts was embedded in time.",
            do="Run the cell again; give it  --timeout 1h",
        )
    raise RefusedError(
        "None of the texts could be embedded.",
        why=str(failed["reason"].iloc[0]),
        do="Mend the texts, or take another model:  %alcf models --can embed",
    )


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
        f"{told['dimensions']:,} numbers each" if told["dimensions"] else "",
        f"{told['reused']:,} from the record" if told.get("reused") else "",
        "" if tokens is None else f"{tokens:,} tokens in",
        " → ".join(told["states"]) if len(told["states"]) > 1 else "",
    ]
    return " · ".join(part for part in parts if part)

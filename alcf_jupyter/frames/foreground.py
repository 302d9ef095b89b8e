"""A run from its beginning to its frame: shown, waited for, and ended by an interrupt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter import progress
from alcf_jupyter.frames.launch import launch
from alcf_jupyter.frames.record.recorded import expired

if TYPE_CHECKING:
    import pandas as pd

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.frames.job import Job
    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver

SAID_FROM_ROWS = 100
"""A run of more rows than this says what it will take before it starts."""

_STOPPING_SECONDS = 0.7
"""How long an interrupted run has to put away what has come."""


def carry_out(
    job: Job,
    call: Call,
    identity: str,
    *,
    background: bool,
    observer: RunObserver | None,
    **how: Any,
) -> pd.DataFrame | Run:
    """Begin a run, and unless it is in the background wait for it; an interrupt ends the run.

    What a large run will take is said before it begins, in either case.

    Parameters
    ----------
    job, call, identity
        As for `launch`.
    background
        Return the run at once.
    observer
        Told what a large run will take, and how far one is that is waited for.
    **how
        The other options of `launch`.

    Returns
    -------
    pandas.DataFrame or Run
        After an interrupt, or when the time is over: what there is so far, the rest pending.

    Raises
    ------
    AlcfError
        What ended the run; its `result` is the frame so far.
    KeyboardInterrupt
        A second interrupt, before what had arrived was put away.
    """
    watcher = observer or progress.observer()

    def say(run: Run) -> None:
        if run.recorded_in and (gone := expired()):
            watcher.note(gone)
        if run.progress.pending > SAID_FROM_ROWS:
            watcher.note(str(job.estimate(run.pending, call)))

    run = launch(job, call, identity, background=background, before=say, **how)
    return run if background else _awaited(run, watcher)


def _awaited(run: Run, watcher: RunObserver) -> pd.DataFrame:
    words = ""
    try:
        try:
            while not run.wait(0.1):
                watcher.progress(run.progress)
            watcher.progress(run.progress)
        except KeyboardInterrupt:
            run.stop()
            run.wait(_STOPPING_SECONDS)
            watcher.progress(run.progress)
            words = f"Interrupted. {run.kept}; run it again to go on."
        if run.error is not None:
            words = progress.counts(run.progress)
        elif not words and run.progress.state == "stopped":
            words = "The time is over." if run.late else "Stopped."
            words = f"{words} {run.kept}; run it again to go on."
        return run.so_far() if run.running else run.result()
    finally:
        watcher.close(words)

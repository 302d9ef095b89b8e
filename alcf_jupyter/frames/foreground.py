"""Waiting for a run where the user waits, too: its progress is shown, and an interrupt ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.progress import counts

if TYPE_CHECKING:
    import pandas as pd

    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver

_STOPPING_SECONDS = 0.7
"""How long an interrupted run has to put away what has come."""


def finish(run: Run, watcher: RunObserver) -> pd.DataFrame:
    """Wait for a run in the foreground and return its frame; an interrupt ends the run.

    Parameters
    ----------
    run
        Under way.
    watcher
        As `progress.observer` gave it; closed here.

    Returns
    -------
    pandas.DataFrame
        After an interrupt, or when the time is over: what there is so far, the rest pending.

    Raises
    ------
    AlcfError
        What ended the run; its `result` is the frame so far.
    KeyboardInterrupt
        A second interrupt, before what had arrived was put away.
    """
    words = ""
    try:
        try:
            while not run.wait(0.1):
                watcher.progress(run.progress)
            watcher.progress(run.progress)
        except KeyboardInterrupt:
            run.stop()
            run.wait(_STOPPING_SECONDS)
            words = f"Interrupted. {run.kept}; run it again to go on."
        if run.error is not None:
            words = counts(run.progress)
        elif not words and run.progress.state == "stopped":
            words = f"The time is over. {run.kept}; run it again to go on."
        return run.so_far() if run.running else run.result()
    finally:
        watcher.close(words)

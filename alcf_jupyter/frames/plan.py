"""A call over many rows, checked and not begun: it can be carried out, or only estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alcf_jupyter.connection.session import client
from alcf_jupyter.frames.foreground import carry_out
from alcf_jupyter.frames.launch import check, pending

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.frames.cost import Estimate
    from alcf_jupyter.frames.job import Job
    from alcf_jupyter.frames.result_file import ResultFile
    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call over many rows would do.

    Attributes
    ----------
    job, call, identity, checkpoint, fresh, concurrency, on_error, written
        As for `launch`.
    """

    job: Job
    call: Call
    identity: str
    checkpoint: str | Path | None
    fresh: bool
    concurrency: int | None
    on_error: str
    written: ResultFile | None

    def carry_out(self, *, background: bool, observer: RunObserver | None) -> pd.DataFrame | Run:
        """Do it; see `foreground.carry_out`."""
        return carry_out(
            self.job,
            self.call,
            self.identity,
            background=background,
            observer=observer,
            checkpoint=self.checkpoint,
            fresh=self.fresh,
            concurrency=self.concurrency,
            on_error=self.on_error,
            written=self.written,
        )

    def estimate(self) -> Estimate:
        """Return what it would take, without what is recorded; nothing is sent or written.

        Raises
        ------
        UsageError, JournalError
            As `carry_out`.
        """
        check(self.job, self.concurrency, self.on_error)
        client().models().find(self.call.model, self.call.cluster)
        units = pending(self.job, self.identity, self.checkpoint, fresh=self.fresh)
        return self.job.estimate(units, self.call)

"""What a run has brought so far: rows, vectors, and how many of each kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from alcf_jupyter.frames.job import Job, Landed
    from alcf_jupyter.frames.record.journal_content import Content
    from alcf_jupyter.frames.record.journal_lines import Row


class Harvest:
    """The rows of a run's units as they come; read by other threads meanwhile.

    Parameters
    ----------
    job
        What the run does.

    Attributes
    ----------
    found
        The row of each unit; None where it has not come.
    vectors
        (units, d); None where none has come. Rows of units without a vector are undefined.
    counts
        How many rows are in each status; one unit can be that of many.
    reused
        Rows that were recorded before.
    requests
        How many were answered.
    prompt_tokens, completion_tokens
        What was used, as far as the service tells.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.found: list[Row | None] = [None] * len(job.keys)
        self.vectors: NDArray[np.float32] | None = None
        self.counts = Counter[str](job.unsent)
        self.reused = self.requests = 0
        self.prompt_tokens = self.completion_tokens = 0

    @property
    def pending(self) -> list[int]:
        """The units that have not come."""
        return [unit for unit, row in enumerate(self.found) if row is None]

    @property
    def done(self) -> int:
        """How many rows are finished, one way or the other."""
        return self.counts.total()

    @property
    def answered(self) -> int:
        """How many rows have an answer."""
        return self.counts["ok"] + self.counts["truncated"]

    def reuse(self, content: Content) -> None:
        """Take what was recorded before."""
        self._job.width = content.vectors.shape[1] or None
        units: list[int] = []
        places: list[int] = []
        for unit, key in enumerate(self._job.keys):
            row = content.rows.get(key)
            if row is not None:
                self._put(unit, row)
                self.reused += self._weight(unit)
                if row.vector is not None:
                    units.append(unit)
                    places.append(row.vector.place)
        if units:
            self._keep(units, content.vectors[places])

    def take(self, landed: Landed) -> None:
        """Take what has come."""
        if landed.vectors is not None:  # before the rows: whoever sees one takes its vector
            self._keep(landed.units, landed.vectors)
        for unit, row in zip(landed.units, landed.rows, strict=True):
            self._put(unit, row)
        if landed.usage is not None:
            self.requests += 1
            self.prompt_tokens += landed.usage.prompt_tokens or 0
            self.completion_tokens += landed.usage.completion_tokens or 0

    def _put(self, unit: int, row: Row) -> None:
        self.found[unit] = row
        self.counts[row.status] += self._weight(unit)

    def _keep(self, units: Sequence[int], vectors: NDArray[np.float32]) -> None:
        if self.vectors is None:
            # memory is taken as it is written to
            self.vectors = np.empty((len(self.found), vectors.shape[1]), np.float32)
        place = slice(units.start, units.stop) if isinstance(units, range) else list(units)
        self.vectors[place] = vectors

    def _weight(self, unit: int) -> int:
        return self._job.weights[unit] if self._job.weights else 1

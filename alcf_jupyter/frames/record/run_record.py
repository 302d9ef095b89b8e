"""A run's record while it goes on: what has come is appended, and what answered is noted."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from alcf_jupyter.errors import JournalHeldError, NotWrittenError
from alcf_jupyter.frames.record.journal import LAST
from alcf_jupyter.service.catalog import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.frames.harvest import Harvest
    from alcf_jupyter.frames.job import Job, Landed
    from alcf_jupyter.frames.record.journal import Journal
    from alcf_jupyter.frames.sending.engine import Engine

_BEAT_SECONDS = 300.0
_ENDS = ("ok", "truncated", "failed", "skipped")
"""What can have become of a row that is not pending."""


class RunRecord:
    """Writes what a run's engine brings into its journal.

    Parameters
    ----------
    journal
        Open.
    engine
        What sends the run's requests.
    """

    def __init__(self, journal: Journal, engine: Engine) -> None:
        self._journal = journal
        self._engine = engine
        self._beat_at = time.monotonic()
        self._last = {"at": round(time.time(), 3)}  # no two calls look the same

    def begin(self, harvest: Harvest, job: Job) -> None:
        """Note that a call begins: which columns it sends, and how many rows need nothing sent."""
        self._note(harvest, rows=job.rows, columns=job.columns)

    def end(self, harvest: Harvest) -> None:
        """Note what became of the call's rows, also of those that are not recorded."""
        self._note(harvest)

    def _note(self, harvest: Harvest, **facts: Any) -> None:
        counts = {one: harvest.counts[one] for one in _ENDS if harvest.counts[one]}
        # what is listed of a run must not end it: without room, answers are kept in memory
        with contextlib.suppress(NotWrittenError, JournalHeldError):
            self._journal.describe(**facts, **{LAST: self._last | counts})

    def add(self, landed: Sequence[Landed]) -> None:
        """Append what is not to be sent again; shows that the writer lives, too.

        Raises
        ------
        JournalError
            As `Journal.append`.
        """
        lasting = [one for one in landed if one.lasting]
        rows = [row for one in lasting if one.vectors is None for row in one.rows]
        if rows:
            self._journal.append(rows)
        vectors = [one.vectors for one in lasting if one.vectors is not None]
        if vectors:
            rows = [row for one in lasting if one.vectors is not None for row in one.rows]
            self._journal.append(rows, np.concatenate(vectors) if len(vectors) > 1 else vectors[0])
        served = self._engine.call.served
        if lasting and served is not None:
            name = self._engine.served or served.id
            self._journal.describe(served=name, served_on=served.cluster)
        now = time.monotonic()
        if now - self._beat_at > _BEAT_SECONDS:
            self._beat_at = now
            self._journal.beat()

    def restore(self, harvest: Harvest) -> None:
        """Take what was recorded before, and what answered it until something new does."""
        content = self._journal.content
        harvest.reuse(content)
        about = content.header.about if content.header else {}
        if harvest.reused and about.get("served"):
            name, cluster = (str(about.get(one) or "") for one in ("served", "served_on"))
            self._engine.served, self._engine.call.served = name, Model(id=name, cluster=cluster)

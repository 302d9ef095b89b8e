"""What a campaign has to show: its answers on the table's rows, its progress, its summaries."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alcf_jupyter.connection.meter import Count
from alcf_jupyter.connection.record.origin import versions
from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.answer_form import in_place_of_replies
from alcf_jupyter.frames.batch import by_custom_id, files, metrics, submission
from alcf_jupyter.frames.batch import join as batch_join
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch.blocks import ROWS
from alcf_jupyter.frames.batch.lines import OK, TRUNCATED
from alcf_jupyter.frames.batch.progress import Progress, read_batch_progress
from alcf_jupyter.frames.batch.requests import KINDS
from alcf_jupyter.frames.batch.results import Reader, write_tables
from alcf_jupyter.prompt.schema import of as schema_of
from alcf_jupyter.service.batches import ENDED
from alcf_jupyter.service.catalog import Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.manifest import Manifest, Part
    from alcf_jupyter.service.batches import Summary


class Answers:
    """Reads what the batches of a campaign wrote.

    Parameters
    ----------
    manifest, folder, talk
        As for `Following`.
    """

    def __init__(self, manifest: Manifest, folder: Path | None, talk: Client) -> None:
        self._manifest = manifest
        self._folder = folder
        self._talk = talk
        self._tasks: dict[str, list[Summary]] = {}
        self._ask_again = float("-inf")

    def read(self, data: Any, newer: Sequence[Answers], out: Path | None) -> pd.DataFrame | Path:
        """Return the answers; see `Batch.results`.

        Parameters
        ----------
        data
            The table, or None.
        newer
            Those of campaigns that sent failed rows again, the newest first.
        out
            A Parquet file, or None.
        """
        rows = self.rows(data)
        readers: dict[Path, Reader] = {}
        made = (
            self._by_custom_id(newer, readers, out)
            if rows is None
            else self._joined(rows, newer, readers, out)
        )
        for reader in readers.values():
            reader.warn()
        return made

    def _joined(
        self,
        rows: pd.DataFrame,
        newer: Sequence[Answers],
        readers: dict[Path, Reader],
        out: Path | None,
    ) -> pd.DataFrame | Path:
        join = batch_join.Join(rows, self._manifest.kind, self._missing(rows))
        own, *others = (partial(one.tables, readers) for one in (self, *newer))
        found = join.best(own, others)
        if out is not None:
            written = batch_join.to_parquet(join, found, out)
            join.warn()
            return written
        made = batch_join.to_frame(join, found)
        if self._manifest.schema:
            form = schema_of(self._manifest.schema)
            made = in_place_of_replies(made, form, self._manifest.prefix)
        join.warn()
        made.attrs["alcf"] = {
            **self._about(made),
            "repeated": join.repeated,
            "unknown": join.unknown,
        }
        return made

    def _by_custom_id(
        self, newer: Sequence[Answers], readers: dict[Path, Reader], out: Path | None
    ) -> pd.DataFrame | Path:
        own, *others = (one.tables(readers) for one in (self, *newer))
        found = by_custom_id.best(own, others)
        return by_custom_id.to_frame(found) if out is None else write_tables(found, ROWS, out)

    def rows(self, data: Any) -> pd.DataFrame | None:
        """Return the rows of the table, None where nothing is known of it."""
        if data is not None:
            return batch_join.plain_rows(tables.as_frame(data).index)
        if self._folder is None or not self._manifest.rows:
            return None
        return batch_manifest.read_index(self._folder, self._manifest.name)

    def tables(self, readers: dict[Path, Reader]) -> Iterator[pa.Table]:
        """Yield the rows of every results file, piece by piece, and note who reads them."""
        for reader in self.readers():
            readers[reader.path] = reader
            yield from self._counted(reader)

    def _counted(self, reader: Reader) -> Iterator[pa.Table]:
        """Yield the rows of a results file, and have what they took counted once all are read."""
        count = Count()
        for rows in reader.tables():
            answered = pc.is_in(rows["status"], pa.array([OK, TRUNCATED], rows["status"].type))
            # a line with several vectors is one answer
            count.answers += pc.sum(pc.and_(answered, pc.equal(rows["item"], 0))).as_py() or 0
            count.prompt_tokens += pc.sum(rows["prompt_tokens"]).as_py() or 0
            count.completion_tokens += pc.sum(rows["completion_tokens"]).as_py() or 0
            yield rows
        model = Model(id=self._manifest.model, cluster=self._manifest.cluster)
        self._talk.meter.add_batch(str(reader.path), model, count)

    def readers(self) -> list[Reader]:
        """Return a reader of each results file: what there is of a failed part, none before an end.

        Raises
        ------
        UsageError
            A file is not where the service says, or not on this machine.
        """
        found: list[Path] = []
        profile = self._talk.profile
        for part in self._manifest.parts:
            if part.status not in ENDED:
                continue
            here = files.written(self._manifest, part, profile, files.RESULTS)
            if not here and part.status == "completed":
                tasks = self.summaries(part)
                here = files.results(self._manifest, part, tasks, profile, self._folder)
            found += here
        return [Reader(path) for path in found]

    def _missing(self, rows: pd.DataFrame) -> batch_join.Missing:
        """Return what to say of each row, should it have no line in the results."""
        sent = (rows[batch_manifest.ROW_STATUS] == "").to_numpy()
        rank = np.cumsum(sent) - 1
        ends = np.cumsum([part.lines for part in self._manifest.parts])
        owner = np.minimum(np.searchsorted(ends, rank, side="right"), len(ends) - 1)
        told = [_without_line(part) for part in self._manifest.parts]
        statuses, reasons = (np.array(one, object) for one in zip(*told, strict=True))
        return statuses[owner], reasons[owner]

    def summaries(self, part: Part) -> list[Summary]:
        """Return what each task of a completed part did; the service is asked once.

        Raises
        ------
        AlcfError
            It could not be asked, or does not tell; so the next call asks again.
        """
        if part.batch_id not in self._tasks:
            self._tasks[part.batch_id] = metrics.tasks(part.batch_id, self._talk)
        return self._tasks[part.batch_id]

    def progress(self) -> Progress:
        """Return how far all parts together are."""
        found = [self._progress_of(part) for part in self._manifest.parts]
        return Progress(
            sum(one.lines for one in found),
            batch_manifest.lines_of(self._manifest.parts) or None,
            sum(one.responses for one in found),
            sum(one.total_tokens for one in found),
            sum(one.chunks for one in found),
            sum(one.seconds for one in found),
            all(part.status in ENDED for part in self._manifest.parts),
        )

    def _progress_of(self, part: Part) -> Progress:
        profile = self._talk.profile
        for file in files.written(self._manifest, part, profile, files.PROGRESS)[-1:]:
            with contextlib.suppress(UsageError):  # half written, and the next look is soon
                return read_batch_progress(file)
        if part.status != "completed":
            return Progress()
        tasks = self._tasks_by_now(part)
        return Progress(
            sum(one.lines or 0 for one in tasks),
            None,
            sum(one.responses or 0 for one in tasks),
            sum(one.total_tokens or 0 for one in tasks),
            done=True,
        )

    def _tasks_by_now(self, part: Part) -> list[Summary]:
        """Return what a part did, none where the service does not tell it now."""
        is_known = part.batch_id in self._tasks
        # progress is looked at ten times a second, and the service is asked at its own pace
        if is_known or time.monotonic() >= self._ask_again:
            try:
                return self.summaries(part)
            except AlcfError:
                self._ask_again = time.monotonic() + submission.pause(self._talk)
        return []

    def _about(self, made: pd.DataFrame) -> dict[str, Any]:
        """Return the provenance of answers, as `origin` has it, as far as a batch tells it."""
        manifest, profile = self._manifest, self._talk.profile
        rows = made["status"].value_counts().to_dict()
        return {
            "route": KINDS.get(manifest.kind, "").removeprefix("/v1/"),  # "": not known here
            "model": manifest.model,
            "cluster": manifest.cluster,
            "service": profile.name,
            "url": "" if profile.name == "sandbox" else profile.url,
            "batches": [part.batch_id for part in manifest.parts],
            "parameters": manifest.parameters,
            "template": manifest.template,
            "complete": rows.keys() <= {"ok", "skipped"},
            "prompt_tokens": int(made["prompt_tokens"].sum()),
            "completion_tokens": int(made["completion_tokens"].sum()),
            "rows": rows,
            "time": datetime.fromtimestamp(manifest.created, UTC).isoformat(timespec="seconds"),
            "versions": versions(),
        }


def _without_line(part: Part) -> tuple[str, str]:
    if part.status == "completed":
        return "failed", "there is no line for it in the results"
    if part.status == "failed":
        return "failed", f"the batch failed: {part.reason or 'no reason is told'}"
    if part.batch_id:
        return "pending", "the batch has not ended"
    return "pending", "not submitted yet"

"""One or several batches that answer one table: followed, read, and retried where they failed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from alcf_jupyter import progress as reporting
from alcf_jupyter.connection import another_service
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import metrics as batch_metrics
from alcf_jupyter.frames.batch import places, retry, shared, submission
from alcf_jupyter.frames.batch import state as batch_state
from alcf_jupyter.frames.batch.answers import Answers
from alcf_jupyter.frames.batch.following import PASSING, Following
from alcf_jupyter.frames.file_name import checked

if TYPE_CHECKING:
    import os

    import pandas as pd

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.manifest import Manifest
    from alcf_jupyter.frames.batch.progress import Progress
    from alcf_jupyter.progress import RunObserver


class Batch:
    """Batches that answer one table; made by `submit_batch` and `batch`.

    Parameters
    ----------
    manifest
        What is known of them.
    folder
        Where it is kept; None for batches that have no manifest.
    talk
        The service.

    Raises
    ------
    UsageError
        They are another service's.
    """

    def __init__(self, manifest: Manifest, folder: Path | None, talk: Client) -> None:
        another_service.check(
            f"Batch {manifest.name} belongs to",
            manifest.service,
            talk.profile.name,
            "Only its own service knows how it is.",
        )
        self._manifest = manifest
        self._folder = folder
        self._talk = talk
        self._following = Following(manifest, folder, talk)
        self._answers = Answers(manifest, folder, talk)

    def __repr__(self) -> str:
        return f"<batch {self.name} · {self.state}>"

    @property
    def name(self) -> str:
        """What its files begin with; it can be given to `batch` like an id."""
        return self._manifest.name

    @property
    def id(self) -> str:
        """The id of the batch, of several the first one's; ``""`` while none is submitted."""
        return next(iter(self.ids), "")

    @property
    def ids(self) -> list[str]:
        """The ids of all batches that are submitted."""
        return [part.batch_id for part in self._manifest.parts if part.batch_id]

    @property
    def model(self) -> str:
        """The model, ``""`` where it is not known."""
        return self._manifest.model

    @property
    def cluster(self) -> str:
        """Where it runs."""
        return self._manifest.cluster

    @property
    def service(self) -> str:
        """The name of the service's profile."""
        return self._talk.profile.name

    @property
    def rows(self) -> int:
        """How many rows the table has, or lines the file; 0 where that is not known."""
        return self._manifest.rows or batch_manifest.lines_of(self._manifest.parts)

    @property
    def status(self) -> str:
        """How it is: the service is asked, at its own pace.

        ``transfer`` (the input has to be copied to the cluster), ``waiting`` (for the quota),
        ``pending``, ``running``, ``completed`` or ``failed``; of several the least far, and
        ``failed`` if one failed and none is under way.
        """
        self.refresh()
        return batch_state.status(self._manifest)

    @property
    def trouble(self) -> str:
        """What went wrong the last time the service was asked in the background, in words."""
        return self._following.trouble

    @property
    def state(self) -> str:
        """The status of its parts in words, as last seen."""
        return batch_state.words(self._manifest)

    @property
    def parts(self) -> pd.DataFrame:
        """A row for each batch: file, lines, id, status, reason of a failure, created, ended."""
        return batch_state.table(self._manifest)

    @property
    def ended(self) -> bool:
        """Whether nothing is under way or waiting any more, as last seen."""
        return self._following.ended

    @property
    def transferred(self) -> bool:
        """Whether its input is on the cluster's file system, as far as is known."""
        return self._manifest.transferred

    @property
    def waits(self) -> bool:
        """Whether a part waits for the quota, as last seen."""
        return any(part.status == submission.WAITING for part in self._manifest.parts)

    def transfers(self) -> list[str]:
        """Return the lines that copy the input to the cluster."""
        folder = self._folder or Path.cwd()
        return [
            places.transfer(
                folder / part.name, f"{self._manifest.folder}/{part.name}", self.cluster
            )
            for part in self._manifest.parts
        ]

    def refresh(self) -> None:
        """Ask the service how it is, unless it was asked a moment ago, and submit what can be.

        Raises
        ------
        AlcfError
            It could not be asked, or refused a part for another reason than the quota.
        """
        self._following.refresh()

    def submit(self) -> Batch:
        """Submit it: the input is on the cluster's file system now.

        Returns
        -------
        Batch
            Itself.
        """
        if self._folder is not None and not self._manifest.transferred:
            self._manifest.transferred = True
            shared.save(self._manifest, self._folder)
        self._following.refresh(now=True)
        return self

    def cancel(self) -> None:
        """Say how a batch is cancelled: the service has no route for it.

        Raises
        ------
        UsageError
            Always; it holds the sentence to send to support.
        """
        raise batch_state.not_cancelled(self._manifest)

    def wait(
        self,
        timeout: str | float | None = None,
        *,
        background: bool = False,
        observer: RunObserver | None = None,
    ) -> Batch:
        """Wait until it has ended, and submit parts that wait for the quota meanwhile.

        The service is asked every 30 s, which is as often as it looks itself. An interrupt ends
        the waiting, and not the batch.

        Parameters
        ----------
        timeout
            Seconds, or words such as ``"8h"``; no limit by default.
        background
            Return at once, and go on in a thread of this kernel.
        observer
            Told how far it is.

        Returns
        -------
        Batch
            Itself.

        Raises
        ------
        DeadlineError
            The time has passed.
        AlcfError
            The service refuses to tell. Failures that may pass do not end the waiting.
        """
        if not self._manifest.transferred:
            raise self._not_transferred()
        if background:
            self._following.behind()
            return self
        deadline = Deadline.after(timeout) if timeout is not None else None
        watcher = observer or reporting.observer()
        for _ in self._following.steps():
            watcher.status(self._words())
            if deadline is not None and not deadline.left() and not self.ended:
                raise deadline.error(f"waiting for batch {self.name}")
        watcher.close(f"{self._words()} · {self._answers.progress()}")
        return self

    def _words(self) -> str:
        return batch_state.line(self._manifest, self._answers.progress(), self.trouble)

    def stop(self) -> None:
        """End the waiting in the background; the batches go on."""
        self._following.stop()

    def _not_transferred(self) -> UsageError:
        return UsageError(
            f"The input of {self.name} is not on the cluster yet.",
            why="Copy it there first.",
            do="Then:  b.submit()",
        )

    def progress(self) -> Progress:
        """Return how far it is, from the files it writes where they can be read here.

        Returns
        -------
        Progress
            Of all parts together. A batch writes after every 20,000 lines.
        """
        with contextlib.suppress(*PASSING):
            self.refresh()
        return self._answers.progress()

    def metrics(self) -> pd.DataFrame:
        """Return what its batches did, as `batch_metrics` does.

        Returns
        -------
        pandas.DataFrame
            One row for each task of each batch.
        """
        self.refresh()
        return batch_metrics.batch_metrics(self.ids)

    @overload
    def results(self, data: Any = ..., out: None = ...) -> pd.DataFrame: ...
    @overload
    def results(self, data: Any = ..., *, out: str | os.PathLike[str]) -> Path: ...
    def results(
        self, data: Any = None, out: str | os.PathLike[str] | None = None
    ) -> pd.DataFrame | Path:
        """Return its answers, a row for each of the table's, in their order.

        Rows that were sent again by `retry_failed` have their best answer: ok before truncated
        before failed, and the newest of equally good ones.

        Parameters
        ----------
        data
            The table, for a batch whose manifest is gone: its rows are found by the custom ids.
        out
            A ``.parquet`` file to write in place of a frame, for results larger than memory; an
            answer in the form of a schema stays one text there.

        Returns
        -------
        pandas.DataFrame or pathlib.Path
            With the table's index: ``reply`` or the schema's fields (and ``reasoning``, where a
            model tells its), or ``embedding``; ``status`` (ok, truncated, failed, skipped or
            pending), ``reason``, ``finish_reason``, ``prompt_tokens``, ``completion_tokens``,
            ``total_tokens``. Without a manifest and a table the index is the custom id. Custom ids
            that are repeated, unknown or missing are told in a warning and in ``attrs["alcf"]``.

        Raises
        ------
        UsageError
            The files are not on this machine; the message has the line that gets them.
        """
        path = None if out is None else checked(out, ".parquet")
        self.refresh()
        newer = [one._answers for one in self._retries()]  # noqa: SLF001 - its own kind
        return self._answers.read(data, newer, path)

    def _retries(self) -> list[Batch]:
        """Return the campaigns that sent its rows again, the newest first."""
        if self._folder is None:
            return []
        shared.catch_up(self._manifest, self._folder)
        manifests = retry.campaigns(self._manifest, self._folder)
        found = [Batch(one, self._folder, self._talk) for one in manifests]
        for one in found:
            one.refresh()
        return found

    def failures(self, *, truncated: bool = False) -> pd.DataFrame:
        """Return the rows that failed, each with its reason.

        Parameters
        ----------
        truncated
            Those that were cut off, too.

        Returns
        -------
        pandas.DataFrame
            With the table's index, or the custom ids where there is no manifest: ``status`` and
            ``reason``.
        """
        found = self.results()
        wanted = ["failed", "truncated"] if truncated else ["failed"]
        return found[found["status"].isin(wanted)][["status", "reason"]]

    def retry_failed(
        self,
        *,
        truncated: bool = False,
        model: str | None = None,
        cluster: str | None = None,
        **params: Any,
    ) -> Batch:
        """Send the rows that failed again, as a batch of their own.

        `results` of this one has the new answers from then on. While such a batch is under way
        the same call returns it, and sends nothing twice.

        Parameters
        ----------
        truncated
            Send those that were cut off again, too.
        model, cluster
            Another model for them, with a longer context for example.
        **params
            Parameters to change, such as ``max_tokens``.

        Returns
        -------
        Batch
            The new one.

        Raises
        ------
        UsageError
            Nothing failed, it has not ended, or the input is not on this machine.
        """
        self.refresh()
        if self._folder is None:
            raise UsageError(
                f"The input of {self.name} is not known here.",
                why="Its manifest, which lies beside the input, was not found.",
                do="Submit the rows again:  alcf.submit_batch(df.loc[…], …)",
            )
        if not self.ended:
            raise UsageError(
                f"{self.name} has not ended: {self.state}.", do="Wait for it:  b.wait()"
            )
        manifest = retry.prepare(
            self._manifest,
            self._folder,
            self._failed_ids(truncated=truncated),
            self._talk,
            {"model": model, "cluster": cluster, **params},
        )
        made = Batch(manifest, self._folder, self._talk)
        made.refresh()
        return made

    def _failed_ids(self, *, truncated: bool) -> list[str]:
        rows = self._answers.rows(None)
        found = self.results()
        statuses = ["failed", "truncated"] if truncated else ["failed"]
        failed = found["status"].isin(statuses).to_numpy()
        if rows is None:
            return found.index[failed].astype(str).tolist()
        failed = failed & (rows[batch_manifest.ROW_STATUS] == "").to_numpy()
        return [f"row-{at}" for at in rows[batch_manifest.POSITION].to_numpy()[failed]]

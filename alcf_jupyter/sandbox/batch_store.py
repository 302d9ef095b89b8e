"""The batches of this run: what is true of them, and what the gateway's database says."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .answers import GatewayError
from .batch_records import Records
from .batch_run import FailedError, run

if TYPE_CHECKING:
    from .catalog import Cluster, Model
    from .people import Person
    from .service import Service

REFRESH_SECONDS = 30.0
PENDING = "pending"
COMPLETED = "completed"
FAILED = "failed"
STATUSES = (PENDING, "running", FAILED, COMPLETED)

log = logging.getLogger(__name__)


@dataclass
class Batch:
    """One batch.

    `status`, `completed_at` and `failed_at` are the database's, refreshed by whoever asks;
    `outcome` is the truth: None while it runs, then the status and the result; `elsewhere` is
    whether another sandbox works on it.
    """

    id: str
    owner: str
    cluster: Cluster
    model: Model
    input_file: str
    folder: str
    task_ids: str
    created: float
    fault: str = ""
    status: str = PENDING
    result: Any = None
    completed_at: float | None = None
    failed_at: float | None = None
    checked: float = float("-inf")
    outcome: tuple[str, Any] | None = None
    elsewhere: bool = False

    def record(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        names = {"cluster": self.cluster.name, "framework": self.model.framework}
        private = {"checked": 0.0, "elsewhere": False}
        return {**told, **names, "model": self.model.id, **private}


class Batches:
    """Every batch that the gateway knows of, and those it runs without knowing."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: dict[str, Batch] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._records = Records(service.settings.batch_root)

    def start(self, batch: Batch, *, tracked: bool = True) -> None:
        """Run a batch, and put it into the database when it is `tracked`."""
        if tracked:
            self._known[batch.id] = batch
            self._records.hold(batch.id)
            self._records.write(batch.id, batch.record())
        self._begin(batch)

    def _begin(self, batch: Batch) -> None:
        task = asyncio.create_task(self._run(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, batch: Batch) -> None:
        if batch.fault == "batch-stuck":
            return
        await self._service.clock.sleep(self._service.settings.batch_seconds)
        try:
            batch.outcome = (COMPLETED, _result(await run(self._service, batch), batch.fault))
        except FailedError as failed:
            batch.outcome = (FAILED, str(failed))
        except Exception as wrong:
            log.exception("batch %s", batch.id)
            batch.outcome = (FAILED, repr(wrong))
        self._keep(batch)

    def _keep(self, batch: Batch) -> None:
        if batch.id in self._known:
            self._records.write(batch.id, batch.record())
            if batch.outcome is not None:
                self._records.release(batch.id)

    def _take_up(self) -> None:
        """Add what other sandboxes recorded, and go on with what an ended one left undone."""
        for batch_id in self._records.ids():
            batch = self._known.get(batch_id)
            if batch is not None and (batch.outcome or not batch.elsewhere):
                continue
            batch = self._restored(self._records.read(batch_id))
            if batch is None:
                continue
            self._known[batch_id] = batch
            moments = (batch.created, batch.completed_at or 0.0, batch.failed_at or 0.0)
            self._service.clock.advance(max(0.0, max(moments) - self._service.clock.now()))
            if batch.outcome is None:
                batch.elsewhere = not self._records.hold(batch_id)
                if not batch.elsewhere:
                    self._begin(batch)

    def _restored(self, record: dict[str, Any] | None) -> Batch | None:
        with suppress(KeyError, TypeError, ValueError, GatewayError):
            told = dict(record or {})
            cluster = self._service.catalog.cluster(told["cluster"])
            model = self._service.catalog.find(cluster, told.pop("framework"), told["model"])
            outcome = told["outcome"] and tuple(told["outcome"])
            return Batch(**{**told, "cluster": cluster, "model": model, "outcome": outcome})
        return None

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch by its id."""
        self._take_up()
        return self._known.get(batch_id)

    def of(self, person: Person) -> list[Batch]:
        """Return the batches of a person."""
        self._take_up()
        return [batch for batch in self._known.values() if batch.owner == person.id]

    def refresh(self, batch: Batch) -> None:
        """Bring the database up to the truth, at most every 30 s; then the moment is noted."""
        now = self._service.clock.now()
        if batch.status != PENDING:
            return
        # The gateway looks the model up anew: a batch whose model is gone is a 404.
        self._service.catalog.find(batch.cluster, batch.model.framework, batch.model.id)
        if now - batch.checked < REFRESH_SECONDS:
            return
        batch.checked = now
        if batch.outcome is not None:
            batch.status, batch.result = batch.outcome
            if batch.status == COMPLETED:
                batch.completed_at = now
            else:
                batch.failed_at = now
            self._keep(batch)


def _result(summary: dict[str, Any], fault: str) -> Any:
    """Return the result as it is told: the text of a Python dict, whatever JSON is."""
    if fault == "batch-result-object":
        files = {key: summary[key] for key in ("results_file", "progress_file")}
        counts = {key: summary[key] for key in ("total_tokens", "num_responses", "lines_processed")}
        speed = {
            "response_time": summary["duration_sec"],
            "throughput_tokens_per_second": summary["throughput_tokens_per_sec"],
        }
        return {**files, "metrics": {**speed, **counts}}
    if fault == "batch-result-two-tasks":
        return f"{summary},{summary}"
    if fault == "batch-result-garbage":
        return "<ComputeResult object at 0x7f2c>"
    return str(summary)

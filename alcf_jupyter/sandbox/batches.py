"""The gateway's routes for batches, with their odd shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from .answers import Answer, DetailError, GatewayError, internal_error
from .batch_store import COMPLETED, FAILED, PENDING, STATUSES, Batch
from .catalog import COMPUTE, slug
from .schemas import checked

if TYPE_CHECKING:
    from .catalog import Cluster, Model
    from .people import Person
    from .requests import Request
    from .service import Service

USUAL_FOLDER = "/lus/eagle/projects/argonne_tpc/inference-service-batch-results"


async def create_batch(service: Service, request: Request, cluster: str, framework: str) -> Answer:
    """POST /{cluster}/{framework}/v1/batches."""
    told = checked("batches", request.json(), place="batch_data")
    person = request.caller()
    where = service.catalog.cluster(cluster)
    model = _model_for(service, person, where, framework, told["model"])
    _check_quota(service, person, told["input_file"])
    folder = told.get("output_folder_path")
    batch = Batch(
        id=service.new_uuid(),
        owner=person.id,
        cluster=where,
        model=model,
        input_file=told["input_file"],
        folder=folder or USUAL_FOLDER,
        task_ids=service.new_uuid(),
        created=service.clock.now(),
        fault=request.fault,
    )
    service.batches.start(batch, tracked=folder is not None)
    if folder is None:
        # The job is on its way when the database refuses a row without a folder.
        return internal_error(service.new_id())
    return Answer(
        payload={
            "batch_id": batch.id,
            "input_file": batch.input_file,
            "output_folder_path": folder,
            "task_ids": batch.task_ids,
            "status": PENDING,
        }
    )


def _model_for(
    service: Service, person: Person, cluster: Cluster, framework: str, name: str
) -> Model:
    if cluster.notice:
        raise GatewayError("cluster_under_maintenance", cluster.notice)
    if framework not in cluster.frameworks():
        raise GatewayError(
            "unsupported_framework",
            f"Framework {framework!r} not available on cluster {cluster.name!r}.",
        )
    model = service.catalog.find(cluster, framework, name)
    if cluster.kind != COMPUTE or not model.batch:
        known = slug(cluster.name, framework, name)
        raise GatewayError("batch_unavailable", f"Batch is unavailable for endpoint {known}")
    service.check_groups(person, cluster, model)
    return model


def _check_quota(service: Service, person: Person, input_file: str) -> None:
    active = [batch for batch in service.batches.of(person) if batch.status == PENDING]
    quota = service.settings.batches_per_user
    if len(active) >= quota:
        message = f"Quota of {quota} active batch(es) per user exceeded."
        raise GatewayError("quota_exceeded", message)
    for batch in active:
        if batch.input_file == input_file:
            message = f"Input file {input_file} already used by ongoing batch {batch.id}."
            raise GatewayError("batch_ongoing", message)


async def list_batches(service: Service, request: Request) -> Answer:
    """GET /v1/batches[?status=...]."""
    wanted = request.query.get("status")
    if wanted is not None and wanted not in STATUSES:
        expected = "'pending', 'running', 'failed' or 'completed'"
        entry = {
            "type": "enum",
            "loc": ["query", "status"],
            "msg": f"Input should be {expected}",
            "ctx": {"expected": expected},
        }
        raise DetailError(422, [entry])
    owned = service.batches.of(request.caller())
    for batch in owned:
        service.batches.refresh(batch)
    return Answer(
        payload=[_row(service, batch) for batch in owned if wanted in (None, batch.status)]
    )


def _row(service: Service, batch: Batch) -> dict[str, Any]:
    def stamp(moment: float | None) -> str | None:
        if moment is None:
            return None
        return service.clock.text("%Y-%m-%dT%H:%M:%S.%f", moment)[:-3] + "Z"

    return {
        "id": batch.id,
        "cluster": batch.cluster.name,
        "framework": batch.model.framework,
        "input_file": batch.input_file,
        "in_progress_at": stamp(batch.created),
        "completed_at": stamp(batch.completed_at),
        "failed_at": stamp(batch.failed_at),
        "status": batch.status,
        "batch_id": batch.id,
    }


async def batch_status(service: Service, request: Request, batch_id: str) -> Answer:
    """GET /v1/batches/{id}: a JSON text."""
    batch = _own(service, request, batch_id)
    if batch is None:
        return internal_error(service.new_id())
    service.batches.refresh(batch)
    return Answer(payload=batch.status)


async def batch_result(service: Service, request: Request, batch_id: str) -> Answer:
    """GET /v1/batches/{id}/result: a JSON text that holds a Python literal."""
    batch = _own(service, request, batch_id)
    if batch is None:
        return internal_error(service.new_id())
    service.batches.refresh(batch)
    if batch.status == COMPLETED:
        return Answer(payload=batch.result)
    if batch.status == FAILED:
        # The gateway raises with three arguments, and so tells the representation of a tuple.
        shown = f"Batch failed: {batch.result}"
        message = f"({shown!r}, 400, <ASGIRequest: GET {request.path!r}>)"
        raise GatewayError("batch_failed", message)
    raise GatewayError("batch_ongoing", "Batch not completed yet. Results not ready.")


def _own(service: Service, request: Request, batch_id: str) -> Batch | None:
    """Return the caller's batch, or None for an id that is no UUID."""
    try:
        UUID(batch_id)
    except ValueError:
        return None
    batch = service.batches.get(batch_id)
    if batch is None:
        raise GatewayError("batch_not_found", f"Batch {batch_id} does not exist")
    if batch.owner != request.caller().id:
        raise GatewayError("access_denied", f"Permission denied to Batch {batch_id}.")
    return batch

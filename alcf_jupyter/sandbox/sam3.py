"""The segmentation service on Sophia: a task is taken, and its answer fetched later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Answer, GatewayError
from .schemas import checked

if TYPE_CHECKING:
    from .requests import Request
    from .service import Service

TASK_SECONDS = 20.0


async def process(service: Service, request: Request) -> Answer:
    """POST /sophia/sam3service/process."""
    checked("process", request.json())
    _check_maintenance(service)
    task_id = service.new_uuid()
    service.sam3_tasks[task_id] = service.clock.now() + TASK_SECONDS
    return _pending(task_id)


async def task(service: Service, _request: Request, task_id: str) -> Answer:
    """GET /sophia/sam3service/tasks/{task_id}."""
    _check_maintenance(service)
    ready = service.sam3_tasks.get(task_id)
    if ready is None:
        raise GatewayError("internal_endpoint_error", f"Task failed: no task {task_id}")
    if service.clock.now() < ready:
        return _pending(task_id)
    return Answer(payload={"result": {"masks": [], "boxes": [], "scores": []}, "task_id": task_id})


def _pending(task_id: str) -> Answer:
    told = {"status": "task_accepted_and_pending", "task_id": task_id}
    return Answer(202, told, headers=[("retry-after", "2")])


def _check_maintenance(service: Service) -> None:
    cluster = service.catalog.cluster("sophia")
    if cluster.notice:
        raise GatewayError("cluster_under_maintenance", cluster.notice)

"""Faults of the gateway: its own errors, byte for byte, and its slowness."""

# ruff: noqa: D401  # a fault's docstring is what is listed of it: what happens
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alcf_jupyter.sandbox.answers import NOT_FOUND_PAGE, Answer, DetailError, GatewayError, page
from alcf_jupyter.sandbox.answers import internal_error as internal_error_answer
from alcf_jupyter.sandbox.inference import (
    BLOCK_SECONDS,
    UPSTREAM_SECONDS,
    not_ready,
    timed_out,
    upstream_timed_out,
)
from alcf_jupyter.sandbox.limits import THROTTLED, too_many_tokens

from .fault import INFERENCE, JOBS, Occasion, fault

if TYPE_CHECKING:
    from typing import NoReturn

QSTAT_SECONDS = 60.0


@fault("before")
async def too_many_requests(_occasion: Occasion) -> None:
    """429: over ten requests a second."""
    raise DetailError(429, THROTTLED)


@fault("before", INFERENCE)
async def too_many_tokens_(occasion: Occasion) -> None:
    """429: over the tokens a minute; parameters `model` and `user` are the figures told."""
    raise too_many_tokens(
        int(occasion.number("model", 100_050)), int(occasion.number("user", 60_050))
    )


@fault("instead")
async def internal_error(occasion: Occasion) -> Answer:
    """500: something the gateway did not expect, with an error_id to quote."""
    return internal_error_answer(occasion.service.new_id())


@fault("before")
async def bad_json(_occasion: Occasion) -> None:
    """400: the body could not be parsed."""
    raise DetailError(400, "Cannot parse request body")


@fault("before")
async def validation(_occasion: Occasion) -> None:
    """422: a key that is not allowed."""
    entry = {
        "type": "extra_forbidden",
        "loc": ["body", "payload", "top_k"],
        "msg": "Extra inputs are not permitted",
    }
    raise DetailError(422, [entry])


@fault("before")
async def cluster_not_found(occasion: Occasion) -> None:
    """404: there is no such cluster."""
    cluster = occasion.cluster()
    name = cluster.name if cluster else "nowhere"
    _raise("cluster_not_found", f"The requested cluster '{name}' does not exist.")


@fault("before")
async def model_not_found(occasion: Occasion) -> None:
    """404: the model is not (or no longer) known; on the list of batches, one batch's model."""
    _raise("endpoint_not_found", f"The requested endpoint '{occasion.slug()}' does not exist.")


@fault("before", INFERENCE)
async def unsupported_framework(occasion: Occasion) -> None:
    """400: the cluster does not have this framework."""
    cluster = occasion.cluster()
    name = cluster.name if cluster else "nowhere"
    _raise("unsupported_framework", f"framework vllm not available on cluster {name}.")


@fault("before", INFERENCE)
async def unsupported_endpoint(occasion: Occasion) -> None:
    """400: the cluster does not offer this route."""
    cluster = occasion.cluster()
    route = occasion.request.path.partition("/v1/")[2]
    name = cluster.name if cluster else "nowhere"
    _raise("unsupported_endpoint", f"{route!r} not available on cluster {name!r}")


@fault("before")
async def access_denied(occasion: Occasion) -> None:
    """403: somebody else's batch."""
    batch = occasion.request.path.rstrip("/").split("/")[-1]
    _raise("access_denied", f"Permission denied to Batch {batch}.")


@fault("before", INFERENCE)
async def maintenance(occasion: Occasion) -> None:
    """503: the cluster is under maintenance; parameter `notice`."""
    cluster = occasion.cluster()
    name = cluster.name if cluster else "sophia"
    _raise("cluster_under_maintenance", occasion.text("notice", f"{name} is under maintenance"))


@fault("before", INFERENCE)
async def endpoint_offline(occasion: Occasion) -> None:
    """503: the model's compute endpoint is offline."""
    message = f"Endpoint '{occasion.slug()}' is offline."
    _raise("internal_endpoint_error", message, 503)


@fault("before", INFERENCE)
async def endpoint_not_ready(occasion: Occasion) -> None:
    """503: the model is being woken by somebody's request; /jobs may still say Live."""
    raise not_ready(occasion.slug())


@fault("before", INFERENCE)
async def not_live_on_metis(occasion: Occasion) -> None:
    """503: the model is not running on Metis."""
    message = f"'{occasion.model_name()}' is not currently live on Metis."
    _raise("internal_endpoint_error", message, 503)


@fault("before", INFERENCE)
async def blocked(occasion: Occasion) -> None:
    """408 after 300 service seconds of silence (parameter `seconds`)."""
    await occasion.service.clock.sleep(occasion.number("seconds", BLOCK_SECONDS))
    raise timed_out(occasion.service.new_uuid())


@fault("before", INFERENCE)
async def upstream_timeout(occasion: Occasion) -> None:
    """504 after 120 service seconds (parameter `seconds`): the API behind the gateway is silent."""
    await occasion.service.clock.sleep(occasion.number("seconds", UPSTREAM_SECONDS))
    raise upstream_timed_out()


@fault("before")
async def slow(occasion: Occasion) -> None:
    """The right answer, late; parameter `seconds` (2) of real time."""
    await asyncio.sleep(occasion.number("seconds", 2.0))


@fault("before", JOBS)
async def jobs_slow(occasion: Occasion) -> None:
    """The jobs come late; parameter `seconds` (45) of service time."""
    await occasion.service.clock.sleep(occasion.number("seconds", 45.0))


@fault("before", JOBS)
async def jobs_failing(_occasion: Occasion) -> None:
    """500: the queue's endpoint is down."""
    _raise("internal_endpoint_error", "Endpoint 'sophia-qstat' is offline.", 500)


@fault("before", JOBS)
async def jobs_unavailable(_occasion: Occasion) -> None:
    """500: the gateway could not get the cluster's jobs."""
    _raise("failed_to_get_cluster_jobs", "Could not parse the status of the cluster.")


@fault("before", JOBS)
async def jobs_timeout(occasion: Occasion) -> None:
    """408 after 60 service seconds: the queue did not answer in time."""
    await occasion.service.clock.sleep(occasion.number("seconds", QSTAT_SECONDS))
    raise timed_out(occasion.service.new_uuid())


@fault("before", JOBS)
async def jobs_metis_timeout(_occasion: Occasion) -> None:
    """504: Metis' status page did not answer."""
    _raise("failed_to_get_cluster_jobs", "Timeout while fetching the status of Metis.", 504)


@fault("after", JOBS)
async def jobs_dashed_keys(_occasion: Occasion, answer: Answer) -> Answer:
    """Jobs as older servers send them: `private-batch-running` with dashes."""
    told = {key.replace("private_batch_", "private-batch-"): v for key, v in answer.payload.items()}
    return Answer(payload=told)


@fault("after", JOBS)
async def jobs_sparse(_occasion: Occasion, answer: Answer) -> Answer:
    """Jobs with no more than the guaranteed keys, and a state nobody has heard of."""
    told = dict(answer.payload)
    for name in ("running", "queued"):
        kept = ("Models", "Framework", "Cluster", "Model Status")
        told[name] = [{key: row[key] for key in kept if key in row} for row in told[name]]
    if told["running"]:
        told["running"][-1]["Model Status"] = "hibernating"
    return Answer(payload={**told, "cluster_status": {}})


@fault("instead")
async def route_missing(_occasion: Occasion) -> Answer:
    """404 in HTML: the route is not there."""
    return page(404, NOT_FOUND_PAGE)


@fault("instead")
async def method_not_allowed(_occasion: Occasion) -> Answer:
    """405 in HTML: the route does not take this method."""
    return page(405, "Method not allowed")


def _raise(code: str, message: str, status: int | None = None) -> NoReturn:
    raise GatewayError(code, message, status=status)

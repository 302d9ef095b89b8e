"""The gateway's inference routes: check, look up, count, forward, and word what goes wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .answers import DONE, STREAM, Answer, GatewayError, frame, internal_error
from .catalog import COMPUTE, LIVE, METIS, UNREACHABLE, Cluster, Model, slug
from .model_server import DiedError
from .models import Refused
from .relay import FIRST_DATA_SECONDS, TIMED_OUT, compute_relay, direct_relay
from .schemas import checked
from .stopwatch import Stopwatch
from .upstream import direct_error, traceback_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .people import Person
    from .requests import Request
    from .service import Service

BLOCK_SECONDS = 300.0
UPSTREAM_SECONDS = 120.0


async def infer(service: Service, request: Request, cluster: str, framework: str) -> Answer:
    """POST /{cluster}/{framework}/v1/{route}."""
    route = request.inference_route()
    body = checked(route, request.json())
    if route in ("responses", "messages") and body.get("stream"):
        raise GatewayError("unsupported_endpoint", _NO_STREAM[route])
    person = request.caller()
    where = service.catalog.cluster(cluster)
    model = look_up(service, person, where, framework, route, body["model"])
    name = slug(where.name, framework, model.id)
    service.tokens.check(name, person.id)
    if where.kind == COMPUTE:
        return await _compute(service, person, where, model, route, body)
    return await _direct(service, person, where, model, route, body)


_NO_STREAM = {
    "responses": (
        "Streaming is not supported for the OpenAI Responses API on this gateway. "
        "Re-issue the request with 'stream': false."
    ),
    "messages": (
        "Streaming is not supported for the Anthropic Messages API on this gateway. "
        "Re-issue the request with 'stream': false."
    ),
}


def look_up(
    service: Service, person: Person, cluster: Cluster, framework: str, route: str, name: str
) -> Model:
    """Return the model asked for, after the gateway's checks in the gateway's order."""
    if cluster.notice:
        raise GatewayError("cluster_under_maintenance", cluster.notice)
    if framework not in cluster.frameworks():
        raise GatewayError(
            "unsupported_framework",
            f"framework {framework} not available on cluster {cluster.name}.",
        )
    if route not in cluster.endpoints:
        raise GatewayError(
            "unsupported_endpoint", f"{route!r} not available on cluster {cluster.name!r}"
        )
    model = service.catalog.find(cluster, framework, name)
    service.check_groups(person, cluster, model)
    return model


# -- Sophia: Globus Compute


async def _compute(
    service: Service,
    person: Person,
    cluster: Cluster,
    model: Model,
    route: str,
    body: dict[str, Any],
) -> Answer:
    name = slug(cluster.name, model.framework, model.id)
    state = service.lifecycle.state(model)
    if state == UNREACHABLE:
        raise GatewayError("internal_endpoint_error", f"Endpoint '{name}' is offline.", status=503)
    if state != LIVE and service.lifecycle.triggered(model):
        raise not_ready(name)
    service.lifecycle.trigger(model)
    if body.get("stream"):
        frames = _compute_stream(service, model, route, body)
        counted = _counted(service, person, name, frames)
        return Answer(content_type=STREAM, headers=list(STREAM_HEADERS), frames=counted)
    if not await service.lifecycle.wait_until_live(model, BLOCK_SECONDS):
        raise timed_out(service.new_uuid())
    watch = Stopwatch()
    try:
        async with asyncio.timeout(BLOCK_SECONDS):
            result = await service.model_server.call(route, model, body)
    except TimeoutError:
        raise timed_out(service.new_uuid()) from None
    except Refused as refused:
        raise GatewayError(
            "internal_endpoint_error", traceback_of(service.clock, refused, watch)
        ) from None
    except DiedError:
        return internal_error(service.new_id())
    _count(service, person, name, result)
    return Answer(payload={**result, **watch.metrics(result)})


def not_ready(name: str) -> GatewayError:
    """Return what the gateway says while somebody else's request is waking the model."""
    return GatewayError(
        "internal_endpoint_error",
        f"Error: Endpoint {name} online but not ready to receive tasks. Please try again later.",
        status=503,
    )


def timed_out(task_id: str) -> GatewayError:
    """Return what the gateway says after it has waited 300 s for a compute node."""
    return GatewayError(
        "request_timeout",
        "TimeoutError while attempting to access compute resources. Please try again later.",
        info={"task_id": task_id},
    )


STREAM_HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


async def _compute_stream(
    service: Service, model: Model, route: str, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    if not await service.lifecycle.wait_until_live(model, FIRST_DATA_SECONDS):
        yield frame(TIMED_OUT)
        yield DONE
        return
    pieces = service.model_server.stream(route, model, body)
    async for sent in compute_relay(pieces, service.clock):
        yield sent


# -- Metis, Minerva: another server's API


async def _direct(
    service: Service,
    person: Person,
    cluster: Cluster,
    model: Model,
    route: str,
    body: dict[str, Any],
) -> Answer:
    name = slug(cluster.name, model.framework, model.id)
    if service.lifecycle.state(model) != LIVE:
        where = "Metis" if cluster.kind == METIS else cluster.name.capitalize()
        message = f"'{body['model']}' is not currently live on {where}."
        raise GatewayError("internal_endpoint_error", message, status=503)
    if body.get("stream"):
        pieces = service.model_server.stream(route, model, body)
        frames = direct_relay(pieces, service.clock, model.id)
        counted = _counted(service, person, name, frames)
        return Answer(content_type=STREAM, headers=list(STREAM_HEADERS), frames=counted)
    try:
        async with asyncio.timeout(UPSTREAM_SECONDS):
            result = await service.model_server.call(route, model, body)
    except Refused as refused:
        raise direct_error(refused) from None
    except TimeoutError:
        raise upstream_timed_out() from None
    except DiedError:
        return internal_error(service.new_id())
    _count(service, person, name, result)
    return Answer(payload=result)


def upstream_timed_out() -> GatewayError:
    """Return what the gateway says when the API behind it took longer than two minutes."""
    return GatewayError(
        "internal_endpoint_error",
        "Timeout calling upstream endpoint.",
        status=504,
        info={"timeout": int(UPSTREAM_SECONDS)},
    )


# -- tokens a minute


def _count(service: Service, person: Person, name: str, result: dict[str, Any]) -> None:
    used = result.get("usage") or {}
    total = used.get("total_tokens", used.get("input_tokens", 0) + used.get("output_tokens", 0))
    service.tokens.record(name, person.id, total)


async def _counted(
    service: Service, person: Person, name: str, frames: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    sent = 0
    try:
        async for one in frames:
            sent += 1
            yield one
    finally:
        service.tokens.record(name, person.id, sent)

"""The gateway's inference routes: check, look up, count, forward, and word what goes wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Asked:
    """A request that has passed the gateway's checks."""

    service: Service
    person: Person
    cluster: Cluster
    model: Model
    route: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """The name under which the gateway knows the model."""
        return slug(self.cluster.name, self.model.framework, self.model.id)


async def infer(service: Service, request: Request, cluster: str, framework: str) -> Answer:
    """POST /{cluster}/{framework}/v1/{route}."""
    route = request.inference_route()
    body = checked(route, request.json())
    if route in ("responses", "messages") and body.get("stream"):
        raise GatewayError("unsupported_endpoint", _NO_STREAM[route])
    person = request.caller()
    where = service.catalog.cluster(cluster)
    model = look_up(service, person, where, framework, route, body["model"])
    asked = _Asked(service, person, where, model, route, body)
    service.tokens.check(asked.name, person.id)
    return await (_compute if where.kind == COMPUTE else _direct)(asked)


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


async def _compute(asked: _Asked) -> Answer:
    service, model = asked.service, asked.model
    state = service.lifecycle.state(model)
    if state == UNREACHABLE:
        message = f"Endpoint '{asked.name}' is offline."
        raise GatewayError("internal_endpoint_error", message, status=503)
    if state != LIVE and service.lifecycle.triggered(model):
        raise not_ready(asked.name)
    service.lifecycle.trigger(model)
    if model.until_asked:  # what /jobs said in its place was a minute old
        model.jobs_say, model.until_asked = "", False
        service.jobs_cache.clear()
    if asked.body.get("stream"):
        return _streamed(asked, _compute_stream(asked))
    if not await service.lifecycle.wait_until_live(model, BLOCK_SECONDS):
        raise timed_out(service.new_uuid())
    watch = Stopwatch()
    try:
        async with asyncio.timeout(BLOCK_SECONDS):
            result = await service.model_server.call(asked.route, model, asked.body)
    except TimeoutError:
        raise timed_out(service.new_uuid()) from None
    except Refused as refused:
        raise GatewayError(
            "internal_endpoint_error", traceback_of(service.clock, refused, watch)
        ) from None
    except DiedError:
        return internal_error(service.new_id())
    _count(asked, result)
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


async def _compute_stream(asked: _Asked) -> AsyncIterator[bytes]:
    service, model = asked.service, asked.model
    if not await service.lifecycle.wait_until_live(model, FIRST_DATA_SECONDS):
        yield frame(TIMED_OUT)
        yield DONE
        return
    pieces = service.model_server.stream(asked.route, model, asked.body)
    async for sent in compute_relay(pieces, service.clock):
        yield sent


# -- Metis, Minerva: another server's API


async def _direct(asked: _Asked) -> Answer:
    service, model = asked.service, asked.model
    if service.lifecycle.state(model) != LIVE:
        where = "Metis" if asked.cluster.kind == METIS else asked.cluster.name.capitalize()
        message = f"'{asked.body['model']}' is not currently live on {where}."
        raise GatewayError("internal_endpoint_error", message, status=503)
    if asked.body.get("stream"):
        pieces = service.model_server.stream(asked.route, model, asked.body)
        return _streamed(asked, direct_relay(pieces, service.clock, model.id))
    try:
        async with asyncio.timeout(UPSTREAM_SECONDS):
            result = await service.model_server.call(asked.route, model, asked.body)
    except Refused as refused:
        raise direct_error(refused) from None
    except TimeoutError:
        raise upstream_timed_out() from None
    except DiedError:
        return internal_error(service.new_id())
    _count(asked, result)
    return Answer(payload=result)


def upstream_timed_out() -> GatewayError:
    """Return what the gateway says when the API behind it took longer than two minutes."""
    return GatewayError(
        "internal_endpoint_error",
        "Timeout calling upstream endpoint.",
        status=504,
        info={"timeout": int(UPSTREAM_SECONDS)},
    )


# -- streams, and tokens a minute


def _streamed(asked: _Asked, frames: AsyncIterator[bytes]) -> Answer:
    headers = [("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    return Answer(content_type=STREAM, headers=headers, frames=_counted(asked, frames))


def _count(asked: _Asked, result: dict[str, Any]) -> None:
    used = result.get("usage") or {}
    total = used.get("total_tokens", used.get("input_tokens", 0) + used.get("output_tokens", 0))
    asked.service.tokens.record(asked.name, asked.person.id, total)


async def _counted(asked: _Asked, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    sent = 0
    try:
        async for one in frames:
            sent += 1
            yield one
    finally:
        asked.service.tokens.record(asked.name, asked.person.id, sent)

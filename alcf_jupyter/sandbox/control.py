"""The routes under /sandbox: what happened, what fails, what time it is, which model is where.

They want this run's secret, and no request to them is limited, logged or made to fail.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from .answers import Answer, DetailError
from .catalog import Model
from .faults import FAULTS, read_rule

if TYPE_CHECKING:
    from .requests import Request
    from .service import Service


async def overview(service: Service, _request: Request) -> Answer:
    """GET /sandbox: this run in short."""
    models = [
        {"cluster": cluster.name, "model": model.id, "state": service.lifecycle.state(model)}
        for cluster, model in service.catalog
    ]
    return Answer(payload={"clock": _clock(service), "models": models, "faults": sorted(FAULTS)})


async def get_log(service: Service, request: Request) -> Answer:
    """GET /sandbox/log[?since=number][&route=part of the path]."""
    since = request.query.get("since", "0")
    if not since.isdigit():
        raise ValueError("since is the number of an entry")
    return Answer(payload=service.log.told(int(since), request.query.get("route", "")))


async def clear_log(service: Service, _request: Request) -> Answer:
    """DELETE /sandbox/log."""
    service.log.clear()
    return Answer(payload=service.log.told(0, ""))


async def get_faults(service: Service, _request: Request) -> Answer:
    """GET /sandbox/faults: all there are, and the rules in force with their counts."""
    known = {name: one.summary for name, one in sorted(FAULTS.items())}
    rules = [rule.told() for rule in service.rules.active]
    return Answer(payload={"known": known, "active": rules})


async def add_fault(service: Service, request: Request) -> Answer:
    """POST /sandbox/faults: one rule, or a list of them."""
    told = request.json()
    rules = [read_rule(one) for one in (told if isinstance(told, list) else [told])]
    service.rules.active += rules
    return Answer(payload={"active": [rule.told() for rule in service.rules.active]})


async def clear_faults(service: Service, _request: Request) -> Answer:
    """DELETE /sandbox/faults."""
    counts = [rule.told() for rule in service.rules.active]
    service.rules.active.clear()
    return Answer(payload={"cleared": counts})


async def get_clock(service: Service, _request: Request) -> Answer:
    """GET /sandbox/clock."""
    return Answer(payload=_clock(service))


async def set_clock(service: Service, request: Request) -> Answer:
    """POST /sandbox/clock {"speed": 60, "advance": 600}."""
    told = _object(request, {"speed", "advance"})
    if "speed" in told:
        service.clock.set_speed(float(told["speed"]))
    if "advance" in told:
        service.clock.advance(float(told["advance"]))
    return Answer(payload=_clock(service))


def _clock(service: Service) -> dict[str, float]:
    return {"now": service.clock.now(), "speed": service.clock.speed}


_MODEL_KEYS = {
    "jobs_say",
    "until_asked",
    "pace",
    "fault",
    "context",
    "dimensions",
    "queue_seconds",
    "load_seconds",
    "batch",
    "options",
}
_CLUSTER_KEYS = {"notice", "free_nodes"}


async def set_state(service: Service, request: Request) -> Answer:
    """POST /sandbox/state: a model's state and traits, or a cluster's maintenance notice.

    ``{"model": id, "cluster": name?, "state": ..., "jobs_say": ..., "pace": ..., "remove": true}``
    or ``{"cluster": name, "notice": "...", "free_nodes": 0, "add": {"id": ...}}``. What /jobs has
    in its cache is dropped, unless ``"keep_jobs": true``.
    """
    usual = {"model", "cluster", "state", "remove", "add", "keep_jobs"}
    told = _object(request, usual | _MODEL_KEYS | _CLUSTER_KEYS)
    if "model" in told:
        _set_models(service, told)
    elif "cluster" in told:
        _set_cluster(service, told)
    else:
        raise ValueError("say which model or cluster")
    if not told.get("keep_jobs"):
        service.jobs_cache.clear()
    return await overview(service, request)


def _set_models(service: Service, told: dict[str, Any]) -> None:
    found = service.catalog.named(told["model"], told.get("cluster"))
    if not found:
        raise ValueError(f"no such model: {told['model']!r}")
    for cluster, model in found:
        for key in _MODEL_KEYS & set(told):
            setattr(model, key, told[key])
        if "state" in told:
            service.lifecycle.put(model, told["state"])
        if told.get("remove"):
            cluster.models.remove(model)


def _set_cluster(service: Service, told: dict[str, Any]) -> None:
    cluster = service.catalog.clusters.get(told["cluster"])
    if cluster is None:
        raise ValueError(f"no such cluster: {told['cluster']!r}")
    for key in _CLUSTER_KEYS & set(told):
        setattr(cluster, key, told[key])
    if "add" in told:
        cluster.models.append(Model(**{"framework": cluster.framework, **told["add"]}))


_LIMITS = {"requests_per_second", "tokens_per_model", "tokens_per_user"}
_SETTINGS = {
    "batches_per_user",
    "batch_seconds",
    "batch_chunk_lines",
    "batch_chunk_seconds",
    "latency_real_seconds",
    "models_route",
}


async def set_limits(service: Service, request: Request) -> Answer:
    """POST /sandbox/limits: rates (0 means none), quota of batches, latency of every answer."""
    told = _object(request, _LIMITS | _SETTINGS)
    if "requests_per_second" in told:
        service.requests.per_second = int(told["requests_per_second"])
    if "tokens_per_model" in told:
        service.tokens.per_model = int(told["tokens_per_model"])
    if "tokens_per_user" in told:
        service.tokens.per_user = int(told["tokens_per_user"])
    for key in _SETTINGS & set(told):
        setattr(service.settings, key, told[key])
    return Answer(payload=told)


async def set_tokens(service: Service, request: Request) -> Answer:
    """POST /sandbox/tokens {"token": "role"}: who a token stands for from now on.

    Without a token it is made here: ``{"": "bob"}`` answers with a new one.
    """
    told = _object(request, None)
    made = {token or secrets.token_urlsafe(24): role for token, role in told.items()}
    service.people.assign(made)
    return Answer(payload=made)


def _object(request: Request, keys: set[str] | None) -> dict[str, Any]:
    told = request.json()
    if not isinstance(told, dict):
        raise DetailError(400, "a JSON object is wanted")
    if keys is not None and (strange := sorted(set(told) - keys)):
        raise ValueError(f"no such key: {', '.join(strange)}; there are {', '.join(sorted(keys))}")
    return told

"""The gateway's routes that tell what there is: health, status, who, which models, which jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import NOT_FOUND_PAGE, Answer, page
from .catalog import COMPUTE, Cluster, Model
from .jobs import jobs

if TYPE_CHECKING:
    from .requests import Request
    from .service import Service

STAGING_COLLECTION = "96c7390b-a3e8-4dd4-a327-1af7d143283e"


async def health(_service: Service, _request: Request) -> Answer:
    """GET /health."""
    return Answer(payload={"status": "ok"})


async def status(service: Service, _request: Request) -> Answer:
    """GET /status: which clusters are up; those of closed groups are not told."""
    clusters = service.catalog.clusters.values()
    return Answer(payload={one.name: not one.notice for one in clusters if not one.groups})


async def openapi(_service: Service, _request: Request) -> Answer:
    """GET /openapi.json: the gateway's own description of its routes, as far as paths go."""
    from .routes import CONTROL, PLAIN, PREFIX, ROUTES

    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        if route.face not in (PLAIN, CONTROL):
            path = PREFIX + route.template
            paths.setdefault(path, {})[route.method.lower()] = {"responses": {"200": {}}}
    info = {"title": "Sandbox of the ALCF inference gateway", "version": "1"}
    return Answer(payload={"openapi": "3.1.0", "info": info, "paths": paths})


async def whoami(_service: Service, request: Request) -> Answer:
    """GET /whoami."""
    return Answer(payload=request.caller().whoami())


async def list_endpoints(service: Service, request: Request) -> Answer:
    """GET /list-endpoints: every cluster, framework and model that the user may see."""
    person = request.caller()
    told = {}
    for cluster in service.catalog.clusters.values():
        if not service.may_see(person, cluster):
            continue
        frameworks: dict[str, dict[str, Any]] = {}
        for model in sorted(cluster.models, key=lambda one: one.id):
            if service.may_see(person, cluster, model):
                endpoints = [f"/v1/{name}" for name in cluster.endpoints]
                empty = {"models": [], "endpoints": endpoints}
                frameworks.setdefault(model.framework, empty)["models"].append(model.id)
        told[cluster.name] = {"base_url": cluster.base_url, "frameworks": frameworks}
    return Answer(payload={"clusters": told})


async def cluster_jobs(service: Service, request: Request, cluster: str) -> Answer:
    """GET /{cluster}/jobs."""
    person = request.caller()
    where = service.catalog.cluster(cluster)
    service.check_groups(person, where)
    return Answer(payload=jobs(service, where, person))


async def cluster_models(service: Service, request: Request, cluster: str) -> Answer:
    """GET /{cluster}/models: the newer route that tells what each model can do."""
    if not service.settings.models_route:
        return page(404, NOT_FOUND_PAGE)
    person = request.caller()
    where = service.catalog.cluster(cluster)
    wanted = request.query.get("model_id")
    told = [
        _facts(where, model)
        for model in where.models
        if service.may_see(person, where, model) and wanted in (None, model.id)
    ]
    return Answer(payload=told)


async def staging(_service: Service, request: Request) -> Answer:
    """PUT /data/staging."""
    person = request.caller()
    return Answer(
        payload={
            "collection_id": STAGING_COLLECTION,
            "path": f"/user-staging/{person.id}/",
            "acl_rule_id": "9b9f8a87-177e-41c6-b8c0-8b13924418a0",
            "principal": person.id,
        }
    )


def _facts(cluster: Cluster, model: Model) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": model.id,
        "framework": model.framework,
        "display_name": model.id,
        "description": model.about,
    }
    if cluster.kind == COMPUTE:
        calls, thinks = model.behaviour == "tools", model.behaviour == "reasoning"
        return facts | {
            "max_model_len": model.context,
            "max_num_seqs": 256,
            "enable_auto_tool_choice": calls,
            "tool_call_parser": "sandbox" if calls else None,
            "reasoning_parser": "sandbox" if thinks else None,
        }
    modalities = ["text", "image"] if model.behaviour == "vision" else ["text"]
    capabilities = {
        "api_protocols": list(cluster.endpoints),
        "context_window_tokens": model.context,
        "input_modalities": modalities,
        "tool_calling": {"supported": model.behaviour == "tools"},
        "reasoning": {"supported": model.behaviour == "reasoning"},
    }
    return {**facts, "capabilities": capabilities}

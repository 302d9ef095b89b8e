"""Reading what the service lists: its clusters and models, the queue, and what a model can."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard

from alcf_jupyter.plain import brief
from alcf_jupyter.service.catalog import READINESS, Catalog, Cluster, Model, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_WARNINGS = 20


def join(
    listed: Any,
    jobs: Mapping[str, Any],
    details: Mapping[str, Any] | None = None,
    status: Any = None,
) -> Catalog:
    """Join what the gateway's routes tell into one list of models with a state.

    Parameters
    ----------
    listed
        Answer of ``/list-endpoints``.
    jobs
        Answer of ``/{cluster}/jobs`` by cluster; None where it did not come, and then the state
        of that cluster's models is unknown.
    details
        Answer of ``/{cluster}/models`` by cluster, where that route exists.
    status
        Answer of ``/status``: which clusters are up.

    Returns
    -------
    Catalog
        Whatever cannot be read is left out and named in its warnings.
    """
    warnings: list[str] = []
    up = {str(k): v for k, v in _mapping(status).items() if isinstance(v, bool)}
    clusters: list[Cluster] = []
    models: list[Model] = []
    listed_clusters = _mapping(_mapping(listed).get("clusters"))
    if not listed_clusters:
        warnings.append("The service lists no clusters for this account.")
    for name, entry in listed_clusters.items():
        if not _is_name(name):
            warnings.append(f"A cluster's name could not be read: {brief(name, 60)!r}")
            continue
        answer = jobs.get(name)
        told_status = _mapping(_mapping(answer).get("cluster_status"))
        free = told_status.get("free_nodes")
        entries = list(_rows(answer, warnings)) if isinstance(answer, dict) else []
        clusters.append(
            Cluster(
                name=name,
                up=up.get(name),
                free_nodes=free if _is_count(free) else None,
                # only clusters with a scheduler load a model because somebody asks for it
                starts_on_request="free_nodes" in told_status,
            )
        )
        rows = _best_rows(entries)
        told = _details(details or {}, name)
        for model in _listed_models(name, entry, warnings):
            state, row = rows.get(model.id.casefold(), (State.OFFLINE, {}))
            if not isinstance(answer, dict):
                state = State.UNKNOWN
            if up.get(name) is False:
                state = State.MAINTENANCE
            models.append(_told(_placed(model, state, row), told.get(model.id, {})))
    return Catalog(tuple(clusters), tuple(models), tuple(warnings[:_MOST_WARNINGS]))


def from_openai(answer: Any, cluster: str = "") -> Catalog:
    """Read the ``/models`` answer of a plain OpenAI-compatible server; None: it has no such route.

    Such a server tells no states, so they stay unknown.
    """
    rows = [row for row in _list(_mapping(answer).get("data")) if _is_named(row)]
    models = tuple(_told(Model(id=row["id"], cluster=cluster), row) for row in rows)
    return Catalog((Cluster(name=cluster),), models, (), complete=bool(models))


def _is_named(row: Any) -> bool:
    return _is_name(_mapping(row).get("id"))


def _is_name(value: Any) -> TypeGuard[str]:
    """Tell whether this can be shown and typed as it is: names go into messages and addresses."""
    return isinstance(value, str) and value != "" and brief(value) == value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _listed_models(cluster: str, entry: Any, warnings: list[str]) -> Iterator[Model]:
    base, frameworks = _mapping(entry).get("base_url"), _mapping(entry).get("frameworks")
    if not isinstance(frameworks, dict):
        warnings.append(f"What cluster {brief(cluster, 60)!r} serves could not be read.")
    for framework, offer in _mapping(frameworks).items():
        path = f"{base.rstrip('/')}/{framework}" if _is_name(base) else ""
        if not _is_name(framework) or not path.startswith("/") or path.startswith("//"):
            warnings.append(f"The service lists cluster {brief(cluster, 60)!r} without an address.")
            continue
        endpoints = tuple(e for e in _list(_mapping(offer).get("endpoints")) if isinstance(e, str))
        for model in dict.fromkeys(filter(_is_name, _list(_mapping(offer).get("models")))):
            yield Model(
                id=model,
                cluster=cluster,
                framework=framework,
                path=path,
                endpoints=endpoints,
                can_chat=_offered(endpoints, "chat/completions"),
                can_embed=_offered(endpoints, "embeddings"),
            )


def _offered(endpoints: tuple[str, ...], route: str) -> bool | None:
    """Return False where the whole cluster lacks a route; having it says nothing of one model."""
    if not endpoints or any(endpoint.endswith(f"/{route}") for endpoint in endpoints):
        return None
    return False


def _rows(answer: dict[str, Any], warnings: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for listed_in in ("running", "queued", "stopped"):
        for row in _list(answer.get(listed_in)):
            if isinstance(row, dict) and isinstance(row.get("Models"), str):
                yield listed_in, row
            else:
                warnings.append(f"A row of the queue could not be read: {brief(row, 120)}")


def _state_of(listed_in: str, row: dict[str, Any]) -> State:
    word = str(row.get("Model Status") or "running").casefold()
    if listed_in == "running":
        by_word = {"running": State.LIVE, "starting": State.STARTING}
        return by_word.get(word, State.DISCONNECTED)
    return State.QUEUED if listed_in == "queued" else State.STOPPED


def _best_rows(
    rows: list[tuple[str, dict[str, Any]]],
) -> dict[str, tuple[State, dict[str, Any]]]:
    """Of each model the most ready row: one job holds several models, one model several jobs."""
    best: dict[str, tuple[State, dict[str, Any]]] = {}
    for listed_in, row in rows:
        state = _state_of(listed_in, row)
        for model in (name.strip().casefold() for name in row["Models"].split(",")):
            if model and (model not in best or READINESS[state] < READINESS[best[model][0]]):
                best[model] = (state, row)
    return best


def _placed(model: Model, state: State, row: dict[str, Any]) -> Model:
    def word(key: str) -> str:
        value = row.get(key)
        return "" if value in (None, "N/A") else brief(value)

    return replace(
        model,
        state=state,
        host=word("Host Name"),
        walltime=word("Walltime"),
        estimated_start=word("Estimated Start Time"),
        comment=word("Job Comments"),
        description=word("Description"),
    )


def _details(details: Mapping[str, Any], cluster: str) -> dict[str, dict[str, Any]]:
    answer = details.get(cluster)
    rows = [answer] if isinstance(answer, dict) else _list(answer)
    return {row["id"]: row for row in rows if _is_named(row)}


def _told(model: Model, row: dict[str, Any]) -> Model:
    """Add what ``/{cluster}/models`` tells, in either shape; every key may be absent."""
    can = _mapping(row.get("capabilities"))
    context = can.get("context_window_tokens", row.get("max_model_len"))
    sees = can.get("input_modalities")
    tools = _mapping(can.get("tool_calling")).get("supported", row.get("enable_auto_tool_choice"))
    reasons = _mapping(can.get("reasoning")).get("supported")
    if reasons is None and "reasoning_parser" in row:
        reasons = bool(row["reasoning_parser"])
    return replace(
        model,
        description=model.description or brief(row.get("description")),
        context=context if _is_count(context) and context else None,
        can_see="image" in sees if isinstance(sees, list) else None,
        can_call_tools=tools if isinstance(tools, bool) else None,
        can_reason=reasons if isinstance(reasons, bool) else None,
    )

"""GET /{cluster}/jobs: who runs where, who waits, in each cluster's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .catalog import (
    COMPUTE,
    DISCONNECTED,
    ENDED,
    LIVE,
    METIS,
    QUEUED,
    STARTING,
    STOPPED,
    Cluster,
    Model,
)

if TYPE_CHECKING:
    from .people import Person
    from .service import Service

CACHE_SECONDS = 60.0
LISTS = ("running", "queued", "stopped", "others", "private_batch_running", "private_batch_queued")

# On Sophia: the list, the word, and the scheduler's letter for each state; Offline is not listed.
_SOPHIA = {
    LIVE: ("running", "running", "R"),
    STARTING: ("running", "starting", "R"),
    DISCONNECTED: ("running", "disconnected", "R"),
    QUEUED: ("queued", "queued", "Q"),
    ENDED: ("others", "other", "F"),
}


def jobs(service: Service, cluster: Cluster, person: Person) -> dict[str, Any]:
    """Return the jobs of a cluster as `person` may see them, up to 60 s old."""
    key = (cluster.name, person.id)
    now = service.clock.now()
    made, answer = service.jobs_cache.get(key, (0.0, {}))
    if now - made >= CACHE_SECONDS or not answer:
        answer = _fresh(service, cluster, person)
        service.jobs_cache[key] = (now, answer)
    return answer


def _fresh(service: Service, cluster: Cluster, person: Person) -> dict[str, Any]:
    answer: dict[str, Any] = {name: [] for name in LISTS}
    seen = [model for model in cluster.models if service.may_see(person, cluster, model)]
    if cluster.notice:
        answer["stopped"] = [_basics(cluster, model.id, model.framework) for model in seen]
        return {**answer, "cluster_status": {}}
    if cluster.kind == COMPUTE:
        _fill_sophia(service, cluster, seen, answer)
        return {**answer, "cluster_status": {"free_nodes": cluster.free_nodes}}
    _fill_metis(service, cluster, seen, answer)
    if cluster.kind == METIS:
        status = {
            "cluster": cluster.name,
            "total_models": len(seen),
            "live_models": len(answer["running"]),
            "stopped_models": len(answer["stopped"]),
        }
        return {**answer, "cluster_status": status}
    return {**answer, "cluster_status": {}}


def _basics(cluster: Cluster, models: str, framework: str) -> dict[str, str]:
    return {"Models": models, "Framework": framework, "Cluster": cluster.name}


def _shown(service: Service, model: Model) -> str:
    state = service.lifecycle.look(model)
    return model.jobs_say or state


def _fill_sophia(
    service: Service, cluster: Cluster, models: list[Model], answer: dict[str, Any]
) -> None:
    blocks: dict[tuple[str, str], list[Model]] = {}
    for number, model in enumerate(models):
        state = _shown(service, model)
        if state in _SOPHIA:
            # Models of one PBS job share a row as long as they share its state.
            job = model.job.get("Job ID", f"alone {number}")
            blocks.setdefault((job, state), []).append(model)
    for (_, state), block in blocks.items():
        place, word, letter = _SOPHIA[state]
        row = _basics(cluster, ",".join(model.id for model in block), block[0].framework)
        row |= {"Model Status": word, **_pbs(service, cluster, block[0], letter)}
        answer[place].append(row)


def _pbs(service: Service, cluster: Cluster, model: Model, letter: str) -> dict[str, str]:
    number = 91_010 + cluster.models.index(model)
    told = {
        "Job ID": f"{number}.{cluster.name}-pbs-01",
        "Job State": letter,
        "Host Name": "N/A" if letter == "Q" else f"{cluster.name}-gpu-{number % 100:02d}/0*256",
        "Job Comments": (
            "Not Running: Insufficient amount of resource: ngpus"
            if letter == "Q"
            else service.clock.wall_text("Job run at %a %b %d at %H:%M on (sophia)", model.since)
        ),
        "Nodes Reserved": "1",
    }
    told |= {key: text for key, text in model.job.items() if key != "Walltime"}
    if letter == "Q":
        start = service.lifecycle.start_estimate(model)
        told.setdefault(
            "Estimated Start Time",
            service.clock.wall_text("%a %b %d %H:%M:%S %Y (Chicago time)", start),
        )
    else:
        told["Walltime"] = _walltime(model, service.lifecycle.up_since(model), letter)
    return told


def _walltime(model: Model, seconds: float, letter: str) -> str:
    base = model.job.get("Walltime", "00:00:00").split(":")
    total = sum(int(part) * 60**power for power, part in enumerate(reversed(base)))
    total += int(seconds) if letter == "R" else 0
    return f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"


def _fill_metis(
    service: Service, cluster: Cluster, models: list[Model], answer: dict[str, Any]
) -> None:
    for model in models:
        state = _shown(service, model)
        place = {LIVE: "running", STOPPED: "stopped"}.get(state, "queued")
        row = _basics(cluster, model.id, model.framework)
        row["Model Status"] = "running" if state == LIVE else state.lower()
        row["Description"] = f"{model.id} - {model.about}"
        row["Model Version"] = model.version
        answer[place].append(row)

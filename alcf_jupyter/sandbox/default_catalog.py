"""The models that are served unless a configuration says otherwise; none poses as a real one."""

from __future__ import annotations

from .catalog import (
    COMPUTE,
    DIRECT,
    LIVE,
    METIS,
    OFFLINE,
    PROVISIONING,
    QUEUED,
    STOPPED,
    Catalog,
    Cluster,
    Model,
)

SOPHIA_ENDPOINTS = ("chat/completions", "completions", "embeddings", "responses", "messages")
MINERVA_ENDPOINTS = ("chat/completions", "responses", "messages", "completions")


_SLOW = "for tests: says back what it got, at 20 tokens a second"
_ERROR = "for tests: a streamed answer fails after a few words"
_END = "for tests: a streamed answer ends without saying so"


def default_catalog() -> Catalog:
    """Return the catalogue of a plain run: Sophia, Metis and Minerva with sandbox models."""
    return Catalog([_sophia(), _metis(), _minerva()])


def _job(number: int, walltime: str) -> dict[str, str]:
    return {
        "Job ID": f"{91_000 + number}.sophia-pbs-01",
        "Host Name": f"sophia-gpu-{number:02d}/0*256",
        "Job Comments": "Job run at Sat Nov 21 at 01:10 on (sophia)",
        "Nodes Reserved": "1",
        "Walltime": walltime,
    }


def _sophia() -> Cluster:
    hot, tools, odd = _job(1, "12:31:07"), _job(2, "03:05:44"), _job(3, "00:41:10")
    models = [
        Model("sandbox/echo", "echo", job=hot),
        Model("sandbox/summary", "summary", job=hot),
        Model("sandbox/markdown", "markdown", job=hot),
        Model("sandbox/code", "code", job=hot),
        Model("sandbox/json", "json", job=tools),
        Model("sandbox/reasoning", "reasoning", job=tools),
        Model("sandbox/tools", "tools", job=tools),
        Model("sandbox/vision", "vision", batch=False, job=tools),
        Model("sandbox/slow", "echo", pace=20.0, job=odd, description=_SLOW),
        Model("sandbox/long", "long", pace=200.0, job=odd),
        Model("sandbox/cut-off", "cut-off", job=odd),
        Model(
            "sandbox/stream-error",
            "echo",
            fault="stream-error;after=6",
            job=odd,
            description=_ERROR,
        ),
        Model(
            "sandbox/early-end", "echo", fault="stream-no-finish;after=6", job=odd, description=_END
        ),
        Model("sandbox/hostile", "hostile", job=odd),
        Model("sandbox/embed", "embed", job=_job(4, "05:20:00")),
        Model("sandbox/cold", "echo", OFFLINE, description="says back what it got, once started"),
        Model("sandbox/embed-cold", "embed", OFFLINE, description="makes vectors, once started"),
        Model(
            "sandbox/queued",
            "echo",
            QUEUED,
            description="for tests: waits in the queue for a day",
            # It stays in the queue for a day; /sandbox/state or /sandbox/clock ends the wait.
            queue_seconds=86_400.0,
            job={"Job ID": "91005.sophia-pbs-01"},
        ),
    ]
    return Cluster("sophia", COMPUTE, "vllm", SOPHIA_ENDPOINTS, models)


def _metis() -> Cluster:
    models = [
        Model("sandbox-echo", "echo", batch=False),
        Model(
            "sandbox-provisioning",
            "echo",
            PROVISIONING,
            batch=False,
            description="for tests: it is on its way and stays so",
        ),
        Model(
            "sandbox-stopped",
            "echo",
            STOPPED,
            batch=False,
            description="for tests: it is switched off",
        ),
    ]
    return Cluster("metis", METIS, "api", ("chat/completions",), models)


def _minerva() -> Cluster:
    models = [Model("sandbox-echo", "echo", LIVE, batch=False)]
    return Cluster("minerva", DIRECT, "api", MINERVA_ENDPOINTS, models)

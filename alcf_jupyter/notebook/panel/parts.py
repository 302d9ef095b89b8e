"""What the panel shows, part by part, as `protocol.json` has it; nothing here asks the service."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter import progress
from alcf_jupyter.frames import live_runs
from alcf_jupyter.notebook.models import in_use, model_facts
from alcf_jupyter.notebook.runs import run_view
from alcf_jupyter.plain import brief
from alcf_jupyter.service.catalog import State

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.metrics import Known
    from alcf_jupyter.frames.batch.progress import Progress
    from alcf_jupyter.frames.live_runs import Left
    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.notebook.panel.looks import Looks
    from alcf_jupyter.service.catalog import Catalog, Cluster, Model

_MOST_RUNS: Final = 20
_LONG: Final = 400


def status(client: Client, looks: Looks) -> dict[str, Any]:
    """Return where the notebook is connected to, as whom, and the models it uses."""
    return {
        "type": "status",
        "service": brief(client.profile),
        "account": _account(client, looks),
        "offers_sandbox": looks.nobody and client.profile.is_alcf,
        "chat": _in_use("chat", client),
        "embed": _in_use("embed", client),
    }


def models(client: Client, looks: Looks) -> dict[str, Any]:
    """Return every model with its state."""
    known = client.known
    return {
        "type": "models",
        "checked": client.checked_at,
        "followed": looks.models.followed,
        "note": looks.models.trouble,
        "warnings": [brief(warning, _LONG) for warning in known.warnings],
        "models": _models(known),
    }


def runs() -> dict[str, Any]:
    """Return the runs of this kernel, but for short ones that went by without a word.

    One that was stopped or interrupted, or that failed, is there until it is run again.
    """
    shown = [
        _run(key, run)
        for key, run in live_runs.shown().items()
        if run.progress.rows > progress.FEW or run.progress.state != "finished"
    ]
    return {"type": "runs", "runs": shown[:_MOST_RUNS]}


def batches(looks: Looks) -> dict[str, Any]:
    """Return the batches of this account as they were at the last look."""
    return {
        "type": "batches",
        "checked": looks.batches.at,
        "note": looks.batches.trouble,
        "batches": [_batch(one, now) for one, now in looks.found],
    }


def unconnected() -> dict[str, Any]:
    """Return the status of a notebook that has no service yet."""
    chosen = {kind: _unseen(in_use.model_id(kind)) for kind in ("chat", "embed")}
    return nothing("status", "not connected yet") | chosen


def nothing(part: str, why: str) -> dict[str, Any]:
    """Return a part of which nothing is known, and why."""
    told: dict[str, Any]
    if part == "status":
        account = {"state": "unknown", "words": "not asked yet", "until": None}
        told = {"type": part, "service": why, "account": account, "offers_sandbox": False}
        return told | {"chat": None, "embed": None}
    if part == "runs":
        return {"type": part, "runs": []}
    told = {"type": part, "checked": None, "note": why, part: []}
    return told | ({"followed": False, "warnings": []} if part == "models" else {})


def _account(client: Client, looks: Looks) -> dict[str, Any]:
    if not client.profile.is_gateway or client.profile.name == "sandbox":
        return {"state": "none", "words": "needs no sign-in", "until": None}
    if looks.refused:
        return {"state": "signed out", "words": brief(looks.refused, _LONG), "until": None}
    token = client.credential.token
    if token is None:
        return {"state": "unknown", "words": "not asked yet", "until": None}
    who = looks.who or client.signed_in_by
    return {"state": "signed in", "words": brief(who), "until": token.expires_at}


def _in_use(kind: str, client: Client) -> dict[str, str] | None:
    model = in_use.model(kind, client)
    if model is None:
        return _unseen(in_use.model_id(kind))
    return {"model": brief(model.id), "cluster": brief(model.cluster), "state": str(model.state)}


def _unseen(name: str | None) -> dict[str, str] | None:
    """Return a model of which only the name is known."""
    if not name:
        return None
    return {"model": brief(name), "cluster": "", "state": str(State.UNKNOWN)}


@lru_cache(maxsize=2)
def _models(known: Catalog) -> list[dict[str, Any]]:
    # asked for twice a second, and another once a minute
    clusters = {cluster.name: cluster for cluster in known.clusters}
    # with one name that is half a character no message with any of them could be sent
    shown = (one for one in known.models if _is_text(f"{one.id} {one.cluster}"))
    return [_model(one, clusters.get(one.cluster)) for one in shown]


def _is_text(name: str) -> bool:
    return name.encode(errors="ignore").decode() == name


def _model(model: Model, cluster: Cluster | None) -> dict[str, Any]:
    return {
        # whole: it is what `use` and `warm` are told again
        "id": model.id,
        "cluster": model.cluster,
        "state": str(model.state),
        "note": brief(model_facts.queue_note(model)),
        "starts": model_facts.starts(model, cluster),
        "can_chat": model.can_chat,
        "can_embed": model.can_embed,
        "facts": [
            [name, brief(text, _LONG)] for name, text in model_facts.facts(model, cluster).items()
        ],
    }


def _run(key: str, run: Run | Left) -> dict[str, Any]:
    now = run.progress
    waits = brief(now.words)
    return {
        "key": key,
        "name": brief(run.name),
        "title": run_view.whom(run),
        "about": brief(run.about),
        "state": now.state,
        "words": " · ".join(part for part in (run_view.facts(now), waits) if part),
        "rows": now.rows,
        "done": now.rows - now.pending,
        "failed": now.failed,
    }


def _batch(one: Known, now: Progress) -> dict[str, Any]:
    batch = one.batch
    begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(batch.created)) if batch.created else ""
    rows = now.total or now.lines
    told = (str(now) if rows else "", f"begun {begun}" if begun else "", one.reason)
    return {
        "key": brief(batch.id),
        "name": brief(batch.id),
        "title": brief(f"{batch.model or 'model not told'} @ {batch.cluster}"),
        "about": brief(batch.input_file.rpartition("/")[2]),
        "state": brief(batch.status),
        "words": brief(" · ".join(part for part in told if part), _LONG),
        "rows": rows,
        "done": min(now.lines, rows),
        "failed": min(now.failed, rows),
    }

"""What is known of a model, in words: a line, a table, details; and whether it can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.plain import brief, escape_line
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.limits import COLD_START_MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.service.catalog import Cluster, Model


def label(model: Model) -> str:
    """Return a model on one line of plain text, its state first."""
    return f"{model.state} · {name(model)}"


def name(model: Model) -> str:
    """Return a model's name and its cluster's, which stay while its state changes."""
    return f"{brief(model.id, 80)} @ {brief(model.cluster, 30)}"


def table(models: Sequence[Model], more: int = 0) -> str:
    """Return models as a table of plain HTML; `more` is how many are not in it."""
    rows = "".join(
        f"<tr><td>{model.state}</td><td>{escape_line(model.id)}</td>"
        f"<td>{escape_line(model.cluster)}</td><td>{escape_line(queue_note(model))}</td></tr>"
        for model in models
    )
    head = "<tr><th>State</th><th>Model</th><th>Cluster</th><th>Queue</th></tr>"
    foot = f"<p>and {more:,} more</p>" if more > 0 else ""
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{foot}"


def facts(model: Model, cluster: Cluster | None) -> dict[str, str]:
    """Return all that is known of a model, each fact by its name; a server's words as they are."""
    cold = cluster is not None and cluster.starts_on_request and model.state is State.OFFLINE
    nodes = cluster.free_nodes if cluster else None
    first, last = COLD_START_MINUTES
    told = {
        "State": str(model.state),
        "Cluster": f"{model.cluster} ({model.framework})" if model.framework else model.cluster,
        "Host": model.host,
        "Running for": model.walltime,
        "Estimated start": model.estimated_start,
        "Queue": model.comment,
        "Free nodes": "" if nodes is None else str(nodes),
        "Context": f"{model.context:,} tokens" if model.context else "",
        "Can": _abilities(model, able=True),
        "Cannot": _abilities(model, able=False),
        "Cold start": f"{first} to {last} minutes after a request" if cold else "",
        "About": model.description,
    }
    return {name: value for name, value in told.items() if value}


def details(model: Model, cluster: Cluster | None) -> str:
    """Return all that is known of a model, as HTML."""
    rows = "".join(
        f'<tr><th style="text-align:left;padding-right:1em">{fact}</th>'
        f"<td>{escape_line(value)}</td></tr>"
        for fact, value in facts(model, cluster).items()
    )
    head = f"<b>{escape_line(model.id)}</b>"
    return f'<div style="line-height:1.5">{head}<table>{rows}</table></div>'


def starts(model: Model, cluster: Cluster | None) -> bool:
    """Tell whether a request would start a model that is not running."""
    ready = (State.LIVE, State.STARTING, State.QUEUED, State.UNKNOWN)
    return cluster is not None and cluster.starts_on_request and model.state not in ready


def queue_note(model: Model) -> str:
    """Return what the queue says of a model that is not Live."""
    if model.state is State.QUEUED and model.estimated_start:
        return f"estimated start {model.estimated_start}"
    return "" if model.state is State.LIVE else model.comment


def _abilities(model: Model, *, able: bool) -> str:
    """Say what a model can or cannot do; what is in neither nobody told."""
    words = {
        "chat": model.can_chat,
        "embeddings": model.can_embed,
        "batches": model.can_batch,
        "images": model.can_see,
        "tools": model.can_call_tools,
        "reasoning": model.can_reason,
    }
    return ", ".join(word for word, known in words.items() if known is able)

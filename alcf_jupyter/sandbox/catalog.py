"""Clusters and models: what is served, where, and how each model behaves."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from .answers import GatewayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# States of a model, in the words of ALCF's web interface where it has one.
LIVE = "Live"
STARTING = "Starting"
QUEUED = "Queued"
OFFLINE = "Offline"
DISCONNECTED = "Disconnected"
STOPPED = "Stopped"
PROVISIONING = "Provisioning"
ENDED = "Ended"
UNREACHABLE = "Unreachable"
STATES = (
    LIVE,
    STARTING,
    QUEUED,
    OFFLINE,
    DISCONNECTED,
    STOPPED,
    PROVISIONING,
    ENDED,
    UNREACHABLE,
)

# How a cluster is reached: through Globus Compute (Sophia), a Metis-like API, or another API.
COMPUTE = "compute"
METIS = "metis"
DIRECT = "direct"


ABOUT = {
    "code": "answers with a Python function",
    "commands": "for tests: obeys the command that the prompt begins with",
    "cut-off": "for tests: its answers always stop in the middle, as at a limit of tokens",
    "echo": "says back what it got",
    "embed": "turns texts into vectors, from the words in them",
    "hostile": "for tests: answers with text that a careless display would run",
    "json": "answers in JSON, in the form that is asked for",
    "long": "for tests: answers at length, as many tokens as the prompt says",
    "markdown": "answers in Markdown: a list, a table, code",
    "reasoning": "thinks aloud, then answers",
    "summary": "answers with the sentences of the prompt that say the most",
    "tools": "calls the tools that it is given",
    "vision": "says of each image its format and size",
}
"""What each behaviour does, in words."""


@cache
def slug(cluster: str, framework: str, model: str) -> str:
    """Return the name under which the gateway looks a model up: no case, no dots, no slashes."""
    text = unicodedata.normalize("NFKD", f"{cluster} {framework} {model.lower()}")
    text = re.sub(r"[^\w\s-]", "", text.encode("ascii", "ignore").decode().lower())
    return re.sub(r"[-\s]+", "-", text).strip("-_")


@dataclass
class Model:
    """One model of a cluster.

    `behaviour` names how it answers (see `models`), `fault` a standing fault (see `faults`),
    `pace` its speed in tokens per real second, `job` what /jobs tells of it, and `groups` the
    Globus groups whose members may see it.
    """

    id: str
    behaviour: str = "echo"
    state: str = LIVE
    framework: str = ""
    batch: bool = True
    context: int = 32_768
    dimensions: int = 256
    pace: float | None = None
    fault: str = ""
    groups: tuple[str, ...] = ()
    job: dict[str, str] = field(default_factory=dict)
    description: str = ""
    version: str = "1"
    queue_seconds: float = 240.0
    load_seconds: float = 480.0
    options: dict[str, Any] = field(default_factory=dict)
    since: float = 0.0
    seen: bool = False
    jobs_say: str = ""
    until_asked: bool = False
    triggered_until: float = 0.0

    @property
    def about(self) -> str:
        """What it does, in words: its own, or those of its behaviour."""
        return self.description or ABOUT.get(self.behaviour, "")

    @property
    def embeds(self) -> bool:
        """Whether it turns texts into vectors."""
        return self.behaviour == "embed"


@dataclass
class Cluster:
    """One cluster: where it is found, what it offers, and its models."""

    name: str
    kind: str = COMPUTE
    framework: str = "vllm"
    endpoints: tuple[str, ...] = ()
    models: list[Model] = field(default_factory=list)
    notice: str = ""
    free_nodes: int = 4
    groups: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        """The path under which its frameworks are found."""
        return f"/resource_server/{self.name}"

    def frameworks(self) -> list[str]:
        """Return the frameworks it offers, its own first."""
        return list(dict.fromkeys([self.framework, *(model.framework for model in self.models)]))


class Catalog:
    """All clusters of this run."""

    def __init__(self, clusters: list[Cluster]) -> None:
        self.clusters = {cluster.name: cluster for cluster in clusters}
        for cluster in clusters:
            for model in cluster.models:
                model.framework = model.framework or cluster.framework

    def __iter__(self) -> Iterator[tuple[Cluster, Model]]:
        """Go through every model with its cluster."""
        for cluster in self.clusters.values():
            for model in cluster.models:
                yield cluster, model

    def cluster(self, name: str) -> Cluster:
        """Return a cluster, or raise the gateway's 404."""
        try:
            return self.clusters[name]
        except KeyError:
            message = f"The requested cluster '{name}' does not exist."
            raise GatewayError("cluster_not_found", message) from None

    def find(self, cluster: Cluster, framework: str, name: str) -> Model:
        """Return the model that the gateway finds under `name`, or raise its 404."""
        wanted = slug(cluster.name, framework, name)
        for model in cluster.models:
            if model.framework == framework and slug(cluster.name, framework, model.id) == wanted:
                return model
        message = f"The requested endpoint '{wanted}' does not exist."
        raise GatewayError("endpoint_not_found", message)

    def named(self, name: str, cluster: str | None = None) -> list[tuple[Cluster, Model]]:
        """Return every model of exactly this name, on one cluster or on all."""
        return [
            (where, model)
            for where, model in self
            if model.id == name and cluster in (None, where.name)
        ]

    def add_aliases(self, aliases: Mapping[str, str]) -> None:
        """Serve each alias wherever its target is served; it answers as the target does."""
        for alias, target in aliases.items():
            found = self.named(target)
            if not found:
                raise ValueError(f"the alias {alias!r} stands for {target!r}, which is no model")
            for cluster, model in found:
                cluster.models.append(replace(model, id=alias))


def read_catalog(clusters: Mapping[str, Mapping[str, Any]]) -> Catalog:
    """Return the catalogue that a configuration file describes.

    Parameters
    ----------
    clusters : mapping
        By name, the fields of `Cluster`; `models` is a list of names or of the fields of `Model`.
    """
    made = []
    for name, facts in clusters.items():
        models = [
            Model(item) if isinstance(item, str) else Model(**_tuples(item))
            for item in facts.get("models", [])
        ]
        made.append(Cluster(name, **{**_tuples(facts), "models": models}))
    return Catalog(made)


def _tuples(facts: Mapping[str, Any]) -> dict[str, Any]:
    lists = {key: tuple(facts[key]) for key in ("groups", "endpoints") if key in facts}
    return {**facts, **lists}

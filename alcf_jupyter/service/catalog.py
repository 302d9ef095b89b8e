"""Clusters, frameworks and models, and the state of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from alcf_jupyter.errors import UnknownClusterError, UnknownModelError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence


class State(StrEnum):
    """How a model is, in the words of ALCF's web interface, the most ready first."""

    LIVE = "Live"
    STARTING = "Starting"
    QUEUED = "Queued"
    DISCONNECTED = "Disconnected"
    STOPPED = "Stopped"
    MAINTENANCE = "Maintenance"
    OFFLINE = "Offline"
    UNKNOWN = "Unknown"


READINESS = {state: rank for rank, state in enumerate(State)}
"""Of each state its place, the most ready first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model on a cluster. Whatever the service does not tell is None or empty.

    Attributes
    ----------
    id, cluster, framework
        The name to ask for, and where it runs.
    path
        Path of the framework on the service's host; an endpoint such as
        ``/v1/chat/completions`` follows it.
    endpoints
        What the *cluster* offers; the service does not say which model does which.
    state
        See `State`.
    host, walltime, estimated_start, comment, description
        As the scheduler gives them, for people to read.
    context
        Longest prompt and answer together, in tokens.
    """

    id: str
    cluster: str
    framework: str = ""
    path: str = ""
    endpoints: tuple[str, ...] = ()
    state: State = State.UNKNOWN
    host: str = ""
    walltime: str = ""
    estimated_start: str = ""
    comment: str = ""
    description: str = ""
    context: int | None = None
    can_chat: bool | None = None
    can_embed: bool | None = None
    can_batch: bool | None = None
    can_see: bool | None = None
    can_call_tools: bool | None = None
    can_reason: bool | None = None

    @property
    def option(self) -> str:
        """What to type to get this model."""
        return typed(model=self.id, **({"cluster": self.cluster} if self.cluster else {}))

    @property
    def looks_like_embedding(self) -> bool:
        """Whether the name suggests an embedding model: for ordering suggestions, never a rule."""
        name = self.id.casefold()
        return "embed" in name or "genslm" in name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster; None where the service does not tell.

    Attributes
    ----------
    up
        False while it is under maintenance.
    free_nodes
        How many nodes nobody uses.
    starts_on_request
        Whether a request loads a model that is not running.
    """

    name: str
    up: bool | None = None
    free_nodes: int | None = None
    starts_on_request: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every cluster and model that the service shows this account."""

    clusters: tuple[Cluster, ...] = ()
    models: tuple[Model, ...] = ()
    warnings: tuple[str, ...] = ()
    complete: bool = True
    """Whether a model that is not listed does not exist."""

    def cluster(self, name: str) -> Cluster:
        """Return the cluster called `name`, in any case.

        Raises
        ------
        UnknownClusterError
            There is none; the message names the nearest.
        """
        name = str(name)
        for cluster in self.clusters:
            if cluster.name.casefold() == name.casefold():
                return cluster
        names = [cluster.name for cluster in self.clusters]
        near = nearest(name, names)
        raise UnknownClusterError(
            f"There is no cluster {brief(name, 80)!r}.",
            why=f"Clusters here: {', '.join(names) or 'none'}.",
            do=f"Did you mean:  {typed(cluster=near[0])}" if near else "Look with:  %alcf models",
        )

    def find(self, model: str, cluster: str | None = None) -> Model:
        """Return the model called `model`, the most ready where two clusters serve it.

        The gateway finds a model in any case but hands its name on as typed, and the model server
        then refuses a wrong case; so the service's own spelling is what is returned.

        Raises
        ------
        UnknownClusterError, UnknownModelError
            There is no such cluster or model; the message names the nearest.
        """
        if cluster is not None:
            cluster = self.cluster(cluster).name
        here = [m for m in self.models if cluster in (None, m.cluster)]
        found = [m for m in here if m.id == model]
        found = found or [m for m in here if m.id.casefold() == model.casefold()]
        if found:
            return min(found, key=lambda m: READINESS[m.state])
        if not self.complete:
            return Model(id=model, cluster=cluster or "")
        raise self._unknown(model, cluster, here)

    def _unknown(self, model: str, cluster: str | None, here: list[Model]) -> UnknownModelError:
        where = f" on {cluster}" if cluster else ""
        what = f"There is no model {brief(model, 120)!r}{where}."
        tail = model.rsplit("/", 1)[-1].casefold()
        same = [m for m in here if m.id.rsplit("/", 1)[-1].casefold() == tail]
        if same:
            return UnknownModelError(
                what, why=f"{same[0].cluster} serves it under another name.", do=same[0].option
            )
        near = _like(model, here) or _like(model, self.models)
        return UnknownModelError(
            what,
            why="It may also be one that your account's groups do not show you.",
            do=f"Did you mean:  {near.option}" if near else "See what there is:  %alcf models",
        )


def _like(name: str, models: Sequence[Model]) -> Model | None:
    ids = nearest(name, (model.id for model in models), 1)
    return next((model for model in models if model.id in ids), None)

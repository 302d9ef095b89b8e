"""Waiting until a model is Live, without burning requests on one that is not there."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from alcf_jupyter.connection.deadline import words
from alcf_jupyter.connection.profiles import whom
from alcf_jupyter.errors import (
    DeadlineError,
    MaintenanceError,
    NoConnectionError,
    NotLiveError,
    ServiceError,
)
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.proposals import proposals
from alcf_jupyter.typed import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.service.catalog import Model

READY = (State.LIVE, State.UNKNOWN)
_TICK_SECONDS = 0.5


@dataclass(slots=True)
class Wait:
    """A wait for a model: until when, and what it went through.

    Attributes
    ----------
    deadline
        When to give up.
    states
        Each state seen, in order, without repeats.
    seconds
        How long it took.
    presumed
        Whether the state to wait for was not seen, but follows from a refusal.
    """

    deadline: Deadline
    states: list[State] = field(default_factory=list)
    seconds: float = 0.0
    presumed: bool = False
    _held: State | None = None

    def saw(self, state: State) -> None:
        """Note a state; one that is presumed only where the next look does not say otherwise."""
        if self.presumed:
            self.presumed, self._held = False, state
            return
        held, self._held = self._held, None
        for one in (held, state) if held and state in READY else (state,):
            if self.states[-1:] != [one]:
                self.states.append(one)


def line(model: Model, elapsed: float, free_nodes: int | None = None, service: str = "alcf") -> str:
    """Return how a model is, in one line of words."""
    parts = [whom(model.id, model.cluster, service), str(model.state), words(elapsed)]
    if model.state is State.QUEUED and model.estimated_start:
        parts.append(f"estimated start {model.estimated_start}")
    if model.state is not State.LIVE and model.comment:
        parts.append(model.comment)
    if model.state in (State.OFFLINE, State.QUEUED) and free_nodes is not None:
        parts.append(f"{free_nodes} nodes free")
    return " · ".join(parts)


def not_live(model: Model, directory: Directory) -> NotLiveError:
    """Return the error that names the state of `model` and models that are Live instead."""
    known = directory.known
    live = replace(known, models=tuple(m for m in known.models if m.state is State.LIVE))
    found = proposals(
        live,
        embedding=model.looks_like_embedding,
        favoured=directory.favoured,
        near=model.cluster,
    )
    options = [m.option for m in found]
    starts = any(c.name == model.cluster and c.starts_on_request for c in known.clusters)
    wait = f"wait for it:  %alcf wait {model.id}"
    later = wait if starts else "look again later:  %alcf models"
    return NotLiveError(
        f"{model.id} on {model.cluster} is {model.state}"
        + ("." if starts else ", and asking does not start it."),
        why=f"Live now:  {'   '.join(options) or 'no model of this kind.'}",
        do=f"Take one of these, or {later}" if options else later[0].upper() + later[1:],
        status=503,
    )


async def until_live(
    directory: Directory,
    model: Model,
    wait: Wait,
    *,
    warm_up: Callable[[Model], object],
    tell: Callable[[str], None],
) -> Model:
    """Return `model` once the service says that it is Live.

    Parameters
    ----------
    directory
        Where its state is looked up, at the service's pace.
    wait
        When to give up; it is given the states passed and the time it took.
    warm_up
        Asks the service to start a model.
    tell
        Takes the state of things in one line, twice a second.

    Raises
    ------
    NotLiveError
        It cannot be started by a request.
    MaintenanceError
        Its cluster is under maintenance.
    DeadlineError
        The time has passed; the message names the state.
    """
    began, deadline = time.monotonic(), wait.deadline
    startable = False
    try:
        while model.state not in READY:
            wait.saw(model.state)
            cluster = directory.known.cluster(model.cluster)
            if model.state is State.MAINTENANCE:
                raise MaintenanceError(
                    f"{model.cluster} is under maintenance.",
                    do=f"Take another cluster with {named('cluster')}, or look again later:  "
                    "%alcf status",
                )
            # once told is told: a look at the queue that fails does not take it back
            startable = startable or cluster.starts_on_request
            if model.state in (State.OFFLINE, State.STOPPED):
                if not startable:
                    raise not_live(model, directory)
                warm_up(model)
            pause = directory.poll_seconds * random.uniform(1.0, 1.1)  # noqa: S311 - jitter
            until = min(time.monotonic() + pause, deadline.at)
            while time.monotonic() < until:
                elapsed = time.monotonic() - began
                tell(line(model, elapsed, cluster.free_nodes, directory.service))
                await asyncio.sleep(min(_TICK_SECONDS, max(0.0, until - time.monotonic())))
            if not deadline.left():
                raise _too_long(model, deadline, directory)
            model = await _look_up(directory, model, deadline)
        wait.saw(model.state)
        return model
    finally:
        wait.seconds += time.monotonic() - began


async def _look_up(directory: Directory, model: Model, deadline: Deadline) -> Model:
    """Return `model` as it is now, or as it was where the service cannot say."""
    try:
        known = await directory.catalog(deadline, cluster=model.cluster)
    except DeadlineError:
        raise _too_long(model, deadline, directory) from None
    except (ServiceError, NoConnectionError):
        return model
    now = known.find(model.id, model.cluster)
    return model if now.state is State.UNKNOWN else now


def _too_long(model: Model, deadline: Deadline, directory: Directory) -> DeadlineError:
    error = deadline.error(f"{model.id} on {model.cluster} was {model.state}")
    error.why = not_live(model, directory).why
    return error

"""The life of a model: Offline, Queued, Starting, Live, on the service's clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .catalog import LIVE, OFFLINE, QUEUED, STARTING, STATES

if TYPE_CHECKING:
    from .catalog import Model
    from .clock import Clock

# Somebody has asked for the model: for ten minutes the gateway turns others away at once.
TRIGGER_SECONDS = 600.0
_LOOK_EVERY = 0.02


class Lifecycle:
    """Moves models along as time passes, and wakes them when somebody asks.

    Parameters
    ----------
    clock
        The service's.
    patience
        Real seconds for which a queued or starting model stays so until somebody has looked at it:
        on a fast clock, whoever is held up for a moment would miss a state.
    """

    def __init__(self, clock: Clock, patience: float = 0.0) -> None:
        self._clock = clock
        self._patience = patience
        self._started = clock.now()

    def state(self, model: Model) -> str:
        """Return the state the model is in now."""
        model.since = model.since or self._started
        if model.state == QUEUED and self._is_over(model, model.queue_seconds):
            self._move(model, STARTING, model.since + model.queue_seconds)
        if model.state == STARTING and self._is_over(model, model.load_seconds):
            self._move(model, LIVE, model.since + model.load_seconds)
        return model.state

    def look(self, model: Model) -> str:
        """Return the state the model is in now; it has been seen in it."""
        state = self.state(model)
        model.seen = True
        return state

    def _is_over(self, model: Model, seconds: float) -> bool:
        longer = 0.0 if model.seen else self._patience * self._clock.speed
        return self._clock.now() - model.since >= seconds + longer

    def _move(self, model: Model, state: str, moment: float) -> None:
        model.state, model.since, model.seen = state, moment, False

    def put(self, model: Model, state: str) -> None:
        """Put a model into a state, as if nobody had asked for it yet."""
        if state not in STATES:
            raise ValueError(f"no such state: {state!r}; there are {', '.join(STATES)}")
        self._move(model, state, self._clock.now())
        model.triggered_until = 0.0

    def triggered(self, model: Model) -> bool:
        """Tell whether somebody asked for the model within the last ten minutes."""
        return model.triggered_until > self._clock.now()

    def trigger(self, model: Model) -> None:
        """Note that somebody asks for the model; an offline one goes into the queue."""
        model.triggered_until = self._clock.now() + TRIGGER_SECONDS
        if self.state(model) == OFFLINE:
            self._move(model, QUEUED, self._clock.now())

    async def wait_until_live(self, model: Model, seconds: float) -> bool:
        """Wait up to `seconds` of service time; tell whether the model is live then."""
        end = self._clock.now() + seconds
        while self.state(model) != LIVE:
            if self._clock.now() >= end:
                return False
            # In slices, so that a state set from outside is seen at once.
            await asyncio.sleep(min(_LOOK_EVERY, (end - self._clock.now()) / self._clock.speed))
        return True

    def start_estimate(self, model: Model) -> float:
        """Return when a queued model is expected to start, in service time."""
        return (model.since or self._started) + model.queue_seconds

    def up_since(self, model: Model) -> float:
        """Return how many seconds the model's job has run."""
        loading = (
            model.load_seconds if model.state == LIVE and model.since != self._started else 0.0
        )
        return self._clock.now() - (model.since or self._started) + loading

"""Finds the model of a run, and waits until it is there, whatever keeps it or the service away."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alcf_jupyter.connection.call import Status
from alcf_jupyter.errors import AlcfError, DeadlineError, MaintenanceError, NoConnectionError
from alcf_jupyter.frames.sending.verdict import Verdict, may_pass, verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.caller import Caller
    from alcf_jupyter.frames.sending.run_limits import Limits
    from alcf_jupyter.service.catalog import Model


@dataclass(slots=True)
class Standby:
    """Waits for one run's model.

    Parameters
    ----------
    caller, call, limits
        As the engine has them.
    tell
        Takes what is waited for.
    sign_in
        Given the refusal, returns when the user has signed in; used where the run can be paused.

    Attributes
    ----------
    heard
        Whether a request was ever answered: the service is what it says it is, and was there.
    ready_at
        When the model was seen to be there, on the monotonic clock.
    """

    caller: Caller
    call: Call
    limits: Limits
    tell: Callable[[object], None]
    sign_in: Callable[[AlcfError], Awaitable[None]]
    heard: bool = False
    ready_at: float = float("-inf")

    async def ready(self, model: Model | None = None) -> Model:
        """Find the model where it is not given, and wait until it is Live.

        Raises
        ------
        AlcfError
            It will not be there, or the service was away for too long.
        """
        tries, since, last = 0, 0.0, float("-inf")
        while True:
            try:
                model = model or await self.caller.find(self.call)
                found = await self.caller.ready(self.call, model, self.tell)
            except AlcfError as error:
                now = time.monotonic()
                if now - last > self.limits.patience_seconds:
                    tries, since = 0, now  # it was there meanwhile: a wait can take hours
                tries, last = tries + 1, now
                await self._outlast(error, tries, since)
                model = None
            else:
                self.ready_at = time.monotonic()
                self._say("")
                return found

    async def after(self, error: AlcfError, call: Call, model: Model) -> Model | None:
        """Return the model as it is after a request found it away; None: that is to be found out.

        Parameters
        ----------
        error, call
            The request, and what it ended with.
        model
            As it was.

        Raises
        ------
        ServiceTimeoutError
            It runs after all, and takes too long.
        """
        if isinstance(error, MaintenanceError):
            await self._outlast_maintenance(error)
            return None
        return await self.caller.after_refusal(call, model, error)

    async def _outlast(self, error: AlcfError, tries: int, since: float) -> None:
        """Wait for the end of what keeps a look at the service from working, or raise it."""
        late, now = isinstance(error, DeadlineError), time.monotonic()
        patient = not late and now - since <= self.limits.patience_seconds
        if verdict(error) is Verdict.SIGN_IN and self.limits.pausable:
            await self.sign_in(error)
        elif isinstance(error, MaintenanceError) and self.limits.patient and self.heard:
            await self._outlast_maintenance(error)
        elif patient and (may_pass(error) if self.heard else _is_away(error)):
            self._say(f"{error.what} Trying again.")
            await self._sleep(self.limits.pause_after(error, tries, now), error.what)
        else:
            raise error

    async def _outlast_maintenance(self, error: MaintenanceError) -> None:
        self._say(f"{error.what} Waiting for it to end.")
        seconds = self.caller.poll_seconds * random.uniform(1.0, 1.1)  # noqa: S311 - jitter
        await self._sleep(seconds, "the cluster was under maintenance")

    async def _sleep(self, seconds: float, why: str) -> None:
        deadline = self.limits.deadline
        await asyncio.sleep(min(seconds, deadline.left() + 0.001))
        if not deadline.left():
            raise deadline.error(why)

    def _say(self, words: str) -> None:
        self.tell(Status(words))


def _is_away(error: AlcfError) -> bool:
    """Tell whether the gateway answered, and said that what is behind it is away."""
    return verdict(error) is Verdict.AWAY and not isinstance(error, NoConnectionError)

"""What a run keeps to: how much at once, how long, and how patient it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alcf_jupyter.errors import IdentityCheckError
from alcf_jupyter.service.limits import IDENTITY_CACHE_SECONDS

if TYPE_CHECKING:
    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.errors import AlcfError
    from alcf_jupyter.frames.sending.lane import Lane
    from alcf_jupyter.frames.sending.token_window import TokenWindow

REQUEST_SECONDS = 360.0
"""For one request: the gateway gives up after 300 s."""

PATIENCE_SECONDS = 600.0
"""For so long a service that was there may be away before the run ends."""

_LEAST_SECONDS = 2.0


@dataclass(slots=True)
class Limits:
    """What a run keeps to.

    Attributes
    ----------
    lane, tokens
        How many requests at once, and how many tokens a minute.
    deadline
        For the whole run.
    patient
        Whether to wait for a model that is not Live.
    pausable
        Whether a needed sign-in pauses the run; else it ends it.
    scale
        What a second is here; a stand-in whose clock runs faster has a smaller one.
    """

    lane: Lane
    tokens: TokenWindow
    deadline: Deadline
    patient: bool = True
    pausable: bool = False
    scale: float = 1.0

    @property
    def request_seconds(self) -> float:
        """How long one request may take."""
        return max(_LEAST_SECONDS, REQUEST_SECONDS * self.scale)

    @property
    def patience_seconds(self) -> float:
        """How long the service may be away."""
        return PATIENCE_SECONDS * self.scale

    def pause_after(self, error: AlcfError, attempts: int, now: float) -> float:
        """Return the seconds until what failed is worth trying again; others may have to wait, too.

        Parameters
        ----------
        error
            What it failed with.
        attempts
            How often.
        now
            The time.
        """
        pause = self.lane.retry_pause(attempts)
        if isinstance(error, IdentityCheckError):  # the others would be told the same
            pause += IDENTITY_CACHE_SECONDS * self.scale
            self.lane.close()
            self.lane.pause(now, pause)
        return pause

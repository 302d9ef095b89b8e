"""One model's lane: how many requests are under way at once, and when it pauses.

Nothing here waits or sends: the time is an argument, so that a test can be any clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from alcf_jupyter.frames.sending.send_rate import SendRate

FIRST_WIDTH = 8
"""Requests at once to begin with, once a first one has been answered."""

MOST_WIDTH = 64
"""Requests at once at the most, where the user names no number."""

RETRY_SHARE = 0.2
"""The share of all requests that may be second tries; beyond it only one goes at a time."""

_SPARE_RETRIES = 10
"""Second tries that even a short run has."""

_TROUBLE = 5
"""After so many failures in a row only one request goes at a time, until one succeeds."""

_MANY = 0.25
"""The share of failures, of the last requests or so, that is a sign of too much."""

_MEMORY = 1 / 32
_LONGEST_RETRY_PAUSE = 8.0
_THROTTLED_SECONDS = 0.5
_LONGEST_PAUSE = 60.0
_DOUBLINGS = 8


@dataclass(slots=True)
class Lane:
    """Finds how many requests at once the service bears, and backs off when it fails.

    The width doubles with each round of answers until the service has too much to do, is halved
    then, and grows by one a round from there on: what TCP does, for the same reason. A few other
    failures among many answers are no sign of too much, and change nothing.

    Parameters
    ----------
    most
        Requests at once, never more.
    first
        Requests at once to begin with, once a first one has been answered.
    scale
        What a second is here; a stand-in whose clock runs faster has a smaller one.
    rng
        For the jitter of the pauses.
    rate
        Requests a second.
    """

    most: int = MOST_WIDTH
    first: int = FIRST_WIDTH
    scale: float = 1.0
    rng: random.Random = field(default_factory=random.Random)
    rate: SendRate = field(default_factory=SendRate)
    width: float = field(init=False)
    under_way: int = 0
    sent: int = 0
    retries: int = 0
    _open: bool = False
    _doubling: bool = True
    _failures: int = 0
    _share: float = 0.0
    _until: float = float("-inf")
    _narrowed_at: float = float("-inf")
    _trouble_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.width = float(min(self.most, self.first))

    @property
    def is_open(self) -> bool:
        """Whether several may be under way: a request has succeeded since the last trouble."""
        return self._open

    def early(self, now: float, held: int = 0) -> float:
        """Return the seconds until the next request may go; infinite until one has come back.

        Parameters
        ----------
        now
            The time.
        held
            Requests that were answered and are not recorded yet: a crash would lose those, too.
        """
        allowed = int(self.width) if self._open else 1
        if self.under_way + held >= allowed:
            return float("inf")
        return max(0.0, self._until - now, self.rate.early(now))

    def may_retry(self) -> bool:
        """Tell whether a second try is within the share that second tries may have."""
        return self.retries < _SPARE_RETRIES + RETRY_SHARE * self.sent

    def leaves(self, now: float, *, again: bool = False) -> None:
        """Count a request that is sent now, for the second time or more where `again`."""
        self.rate.leaves(now)
        self.under_way += 1
        self.sent += 1
        self.retries += again

    def succeeded(self, left_at: float, *, full: bool) -> None:
        """Count an answer.

        Parameters
        ----------
        left_at
            When its request left. What left before trouble began tells nothing of how it is now.
        full
            Whether the width was what kept more from going; else it tells nothing to grow by.
        """
        self.under_way -= 1
        self._share -= _MEMORY * self._share
        if left_at < self._trouble_at:
            return
        self._failures = 0
        if not self._open:
            self._open = True
        elif full:
            self.width = min(self.most, self.width + (1.0 if self._doubling else 1 / self.width))

    def refused(self, *, opens: bool = True) -> None:
        """Count an answer that says no for good: the service is well, its width tells nothing.

        Parameters
        ----------
        opens
            Whether others may follow; where nothing has succeeded yet, all may be refused.
        """
        self.under_way -= 1
        self._failures = 0
        self._open = self._open or opens

    def failed(self, now: float, left_at: float, *, crowded: bool = True) -> None:
        """Count a failure that may pass.

        Parameters
        ----------
        now
            The time.
        left_at
            When the request left. Many fail at once for one reason, and that narrows once.
        crowded
            Whether it says that the service has too much to do. Other failures are a sign of that
            only where they are many.
        """
        self.under_way -= 1
        self._failures += 1
        self._share += _MEMORY * (1 - self._share)
        if crowded or self._share > _MANY or self._failures >= _TROUBLE:
            self._narrow(now, left_at)
        if self._failures == _TROUBLE:
            self._trouble_at = now
        if self._failures >= _TROUBLE or not self.may_retry():
            self._open = False
            doublings = min(self._failures - _TROUBLE, _DOUBLINGS)
            self.pause(now, self._jittered(min(2.0 ** max(0, doublings), _LONGEST_PAUSE)))

    def throttled(self, now: float, left_at: float) -> None:
        """Count a refusal for too many requests in a second: they go slower from now on."""
        self.under_way -= 1
        self.rate.refused(now, left_at)
        self.pause(now, self._jittered(_THROTTLED_SECONDS))

    def out_of_tokens(self, now: float, seconds: float) -> None:
        """Count a refusal for too many tokens in a minute: all wait, and nothing is narrowed.

        Parameters
        ----------
        now
            The time.
        seconds
            Until the service counts anew, as far as is known.
        """
        self.under_way -= 1
        self.pause(now, seconds)

    def given_up(self) -> None:
        """Count a request that was cancelled."""
        self.under_way -= 1

    def close(self) -> None:
        """Let one request try the service before others follow: it was away, or is new."""
        self._open = False

    def pause(self, now: float, seconds: float) -> None:
        """Let nothing go for so many seconds."""
        self._until = max(self._until, now + seconds)

    def retry_pause(self, attempts: int) -> float:
        """Return the seconds that a request waits after its so-many-eth failure."""
        return self._jittered(min(_LONGEST_RETRY_PAUSE, 0.5 * 2.0**attempts))

    def _narrow(self, now: float, left_at: float) -> None:
        if left_at >= self._narrowed_at:
            self.width = max(1.0, self.width / 2)
            self._narrowed_at = now
            self._doubling = False
            self._share = 0.0

    def _jittered(self, seconds: float) -> float:
        return seconds * self.rng.uniform(0.8, 1.3) * self.scale

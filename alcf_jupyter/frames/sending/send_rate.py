"""How many requests a second may go, found by itself where others share the limit.

Nothing here waits: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_SLOWER = 0.8
_FASTER_PER_SECOND = 0.1
_LEAST = 0.5
_MEASURED_SECONDS = 2.0


@dataclass(slots=True)
class SendRate:
    """Lets all go until a refusal, and from then on at even distances, slowly faster again.

    The service refuses what is over its limit in any one second, and somebody else may be using
    the same limit up: from a laptop, or in another notebook hub. A burst would be refused again.

    Parameters
    ----------
    most
        Requests a second that the service grants one user; None where that is not known.

    Attributes
    ----------
    per_second
        What is sent at the most just now; None before the first refusal.
    """

    most: float | None = None
    per_second: float | None = None
    _sent: deque[float] = field(default_factory=deque)
    _slowed_at: float = float("-inf")
    _raised_at: float = float("-inf")

    def early(self, now: float) -> float:
        """Return the seconds until the next request may go."""
        if self.per_second is None or not self._sent:
            return 0.0
        return max(0.0, self._sent[-1] + 1 / self._raised(now) - now)

    def leaves(self, now: float) -> None:
        """Count a request that is sent now."""
        self._sent.append(now)
        while self._sent[0] < now - _MEASURED_SECONDS:
            self._sent.popleft()

    def refused(self, now: float, left_at: float) -> None:
        """Go slower: a request that left at `left_at` was one too many.

        Several are refused at once for one reason, and that slows once.
        """
        if left_at < self._slowed_at:
            return
        before = self._raised(now) if self.per_second is not None else self._measured(now)
        self.per_second = max(_LEAST, before * _SLOWER)
        self._slowed_at = self._raised_at = now

    def _measured(self, now: float) -> float:
        """Return the requests a second that have gone lately."""
        since = self._sent[0] if self._sent else now
        measured = len(self._sent) / max(1.0, now - since)
        return measured if self.most is None else min(measured, self.most)

    def _raised(self, now: float) -> float:
        """Return the rate, a little higher for each second that nothing was refused."""
        assert self.per_second is not None  # noqa: S101 - the callers have looked
        faster = self.per_second + _FASTER_PER_SECOND * (now - self._raised_at)
        self._raised_at = now
        self.per_second = faster if self.most is None else min(self.most, faster)
        return self.per_second

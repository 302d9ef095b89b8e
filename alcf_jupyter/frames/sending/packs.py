"""What waits to be sent: a run's requests, in the order in which they go."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True)
class Pack:
    """What goes into one request.

    Attributes
    ----------
    units
        The numbers of its units, which are a run's rows or different texts.
    tokens
        About how many tokens it takes.
    attempts
        How often it was sent and brought nothing.
    complaint
        What was wrong with the form of the last answer, and that answer.
    failing_since
        ``time.monotonic()`` of its first failure that may pass.
    """

    units: Sequence[int]
    tokens: int
    attempts: int = 0
    complaint: tuple[str, str] | None = None
    failing_since: float | None = None

    def halves(self, attempts: int) -> tuple[Pack, Pack]:
        """Return the two halves of a pack of several units, each sent so often before."""
        middle = len(self.units) // 2
        parts = (self.units[:middle], self.units[middle:])
        first, last = (
            Pack(part, self.tokens * len(part) // len(self.units), attempts) for part in parts
        )
        return first, last


class PackQueue:
    """Packs that have not been sent, and packs that are sent again at their time.

    Parameters
    ----------
    packs
        The new ones. They are made one at a time: of a million rows they alone would take 200 MB.
    """

    def __init__(self, packs: Iterable[Pack]) -> None:
        self._packs = iter(packs)
        self._new = next(self._packs, None)
        self._again: list[tuple[float, int, Pack]] = []
        self._number = 0

    def __bool__(self) -> bool:
        return self._new is not None or bool(self._again)

    def next(self, now: float) -> tuple[Pack, float]:
        """Return the pack that goes next, and the seconds until it is due; there must be one."""
        if self._new is not None and not self._is_due(now):
            return self._new, 0.0
        due, _, pack = self._again[0]
        return pack, max(0.0, due - now)

    def take(self, now: float) -> Pack:
        """Take out the pack that goes next."""
        if self._new is not None and not self._is_due(now):
            pack, self._new = self._new, next(self._packs, None)
            return pack
        return heapq.heappop(self._again)[2]

    def again(self, pack: Pack, due: float) -> None:
        """Put a pack back, to be sent at `due`."""
        self._number += 1
        heapq.heappush(self._again, (due, self._number, pack))

    def divide(self, pack: Pack, attempts: int = 0) -> None:
        """Put the halves of a pack before anything else: what is at fault is found soon."""
        for half in reversed(pack.halves(attempts)):
            self._number += 1
            heapq.heappush(self._again, (float("-inf"), -self._number, half))

    def _is_due(self, now: float) -> bool:
        return bool(self._again) and self._again[0][0] <= now

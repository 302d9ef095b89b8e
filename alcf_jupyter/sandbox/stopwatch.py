"""How long an answer took."""

from __future__ import annotations

import time
from typing import Any


class Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return max(time.monotonic() - self._start, 1e-6)

    def metrics(self, result: dict[str, Any]) -> dict[str, float]:
        """Return the two keys that Sophia's compute function adds to an answer."""
        took = self.seconds()
        spent = (result.get("usage") or {}).get("total_tokens", 0)
        return {"response_time": took, "throughput_tokens_per_second": spent / took}

"""What the service was sent: an account that does not depend on the client's own."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import Clock
    from .requests import Request

KEPT = 50_000
BODY_LETTERS = 20_000


@dataclass
class Entry:
    """One request and what became of it; the caller is told by role, never by token.

    `status` is None while it is being answered, and for a client that left before the answer.
    """

    number: int
    time: float
    service_time: float
    method: str
    path: str
    query: dict[str, str]
    role: str
    body: str
    bytes: int
    status: int | None = None
    fault: str = ""
    seconds: float | None = None
    outcome: str = "open"


class RequestLog:
    """The last requests in the order they came; with a file, all of them, each when it is done."""

    def __init__(self, clock: Clock, path: str | None) -> None:
        self._clock = clock
        self._file = Path(path).open("a", encoding="utf-8") if path else None  # noqa: SIM115
        self.total = 0
        self.entries: deque[Entry] = deque(maxlen=KEPT)

    def begin(self, request: Request, role: str) -> Entry:
        """Note a request as it comes."""
        self.total += 1
        body = request.body.decode("utf-8", "replace")
        entry = Entry(
            number=self.total,
            time=time.time(),
            service_time=self._clock.now(),
            method=request.method,
            path=request.path,
            query=request.query,
            role=role,
            body=body[:BODY_LETTERS],
            bytes=len(request.body),
        )
        self.entries.append(entry)
        return entry

    def end(self, entry: Entry, outcome: str) -> None:
        """Note how a request ended: answered, broken (by a fault), or left (by the client)."""
        entry.seconds = time.time() - entry.time
        entry.outcome = outcome
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry)) + "\n")
            self._file.flush()

    def told(self, since: int, route: str) -> dict[str, Any]:
        """Return the entries after number `since` whose path holds `route`."""
        kept = [
            asdict(entry) for entry in self.entries if entry.number > since and route in entry.path
        ]
        return {"total": self.total, "entries": kept}

    def clear(self) -> None:
        """Forget what was noted."""
        self.entries.clear()
        self.total = 0

"""What the fault server was sent and what it sent back, counted by itself."""

import time
from collections import Counter
from dataclasses import dataclass, field

WARM_UP = "hi"
"""The smallest request, which starts a model."""


@dataclass
class Sent:
    """One request for an answer of a model.

    Attributes
    ----------
    number
        The how-many-eth of its model, from 0.
    at, done_at
        When it had come and when the server was through with it, on the monotonic clock.
    texts
        The prompts or texts it asks about.
    fault
        What befell it, ``""`` for nothing.
    delivered
        Whether the right answer was written to its end.
    """

    number: int
    at: float
    model: str
    route: str
    texts: tuple[str, ...]
    body: dict
    bytes_in: int
    authorization: str
    fault: str = ""
    status: int = 0
    bytes_out: int = 0
    done_at: float | None = None
    delivered: bool = False


@dataclass
class Ledger:
    """Every request in the order it came; see `Sent`."""

    sent: list[Sent] = field(default_factory=list)
    by_model: dict[str, list[Sent]] = field(default_factory=dict)
    asked: Counter = field(default_factory=Counter)
    asked_at: list[tuple[float, str]] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def of(self, model=None, since=0):
        """Return the requests for a model, or for any, from its `since`-th on."""
        return (self.sent if model is None else self.by_model.get(model, []))[since:]

    def texts(self, model=None, since=0):
        """Return how often each prompt or text was sent, but for what only starts a model."""
        some = [one for one in self.of(model, since) if one.texts != (WARM_UP,)]
        return Counter(text for one in some for text in one.texts)

    def delivered(self, model=None, since=0):
        """Return how often the right answer to each prompt or text was written to its end."""
        some = [one for one in self.of(model, since) if one.delivered]
        return Counter(text for one in some for text in one.texts)

    def faults(self, model=None, since=0):
        """Return how often each fault befell a request."""
        return Counter(one.fault for one in self.of(model, since) if one.fault)

    def most_in(self, seconds, model=None):
        """Return the most requests that came within so many seconds."""
        times = [one.at for one in self.of(model)]
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def begins(self, entry):
        """Note a request that has come."""
        self.sent.append(entry)
        self.by_model.setdefault(entry.model, []).append(entry)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def ends(self, entry):
        """Note that the server is through with it, or writes the last of it."""
        if entry.done_at is None:
            entry.done_at = time.monotonic()
            self.in_flight -= 1

"""How far a run over many rows is, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from alcf_jupyter.connection.deadline import words as span

STATUSES = ("ok", "truncated", "failed", "skipped", "pending")
"""What can have become of a row."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    rows
        How many there are.
    ok, truncated, failed, skipped, pending
        How many are in each status; they add up to `rows`.
    reused
        Finished rows that were recorded before.
    seconds
        Since it began.
    rate
        Rows a second lately.
    prompt_tokens, completion_tokens
        What was used so far, as far as the service tells.
    left_seconds
        What it will take still at this rate; None where that cannot be told.
    state
        ``waiting``, ``running``, ``paused``, ``stopped``, ``finished`` or ``failed``.
    words
        What it waits for, ``""`` for nothing.
    """

    rows: int
    ok: int
    truncated: int
    failed: int
    skipped: int
    pending: int
    reused: int
    seconds: float
    rate: float
    prompt_tokens: int
    completion_tokens: int
    left_seconds: float | None
    state: str
    words: str

    @property
    def by_status(self) -> dict[str, int]:
        """The counts by status."""
        return {name: getattr(self, name) for name in STATUSES}

    @property
    def done(self) -> int:
        """How many are finished, one way or the other."""
        return self.rows - self.pending

    def __str__(self) -> str:
        parts = [f"{self.done:,} of {self.rows:,} rows"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.state != "running":
            parts.append(self.words or self.state)
        elif self.rate:
            parts.append(f"{self.rate:.3g} rows a second")
        if self.prompt_tokens:
            parts.append(f"{self.prompt_tokens + self.completion_tokens:,} tokens")
        if self.left_seconds is not None and self.state == "running":
            parts.append(f"about {span(self.left_seconds)} left")
        return " · ".join(parts)

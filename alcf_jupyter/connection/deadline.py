"""One total time for a call, on a clock that never jumps."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from alcf_jupyter.errors import DeadlineError, UsageError
from alcf_jupyter.typed import typed

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)\s*")


def seconds(duration: str | float) -> float:
    """Return a duration such as ``"30m"``, ``"1h30m"``, ``90`` or ``"45s"`` in seconds.

    Raises
    ------
    UsageError
        It is not one, or not greater than zero.
    """
    total = 0.0
    if isinstance(duration, str):
        text, at = duration.strip().lower(), 0
        while at < len(text) and (part := _PART.match(text, at)):
            total, at = total + float(part[1]) * _UNITS[part[2]], part.end()
        if at < len(text):
            total = 0.0
    elif isinstance(duration, (int, float)):
        total = float(duration)
    if not 0 < total < 1e9:
        raise UsageError(
            f"{duration!r} is not a duration.", do=f"Write it like:  {typed(timeout='30m')}"
        )
    return total


def words(span: float) -> str:
    """Return a span of seconds in words, such as ``3m 40s``."""
    whole = int(span)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, and the span that led to it.

    Attributes
    ----------
    at
        ``time.monotonic()`` at the end.
    span
        Seconds given in all.
    """

    at: float
    span: float

    @classmethod
    def after(cls, duration: str | float) -> Deadline:
        """Return the deadline that ends in `duration`."""
        span = seconds(duration)
        return cls(time.monotonic() + span, span)

    def left(self) -> float:
        """Return the seconds left, 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())

    def error(self, doing: str) -> DeadlineError:
        """Return the error to raise when it has passed while `doing`."""
        return DeadlineError(
            f"{words(self.span)} have passed while {doing}.",
            do=f"Give it longer:  {typed(timeout='1h')}",
        )

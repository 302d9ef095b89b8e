"""How many tokens a minute the service grants, learned from its refusals.

The gateway counts the tokens of its answers in a fixed window of 60 s and refuses what arrives
after the limit is passed; it names the usage in the refusal, and never the limit or the window's
end (read in its source, 2026-05-29). So the first refusal teaches the limit, and the first answer
of a window teaches when it ends. Nothing here waits: the time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0

_LEARNING = 0.1
"""How much one answer changes what is expected of the next ones."""

_OTHERS_SECONDS = 15.0
"""Where others have used the model's tokens up, nobody knows when their window began."""

_GROWTH = 1.25
"""How much more is tried in a window where others had a part in what the last refusal taught."""


@dataclass(slots=True)
class TokenWindow:
    """The tokens of the running window, and the limit once it is known.

    Parameters
    ----------
    scale
        What a second is here; a stand-in whose clock runs faster has a smaller one.

    Attributes
    ----------
    limit
        Tokens in a window; None until a refusal has told it.
    used
        Tokens of the answers in the running window.
    expected
        Tokens that requests under way will take, about.
    ratio
        What answers took, beside what was expected of them.
    """

    scale: float = 1.0
    limit: int | None = None
    used: int = 0
    expected: int = 0
    ratio: float = 1.0
    _end: float = field(default=float("-inf"))
    _shared: bool = False
    _calm: bool = True

    def early(self, now: float, tokens: int) -> float:
        """Return the seconds until a request of about so many tokens may go.

        Parameters
        ----------
        now
            The time.
        tokens
            What the request will take, about. One that takes more than a whole window goes first
            in a new one, since the service refuses only what comes after the limit is passed.
        """
        if self.limit is None or now >= self._end:
            return 0.0
        if self.used + self.ratio * (self.expected + tokens) <= self.limit:
            return 0.0
        return self._end - now

    def expect(self, tokens: int) -> None:
        """Count a request under way; a negative number takes it back."""
        self.expected += tokens

    def add(self, now: float, tokens: int, expected: int = 0) -> None:
        """Count the tokens of an answer, and learn from what was expected of it."""
        if expected > 0:
            self.ratio += _LEARNING * (tokens / expected - self.ratio)
        if now >= self._end:
            self._begin(now)
        self.used += tokens

    def refused(self, now: float, by_user: int, by_all: int) -> float:
        """Learn from a refusal, and return the seconds until it is worth trying again.

        Parameters
        ----------
        now
            The time.
        by_user, by_all
            The tokens that the refusal says this user, and everybody, have used of the model.
        """
        ours = max(by_user, self.used)
        if by_user < by_all / 2:  # a user may have more than half of what a model grants
            return _OTHERS_SECONDS * self.scale
        self._calm = False
        alone = by_all <= ours
        if ours > 0 and (self.limit is None or ours < self.limit or (alone and self._shared)):
            self.limit, self._shared = ours, not alone
        return self._end - now if now < self._end else _OTHERS_SECONDS * self.scale

    def _begin(self, now: float) -> None:
        """Begin a window; what others took a part of in the last ones may be ours in this."""
        if self._shared and self._calm and self.limit is not None:
            self.limit = int(self.limit * _GROWTH) + 1
        self._calm = True
        self._end = now + WINDOW_SECONDS * self.scale
        self.used = 0

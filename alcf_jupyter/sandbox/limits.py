"""How much one user may ask: requests a second, and tokens a minute."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from .answers import DetailError, GatewayError

if TYPE_CHECKING:
    from .clock import Clock

WINDOW_SECONDS = 60.0
THROTTLED = "Too many requests."


def too_many_tokens(model: int, user: int) -> GatewayError:
    """Return the refusal of a request over the tokens a minute, with both figures."""
    info = {"global_model_usage": model, "user_model_usage": user}
    return GatewayError("too_many_requests", "Tokens/minute limit exceeded", info=info)


class RequestRate:
    """So many requests in any one second of real time, for each user; 0 means no limit."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)

    def check(self, who: str) -> None:
        """Count a request of `who`, or raise 429 without counting it."""
        if not self.per_second:
            return
        now = time.monotonic()
        recent = self._recent[who]
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        if len(recent) >= self.per_second:
            raise DetailError(429, THROTTLED)
        recent.append(now)


class TokenRate:
    """Tokens in a fixed window of a service minute, of a model and of a user on it; 0: no limit.

    As on the gateway the count is taken after an answer, so the one that goes over still comes.
    """

    def __init__(self, clock: Clock, per_model: int, per_user: int) -> None:
        self.per_model = per_model
        self.per_user = per_user
        self._clock = clock
        self._used: dict[tuple[str, str], tuple[float, int]] = {}

    def usage(self, model: str, who: str = "") -> int:
        """Return the tokens used in the running window."""
        end, used = self._used.get((model, who), (0.0, 0))
        return used if self._clock.now() < end else 0

    def check(self, model: str, who: str) -> None:
        """Raise 429 with both figures when a limit is reached."""
        everybody, user = self.usage(model), self.usage(model, who)
        over_model = self.per_model and everybody >= self.per_model
        over_user = self.per_user and user >= self.per_user
        if over_model or over_user:
            raise too_many_tokens(everybody, user)

    def record(self, model: str, who: str, tokens: int) -> None:
        """Count the tokens of an answer."""
        for key in ((model, ""), (model, who)):
            end, used = self._used.get(key, (0.0, 0))
            now = self._clock.now()
            if now >= end:
                end, used = now + WINDOW_SECONDS, 0
            self._used[key] = (end, used + tokens)

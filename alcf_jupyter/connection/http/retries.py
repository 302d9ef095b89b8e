"""How often a request that failed is sent again, and when."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import tenacity

from alcf_jupyter.errors import RateLimitError, ServerFailureError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable


def most(error: BaseException) -> int:
    """How often a request that failed with `error` is worth sending in all."""
    if isinstance(error, RateLimitError):
        return 6
    if isinstance(error, UnreachableError):
        return 2
    if isinstance(error, ServerFailureError) and error.status in (429, 502, 503, 504):
        return 3
    return 1


def is_answered(error: BaseException) -> bool:
    """Tell whether the service answered, and another try may have a better answer."""
    return most(error) > 1 and not isinstance(error, UnreachableError)


def stop(left: float) -> Callable[[tenacity.RetryCallState], bool]:
    """Return what tells whether it was sent as often as the failure is worth.

    Parameters
    ----------
    left
        Seconds after which nothing is sent any more.
    """
    is_late = tenacity.stop_before_delay(left)

    def is_enough(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return error is None or state.attempt_number >= most(error) or is_late(state)

    return is_enough


def pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: a token window is 60 s long, a request window one second."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitError):
        return 15.0 if error.scope == "tokens" else random.uniform(1.0, 1.3)  # noqa: S311
    return random.uniform(0.2, 0.6) * float(2**state.attempt_number)  # noqa: S311 - jitter

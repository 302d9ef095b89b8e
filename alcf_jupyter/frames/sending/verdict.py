"""What a failure in the middle of a run means: for the row, for the lane, or for the run."""

from __future__ import annotations

from enum import Enum

from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    DeadlineError,
    IdentityCheckError,
    InvalidAnswerError,
    MaintenanceError,
    NoConnectionError,
    NotLiveError,
    RateLimitError,
    RefusedError,
    ServerFailureError,
    ServiceError,
    ServiceTimeoutError,
    SignInError,
    StreamFailedError,
    TooLargeError,
)


class Verdict(Enum):
    """What to do about a failure."""

    ROW = "the same request fails again"
    FORM = "the answer is whole, and not of the form asked for"
    AGAIN = "it may pass"
    AWAY = "it may pass, and is not due to what was sent"
    THROTTLED = "too many requests in a second"
    TOKENS = "too many tokens in a minute"
    COLD = "the model is not running"
    SIGN_IN = "only signing in helps"
    RUN = "no other row would fare better"


_RUN_CODES = {"unsupported_endpoint", "batch_unavailable"}
_AWAY_STATUS = {502, 503, 504}
_CROWDED_STATUS = {429, 503, 504}

# the first that fits
_BY_KIND: list[tuple[type[AlcfError], Verdict]] = [
    (InvalidAnswerError, Verdict.FORM),
    (AnswerError, Verdict.AGAIN),
    (NotLiveError, Verdict.COLD),
    (MaintenanceError, Verdict.COLD),
    (ServiceTimeoutError, Verdict.COLD),
    (RateLimitError, Verdict.THROTTLED),
    (IdentityCheckError, Verdict.AWAY),
    (TooLargeError, Verdict.ROW),
    (RefusedError, Verdict.ROW),
    (NoConnectionError, Verdict.AWAY),
    (ServerFailureError, Verdict.AGAIN),
]


def verdict(error: AlcfError) -> Verdict:
    """Return what `error` means for a run; reliability is decided here and nowhere else.

    Parameters
    ----------
    error
        What one request ended with.
    """
    if isinstance(error, StreamFailedError) and error.failure is not None:
        return verdict(error.failure)
    if isinstance(error, RateLimitError) and error.scope == "tokens":
        return Verdict.TOKENS
    if isinstance(error, SignInError) and error.remedy:
        return Verdict.SIGN_IN
    if isinstance(error, RefusedError) and error.code in _RUN_CODES:
        return Verdict.RUN
    if isinstance(error, ServerFailureError) and error.status in _AWAY_STATUS:
        return Verdict.AWAY
    return next((found for kind, found in _BY_KIND if isinstance(error, kind)), Verdict.RUN)


def may_pass(error: AlcfError) -> bool:
    """Tell whether a look at the service that failed so may work later."""
    return isinstance(error, MaintenanceError) or verdict(error) in (Verdict.AWAY, Verdict.AGAIN)


def is_lasting(error: AlcfError) -> bool:
    """Tell whether the same request would fail again, so that a later run need not send it."""
    return verdict(error) in (Verdict.ROW, Verdict.FORM)


def says_crowded(error: AlcfError) -> bool:
    """Tell whether a failure that may pass says that the service has too much to do."""
    if isinstance(error, ServerFailureError):
        return error.status in _CROWDED_STATUS
    return isinstance(error, DeadlineError)


def reason(error: AlcfError) -> str:
    """Return why a row failed, in the words for its column of reasons."""
    if isinstance(error, RefusedError) and error.why:
        return error.why  # its first line is the same for all
    if isinstance(error, (ServiceError, InvalidAnswerError)):
        return " ".join(part for part in (error.what, error.why) if part)
    return error.what

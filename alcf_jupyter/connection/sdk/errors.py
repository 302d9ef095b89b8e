"""Our errors as the errors that an OpenAI client raises, with our lines as their message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    DeadlineError,
    NoConnectionError,
    NotLiveError,
    RateLimitError,
    RestrictedError,
    ServiceError,
    SignInError,
    TooLargeError,
    UnknownClusterError,
    UnknownModelError,
    UsageError,
)

if TYPE_CHECKING:
    import openai

# the first that fits; where the service gave a status of its own, that one stands
_STATUSES: tuple[tuple[type[AlcfError], int], ...] = (
    (RestrictedError, 403),
    (SignInError, 401),
    (UnknownModelError, 404),
    (UnknownClusterError, 404),
    (TooLargeError, 413),
    (UsageError, 400),
    (RateLimitError, 429),
    (NotLiveError, 503),
    (AnswerError, 502),
)


def of(error: AlcfError, request: Any) -> openai.APIError:
    """Return the OpenAI client's error for one of ours.

    Parameters
    ----------
    error
        Ours; its lines become the message.
    request
        The request it belongs to.
    """
    import openai

    if isinstance(error, DeadlineError):
        return _worded(openai.APITimeoutError(request=request), error)
    if isinstance(error, NoConnectionError):
        return _worded(openai.APIConnectionError(request=request), error)
    status = error.status if isinstance(error, ServiceError) and error.status >= 400 else 0
    status = status or next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
    body = _body(error)
    kinds: dict[int, type[openai.APIStatusError]] = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
    }
    usual = openai.InternalServerError if status >= 500 else openai.APIStatusError
    response: Any = httpx.Response(status, json={"error": body}, request=request)
    return kinds.get(status, usual)(str(error), response=response, body=body)


def within_stream(error: AlcfError, request: Any) -> openai.APIError:
    """Return the OpenAI client's error for one of ours that ends a stream; see `of`."""
    import openai

    if isinstance(error, NoConnectionError):
        return of(error, request)
    return openai.APIError(str(error), request, body=_body(error))


def _body(error: AlcfError) -> dict[str, Any]:
    code = getattr(error, "code", "") or None
    return {"message": str(error), "type": type(error).__name__, "code": code, "param": None}


def _worded(raised: openai.APIError, error: AlcfError) -> openai.APIError:
    """Put our lines in place of the client's own, which say no more than what kind it is."""
    raised.message = str(error)
    raised.args = (str(error),)
    return raised

"""Reading the gateway's refusals: a status and a body, in any of their shapes, to one error.

Shapes and texts are those of the gateway's source and of recorded answers (2026-05-29): its own
``{"error": {...}}``, the framework's ``{"detail": ...}``, the model servers' errors wrapped in a
traceback (Sophia) or in ``Upstream endpoint returned`` (Metis), and HTML from the proxy in front.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import (
    AlcfError,
    MaintenanceError,
    NotLiveError,
    NotTheServiceError,
    RateLimitError,
    RefusedError,
    ServerFailureError,
    ServiceTimeoutError,
    TooLargeError,
    UnknownClusterError,
    UnknownModelError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service.limits import MAX_BODY_BYTES
from alcf_jupyter.service.model_failures import AGAIN, model_server_failure
from alcf_jupyter.service.report import of_model_server, report
from alcf_jupyter.service.who_failures import identity, not_allowed
from alcf_jupyter.typed import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.service.report import Report

_QUOTE_ID = "Run the cell again; if it goes on, quote the id:  %alcf help contacts"


def failure(
    status: int, body: bytes | bytearray, content_type: str = "", *, sent_bytes: int = 0
) -> AlcfError:
    """Return the error that an answer with `status` and `body` stands for.

    Parameters
    ----------
    status
        HTTP status, not 200.
    body, content_type
        As they came.
    sent_bytes
        Size of the request's body: a 500 to a request over the limit means the limit.

    Returns
    -------
    AlcfError
        To be raised by the caller, who may know more to say.
    """
    told = report(body, content_type)
    if status in (301, 302, 303, 307, 308):
        return NotTheServiceError(
            f"The service's address answered with a redirect ({status}), which is not followed.",
            why="A proxy or a sign-in portal may stand in between.",
            do="Look at the address and the proxy:  %alcf status",
        )
    inner = of_model_server(told.message)
    if inner is not None and status != 401:
        return model_server_failure(*inner)
    if status >= 500 and sent_bytes > MAX_BODY_BYTES:
        return TooLargeError(
            f"The request was {sent_bytes:,} bytes; the service takes {MAX_BODY_BYTES:,}.",
            do="Send a shorter text or fewer items at once.",
        )
    return _of_gateway(status, told)


def _of_gateway(status: int, told: Report) -> AlcfError:
    message = brief(told.message) or f"HTTP {status}"
    read = _BY_STATUS.get(status)
    if read is not None:
        error = read(status, message, told.code)
        if isinstance(error, RateLimitError):
            error.used = _used(told.info or {})
        return error
    if told.code == "batch_failed":
        return RefusedError(
            "The batch failed.",
            why=_last_words(told.message),
            do="Look at the input file and at the batch's log.",
            status=status,
            code=told.code,
        )
    if 400 <= status < 500 or status == 501:  # 501: there is no such thing, now or later
        return RefusedError(
            f"The service refused the request: {message}",
            do=_DO.get(
                told.code, "Change the option or text it names; the same request fails again."
            ),
            status=status,
            code=told.code,
        )
    if status >= 500:
        why = f"Error id for support: {told.error_id}" if told.error_id else message
        return ServerFailureError(
            f"The service failed (HTTP {status}).",
            why=why,
            do=_QUOTE_ID if told.error_id else AGAIN,
            status=status,
            code=told.code,
        )
    return NotTheServiceError(
        f"An answer with HTTP status {status} is not one of the service's.",
        why=message,
        do="Look at the address and the proxy:  %alcf status",
    )


_DO = {
    "batch_ongoing": "Wait until the batch is done:  %alcf batches",
    "quota_exceeded": "Wait until another batch is done:  %alcf batches",
    "batch_unavailable": "Take a model that takes batches:  %alcf models",
    "unsupported_endpoint": "Take a model that can do this:  %alcf models",
}


def _last_words(message: str) -> str:
    """Return the end of a failed batch's log; the gateway sends it as the repr of a tuple."""
    log = message[-20_000:].rsplit("', 400, <ASGIRequest", 1)[0]
    lines = [line.strip() for line in log.replace("\\n", "\n").splitlines() if line.strip()]
    return brief(" | ".join(lines[-3:]))


_OF_A_MODEL = re.compile(r"\bmodel(?![a-z])", re.IGNORECASE)


def _not_found(status: int, message: str, code: str) -> AlcfError:
    if code == "cluster_not_found":
        return UnknownClusterError(message, do="See what there is:  %alcf models")
    # plain OpenAI-compatible servers say it in words of their own
    if code == "endpoint_not_found" or _OF_A_MODEL.search(f"{code} {message}"):
        return UnknownModelError(
            f"The service has no such model: {message}",
            why="It may also be one that your account's groups do not show you.",
            do="See what there is:  %alcf models",
        )
    if code == "batch_not_found":
        return RefusedError(
            f"There is no such batch: {message}",
            why="It may also belong to another of your linked identities.",
            do="See your batches:  %alcf batches",
            status=status,
            code=code,
        )
    return RefusedError(
        f"The service has no such route (HTTP {status}).",
        why=message,
        do="Look at the address:  %alcf status",
        status=status,
        code=code,
    )


def _proxy_password(_status: int, message: str, _code: str) -> AlcfError:
    return NotTheServiceError(
        "A proxy on the way wants a name and a password.",
        why=message,
        do="Look at the address and the proxy:  %alcf status",
    )


def _gave_up(status: int, message: str, code: str) -> AlcfError:
    return ServiceTimeoutError(
        "The service gave up waiting for the model after 300 s.",
        why=f"The model was not ready, or its answer takes longer: {message}",
        do=f"Ask for less with {named('max_tokens')}, or wait for the model:  %alcf wait MODEL",
        status=status,
        code=code,
    )


def _too_large(_status: int, message: str, _code: str) -> AlcfError:
    return TooLargeError(
        "The request is larger than the service takes.",
        why=message,
        do="Send a shorter text or fewer items at once.",
    )


def _used(info: dict[str, Any]) -> tuple[int, int]:
    """Return the tokens that a refusal says the user, and everybody, have used of the model."""
    told = [info.get(f"{who}_model_usage") for who in ("user", "global")]
    mine, everybodys = (one if isinstance(one, int) and one > 0 else 0 for one in told)
    return mine, everybodys


def _rate(_status: int, message: str, code: str) -> AlcfError:
    if "token" in message.casefold():
        return RateLimitError(
            "The limit of tokens a minute is reached.",
            why=message,
            do="Wait up to a minute and run the cell again.",
            code=code,
            scope="tokens",
        )
    return RateLimitError(
        "Too many requests in a second.", why=message, do="Run the cell again.", code=code
    )


def _bad_gateway(status: int, message: str, code: str) -> AlcfError:
    return ServerFailureError(
        f"The service could not reach the model server (HTTP {status}).",
        why=message,
        do=AGAIN,
        status=status,
        code=code,
    )


def _unavailable(status: int, message: str, code: str) -> AlcfError:
    low = message.casefold()
    if code == "cluster_under_maintenance" or "maintenance" in low:
        return MaintenanceError(
            "The cluster is under maintenance.",
            why=message,
            do=f"Take another cluster with {named('cluster')}, or look again later:  %alcf status",
            status=status,
            code=code,
        )
    if any(words in low for words in ("offline", "not ready", "not currently live")):
        return NotLiveError(
            "The model is not running.",
            why=message,
            do=f"Wait for it (leave out {named('wait')}), or take a Live one:  %alcf models",
            status=status,
            code=code,
        )
    return ServerFailureError(
        f"The service is not available just now (HTTP {status}).",
        why=message,
        do=AGAIN,
        status=status,
        code=code,
    )


_BY_STATUS: dict[int, Callable[[int, str, str], AlcfError]] = {
    401: identity,
    403: not_allowed,
    404: _not_found,
    405: _not_found,
    407: _proxy_password,
    408: _gave_up,
    413: _too_large,
    429: _rate,
    502: _bad_gateway,
    503: _unavailable,
    504: _bad_gateway,
}

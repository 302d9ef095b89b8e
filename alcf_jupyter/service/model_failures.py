"""Failures of the model server behind the gateway: as the gateway wraps them, and in a stream."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import NotLiveError, RefusedError, ServerFailureError
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import named

if TYPE_CHECKING:
    from alcf_jupyter.errors import AlcfError

AGAIN = "Run the cell again; if it goes on, look at:  %alcf status"
"""What to do about a failure that another try may get past."""

# vLLM's words for a model asked by a route that it does not have, and for one shown an image
_UNABLE = re.compile(r"does not support (\w[\w ]{0,60}) API")
_BLIND = "is not a multimodal model"


def model_server_failure(status: int, reason: str) -> AlcfError:
    """Return the error that the model server's own status and reason stand for."""
    if status == 429 or status >= 500:
        return ServerFailureError(
            f"The model server failed or is busy (HTTP {status}).",
            why=reason,
            do=AGAIN,
            status=status,
            code="model_server",
        )
    if unable := _UNABLE.search(reason):
        skill = "embed" if "embed" in unable[1].casefold() else "chat"
        return RefusedError(
            "This model cannot do that.",
            why=reason,
            do=f"Take one that can:  %alcf models --can {skill}",
            status=status,
            code="unsupported_endpoint",
        )
    if _BLIND in reason:
        return RefusedError(
            "This model takes no images.",
            why=reason,
            do="Take one that does:  %alcf models --can see",
            status=status,
            code="model_server",
        )
    hint = "Change what it names; the same request fails again."
    if "context" in reason.casefold():
        hint = f"Shorten the prompt, or ask for fewer tokens with {named('max_tokens')}."
    return RefusedError(
        "The model server refused the request.",
        why=reason,
        do=hint,
        status=status,
        code="model_server",
    )


_MASK = "An error occurred during processing"


def is_masked(error: AlcfError | None) -> bool:
    """Tell whether an error of a stream has nothing but the gateway's own words for any failure."""
    return isinstance(error, ServerFailureError) and error.why == _MASK


def in_stream(code: Any, kind: str, message: str) -> AlcfError:
    """Return the error that a failure inside a stream stands for.

    Parameters
    ----------
    code
        What the event gives as its code: an HTTP status, mostly.
    kind
        The event's ``type``, such as ``StreamingTimeoutError``.
    message
        The reason.
    """
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    reason = brief(message)
    if kind == "StreamingTimeoutError":
        return NotLiveError(
            "The model sent nothing for 30 s; it is most likely not running yet.",
            why=reason,
            do=f"Wait for it (leave out {named('wait')}), or take a Live one:  %alcf models",
            status=504,
            code=kind,
        )
    if status in (401, 403):
        return ServerFailureError(
            "The compute node could not send its answer back.",
            why=reason,
            do=AGAIN,
            status=status,
            code=kind,
        )
    return model_server_failure(status, reason)

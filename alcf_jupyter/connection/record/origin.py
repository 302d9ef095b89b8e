"""Where an answer came from: the facts that a paper needs, without a token or a person's name."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from alcf_jupyter._version import __version__
from alcf_jupyter.service.dialect import Usage

if TYPE_CHECKING:
    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.profiles import Profile

_AT_ONCE = 4096
"""Texts that are put together before they are hashed: many calls cost more than the hash."""

ASKED = frozenset({"messages", "prompt", "input"})
"""What a request asks, as against how it is to be answered."""

_NOT_TOLD = {"stream_options", "encoding_format", "user"}
"""What is sent so that the answer can be read, or that names a person."""


def origin(
    call: Call,
    profile: Profile,
    *,
    served: str = "",
    asked_sha256: str,
    answer_sha256: str,
    usage: Usage | None = None,
    finish_reason: str = "stop",
    complete: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return the provenance of an answer, as it is kept in an output's metadata.

    Parameters
    ----------
    call
        What was asked and how it went: the model of the catalog, the states, the seconds.
    profile
        The service.
    served
        The name the server gives the model.
    asked_sha256, answer_sha256
        Hashes of what was asked and of what came; see `sha256`.
    usage
        Tokens in and out.
    finish_reason, complete
        How the answer ended, and whether it is a whole one.
    **more
        Facts of this kind of answer, such as ``dimensions`` or ``requests``.

    Returns
    -------
    dict
        Plain values that JSON holds. A field that is not known is None.
    """
    used = usage or Usage()
    model = call.served.id if call.served else call.model
    return {
        "route": call.route,
        "model": call.model,
        "model_served": served or model,
        "cluster": call.served.cluster if call.served else call.cluster or "",
        "service": profile.name,
        # the stand-in's port is another one in every run
        "url": "" if profile.name == "sandbox" else profile.url,
        "parameters": {k: v for k, v in call.body.items() if k not in ASKED | _NOT_TOLD},
        "prompt_sha256": asked_sha256,
        "answer_sha256": answer_sha256,
        "finish_reason": finish_reason,
        "complete": complete,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "waited_seconds": round(call.wait.seconds, 3),
        "first_token_seconds": _rounded(call.first_seconds),
        "total_seconds": _rounded(call.total_seconds),
        "states": [str(state) for state in call.wait.states],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        **({"replayed": True} if call.replayed else {}),
        **more,
    }


def sha256(*parts: str | bytes | memoryview) -> str:
    """Return the hash of texts and bytes, one after the other.

    Parameters
    ----------
    *parts
        Texts count as UTF-8. The hash of a single one is what ``sha256sum`` says of its file;
        where there are several, each ends with a zero byte, so that what belongs where counts too.
    """
    if len(parts) == 1:
        return hashlib.sha256(_bytes(parts[0])).hexdigest()
    made = hashlib.sha256()
    for at in range(0, len(parts), _AT_ONCE):
        made.update(b"\0".join([*map(_bytes, parts[at : at + _AT_ONCE]), b""]))
    return made.hexdigest()


def _bytes(part: str | bytes | memoryview) -> bytes | memoryview:
    return part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part


def versions() -> dict[str, str]:
    """Return what bears on a request: this package, its HTTP library, and Python."""
    return {
        "alcf_jupyter": __version__,
        "h11": metadata.version("h11"),
        "python": platform.python_version(),
    }


def _rounded(span: float | None) -> float | None:
    return None if span is None else round(span, 3)

"""Reading the gateway's refusals: a status and a body, in any of their shapes, to one error.

Shapes and texts are those of the gateway's source and of recorded answers (2026-05-29): its own
``{"error": {...}}``, the framework's ``{"detail": ...}``, the model servers' errors wrapped in a
traceback (Sophia) or in ``Upstream endpoint returned`` (Metis), and HTML from the proxy in front.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import (
    AlcfError,
    IdentityCheckError,
    LoginRequiredError,
    MaintenanceError,
    NotLiveError,
    NotTheServiceError,
    RateLimitError,
    RefusedError,
    RestrictedError,
    ServerFailureError,
    ServiceTimeoutError,
    TokenRefusedError,
    TooLargeError,
    UnknownClusterError,
    UnknownModelError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service.limits import MAX_BODY_BYTES
from alcf_jupyter.typed import named

if TYPE_CHECKING:
    from collections.abc import Callable

_AGAIN = "Run the cell again; if it goes on, look at:  %alcf status"
_AGAIN_OR_ASK = "Run the cell again; if it goes on, quote the id:  %alcf help contacts"
_LOGIN = "Sign in again:  %alcf login --force"


@dataclass(frozen=True, slots=True)
class Report:
    """What a failure's body says, whatever its shape."""

    message: str = ""
    code: str = ""
    info: dict[str, Any] | None = None
    error_id: str = ""
    html: bool = False


def report(body: bytes, content_type: str = "") -> Report:
    """Read the body of a failure; anything at all may stand in it."""
    text = body[:1_000_000].decode("utf-8", "replace").strip()
    content_type = content_type.casefold()
    if text[:1] in "{[\"'" and "html" not in content_type:
        try:
            return _from_json(json.loads(text))
        except (ValueError, RecursionError):
            pass
    if "html" in content_type or text[:200].lstrip().lower().startswith(("<!doctype", "<html")):
        title = re.search(r"<title[^>]{0,200}>([^<]{0,300})", text, re.IGNORECASE)
        return Report(brief(title[1]) if title else brief(_untagged(text), 120), html=True)
    return Report(brief(text))


def _untagged(text: str) -> str:
    return re.sub(r"<[^<>]{0,2000}>", " ", text[:4000])


def _from_json(value: Any) -> Report:
    if not isinstance(value, dict):
        return Report(brief(value))
    error = value.get("error")
    if isinstance(error, dict):
        info = error.get("info")
        return Report(
            str(error.get("message") or ""),
            str(error.get("code") or error.get("type") or ""),
            info if isinstance(info, dict) else None,
            brief(error.get("error_id") or "", 64),
        )
    if isinstance(error, str):
        return Report(error, str(value.get("code") or ""))
    if "detail" in value:
        return Report(_detail(value["detail"]), "detail")
    if isinstance(value.get("message"), str):
        return Report(value["message"], str(value.get("type") or value.get("code") or ""))
    return Report(brief(json.dumps(value)))


def _detail(detail: Any) -> str:
    if not isinstance(detail, list):
        return str(detail)
    found = []
    for item in detail[:4]:
        if isinstance(item, dict):
            place = item.get("loc")
            steps = [str(s) for s in place] if isinstance(place, list) else []
            name = ".".join(s for s in steps if s not in ("body", "payload", "batch_data", "query"))
            found.append(f"{name}: {item.get('msg', '')}" if name else str(item.get("msg", "")))
        else:
            found.append(str(item))
    return "; ".join(found)


def failure(status: int, body: bytes, content_type: str = "", *, sent_bytes: int = 0) -> AlcfError:
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
    inner = _inner(told.message)
    if inner is not None and status != 401:
        return _of_model_server(*inner)
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
    if 400 <= status < 500:
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
            do=_AGAIN_OR_ASK if told.error_id else _AGAIN,
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


def _identity(_status: int, message: str, _code: str) -> AlcfError:
    """Tell the gateway's 401s apart by their words; it uses 401 for permissions, too."""
    low = message.casefold()
    # first: this one names the person, whose name or address may hold any of the words below
    if "must authenticate with" in low:
        return LoginRequiredError(
            "You are signed in through an identity provider that the service does not take.",
            why=message,
            do="Log out at https://app.globus.org/logout, then sign in with your ALCF or Argonne "
            "account:  %alcf login --force",
        )
    # an outage at Globus may name groups or a token, too, and is neither's fault
    asks_globus = "introspect" in low and "not active" not in low and "expired" not in low
    if asks_globus or "could not recover" in low:
        return IdentityCheckError(
            "The service could not check your token just now.",
            why=message,
            do="Wait a minute and run the cell again.",
        )
    if "group" in low or "service account" in low:
        return RestrictedError(
            "Your account may not use this model or cluster.",
            why=message,
            do="Take another model (%alcf models), or ask for access:  %alcf help contacts",
        )
    if "polic" in low or "high-assurance" in low:
        return LoginRequiredError(
            "The service wants a new sign-in: the last one is too old for its policy.",
            why=message,
            do=_LOGIN,
        )
    if "expired" in low:
        return TokenRefusedError("The access token has expired.", why=message, do=_LOGIN)
    return TokenRefusedError("The service does not accept the token.", why=message, do=_LOGIN)


def _not_allowed(_status: int, message: str, _code: str) -> AlcfError:
    return RestrictedError(
        f"The service does not allow this: {message}",
        why="It may belong to another of your linked identities.",
        do="See who you are signed in as:  %alcf whoami",
    )


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
        do=f"Ask for less with {named('max_tokens')}, or wait for the model:  %alcf status",
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
        do=_AGAIN,
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
        do=_AGAIN,
        status=status,
        code=code,
    )


_BY_STATUS: dict[int, Callable[[int, str, str], AlcfError]] = {
    401: _identity,
    403: _not_allowed,
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


# bounded spaces: a body of line breaks alone would take such a pattern minutes
_MASK = "An error occurred during processing"
_SOPHIA = re.compile(r"status code: (\d{3})\s{0,20}?\n\s{0,20}?Response text: ")
_METIS = re.compile(r"Upstream endpoint returned (\d{3}): b['\"](.{0,2000})", re.DOTALL)
_MESSAGE = re.compile(r'"message":\s{0,20}"((?:[^"\\]|\\.)*)')
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)", re.DOTALL)


def _inner(message: str) -> tuple[int, str] | None:
    """Return the model server's own status and reason where the gateway wraps them."""
    message = message[:100_000]
    if found := _SOPHIA.search(message):
        return int(found[1]), _inner_reason(message[found.end() :].split("Response headers:")[0])
    if found := _METIS.search(message):
        return int(found[1]), _inner_reason(_text_of(found[2].rstrip(". \n")[:-1]))
    return None


def _text_of(shown: str) -> str:
    """Undo the repr of a bytes value, which holds the first 256 bytes of what was sent."""

    def plain(escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) == 3:
            return chr(int(code[1:], 16))
        return {"n": "\n", "r": "\r", "t": "\t"}.get(code, code)

    # each character stands for one byte now
    return _ESCAPE.sub(plain, shown).encode("latin-1", "replace").decode("utf-8", "replace")


def _inner_reason(text: str) -> str:
    told = report(text.encode("utf-8", "replace"))
    if told.message and told.message != brief(text):
        return brief(told.message)
    found = _MESSAGE.search(text)
    return brief(found[1] if found else text)


def _of_model_server(status: int, reason: str) -> AlcfError:
    if status == 429 or status >= 500:
        return ServerFailureError(
            f"The model server failed or is busy (HTTP {status}).",
            why=reason,
            do=_AGAIN,
            status=status,
            code="model_server",
        )
    hint = "Change what it names; the same request fails again."
    if "context" in reason.casefold():
        hint = "Shorten the prompt, or ask for fewer tokens with -n."
    return RefusedError(
        "The model server refused the request.",
        why=reason,
        do=hint,
        status=status,
        code="model_server",
    )


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
            do=_AGAIN,
            status=status,
            code=kind,
        )
    return _of_model_server(status, reason)

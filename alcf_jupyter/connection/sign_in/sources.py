"""Where the token for ALCF's service comes from, in order; the first that has one counts.

1. ``ALCF_AI_TOKEN``, a ready token, as it is
2. a service account, ``GLOBUS_SERVICE_ACCOUNT_CLIENT_ID`` and ``_SECRET``
3. the sign-in of this package, which is also that of alcf-tokens
4. the sign-in of the older inference_auth_token.py

Everything here blocks and is run in a worker's thread.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alcf_jupyter.connection.sign_in import globus
from alcf_jupyter.connection.sign_in.grant import SIGNED_IN_AT, Grant
from alcf_jupyter.connection.sign_in.secret import Secret
from alcf_jupyter.connection.sign_in.store import TokenFile
from alcf_jupyter.errors import (
    IdentityCheckError,
    NotSignedInError,
    TokenStoreError,
    UnreachableError,
    UsageError,
)

if TYPE_CHECKING:
    from typing import Any

ENV_TOKEN = "ALCF_AI_TOKEN"  # noqa: S105 - the name of a variable
ENV_ACCOUNT = "GLOBUS_SERVICE_ACCOUNT_CLIENT_ID"
ENV_SECRET = "GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET"  # noqa: S105 - the name of a variable
EARLY_SECONDS = 300.0
"""A token that holds for less than this is refreshed before it is used."""

WAYS = (
    "Sign in:  %alcf login   (in a terminal:  alcf-jupyter login)   No account:  %alcf connect "
    f"sandbox\nUnattended: set {ENV_TOKEN}, or {ENV_ACCOUNT} and _SECRET."
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token and what is known of it.

    Attributes
    ----------
    secret
        The token.
    source
        Where it came from, in words.
    kind
        ``"environment"``, ``"account"`` or ``"store"``.
    expires_at, since
        When it ends and when the sign-in was, in epoch seconds; None where it is not known.
    notes
        What was found or repaired on the way, each a sentence for the user.
    """

    secret: Secret
    source: str
    kind: str
    expires_at: float | None = None
    since: float | None = None
    notes: tuple[str, ...] = ()


def settings() -> tuple[str | None, ...]:
    """Return the variables that decide where a token comes from; cheap enough for each request."""
    return tuple(map(os.environ.get, (ENV_TOKEN, ENV_ACCOUNT, ENV_SECRET, globus.ENV_AUTH_URL)))


def obtain(refused: Secret | None = None, proxy: str | None = None) -> Token:
    """Return a token that should count now, refreshed where that is due.

    Parameters
    ----------
    refused
        A token that the service does not take; another one is wanted.
    proxy
        What ``connect(proxy=…)`` was told, if anything.

    Raises
    ------
    NotSignedInError
        There is none; the message says what was found instead.
    UsageError
        The environment is half set.
    UnreachableError, IdentityCheckError
        A token must be refreshed, and Globus did not answer, or not as it should.
    """
    if ready := os.environ.get(ENV_TOKEN, "").strip():
        return Token(Secret(ready, ENV_TOKEN), ENV_TOKEN, "environment")
    account = os.environ.get(ENV_ACCOUNT, "").strip()
    secret = os.environ.get(ENV_SECRET, "").strip()
    if account and secret:
        return _service_account(account, Secret(secret, ENV_SECRET), proxy)
    if account or secret:
        there, missing = (ENV_ACCOUNT, ENV_SECRET) if account else (ENV_SECRET, ENV_ACCOUNT)
        raise UsageError(
            f"{there} is set, but {missing} is not: a service account needs both.",
            do=f"Set both, or none:  %env {there}=",
        )
    reasons: list[str] = []
    for application in (globus.current(), globus.OLDER):
        token = _from_store(application, refused, proxy, reasons)
        if token is not None:
            return replace(token, notes=tuple(reasons))
    raise NotSignedInError(
        "You are not signed in to the ALCF Inference Endpoints.",
        why=" ".join(reasons),
        do=WAYS,
    )


def _service_account(account: str, secret: Secret, proxy: str | None) -> Token:
    refused = NotSignedInError(
        "Globus does not take the service account.",
        do=f"Look at {ENV_ACCOUNT} and {ENV_SECRET}.",
    )
    refused.remedy = ""
    with (
        globus.explained(refused),
        contextlib.closing(globus.service_client(account, secret, proxy)) as client,
    ):
        response = client.oauth2_client_credentials_tokens(globus.SCOPE)
        told = response.by_resource_server[globus.RESOURCE_SERVER]
    return Token(
        Secret(told["access_token"], "the service account"),
        f"service account {account[:8]}…",
        "account",
        float(told["expires_at_seconds"]),
    )


def _from_store(
    application: globus.Application, refused: Secret | None, proxy: str | None, reasons: list[str]
) -> Token | None:
    """Return the store's token, or None after adding to `reasons` why it has none."""
    file = TokenFile(application.path)
    try:
        grant = file.read().get(globus.RESOURCE_SERVER)
        if grant is not None and globus.SCOPE not in grant.scopes:
            reasons.append(f"The token in the {application.source} is not for this service.")
            return None
        if grant is None or _usable(grant, refused):
            return _token(grant, application)
        with file.locked():
            # another kernel may have refreshed it, or signed in, in the meantime
            grant = file.read().get(globus.RESOURCE_SERVER)
            if grant is None or _usable(grant, refused):
                return _token(grant, application)
            if grant.refresh is None:
                reasons.append(f"The token in the {application.source} has ended.")
                return None
            return _token(_refreshed(grant, application, file, refused, proxy), application)
    except _EndedError as ended:
        reasons.append(f"{ended}")
        return None
    finally:
        reasons += [note for note in file.notes if note not in reasons]


class _EndedError(Exception):
    """Globus does not refresh this sign-in any more."""


def _refreshed(
    grant: Grant,
    application: globus.Application,
    file: TokenFile,
    refused: Secret | None,
    proxy: str | None,
) -> Grant:
    try:
        entries = _refresh(grant, application, proxy)
    except NotSignedInError as error:
        raise _EndedError(f"{error.what} {error.why}".strip()) from None
    except (UnreachableError, IdentityCheckError):
        if grant.access != refused and grant.expires_at > time.time() + 5:
            return grant  # early is early: it still holds
        raise
    try:
        file.save(entries)
    except TokenStoreError as error:
        file.notes.append(f"{error.what} The new token is used, but not kept.")
    return Grant(entries[globus.RESOURCE_SERVER])


def _refresh(
    grant: Grant, application: globus.Application, proxy: str | None
) -> dict[str, dict[str, Any]]:
    """Return the entries of a refreshed token, to be stored."""
    ended = NotSignedInError(
        f"The sign-in in the {application.source} has ended: Globus does not refresh it any more."
    )
    if grant.refresh is None:
        raise ended
    with (
        globus.explained(ended),
        contextlib.closing(globus.native_client(application.client_id, proxy)) as client,
    ):
        response = client.oauth2_refresh_token(grant.refresh.reveal())
        entries = globus.entry_of(response, grant.identity)
        entry = entries[globus.RESOURCE_SERVER]
        entry["refresh_token"] = entry["refresh_token"] or grant.refresh.reveal()
        if grant.signed_in_at is not None:
            entry[SIGNED_IN_AT] = int(grant.signed_in_at)
    return entries


def _usable(grant: Grant, refused: Secret | None) -> bool:
    return grant.access != refused and grant.expires_at - time.time() > EARLY_SECONDS


def _token(grant: Grant | None, application: globus.Application) -> Token | None:
    if grant is None:
        return None
    return Token(grant.access, application.source, "store", grant.expires_at, grant.signed_in_at)

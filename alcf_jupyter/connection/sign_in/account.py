"""Who you are to the service, and signing out."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection import session, worker
from alcf_jupyter.connection.deadline import words
from alcf_jupyter.connection.sign_in import globus, sources
from alcf_jupyter.connection.sign_in.store import TokenFile
from alcf_jupyter.errors import TokenStoreError, UsageError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.sign_in.secret import Secret

ASK_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """Who the service takes you for, and by what.

    Attributes
    ----------
    name, username, id, provider
        As the service tells them. The id is that of the identity you signed in with, which owns
        your batches; a linked identity has another.
    source
        Where the token comes from, in words.
    since, expires
        When the sign-in was and when the token ends, in epoch seconds; None where that is not
        known. A token of a sign-in is refreshed by itself.
    notes
        What was found or repaired in the stores of tokens.
    """

    name: str
    username: str
    id: str
    provider: str
    source: str
    since: float | None = None
    expires: float | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        through = f" through {self.provider}" if self.provider else ""
        return f"Signed in as {self.name} ({self.username}){through}"

    def __str__(self) -> str:
        now = time.time()
        parts = [repr(self), self.source]
        if self.since:
            parts.append(f"since {time.strftime('%Y-%m-%d %H:%M', time.localtime(self.since))}")
        if self.expires:
            parts.append(f"the token holds {words(max(0.0, self.expires - now))}")
        return "\n".join([" · ".join(parts), *(f"Note: {note}" for note in self.notes)])


def of(client: Client) -> Account:
    """Return who the service of `client` takes you for; raises what a request raises."""
    told: dict[str, Any] = client.whoami(timeout=ASK_SECONDS)
    token = client.credential.token
    return Account(
        name=brief(told.get("name") or "?", 80),
        username=brief(told.get("username") or "?", 80),
        id=brief(told.get("id") or "", 60),
        provider=brief(told.get("idp_name") or "", 80),
        source=client.credential.source,
        since=token.since if token else None,
        expires=token.expires_at if token else None,
        notes=token.notes if token else (),
    )


def whoami() -> Account:
    """Return who the service you are connected to takes you for.

    Returns
    -------
    Account
        Its ``name``, ``username``, ``id``, ``provider``, and where the token comes from.

    Raises
    ------
    NotSignedInError
        There is no token.
    LoginRequiredError, TokenRefusedError, RestrictedError
        The service does not take it, each in its own words.
    UsageError
        The service has no accounts.
    """
    client = session.client()
    if not client.profile.is_gateway:
        raise UsageError(
            f"{client.profile} has no accounts to ask about.", do="Connect:  %alcf connect alcf"
        )
    return of(client)


def logout(everything: bool = False) -> str:  # noqa: FBT001, FBT002 - the public signature
    """Sign out: revoke the tokens for ALCF's service, and delete them here in any case.

    Parameters
    ----------
    everything
        Also the tokens for other services that ALCF's tools keep in the same store.

    Returns
    -------
    str
        What was done, in words. The gateway itself may go on taking a revoked token for about
        ten minutes.

    Raises
    ------
    TokenStoreError
        A store cannot be written; the tokens in it are revoked nevertheless.
    """
    client = session.current().client
    proxy = client.profile.proxy if client else None
    try:
        done = worker.wait(lambda: _logout(everything=everything, proxy=proxy))
    finally:
        if client:
            client.credential.forget()
    if os.environ.get(sources.ENV_TOKEN, "").strip():
        done.append(f"{sources.ENV_TOKEN} is still set, and used.")
    elif os.environ.get(sources.ENV_SECRET, "").strip():
        done.append("The service account's variables are still set, and used.")
    return " ".join(done)


def _logout(*, everything: bool, proxy: str | None) -> list[str]:
    gone, heard, failed = 0, True, None
    for application in (globus.current(), globus.OLDER):
        file = TokenFile(application.path)
        if not file.path.exists():
            continue
        with file.locked():
            held = file.read()
            # the token that only says who you are goes with the last service's
            alone = set(held) <= {globus.RESOURCE_SERVER, globus.AUTH}
            names = set(held) if everything or alone else {globus.RESOURCE_SERVER} & set(held)
            try:
                file.remove(names)
            except TokenStoreError as error:
                failed = error
        tokens = [t for n in names for t in (held[n].refresh, held[n].access) if t is not None]
        gone += len(tokens)
        heard = (not tokens or _revoke(application, tokens, proxy)) and heard
    if failed is not None:
        raise failed
    if not gone:
        return ["You were not signed in here."]
    if heard:
        return ["Signed out; the tokens are deleted here and revoked at Globus."]
    return [
        "Signed out; the tokens are deleted here.",
        "Globus could not be told; to be sure, end them at https://app.globus.org/settings/consents",
    ]


def _revoke(application: globus.Application, tokens: list[Secret], proxy: str | None) -> bool:
    """Tell Globus that tokens count no more; return whether it heard."""
    try:
        with contextlib.closing(globus.native_client(application.client_id, proxy)) as client:
            return globus.revoke(client, tokens)
    except UsageError:  # the settings lead to nobody; what is here is deleted all the same
        return False

"""Failures that have to do with who you are: the gateway's 401s and 403s."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.errors import (
    IdentityCheckError,
    LoginRequiredError,
    RestrictedError,
    TokenRefusedError,
)

if TYPE_CHECKING:
    from alcf_jupyter.errors import AlcfError

_LOGIN = "Sign in again:  %alcf login --force"


def identity(_status: int, message: str, _code: str) -> AlcfError:
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
            why=message.partition(" Please logout")[0],  # what follows is for another program
            do=_LOGIN,
        )
    if "expired" in low:
        return TokenRefusedError("The access token has expired.", why=message, do=_LOGIN)
    return TokenRefusedError("The service does not accept the token.", why=message, do=_LOGIN)


def not_allowed(_status: int, message: str, _code: str) -> AlcfError:
    """Return the error of a 403."""
    return RestrictedError(
        f"The service does not allow this: {message}",
        why="It may belong to another of your linked identities.",
        do="See who you are signed in as:  %alcf whoami",
    )

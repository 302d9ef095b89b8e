"""Faults of identity: the gateway's 401s, whatever the token."""

from __future__ import annotations

from alcf_jupyter.sandbox.answers import DetailError, GatewayError
from alcf_jupyter.sandbox.people import MISSING, NO_GROUP, REFUSALS

from .fault import ANY, Fault, Occasion, add, fault


def _unauthorized(name: str, summary: str, message: str) -> None:
    async def refuse(_occasion: Occasion) -> None:
        raise GatewayError("unauthorized", message)

    add(Fault(name, summary, ANY, before=refuse))


_NO_ANSWER = (
    "Could not introspect token with Globus /v2/oauth2/token/introspect. Connection timed out"
)

for _name, _summary, _message in (
    ("token-invalid", "The token is unknown or revoked.", REFUSALS["invalid"]),
    (
        "token-invalid-again",
        "The same within 60 s of the first refusal: other words.",
        f"Token introspection: {REFUSALS['invalid']}",
    ),
    ("token-expired", "The token has expired.", REFUSALS["expired"]),
    ("not-bearer", "The header is not a Bearer token.", REFUSALS["not-bearer"]),
    ("policy", "The session is too old for the policy: a new login is due.", REFUSALS["policy"]),
    ("wrong-identity-provider", "Signed in somewhere else.", REFUSALS["domain"]),
    ("group-restricted", "The user's groups do not open this model.", NO_GROUP),
    ("wrong-groups", "The user is in none of the groups of the provider.", REFUSALS["group"]),
    (
        "introspection-outage",
        "The gateway cannot ask Globus about the token.",
        _NO_ANSWER,
    ),
    (
        "introspection-outage-again",
        "The same within 60 s: other words.",
        f"Token introspection: {_NO_ANSWER}",
    ),
    (
        "groups-outage",
        "The gateway cannot ask Globus about the user's groups.",
        "Error: Could not recover user group memberships. Connection timed out",
    ),
):
    _unauthorized(_name, _summary, _message)


@fault("before")
async def token_missing(_occasion: Occasion) -> None:
    """As if the request had no Authorization header."""
    raise DetailError(401, MISSING)

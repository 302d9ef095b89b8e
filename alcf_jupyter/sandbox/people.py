"""Who may call: tokens by role, and the gateway's many ways to say 401."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .answers import DetailError, GatewayError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .clock import Clock

PREMIUM_GROUP = "7e1f2a4c-0d55-4d1c-9c55-6f2b7a7d0c11"
ARGONNE = ("41143743-f3c8-4d60-bbdb-eeecaba85bd9", "Argonne LCF")

_FORCE = "'python3 inference_auth_token.py authenticate --force'"
MISSING = "Error: Missing ('Authorization': 'Bearer <your-access-token>') in request headers."
REFUSALS = {
    "invalid": "Token is either not active or invalid",
    "expired": "Access token expired.",
    "policy": (
        "Error: Permission denied from internal policies. This is likely due to a high-assurance "
        "timeout. Please logout by visiting https://app.globus.org/logout, and re-authenticate "
        f"with the following command: {_FORCE}. Make sure you authenticate with an authorized "
        "identity provider: alcf.anl.gov, anl.gov."
    ),
    "domain": (
        "Error: Permission denied. Must authenticate with alcf.anl.gov, anl.gov. Currently "
        "authenticated as Eve Example (eve@gmail.com). If you are passing an access token directly "
        "to this API, please logout from Globus by visiting https://app.globus.org/logout and "
        f"re-authenticate with the following command: {_FORCE}."
    ),
    "group": (
        "Error: Permission denied. User (Gil Example - gil@anl.gov) not part of the Globus Groups "
        "applied for Argonne LCF."
    ),
    "not-bearer": (
        "Something went wrong while reading headers. Authorization type should be Bearer."
    ),
    "malformed": "Auth only allows header type Authorization: Bearer <token>.",
}
NO_GROUP = "Permission denied due to Globus Group restrictions."
# A refusal that the gateway remembers for 60 s and then words differently.
_REMEMBERED = frozenset({"invalid"})
_MEMORY_SECONDS = 60.0


@dataclass(frozen=True)
class Person:
    """Somebody with an account, or the reason why a token is refused."""

    role: str
    id: str = ""
    name: str = ""
    username: str = ""
    groups: tuple[str, ...] = ()
    refusal: str = ""

    def whoami(self) -> dict[str, Any]:
        """Return the answer of GET /whoami."""
        return {
            "id": self.id,
            "name": self.name,
            "username": self.username,
            "user_group_uuids": list(self.groups),
            "idp_id": ARGONNE[0],
            "idp_name": ARGONNE[1],
            "auth_service": "globus",
        }


OWNER = Person(
    "owner", "5a4dbb0e-7a0e-4f43-8a26-3a3f0a5f6f01", "Sandbox User", "sandbox@sandbox.invalid"
)
ROLES = {
    person.role: person
    for person in (
        OWNER,
        Person("good", "6b2b1487-4509-51c5-b4d0-33ebe3379c47", "Alice Example", "alice@anl.gov"),
        Person("bob", "0c6e2a1f-8f1b-5b35-9d0f-2f6f4f9b7f22", "Bob Example", "bob@anl.gov"),
        Person(
            "premium",
            "d2f1a9be-32f4-53a8-8f34-0f6c5d1f8a33",
            "Petra Example",
            "petra@anl.gov",
            (PREMIUM_GROUP,),
        ),
        Person("unknown", refusal="invalid"),
        Person("expired", refusal="expired"),
        Person("policy", refusal="policy"),
        Person("baddomain", refusal="domain"),
        Person("nogroup", refusal="group"),
    )
}


class People:
    """The tokens of this run, each with the person it stands for.

    Parameters
    ----------
    secret : str
        The token of this run's owner.
    tokens : mapping of str to str
        Further tokens, each with a role: good, bob, premium, unknown, expired, policy, baddomain
        or nogroup.
    """

    def __init__(self, clock: Clock, secret: str, tokens: Mapping[str, str]) -> None:
        self._clock = clock
        self._by_token: dict[str, Person] = {}
        self._refused_until: dict[str, float] = {}
        self.assign(tokens)
        self._by_token[secret] = OWNER

    def assign(self, tokens: Mapping[str, str]) -> None:
        """Let tokens stand for roles from now on; one that was somebody's may be refused so.

        Raises
        ------
        ValueError
            For a role that there is not.
        """
        for role in tokens.values():
            if role not in ROLES:
                raise ValueError(f"no such role: {role!r}; there are {', '.join(ROLES)}")
        self._by_token.update({token: ROLES[role] for token, role in tokens.items()})
        self._refused_until.clear()

    def role(self, authorization: str | None) -> str:
        """Return the role behind an Authorization header, never the token itself."""
        if not authorization:
            return "nobody"
        person = self._by_token.get(authorization.rpartition(" ")[2])
        return person.role if person else "stranger"

    def known(self, authorization: str | None) -> Person | None:
        """Return the person behind a header, or None; for the routes that are not the gateway's."""
        person = self._by_token.get((authorization or "").rpartition(" ")[2])
        return person if person is not None and not person.refusal else None

    def authenticate(self, authorization: str | None) -> Person:
        """Return the person behind an Authorization header.

        Raises
        ------
        DetailError, GatewayError
            401 in the gateway's words.
        """
        if not authorization:
            raise DetailError(401, MISSING)
        kind, _, token = authorization.partition(" ")
        if not token or " " in token.strip():
            raise GatewayError("unauthorized", REFUSALS["malformed"])
        if kind != "Bearer":
            raise GatewayError("unauthorized", REFUSALS["not-bearer"])
        person = self._by_token.get(token.strip(), ROLES["unknown"])
        if person.refusal:
            raise GatewayError("unauthorized", self._words(token, person.refusal))
        return person

    def _words(self, token: str, refusal: str) -> str:
        if refusal not in _REMEMBERED:
            return REFUSALS[refusal]
        now = self._clock.now()
        if self._refused_until.get(token, 0.0) > now:
            return f"Token introspection: {REFUSALS[refusal]}"
        self._refused_until[token] = now + _MEMORY_SECONDS
        return REFUSALS[refusal]

"""Signing in with Globus, in two halves: a link to open, and the code that comes back."""

from __future__ import annotations

import platform
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection import worker
from alcf_jupyter.connection.sign_in import globus, signed_in
from alcf_jupyter.connection.sign_in.grant import SIGNED_IN_AT
from alcf_jupyter.connection.sign_in.secret import Secret
from alcf_jupyter.connection.sign_in.store import TokenFile
from alcf_jupyter.errors import (
    CodeRefusedError,
    IdentityChangedError,
    IdentityCheckError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from globus_sdk import NativeAppAuthClient, OAuthTokenResponse

_LEEWAY_SECONDS = 300.0
# what a code is copied with: spaces, line breaks, quotes, zero-width characters
_AROUND = str.maketrans("", "", " \t\r\n\f\v'\"`\u200b\u200c\u200d\u2060\ufeff\u00a0")


class LoginFlow:
    """One sign-in, from the link to the stored tokens.

    The link and its code belong together (PKCE): the secret that binds them is made with the link
    and stays in this object, so that a code is worth nothing elsewhere. A wrong code does not end
    the flow; the same link goes on working.

    Parameters
    ----------
    force
        Let Globus ask for the password again, although the browser may be signed in. It is what
        a policy that wants a fresh login needs.
    proxy
        What ``connect(proxy=…)`` was told, if anything.
    """

    def __init__(self, *, force: bool = False, proxy: str | None = None) -> None:
        self.force = force
        self.done = False
        self.notes: list[str] = []
        self._application = globus.current()
        self._proxy = proxy
        self._lock = threading.Lock()
        client = self._client = globus.native_client(self._application.client_id, proxy)
        client.oauth2_start_flow(
            [globus.SCOPE, "openid"],
            redirect_uri=f"{client.base_url}v2/web/auth-code",
            refresh_tokens=True,
            prefill_named_grant=f"alcf_jupyter on {platform.node()}",
        )
        wanted: dict[str, Any] = {"session_required_policies": [globus.POLICY]}
        if force:
            wanted["prompt"] = "login"
        self.url = client.oauth2_get_authorize_url(**wanted)
        # the connection is opened by the exchange, minutes later; until then nothing is held open
        client.close()

    def __repr__(self) -> str:
        return f"<sign-in at {globus.AUTH}>"

    def finish(self, code: str) -> None:
        """Exchange the code for tokens and store them.

        Parameters
        ----------
        code
            As pasted: what surrounds it is taken off.

        Raises
        ------
        CodeRefusedError
            It is empty, wrong, used or too old; another one of the same link may do.
        IdentityChangedError
            The store holds another identity's tokens; nothing was changed.
        TokenStoreError
            The tokens cannot be stored.
        UnreachableError, IdentityCheckError
            Globus did not answer, or not as it should.
        """
        plain = code.translate(_AROUND)
        if not plain:
            raise CodeRefusedError(
                "No code was given.", do="Open the link, sign in, and paste the code it shows."
            )
        secret = Secret(plain[:4096] if plain.isascii() else "?", "the field")
        worker.wait(lambda: self._exchange(secret))

    def _exchange(self, code: Secret) -> None:
        with self._lock:
            if self.done:
                raise UsageError("This sign-in is done.", do="See who you are:  %alcf whoami")
            client = self._client
            globus.lead(client, self._proxy)  # it may be set since the link was shown
            try:
                self._store(client, self._response(client, code))
                self.done = True
                signed_in.tell()
            finally:
                client.close()

    def _response(self, client: NativeAppAuthClient, code: Secret) -> OAuthTokenResponse:
        refused = CodeRefusedError(
            "Globus does not take this code.",
            why="A code works once, for some minutes, and only with the link it came from.",
            do="Open the link again, and paste the new code.",
        )
        with globus.explained(refused):
            return client.oauth2_exchange_code_for_tokens(code.reveal())

    def _store(self, client: NativeAppAuthClient, response: OAuthTokenResponse) -> None:
        grants = response.by_resource_server
        file = TokenFile(self._application.path)
        try:
            with globus.explained():
                identity = self._identity(client, response)
                _check_scope(grants)
                entries = globus.entry_of(response, identity)
            entries[globus.RESOURCE_SERVER][SIGNED_IN_AT] = int(time.time())
            with file.locked():
                _check_identity(file, identity)
                file.save(entries)
        except BaseException:
            # whatever it is, tokens that are stored nowhere must not stay alive at Globus
            globus.revoke(client, _tokens(grants))
            raise
        finally:
            self.notes += file.notes

    def _identity(self, client: NativeAppAuthClient, response: OAuthTokenResponse) -> str:
        """Return who signed in, from the signed id_token.

        A wrong clock fails the check of its times. The token came from Globus a moment ago over
        TLS, so its own clock is what counts.
        """
        import globus_sdk
        import jwt

        decoder = globus_sdk.IDTokenDecoder(client, jwt_leeway=_LEEWAY_SECONDS)
        token = response.get("id_token")
        if not token:
            raise IdentityCheckError(
                "Globus did not say who signed in.", do="Try again:  %alcf login --force"
            )
        try:
            told = decoder.decode(token)
        except (jwt.ImmatureSignatureError, jwt.ExpiredSignatureError):
            skew = _skew(response.headers)
            if abs(skew) < _LEEWAY_SECONDS:
                raise _unproven() from None
            decoder.jwt_leeway = abs(skew) + _LEEWAY_SECONDS
            told = decoder.decode(token)
            self.notes.append(_clock_note(skew))
        except jwt.PyJWTError:
            raise _unproven() from None
        return str(told["sub"])


def _unproven() -> IdentityCheckError:
    return IdentityCheckError(
        "The proof of who signed in does not hold; nothing was stored.",
        why="A proxy may stand in between, or this machine's clock is wrong.",
        do="Try again:  %alcf login --force",
    )


def _check_scope(grants: Mapping[str, Mapping[str, Any]]) -> None:
    scopes = str(grants.get(globus.RESOURCE_SERVER, {}).get("scope")).split()
    if globus.SCOPE not in scopes:
        raise IdentityCheckError(
            "Globus gave no token for the ALCF Inference Endpoints.",
            why="The consent for it may have been left out.",
            do="Sign in again and accept all of it:  %alcf login --force",
        )


def _check_identity(file: TokenFile, identity: str) -> None:
    """Refuse to mix two people's tokens in one store: every tool that reads it would fail."""
    held = {grant.identity for grant in file.read().values()} - {"", identity}
    if held:
        raise IdentityChangedError(
            f"You signed in as another Globus identity ({identity[:8]}…) than before "
            f"({min(held)[:8]}…); the sign-in from before was kept.",
            why="Batches and models may belong to one of your linked identities only.",
            do="To change over:  %alcf logout --all  and then  %alcf login --force",
        )


def _tokens(grants: Mapping[str, Mapping[str, Any]]) -> list[Secret]:
    texts = [told.get(k) for told in grants.values() for k in ("refresh_token", "access_token")]
    return [Secret(text, "Globus") for text in texts if text]


def _skew(headers: Mapping[str, str]) -> float:
    """Return how many seconds the server's clock is ahead of ours."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0


def _clock_note(skew: float) -> str:
    where = "behind" if skew > 0 else "ahead"
    return f"This machine's clock is {abs(skew) / 60:.0f} minutes {where}; signing in worked."

"""What a request is signed with; the token itself is never shown.

A token leaves this module only as the header of a request, and only the transport asks for it.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from alcf_jupyter.connection import worker
from alcf_jupyter.connection.sign_in import sources
from alcf_jupyter.connection.sign_in.secret import Secret
from alcf_jupyter.connection.sign_in.sources import ENV_TOKEN
from alcf_jupyter.errors import LoginRequiredError, SignInError, TokenRefusedError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from alcf_jupyter.connection.http.channel import Request
    from alcf_jupyter.connection.sign_in.sources import Token

_AGAIN_SECONDS = 60.0
"""How often a token is looked for again at the most: one that lives shorter is used to its end."""


class Credential:
    """A token that can be sent but not read, printed, pickled or copied.

    Parameters
    ----------
    token
        The token, or None where a server asks for none.
    source
        Where it came from, in words for people.

    Raises
    ------
    UsageError
        The token holds characters that no token has; it is not repeated in the message.

    Attributes
    ----------
    only_alcf
        Whether it may go to ALCF's own service alone.
    """

    only_alcf = False

    def __init__(self, token: str | None, source: str) -> None:
        self._secret = None if token is None else Secret(token, source)
        self._source = source

    @property
    def source(self) -> str:
        """Where the token comes from, in words for people."""
        return self._source

    @property
    def sends(self) -> bool:
        """Whether requests carry a token."""
        return self._secret is not None

    @property
    def token(self) -> Token | None:
        """The token in use and what is known of it, or None."""
        if self._secret is None:
            return None
        return sources.Token(self._secret, self._source, "argument")

    def header(self) -> str | None:
        """Return the value of the Authorization header, or None to send none."""
        return None if self._secret is None else f"Bearer {self._secret.reveal()}"

    async def sign(self, request: Request) -> None:
        """Put the token on a request."""
        value = self.header()
        if value is not None:
            request.headers["Authorization"] = value

    async def renew(self, refused: Request, error: SignInError) -> bool:  # noqa: ARG002
        """Get another token in place of one that was refused; tell whether there is one."""
        return False  # what was given is all there is

    def forget(self) -> None:
        """Look for the token afresh before the next request."""

    def explain(self, error: SignInError) -> SignInError:
        """Add to a refusal what follows from where the token came from."""
        error.remedy = ""  # it was given in so many words; signing in would not replace it
        if isinstance(error, TokenRefusedError | LoginRequiredError):
            error.do = "Connect with another token:  alcf.connect(ADDRESS, token=…)"
            if not self.sends:
                error.what = "The service asks for a token, and none was given."
        return error

    def __repr__(self) -> str:
        return f"<credential from {self.source}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A credential cannot be pickled or copied.")


class SignIn(Credential):
    """Whatever token `sources` finds for ALCF's service, refreshed as it runs out.

    It is looked for when the first request needs it, off the event loop, by one thread at a time.

    Parameters
    ----------
    proxy
        What ``connect(proxy=…)`` was told, if anything.
    """

    only_alcf = True

    def __init__(self, proxy: str | None = None) -> None:
        super().__init__(None, "not signed in")
        self._proxy = proxy
        self._lock = threading.Lock()
        self._flight: Future[Token] | None = None
        self._token: Token | None = None
        self._settings: tuple[str | None, ...] = ()
        self._fresh_until = 0.0
        self._renewed_at = float("-inf")
        self._process = os.getpid()

    @property
    def source(self) -> str:
        """Where the token comes from, in words for people."""
        return self._token.source if self._token else "not signed in yet"

    @property
    def sends(self) -> bool:
        """Whether requests carry a token."""
        return True

    @property
    def token(self) -> Token | None:
        """The token in use and what is known of it; None before the first request."""
        return self._token

    def header(self) -> str | None:
        """Return the value of the Authorization header as it was last sent."""
        return f"Bearer {self._token.secret.reveal()}" if self._token else None

    async def sign(self, request: Request) -> None:
        """Put a token that holds on a request.

        Raises
        ------
        NotSignedInError, UsageError, UnreachableError, IdentityCheckError
            As `sources.obtain`.
        """
        token = self._token
        if token is None or not self._is_fresh():
            token = await self._obtain(None)
        request.headers["Authorization"] = f"Bearer {token.secret.reveal()}"

    async def renew(self, refused: Request, error: SignInError) -> bool:
        """Get another token in place of one that was refused; tell whether there is one.

        Parameters
        ----------
        refused
            The request with the token that was refused.
        error
            Why. A token that has ended is refreshed, once a minute at the most: the service would
            refuse that one, too. Where a new login is due, another kernel may have made it.
        """
        if not isinstance(error, TokenRefusedError | LoginRequiredError):
            return False
        sent = Secret(refused.headers["Authorization"].removeprefix("Bearer "), self.source)
        if self._has_another_than(sent):
            return True
        refresh = isinstance(error, TokenRefusedError)
        if refresh and time.monotonic() - self._renewed_at < _AGAIN_SECONDS:
            return False
        wanted = sent if refresh else None
        await self._obtain(wanted)
        if refresh and not self._has_another_than(sent):
            await self._obtain(wanted)  # the first was under way and did not know of the refusal
        if refresh:
            self._renewed_at = time.monotonic()
        return self._has_another_than(sent)

    def forget(self) -> None:
        """Look for the token afresh before the next request."""
        self._process, self._lock = os.getpid(), threading.Lock()
        self._flight = self._token = None
        self._fresh_until, self._renewed_at = 0.0, float("-inf")

    def explain(self, error: SignInError) -> SignInError:
        """Add to a refusal what follows from where the token came from."""
        token = self._token
        if token is None or not isinstance(error, TokenRefusedError | LoginRequiredError):
            return error
        if token.kind == "environment":
            error.remedy = ""
            error.what = f"The service does not accept the token in {ENV_TOKEN}."
            error.do = f"Set {ENV_TOKEN} to a new one, or sign in:  %env {ENV_TOKEN}="
        elif token.kind == "account":
            error.remedy = ""
            error.what = f"The service does not accept the {token.source}."
            error.do = f"Ask ALCF for its access, or look at {sources.ENV_ACCOUNT}."
        return error

    def _is_fresh(self) -> bool:
        return time.time() < self._fresh_until and sources.settings() == self._settings

    def _has_another_than(self, sent: Secret) -> bool:
        return self._token is not None and self._token.secret != sent

    async def _obtain(self, refused: Secret | None) -> Token:
        if self._process != os.getpid():  # a fork leaves the worker's thread behind
            self.forget()
        with self._lock:
            if self._flight is None or self._flight.done():
                settings = sources.settings()
                self._flight = worker.start(partial(sources.obtain, refused, self._proxy))
                self._flight.add_done_callback(partial(self._landed, settings))
            flight = self._flight
        return await worker.result(flight)

    def _landed(self, settings: tuple[str | None, ...], flight: Future[Token]) -> None:
        if flight is not self._flight:
            return  # forgotten in the meantime
        if flight.exception() is not None:
            self._token, self._fresh_until = None, 0.0
            return
        token = flight.result()
        self._fresh_until = float("inf")
        if token.expires_at is not None:
            self._fresh_until = max(
                token.expires_at - sources.EARLY_SECONDS,
                min(token.expires_at, time.time() + _AGAIN_SECONDS),
            )
        self._token, self._settings = token, settings

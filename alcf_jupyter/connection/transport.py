"""The one HTTP transport: one host, one header, one deadline, no redirects."""

from __future__ import annotations

import asyncio
import os
import ssl
import weakref
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from alcf_jupyter._version import __version__
from alcf_jupyter.connection import pace, replay, wire
from alcf_jupyter.connection.connections import Connections
from alcf_jupyter.connection.profiles import ALCF_PROXY
from alcf_jupyter.errors import (
    AnswerError,
    NotTheServiceError,
    SignInError,
    UnreachableError,
    UsageError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service import limits
from alcf_jupyter.service.failures import failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from alcf_jupyter.connection.credentials import Credential
    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.connection.pace import Turn
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.connection.wire import Wire

CONNECT_SECONDS = 10.0
DRAIN_SECONDS = 0.25
MAX_ANSWER_BYTES = 32_000_000
_MAX_FAILURE_BYTES = 1_000_000
_CONNECTIONS = 128
_DIGITS = 16

# no total here: the deadline holds for it, and a model may be silent for minutes
_TIMEOUTS = httpx.Timeout(None, connect=CONNECT_SECONDS).as_dict()
# httpx copies its own kind fast, and looks at each word of any other
_HEADERS = httpx.Headers(
    {
        "Accept": "application/json, text/event-stream",
        # a compressed answer can unfold to any size, and gzip does not pay here
        "Accept-Encoding": "identity",
        "User-Agent": f"alcf-jupyter/{__version__}",
    }
)
_WITH_BODY = httpx.Headers([*_HEADERS.raw, (b"Content-Type", b"application/json")])


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: the HTTP status, the content type and the body."""

    status: int
    content_type: str
    body: bytes


@dataclass(slots=True)
class Incoming:
    """An answer whose head has come and whose body, of `length` bytes, is on its way."""

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    wire: Wire | None = None
    length: int = 0

    async def read(self, limit: int = MAX_ANSWER_BYTES) -> Response:
        """Read the rest; of a refusal no more than tells why.

        Raises
        ------
        AnswerError
            It is longer than `limit` bytes.
        """
        parts, size = [], 0
        if self.wire is not None:
            self.wire.expect(min(self.length, limit))
        async for chunk in self.chunks:
            parts.append(chunk)
            size += len(chunk)
            if self.status != 200 and size > _MAX_FAILURE_BYTES:
                break
            if size > limit:
                raise AnswerError(
                    f"The answer is longer than {limit:,} bytes; it was not read further.",
                    do="Ask for less in one request.",
                )
        return Response(self.status, self.content_type, b"".join(parts))

    def gather(self, seconds: float) -> None:
        """Take what comes in portions, so many seconds apart; 0: as it comes."""
        if self.wire is not None:
            self.wire.gather(seconds)

    async def drain(self) -> None:
        """Read on to the end for a moment, so that the connection can be used again.

        For an answer that is whole already: what the connection does from here on is no matter.
        """
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self.chunks:
                    pass


class Transport:
    """Sends requests to one service.

    Parameters
    ----------
    profile
        The service; requests go to its origin alone, which is checked for each of them.
    credential
        Sent with each request, over https or to this machine only.

    Raises
    ------
    UsageError
        A token would go over plain http to another machine.
    """

    def __init__(self, profile: Profile, credential: Credential) -> None:
        if credential.sends and not profile.url.startswith("https://") and not profile.is_loopback:
            raise UsageError(
                f"A token is not sent to {profile.origin}: plain http can be read on the way.",
                do="Use an https:// address.",
            )
        self.profile = profile
        self._credential = credential
        self._origin = profile.origin
        try:
            httpx.URL(self._origin)
        except httpx.InvalidURL as error:
            raise UsageError(
                f"That address cannot be used: {brief(error, 120)}",
                do="Type:  alcf.connect('https://host/v1', token=…)",
            ) from None
        self._pace = pace.of(
            profile.origin, profile.requests_per_second, shared=not profile.is_loopback
        )
        self._connections: dict[str | None, Connections] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: bytes | None = None,
        limit: int = MAX_ANSWER_BYTES,
        turn: Turn | None = None,
    ) -> Response:
        """Send a request and return its whole answer, whatever its status.

        Parameters
        ----------
        method, path
            `path` is absolute on the service's host.
        deadline
            For everything: the pace, the connection, the answer.
        body
            JSON, as bytes.
        limit
            The longest answer to read, in bytes.
        turn
            As `turn` gave it, for who waits for the pace before there is a request to send.

        Raises
        ------
        UnreachableError, NotTheServiceError, DeadlineError, TooLargeError, AnswerError
            See each.
        """
        async with self.stream(method, path, deadline, body, turn) as incoming:
            return await incoming.read(limit)

    async def turn(self) -> Turn:
        """Wait until the pace lets one request through."""
        return await self._pace.turn()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: bytes | None = None,
        turn: Turn | None = None,
    ) -> AsyncGenerator[Incoming]:
        """Send a request and hand over its answer while it arrives; raises as `request` does."""
        replay.check_nothing_is_played()
        if body is not None and self.profile.is_gateway:
            limits.check_body(len(body))
        timer = asyncio.timeout_at(deadline.at)
        try:
            async with timer:
                response = await self._signed(method, path, body, turn)
                try:
                    yield _incoming(response)
                finally:
                    await response.aclose()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        except TimeoutError:
            if timer.expired():
                raise deadline.error(f"waiting for {self.profile.origin}") from None
            raise

    async def _signed(
        self, method: str, path: str, body: bytes | None, given: Turn | None
    ) -> httpx.Response:
        """Send with a token, and once more with another where the first has ended.

        Nothing of the answer has been handed over by then, so a stream is sent again like anything
        else. No 401 is returned: each is raised as the error it stands for.
        """
        for attempt in ("first", "last"):
            request = self._build(method, path, body)
            await self._authorize(request)
            turn, given = given or await self._pace.turn(), None
            if turn.counts:
                request.extensions["trace"] = turn.trace
            try:
                response = await self._carrier().handle_async_request(request)
            finally:
                turn.ends()
            try:
                self._check(response)
                if response.status_code != 401:
                    return response
                refused = await _incoming(response).read()
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
            error = failure(401, refused.body, refused.content_type)
            if not isinstance(error, SignInError):
                raise error
            if attempt == "last" or not await self._credential.renew(request, error):
                raise self._credential.explain(error)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _authorize(self, request: httpx.Request) -> None:
        if self._credential.only_alcf and not self.profile.is_alcf:
            raise UsageError(
                f"The token of your sign-in is not sent to {self.profile.origin}.",
                why="It opens ALCF's service, and goes nowhere else.",
                do="Connect with a token of that server:  alcf.connect(ADDRESS, token=…)",
            )
        await self._credential.sign(request)

    def _build(self, method: str, path: str, body: bytes | None) -> httpx.Request:
        url = _address(self._origin, path)
        headers = _HEADERS if body is None else _WITH_BODY
        request = httpx.Request(method, url, headers=headers, content=body)
        request.extensions["timeout"] = _TIMEOUTS
        return request

    def _check(self, response: httpx.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity").casefold()
        if encoding not in ("identity", ""):
            raise NotTheServiceError(
                f"The answer is compressed ({brief(encoding, 40)}), which was not asked for.",
                do="A proxy may stand in between; look at:  %alcf status",
            )

    def _carrier(self) -> Connections:
        """Return the connections by the proxy that is set now, made on the loop that uses them."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._connections, self._loop = {}, loop
            # a service that is connected to no more leaves no open connections behind
            weakref.finalize(self, _close, self._connections, loop, os.getpid()).atexit = False
        proxy = self.profile.proxy_now()
        if proxy not in self._connections:
            secure = self.profile.url.startswith("https://")
            verify = _certificates() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

            def make() -> httpx.AsyncHTTPTransport:
                only = httpx.Limits(max_connections=1, max_keepalive_connections=1)
                return wire.swift(
                    httpx.AsyncHTTPTransport(
                        verify=verify, proxy=proxy, trust_env=False, limits=only
                    )
                )

            try:
                self._connections[proxy] = Connections(make, _CONNECTIONS)
            except (ValueError, ImportError, httpx.InvalidURL) as error:
                raise UsageError(
                    f"The proxy cannot be used: {brief(error, 120)}",
                    do="Look at the variables http_proxy and https_proxy.",
                ) from None
        return self._connections[proxy]

    def _unreachable(self, error: httpx.HTTPError) -> UnreachableError:
        reason = brief(error) or type(error).__name__
        proxy = self.profile.proxy_now()
        if proxy:
            parts = urlsplit(proxy)
            via = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
            why = f"It goes through the proxy {via}, as the environment or connect(proxy=…) says."
        elif self.profile.is_loopback:
            why = "Nothing answers at this address of your machine; is the server running?"
        else:
            why = f"On an ALCF compute node first type:  %env https_proxy={ALCF_PROXY}"
        return UnreachableError(
            f"{self.profile.origin} cannot be reached: {reason}",
            why=why,
            do="To work without the service, on the local stand-in:  %alcf connect sandbox",
        )


def _incoming(response: httpx.Response) -> Incoming:
    kind = response.headers.get("content-type", "").casefold()
    wire.guard(response)
    connection = response.extensions.get("network_stream")
    carried = connection if isinstance(connection, wire.Wire) else None
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for the type checker
    length = response.headers.get("content-length", "")
    size = int(length) if length.isdecimal() and len(length) < _DIGITS else 0
    return Incoming(response.status_code, kind, aiter(response.stream), carried, size)


@lru_cache(maxsize=64)
def _address(origin: str, path: str) -> httpx.URL:
    """Return the address of a path on a host; raises NotTheServiceError where it leads away."""
    here = httpx.URL(origin)
    try:
        url = here.join(path)
    except (httpx.InvalidURL, ValueError):
        url = None
    if url is None or (url.scheme, url.netloc, url.userinfo) != (here.scheme, here.netloc, b""):
        raise NotTheServiceError(
            f"The service names an address on another host: {brief(path, 120)}",
            do="Nothing was sent there. Look at the address:  %alcf status",
        )
    return url


def _close(
    connections: dict[str | None, Connections], loop: asyncio.AbstractEventLoop, owner: int
) -> None:
    """Close connections on the loop that opened them; a forked child has none of its own."""
    if os.getpid() == owner and loop.is_running():
        for some in connections.values():
            asyncio.run_coroutine_threadsafe(some.aclose(), loop)


def _certificates() -> ssl.SSLContext:
    """Trust what httpx trusts, or what the usual variables name (a site's own certificates)."""
    file = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    folder = os.environ.get("SSL_CERT_DIR")
    if file or folder:
        try:
            return ssl.create_default_context(cafile=file, capath=folder)
        except OSError as error:
            raise UsageError(
                f"The certificates of {brief(file or folder, 120)} cannot be read.",
                why=brief(error.strerror or error),
                do="Look at the variables SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE.",
            ) from None
    return httpx.create_ssl_context(trust_env=False)

"""The one HTTP transport: one host, one header, one deadline, no redirects."""

from __future__ import annotations

import asyncio
import os
import weakref
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import httpx

from alcf_jupyter._version import __version__
from alcf_jupyter.connection.http import pace
from alcf_jupyter.connection.http.channel import Request
from alcf_jupyter.connection.http.connections import Connections
from alcf_jupyter.connection.http.dialer import Dialer
from alcf_jupyter.connection.http.incoming import MAX_ANSWER_BYTES
from alcf_jupyter.connection.http.wire import BrokenError, UnmadeError
from alcf_jupyter.connection.profiles import ALCF_PROXY, place
from alcf_jupyter.connection.record import replay
from alcf_jupyter.errors import (
    NotTheServiceError,
    SignInError,
    UnreachableError,
    UsageError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service import limits
from alcf_jupyter.service.failures import failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.connection.http.incoming import Incoming, Response
    from alcf_jupyter.connection.http.pace import Turn
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.connection.sign_in.credentials import Credential

_CONNECTIONS = 128
_HEADERS = {
    "Accept": "application/json, text/event-stream",
    # a compressed answer can unfold to any size, and gzip does not pay here
    "Accept-Encoding": "identity",
    "User-Agent": f"alcf-jupyter/{__version__}",
}
_WITH_BODY = {**_HEADERS, "Content-Type": "application/json"}


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
        """Wait until the pace lets one request through; what is played waits for nothing."""
        return pace.Turn() if replay.plays() else await self._pace.turn()

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
                incoming = await self._signed(method, path, body, turn)
                try:
                    yield incoming
                finally:
                    incoming.close()
        except BrokenError as error:
            raise self._unreachable(error) from None
        except TimeoutError:
            if timer.expired():
                raise deadline.error(f"waiting for {self.profile.origin}") from None
            raise

    async def _signed(
        self, method: str, path: str, body: bytes | None, given: Turn | None
    ) -> Incoming:
        """Send with a token, and once more with another where the first has ended.

        Nothing of the answer has been handed over by then, so a stream is sent again like anything
        else. No 401 is returned: each is raised as the error it stands for.
        """
        for attempt in ("first", "last"):
            request = self._build(method, path, body)
            await self._authorize(request)
            turn, given = given or await self._pace.turn(), None
            try:
                incoming = await self._carrier().ask(request, turn.leaves)
            finally:
                turn.ends()
            try:
                self._check(incoming)
                if incoming.status != 401:
                    return incoming
                refused = await incoming.read()
            except BaseException:
                incoming.close()
                raise
            incoming.close()
            error = failure(401, refused.body, refused.content_type)
            if not isinstance(error, SignInError):
                raise error
            if attempt == "last" or not await self._credential.renew(request, error):
                raise self._credential.explain(error)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _authorize(self, request: Request) -> None:
        if self._credential.only_alcf and not self.profile.is_alcf:
            raise UsageError(
                f"The token of your sign-in is not sent to {self.profile.origin}.",
                why="It opens ALCF's service, and goes nowhere else.",
                do="Connect with a token of that server:  alcf.connect(ADDRESS, token=…)",
            )
        await self._credential.sign(request)

    def _build(self, method: str, path: str, body: bytes | None) -> Request:
        host, target = _address(self._origin, path)
        headers = {"Host": host, **(_HEADERS if body is None else _WITH_BODY)}
        return Request(method, target, headers, body)

    def _check(self, incoming: Incoming) -> None:
        encoding = incoming.header("content-encoding").casefold()
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
            dial = Dialer(self._origin, proxy).dial
            self._connections[proxy] = Connections(dial, _CONNECTIONS)
        return self._connections[proxy]

    def _unreachable(self, error: BrokenError) -> UnreachableError:
        origin, unmade = self.profile.origin, isinstance(error, UnmadeError)
        what = f"{origin} cannot be reached" if unmade else f"The connection to {origin} broke"
        if proxy := self.profile.proxy_now():
            via = f"the proxy {place(proxy)}"
            why = f"It goes through {via}, as the environment or connect(proxy=…) says."
        elif not unmade:
            why = "The server, or the network on the way to it, ended it in the middle."
        elif self.profile.is_loopback:
            why = "Nothing answers at this address of your machine; is the server running?"
        else:
            why = f"On an ALCF compute node first type:  %env https_proxy={ALCF_PROXY}"
        local = "on the local stand-in:  %alcf connect sandbox"
        do = "To work without the service, " if unmade else "Run the cell again; or work "
        return UnreachableError(f"{what}: {brief(error)}.", why=why, do=f"{do}{local}")


def elsewhere(path: str) -> NotTheServiceError:
    """Return the error that tells of an address where nothing is sent to."""
    return NotTheServiceError(
        f"The service names an address on another host: {brief(path, 120)}",
        do="Nothing was sent there. Look at the address:  %alcf status",
    )


@lru_cache(maxsize=64)
def _address(origin: str, path: str) -> tuple[str, str]:
    """Return host and target of a path on a host; raises NotTheServiceError where it leads away."""
    here = httpx.URL(origin)
    try:
        url = here.join(path)
    except (httpx.InvalidURL, ValueError):
        url = None
    if url is None or (url.scheme, url.netloc, url.userinfo) != (here.scheme, here.netloc, b""):
        raise elsewhere(path)
    return url.netloc.decode("ascii"), url.raw_path.decode("ascii")


def _close(
    connections: dict[str | None, Connections], loop: asyncio.AbstractEventLoop, owner: int
) -> None:
    """Close connections on the loop that opened them; a forked child has none of its own."""
    if os.getpid() == owner and loop.is_running():
        for some in connections.values():
            loop.call_soon_threadsafe(some.close)

"""How connections to a server are made: directly, or through a proxy."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from alcf_jupyter.connection.http import certificates, wire
from alcf_jupyter.connection.http.channel import Channel, Request
from alcf_jupyter.connection.http.wire import BrokenError, UnmadeError
from alcf_jupyter.errors import UsageError

if TYPE_CHECKING:
    from alcf_jupyter.connection.http.wire import Wire

_PORTS = {"http": 80, "https": 443}
_MOST_PORTS = 65_535


class Dialer:
    """Makes connections to one server.

    Parameters
    ----------
    origin
        Its scheme, host and port.
    proxy
        Address of the proxy that leads there, or None.

    Raises
    ------
    UsageError
        That is no proxy that can be used, or the certificates that are set cannot be read.
    """

    def __init__(self, origin: str, proxy: str | None = None) -> None:
        self._server = httpx.URL(origin)
        self._proxy = None if proxy is None else _proxy(proxy)
        schemes = {self._server.scheme, self._proxy.scheme if self._proxy else ""}
        self._trusted = certificates.trusted() if "https" in schemes else None

    async def dial(self) -> Channel:
        """Return a new connection.

        Raises
        ------
        UnmadeError
            There is none to be had, or the other end is not whom it should be.
        """
        try:
            return await self._made()
        except BrokenError as error:
            raise UnmadeError(str(error)) from error

    async def _made(self) -> Channel:
        first = self._proxy or self._server
        made = await wire.connect(_host(first), _port(first))
        try:
            await self._secure(made, first)
            if self._proxy is None:
                return Channel(made)
            pass_on = _authorization(self._proxy)
            if self._server.scheme == "http":
                return Channel(made, str(self._server).rstrip("/"), pass_on)
            await self._tunnel(made, pass_on)
            await self._secure(made, self._server)
            return Channel(made)
        except BaseException:
            made.abort()
            raise

    async def _secure(self, made: Wire, end: httpx.URL) -> None:
        if end.scheme == "https" and self._trusted is not None:
            await made.start_tls(self._trusted, _host(end))

    async def _tunnel(self, made: Wire, pass_on: dict[str, str]) -> None:
        """Let the proxy lead to the server."""
        host = _host(self._server)
        place = f"[{host}]" if ":" in host else host
        target = f"{place}:{_port(self._server)}"
        asked = Request("CONNECT", target, {"Host": target, "Accept": "*/*", **pass_on})
        answer = await Channel(made).ask(asked)
        if not 200 <= answer.status_code < 300:
            raise BrokenError(f"{answer.status_code} {answer.reason.decode('ascii', 'ignore')}")


def _proxy(address: str) -> httpx.URL:
    # why it is none is not told: what httpx takes for a port may be half of a password
    with suppress(httpx.InvalidURL):
        url = httpx.URL(address)
        if url.scheme in _PORTS and url.host and _port(url) <= _MOST_PORTS:
            return url
    raise UsageError(
        "The proxy cannot be used: it takes an address such as http://host:3128.",
        why="In a name or a password / is written %2F, @ %40, # %23 and ? %3F.",
        do="Look at the variables http_proxy and https_proxy.",
    )


def _authorization(proxy: httpx.URL) -> dict[str, str]:
    if not proxy.userinfo:
        return {}
    told = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {told}"}


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS[url.scheme]

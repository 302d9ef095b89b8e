"""The server: from a connection to an answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import h11

from .answers import (
    NOT_FOUND_PAGE,
    Answer,
    DetailError,
    GatewayError,
    internal_error,
    page,
    proxy_page,
)
from .relay import BrokenOffError
from .requests import BodyTooLargeError
from .routes import find
from .wire import TooMuchError, Wire

if TYPE_CHECKING:
    from .requests import Request
    from .service import Service

log = logging.getLogger(__name__)


class Server:
    """Listens on the loopback address and answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._listener: asyncio.Server | None = None
        self.port = service.settings.port

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.port}/resource_server"

    async def start(self) -> None:
        """Begin to listen; port 0 means any free one."""
        self._listener = await asyncio.start_server(
            self._connection, "127.0.0.1", self.port, backlog=512
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        try:
            while (request := await wire.receive()) is not None:
                await self._exchange(wire, request)
                if not wire.next_request():
                    break
        except TooMuchError:
            with contextlib.suppress(OSError, h11.ProtocolError):
                await wire.send(proxy_page(413, "Request Entity Too Large"))
        except (OSError, TimeoutError, h11.ProtocolError):
            pass  # the client left, or does not speak HTTP
        finally:
            await wire.close()

    async def _exchange(self, wire: Wire, request: Request) -> None:
        """Answer one request, and give up when the client leaves."""
        work = asyncio.ensure_future(self._answer(wire, request))
        gone = asyncio.ensure_future(wire.wait_until_gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await gone
        with contextlib.suppress(asyncio.CancelledError):
            await work

    async def _answer(self, wire: Wire, request: Request) -> None:
        answer = await self._handle(request)
        try:
            await wire.send(answer)
        except BrokenOffError:
            wire.break_off()

    async def _handle(self, request: Request) -> Answer:
        """Return the answer to a request: route, then token, then rate, then the route's own."""
        found = find(request.method, request.path)
        if found == 404:
            return page(404, NOT_FOUND_PAGE)
        if isinstance(found, int):
            return page(found, "Method not allowed")
        route, parts = found
        service = self.service
        try:
            if not route.plain:
                if not route.open:
                    header = request.headers.get("authorization")
                    request.person = service.people.authenticate(header)
                service.requests.check(request.person.id if request.person else "anonymous")
            if service.settings.latency_real_seconds:
                await asyncio.sleep(service.settings.latency_real_seconds)
            return await route.handler(service, request, **parts)
        except (GatewayError, DetailError) as refusal:
            return refusal.answer()
        except BodyTooLargeError:
            return internal_error(service.new_id())
        except BrokenOffError:
            raise
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return internal_error(service.new_id())

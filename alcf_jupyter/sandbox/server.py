"""The server: from a connection to an answer."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from typing import TYPE_CHECKING, Any

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
from .routes import CONTROL, OPEN, PLAIN, Route, find
from .wire import TooMuchError, Wire

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .faults import Fault, Occasion
    from .request_log import Entry
    from .requests import Request
    from .service import Service

log = logging.getLogger(__name__)
_BACKLOG = 512


class Server:
    """Listens on the loopback address and answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.port = service.settings.port
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        service.stop_listening = self._stop_for

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.port}/resource_server"

    async def start(self) -> None:
        """Begin to listen; port 0 means any free one."""
        self._listener = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, backlog=_BACKLOG
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Stop listening; open connections go on."""
        if self._listener is not None:
            self._listener.close()

    def _stop_for(self, seconds: float) -> None:
        async def pause() -> None:
            self.stop()
            await asyncio.sleep(seconds)
            await self.start()

        self._run(pause())

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio reports one of its own as an error when the program ends.
        self._run(self._connection(reader, writer))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
            wire.close()

    async def _exchange(self, wire: Wire, request: Request) -> None:
        """Answer one request, and give up when the client leaves."""
        work = asyncio.create_task(self._answer(wire, request))
        gone = asyncio.create_task(wire.wait_until_gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wire.broken = wire.broken or not work.done()
            work.cancel()
            gone.cancel()
        # Waited for, not awaited: that would take the end of this task for the end of theirs.
        await asyncio.wait({work, gone})
        if not work.cancelled():
            work.result()

    async def _answer(self, wire: Wire, request: Request) -> None:
        found = find(request.method, request.path)
        if isinstance(found, tuple) and found[0].face == CONTROL:
            await wire.send(await self._control(request, *found))
            return
        role = self.service.people.role(request.headers.get("authorization"))
        entry = self.service.log.begin(request, role)
        outcome = "left"
        try:
            await self._answer_noted(wire, request, entry, found)
            outcome = "broken" if wire.broken else "answered"
        finally:
            self.service.log.end(entry, outcome)

    async def _answer_noted(
        self, wire: Wire, request: Request, entry: Entry, found: tuple[Route, dict[str, str]] | int
    ) -> None:
        answer, picked = await self._handle(request, found)
        entry.status = answer.status
        entry.fault = picked[0].name if picked else ""
        try:
            if picked and picked[0].send:
                await picked[0].send(picked[1], wire, answer)
            else:
                await wire.send(answer)
        except BrokenOffError:
            wire.break_off()

    async def _handle(
        self, request: Request, found: tuple[Route, dict[str, str]] | int
    ) -> tuple[Answer, tuple[Fault, Occasion] | None]:
        """Return the answer to a request, and the fault that fires on it."""
        if isinstance(found, int):
            words = NOT_FOUND_PAGE if found == 404 else "Method not allowed"
            return page(found, words), None
        route, parts = found
        picked = None
        try:
            self._admit(request, route)
            picked = self._pick(request)
            if self.service.settings.latency_real_seconds:
                await asyncio.sleep(self.service.settings.latency_real_seconds)
            if picked and picked[0].before:
                await picked[0].before(picked[1])
            if picked and picked[0].instead:
                answer = await picked[0].instead(picked[1])
            else:
                request.fault = picked[0].name if picked else ""
                answer = await route.handler(self.service, request, **parts)
            if picked and picked[0].after and (answer.status == 200):
                answer = await picked[0].after(picked[1], answer)
        except (GatewayError, DetailError) as refusal:
            answer = refusal.answer()
        except BodyTooLargeError:
            answer = internal_error(self.service.new_id())
        except BrokenOffError:
            raise
        except Exception:
            log.exception("%s %s", request.method, request.path)
            answer = internal_error(self.service.new_id())
        return answer, picked

    def _admit(self, request: Request, route: Route) -> None:
        """Check token and rate, in the gateway's order."""
        if route.face == PLAIN:
            return
        if route.face != OPEN:
            header = request.headers.get("authorization")
            request.person = self.service.people.authenticate(header)
        self.service.requests.check(request.person.id if request.person else "anonymous")

    def _pick(self, request: Request) -> tuple[Fault, Occasion] | None:
        try:
            return self.service.rules.pick(request)
        except ValueError as wrong:
            raise DetailError(400, str(wrong)) from None

    async def _control(self, request: Request, route: Route, parts: dict[str, str]) -> Answer:
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {self.service.secret}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return Answer(401, {"detail": "the sandbox's secret is wanted"})
        try:
            return await route.handler(self.service, request, **parts)
        except DetailError as refusal:
            return refusal.answer()
        except (ValueError, TypeError) as wrong:
            return Answer(400, {"detail": str(wrong)})

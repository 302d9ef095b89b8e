"""A request to a model, from its name to its answer: found, waited for, sent, read."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity

from alcf_jupyter.connection import queue
from alcf_jupyter.connection.call import (
    BYTES_PER_VECTOR,
    Call,
    Emit,
    Status,
    read_json,
    smallest,
    write_json,
)
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.gathering import GATHER_SECONDS, Gathering
from alcf_jupyter.connection.http import retries
from alcf_jupyter.connection.http.incoming import MAX_ANSWER_BYTES
from alcf_jupyter.connection.loop import Door
from alcf_jupyter.connection.meter import Meter
from alcf_jupyter.connection.profiles import whom
from alcf_jupyter.connection.warmups import WarmUps
from alcf_jupyter.errors import (
    AlcfError,
    NotLiveError,
    RefusedError,
    ServiceTimeoutError,
    StreamFailedError,
)
from alcf_jupyter.service import dialect, limits
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.failures import failure
from alcf_jupyter.service.model_failures import is_masked
from alcf_jupyter.service.sse import EventReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.http.incoming import Incoming
    from alcf_jupyter.connection.http.pace import Turn
    from alcf_jupyter.connection.http.transport import Transport
    from alcf_jupyter.service.catalog import Model

T = TypeVar("T", dialect.Answer, dialect.Vectors)

_UNABLE = {"unsupported_endpoint", "batch_unavailable"}
"""Codes of refusals that tell what a model cannot do."""


class Caller:
    """Carries calls out on one service.

    Parameters
    ----------
    transport, directory
        The way to the service, and what it has.
    """

    def __init__(self, transport: Transport, directory: Directory) -> None:
        self._transport = transport
        self._directory = directory
        self._profile = transport.profile
        self._door = Door()
        # the service's window is ten of its own polls; a stand-in's clock runs faster
        window = limits.WARM_UP_WINDOW_SECONDS * self._profile.poll_seconds
        self.meter = Meter(self._profile.name)
        self._warm_ups = WarmUps(self._profile.url, window / limits.JOBS_CACHE_SECONDS)

    async def chat(self, call: Call, emit: Emit) -> dialect.Answer:
        """Send a chat and return its answer."""
        return await self._placed(call, self._whole(call, dialect.read_chat), emit)

    async def complete(self, call: Call, emit: Emit) -> dialect.Answer:
        """Send a text to be continued and return its answer."""
        return await self._placed(call, self._whole(call, dialect.read_completion), emit)

    async def embed(self, call: Call, emit: Emit) -> dialect.Vectors:
        """Send texts and return an embedding for each."""
        count = len(call.body["input"])

        def read(value: Any) -> dialect.Vectors:
            return dialect.read_embeddings(value, count)

        limit = MAX_ANSWER_BYTES + count * BYTES_PER_VECTOR
        return await self._placed(call, self._whole(call, read, limit), emit)

    async def stream(self, call: Call, emit: Emit) -> dialect.Answer:
        """Send a chat, emit its pieces as they come and return the whole."""

        async def send(model: Model) -> dialect.Answer:
            try:
                return await self._streamed(call, model, emit)
            except StreamFailedError as error:
                if not is_masked(error.failure) or not (call.reading and call.reading.empty):
                    raise
            # the gateway hides the model server's reason inside a stream, and tells it outside one
            answer = await self._whole(call, dialect.read_chat)(model)
            emit(dialect.Piece(answer.text, answer.reasoning))
            return answer

        return await self._placed(call, send, emit)

    @property
    def is_gateway(self) -> bool:
        """Whether the service tells of a queue."""
        return self._profile.is_gateway

    @property
    def poll_seconds(self) -> float:
        """How often the queue may be looked at."""
        return self._profile.poll_seconds

    async def find(self, call: Call) -> Model:
        """Return the model that is asked for, as the catalog has it."""
        known = await self._directory.catalog(call.deadline)
        return known.find(call.model, call.cluster)

    async def ready(self, call: Call, model: Model, emit: Emit) -> Model:
        """Return `model` once it is Live; raises as `queue.until_live` does."""
        call.served = model
        if model.state not in queue.READY and not call.patient:
            raise queue.not_live(model, self._directory)
        call.served = await queue.until_live(
            self._directory,
            model,
            call.wait,
            warm_up=lambda cold: self.warm_up(call.route, cold),
            tell=lambda words: emit(Status(words)),
        )
        return call.served

    async def turn(self) -> Turn:
        """Wait until the pace lets one request through."""
        return await self._transport.turn()

    async def once(
        self,
        call: Call,
        model: Model,
        read: Callable[[Any], T],
        *,
        limit: int = MAX_ANSWER_BYTES,
        turn: Turn | None = None,
    ) -> T:
        """Send one request to a model that is Live, and never a second.

        Parameters
        ----------
        call, model
            What to send, and to whom.
        read
            Makes the answer's value of its JSON; raises AnswerError where it is none.
        limit
            The longest answer to read, in bytes.
        turn
            As `turn` gave it.
        """
        return await self._learning(call, model, self._whole(call, read, limit, turn)(model))

    async def _placed(self, call: Call, send: Callable[[Model], Awaitable[T]], emit: Emit) -> T:
        """Find the model, wait until it is Live, send; wait again if it was not after all."""
        model = await self.find(call)
        while True:
            model = await self.ready(call, model, emit)
            try:
                return await self._learning(call, model, self._tried(call, model, send, emit))
            except (NotLiveError, ServiceTimeoutError, StreamFailedError) as error:
                if not call.patient or not self._profile.is_gateway:
                    raise
                model = await self.after_refusal(call, model, error)

    async def _learning(self, call: Call, model: Model, answered: Awaitable[T]) -> T:
        """Await an answer, count it, and learn from it what the model can do."""
        try:
            answer = await answered
        except RefusedError as error:
            if error.code in _UNABLE:
                self._learn(call, model, able=False)
            raise
        self._learn(call, model, able=True)
        self.meter.add(model, answer.usage)
        return answer

    def _learn(self, call: Call, model: Model, *, able: bool) -> None:
        skill = {"chat/completions": "can_chat", "embeddings": "can_embed"}.get(call.route)
        if skill is not None and getattr(model, skill) is not able:
            self._directory.learn(model, **{skill: able})

    async def after_refusal(self, call: Call, model: Model, error: AlcfError) -> Model:
        """Return the model to wait for if `error` means that it is not running; else raise it."""
        cause = error.failure if isinstance(error, StreamFailedError) else error
        shown = call.reading is not None and not call.reading.empty
        if shown or not isinstance(cause, (NotLiveError, ServiceTimeoutError)):
            raise error
        # what was seen less than a minute ago would be told again; a 408 comes after five
        late = isinstance(cause, ServiceTimeoutError)
        known = await self._directory.catalog(call.deadline, fresh=late, cluster=model.cluster)
        now = known.find(model.id, model.cluster)
        if now.state not in queue.READY:
            return now
        if isinstance(cause, ServiceTimeoutError):
            raise error  # it runs: its answer takes longer than the gateway waits
        # the queue says Live, but it is up to a minute old and the model itself says otherwise
        call.wait.presumed = True
        return replace(now, state=State.STARTING)

    def warm_up(self, route: str, model: Model) -> bool:
        """Ask for `model` to be started, in the background; False if it was asked lately."""
        body = write_json({"model": model.id, **smallest(route)})
        path = self._path(model, route)
        patience = Deadline.after(limits.BLOCKING_SECONDS + 30)
        return self._warm_ups.start(
            model, lambda: self._transport.request("POST", path, patience, body)
        )

    async def _tried(
        self, call: Call, model: Model, send: Callable[[Model], Awaitable[T]], emit: Emit
    ) -> T:
        """Send, and again after a failure that may pass, within the deadline."""

        def say(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            what = error.what if isinstance(error, AlcfError) else ""
            asked = whom(model.id, model.cluster, self._profile.name)
            emit(Status(f"{asked} · {what} Trying again."))

        def may_pass(error: BaseException) -> bool:
            shown = call.reading is not None and not call.reading.empty
            return not shown and retries.most(error) > 1

        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=retries.pause,
            stop=retries.stop(call.deadline.left()),
            before_sleep=say,
            reraise=True,
        ):
            with attempt:
                return await send(model)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _whole(
        self,
        call: Call,
        read: Callable[[Any], T],
        limit: int = MAX_ANSWER_BYTES,
        turn: Turn | None = None,
    ) -> Callable[[Model], Awaitable[T]]:
        async def send(model: Model) -> T:
            # what only a stream may ask for is refused outside one
            asked = {name: v for name, v in call.body.items() if name != "stream_options"}
            body = write_json({"model": model.id, **asked})
            began = time.monotonic()
            response = await self._transport.request(
                "POST", self._path(model, call.route), call.deadline, body, limit, turn
            )
            call.total_seconds = time.monotonic() - began
            if response.status != 200:
                raise failure(
                    response.status, response.body, response.content_type, sent_bytes=len(body)
                )
            async with self._door:
                return read(dialect.decode(response.body, response.content_type, read_json))

        return send

    async def _streamed(self, call: Call, model: Model, emit: Emit) -> dialect.Answer:
        body = write_json({"model": model.id, **call.body, "stream": True})
        call.reading = reading = dialect.AnswerStream(read_json)
        call.first_seconds = None
        began = time.monotonic()
        path = self._path(model, call.route)
        async with self._transport.stream("POST", path, call.deadline, body) as incoming:
            if incoming.status != 200 or "event-stream" not in incoming.content_type:
                answer = await _not_streamed(incoming, len(body))
                call.first_seconds = call.total_seconds = time.monotonic() - began
                emit(dialect.Piece(answer.text, answer.reasoning))
                return answer
            events = EventReader()
            gathering = Gathering(lambda: _give(reading, emit))
            incoming.gather(GATHER_SECONDS)
            try:
                async for chunk in incoming.chunks:
                    for data in events.feed(chunk):
                        reading.take(data)
                    call.total_seconds = time.monotonic() - began
                    if not reading.empty:
                        call.first_seconds = call.first_seconds or call.total_seconds
                        gathering.soon()
                    if reading.done:
                        await incoming.drain()
                        break
            finally:  # what came before a failure is shown, too
                call.total_seconds = time.monotonic() - began
                if not reading.empty:  # the first piece may have come together with the failure
                    call.first_seconds = call.first_seconds or call.total_seconds
                incoming.gather(0)
                gathering.now()
        return reading.end()

    def _path(self, model: Model, route: str) -> str:
        if self._profile.is_gateway:
            return f"{model.path}/v1/{route}"
        return f"{model.path or self._profile.path}/{route}"


async def _not_streamed(incoming: Incoming, sent_bytes: int) -> dialect.Answer:
    """Read a refusal, or the whole answer of a server that does not stream."""
    response = await incoming.read()
    if response.status != 200:
        raise failure(response.status, response.body, response.content_type, sent_bytes=sent_bytes)
    return dialect.read_chat(dialect.decode(response.body, response.content_type, read_json))


def _give(reading: dialect.AnswerStream, emit: Emit) -> None:
    if piece := reading.news():
        emit(piece)

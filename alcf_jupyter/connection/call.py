"""One request to a model, from its name to its answer: found, waited for, sent, read."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec
import tenacity

from alcf_jupyter.connection import queue
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.gathering import GATHER_SECONDS, Gathering
from alcf_jupyter.connection.incoming import MAX_ANSWER_BYTES
from alcf_jupyter.connection.meter import Meter
from alcf_jupyter.connection.warmups import WarmUps
from alcf_jupyter.errors import (
    AlcfError,
    NotLiveError,
    RateLimitError,
    RefusedError,
    ServerFailureError,
    ServiceTimeoutError,
    StreamFailedError,
    UnreachableError,
    UsageError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service import dialect, limits
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.failures import failure
from alcf_jupyter.service.model_failures import is_masked
from alcf_jupyter.service.sse import EventReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.incoming import Incoming
    from alcf_jupyter.connection.pace import Turn
    from alcf_jupyter.connection.transport import Transport
    from alcf_jupyter.service.catalog import Model

T = TypeVar("T", dialect.Answer, dialect.Vectors)

BYTES_PER_VECTOR = 200_000
"""An 8,192-d embedding written out in decimal numbers takes about this much."""

_UNABLE = {"unsupported_endpoint", "batch_unavailable"}
"""Codes of refusals that tell what a model cannot do."""


@dataclass(slots=True)
class Call:
    """What to send to a model, for how long to try, and how it went.

    Attributes
    ----------
    route
        ``"chat/completions"``, ``"completions"`` or ``"embeddings"``.
    model, cluster
        As asked for.
    body
        The request, without the model's name.
    deadline
        For everything, the queue included.
    patient
        Whether to wait for a model that is not Live.
    served
        The model as the catalog has it, once it is known.
    wait
        The states passed and the time waited for the model.
    reading
        What has arrived of a streamed answer.
    first_seconds, total_seconds
        From the sending of the request that was answered to its first piece and to its end.
    replayed
        Whether the answer came from a record.
    """

    route: str
    model: str
    cluster: str | None
    body: dict[str, Any]
    deadline: Deadline
    patient: bool = True
    served: Model | None = None
    wait: queue.Wait = field(init=False)
    reading: dialect.AnswerStream | None = None
    first_seconds: float | None = None
    total_seconds: float | None = None
    replayed: bool = False

    def __post_init__(self) -> None:
        self.wait = queue.Wait(self.deadline)


@dataclass(frozen=True, slots=True)
class Status:
    """How a call is getting on, in one line of words."""

    words: str


Emit: TypeAlias = "Callable[[Status | dialect.Piece], None]"


def read_json(data: bytes | bytearray) -> Any:
    """Read JSON fast, and what the fast reader refuses (NaN, lone surrogates) with the standard."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return json.loads(data)


def write_json(value: Any) -> bytes:
    """Return a request's body.

    Raises
    ------
    UsageError
        A text holds half a character (a lone surrogate), or a value has no JSON form.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:
        raise UsageError(
            "The text holds half a character (a lone surrogate), which cannot be sent.",
            do="Clean it first:  text.encode('utf-8', 'replace').decode()",
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"A parameter cannot be sent: {brief(error)}",
            do="Use plain numbers, strings and lists.",
        ) from None


def _plain(value: Any) -> Any:
    """Return what NumPy's numbers, texts and arrays stand for."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"it holds a {type(value).__name__}")


def smallest(route: str) -> dict[str, Any]:
    """Return the body of the smallest request of a kind: it starts a model, or tries one."""
    if route == "embeddings":
        return {"input": ["hi"], "encoding_format": "base64"}
    if route == "completions":
        return {"prompt": "hi", "max_tokens": 1}
    return {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}


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
            raise queue.not_live(model, self._directory.known)
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
        known = await self._directory.catalog(call.deadline, fresh=True, cluster=model.cluster)
        now = known.find(model.id, model.cluster)
        if now.state not in queue.READY:
            return now
        if isinstance(cause, ServiceTimeoutError):
            raise error  # it runs: its answer takes longer than the gateway waits
        # the queue says Live, but it is up to a minute old and the model itself says otherwise
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
            emit(Status(f"{model.id} @ {model.cluster} · {what} Trying again."))

        def may_pass(error: BaseException) -> bool:
            shown = call.reading is not None and not call.reading.empty
            return not shown and _tries(error) > 1

        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=_pause,
            stop=_Enough() | tenacity.stop_before_delay(call.deadline.left()),
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


def _tries(error: BaseException) -> int:
    """How often a request that failed with `error` is worth sending in all."""
    if isinstance(error, RateLimitError):
        return 6
    if isinstance(error, UnreachableError):
        return 2
    if isinstance(error, ServerFailureError) and error.status in (429, 502, 503, 504):
        return 3
    return 1


class _Enough(tenacity.stop.stop_base):
    """Stops after as many tries as the failure is worth."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return error is None or retry_state.attempt_number >= _tries(error)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: a token window is 60 s long, a request window one second."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitError):
        return 15.0 if error.scope == "tokens" else random.uniform(1.0, 1.3)  # noqa: S311
    return random.uniform(0.2, 0.6) * float(2**state.attempt_number)  # noqa: S311 - jitter

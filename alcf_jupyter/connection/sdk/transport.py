"""The OpenAI client's transport: requests carried by ours, answers read before they count."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import httpx

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.call import BYTES_PER_VECTOR, read_json, write_json
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.http.incoming import MAX_ANSWER_BYTES
from alcf_jupyter.connection.sdk import errors
from alcf_jupyter.connection.vectors import matrix
from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    NotLiveError,
    ServiceTimeoutError,
    StreamFailedError,
    UnknownModelError,
    UsageError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service import dialect, guard
from alcf_jupyter.service.catalog import Model
from alcf_jupyter.service.failures import failure

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Coroutine,
        Generator,
        Iterator,
    )

    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.http.incoming import Incoming
    from alcf_jupyter.connection.http.transport import Transport
    from alcf_jupyter.connection.meter import Meter
    from alcf_jupyter.service.dialect import Usage

_A_DAY = 86_400.0
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Head:
    """The head of an answer that is good so far."""

    content_type: str


Emit: TypeAlias = "Callable[[_Head | bytes], None]"


class Way:
    """Carries requests of an OpenAI client to one cluster, and lets only good answers back.

    Parameters
    ----------
    transport, directory
        The way to the service, and what it has.
    meter
        Counts the answers.
    base
        Path that the client's addresses start with.
    cluster
        Name of the cluster, ``""`` on a server that is no gateway.
    """

    def __init__(
        self, transport: Transport, directory: Directory, meter: Meter, base: str, cluster: str
    ) -> None:
        self._transport = transport
        self._directory = directory
        self._meter = meter
        self._base = base
        self._cluster = cluster

    def carrying(self, request: httpx.Request) -> Callable[[Emit], Coroutine[Any, Any, None]]:
        """Return what starts `carry` once there is something to emit with."""
        return lambda emit: self.carry(request, emit)

    async def carry(self, request: httpx.Request, emit: Emit) -> None:
        """Send what `request` asks, emit the head of its answer, then the bytes of its body.

        Raises
        ------
        AlcfError
            Every failure, also one that comes with success.
        """
        span = (request.extensions.get("timeout") or {}).get("read") or _A_DAY
        deadline = Deadline.after(float(span))
        route = request.url.path.removeprefix(f"{self._base}/")
        if self._cluster and request.method == "GET" and route.split("/")[0] == "models":
            listed = await self._models(unquote(route).partition("/")[2], deadline)
            emit(_Head(_JSON))
            emit(listed)
            return
        asked = _asked(request)
        try:
            await self._sent(request, route, asked, deadline, emit)
        except AlcfError as error:
            _say_how_to_wait(error, asked)
            raise

    async def _sent(
        self, request: httpx.Request, route: str, asked: Any, deadline: Deadline, emit: Emit
    ) -> None:
        body = request.content or None
        limit = MAX_ANSWER_BYTES
        if route == "embeddings":
            limit += BYTES_PER_VECTOR * guard.texts(asked)
        # the whole address: one on another host is refused by the transport, not corrected here
        address = str(request.url)
        async with self._transport.stream(request.method, address, deadline, body) as incoming:
            if incoming.status != 200:
                raise await self._refusal(incoming, len(body or b""), asked)
            if isinstance(asked, dict) and asked.get("stream"):
                count = partial(self._count, asked)
                await _streamed(incoming, route, asked, emit, count)
                return
            answer = await incoming.read(limit)
            value = dialect.decode(answer.body, answer.content_type, read_json)
            if request.method == "POST":
                guard.check_answer(route, value, asked)
            if route == "embeddings":
                _check_numbers(value)
            if isinstance(value, dict):
                self._count(asked, dialect.read_usage(value.get("usage")))
            emit(_Head(_JSON))
            emit(bytes(answer.body))

    def _count(self, asked: Any, usage: Usage) -> None:
        """Count the answer to a request that names a model."""
        name = asked.get("model") if isinstance(asked, dict) else None
        if not isinstance(name, str):
            return
        try:
            model = self._directory.known.find(name, self._cluster or None)
        except AlcfError:  # not every server lists its models
            model = Model(id=name, cluster=self._cluster)
        self._meter.add(model, usage)

    async def _refusal(self, incoming: Incoming, sent: int, asked: Any) -> AlcfError:
        answer = await incoming.read()
        error = failure(answer.status, answer.body, answer.content_type, sent_bytes=sent)
        if isinstance(error, UnknownModelError) and isinstance(asked, dict):
            try:
                # what is known of the cluster's models gives the better advice
                self._directory.known.find(str(asked.get("model")), self._cluster or None)
            except AlcfError as better:
                return better
        return error

    async def _models(self, name: str, deadline: Deadline) -> bytes:
        """Answer from the catalog: the gateway has no such route."""
        known = await self._directory.catalog(deadline)
        if name:
            return write_json(_listed(known.find(name, self._cluster)))
        here = [_listed(model) for model in known.models if model.cluster == self._cluster]
        return write_json({"object": "list", "data": here})


def _listed(model: Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": 0, "owned_by": model.cluster}


def _asked(request: httpx.Request) -> Any:
    if not request.content:
        return None
    if not request.headers.get("content-type", "").startswith(_JSON):
        raise UsageError(
            "The service takes JSON alone, no files.", do="Use chat, completions or embeddings."
        )
    return read_json(request.content)


def _say_how_to_wait(error: AlcfError, asked: Any) -> None:
    """Name the line that waits for a model that is not Live: this client waits for none."""
    cause = error.failure if isinstance(error, StreamFailedError) else error
    name = asked.get("model") if isinstance(asked, dict) else None
    if name and isinstance(cause, (NotLiveError, ServiceTimeoutError)):
        less = "Ask for less with max_tokens=, or wait"
        begin = less if isinstance(cause, ServiceTimeoutError) else "Wait"
        error.do = f"{begin} for the model:  %alcf wait {brief(name, 80)}"


def _check_numbers(value: Any) -> None:
    matrix([row.get("embedding") for row in value["data"]])


async def _streamed(
    incoming: Incoming, route: str, asked: Any, emit: Emit, count: Callable[[Usage], None]
) -> None:
    if "event-stream" not in incoming.content_type:
        answer = await incoming.read()
        value = dialect.decode(answer.body, answer.content_type, read_json)
        guard.check_answer(route, value, asked)  # a failure says more than what follows
        raise AnswerError(
            "A stream was asked for, but the answer came in one piece.",
            do="Ask again without stream=True.",
        )
    watched = guard.StreamGuard(route, read_json)
    emit(_Head(incoming.content_type))
    async for chunk in incoming.chunks:
        for good in watched.feed(chunk):
            if watched.done:  # given the last event, the client hangs up
                count(watched.usage)
            emit(good)
        if watched.done:  # some servers leave the connection open behind it
            await incoming.drain()
            break
    counted = watched.done
    rest = watched.end()
    if not counted:
        count(watched.usage)
    if rest:
        emit(rest)


class SyncTransport(httpx.BaseTransport):
    """What ``openai.OpenAI`` sends through.

    Parameters
    ----------
    way
        Carries the requests.
    """

    def __init__(self, way: Way) -> None:
        self._way = way

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, once its head has come and is good."""
        request.read()
        events = loop.events(self._way.carrying(request))
        try:
            head = next(event for event in events if event is not None)
        except AlcfError as error:
            raise errors.of(error, request) from error
        except BaseException:
            events.close()
            raise
        headers = {"content-type": getattr(head, "content_type", "")}
        return httpx.Response(200, headers=headers, stream=_SyncBody(events, request))


class _SyncBody(httpx.SyncByteStream):
    def __init__(
        self, events: Generator[_Head | bytes | None, None, None], request: httpx.Request
    ) -> None:
        self._events = events
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            for event in self._events:
                if isinstance(event, bytes):
                    yield event
        except AlcfError as error:
            raise errors.within_stream(error, self._request) from error

    def close(self) -> None:
        self._events.close()


class AsyncTransport(httpx.AsyncBaseTransport):
    """What ``openai.AsyncOpenAI`` sends through, on whatever loop it runs.

    Parameters
    ----------
    way
        Carries the requests.
    """

    def __init__(self, way: Way) -> None:
        self._way = way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, once its head has come and is good."""
        await request.aread()
        events = loop.events_for_loop(self._way.carrying(request))
        try:
            head = await anext(events)
        except AlcfError as error:
            raise errors.of(error, request) from error
        headers = {"content-type": getattr(head, "content_type", "")}
        return httpx.Response(200, headers=headers, stream=_AsyncBody(events, request))


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, events: AsyncGenerator[_Head | bytes, None], request: httpx.Request) -> None:
        self._events = events
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for event in self._events:
                if isinstance(event, bytes):
                    yield event
        except AlcfError as error:
            raise errors.within_stream(error, self._request) from error

    async def aclose(self) -> None:
        await self._events.aclose()

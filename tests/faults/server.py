"""A service on raw sockets that fails by a schedule and keeps its own count.

It speaks the gateway's dialect as far as columns need it (below ``/resource_server``), and that of
a plain OpenAI server (below ``/v1``). It reads HTTP by itself and knows nothing of the client, so
what it counts is a second opinion on what the client did.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults import answers, bodies
from tests.faults.faults import FAULTS
from tests.faults.ledger import Ledger, Sent

BASE = "/resource_server"
MAX_BODY = 2_621_440
_HEAD_BYTES = 65_536


@dataclass
class Served:
    """A model: what befalls the requests for it, and the state it is in.

    Attributes
    ----------
    faults
        The name of what befalls each request, by the order in which they come; ``""`` and all
        beyond the end: nothing.
    states
        Its state and those it will go through, one with each look at the queue; the last stays.
    on_start
        What it goes through from the first request after it went offline.
    latency
        Seconds that each answer takes, at least and at most.
    """

    faults: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["running"])
    on_start: list[str] = field(default_factory=lambda: ["queued", "starting", "running"])
    latency: tuple[float, float] = (0.0, 0.0)
    seed: int = 0
    count: int = 0
    starts: int = 0
    polls: int = 0


@dataclass
class Limits:
    """What the service refuses.

    Attributes
    ----------
    per_second
        Requests within any second, over all routes.
    tokens, window
        Tokens within a fixed window of so many seconds, of the questions and of their answers.
    clock
        What tells the time.

    Attributes
    ----------
    windows
        When each window began.
    """

    per_second: int | None = None
    tokens: int | None = None
    window: float = 60.0
    clock: Callable[[], float] = time.monotonic
    refused: int = 0
    windows: list[float] = field(default_factory=list)
    _times: deque = field(default_factory=deque)
    _used: int = 0

    def refuses(self):
        """Count a request, and tell whether it is one too many."""
        if self.per_second is None:
            return False
        now = self.clock()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        if len(self._times) >= self.per_second:
            self.refused += 1
            return True
        self._times.append(now)
        return False

    def spent(self):
        """Return the tokens used in this window where that is all there are, else None."""
        if self.tokens is None:
            return None
        now = self.clock()
        if not self.windows or now - self.windows[-1] >= self.window:
            self.windows.append(now)
            self._used = 0
        return self._used if self._used >= self.tokens else None

    def spend(self, count):
        """Count tokens."""
        self._used += count


class FaultServer:
    """Runs in a thread of its own.

    Parameters
    ----------
    models
        What each model does; one called ``m`` that never fails, unless told otherwise.
    token
        The only token that is taken; any, where it is None.

    Attributes
    ----------
    ledger
        What it was sent.
    up
        Whether ``/status`` calls the cluster up.
    resets
        The chance that a new connection is reset before anything is read.
    silent
        Whether everything but a model's answers is waited for in vain.
    page
        The refusal that everything is answered with, as by a gateway that is being worked on.
    held
        Whether requests to a model wait, once counted, until it is so no more.
    on_request
        Called with each `Sent` before it is answered: to kill the client, for example.
    """

    def __init__(self, models=None, *, token=None, limits=None, seed=0):
        self.models = models or {"m": Served()}
        self.token = token
        self.limits = limits or Limits()
        self.ledger = Ledger()
        self.up = True
        self.resets = 0.0
        self.silent = False
        self.page = ""
        self.held = False
        self.on_request = None
        self.on_answer = None
        self.dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._tasks = set()
        self._server = None
        self._place = None
        self._thread = threading.Thread(target=self._run, name="fault server", daemon=True)
        self._thread.start()
        self.port = self.do(self._open(0))

    def do(self, work):
        """Run a coroutine in the server's thread and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @property
    def url(self):
        """The base address of the gateway."""
        return f"http://127.0.0.1:{self.port}{BASE}"

    @property
    def plain(self):
        """The base address of the plain OpenAI server."""
        return f"http://127.0.0.1:{self.port}/v1"

    def refuse(self):
        """Refuse connections from now on, and end those there are."""
        self.do(self._shut())
        # who only holds the port refuses; a free one would be anybody's
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", self.port))

    def accept(self):
        """Take connections again."""
        self.do(self._open(self.port))
        self._leave_place()

    def _leave_place(self):
        if self._place is not None:
            self._place.close()
            self._place = None

    def wait_for(self, count, model=None, seconds=60):
        """Wait until so many requests have come."""
        until = time.monotonic() + seconds
        while len(self.ledger.of(model)) < count:
            assert time.monotonic() < until, f"{len(self.ledger.of(model))} of {count} came"
            time.sleep(0.005)

    def settle(self, seconds=60):
        """Wait until whoever is gone has been heard to the end: what they sent may still come."""
        # connections are taken in turn: one of our own that was heard is behind all of theirs
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as own:
            own.shutdown(socket.SHUT_WR)
            assert own.recv(1) == b""
        until = time.monotonic() + seconds
        while self._tasks:
            assert time.monotonic() < until, f"{len(self._tasks)} connections are open"
            time.sleep(0.005)

    def close(self):
        """End it, and every connection."""
        self.do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._loop.close()
        self._leave_place()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _open(self, port):
        self._server = await asyncio.start_server(
            self._connection, "127.0.0.1", port, limit=_HEAD_BYTES, backlog=1000
        )
        return self._server.sockets[0].getsockname()[1]

    async def _shut(self):
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self.ledger.connections += 1
        try:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.resets and self.dice.random() < self.resets:
                _reset(writer)
                return
            while not writer.is_closing():
                request = await _read(reader)
                if request is None:
                    break
                await self._serve(Exchange(self, reader, writer, *request))
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other end has gone, or the server ends
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _serve(self, x):
        self.ledger.asked[f"{x.method} {x.path}"] += 1
        self.ledger.asked_at.append((time.monotonic(), x.path))
        if self.limits.refuses():
            if x.method == "POST":
                with self._counted(x):
                    x.entry.fault = "429-requests"
                    await x.refuse("429-requests")
            else:
                await x.refuse("429-requests")
        elif self.token is not None and x.headers.get("authorization") != f"Bearer {self.token}":
            await x.refuse("401-expired")
        elif x.method == "POST" and x.route in ("chat/completions", "embeddings"):
            with self._counted(x):
                await self._infer(x)
        elif x.method == "GET":
            if self.silent:
                await x.hang()
            await (x.refuse(self.page) if self.page else self._get(x))
        else:
            await x.refuse("404-route")

    @contextlib.contextmanager
    def _counted(self, x):
        x.body = json.loads(x.raw)
        name = x.body.get("model")
        x.served = self.models.get(name) or Served()
        texts = tuple(answers.texts_of(x.body))
        sent = x.headers.get("authorization", "")
        x.entry = Sent(
            x.served.count,
            time.monotonic(),
            name,
            x.route,
            texts,
            {key: value for key, value in x.body.items() if key not in ("messages", "input")},
            len(x.raw),
            sent,
        )
        x.served.count += 1
        self.ledger.begins(x.entry)
        try:
            if self.on_request:
                self.on_request(x.entry)
            yield
        except (OSError, asyncio.CancelledError):
            x.entry.delivered = False
            raise
        finally:
            self.ledger.ends(x.entry)
            if self.on_answer:
                self.on_answer(x.entry)

    async def _infer(self, x):
        served, number = x.served, x.entry.number
        x.dice = random.Random(f"{served.seed}/{number}")
        while self.held:  # noqa: ASYNC110 - any thread may let it go on
            await asyncio.sleep(0.005)
        if self.page:
            x.entry.fault = self.page
            await x.refuse(self.page)
            return
        if x.entry.model not in self.models:
            await x.refuse("404-model")
            return
        if x.path.startswith(BASE) and len(x.raw) > MAX_BODY:
            await x.refuse("500-too-large")
            return
        state = served.states[0]
        if x.path.startswith(BASE) and state != "running":
            await self._not_running(x, state)
            return
        spent = self.limits.spent()
        if spent is not None:
            x.entry.fault = "429-tokens"
            told = {"global_model_usage": spent, "user_model_usage": spent}
            words = "Tokens/minute limit exceeded"
            error = {"code": "too_many_requests", "message": words, "info": told}
            await x.answer({"error": error}, 429)
            return
        name = served.faults[number] if number < len(served.faults) else ""
        if served.latency[1]:
            await asyncio.sleep(x.dice.uniform(*served.latency))
        if name and FAULTS[name].fits(x.route):
            x.entry.fault = name
            await FAULTS[name].do(x)
        else:
            right = answers.right(x.body)
            self.limits.spend(right["usage"]["total_tokens"])
            await x.answer(right)

    async def _not_running(self, x, state):
        """Answer as the gateway does for a model that is not there; the first one starts it."""
        if state == "offline":
            x.served.starts += 1
            x.served.states = list(x.served.on_start)
            x.entry.fault = "starts it"
            await x.refuse("503-offline")
        elif state in ("stopped", "maintenance"):
            name = "503-maintenance" if state == "maintenance" else "503-not-live"
            x.entry.fault = name
            await x.refuse(name)
        else:
            x.entry.fault = "503-not-ready"
            await x.refuse("503-not-ready")

    async def _get(self, x):
        if x.path == "/v1/models":
            rows = [{"id": name, "object": "model"} for name in self.models]
            await x.answer({"object": "list", "data": rows})
        elif x.path == f"{BASE}/list-endpoints":
            ends = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
            listed = [name for name, one in self.models.items() if one.states[0] != "removed"]
            offer = {"vllm": {"models": sorted(listed), "endpoints": ends}}
            sophia = {"base_url": f"{BASE}/sophia", "frameworks": offer}
            await x.answer({"clusters": {"sophia": sophia}})
        elif x.path == f"{BASE}/status":
            await x.answer({"sophia": self.up})
        elif x.path == f"{BASE}/sophia/jobs":
            await x.answer(self._jobs())
        elif x.path == f"{BASE}/whoami":
            await x.answer({"name": "Alice Example", "username": "alice@anl.gov"})
        else:
            await x.refuse("404-route")

    def _jobs(self):
        rows = {"running": [], "queued": [], "stopped": []}
        for name, served in self.models.items():
            served.polls += 1
            state = served.states[0]
            if len(served.states) > 1:
                served.states.pop(0)
            row = {"Models": name, "Framework": "vllm", "Cluster": "sophia"}
            if state in ("running", "starting", "disconnected"):
                rows["running"].append(row | {"Model Status": state, "Job State": "R"})
            elif state == "queued":
                rows["queued"].append(row | {"Model Status": "queued", "Job State": "Q"})
            elif state in ("stopped", "maintenance"):
                rows["stopped"].append(row)
        empty = {"others": [], "private_batch_running": [], "private_batch_queued": []}
        return rows | empty | {"cluster_status": {"free_nodes": 4} if self.up else {}}


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, server, reader, writer, method, path, headers, raw):
        self.server = server
        self.method, self.path, self.headers, self.raw = method, path, headers, raw
        self.route = "/".join(path.rsplit("/", 2)[-2:])
        self.route = "embeddings" if self.route.endswith("/embeddings") else self.route
        self.body = self.served = self.entry = None
        self.dice = random.Random(0)
        self._reader, self._writer = reader, writer

    @property
    def port(self):
        return self.server.port

    def head(self, length, status=200, kind="application/json", **more):
        """Return the head of an answer."""
        lines = [f"HTTP/1.1 {status} Words", f"Content-Type: {kind}"]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def send(self, data):
        """Write bytes; return when there is room for more."""
        if self._writer.is_closing():
            raise ConnectionResetError
        if self.entry:
            self.entry.bytes_out += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, value, status=200, kind="application/json", **more):
        """Write a whole answer; note where it is the right one."""
        data = value if isinstance(value, bytes) else answers.raw(value)
        if self.entry:
            self.entry.status = status
            self.server.ledger.ends(self.entry)  # whoever reads it may ask again at once
            fault = FAULTS.get(self.entry.fault)
            if status == 200 and (not self.entry.fault or (fault and fault.kind == "right")):
                self.delivers()
        await self.send(self.head(len(data), status, kind, **more) + data)

    async def refuse(self, name):
        """Write one of the gateway's refusals."""
        status, kind, body = bodies.REFUSALS[name]
        await self.answer(body, status, kind)

    def delivers(self):
        """Note that the right answer goes out now; a failure to write it takes that back."""
        self.entry.status = 200
        self.entry.delivered = True
        self.server.ledger.ends(self.entry)

    async def hang(self):
        """Say nothing more until the other end goes away."""
        await self._reader.read(1)

    def reset(self):
        """End the connection as a crash does."""
        _reset(self._writer)

    def close(self):
        """End the connection in order."""
        self._writer.close()


def _reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader):
    """Return method, path, headers and body of the next request, None where none comes."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, path, headers, body

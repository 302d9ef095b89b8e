"""A server on raw sockets that fails as it is told to, and counts what it was sent."""

import contextlib
import json
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.profiles import resolve
from alcf_jupyter.connection.sign_in.credentials import Credential

TOKEN = "canary-token-d41d8cd98f00b204"


@dataclass
class Request:
    """A request as it came: its head in full, its body, when, and on which connection."""

    method: str
    path: str
    headers: dict
    body: bytes
    at: float
    connection: int

    @property
    def json(self):
        return json.loads(self.body)


class Peer:
    """The other end of one connection."""

    def __init__(self, sock, number, stopping):
        self.sock = sock
        self.number = number
        self.open = True
        self._stopping = stopping
        self._rest = b""

    def read(self):
        """The next request, or None when there is none."""
        while b"\r\n\r\n" not in self._rest:
            if not self._more():
                return None
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._rest) < length:
            if not self._more():
                return None
        body, self._rest = self._rest[:length], self._rest[length:]
        return Request(method, path, headers, body, time.monotonic(), self.number)

    def _more(self):
        try:
            some = self.sock.recv(65_536)
        except OSError:
            some = b""
        self._rest += some
        return bool(some)

    def send(self, *parts):
        for part in parts:
            self.sock.sendall(part.encode() if isinstance(part, str) else part)

    def drip(self, data, seconds, size=1):
        """Send `size` bytes at a time with `seconds` between them, as long as anybody reads."""
        for at in range(0, len(data), size):
            if self._stopping.wait(seconds) or not self.open:
                return
            self.send(data[at : at + size])

    def hang(self):
        """Say nothing more, until the other end goes away."""
        while self.open and not self._stopping.is_set():
            readable, _, _ = select.select([self.sock], [], [], 0.05)
            if readable and not self._more():
                return

    def reset(self):
        """End the connection as a crash does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.open = False
        self.sock.close()


class FaultServer:
    """Answers each request with ``script(peer, request)``; a script that returns keeps it alive.

    Parameters
    ----------
    script
        Writes the answer.
    accept
        Called with each new connection, before anything is read.
    """

    def __init__(self, script=None, accept=None, host="127.0.0.1"):
        self.script = script
        self.accept = accept
        self.requests = []
        self.connections = 0
        self.gone = threading.Event()
        self.stopping = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=200)
        self.port = self._listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.origin = f"http://{shown}:{self.port}"
        self._threads = []
        self._peers = []
        self._start(self._listen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()
        # a bare close would leave the thread in accept()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(60)  # from here on there are no more connections
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _start(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            peer = Peer(sock, self.connections, self.stopping)
            self._peers.append(peer)
            self._start(self._serve, peer)

    def _serve(self, peer):
        # what breaks off is the test's business, in the thread that reads the answer
        with contextlib.suppress(OSError):
            if self.accept:
                self.accept(peer)
            while peer.open and (request := peer.read()):
                self.requests.append(request)
                self.script(peer, request)
        self.gone.set()
        peer.close()

    @property
    def url(self):
        """The base address of a gateway."""
        return f"{self.origin}/resource_server"

    @property
    def plain(self):
        """The base address of a plain OpenAI-compatible server."""
        return f"{self.origin}/v1"

    def to(self, end):
        """The requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(end)]

    def wait_for(self, count, end="", seconds=60):
        """Wait until so many requests have come."""
        until = time.monotonic() + seconds
        while len(self.to(end)) < count:
            assert time.monotonic() < until, f"{len(self.to(end))} of {count} requests came"
            time.sleep(0.005)

    def gave_up(self):
        """Whether a connection ends; those that are left open end with the server."""
        return self.gone.wait(60)


def head(status=200, kind="application/json", version="1.1", **more):
    lines = [f"HTTP/{version} {status} Words", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return "\r\n".join(lines) + "\r\n\r\n"


def whole(value, status=200, kind="application/json", **more):
    """A whole answer with its length."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return head(status, kind, Content_Length=len(body), **more).encode() + body


def stream_head(**more):
    return head(200, "text/event-stream", Transfer_Encoding="chunked", **more).encode()


def chunked(data, *, last=False):
    data = data.encode() if isinstance(data, str) else data
    end = b"0\r\n\r\n" if last else b""
    return (b"%x\r\n%s\r\n" % (len(data), data) if data else b"") + end


def event(text=None, finish=None, **more):
    """One event of a streamed chat."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [choice]} | more)}\n\n".encode()


DONE = b"data: [DONE]\n\n"


def chat_answer(text="hello", finish="stop", **more):
    choice = {"index": 0, "message": {"content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    return {"id": "c", "model": "served", "choices": [choice], "usage": usage} | more


def good_stream(peer, text="hello"):
    parts = [event(word) for word in text] + [event(None, "stop"), DONE]
    peer.send(stream_head(), chunked(b"".join(parts), last=True))


def gateway_error(status, code, message):
    return whole({"error": {"code": code, "message": message, "info": {}}}, status)


def jobs(running=(), starting=(), queued=(), disconnected=(), stopped=(), free_nodes=4):
    """What /jobs answers; `free_nodes` None for a cluster without a scheduler."""

    def rows(names, word):
        return [{"Models": n, "Framework": "vllm", "Model Status": word} for n in names]

    return {
        "running": [
            *rows(running, "running"),
            *rows(starting, "starting"),
            *rows(disconnected, "disconnected"),
        ],
        "queued": rows(queued, "queued"),
        "stopped": rows(stopped, "stopped"),
        "cluster_status": {} if free_nodes is None else {"free_nodes": free_nodes},
    }


@dataclass
class Gateway:
    """A scripted gateway: what it lists, and for each path what it answers.

    Attributes
    ----------
    models
        Model names by cluster.
    jobs
        The answer of ``/jobs`` by cluster, or several of them: one after the other, the last one
        for good. A function of the peer writes the answer itself.
    infer
        Answers the POST requests.
    routes
        Functions of peer and request for other paths below the base address.
    """

    models: dict = field(default_factory=lambda: {"sophia": ["m"]})
    jobs: dict = field(default_factory=lambda: {"sophia": jobs(running=["m"])})
    status: object = None
    infer: object = None
    routes: dict = field(default_factory=dict)
    asked: dict = field(default_factory=dict)
    _counting: object = field(default_factory=threading.Lock, repr=False, compare=False)

    def __call__(self, peer, request):
        path = request.path.removeprefix("/resource_server")
        with self._counting:
            count = self.asked[path] = self.asked.get(path, 0) + 1
        if path in self.routes:
            self.routes[path](peer, request)
        elif request.method == "POST":
            (self.infer or self._chat)(peer, request)
        elif path == "/list-endpoints":
            peer.send(whole({"clusters": {name: self._cluster(name) for name in self.models}}))
        elif path == "/status":
            peer.send(whole(self.status or dict.fromkeys(self.models, True)))
        elif path.endswith("/jobs"):
            self._jobs(peer, path.split("/")[1], count)
        elif path == "/whoami":
            peer.send(whole({"username": "alice"}))
        else:
            peer.send(whole(b"<html><title>Not Found</title></html>", 404, "text/html"))

    def _cluster(self, name):
        ends = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
        offer = {"models": self.models[name], "endpoints": ends}
        return {"base_url": f"/resource_server/{name}", "frameworks": {"vllm": offer}}

    def _jobs(self, peer, cluster, count):
        answer = self.jobs.get(cluster)
        if isinstance(answer, list):
            answer = answer[min(count, len(answer)) - 1]
        if callable(answer):
            answer(peer)
        elif answer is None:
            peer.send(whole(b"<html><title>Not Found</title></html>", 404, "text/html"))
        else:
            peer.send(whole(answer))

    def _chat(self, peer, request):
        if request.json.get("stream"):
            good_stream(peer)
        else:
            peer.send(whole(chat_answer()))


@contextlib.contextmanager
def serving(script=None, **options):
    """Run a fault server; a gateway unless told otherwise."""
    with FaultServer(script or Gateway(), **options) as server:
        yield server


def client_of(url, token=TOKEN, poll_seconds=0.05, **options):
    """A client of its own, past the session."""
    seconds = poll_seconds if "/resource_server" in url else None
    credential = Credential(token, "the test" if token else "no token")
    return Client(resolve(url, poll_seconds=seconds, **options), credential)


def ask(timeout="60s", model="m", **body):
    return Call(
        "chat/completions",
        model,
        None,
        {"messages": [{"role": "user", "content": "hi"}], **body},
        Deadline.after(timeout),
    )


def texts(steps):
    """Run a stream to its end: the pieces of text it gave, and its answer."""
    found = []
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return found, stop.value
        if step is not None and hasattr(step, "text"):
            found.append(step.text)

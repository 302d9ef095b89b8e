"""A server that replays fixed answers, with a latency and a quota, for benchmarks.

It runs in a process of its own, so that its time is not counted. It serves the same models as a
plain OpenAI address (``/v1``) and as a gateway (``/resource_server``), which has a queue to ask and
a pace to keep. It checks nothing but the quota, and counts what it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import functools
import json
import subprocess
import sys
import time
import urllib.request
from collections import deque
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "replay/one"
REPLY = "An answer of the usual length, which names a category and says in a sentence why. " * 5
_CLUSTER = "here"
_HEAD = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Asked(msgspec.Struct):
    """What decides the answer to a request."""

    input: list[str] | str | None = None
    encoding_format: str = "float"


_asked = msgspec.json.Decoder(Asked)


def serve(latency: float, quota: int | None, dimensions: int) -> None:
    """Print the address, and answer until standard input ends."""
    asyncio.run(_serve(Replay(latency, quota, dimensions)))


async def _serve(replay: Replay) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(replay), "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


class Replay:
    """The answers, made once and kept."""

    def __init__(self, latency: float, quota: int | None, dimensions: int) -> None:
        self.latency = latency
        self.quota = quota
        self._lately: deque[float] = deque()
        self.sent = {"answered": 0, "refused": 0}
        vectors = np.random.default_rng(1).standard_normal((2048, dimensions), np.float32)
        self._floats = vectors.tolist() if dimensions <= 1024 else []
        self._texts = [base64.b64encode(row.tobytes()).decode() for row in vectors]
        self._pages = {path: _answer(told) for path, told in _pages().items()}
        self.chat = _answer(_chat())

    def page(self, path: str) -> bytes:
        """Return what a GET gets."""
        if path == "/sent":
            return _answer(self.sent)
        return self._pages.get(path) or _answer({"detail": "Not Found"}, b"404 Not Found")

    def admits(self) -> bool:
        """Count a request, unless there were as many within a second already."""
        now = time.monotonic()
        while self._lately and self._lately[0] <= now - 1.0:
            self._lately.popleft()
        if self.quota is not None and len(self._lately) >= self.quota:
            self.sent["refused"] += 1
            return False
        self._lately.append(now)
        self.sent["answered"] += 1
        return True

    @functools.cache  # noqa: B019 - one for a process
    def embeddings(self, count: int, form: str) -> bytes:
        """Return the answer to a request with so many texts."""
        values = self._texts if form == "base64" else self._floats
        data = [
            {"object": "embedding", "index": at, "embedding": value}
            for at, value in enumerate(values[:count])
        ]
        usage = {"prompt_tokens": 12 * count, "total_tokens": 12 * count}
        return _answer({"object": "list", "model": MODEL, "data": data, "usage": usage})

    refusal = _HEAD % (b"429 Too Many Requests", 31, b'{"detail":"Too many requests."}')


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._came = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole."""
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._came[:end]).lower()
            _, _, length = head.partition(b"\r\ncontent-length:")
            body_end = end + 4 + int(length.split(b"\r\n", 1)[0] or 0)
            if len(self._came) < body_end:
                return
            path = bytes(self._came[:end]).split(b" ", 2)[1].decode()
            self._take(path, bytes(self._came[end + 4 : body_end]))
            del self._came[:body_end]

    def _take(self, path: str, body: bytes) -> None:
        replay = self._replay
        if not body:
            self._transport.write(replay.page(path))
        elif not replay.admits():
            self._transport.write(replay.refusal)
        else:
            answer = replay.chat
            if path.endswith("/embeddings"):
                asked = _asked.decode(body)
                count = len(asked.input) if isinstance(asked.input, list) else 1
                answer = replay.embeddings(count, asked.encoding_format)
            if replay.latency:
                asyncio.get_running_loop().call_later(replay.latency, self._answer, answer)
            else:
                self._transport.write(answer)

    def _answer(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _answer(told: object, status: bytes = b"200 OK") -> bytes:
    body = json.dumps(told).encode()
    return _HEAD % (status, len(body), body)


def _chat() -> dict[str, object]:
    """Return a chat's answer, with the keys and the length of vLLM's."""
    message = {"role": "assistant", "content": REPLY, "reasoning_content": None, "tool_calls": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-7ce28d03a9a94c9cacdeffff74579c53",
        "object": "chat.completion",
        "created": 1795255386,
        "model": MODEL,
        "choices": [{**choice, "stop_reason": None}],
        "usage": {"prompt_tokens": 120, "total_tokens": 200, "completion_tokens": 80},
        "prompt_logprobs": None,
    }


def _pages() -> dict[str, object]:
    """Return what the service tells of its models: one, Live."""
    row = {
        "Models": MODEL,
        "Framework": "vllm",
        "Cluster": _CLUSTER,
        "Model Status": "running",
        "Job ID": "1.pbs",
        "Job State": "R",
        "Host Name": "gpu-1/0*256",
        "Job Comments": "",
        "Nodes Reserved": "1",
        "Walltime": "12:31:07",
    }
    jobs = {"running": [row], "queued": [], "stopped": [], "others": [], "cluster_status": {}}
    routes = ["/v1/chat/completions", "/v1/embeddings"]
    listed = {
        "base_url": f"/resource_server/{_CLUSTER}",
        "frameworks": {"vllm": {"models": [MODEL], "endpoints": routes}},
    }
    gateway = "/resource_server"
    return {
        "/v1/models": {"object": "list", "data": [{"id": MODEL, "object": "model"}]},
        f"{gateway}/list-endpoints": {"clusters": {_CLUSTER: listed}},
        f"{gateway}/status": {_CLUSTER: True},
        f"{gateway}/{_CLUSTER}/jobs": jobs,
        f"{gateway}/{_CLUSTER}/models": [{"id": MODEL, "max_model_len": 32768}],
    }


@contextlib.contextmanager
def replaying(
    latency: float = 0.0, quota: int | None = None, dimensions: int = 1024
) -> Iterator[str]:
    """Run the server in a process of its own, and give its address.

    Parameters
    ----------
    latency
        Seconds from a request to its answer.
    quota
        Requests in any one second that are answered; None for all.
    dimensions
        Of an embedding.
    """
    command = [sys.executable, __file__, "--latency", str(latency)]
    command += ["--dimensions", str(dimensions)]
    command += ["--quota", str(quota)] if quota else []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def sent(origin: str) -> dict[str, int]:
    """Return how many requests a server has answered and refused so far."""
    with urllib.request.urlopen(f"{origin}/sent") as answer:
        found: dict[str, int] = json.load(answer)
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--quota", type=int)
    parser.add_argument("--dimensions", type=int, default=1024)
    given = parser.parse_args()
    serve(given.latency, given.quota, given.dimensions)

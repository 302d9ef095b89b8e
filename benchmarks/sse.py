"""What reading a streamed answer costs: microseconds of CPU time per chunk.

A server in a process of its own replays an answer of 4,096 chunks, as recorded from the gateway,
over loopback: in bursts of 20, as Sophia's relay sends them, and one by one, as Metis does. Ours is
``client.stream``, from the socket to the text in the caller's thread; it takes what comes in
portions, fifty a second at the most, which is part of what it saves. Beside it, in the same run,
stand the peer (the OpenAI SDK streaming the same answer) and the limit (httpx's raw bytes, cut at
empty lines and decoded with msgspec, and nothing else). They take turns; medians are printed.

    python benchmarks/sse.py            # about half a minute
    python benchmarks/sse.py --runs 21
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from _figures import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNKS, BURST = 4096, 20
TARGET_US = 12
PAUSES = {"bursts": 0.001, "singles": 0.0002}
"""Seconds between two sends, so that what is sent alone is read alone."""

WORDS = [
    "an",
    "exascale",
    "machine",
    "at",
    "Argonne",
    "National",
    "Laboratory",
    "with",
    "many",
    "nodes",
    "tiles",
    "and",
    "fabrics",
]


def event(word: str | None, finish: str | None = None) -> bytes:
    """Return one event, with the keys and the length of the gateway's."""
    delta = {"content": word} if word is not None else {"role": "assistant", "content": ""}
    told = {
        "id": "chatcmpl-7ce28d03a9a94c9cacdeffff74579c53",
        "object": "chat.completion.chunk",
        "created": 1795255386,
        "model": "meta-llama/Meta-Llama-3.1-8B-Instruct",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return f"data: {json.dumps(told)}\n\n".encode()


def words() -> list[str]:
    """Return the text of each chunk."""
    return [f"{WORDS[i % len(WORDS)]} " for i in range(CHUNKS - 2)]


def parts(mode: str) -> list[bytes]:
    """Return what is sent at once, as HTTP chunks."""
    events = [event(None), *map(event, words()), event("", "stop")]
    size = BURST if mode == "bursts" else 1
    sent = [b"".join(events[i : i + size]) for i in range(0, len(events), size)]
    return [b"%x\r\n%s\r\n" % (len(part), part) for part in (*sent, b"data: [DONE]\n\n")]


def serve() -> None:
    """Print the address and replay answers until standard input ends."""
    replays = {mode: parts(mode) for mode in PAUSES}
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()

    def answer(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), sock:
            while request := _request(sock):
                if request.startswith(b"GET"):
                    body = b'{"data": [{"id": "m"}]}'
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    sock.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                    continue
                sock.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n"
                )
                mode = "bursts" if b"/bursts/" in request.split(b"\r\n")[0] else "singles"
                for part in replays[mode]:
                    sock.sendall(part)
                    time.sleep(PAUSES[mode])
                sock.sendall(b"0\r\n\r\n")

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=answer, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


def _request(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        some = sock.recv(65_536)
        if not some:
            return b""
        data += some
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += sock.recv(65_536)
    return head


@contextlib.contextmanager
def replaying() -> Iterator[str]:
    """Run the server in a process of its own: its time is not counted."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def ours(url: str) -> Callable[[], str]:
    """Return what reads the answer through the package."""
    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.connection.profiles import resolve
    from alcf_jupyter.connection.sign_in.credentials import Credential
    from alcf_jupyter.service.dialect import Piece

    client = Client(resolve(url), Credential(None, "no token"))
    client.models()

    def read() -> str:
        messages = [{"role": "user", "content": "hi"}]
        call = Call("chat/completions", "m", None, {"messages": messages}, Deadline.after(60))
        return "".join(step.text for step in client.stream(call) if isinstance(step, Piece))

    return read


def peer(url: str) -> Callable[[], str]:
    """Return what reads the answer through the OpenAI SDK."""
    import openai

    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    def read() -> str:
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in answer)

    return read


def limit(url: str) -> Callable[[], str]:
    """Return what reads the bytes and decodes the JSON, checks nothing and tells nobody."""
    import httpx
    import msgspec

    client = httpx.Client(trust_env=False)
    decode = msgspec.json.Decoder().decode

    def read() -> str:
        rest, found = b"", []
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with client.stream("POST", f"{url}/chat/completions", json=body) as answer:
            for chunk in answer.iter_raw():
                *events, rest = (rest + chunk).split(b"\n\n")
                found += [
                    decode(data[6:])["choices"][0]["delta"]["content"]
                    for data in events
                    if data != b"data: [DONE]"
                ]
        return "".join(found)

    return read


READERS = {"alcf_jupyter": ours, "openai": peer, "httpx + msgspec": limit}


def measure(runs: int) -> dict[str, dict[str, float]]:
    """Return the median microseconds of CPU per chunk, by mode and reader."""
    whole = "".join(words())
    with replaying() as origin:
        found: dict[str, dict[str, list[float]]] = {}
        readers = {m: {n: make(f"{origin}/{m}/v1") for n, make in READERS.items()} for m in PAUSES}
        for _ in range(runs + 1):
            for mode, kinds in readers.items():
                for name, read in kinds.items():
                    before = time.process_time()
                    text = read()
                    spent = time.process_time() - before
                    if text != whole:
                        raise SystemExit(f"{name} read something else")
                    took = found.setdefault(mode, {}).setdefault(name, [])
                    took.append(spent / CHUNKS * 1e6)
    # the first round makes the connections and fills the caches
    return {m: {n: statistics.median(t[1:]) for n, t in k.items()} for m, k in found.items()}


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    told = arguments.parse_args()
    if told.serve:
        serve()
    figures = measure(told.runs)
    print(f"An answer of {CHUNKS:,} chunks, median of {told.runs} runs, CPU time per chunk:\n")
    print(f"{'':<18}{'in bursts of 20':>18}{'one by one':>18}")
    for name in READERS:
        columns = "".join(f"{figures[mode][name]:>15.1f} us" for mode in PAUSES)
        print(f"{name:<18}{columns}")
    print(f"{'target, bursts':<18}{'<= ' + str(TARGET_US):>15} us")
    for mode, way in (("bursts", f"in bursts of {BURST}"), ("singles", "one by one")):
        ours, peer, limit = (figures[mode][name] for name in READERS)
        target = {"target": f"<= {TARGET_US} us", "reached": ours <= TARGET_US}
        tell(
            f"reading a stream, {way}",
            ours,
            "us CPU a chunk",
            peer=(list(READERS)[1], peer),
            limit=(list(READERS)[2], limit),
            **(target if mode == "bursts" else {}),
            cases=f"{CHUNKS:,} chunks, median of {told.runs}",
        )
    for name in list(READERS)[1:]:
        ratios = "".join(
            f"{figures[mode]['alcf_jupyter'] / figures[mode][name]:>18.2f}" for mode in PAUSES
        )
        print(f"{'of ' + name:<18}{ratios}")


if __name__ == "__main__":
    main()

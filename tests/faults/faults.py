"""Everything that can befall a request, each as the bytes that go over the wire."""

import asyncio
import gzip
import math
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults import answers, bodies
from tests.faults.answers import chat, embeddings, raw, right

Do = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One thing that befalls a request.

    Attributes
    ----------
    kind
        ``right`` (the right answer comes in the end), ``wrong`` (a status 200 that is no answer),
        ``refusal``, ``broken`` (the connection), ``endless``, ``huge``, ``model``, or ``smuggled``
        (the right answer, and more than was asked for).
    only
        ``chat`` or ``embeddings`` where it cannot befall the other.
    """

    name: str
    kind: str
    do: Do
    only: str = ""

    def fits(self, route):
        """Tell whether it can befall a request to a route."""
        return not self.only or route.startswith(self.only)


FAULTS: dict[str, Fault] = {}


def fault(kind, only="", name=""):
    """Enter a function under its name."""

    def enter(do):
        title = name or do.__name__.replace("_", "-")
        assert title not in FAULTS
        FAULTS[title] = Fault(title, kind, do, only)
        return do

    return enter


# the connection


@fault("broken")
async def reset_before(x):
    x.reset()


@fault("broken")
async def closed_before(x):
    x.close()


@fault("broken")
async def reset_in_head(x):
    await x.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    x.reset()


@fault("broken")
async def reset_behind_head(x):
    await x.send(x.head(len(raw(right(x.body)))))
    x.reset()


@fault("broken")
async def reset_in_body(x):
    body = raw(right(x.body))
    await x.send(x.head(len(body)) + body[: len(body) // 2])
    x.reset()


@fault("broken")
async def closed_in_body(x):
    body = raw(right(x.body))
    await x.send(x.head(len(body)) + body[:-1])
    x.close()


@fault("broken")
async def cut_without_length(x):
    await x.send(x.head(None, connection="close") + raw(right(x.body))[:-2])
    x.close()


@fault("broken")
async def cut_in_chunk(x):
    body = raw(right(x.body))
    await x.send(x.head(None, transfer_encoding="chunked") + b"%x\r\n" % len(body) + body[:-5])
    x.close()


@fault("broken")
async def cut_before_last_chunk(x):
    # the whole JSON has come, the end of the answer has not
    await x.send(x.head(None, transfer_encoding="chunked") + chunk(raw(right(x.body))))
    x.close()


@fault("broken")
async def bad_chunk(x):
    await x.send(x.head(None, transfer_encoding="chunked") + b"zz\r\n" + raw(right(x.body)))
    x.close()


@fault("broken")
async def no_http(x):
    await x.send(b"SSH-2.0-OpenSSH_9.6\r\n")
    x.close()


@fault("broken")
async def two_lengths(x):
    body = raw(right(x.body))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: %d\r\n\r\n" % len(body)
    await x.send(head + body)
    x.close()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@fault("right")
async def split_characters(x):
    """The answer in pieces that cut characters, line ends and chunk heads in two."""
    x.delivers()
    await x.send(x.head(None, transfer_encoding="chunked"))
    body = raw(right(x.body))
    framed = b"".join(chunk(body[at : at + 7]) for at in range(0, len(body), 7)) + b"0\r\n\r\n"
    for at in range(0, len(framed), 11):
        await x.send(framed[at : at + 11])
        if at % 55 == 0:
            await asyncio.sleep(0)


@fault("right")
async def no_length(x):
    x.delivers()
    await x.send(x.head(None, connection="close") + raw(right(x.body)))
    x.close()


@fault("right")
async def early_hints(x):
    await x.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n")
    await x.answer(right(x.body))


@fault("right")
async def slow_bytes(x):
    body = raw(right(x.body))
    data = x.head(len(body)) + body
    x.delivers()
    for at in range(0, len(data), 40):
        await x.send(data[at : at + 40])
        await asyncio.sleep(0.003)


@fault("right")
async def late(x):
    await asyncio.sleep(x.dice.uniform(0.05, 0.3))
    await x.answer(right(x.body))


@fault("smuggled")
async def answered_twice(x):
    """A second answer that nobody asked for follows on the same connection, at once."""
    other = raw(_other(x.body))
    body = raw(right(x.body))
    x.delivers()
    await x.send(x.head(len(body)) + body + x.head(len(other)) + other)


def _other(body):
    """Return the right answer to another question."""
    if "messages" in body:
        return chat(body | {"messages": [{"role": "user", "content": "somebody else's question"}]})
    return embeddings(body | {"input": [f"{text} of somebody else" for text in body["input"]]})


@fault("endless")
async def half_open(x):
    await x.hang()


@fault("endless")
async def half_open_in_body(x):
    body = raw(right(x.body))
    await x.send(x.head(len(body)) + body[:-3])
    await x.hang()


@fault("endless")
async def drip(x):
    """One byte a second."""
    body = raw(right(x.body))
    for byte in x.head(len(body)) + body:
        await x.send(bytes([byte]))
        await asyncio.sleep(1.0)


@fault("endless")
async def endless_head(x):
    await x.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await x.send(b"X-More: and more\r\n")
        await asyncio.sleep(0.05)


@fault("huge")
async def gzip_bomb(x):
    """100 MB of blanks around the right answer, 100 kB on the wire."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * 1_000_000
    parts = [packer.compress(blanks) for _ in range(100)]
    body = b"".join([*parts, packer.compress(raw(right(x.body))), packer.flush()])
    await x.send(x.head(len(body), content_encoding="gzip") + body)


@fault("wrong")
async def compressed(x):
    body = gzip.compress(raw(right(x.body)))
    await x.send(x.head(len(body), content_encoding="gzip") + body)


@fault("huge")
async def long_line(x):
    """100 MB in one line of JSON."""
    await x.send(x.head(None, transfer_encoding="chunked"))
    await x.send(chunk(b'{"id": "'))
    part = chunk(b"x" * 1_000_000)
    for _ in range(100):
        await x.send(part)
    await x.send(chunk(b'"}') + b"0\r\n\r\n")


# something else answers


def _redirect(status, location):
    async def do(x):
        await x.answer(b"", status, location=location(x))

    return do


fault("refusal", name="redirect-same")(_redirect(307, lambda x: x.path))
fault("refusal", name="redirect-other")(
    _redirect(302, lambda x: f"http://localhost:{x.port}{x.path}")
)
fault("refusal", name="redirect-down")(_redirect(301, lambda x: f"http://example.invalid{x.path}"))


@fault("wrong")
async def portal(x):
    await x.answer(bodies.PORTAL, kind="text/html")


def _refuse(name):
    async def do(x):
        await x.refuse(name)

    return do


for _name in bodies.REFUSALS:
    _kind = "model" if _name in ("503-offline", "503-not-ready", "503-not-live") else "refusal"
    fault(_kind, name=_name)(_refuse(_name))


# the model goes away, and comes back


@fault("model")
async def goes_cold(x):
    x.served.states = ["offline"]
    await x.refuse("503-offline")


@fault("model")
async def starts_again(x):
    x.served.states = ["starting", "running"]
    await x.refuse("503-not-ready")


@fault("model")
async def is_disconnected(x):
    x.served.states = ["disconnected", "starting", "running"]
    await x.refuse("503-not-ready")


@fault("model")
async def is_queued(x):
    x.served.states = ["queued", "starting", "running"]
    await x.refuse("503-not-ready")


# failures dressed as success


def _value(make, only="chat", name=""):
    async def do(x):
        await x.answer(make(x.body))

    fault("wrong", only, name)(do)


_ERROR = {"object": "error", "message": "boom", "type": "BadRequestError", "param": None}
_value(lambda _: _ERROR | {"code": 400}, "", "error-object")
_value(lambda b: right(b) | {"object": "error", "message": "boom"}, "", "error-beside-answer")
_value(lambda _: {"error": {"message": "boom", "type": "x", "code": 500}}, "", "error-key")
_value(lambda b: right(b) | {"error": {"message": "boom", "code": 500}}, "", "error-key-beside")
_value(
    lambda b: chat(b, "\n\n[ERROR] Error: boom", id="chatcmpl-api-error"), name="chatcmpl-api-error"
)
_value(lambda b: chat(b, finish=None), name="finish-null")
_value(
    lambda b: chat(b) | {"choices": [{"index": 0, "message": {"content": answers.reply("x")}}]},
    name="finish-missing",
)
_value(lambda b: chat(b, finish=""), name="finish-empty")
_value(lambda b: chat(b) | {"choices": []}, name="no-choices")
_value(lambda b: chat(b) | {"choices": None}, name="choices-null")
_value(
    lambda b: (
        chat(b)
        | {
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"content": ["a", "list"]}},
            ]
        }
    ),
    name="content-list",
)
_value(lambda b: chat(b, 42), name="content-number")
_value(lambda b: {"completion": "raw text", "model": b["model"]}, "", "completion-only")
_value(lambda _: {}, "", "empty-object")
_value(lambda b: [right(b)], "", "a-list")
_value(lambda _: "a string", "", "a-string")
_value(lambda _: None, "", "a-null")
_value(lambda b: raw(right(b))[:-20], "", "json-cut")
_value(lambda _: b"", "", "nothing")
_value(lambda b: b"\xff\xfe" + raw(right(b)), "", "not-utf8")
_value(lambda _: b"[" * 100_000, "", "deep")


@fault("wrong", "chat")
async def streamed(x):
    """A stream where none was asked for, whole as it is."""
    delta = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    event = b"data: " + raw({"id": "c", "choices": [delta]}) + b"\n\ndata: [DONE]\n\n"
    await x.answer(event, kind="text/event-stream")


@fault("right", "chat")
async def cut_by_length(x):
    """The model was cut off by the limit of tokens; what it said is a truncated answer."""
    text = f"{answers.mark(answers.prompt_of(x.body))} and on and"
    await x.answer(chat(x.body, text, "length"))


_value(
    lambda b: embeddings(b) | {"data": embeddings(b)["data"][:-1]}, "embeddings", "vectors-short"
)
_value(lambda b: embeddings(b) | {"data": embeddings(b)["data"] * 2}, "embeddings", "vectors-twice")
_value(lambda b: _indexed(b, lambda _: 0), "embeddings", "vectors-one-index")
_value(lambda b: _indexed(b, lambda n: n + 1), "embeddings", "vectors-from-one")
_value(lambda b: _indexed(b, lambda n: -n), "embeddings", "vectors-negative")
_value(lambda b: _spoiled(b, math.nan), "embeddings", "vectors-nan")
_value(lambda b: _spoiled(b, math.inf), "embeddings", "vectors-infinite")
_value(lambda b: _spoiled(b, math.nan, "float"), "embeddings", "vectors-nan-float")
_value(lambda b: _spoiled(b, 1e39, "float"), "embeddings", "vectors-too-large")
_value(lambda b: embeddings(b, [[] for _ in b["input"]]), "embeddings", "vectors-empty")
_value(
    lambda b: (
        embeddings(b, [answers.vector(t, 8 + n % 2 * 3) for n, t in enumerate(b["input"])])
        if len(b["input"]) > 1
        else embeddings(b, [[]])
    ),
    "embeddings",
    "vectors-of-two-widths",
)
_value(lambda b: _raw_vectors(b, "not base64!"), "embeddings", "vectors-not-base64")
_value(lambda b: _raw_vectors(b, None), "embeddings", "vectors-null")
_value(
    lambda b: _raw_vectors(b, answers.packed([1.0], "base64")[:-3] + "A"),
    "embeddings",
    "vectors-torn",
)


def _indexed(body, index):
    answer = embeddings(body)
    rows = [one | {"index": index(place)} for place, one in enumerate(answer["data"])]
    if len(rows) == 1:
        rows[0]["index"] = 1
    return answer | {"data": rows}


def _spoiled(body, number, form=None):
    vectors = [answers.vector(text) for text in body["input"]]
    vectors[-1][3] = number
    return embeddings(body, vectors, form)


def _raw_vectors(body, value):
    answer = embeddings(body)
    rows = [*answer["data"][:-1], answer["data"][-1] | {"embedding": value}]
    return answer | {"data": rows}


@fault("right", "embeddings")
async def shuffled(x):
    """The vectors in another order, each with its index."""
    answer = embeddings(x.body)
    x.dice.shuffle(answer["data"])
    await x.answer(answer)


@fault("right", "embeddings")
async def in_numbers(x):
    """Decimal numbers, though base64 was asked for."""
    await x.answer(embeddings(x.body, form="float"))

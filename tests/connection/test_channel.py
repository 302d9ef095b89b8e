"""HTTP/1.1 as it comes from servers of every kind: good, old, odd, slow and hostile."""

import asyncio
import hashlib
import threading
import time
import tracemalloc
from contextlib import asynccontextmanager

import pytest

from alcf_jupyter.connection.http import wire
from alcf_jupyter.connection.http.channel import Channel, Request
from alcf_jupyter.connection.http.incoming import Incoming
from alcf_jupyter.connection.http.wire import BrokenError
from alcf_jupyter.errors import AnswerError
from tests.connection.faultserver import TOKEN, chunked, head, serving, stream_head, whole

HELLO = b"hello, you there"


@asynccontextmanager
async def opened(server, **more):
    channel = Channel(await wire.connect("127.0.0.1", server.port), **more)
    try:
        yield channel
    finally:
        channel.wire.abort()


async def exchange(channel, method="GET", body=None, path="/x"):
    answer = await channel.ask(Request(method, path, {"Host": "the.test"}, body))
    return answer, b"".join([part async for part in channel.parts()])


def ask(script, method="GET", body=None):
    """Ask a scripted server once: the head, the body, and whether the connection may be kept."""

    async def story(server):
        async with opened(server) as channel, asyncio.timeout(60):
            answer, told = await exchange(channel, method, body)
            return answer, told, channel.is_free

    with serving(script) as server:
        return asyncio.run(story(server))


def sending(*parts, close=False):
    def script(peer, _request):
        for part in parts:
            peer.send(part)
            time.sleep(0.01)
        if close:
            peer.close()

    return script


TRAILED = stream_head() + chunked(HELLO[:7]) + chunked(HELLO[7:]) + b"0\r\nChecksum: 1\r\n\r\n"

GOOD = {
    "with its length": (sending(whole(HELLO)), True),
    "with its head in two": (sending(whole(HELLO)[:20], whole(HELLO)[20:]), True),
    "with its end of head in two": (
        sending(whole(HELLO).replace(HELLO, b"")[:-1], b"\n" + HELLO),
        True,
    ),
    "after a hundred": (sending(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(HELLO)), True),
    "after hints, one by one": (
        sending(*[b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"] * 3, whole(HELLO)),
        True,
    ),
    "byte by byte": (lambda peer, _: peer.drip(whole(HELLO), 0.0005), True),
    "in chunks, byte by byte": (lambda peer, _: peer.drip(TRAILED, 0.0005), True),
    "in chunks with trailers": (sending(TRAILED), True),
    "up to its end": (sending(head(), HELLO, close=True), False),
    "of an old kind": (sending(head(version="1.0"), HELLO, close=True), False),
    "with bare line ends": (sending(whole(HELLO).replace(b"\r\n", b"\n")), True),
    "and told to be the last": (sending(whole(HELLO, Connection="close")), False),
    "with its length told twice": (
        sending(head(Content_Length=f"{len(HELLO)}, {len(HELLO)}"), HELLO),
        True,
    ),
    "with two ways to find its end": (
        sending(stream_head(Content_Length=5) + TRAILED[len(stream_head()) :]),
        False,
    ),
}


@pytest.mark.parametrize("how", GOOD)
def test_a_good_answer(how):
    script, free = GOOD[how]
    answer, body, is_free = ask(script)
    assert (answer.status_code, body) == (200, HELLO)
    assert is_free is free


BAD = {
    "closed before it": (lambda peer, _: peer.close(), "without an answer"),
    "closed after a hundred": (
        sending(b"HTTP/1.1 100 Continue\r\n\r\n", close=True),
        "without an answer",
    ),
    "closed within its head": (sending(whole(HELLO)[:30], close=True), "without an answer"),
    "closed within its body": (sending(whole(HELLO)[:-4], close=True), "12 of 16 bytes"),
    "reset within its body": (
        lambda peer, _: (peer.send(whole(HELLO)[:-4]), time.sleep(0.05), peer.reset()),
        "reset",
    ),
    "closed within a chunk": (sending(stream_head(), "9\r\nhel", close=True), "incomplete"),
    "closed before the last chunk": (sending(TRAILED[:-25], close=True), "incomplete"),
    "a chunk longer than told": (sending(stream_head(), b"2\r\nabcd\r\n0\r\n\r\n"), "chunk"),
    "a chunk without a length": (sending(stream_head(), b"-1\r\nab\r\n"), "chunk"),
    "a chunk with an endless length": (sending(stream_head(), b"1" * 200_000), "long"),
    "endless trailers": (sending(stream_head(), b"0\r\n", b"X: y\r\n" * 50_000), "long"),
    "an endless header": (sending(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500_000), "long"),
    "endless headers": (sending(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000), "long"),
    "two lengths": (sending(head(Content_Length="2, 3"), "{}"), "Content-Length"),
    "two lengths apart": (
        sending("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        "Content-Length",
    ),
    "a length below nothing": (sending(head(Content_Length="-2"), "{}"), "Content-Length"),
    "a length of another kind": (sending(head(Content_Length="0x2"), "{}"), "Content-Length"),
    "an astronomic length": (sending(head(Content_Length="9" * 5000), "{}"), "Content-Length"),
    "an unknown coding": (sending(head(Transfer_Encoding="gzip"), "{}"), "Transfer-Encoding"),
    "a folded status": (sending(b"HTTP/1.1\r\n 200 OK\r\n\r\n"), "status line"),
    "a header without a name": (sending(b"HTTP/1.1 200 OK\r\n: x\r\n\r\n"), "header"),
    "a header with a zero": (sending(b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n"), "header"),
    "another protocol": (sending(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "status line"),
    "a switch nobody proposed": (
        sending(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
        "SWITCH",
    ),
}


@pytest.mark.parametrize("how", BAD)
def test_what_is_no_answer_is_told(how):
    script, words = BAD[how]
    with pytest.raises(BrokenError, match=f"(?i){words}"):
        ask(script)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_that_has_no_body_has_none(status, method):
    answer, body, free = ask(sending(head(status, Content_Length=99)), method)
    assert (answer.status_code, body, free) == (status, b"", True)


def test_of_an_answer_to_head_the_length_is_that_of_another():
    assert ask(sending(head(Content_Length=99)), "HEAD")[1:] == (b"", True)


def test_what_is_sent():
    async def story(server):
        async with opened(server, prefix="http://far.test", headers={"Proxy-X": "y"}) as channel:
            await exchange(channel, "POST", b"{}", "/a?b=c")
            await exchange(channel, "POST")
            await exchange(channel)

    with serving(lambda peer, _: peer.send(whole({}))) as server:
        asyncio.run(story(server))
        first, second, third = server.requests
    assert (first.method, first.path, first.body) == ("POST", "http://far.test/a?b=c", b"{}")
    assert first.headers == {"proxy-x": "y", "host": "the.test", "content-length": "2"}
    assert second.headers["content-length"] == "0"
    assert "content-length" not in third.headers


@pytest.mark.parametrize("value", ["a\r\nX: smuggled", "a\nb", "a\x00b"])
def test_no_value_makes_a_header_of_its_own(value):
    async def story(server):
        async with opened(server) as channel:
            request = Request("GET", "/x", {"Host": "the.test", "Authorization": value})
            with pytest.raises(BrokenError):
                await channel.ask(request)

    with serving() as server:
        asyncio.run(story(server))
    assert server.requests == []


def test_a_request_shows_neither_its_token_nor_its_prompt():
    request = Request("POST", "/x", {"Authorization": f"Bearer {TOKEN}"}, b"prompt")
    assert repr(request) == "Request(method='POST', target='/x')"


def test_the_moment_a_request_has_left_is_told():
    left, told = threading.Event(), []

    async def story(server):
        async with opened(server) as channel:
            await channel.ask(Request("GET", "/x", {"Host": "x"}), left.set)

    def late(peer, _request):
        told.append(left.wait(20))
        peer.send(whole({}))

    with serving(late) as server:
        asyncio.run(story(server))
    assert told == [True], "before there is an answer"


def test_a_flood_of_informational_answers_leaves_the_loop_its_turn():
    def flood(peer, _request):
        while True:
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000)

    async def story(server):
        async with opened(server) as channel:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(exchange(channel), 0.5)

    with serving(flood) as server:
        began = time.monotonic()
        asyncio.run(story(server))
        assert time.monotonic() - began < 30, "the flood itself has no end"


def test_a_refusal_before_the_request_is_read_is_heard():
    def refuse(peer):
        peer.send(whole({"why": "too large"}, 413))
        peer._stopping.wait(60)

    async def story(server):
        async with opened(server) as channel:
            answer, body = await asyncio.wait_for(exchange(channel, "POST", b"x" * 30_000_000), 60)
            assert (answer.status_code, body) == (413, b'{"why": "too large"}')
            assert not channel.is_free

    with serving(accept=refuse) as server:
        asyncio.run(story(server))
        server.stopping.set()


SIZES = [0, 1, 65_000, 66_000, 4_194_303, 4_194_304, 4_194_305, 9_000_000]


@pytest.mark.parametrize("how", ["with its length", "in chunks"])
def test_a_body_arrives_whole_and_no_more_of_it_than_is_wanted(how):
    def body_of(size):
        return (bytes(range(251)) * (size // 251 + 1))[:size]

    def script(peer, request):
        body = body_of(int(request.path[1:]))
        peer.send(whole(body) if how == "with its length" else in_chunks(body))

    def in_chunks(body):
        parts = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
        return stream_head() + b"".join(map(chunked, parts)) + b"0\r\n\r\n"

    async def story(server):
        async with opened(server) as channel:
            for size in SIZES:
                await channel.ask(Request("GET", f"/{size}", {"Host": "x"}))
                told = await channel.body(9_000_000)
                assert hashlib.sha256(told).digest() == hashlib.sha256(body_of(size)).digest()
                assert channel.is_free
            await channel.ask(Request("GET", "/9000000", {"Host": "x"}))
            assert 8_999_999 < len(await channel.body(8_999_999)) <= 9_000_000
            assert not channel.is_free

    with serving(script) as server:
        asyncio.run(story(server))
        assert server.connections == 1


def test_no_memory_is_taken_for_what_is_only_announced():
    async def story(server):
        async with opened(server) as channel:
            await channel.ask(Request("GET", "/x", {"Host": "x"}))
            with pytest.raises(BrokenError, match="2 of 400,000,000 bytes"):
                await channel.body(500_000_000)

    with serving(sending(head(Content_Length=400_000_000), b"{}", close=True)) as server:
        tracemalloc.start()
        try:
            asyncio.run(story(server))
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()


def test_an_answer_that_is_told_to_be_too_long_is_not_read():
    async def story(server):
        async with opened(server) as channel:
            answer = await channel.ask(Request("GET", "/x", {"Host": "x"}))
            incoming = Incoming(answer, channel, lambda _: None)
            with pytest.raises(AnswerError, match="longer than 1,000 bytes"):
                await asyncio.wait_for(incoming.read(1_000), 20)

    with serving(sending(head(Content_Length=1_001), b"{}")) as server:
        asyncio.run(story(server))


def test_no_chunk_is_lost_where_the_next_one_is_bad():
    async def story(server):
        async with opened(server) as channel:
            await channel.ask(Request("GET", "/x", {"Host": "x"}))
            parts = channel.parts()
            assert await anext(parts) == b"hello"
            with pytest.raises(BrokenError):
                await anext(parts)

    with serving(lambda peer, _: peer.send(stream_head(), b"5\r\nhello\r\nzz\r\n")) as server:
        asyncio.run(story(server))

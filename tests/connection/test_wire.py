"""The bytes of one connection: all of them, in order, held up and ended as they should be."""

import asyncio
import hashlib
import threading
import time
from contextlib import asynccontextmanager

import pytest

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.gathering import GATHER_SECONDS, Gathering
from alcf_jupyter.connection.http import wire
from tests.connection.faultserver import (
    DONE,
    Gateway,
    ask,
    chunked,
    client_of,
    event,
    serving,
    stream_head,
    texts,
    whole,
)
from tests.connection.stopwatch import stopwatch


def connections(client):
    """Return the connections of a client that wait for the next request."""
    (kept,) = client._transport._connections.values()
    return [channel.wire for _, channel in kept._idle]


@asynccontextmanager
async def connected(port):
    stream = await wire.connect("127.0.0.1", port)
    try:
        yield stream
    finally:
        stream.abort()


def test_every_byte_arrives_in_order():
    sent = hashlib.sha256()

    def flood(peer, _request):
        peer.send(stream_head().replace(b"text/event-stream", b"application/json"))
        for number in range(300):
            part = b"[%d]" % number + b"x" * (number * 331 % 70_001)
            sent.update(part)
            peer.send(chunked(part))
        peer.send(chunked(b"", last=True))

    async def read(transport, deadline):
        async with transport.stream("GET", "/flood", deadline) as incoming:
            got = hashlib.sha256()
            async for part in incoming.chunks:
                got.update(part)
                if len(part) % 7 == 0:
                    await asyncio.sleep(0.001)  # a reader that is slower than the server
            return got.hexdigest()

    with serving(flood) as server:
        client = client_of(server.url)
        found = loop.run(read(client._transport, ask().deadline))
    assert found == sent.hexdigest()


def test_who_does_not_read_holds_the_server_up():
    """What waits to be read is bounded, however much the server sends."""
    sent = []

    def flood(peer, _request):
        peer.send(stream_head())
        for _ in range(400):
            peer.send(chunked(b": nothing\n\n" + b" " * 100_000))
            sent.append(100_000)

    async def read(transport, deadline):
        async with transport.stream("GET", "/flood", deadline) as incoming:
            parts = aiter(incoming.chunks)
            await anext(parts)
            await asyncio.sleep(0.7)
            held = sum(sent)
            for _ in range(2000):
                await anext(parts)
                if sum(sent) > held + 10_000_000:
                    return held
        return None

    with serving(flood) as server:
        held = loop.run(read(client_of(server.url)._transport, ask().deadline))
    assert held is not None, "reading on lets the server go on"
    assert held < 15_000_000


def test_a_large_request_to_a_slow_reader():
    """Writing waits for room, and a deadline ends that wait, too."""

    def slowly(peer, request):
        peer.send(whole({"length": len(request.body)}))

    body = b'"' + b"x" * 2_000_000 + b'"'
    with serving(slowly) as server:
        transport = client_of(server.url)._transport
        answer = loop.run(transport.request("POST", "/x", ask().deadline, body))
        assert answer.body == b'{"length": %d}' % len(body)

    def never(peer):
        peer._stopping.wait(60)

    with serving(lambda *_: None, accept=never) as server:
        transport = client_of(server.plain, token=None)._transport
        body = b"x" * 30_000_000
        with stopwatch() as seconds:
            with pytest.raises(Exception, match="have passed"):
                loop.run(transport.request("POST", "/x", ask(timeout=0.5).deadline, body))
            assert seconds() < 1.5
        server.stopping.set()


def test_an_idle_connection_that_was_closed_is_not_used_again():
    for how in ("close", "reset"):

        def once(peer, _request, how=how):
            peer.send(whole({"username": "alice"}))
            time.sleep(0.02)
            getattr(peer, how)()

        with serving(Gateway(routes={"/whoami": once})) as server:
            client = client_of(server.url)
            for _ in range(3):
                assert client.whoami() == {"username": "alice"}
                assert server.gave_up()
                server.gone.clear()
                time.sleep(0.1)
            assert server.connections == 3


def test_what_nobody_asked_for_ends_a_connection():
    """Bytes that come on an idle connection are no answer to the next request."""

    said = threading.Event()

    def twice(peer, _request):
        peer.send(whole({"username": "alice"}))
        time.sleep(0.05)
        peer.send(whole({"username": "mallory"}))
        said.set()

    with serving(Gateway(routes={"/whoami": twice})) as server:
        client = client_of(server.url)
        for _ in range(3):
            assert client.whoami() == {"username": "alice"}
            assert said.wait(60)
            said.clear()
            time.sleep(0.1)
        assert server.connections == 3


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid"])
def test_a_host_that_is_none(host):
    async def connect():
        with pytest.raises(wire.BrokenError):
            await wire.connect(host, 80)

    asyncio.run(connect())


def test_what_is_closed_is_said_to_be():
    async def story(server):
        async with connected(server.port) as stream:
            assert stream.is_quiet
        assert not stream.is_quiet
        await asyncio.sleep(0)
        assert await stream.read() == b""
        with pytest.raises(wire.BrokenError, match="closed"):
            await stream.write(b"x")
        stream.close()
        stream.abort()

    with serving() as server:
        asyncio.run(story(server))


def test_what_was_read_too_far_is_read_again():
    async def story(server):
        async with connected(server.port) as stream:
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            first = await stream.read(10)
            stream.unread(first[4:])
            stream.unread(b"")
            assert not stream.is_quiet
            assert first + await stream.read(3) == b"0123456789456"
            assert await stream.read() == b"789"
            assert stream.is_quiet

    with serving(lambda peer, _: peer.send(b"0123456789")) as server:
        asyncio.run(story(server))


def test_who_writes_hears_an_answer_that_comes_early():
    """A server that refuses a large request may not read it to its end."""

    def refuse(peer):
        peer.send(b"no")
        peer._stopping.wait(60)

    async def story(server):
        async with connected(server.port) as stream:
            async with asyncio.timeout(30):
                await stream.write(b"x" * 30_000_000)
                assert await stream.read() == b"no"
            assert not stream.is_quiet, "not all of the request has left"

    with serving(accept=refuse) as server:
        asyncio.run(story(server))
        server.stopping.set()


def test_pieces_that_follow_closely_come_together():
    """The first at once, no more than fifty times a second, and none waits for the next one."""
    letters = "".join(chr(97 + i % 26) for i in range(300))
    arrived, came = threading.Event(), []

    def quickly(peer, _request):
        peer.send(stream_head())
        for number, letter in enumerate(letters, 1):
            peer.send(chunked(event(letter)))
            time.sleep(0.001)
            if number % 50 == 0:
                came.append(arrived.wait(20))
                arrived.clear()
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(Gateway(infer=quickly)) as server:
        client = client_of(server.url)
        client.models()
        call, found, began = ask(), [], time.monotonic()
        for step in client.stream(call):
            if hasattr(step, "text"):
                found.append(step.text)
                if len("".join(found)) % 50 == 0:
                    arrived.set()
        took = time.monotonic() - began
        assert "".join(found) == letters
        assert came == [True] * 6
        assert len(found) <= took / GATHER_SECONDS + 3
        assert call.first_seconds < call.total_seconds


def test_a_piece_alone_is_not_held_back():
    seen, came = threading.Event(), []

    def slowly(peer, _request):
        peer.send(stream_head())
        for letter in "ab":
            peer.send(chunked(event(letter)))
            came.append(seen.wait(20))
            seen.clear()
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(Gateway(infer=slowly)) as server:
        client, found = client_of(server.url), []
        client.models()
        for step in client.stream(ask()):
            if hasattr(step, "text"):
                found.append(step.text)
                seen.set()
        assert found == ["a", "b"]
        assert came == [True, True]


def test_gathering():
    async def story():
        given = []
        gathering = Gathering(lambda: given.append(time.monotonic()))
        gathering.soon()
        assert given == []
        await asyncio.sleep(0)
        assert len(given) == 1
        for _ in range(5):
            gathering.soon()
        assert len(given) == 1
        await asyncio.sleep(3 * GATHER_SECONDS)
        assert len(given) == 2
        assert given[1] - given[0] >= GATHER_SECONDS - 0.001
        gathering.soon()
        gathering.now()
        await asyncio.sleep(2 * GATHER_SECONDS)
        assert len(given) == 3, "the timer that was set is off"

    asyncio.run(story())


def test_what_comes_closely_is_taken_in_portions():
    """The first at once, then what a while has gathered; switched off, everything as it comes."""

    taken = threading.Semaphore(0)

    def steadily(waited_for):
        def send(peer, _request):
            for number in range(100):
                peer.send(b"0123456789")
                if number < waited_for:
                    taken.acquire(timeout=20)
                else:
                    time.sleep(0.001)
            peer.close()

        return send

    async def story(port, seconds):
        async with connected(port) as stream:
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            stream.gather(seconds)
            parts, began = [], time.monotonic()
            while part := await stream.read(65_536):
                parts.append(part)
                taken.release()
        return parts, time.monotonic() - began

    with serving(steadily(100)) as server:
        parts, _ = asyncio.run(story(server.port, 0))
        assert parts == [b"0123456789"] * 100
        server.script = steadily(1)
        parts, took = asyncio.run(story(server.port, 0.04))
        assert b"".join(parts) == b"0123456789" * 100
        assert len(parts) <= took / 0.04 + 2
        assert len(parts[0]) == 10, "the first was not waited for"


def in_parts(count, size, *, cut=0, half=lambda: None):
    """A server that sends so many parts one by one, and may close before the last ones."""

    def answer(peer, _request):
        for number in range(count - cut):
            if number == count // 2:
                half()
            peer.send(b"x" * size)
            time.sleep(0.001)
        if cut:
            peer.close()

    return answer


def test_what_is_of_known_length_is_received_in_its_place():
    """What was read too far comes first, and what comes too much is kept apart."""

    async def story(port):
        async with connected(port) as stream:
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            begun = await stream.read(300)
            stream.unread(begun)
            place = bytearray(49_500)
            async with asyncio.timeout(20):
                assert await stream.fill(memoryview(place)) == 49_500
                assert place == b"x" * 49_500
                assert await stream.fill(memoryview(bytearray())) == 0
                rest = b""
                while len(rest) < 500:
                    rest += await stream.read()
            assert rest == b"x" * 500
            assert stream.is_quiet

    with serving(in_parts(50, 1_000)) as server:
        asyncio.run(story(server.port))


def test_what_is_announced_and_never_comes_is_not_waited_for():
    async def story(port):
        async with connected(port) as stream:
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await stream.fill(memoryview(bytearray(10_000))) == 3_000
            assert await stream.read() == b""

    with serving(in_parts(10, 1_000, cut=7)) as server:
        asyncio.run(asyncio.wait_for(story(server.port), 20))


def test_who_gives_up_gets_nothing_more_in_its_place():
    async def story(port):
        async with connected(port) as stream:
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            place = bytearray(50_000)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.fill(memoryview(place)), 0.01)
            left.set()
            given_up = bytes(place)
            await asyncio.sleep(0.1)
            assert given_up == place

    left = threading.Event()
    with serving(in_parts(50, 1_000, half=lambda: left.wait(60))) as server:
        asyncio.run(story(server.port))


def test_a_long_answer_wakes_its_reader_few_times(monkeypatch):
    reads = []
    read = wire.Wire.read

    async def counted(self, *args, **kwargs):
        found = await read(self, *args, **kwargs)
        reads.append(len(found))
        return found

    monkeypatch.setattr(wire.Wire, "read", counted)

    def slowly(peer, _request):
        answer = whole({"username": "a" * 500_000})
        for at in range(0, len(answer), 10_000):
            peer.send(answer[at : at + 10_000])
            time.sleep(0.0005)

    with serving(Gateway(routes={"/whoami": slowly})) as server:
        client = client_of(server.url)
        for _ in range(3):
            assert len(client.whoami()["username"]) == 500_000
    assert len(reads) <= 3 * 3


def test_a_request_after_a_stream_is_not_slowed():
    with serving() as server:
        client = client_of(server.url)
        client.models()
        texts(client.stream(ask()))
        used = connections(client)
        assert used
        assert all(one._gather_seconds == 0 for one in used)
        assert client.whoami() == {"username": "alice"}


def test_two_streams_at_once_do_not_mix():
    def named(peer, request):
        name = request.json["messages"][0]["content"]
        peer.send(stream_head())
        for _ in range(50):
            peer.send(chunked(event(name)))
            time.sleep(0.002)
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(Gateway(infer=named)) as server:
        client = client_of(server.url)
        client.models()
        calls = [ask() for _ in range(4)]
        for number, call in enumerate(calls):
            call.body["messages"] = [{"role": "user", "content": str(number)}]
        steps = [client.stream(call) for call in calls]
        for one in steps:
            next(one)
        for number, one in enumerate(steps):
            pieces, answer = texts(one)
            assert set(answer.text) == {str(number)}
            assert set("".join(pieces)) <= {str(number)}
            assert len(answer.text) == 50

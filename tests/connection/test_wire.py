"""The bytes of one connection: all of them, in order, held up and ended as they should be."""

import asyncio
import hashlib
import time

import httpcore
import httpx
import pytest

from alcf_jupyter.connection import loop, wire
from alcf_jupyter.connection.gathering import GATHER_SECONDS, Gathering
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


def connections(client):
    """Return the connections of a client, as httpcore has them."""
    (kept,) = client._transport._connections.values()
    return [one for carrier in kept._all for one in carrier._pool.connections]


def test_it_is_what_carries_the_requests():
    """httpx has no option for it; this notices when its inside has changed."""
    with serving() as server:
        client = client_of(server.url)
        client.whoami()
        (connection,) = connections(client)
        stream = connection._connection._network_stream
        assert isinstance(stream, wire.Wire)
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        assert stream.get_extra_info("client_addr")[0] == "127.0.0.1"
        assert stream.get_extra_info("ssl_object") is None
        assert stream.get_extra_info("is_readable") is False


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
        peer._stopping.wait(5)

    with serving(lambda *_: None, accept=never) as server:
        transport = client_of(server.plain, token=None)._transport
        body = b"x" * 30_000_000
        began = time.monotonic()
        with pytest.raises(Exception, match="have passed"):
            loop.run(transport.request("POST", "/x", ask(timeout=0.5).deadline, body))
        assert time.monotonic() - began < 1.5
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
                time.sleep(0.1)
            assert server.connections == 3


def test_what_nobody_asked_for_ends_a_connection():
    """Bytes that come on an idle connection are no answer to the next request."""

    def twice(peer, _request):
        peer.send(whole({"username": "alice"}))
        time.sleep(0.05)
        peer.send(whole({"username": "mallory"}))

    with serving(Gateway(routes={"/whoami": twice})) as server:
        client = client_of(server.url)
        for _ in range(3):
            assert client.whoami() == {"username": "alice"}
            time.sleep(0.15)
        assert server.connections == 3


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".invalid"])
def test_a_host_that_is_none(host):
    async def connect():
        with pytest.raises(httpcore.ConnectError):
            await wire.Network().connect_tcp(host, 80, timeout=5)

    asyncio.run(connect())


def test_time_limits_of_httpcore_hold():
    async def story(server):
        stream = await wire.Network().connect_tcp("127.0.0.1", server.port, timeout=5)
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(100, timeout=0.05)
        await stream.write(b"")
        await stream.aclose()
        assert await stream.read(100) == b""
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"x")
        await wire.Network().sleep(0)

    with serving() as server:
        asyncio.run(story(server))


def test_a_transport_of_httpx_of_any_kind_takes_it():
    for proxy in (None, "http://127.0.0.1:1"):
        carrier = wire.swift(httpx.AsyncHTTPTransport(proxy=proxy, trust_env=False))
        assert isinstance(carrier._pool._network_backend, wire.Network)


def test_pieces_that_follow_closely_come_together():
    """The first at once, no more than fifty times a second, and never late."""
    letters = "".join(chr(97 + i % 26) for i in range(300))

    def quickly(peer, _request):
        peer.send(stream_head())
        for letter in letters:
            peer.send(chunked(event(letter)))
            time.sleep(0.001)
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(Gateway(infer=quickly)) as server:
        client, times = client_of(server.url), []
        client.models()
        call, found = ask(), []
        for step in client.stream(call):
            if hasattr(step, "text"):
                times.append(time.monotonic())
                found.append(step.text)
        assert "".join(found) == letters
        assert len(found) < (times[-1] - times[0]) / GATHER_SECONDS * 1.3 + 3
        assert len(found) > 5
        assert call.first_seconds < call.total_seconds


def test_a_piece_alone_is_not_held_back():
    def slowly(peer, _request):
        peer.send(stream_head())
        for letter in "ab":
            peer.send(chunked(event(letter)))
            time.sleep(0.3)
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(Gateway(infer=slowly)) as server:
        client = client_of(server.url)
        client.models()
        times = [time.monotonic() for step in client.stream(ask()) if hasattr(step, "text")]
        assert len(times) == 2
        assert 0.2 < times[1] - times[0] < 0.6


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

    def steadily(peer, _request):
        for _ in range(100):
            peer.send(b"0123456789")
            time.sleep(0.001)
        peer.close()

    async def story(port, seconds):
        stream = await wire.Network().connect_tcp("127.0.0.1", port)
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        stream.gather(seconds)
        parts, times = [], []
        while part := await stream.read(65_536):
            parts.append(part)
            times.append(time.monotonic())
        await stream.aclose()
        return parts, times

    with serving(steadily) as server:
        parts, _ = asyncio.run(story(server.port, 0))
        assert b"".join(parts) == b"0123456789" * 100
        assert len(parts) > 20
        parts, times = asyncio.run(story(server.port, 0.04))
        assert b"".join(parts) == b"0123456789" * 100
        assert len(parts) <= (times[-1] - times[0]) / 0.04 + 2
        assert len(parts[0]) < 200, "the first was not waited for"


def in_parts(count, size, *, cut=0):
    """A server that sends so many parts one by one, and may close before the last ones."""

    def answer(peer, _request):
        for _ in range(count - cut):
            peer.send(b"x" * size)
            time.sleep(0.001)
        if cut:
            peer.close()

    return answer


@pytest.mark.parametrize(("count", "size", "most"), [(50, 1_000, 2), (60, 100_000, 12)])
def test_what_is_expected_is_waited_for_in_one_go(count, size, most):
    """As long as no more waits than may."""

    async def story(port):
        stream = await wire.Network().connect_tcp("127.0.0.1", port)
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        stream.expect(count * size)
        parts = []
        while sum(map(len, parts)) < count * size:
            parts.append(await stream.read(2 * wire.HIGH_BYTES))
        assert len(parts) <= most
        await stream.aclose()

    with serving(in_parts(count, size)) as server:
        asyncio.run(asyncio.wait_for(story(server.port), 20))


def test_what_is_expected_and_never_comes_is_not_waited_for():
    async def story(port):
        stream = await wire.Network().connect_tcp("127.0.0.1", port)
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        stream.expect(10_000)
        assert len(await stream.read(100_000)) == 3_000
        assert await stream.read(100_000) == b""
        await stream.aclose()

    with serving(in_parts(10, 1_000, cut=7)) as server:
        asyncio.run(asyncio.wait_for(story(server.port), 20))


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
        assert all(one._connection._network_stream._gather_seconds == 0 for one in used)
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

"""Connections are used again, the last one first; idle ones are closed; and so many at once."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from alcf_jupyter.connection.http import connections
from alcf_jupyter.connection.http.channel import Request
from alcf_jupyter.connection.http.connections import Connections
from alcf_jupyter.connection.http.dialer import Dialer
from alcf_jupyter.connection.http.wire import BrokenError
from tests.connection.faultserver import chunked, head, serving, stream_head, whole


def kept_for(server, most):
    return Connections(Dialer(server.origin).dial, most)


def asking(kept, path="/x"):
    return kept.ask(Request("GET", path, {"Host": "the.test"}))


def script(gate=None):
    peers = []

    def answer(peer, _request):
        peers.append(peer)
        if gate is not None:
            gate(len(peers))
        peer.send(whole({"n": len(peers)}))

    return answer, peers


async def one(kept, path="/x"):
    incoming = await asking(kept, path)
    try:
        return bytes((await incoming.read()).body)
    finally:
        incoming.close()


def test_one_after_the_other_go_over_one_connection():
    answer, peers = script()

    async def story(server):
        kept = kept_for(server, 4)
        bodies = [await one(kept) for _ in range(5)]
        assert len(set(bodies)) == 5
        ((_, channel),) = kept._idle
        kept.close()
        await asyncio.sleep(0)
        assert not channel.is_free

    with serving(answer) as server:
        asyncio.run(story(server))
    assert len({id(peer) for peer in peers}) == 1


def test_no_more_at_once_than_there_is_room_for():
    answer, _ = script()

    async def story(server):
        kept = kept_for(server, 3)
        await asyncio.gather(*(one(kept) for _ in range(20)))
        assert len(kept._idle) <= 3
        held = [await asking(kept) for _ in range(3)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one(kept), 0.1)
        for incoming in held:
            incoming.close()
            incoming.close()  # does nothing: room for three, not for six
        assert kept._room._value == 3
        kept.close()

    with serving(answer) as server:
        asyncio.run(story(server))
    assert server.connections <= 3


def test_what_was_not_needed_for_a_while_is_closed(monkeypatch):
    answer, peers = script()
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(connections, "time", clock)
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 5.0)

    async def story(server):
        kept = kept_for(server, 8)
        held = [await asking(kept) for _ in range(4)]
        for incoming in held:
            assert [part async for part in incoming.chunks]
            incoming.close()
        assert len(kept._idle) == 4
        for _ in range(10):  # one of them is needed all the time
            clock.now += 1
            await one(kept)
        assert len(kept._idle) == 1
        assert len({id(peer) for peer in peers}) == 4
        clock.now += 6
        await one(kept)
        assert len({id(peer) for peer in peers}) == 5, "what is that old is not used again"
        kept.close()

    with serving(answer) as server:
        asyncio.run(story(server))


def test_a_connection_is_given_back_after_a_failure_or_a_cancellation():
    waits = threading.Event()

    def answer(peer, request):
        if request.path.endswith("/reset"):
            peer.reset()
            return
        if request.path.endswith("/late"):
            waits.wait(60)
        peer.send(whole({}))

    async def story(server):
        kept = kept_for(server, 1)
        with pytest.raises(BrokenError):
            await asking(kept, "/reset")
        assert await one(kept) == b"{}"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking(kept, "/late"), 0.1)
        waits.set()
        assert await one(kept) == b"{}"
        assert kept._room._value == 1
        assert len(kept._idle) == 1
        kept.close()

    with serving(answer) as server:
        asyncio.run(story(server))


@pytest.mark.parametrize("where", ["before it", "within its head", "within its body"])
def test_an_answer_that_is_given_up_leaves_no_dead_connection(where):
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"

    def answer(peer, request):
        if request.path != "/hang":
            peer.send(whole({"n": 1}))
            return
        if where != "before it":
            peer.send(start if where == "within its head" else start + b"\r\n{")
        silent.wait(60)

    async def story(server):
        kept = kept_for(server, 16)
        for _ in range(6):
            gone = [asyncio.create_task(one(kept, "/hang")) for _ in range(16)]
            await asyncio.sleep(0.05)
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            async with asyncio.timeout(60):
                await asyncio.gather(*(one(kept) for _ in range(16)))
        kept.close()

    silent = threading.Event()
    with serving(answer) as server:
        try:
            asyncio.run(story(server))
        finally:
            silent.set()


ENDS = {
    "with its length": (whole({}), True),
    "in chunks": (stream_head() + chunked("{}", last=True), True),
    "in chunks with trailers": (stream_head() + chunked("{}") + b"0\r\nX: y\r\n\r\n", True),
    "without a body": (head(204).encode(), True),
    "that is told to be the last one": (whole({}, Connection="close"), False),
    "of an old kind": (whole({}).replace(b"HTTP/1.1", b"HTTP/1.0"), False),
    "with its length, and more": (whole({}) + whole({"smuggled": 1}), False),
    "in chunks, and more": (stream_head() + chunked("{}", last=True) + b"x", False),
    "without a body, and more": (head(204).encode() + whole({"smuggled": 1}), False),
    "with two ways to find its end": (
        stream_head(Content_Length=2) + chunked("{}", last=True),
        False,
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_connection_is_used_again_where_nothing_is_left_of_the_answer(how):
    sent, again = ENDS[how]

    async def story(server):
        kept = kept_for(server, 1)
        first = await one(kept)
        assert await one(kept) == first
        assert first in (b"{}", b"")
        kept.close()

    with serving(lambda peer, _: peer.send(sent)) as server:
        asyncio.run(story(server))
        assert server.connections == (1 if again else 2)


def test_an_answer_that_was_not_read_to_its_end_ends_its_connection():
    async def story(server):
        kept = kept_for(server, 1)
        for _ in range(3):
            (await asking(kept)).close()
        kept.close()

    with serving(lambda peer, _: peer.send(whole({}))) as server:
        asyncio.run(story(server))
        assert server.connections == 3


@pytest.mark.parametrize("more", [whole({"smuggled": 1}), b"", b"\r\n"])
def test_what_has_come_while_nobody_looked_is_seen_before_the_next_request(more):
    """A loop that is busy has not been told yet; one that goes straight on, never."""

    came = threading.Event()

    def answer(peer, _request):
        peer.send(whole({}))
        time.sleep(0.05)
        if more:
            peer.send(more)
        else:
            peer.close()
        came.set()

    async def story(server):
        kept = kept_for(server, 1)
        assert await one(kept) == b"{}"
        assert came.wait(60)  # as a large answer that is read keeps the loop
        time.sleep(0.05)  # noqa: ASYNC251 - it has to get here, too
        assert await one(kept) == b"{}"
        kept.close()

    with serving(answer) as server:
        asyncio.run(story(server))
        assert server.connections == 2

"""Connections are used again, the last one first; idle ones are closed; and so many at once."""

import asyncio
import threading

import httpx
import pytest

from alcf_jupyter.connection import connections
from alcf_jupyter.connection.connections import Connections
from tests.connection.faultserver import serving, whole


def made(**more):
    return httpx.AsyncHTTPTransport(trust_env=False, limits=httpx.Limits(max_connections=1), **more)


def script(gate=None):
    peers = []

    def answer(peer, _request):
        peers.append(peer)
        if gate is not None:
            gate(len(peers))
        peer.send(whole({"n": len(peers)}))

    return answer, peers


async def one(kept, server):
    response = await kept.handle_async_request(httpx.Request("GET", f"{server.url}/x"))
    body = b"".join([part async for part in response.stream])
    await response.aclose()
    return body


def open_ones(kept):
    return [carrier for carrier in kept._all if carrier._pool.connections]


def test_one_after_the_other_go_over_one_connection():
    answer, peers = script()

    async def story(server):
        kept = Connections(made, 4)
        bodies = [await one(kept, server) for _ in range(5)]
        assert len(set(bodies)) == 5
        assert len(kept._all) == 1
        await kept.aclose()
        assert not open_ones(kept)

    with serving(answer) as server:
        asyncio.run(story(server))
    assert len({id(peer) for peer in peers}) == 1


def test_no_more_at_once_than_there_is_room_for():
    answer, _ = script()

    async def story(server):
        kept = Connections(made, 3)
        await asyncio.gather(*(one(kept, server) for _ in range(20)))
        assert len(kept._all) <= 3
        held = [
            await kept.handle_async_request(httpx.Request("GET", f"{server.url}/x"))
            for _ in range(3)
        ]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one(kept, server), 0.1)
        for response in held:
            await response.aclose()
            await response.aclose()  # does nothing: room for three, not for six
        assert kept._room._value == 3
        await kept.aclose()

    with serving(answer) as server:
        asyncio.run(story(server))


def test_what_was_not_needed_for_a_while_is_closed(monkeypatch):
    answer, _ = script()
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.2)

    async def story(server):
        kept = Connections(made, 8)
        held = [
            await kept.handle_async_request(httpx.Request("GET", f"{server.url}/x"))
            for _ in range(4)
        ]
        for response in held:
            assert [part async for part in response.stream]
            await response.aclose()
        assert len(kept._all) == 4
        await asyncio.sleep(0.3)
        for _ in range(6):
            await one(kept, server)
        assert len(kept._all) == 1
        await kept.aclose()

    with serving(answer) as server:
        asyncio.run(story(server))


def test_a_connection_is_given_back_after_a_failure_or_a_cancellation():
    waits = threading.Event()

    def answer(peer, request):
        if request.path.endswith("/reset"):
            peer.reset()
            return
        if request.path.endswith("/late"):
            waits.wait(10)
        peer.send(whole({}))

    async def story(server):
        kept = Connections(made, 1)
        with pytest.raises(httpx.HTTPError):
            await kept.handle_async_request(httpx.Request("GET", f"{server.url}/reset"))
        assert await one(kept, server) == b"{}"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(
                kept.handle_async_request(httpx.Request("GET", f"{server.url}/late")), 0.1
            )
        waits.set()
        assert await one(kept, server) == b"{}"
        assert kept._room._value == 1
        assert len(kept._all) == 1
        await kept.aclose()

    with serving(answer) as server:
        asyncio.run(story(server))


@pytest.mark.parametrize("where", ["before it", "within its head", "within its body"])
def test_an_answer_that_is_given_up_leaves_no_dead_connection(where):
    """Cancelled a hundred times: httpx's pool loses some of them, and would wait for them."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"

    def answer(peer, request):
        if request.path != "/hang":
            peer.send(whole({"n": 1}))
            return
        if where != "before it":
            peer.send(head if where == "within its head" else head + b"\r\n{")
        silent.wait(20)

    async def story(server):
        kept = Connections(made, 16)
        for _ in range(6):
            gone = [asyncio.create_task(hang(kept, server)) for _ in range(16)]
            await asyncio.sleep(0.05)
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            async with asyncio.timeout(5):
                await asyncio.gather(*(one(kept, server) for _ in range(16)))
        await kept.aclose()

    async def hang(kept, server):
        response = await kept.handle_async_request(httpx.Request("GET", f"{server.url}/hang"))
        try:
            async for _ in response.stream:
                pass
        finally:
            await response.aclose()

    silent = threading.Event()
    with serving(answer) as server:
        try:
            asyncio.run(story(server))
        finally:
            silent.set()

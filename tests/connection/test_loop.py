"""The background loop: results, errors without frames, forks at any moment."""

import asyncio
import subprocess
import sys
import threading
import traceback

import pytest

from alcf_jupyter.connection import loop
from tests.connection.faultserver import TOKEN, Gateway, serving, whole
from tests.connection.stopwatch import stopwatch

PROLOGUE = f"""
import gc, os, sys, threading, time, urllib.request
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.http import connections
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.connection.profiles import resolve

# on a busy machine the others' turns take long
connections._IDLE_SECONDS = 60

def made(url):
    return Client(resolve(url, poll_seconds=60), Credential({TOKEN!r}, "the test"))

def in_child(work, leave=sys.exit):
    number = os.fork()
    if number == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            leave(code)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
"""


def run(program, *arguments, seconds=120):
    """Run a program in a process of its own, where a warning is an error."""
    quiet = ["-W", "error", "-W", "ignore:.*fork.*:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *quiet, "-c", PROLOGUE + program, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def test_a_fork_after_the_import():
    program = """
client = made(sys.argv[1])
def work():
    print("child", client.whoami()["username"])
print(in_child(work))
print("parent", client.whoami()["username"])
"""
    with serving() as server:
        assert run(program, server.url) == ["child", "alice", "0", "parent", "alice"]
        assert server.connections == 2


def test_forks_after_the_first_use():
    """Parent and children talk on, each on connections of its own, whoever ends in whatever way."""
    program = """
client = made(sys.argv[1])
print("parent", client.whoami()["username"], flush=True)
def work():
    print("child", client.whoami()["username"])
    gc.collect()
print(in_child(work), flush=True)
print(in_child(work, os._exit), flush=True)
print(in_child(lambda: (gc.collect(), made(sys.argv[1]).whoami())), flush=True)
for _ in range(3):
    print("parent", client.whoami()["username"], flush=True)
def grandchild():
    client.whoami()
    assert in_child(work, os._exit) == 0
print(in_child(grandchild))
print("parent", client.whoami()["username"])
"""
    with serving() as server:
        said = run(program, server.url)
        assert said.count("parent") == 5
        assert said.count("child") == 3
        assert said.count("0") == 4
        used = {}
        for request in server.requests:
            used.setdefault(request.connection, 0)
            used[request.connection] += 1
        assert max(used.values()) == 5, "the parent kept its one connection"


def test_a_fork_in_the_middle_of_requests():
    """The child has none of the parent's locks, requests or pace to wait for.

    The parent's first request, for the list, is answered only after the child's last one.
    """
    program = """
client = made(sys.argv[1])
busy = [threading.Thread(target=client.models, daemon=True) for _ in range(3)]
for thread in busy:
    thread.start()
urllib.request.urlopen(sys.argv[1] + "/asked", timeout=60).close()
def work():
    assert len(client.models().models) == 1
    assert client.whoami()["username"] == "alice"
print(in_child(work, os._exit), flush=True)
for thread in busy:
    thread.join()
print("parent", client.whoami()["username"])
"""
    gateway, asked, ended, held = Gateway(), threading.Event(), threading.Event(), []

    def listing(peer, _request):
        if not asked.is_set():
            asked.set()
            held.append(ended.wait(20))
        peer.send(whole({"clusters": {"sophia": gateway._cluster("sophia")}}))

    def told(peer, _request):
        peer.send(whole(asked.wait(60)))

    def whoami(peer, _request):
        ended.set()
        peer.send(whole({"username": "alice"}))

    gateway.routes = {"/list-endpoints": listing, "/asked": told, "/whoami": whoami}
    with serving(gateway) as server:
        assert run(program, server.url) == ["0", "parent", "alice"]
    assert held == [True], "the child waited for nothing of the parent's"


def test_an_error_brings_its_words_but_not_the_frames_of_the_loop():
    async def deep():
        secret = TOKEN
        raise ZeroDivisionError(f"of {len(secret)}")

    with pytest.raises(ZeroDivisionError) as caught:
        loop.run(deep())
    error = caught.value
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "".join(told.format())
    assert TOKEN not in shown
    assert "raise ZeroDivisionError" in shown, "the place is told, without its variables"
    assert error.__cause__ is None
    assert error.__context__ is None


def test_what_is_emitted_comes_in_order_and_then_the_result():
    async def work(emit):
        for number in range(5):
            emit(number)
            await asyncio.sleep(0)
        return "done"

    found = []
    assert loop.finish(loop.events(work), found.append) == "done"
    assert found == [0, 1, 2, 3, 4]


def test_nothing_is_told_as_none_so_that_the_caller_can_look_around():
    seen = threading.Event()

    async def work(_emit):
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if seen.is_set():
                return

    found = []
    with stopwatch() as seconds:
        for step in loop.events(work, slice_seconds=0.05):
            found.append(step)
            if len(found) == 3:
                assert seconds() < 0.6
                seen.set()
    assert len(found) >= 3
    assert set(found) == {None}


def test_many_threads_share_one_loop():
    async def where():
        await asyncio.sleep(0.01)
        return threading.get_ident(), id(asyncio.get_running_loop())

    found = []
    threads = [threading.Thread(target=lambda: found.append(loop.run(where()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert found[0][0] != threading.get_ident()


def test_a_lock_is_the_running_loop_s():
    lock = loop.Lock()

    async def take():
        assert lock.here() is lock.here()
        await lock.here().acquire()  # and never given back
        return lock.here()

    first = asyncio.run(take())
    second = asyncio.run(asyncio.wait_for(take(), 20))
    assert first is not second


def test_between_two_that_go_through_a_door_others_have_their_turn():
    """What has come for many at once does not hold up what one of them leads to."""
    seen = []

    async def story():
        door, came = loop.Door(), asyncio.Event()

        async def works(number):
            await came.wait()
            async with door:
                seen.append(number)
            asyncio.get_running_loop().call_soon(seen.append, f"after {number}")

        tasks = [asyncio.create_task(works(number)) for number in range(4)]
        await asyncio.sleep(0)
        came.set()
        tasks[2].cancel()  # who does not wait any more keeps nobody out
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(20):
            await works(4)
        await asyncio.sleep(0)

    asyncio.run(story())
    assert seen == [0, "after 0", 1, "after 1", 3, "after 3", 4, "after 4"]


def test_a_door_stays_open_after_an_error_and_on_another_loop():
    door = loop.Door()

    async def story():
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with door:
                    raise ZeroDivisionError
        async with asyncio.timeout(20), door:
            return True

    assert asyncio.run(story())
    assert asyncio.run(story())

"""Never more than ten requests in any second, 9.2 in the long run, and none held back in vain."""

import asyncio
import fcntl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from alcf_jupyter.connection.http import pace, wire
from alcf_jupyter.connection.http.pace import Pace
from alcf_jupyter.connection.http.turns import SharedTurns
from alcf_jupyter.service.limits import REQUESTS_PER_SECOND
from tests.connection.faultserver import Gateway, client_of, serving, whole
from tests.connection.stopwatch import stopwatch


async def turns(limit, count):
    """The times of `count` turns that are asked for all at once."""
    times = []

    async def one():
        turn = await limit.turn()
        times.append(time.monotonic())  # before it counts, so that none seems to be early
        turn.leaves()

    await asyncio.gather(*(one() for _ in range(count)))
    return times


def most_in(times, seconds):
    times = sorted(times)
    return max(sum(start <= t < start + seconds for t in times) for start in times)


def test_a_burst_then_a_steady_pace():
    limit, began = Pace(92.0), time.monotonic()
    with stopwatch() as seconds:
        times = asyncio.run(turns(limit, 92))
        assert seconds() < 0.5, "a burst goes at once"
        times += asyncio.run(turns(limit, 158))
        assert seconds() < 4
    assert most_in(times, 1.0) <= 92
    assert max(times) - began >= 2 * 92 / 92.0 - 0.01


@pytest.fixture
def written(monkeypatch):
    """When each request was written: the server may be late in reading it."""
    times, write = [], wire.Wire.write

    async def noted(self, data):
        times.append(time.monotonic())
        await write(self, data)

    monkeypatch.setattr(wire.Wire, "write", noted)
    return times


def test_the_service_s_own_pace_seen_on_the_wire(written):
    with serving() as server, stopwatch() as seconds:
        client = client_of(server.url)
        for number in range(23):
            client.whoami()
            assert number > 9 or seconds() < 0.9, "the first ten go at once"
        assert len(server.requests) == len(written) == 23
    assert most_in(written, 1.0) <= 10
    assert written[-1] - written[0] >= 20 / REQUESTS_PER_SECOND - 0.05


def test_a_turn_counts_from_when_its_request_left():
    """A first request that makes its connection arrives late; the eleventh must not catch up."""

    async def story():
        limit = Pace(20.0)
        slow = [await limit.turn() for _ in range(20)]
        late = asyncio.create_task(turns(limit, 1))
        await asyncio.sleep(0.4)
        left = time.monotonic()
        for turn in slow:
            turn.leaves()
        return (await late)[0] - left

    assert asyncio.run(story()) >= 1.0


def test_an_answer_that_takes_long_does_not_hold_the_turn():
    """The eleventh request goes a second after the first ten, though none of them is answered."""
    answered = threading.Event()

    def slowly(peer, _request):
        if len(server.requests) <= 10:
            answered.wait(60)
        peer.send(whole({"username": "alice"}))

    with serving(Gateway(routes={"/whoami": slowly})) as server:
        client = client_of(server.url)
        with ThreadPoolExecutor(10) as pool:
            try:
                asked = [pool.submit(client.whoami) for _ in range(10)]
                server.wait_for(10)
                with stopwatch() as seconds:
                    client.whoami()
                    assert seconds() < 5, "one that is on its way holds its turn for ten"
                assert not any(one.done() for one in asked)
            finally:
                answered.set()


def test_a_request_that_hangs_holds_its_turn_for_a_while_only(monkeypatch):
    monkeypatch.setattr(pace, "_SENDING_SECONDS", 0.3)

    async def story():
        limit, began = Pace(10.0), time.monotonic()
        for _ in range(10):
            await limit.turn()
        await limit.turn()
        return time.monotonic() - began

    with stopwatch() as seconds:
        assert asyncio.run(story()) > 1.2
        assert seconds() < 2.5


def test_all_clients_of_an_address_keep_one_pace(written):
    with serving() as server:
        clients = [client_of(server.url) for _ in range(3)]
        for _ in range(4):
            for client in clients:
                client.whoami()
        assert len(server.requests) == len(written) == 12
    assert most_in(written, 1.0) <= 10
    assert pace.of("http://a", 9.2) is pace.of("http://a", 9.2)
    assert pace.of("http://a", 9.2) is not pace.of("http://b", 9.2)


def test_a_pace_outlives_another_kind_of_client_of_the_same_address():
    first = pace.of("http://c", 9.2)
    assert pace.of("http://c", None) is not first
    assert pace.of("http://c", 9.2) is first, "it remembers what was sent"


def test_requests_that_are_given_up_take_no_turn():
    async def story():
        limit = Pace(10.0)
        waiting = [asyncio.create_task(turns(limit, 1)) for _ in range(500)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        began = time.monotonic()
        await limit.turn()
        return time.monotonic() - began

    assert asyncio.run(story()) < 20, "those that were given up would take fifty"


def test_who_waits_first_goes_first():
    async def story():
        limit, order = Pace(50.0), []

        async def one(number):
            (await limit.turn()).leaves()
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(80)))
        return order

    assert asyncio.run(story()) == list(range(80))


@pytest.mark.parametrize("per_second", [None, 0])
def test_no_limit(per_second):
    with stopwatch() as seconds:
        asyncio.run(turns(Pace(per_second), 2000))
        assert seconds() < 1


def test_a_plain_server_has_no_pace():
    with serving() as server, stopwatch() as seconds:
        client = client_of(server.plain, token=None)
        for _ in range(100):
            client.models(fresh=True)
        assert len(server.requests) == 100
        assert seconds() < 6, "the gateway's pace would take ten"


PROGRAM = """
import asyncio, sys, time
from alcf_jupyter.connection.http import pace, turns
from alcf_jupyter.connection.http.pace import Pace

pace._FILE_SECONDS = 60  # a process that stands still for a moment does not go on alone

class Clock:
    def time(self):
        self.told = time.time()
        return self.told

turns.time = Clock()

async def story():
    limit = Pace(9.2, "https://service.example.org")
    for _ in range(int(sys.argv[1])):
        (await limit.turn()).leaves()
        print(turns.time.told)  # the moment of the turn as it was noted for all

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(story())
"""


def test_all_processes_of_a_user_keep_one_pace():
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "10"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [kernel.stdout.readline() for kernel in kernels] == ["ready\n"] * 3
    for kernel in kernels:
        kernel.stdin.write("go\n")
        kernel.stdin.flush()
    times = [float(at) for kernel in kernels for at in kernel.communicate()[0].split()]
    assert len(times) == 30
    assert most_in(times, 1.0) <= 10
    assert max(times) - min(times) >= 2 * 10 / 9.2 - 0.1
    assert max(times) - min(times) < 20, "also where one of them stands still for a while"


def shared_file(clean_environ, tmp_path):
    clean_environ["ALCF_JUPYTER_STATE"] = str(tmp_path)
    turns = SharedTurns("https://service.example.org", 10, 60.0)
    assert turns.take() == 0
    (file,) = (tmp_path / "pace").iterdir()
    return turns, file


def test_the_shared_file_is_small_and_private(clean_environ, tmp_path):
    turns, file = shared_file(clean_environ, tmp_path)
    for _ in range(9):
        assert turns.take() == 0
    assert 0 < turns.take() <= 60.0
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size < 200
    assert "example" not in str(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"nan inf -inf",
        b"1e999 x 5",
        b"9" * 9999,
        b"\n" * 5000,
        b"99999999999.0 " * 9,
    ],
)
def test_a_damaged_file_gives_turns(clean_environ, tmp_path, content):
    """Also one that holds times of a clock that was put back."""
    turns, file = shared_file(clean_environ, tmp_path)
    file.write_bytes(content)
    assert [turns.take() for _ in range(10)] == [0.0] * 10
    assert turns.take() > 0


def seconds_of(limit, count=3):
    """How long so many turns take, and how much of that the process could use."""
    began = time.monotonic()
    with stopwatch() as usable:
        asyncio.run(turns(limit, count))
        return time.monotonic() - began, usable()


def test_where_processes_cannot_agree_each_goes_on_alone(clean_environ, tmp_path):
    blocked = tmp_path / "a file, no folder"
    blocked.write_text("")
    clean_environ["ALCF_JUPYTER_STATE"] = str(blocked)
    assert seconds_of(Pace(9.2, "https://service.example.org"))[1] < 1


def test_a_process_that_hangs_with_the_file_holds_nobody_up_for_long(clean_environ, tmp_path):
    _, file = shared_file(clean_environ, tmp_path)
    with file.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        limit = Pace(9.2, "https://service.example.org")
        took, usable = seconds_of(limit)
        assert took > 0.4
        assert usable < 2
        assert seconds_of(limit)[1] < 0.5, "and is not waited for again"


def test_a_process_that_stood_still_for_a_moment_goes_on_with_the_others(
    clean_environ, tmp_path, monkeypatch
):
    clean_environ["ALCF_JUPYTER_STATE"] = str(tmp_path)
    limit, take, noted = Pace(9.2, "https://service.example.org"), SharedTurns.take, []

    def counted(shared):
        early = take(shared)
        noted.append(early <= 0)
        return early

    monkeypatch.setattr(SharedTurns, "take", counted)

    async def story():
        taken = asyncio.create_task(turns(limit, 5))
        for _ in range(3):
            await asyncio.sleep(0)  # it has begun, and asks for its turn
        time.sleep(1)  # noqa: ASYNC251 - so stands a process still
        monkeypatch.setattr(pace, "_FILE_SECONDS", 60)  # it may do so again, on a busy machine
        await taken

    asyncio.run(story())
    assert sum(noted) == 5


def test_a_file_system_that_hangs_holds_nobody_up_for_long(monkeypatch):
    hung = threading.Event()
    monkeypatch.setattr(SharedTurns, "take", lambda _: hung.wait(60))
    limit = Pace(9.2, "https://service.example.org")
    try:
        took, usable = seconds_of(limit)
        assert took > 0.4
        assert usable < 2
        assert seconds_of(limit)[1] < 0.5
    finally:
        hung.set()


def test_this_machine_s_services_share_no_file(clean_environ, tmp_path):
    clean_environ["ALCF_JUPYTER_STATE"] = str(tmp_path)
    with serving() as server:
        client_of(server.url).whoami()
    assert not (tmp_path / "pace").exists()

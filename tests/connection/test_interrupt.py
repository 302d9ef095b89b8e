"""An interrupt gives control back within a second, in every phase, and ends the request."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.connection.faultserver import (
    Gateway,
    ask,
    chunked,
    client_of,
    event,
    jobs,
    serving,
    stream_head,
    whole,
)
from tests.connection.stopwatch import usable

PROGRAM = Path(__file__).with_name("interrupted.py")
SOON = 1.0


class Child:
    def __init__(self, process):
        self.process = process

    def start(self, phase, url):
        self.process.stdin.write(f"{phase} {url}\n")
        self.process.stdin.flush()
        assert self.line() == "began"

    def line(self):
        return self.process.stdout.readline().strip()

    def interrupt(self):
        """Send an interrupt; the seconds until control was back, and what was said.

        Seconds in which the machine let the other process stand still are not among them.
        """
        self.process.send_signal(signal.SIGINT)
        sent = time.monotonic()  # before it, a moment's standstill here would count
        how, at, looks, *more = self.line().split(" ", 3)
        assert how == "interrupted", (how, more)
        took = usable(map(float, looks.split(",")), sent, float(at))
        return took, more[0] if more else ""


@pytest.fixture(scope="module")
def child():
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROGRAM.parents[2],
    )
    yield Child(process)
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def hang(peer, _request):
    peer.hang()


def half(peer, _request):
    peer.send(stream_head(), chunked(event("half an ans")))
    peer.hang()


def drip(peer, _request):
    peer.send(stream_head())
    for _ in range(10_000):
        peer.send(chunked(event("x")))
        time.sleep(0.001)


COLD = Gateway(models={"sophia": ["m", "cold"]}, jobs={"sophia": jobs(running=["m"])}, infer=hang)

PHASES = {
    # phase: what the server does, the path whose request is awaited before the interrupt
    "whoami": (Gateway(routes={"/whoami": hang}), "/whoami"),
    "whole": (Gateway(infer=hang), "/chat/completions"),
    "stream": (Gateway(infer=hang), "/chat/completions"),
    "queue": (COLD, "/chat/completions"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupt_while_waiting(child, phase):
    script, path = PHASES[phase]
    with serving(script) as server:
        child.start(phase, server.url)
        server.wait_for(1, path)
        took, _ = child.interrupt()
        assert took < SOON
        if phase != "queue":  # there the request that starts the model goes on, as it should
            assert server.gave_up(), "the request was ended, too"


@pytest.mark.parametrize("script", [half, drip])
def test_an_interrupt_in_a_stream_keeps_what_had_come(child, script):
    with serving(Gateway(infer=script)) as server:
        child.start("reading", server.url)
        assert child.line() == "came"
        took, said = child.interrupt()
        assert took < SOON
        assert said.endswith("False"), "it is marked incomplete"
        assert said.startswith("'half an ans'" if script is half else "'xx")
        assert server.gave_up()


def test_an_interrupt_while_connecting(child):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.settimeout(0)
            with contextlib.suppress(OSError):
                sock.connect(full.getsockname())
        child.start("whoami", f"http://127.0.0.1:{full.getsockname()[1]}/resource_server")
        time.sleep(0.4)
        took, _ = child.interrupt()
        assert took < SOON
        for sock in waiting:
            sock.close()


def test_an_interrupt_while_held_back_by_the_pace(child):
    with serving() as server:
        child.start("pace", server.url)
        server.wait_for(10)
        took, _ = child.interrupt()
        assert took < SOON


def test_an_interrupt_that_falls_into_other_hands_ends_the_call_too(child):
    """While the observer draws, no wait is there to be interrupted; nothing may be sent later."""
    script = Gateway(
        models={"sophia": ["cold"]},
        jobs={"sophia": [jobs(queued=["cold"]), jobs(running=["cold"])]},
    )
    with serving(script) as server:
        child.start("observer", server.url)
        assert child.line() == "told"
        took, _ = child.interrupt()
        assert took < SOON
        asked = len(server.requests)
        child.start("whoami", server.url)
        assert child.line().startswith("ended")
        assert len(server.requests) == asked + 1
        assert server.to("/chat/completions") == []


def test_after_all_that_everything_works(child):
    with serving() as server:
        for phase in ("whoami", "whole", "stream", "reply"):
            child.start(phase, server.url)
            assert child.line().startswith("ended")


def test_a_generator_that_is_left_ends_its_request():
    with serving(Gateway(infer=drip)) as server:
        steps = client_of(server.url).stream(ask())
        while (step := next(steps)) is None or not hasattr(step, "text"):
            pass
        steps.close()
        assert server.gave_up()


def test_an_observer_that_fails_ends_the_call():
    class Broken:
        def status(self, words):
            raise ZeroDivisionError(words)

    script = Gateway(models={"sophia": ["cold"]}, jobs={"sophia": jobs(queued=["cold"])})
    script.infer = lambda peer, _: peer.send(whole({}))
    with serving(script) as server:
        client = client_of(server.url, poll_seconds=0.2)
        with pytest.raises(ZeroDivisionError) as kept:
            client.chat(ask(model="cold"), Broken())
        asked = len(server.requests)
        time.sleep(0.5)
        assert len(server.requests) == asked
        assert kept.tb is not None, "and that although the traceback is still there"

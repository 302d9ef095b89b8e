"""Relaying streams: bursts, losses and early ends, on pieces made up here."""

import asyncio
import itertools
import json
import selectors

import pytest

from alcf_jupyter.sandbox import clock
from alcf_jupyter.sandbox import relay as relay_
from alcf_jupyter.sandbox.clock import Clock
from alcf_jupyter.sandbox.model_server import DiedError
from alcf_jupyter.sandbox.models import Refused
from alcf_jupyter.sandbox.pieces import Piece
from alcf_jupyter.sandbox.relay import BrokenOffError, compute_relay, direct_relay, plain_relay

DONE = b"data: [DONE]\n\n"


class Waits:
    """Time that passes by waiting alone, and then at once."""

    now = 0.0

    def loop(self):
        made = asyncio.SelectorEventLoop(Passing(self))
        made.time = self.monotonic
        return made

    def monotonic(self):
        return self.now

    def time(self):
        return 1.7e9 + self.now


class Passing(selectors.DefaultSelector):
    def __init__(self, waits):
        super().__init__()
        self._waits = waits

    def select(self, timeout=None):
        self._waits.now += max(0.0, timeout or 0.0)
        return super().select(0)


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    made = Waits()
    for module in (clock, relay_):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def relayed(waits):
    def run(*given, **options):
        with asyncio.Runner(loop_factory=waits.loop) as runner:
            return runner.run(frames_of(waits, *given, **options))

    return run


async def frames_of(waits, relay, pieces, *, speed=1000, failure=None):
    """Return the frames with the seconds at which they came."""

    async def given():
        for piece in pieces:
            yield piece
        if failure is not None:
            raise failure

    begin = waits.now
    return [(waits.now - begin, frame) async for frame in relay(given(), Clock(speed))]


def direct(pieces, clock):
    return direct_relay(pieces, clock, "model")


def numbers(frames):
    return [json.loads(frame[6:])["n"] for _, frame in frames if frame != DONE]


def made(count, **more):
    return [Piece({"n": n}, **more) for n in range(count)]


@pytest.mark.parametrize("relay", [compute_relay, direct, plain_relay])
def test_everything_comes_in_order(relayed, relay):
    frames = relayed(relay, made(50))
    assert numbers(frames) == list(range(50))
    assert frames[-1][1] == DONE


def test_sophia_comes_in_bursts_of_twenty(relayed):
    frames = relayed(compute_relay, made(41, pause=0.01))
    moments = [round(moment, 2) for moment, _ in frames]
    assert len({moments[n] for n in range(20)}) == 1
    assert moments[0] >= 0.15
    assert moments[20] >= moments[0] + 0.15


def test_metis_comes_piece_by_piece(relayed):
    moments = [moment for moment, _ in relayed(direct, made(6, pause=0.03))]
    pairs = itertools.pairwise(moments[:6])
    assert all(later - earlier > 0.01 for earlier, later in pairs)


def test_half_a_second_is_a_burst_too(relayed):
    frames = relayed(compute_relay, made(4, pause=0.3))
    assert 0.5 < frames[0][0] < 0.9


def test_very_large_chunks_are_lost_on_sophia(relayed):
    pieces = [Piece({"n": 0}), Piece({"n": 1, "x": "x" * 150_000}), Piece({"n": 2})]
    assert numbers(relayed(compute_relay, pieces)) == [0, 2]
    assert numbers(relayed(direct, pieces)) == [0, 1, 2]


def test_sophia_gives_up_after_five_minutes_without_a_word(relayed):
    pieces = [Piece({"n": n}, stall=4.9) for n in range(70)]
    frames = relayed(compute_relay, pieces, speed=5000)
    assert frames[-1][1] != DONE
    assert len(frames) < 65


def test_silence_of_more_than_five_seconds_ends_a_stream_on_sophia(relayed):
    pieces = [*made(20), Piece({"n": 20}, stall=5.1), Piece({"n": 21})]
    assert numbers(relayed(compute_relay, pieces)) == list(range(20))
    assert numbers(relayed(direct, pieces)) == list(range(22))


@pytest.mark.parametrize(("sent", "kept"), [(20, 20), (5, None)])
def test_a_server_that_dies(relayed, sent, kept):
    frames = relayed(compute_relay, made(sent), failure=DiedError())
    if kept is None:
        told = json.loads(frames[0][1][6:])
        assert (told["type"], len(frames)) == ("StreamingTimeoutError", 2)
    else:
        assert numbers(frames) == list(range(kept))
    assert frames[-1][1] == DONE
    assert relayed(direct, made(sent), failure=DiedError())[-1][1] != DONE
    with pytest.raises(BrokenOffError):
        relayed(plain_relay, made(sent), failure=DiedError())


def test_a_server_that_refuses(relayed):
    nested = Refused(400, {"error": {"message": "too long", "code": 400}})
    flat = Refused(400, {"object": "error", "message": "too long", "code": 400})
    told = [json.loads(relayed(compute_relay, [], failure=one)[0][1][6:]) for one in (nested, flat)]
    assert [one["message"] for one in told] == ["An error occurred during processing", "too long"]
    answer = json.loads(relayed(direct, [], failure=nested)[0][1][6:])
    assert answer["id"] == "chatcmpl-api-error"
    assert answer["choices"][0]["finish_reason"] == "stop"

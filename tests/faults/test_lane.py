"""The lane and the token window on a virtual clock: hypothesis plays the service, and time."""

import heapq
import random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alcf_jupyter.frames.sending.lane import MOST_WIDTH, Lane
from alcf_jupyter.frames.sending.token_window import TokenWindow
from alcf_jupyter.service import limits
from tests.faults.size import RELEASE, SIZE

LONGEST_PAUSE = 80.0
"""No pause of its own is longer, jitter included."""

QUIET = settings(
    max_examples=SIZE.steps,
    stateful_step_count=60,
    deadline=None,
    database=None,
    derandomize=not RELEASE,
    suppress_health_check=list(HealthCheck),
)
"""The same sequences for every change, always others for a release; a machine may stall."""


class AnyLane(RuleBasedStateMachine):
    """Whatever happens in whatever order, the lane is bounded and never stuck."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.under_way = []
        self.lane = Lane(rng=random.Random(1))
        self.troubles = 0

    @initialize(most=st.integers(1, 64), first=st.integers(1, 64), seed=st.integers(0, 99))
    def make(self, most, first, seed):
        self.lane = Lane(most, first, rng=random.Random(seed))

    @precondition(lambda self: self.lane.early(self.now) == 0)
    @rule(again=st.booleans())
    def send(self, again):
        self.lane.leaves(self.now, again=again)
        self.under_way.append(self.now)

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 63), full=st.booleans())
    def succeed(self, place, full):
        self.lane.succeeded(self._back(place), full=full)
        self.troubles = 0

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 63))
    def fail(self, place):
        left_at = self._back(place)
        self.lane.failed(self.now, left_at)
        self.troubles += 1

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 63))
    def throttle(self, place):
        self.lane.throttled(self.now, self._back(place))
        assert self.lane.early(self.now) > 0, "after one too many, all wait"

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 63), seconds=st.floats(0, 60))
    def out_of_tokens(self, place, seconds):
        self._back(place)
        width = self.lane.width
        self.lane.out_of_tokens(self.now, seconds)
        assert self.lane.width == width, "it tells nothing about the width"

    @rule(held=st.integers(1, 200))
    def hold(self, held):
        """What is not recorded yet counts as under way."""
        early = self.lane.early(self.now, held)
        assert early >= self.lane.early(self.now)
        if len(self.under_way) + held >= self.lane.most:
            assert early == float("inf")

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 63), how=st.sampled_from(["refused", "given_up"]))
    def end(self, place, how):
        self._back(place)
        getattr(self.lane, how)()
        if how == "refused":
            self.troubles = 0

    @rule()
    def away(self):
        self.lane.close()
        assert self.under_way or self.lane.early(self.now + LONGEST_PAUSE) == 0

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds):
        self.now += seconds

    def _back(self, place):
        return self.under_way.pop(place % len(self.under_way))

    @invariant()
    def is_bounded(self):
        lane = self.lane
        assert lane.under_way == len(self.under_way)
        assert 1 <= lane.width <= lane.most
        assert len(self.under_way) <= lane.most

    @invariant()
    def is_never_stuck(self):
        early = self.lane.early(self.now)
        assert early == float("inf") or early <= LONGEST_PAUSE
        assert self.under_way or early < float("inf"), "nothing is awaited, and nothing may go"

    @invariant()
    def tries_alone_in_trouble(self):
        if self.troubles >= 5 and self.under_way:
            assert self.lane.early(self.now) == float("inf")


TestAnyLane = AnyLane.TestCase
TestAnyLane.settings = QUIET


class Service:
    """A service on the virtual clock: so many at once and a second, and sometimes out.

    Parameters
    ----------
    at_once, per_second
        More are refused.
    tokens
        In a fixed window of 60 s, of which each request takes one; None for any number.
    out
        Spans of time in which everything fails.
    latency
        Seconds of an answer; a refusal takes a tenth of it.
    """

    def __init__(self, at_once, per_second, latency, out=(), tokens=None):
        self.at_once, self.per_second, self.latency = at_once, per_second, latency
        self.out, self.tokens = out, tokens
        self.busy = 0
        self.arrivals = []
        self.window, self.used = float("-inf"), 0
        self.answered, self.refused, self.failed = [], [], []

    def takes(self, now):
        """Return how a request that arrives now ends, and when."""
        self.arrivals = [at for at in self.arrivals if now - at < 1.0] + [now]
        if any(first <= now < last for first, last in self.out):
            self.failed.append(now)
            return "failed", now + self.latency / 10
        if len(self.arrivals) > self.per_second:
            self.refused.append(now)
            return "throttled", now + self.latency / 10
        if self.busy >= self.at_once:
            self.failed.append(now)
            return "failed", now + self.latency / 10
        if self.tokens is not None:
            if now - self.window >= 60:
                self.window, self.used = now, 0
            if self.used >= self.tokens:
                self.refused.append(now)
                return "tokens", now + self.latency / 10
            self.used += 1
        self.busy += 1
        self.answered.append(now)
        return "succeeded", now + self.latency


def drive(service, lane, window, count, most_seconds, pace=1e6):
    """Send `count` requests by the lane's leave; return the virtual seconds it took."""
    now, started, turn = 0.0, 0, 0.0
    again, coming, number = [], [], 0
    while started < count or again or coming:
        assert now < most_seconds, "hung"
        due = again[0][0] - now if again else float("inf")
        ready = 0.0 if started < count else due
        early = max(lane.early(now), window.early(now, 1), turn - now, ready)
        next_back = coming[0][0] if coming else float("inf")
        assert min(early, next_back) < float("inf"), "nothing can happen any more"
        if early > 0 and now + early < next_back:
            now += early
            continue
        if early <= 0:
            tries = heapq.heappop(again)[2] if due <= 0 else 0
            started += tries == 0
            lane.leaves(now, again=tries > 0)
            window.expect(1)
            turn = max(turn, now) + 1 / pace
            number += 1
            how, back = service.takes(now)
            heapq.heappush(coming, (back, number, now, how, tries))
            continue
        now, _, left_at, how, tries = heapq.heappop(coming)
        window.expect(-1)
        if how == "succeeded":
            service.busy -= 1
            lane.succeeded(left_at, full=started < count or bool(again))
            window.add(now, 1)
            continue
        number += 1
        due = now + lane.retry_pause(tries + 1) if how == "failed" else now
        heapq.heappush(again, (due, number, tries + 1))
        if how == "tokens":
            lane.out_of_tokens(now, window.refused(now, service.used, service.used))
        elif how == "throttled":
            lane.throttled(now, left_at)
        else:
            lane.failed(now, left_at)
    return now


@settings(QUIET)
@given(
    at_once=st.integers(3, 200),
    latency=st.floats(0.01, 30),
    seed=st.integers(0, 2**32),
)
def test_it_finds_what_the_service_bears(at_once, latency, seed):
    service, count = Service(at_once, 10, latency), 600
    best = max(count / limits.REQUESTS_PER_SECOND, count * latency / min(at_once, MOST_WIDTH))
    lane = Lane(rng=random.Random(seed))
    took = drive(service, lane, TokenWindow(), count, 1e6, limits.REQUESTS_PER_SECOND)
    assert took <= 3 * best + 60, "a third of what is possible, though nobody tells the limit"
    assert len(service.answered) == count
    assert not service.refused, "the pace is under the limit"


@settings(QUIET)
@example(began=0.5, lasts=78.0, latency=0.05, seed=0)
@given(
    began=st.floats(0, 60),
    lasts=st.floats(0.1, 600),
    latency=st.floats(0.05, 10),
    seed=st.integers(0, 2**32),
)
def test_an_outage_is_waited_out_politely(began, lasts, latency, seed):
    service = Service(64, 1000, latency, out=[(began, began + lasts)])
    lane = Lane(rng=random.Random(seed))
    alone = drive(
        Service(64, 1000, latency), Lane(rng=random.Random(seed)), TokenWindow(), 500, 1e5
    )
    took = drive(service, lane, TokenWindow(), 500, 1e5)
    assert len(service.answered) == 500
    # it is back soon after the service is, and did not hammer while it was out
    assert took <= alone + lasts + LONGEST_PAUSE + 40 * latency
    assert len(service.failed) <= 64 + 10 + lasts / 50 + 8


@settings(QUIET, max_examples=SIZE.steps // 3)
@given(tokens=st.integers(200, 2000), latency=st.floats(0.1, 8), seed=st.integers(0, 2**32))
def test_a_token_window_is_used_and_not_hammered(tokens, latency, seed):
    service = Service(64, 10**6, latency, tokens=tokens)
    lane, window = Lane(rng=random.Random(seed)), TokenWindow()
    count = 6 * tokens
    took = drive(service, lane, window, count, 1e5)
    possible = max(count / tokens * 60 - 60, count * latency / MOST_WIDTH)
    assert took <= possible / 0.8 + 60, "at least four fifths of the limit"
    # the first refusals teach the limit: as many as were under way then
    assert len(service.refused) <= MOST_WIDTH + 0.05 * count


@settings(QUIET)
@given(
    limit=st.integers(1, 100_000),
    sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=60),
    steps=st.lists(st.floats(0, 90), min_size=60, max_size=60),
)
def test_a_token_window_never_holds_for_ever(limit, sizes, steps):
    window, now = TokenWindow(), 0.0
    window.add(now, limit)
    window.refused(now, limit, limit)
    for size, step in zip(sizes, steps, strict=False):
        early = window.early(now, size)
        assert 0 <= early <= 60 + 1e-6, "a window is a minute"
        now += early + 1e-6
        assert window.early(now, size) == 0, "what is larger than a window goes first in one"
        window.expect(size)
        now += step
        window.expect(-size)
        window.add(now, size)
    assert window.expected == 0


def test_what_others_have_used_up_teaches_no_limit():
    """A model may grant less than the gateway's default, and the refusal tells only the usage."""
    window = TokenWindow()
    window.add(0.0, 400)
    assert 0 < window.refused(1.0, 400, 6000) <= 60
    assert window.limit is None


def test_a_limit_that_others_had_a_part_in_grows_until_one_is_met_alone():
    window, now = TokenWindow(), 0.0
    window.add(now, 4000)
    window.refused(now, 4000, 6000)
    limits_seen = [window.limit]
    while window.limit < 6000:
        now += 61.0
        window.add(now, window.limit)
        limits_seen.append(window.limit)
        assert len(limits_seen) < 10
    assert limits_seen[0] == 4000
    assert limits_seen == sorted(limits_seen)
    window.refused(now, 6100, 6100)
    assert window.limit == 6100, "what is met alone is the limit, and is kept"
    for _ in range(3):
        now += 61.0
        window.add(now, 6000)
        assert window.limit == 6100
    now += 61.0
    window.add(now, 5900)
    window.refused(now, 5900, 5900)
    assert window.limit == 5900, "it was counted too high: answers under way came after it"


def test_the_window_after_a_refusal_tries_no_more_than_it_taught():
    window = TokenWindow()
    window.add(0.0, 4000)
    window.refused(1.0, 4000, 6000)
    window.add(61.0, 3900)
    assert window.limit == 4000
    window.add(122.0, 3900)
    assert window.limit > 4000

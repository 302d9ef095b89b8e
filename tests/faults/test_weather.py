"""Storms of refusals, cold starts, sign-ins that end: what a run does to the service meanwhile."""

import contextlib
import itertools
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import directory, session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.profiles import resolve
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import AlcfError, ServerFailureError, SignInError
from tests.faults import answers, figures
from tests.faults.columns import TEMPLATE, connect
from tests.faults.others_time import Lateness, Usable
from tests.faults.server import BASE, FaultServer, Limits, Served
from tests.faults.size import RELEASE, SIZE

POLL = 0.2
"""A minute of the service; 15 minutes are three seconds."""


def column(rows, words="word"):
    return pd.DataFrame({"text": [f"{words} {n}" for n in range(rows)]})


def asked(frame):
    return [TEMPLATE.replace("{{text}}", text) for text in frame["text"]]


def all_right(out, frame):
    assert out.index.equals(frame.index)
    assert out["status"].tolist() == ["ok"] * len(frame), out["reason"].tolist()
    assert out["reply"].tolist() == [answers.reply(text) for text in asked(frame)]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


@pytest.mark.parametrize("others", [0, 2])
def test_a_storm_of_refusals_for_the_rate(place, others):
    """The gateway refuses at ten a second, and others, of the same user, take a part of them."""
    per_second, seconds = 10, SIZE.storm_seconds
    frame = column(round((per_second - others) * seconds * 0.9))
    with FaultServer(limits=Limits(per_second=per_second)) as server:
        session.current().client = Client(resolve(server.url), Credential("t", "the test"))
        with asking_beside(server, others), Lateness() as late:
            out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place)
        sent = server.ledger.of("m")
    all_right(out, frame)
    # what the server reads late, it may count within one second though it came in several
    wasted = (sum(not one.delivered for one in sent) - late.seconds * per_second) / len(sent)
    wasted = max(0.0, wasted)
    # behind the first second's worth, which may go at once
    times = [one.at for one in sent if one.delivered][per_second:]
    seconds_used = times[-1] - times[0] - late.seconds
    goodput = (len(times) - 1) / seconds_used / (per_second - others)
    figures.record(
        f"storm of requests, {others} a second of others",
        tried=len(sent),
        told=f"{goodput:.0%} of the limit used, {wasted:.1%} sent in vain",
    )
    assert wasted <= 0.05
    assert goodput >= 0.8


@contextlib.contextmanager
def asking_beside(server, per_second):
    """Ask the server so often a second for something else, refused or not."""
    stop = threading.Event()

    def ask():
        while not stop.wait(1 / per_second):
            try:
                urllib.request.urlopen(f"{server.url}/status", timeout=60).close()
            except urllib.error.HTTPError as refused:
                refused.close()

    thread = threading.Thread(target=ask, daemon=True)
    if per_second:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if per_second:
            thread.join()


def test_a_storm_of_refusals_for_tokens(place):
    """A window of tokens that a part of the column fills; a minute is a second."""
    windows = 60 if RELEASE else 9
    per_window = 40
    frame = column(windows * per_window)
    question = {"role": "user", "content": asked(frame)[0]}
    each = answers.right({"model": "m", "messages": [question]})["usage"]
    limits = Limits(tokens=per_window * each["total_tokens"], window=1.0)
    with FaultServer({"m": Served(latency=(0.001, 0.004))}, limits=limits) as server:
        profile = _unpaced(resolve(server.url, poll_seconds=1.0))
        session.current().client = Client(profile, Credential("t", "the test"))
        with Lateness() as late:
            out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=8)
        sent = server.ledger.of("m")
    all_right(out, frame)
    wasted = sum(not one.delivered for one in sent) / len(sent)
    # the last window need not end
    began, ended = limits.windows[0], limits.windows[-1]
    used = sum(one.delivered and one.at < ended for one in sent)
    goodput = used / per_window / (ended - began - late.seconds)
    figures.record(
        "storm of tokens",
        tried=len(sent),
        told=f"{goodput:.0%} of the limit used, {wasted:.1%} sent in vain",
    )
    assert wasted <= 0.05, Counter(one.fault for one in sent)
    assert goodput >= 0.8


def _unpaced(profile):
    return replace(profile, requests_per_second=None)


def test_a_cold_start_of_fifteen_minutes(place):
    frame = column(20)
    minutes = 15
    states = ["queued"] * 4 + ["starting"] * (minutes - 4) + ["running"]
    poll = 60.0 if RELEASE else POLL
    served = Served(states=["offline"], on_start=states)
    with FaultServer({"m": served}) as server:
        session.current().client = Client(
            resolve(server.url, poll_seconds=poll), Credential("t", "the test")
        )
        out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place)
        ledger = server.ledger
        polls = sum(1 for _, path in ledger.asked_at if path == f"{BASE}/sophia/jobs")
        in_vain = [one for one in ledger.sent if not one.delivered]
        pauses = looks_apart(server)
    all_right(out, frame)
    figures.record(
        "cold start",
        tried=1,
        wrong={
            "more than 2 warm-ups": int(len(in_vain) > 2),
            "more than 20 polls": int(polls > 20),
        },
        told=f"{len(in_vain)} warm-up, {polls} polls in {minutes} minutes"
        + ("" if RELEASE else f" of {poll} s"),
    )
    assert 1 <= len(in_vain) <= 2
    assert polls <= 20
    assert min(pauses) >= poll * 0.9, "never faster than the service's own cache"


@pytest.mark.parametrize("event", ["goes-cold", "starts-again", "is-disconnected", "is-queued"])
def test_a_model_that_goes_away_in_the_middle(place, event):
    frame = column(40)
    served = Served(["", "", "", "", "", event], latency=(0.002, 0.01))
    with FaultServer({"m": served}) as server:
        session.current().client = Client(
            _unpaced(resolve(server.url, poll_seconds=POLL)), Credential("t", "the test")
        )
        out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=4)
        in_vain = [one for one in server.ledger.sent if not one.delivered]
    all_right(out, frame)
    # what was under way, what starts it, and nothing that only asks whether it is there yet
    assert len(in_vain) <= 4 + 2, Counter(one.fault for one in in_vain)


def test_a_queue_that_says_live_while_the_model_is_not(place):
    """``/jobs`` is up to a minute old."""
    frame = column(10)
    with FaultServer({"m": Served(["", "", *["503-not-ready"] * 3])}) as server:
        session.current().client = Client(
            _unpaced(resolve(server.url, poll_seconds=POLL)), Credential("t", "the test")
        )
        out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=4)
        assert len(server.ledger.sent) == len(frame) + 3
        assert min(looks_apart(server)) >= POLL * 0.9, "never faster than the service's own cache"
    all_right(out, frame)


def looks_apart(server):
    """Return the seconds between looks at the queue."""
    times = [at for at, path in server.ledger.asked_at if path == f"{BASE}/sophia/jobs"]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def wait_until(there, seconds=60):
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.01)


def looked_at_again(server, times):
    """Wait until the state of things was asked for so often from now on."""

    def looks():
        return sum(path == f"{BASE}/status" for _, path in server.ledger.asked_at)

    before = looks()
    wait_until(lambda: looks() >= before + times)


def test_maintenance_in_the_middle_is_waited_out(place):
    frame = column(12)
    served = Served(latency=(0.005, 0.01))
    with FaultServer({"m": served}) as server:
        session.current().client = Client(
            _unpaced(resolve(server.url, poll_seconds=POLL)), Credential("t", "the test")
        )

        def closes(sent):
            if sent.number == 5:
                server.up, served.states = False, ["maintenance"]

        server.on_request = closes
        run = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, background=True)
        wait_until(lambda: not server.up)
        looked_at_again(server, 2)  # what was under way has come by then
        count = len(server.ledger.sent)
        looked_at_again(server, 4)
        assert run.running
        assert len(server.ledger.sent) == count, "nothing is sent into maintenance"
        server.up, served.states = True, ["running"]
        out = run.result(60)
    all_right(out, frame)


def test_maintenance_of_the_whole_service_is_waited_out(place, monkeypatch):
    """Everything answers with one page, and the list of models is too old to be believed."""
    monkeypatch.setattr(directory, "LIST_SECONDS", POLL / 2)
    frame = column(12)
    with FaultServer({"m": Served(latency=(0.005, 0.01))}) as server:
        session.current().client = Client(
            _unpaced(resolve(server.url, poll_seconds=POLL)), Credential("t", "the test")
        )

        def closes(sent):
            if sent.number == 5:
                server.page = "503-maintenance-page"

        server.on_request = closes
        run = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, background=True)
        wait_until(lambda: server.page)
        looks = f"GET {BASE}/list-endpoints"
        before = server.ledger.asked[looks]
        wait_until(lambda: server.ledger.asked[looks] >= before + 4)
        assert len(server.ledger.sent) <= 5 + 8 + 1, "what was under way, and the first to tell"
        assert run.running
        server.page = ""
        all_right(run.result(60), frame)


@pytest.mark.parametrize("page", ["502", "401-outage"])
def test_a_service_that_is_away_at_the_start_is_waited_for(place, page):
    frame = column(12)
    with FaultServer() as server:
        session.current().client = Client(
            _unpaced(resolve(server.url, poll_seconds=POLL)), Credential("t", "the test")
        )
        server.page = page
        run = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, background=True)
        looks = f"GET {BASE}/list-endpoints"
        wait_until(lambda: server.ledger.asked[looks] >= 4)
        assert run.running
        assert run.progress.words.endswith("Trying again.")
        server.page = ""
        all_right(run.result(60), frame)


def test_a_token_that_cannot_be_checked_now_is_not_sent_for_a_minute(place):
    """The gateway keeps to it for 60 s."""
    frame = column(30)
    with FaultServer({"m": Served(latency=(0.002, 0.006))}) as server:
        session.current().client = Client(
            _unpaced(resolve(server.url, poll_seconds=POLL)), Credential("t", "the test")
        )

        def fails(sent):
            if sent.number == 10:
                server.page = "401-outage"

        server.on_request = fails
        run = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, background=True, concurrency=4)
        wait_until(lambda: server.page)
        wait_until(lambda: len(server.ledger.sent) >= 10 + 4 + 4)
        server.on_request, server.page = None, ""
        all_right(run.result(60), frame)
        sent = [one for one in server.ledger.sent if one.fault == "401-outage"]
        rounds = [later.at - earlier.at for earlier, later in itertools.pairwise(sent)]
        pauses = [pause for pause in rounds if pause >= POLL * 0.9]
        # what was under way together; from then on one a minute
        assert len(pauses) >= len(sent) - 5


def test_several_texts_in_one_request_wait_for_the_service_too():
    with FaultServer({"m": Served(["502"] * 5)}) as server:
        connect(server)
        out = alcf.embed(pd.Series([f"text {n}" for n in range(40)]), model="m")
        assert len(server.ledger.sent) == 6
    assert set(out["status"]) == {"ok"}


def test_a_service_that_stays_away_ends_the_run_after_ten_minutes(place):
    with FaultServer({"m": Served(["502"] * 5000)}) as server:
        connect(server)
        run = alcf.map(column(40), TEMPLATE, model="m", checkpoint=place, background=True)
        began = time.monotonic()
        with pytest.raises(ServerFailureError):
            run.result(60)
        assert time.monotonic() - began >= 10 * POLL * 0.9
        assert len(server.ledger.sent) < 60


def sent_with(server, token):
    """Return how many requests came with a token: what was given up may come late."""
    return sum(one.authorization == f"Bearer {token}" for one in server.ledger.sent)


def test_a_model_that_is_removed_ends_the_run_and_keeps_what_came(place):
    frame = column(20)
    with FaultServer({"m": Served(), "n": Served()}) as server:
        connect(server)

        def removes(sent):
            if sent.number == 8:
                server.models["m"].states = ["removed"]
                del server.models["m"]

        server.on_request = removes
        with pytest.raises(AlcfError) as raised:
            alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=2)
        out = raised.value.result
        done = out["status"].tolist().count("ok")
        sent = len(server.ledger.sent)
        assert out["status"].value_counts().to_dict() == {"ok": done, "pending": 20 - done}
        assert done + 2 >= server.ledger.delivered("m").total() >= done
        assert sent <= done + 4
        server.models["m"] = Served()
        server.on_request = None
        connect(server, token="again")
        all_right(alcf.map(frame, TEMPLATE, model="m", checkpoint=place), frame)
        assert sent_with(server, "again") == 20 - done


def test_the_token_ends_in_the_middle(place):
    """The run ends, or waits where it can; with another token it goes on where it was."""
    frame = column(30)
    with FaultServer(token="first", models={"m": Served(latency=(0.002, 0.006))}) as server:
        connect(server, token="first")

        def ends(sent):
            if sent.number == 10:
                server.token = "second"

        server.on_request = ends
        with pytest.raises(SignInError) as raised:
            alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=4)
        kept = raised.value.result
        done = kept["status"].tolist().count("ok")
        # what was under way may be given up with the run
        assert 0 < server.ledger.delivered().total() - 4 <= done
        assert set(kept["status"]) == {"ok", "pending"}
        connect(server, token="second")
        all_right(alcf.map(frame, TEMPLATE, model="m", checkpoint=place), frame)
        assert sent_with(server, "second") == 30 - done, "nothing finished is sent again"


def test_a_server_that_is_gone_for_a_while(place):
    frame = column(24)
    with FaultServer({"m": Served(latency=(0.01, 0.02))}) as server:
        connect(server)

        def holds(sent):
            server.held = server.held or sent.number == 8

        server.on_request = holds
        run = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=4, background=True)
        server.wait_for(8 + 4)
        server.on_request = None
        server.refuse()
        server.held = False
        time.sleep(0.4)
        assert run.running
        server.accept()
        all_right(run.result(60), frame)
        in_vain = sum(not one.delivered for one in server.ledger.sent)
        assert in_vain <= 4


def test_a_server_that_never_was_is_told_at_once(place):
    with FaultServer() as server:
        connect(server)
        server.refuse()
        with Usable() as time_of_ours, pytest.raises(AlcfError):
            alcf.map(column(5), TEMPLATE, model="m", checkpoint=place)
        assert time_of_ours.took() < 5


@pytest.mark.parametrize("huge", ["long-line", "gzip-bomb"])
def test_an_answer_of_any_size_costs_bounded_memory(place, huge):
    import resource

    frame = column(6)
    with FaultServer({"m": Served([huge])}) as server:
        connect(server)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=1)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert server.ledger.faults() == {huge: 1}
    all_right(out, frame)
    assert grown < 250, f"{grown:.0f} MB"

"""Waiting until a model is Live: every transition, with a server that plays the queue."""

import itertools
import json
import threading
import time

import pytest

from alcf_jupyter.connection import directory, queue
from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.errors import (
    DeadlineError,
    LoginRequiredError,
    MaintenanceError,
    NotLiveError,
    ServiceTimeoutError,
    StreamFailedError,
    UnknownModelError,
)
from alcf_jupyter.service.catalog import Model, State
from tests.connection.faultserver import (
    DONE,
    Gateway,
    ask,
    chat_answer,
    chunked,
    client_of,
    event,
    gateway_error,
    good_stream,
    jobs,
    serving,
    stream_head,
    texts,
    whole,
)
from tests.connection.stopwatch import stopwatch

POLL = 0.1
OFFLINE, LIVE = jobs(running=["other"]), jobs(running=["cold", "other"])
QUEUED, STARTING = jobs(queued=["cold"]), jobs(starting=["cold"])
DISCONNECTED = jobs(disconnected=["cold"])
BROKEN = {"error": {"code": "failed_to_get_cluster_jobs", "message": "qstat"}}
POSTS = "/v1/chat/completions"


def failing(peer):
    peer.send(whole(BROKEN, 500))


def gateway(*queues, **more):
    return Gateway(models={"sophia": ["cold", "other"]}, jobs={"sophia": list(queues)}, **more)


class Notes:
    """An observer that keeps what it was told."""

    def __init__(self):
        self.lines = []

    def status(self, words):
        self.lines.append(words)


def cold(timeout="60s", **more):
    call = ask(timeout, model="cold")
    for name, value in more.items():
        setattr(call, name, value)
    return call


def waited(script, call=None, poll=POLL):
    """Chat with the cold model of `script`: the call, the notes and the server's requests."""
    call, notes = call or cold(), Notes()
    with serving(script) as server:
        client_of(server.url, poll_seconds=poll).chat(call, notes)
        return call, notes.lines, server.requests


def paths(requests, end):
    return [request for request in requests if request.path.endswith(end)]


def is_warm_up(request):
    return request.json.get("max_tokens") == 1


@pytest.mark.parametrize(
    ("queues", "passed"),
    [
        ([LIVE], ["Live"]),
        ([QUEUED, LIVE], ["Queued", "Live"]),
        ([STARTING, STARTING, LIVE], ["Starting", "Live"]),
        ([DISCONNECTED, LIVE], ["Disconnected", "Live"]),
        ([OFFLINE, QUEUED, STARTING, LIVE], ["Offline", "Queued", "Starting", "Live"]),
        ([OFFLINE, STARTING, DISCONNECTED, LIVE], ["Offline", "Starting", "Disconnected", "Live"]),
        ([QUEUED, OFFLINE, LIVE], ["Queued", "Offline", "Live"]),
        ([jobs(stopped=["cold"]), LIVE], ["Stopped", "Live"]),
        ([OFFLINE, failing, failing, QUEUED, failing, LIVE], ["Offline", "Queued", "Live"]),
        ([QUEUED, failing, LIVE], ["Queued", "Live"]),
    ],
)
def test_every_way_to_live(queues, passed):
    script = gateway(*queues)
    call, lines, requests = waited(script)
    assert [str(state) for state in call.wait.states] == passed
    asleep = sum(state in passed for state in ("Offline", "Stopped"))
    assert sum(is_warm_up(request) for request in paths(requests, POSTS)) == min(asleep, 1)
    assert sum(not is_warm_up(request) for request in paths(requests, POSTS)) == 1
    assert len(paths(requests, "/jobs")) == len(queues)
    for state in passed[:-1]:
        assert any(line.startswith(f"cold @ sophia · {state} · ") for line in lines)
    assert call.wait.seconds >= POLL * (len(queues) - 1)
    assert call.served.state is State.LIVE


def test_the_queue_is_looked_at_no_faster_than_it_changes():
    _, _, requests = waited(gateway(*[QUEUED] * 5, LIVE), poll=0.2)
    times = [request.at for request in paths(requests, "/jobs")]
    assert len(times) == 6
    assert all(later - earlier >= 0.19 for earlier, later in itertools.pairwise(times))


def test_a_cold_start_of_many_looks_takes_few_warm_ups():
    """Ten polls make the ten minutes: 13 minutes at ALCF's pace are at most two warm-ups."""
    call, _, requests = waited(gateway(*[OFFLINE] * 13, LIVE), poll=0.2)
    # a machine that stands still makes it longer than 13 polls
    most = max(2, 1 + call.wait.seconds / (10 * 0.2))
    assert 1 <= sum(is_warm_up(request) for request in paths(requests, POSTS)) <= most
    assert len(paths(requests, "/jobs")) == 14


def test_the_warm_up_is_of_the_kind_that_is_wanted():
    bodies = {
        "embeddings": {"input": ["hi"], "encoding_format": "base64"},
        "completions": {"prompt": "hi", "max_tokens": 1},
        "chat/completions": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1},
    }
    for route, body in bodies.items():
        sent, script = [], gateway(OFFLINE)

        def infer(peer, request, sent=sent, script=script):
            sent.append((request.path.split("/v1/")[1], request.json))
            script.status = {"sophia": False}  # which ends the wait
            script.jobs["sophia"] = jobs(stopped=["cold"], free_nodes=None)
            peer.send(gateway_error(503, "internal_endpoint_error", "Endpoint 'x' is offline."))

        script.infer = infer
        with serving(script) as server:
            client = client_of(server.url, poll_seconds=POLL)
            call = Call(route, "cold", None, {"input": ["a"]}, Deadline.after(60))
            start = {"embeddings": client.embed, "completions": client.complete}.get(route)
            with pytest.raises(MaintenanceError):
                (start or client.chat)(call)
            assert sent
            assert all(one == (route, {"model": "cold"} | body) for one in sent)


def test_the_warm_up_s_own_answer_is_not_waited_for():
    def infer(peer, request):
        if is_warm_up(request):
            peer.hang()
        else:
            peer.send(whole(chat_answer()))

    with stopwatch() as seconds:
        waited(gateway(OFFLINE, LIVE, infer=infer))
        assert seconds() < 3


def test_two_waits_and_two_clients_make_one_warm_up():
    with serving(gateway(OFFLINE, OFFLINE, OFFLINE, LIVE)) as server:
        clients = [client_of(server.url, poll_seconds=0.3) for _ in range(2)]
        threads = [
            threading.Thread(target=client.chat, args=(cold(),))
            for client in (*clients, clients[0])
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        windows = (time.monotonic() - began) // (10 * 0.3)  # more than one where all stands still
        posts = paths(server.requests, POSTS)
        warm_ups = sum(is_warm_up(request) for request in posts)
        assert 1 <= warm_ups <= 1 + windows
        assert len(posts) == 3 + warm_ups


@pytest.mark.parametrize(
    "queue_",
    [
        jobs(running=["other"], free_nodes=None),
        jobs(running=["other"], stopped=["cold"], free_nodes=None),
    ],
)
def test_where_nothing_starts_on_request_nothing_is_burned(queue_):
    with serving(gateway(queue_)) as server:
        with stopwatch() as seconds:
            with pytest.raises(NotLiveError) as caught:
                client_of(server.url).chat(cold())
            assert seconds() < 2
        assert "model='other'" in caught.value.why
        assert paths(server.requests, POSTS) == []


def test_on_metis_what_is_on_its_way_is_waited_for():
    bare = {"free_nodes": None}
    script = gateway(jobs(queued=["cold"], **bare), jobs(running=["cold"], **bare))
    call, _, requests = waited(script)
    assert call.wait.states == [State.QUEUED, State.LIVE]
    assert len(paths(requests, POSTS)) == 1


@pytest.mark.parametrize("queue_", [OFFLINE, QUEUED, STARTING, DISCONNECTED])
def test_now_or_not_at_all(queue_):
    with serving(gateway(queue_)) as server:
        call = cold(patient=False)
        with pytest.raises(NotLiveError) as caught:
            client_of(server.url).chat(call)
        assert paths(server.requests, POSTS) == []
        state = call.served.state
        assert f"cold on sophia is {state}." in str(caught.value)


def test_maintenance_is_not_waited_for():
    down = gateway(jobs(stopped=["cold"], free_nodes=None), status={"sophia": False})
    with serving(down) as server:
        with pytest.raises(MaintenanceError, match="sophia is under maintenance"):
            client_of(server.url).chat(cold())
        assert paths(server.requests, POSTS) == []


def test_maintenance_that_begins_in_the_middle():
    script = gateway(QUEUED, jobs(stopped=["cold"], free_nodes=None))

    def status(peer, _request):
        peer.send(whole({"sophia": script.asked["/status"] < 2}))

    script.routes["/status"] = status
    with serving(script) as server, pytest.raises(MaintenanceError):
        client_of(server.url, poll_seconds=POLL).chat(cold())


def test_a_model_that_disappears_in_the_middle(monkeypatch):
    monkeypatch.setattr(directory, "LIST_SECONDS", 0.05)
    script = gateway(QUEUED)
    with serving(script) as server:
        notes = Notes()

        def status(words):
            notes.lines.append(words)
            script.models = {"sophia": ["other"]}

        notes.status = status
        with pytest.raises(UnknownModelError, match="no model 'cold'"):
            client_of(server.url, poll_seconds=POLL).chat(cold(), notes)


def test_a_sign_in_that_ends_in_the_middle():
    script = gateway(QUEUED, QUEUED)

    def refuse(peer):
        peer.send(gateway_error(401, "unauthorized", "denied from internal policies."))

    script.jobs["sophia"] = [QUEUED, refuse]
    with serving(script) as server, pytest.raises(LoginRequiredError):
        client_of(server.url, poll_seconds=POLL).chat(cold())


@pytest.mark.parametrize(("queue_", "state"), [(QUEUED, "Queued"), (STARTING, "Starting")])
def test_the_deadline_names_the_state_and_what_is_live(queue_, state):
    queue_ = queue_ | {"running": queue_["running"] + OFFLINE["running"]}
    with serving(gateway(queue_)) as server:
        client = client_of(server.url, poll_seconds=60)
        client.models()
        began = time.monotonic()
        with stopwatch() as seconds:
            with pytest.raises(DeadlineError) as caught:
                client.chat(cold(timeout=1.5))
            assert seconds() < 2.3
        assert time.monotonic() - began > 1.4
        said = str(caught.value)
        assert f"cold on sophia was {state}" in said
        assert "Live now:  model='other'" in said
        assert "timeout=" in said
        assert len(said.splitlines()) == 3
        assert paths(server.requests, POSTS) == []


REFUSALS = [
    gateway_error(503, "internal_endpoint_error", "Endpoint 'x' is offline."),
    gateway_error(503, "internal_endpoint_error", "online but not ready to receive tasks."),
    gateway_error(503, "internal_endpoint_error", "'cold' is not currently live on Metis."),
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_queue_that_says_live_too_early(refusal, streaming):
    """It is up to a minute old: the model's own refusal counts, and one more look is waited for."""
    tries = []

    def infer(peer, request):
        tries.append(request.at)
        if len(tries) == 1:
            peer.send(refusal)
        elif streaming:
            good_stream(peer)
        else:
            peer.send(whole(chat_answer()))

    with serving(gateway(LIVE, infer=infer)) as server:
        client, call = client_of(server.url, poll_seconds=0.3), cold()
        answer = texts(client.stream(call))[1] if streaming else client.chat(call)
        assert answer.text == "hello"
        assert len(tries) == 2
        assert tries[1] - tries[0] >= 0.29
        assert call.wait.states == [State.LIVE, State.STARTING, State.LIVE]


def test_a_refusal_that_the_queue_bears_out():
    def infer(peer, request):
        if is_warm_up(request) or len(paths(server.requests, POSTS)) < 2:
            peer.send(REFUSALS[0])
        else:
            peer.send(whole(chat_answer()))

    with serving(gateway(LIVE, OFFLINE, STARTING, LIVE, infer=infer)) as server:
        call = cold()
        assert client_of(server.url, poll_seconds=POLL).chat(call).text == "hello"
        passed = [State.LIVE, State.OFFLINE, State.STARTING, State.LIVE]
        assert call.wait.states == passed


TIMED_OUT = {
    "object": "error",
    "message": "Streaming task timed out: No data received.",
    "type": "StreamingTimeoutError",
    "code": 504,
}


def test_a_stream_in_which_nothing_came_waits_and_asks_again():
    tries = []

    def infer(peer, _request):
        tries.append(1)
        if len(tries) == 1:
            body = f"data: {json.dumps(TIMED_OUT)}\n\n".encode() + DONE
            peer.send(stream_head(), chunked(body, last=True))
        else:
            good_stream(peer, "ok")

    with serving(gateway(LIVE, infer=infer)) as server:
        pieces, answer = texts(client_of(server.url, poll_seconds=POLL).stream(cold()))
        assert ("".join(pieces), answer.text, len(tries)) == ("ok", "ok", 2)


def test_nothing_is_sent_again_once_text_was_shown():
    def infer(peer, _request):
        body = event("half ") + f"data: {json.dumps(TIMED_OUT)}\n\n".encode() + DONE
        peer.send(stream_head(), chunked(body, last=True))

    with serving(gateway(LIVE, infer=infer)) as server:
        call, seen = cold(), []
        steps = client_of(server.url, poll_seconds=POLL).stream(call)
        with pytest.raises(StreamFailedError, match="nothing for 30 s"):
            seen.extend(step.text for step in steps if hasattr(step, "text"))
        assert seen == ["half "], "what came in the same packet is shown, too"
        assert len(paths(server.requests, POSTS)) == 1


def test_a_408_of_a_model_that_runs_is_final():
    """Its answer takes longer than the gateway waits; it would take as long again."""
    refusal = gateway_error(408, "request_timeout", "TimeoutError")
    with serving(gateway(LIVE, infer=lambda peer, _: peer.send(refusal))) as server:
        with pytest.raises(ServiceTimeoutError):
            client_of(server.url, poll_seconds=POLL).chat(cold())
        assert len(paths(server.requests, POSTS)) == 1


def test_a_408_of_a_model_that_does_not_run_waits():
    def infer(peer, _request):
        if len(paths(server.requests, POSTS)) == 1:
            peer.send(gateway_error(408, "request_timeout", "TimeoutError"))
        else:
            peer.send(whole(chat_answer()))

    with serving(gateway(LIVE, STARTING, LIVE, infer=infer)) as server:
        assert client_of(server.url, poll_seconds=POLL).chat(cold()).text == "hello"
        assert len(paths(server.requests, POSTS)) == 2


def test_a_refusal_is_final_for_who_does_not_wait():
    with serving(gateway(LIVE, infer=lambda peer, _: peer.send(REFUSALS[0]))) as server:
        with pytest.raises(NotLiveError):
            client_of(server.url).chat(cold(patient=False))
        assert len(paths(server.requests, POSTS)) == 1


def test_a_wait_that_is_left_ends_at_once():
    with serving(gateway(QUEUED)) as server:
        steps = client_of(server.url, poll_seconds=60).stream(cold())
        while next(steps) is None:
            pass
        with stopwatch() as seconds:
            steps.close()
            assert seconds() < 1
        time.sleep(0.3)
        asked = len(server.requests)
        time.sleep(0.3)
        assert len(server.requests) == asked


def test_the_line_of_a_wait():
    model = Model(
        id="m",
        cluster="sophia",
        state=State.QUEUED,
        estimated_start="14:10",
        comment="no gpus",
    )
    said = "m @ sophia · Queued · 1m 05s · estimated start 14:10 · no gpus · 4 nodes free"
    assert queue.line(model, 65, 4) == said
    live = Model(id="m", cluster="sophia", state=State.LIVE, comment="Job run at")
    assert queue.line(live, 1) == "m @ sophia · Live · 1s"

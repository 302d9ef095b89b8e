"""The catalog from routes that are slow, missing, closed or down."""

import threading
import time

import pytest

from alcf_jupyter.connection import directory
from alcf_jupyter.errors import (
    DeadlineError,
    IdentityCheckError,
    LoginRequiredError,
    NotTheServiceError,
    RateLimitError,
    ServerFailureError,
    TokenRefusedError,
)
from alcf_jupyter.service.catalog import State
from tests.connection.faultserver import (
    Gateway,
    ask,
    chat_answer,
    client_of,
    gateway_error,
    jobs,
    serving,
    whole,
)
from tests.connection.stopwatch import stopwatch

TWO = {"sophia": ["a", "b"], "metis": ["c"]}
QUEUES = {"sophia": jobs(running=["a"]), "metis": jobs(running=["c"], free_nodes=None)}


def two(**more):
    return Gateway(models=TWO, jobs=dict(QUEUES), **more)


def states(client, **options):
    return {model.id: model.state for model in client.models(**options).models}


def test_everything_in_one_round():
    with serving(two()) as server:
        client = client_of(server.url, poll_seconds=60)
        assert states(client) == {"a": State.LIVE, "b": State.OFFLINE, "c": State.LIVE}
        assert client.clusters == ["sophia", "metis"]
        asked = [request.path.removeprefix("/resource_server") for request in server.requests]
        assert asked[0] == "/list-endpoints"
        rest = ["/metis/jobs", "/metis/models", "/sophia/jobs", "/sophia/models", "/status"]
        assert sorted(asked[1:]) == rest
        for _ in range(5):
            client.models()
        assert len(server.requests) == len(asked), "kept as long as the service keeps it"
        client.models(fresh=True)
        again = [request.path for request in server.requests[len(asked) :]]
        assert sum(path.endswith("/jobs") for path in again) == 2
        assert not any(path.endswith("/models") for path in again), "a missing route is normal"


@pytest.mark.parametrize(
    "failing",
    [
        lambda peer: peer.send(whole({"error": {"code": "x", "message": "y"}}, 500)),
        lambda peer: peer.send(gateway_error(408, "request_timeout", "qstat")),
        lambda peer: peer.send(gateway_error(401, "unauthorized", "Globus Group restrictions.")),
        lambda peer: peer.send(whole(b"<html>down</html>", 503, "text/html")),
        lambda peer: peer.send(whole(b"<html>a portal</html>", 200, "text/html")),
        lambda peer: peer.send(whole(b"not json")),
        lambda peer: peer.send(whole(["a", "list"])),
        lambda peer: peer.send(whole(None)),
        lambda peer: peer.reset(),
    ],
)
def test_a_queue_that_fails_leaves_its_states_unknown(failing):
    gateway = two()
    gateway.jobs["sophia"] = failing
    with serving(gateway) as server:
        client = client_of(server.url)
        assert states(client) == {"a": State.UNKNOWN, "b": State.UNKNOWN, "c": State.LIVE}
        gateway.jobs["sophia"] = QUEUES["sophia"]
        time.sleep(0.06)
        assert states(client)["a"] is State.LIVE, "and it is asked again"


def test_a_slow_queue_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(directory, "QUEUE_SECONDS", 2.0)  # which the other cluster's has, too
    gateway = two()
    gateway.jobs["sophia"] = lambda peer: peer.hang()
    with serving(gateway) as server:
        with stopwatch() as seconds:
            found = states(client_of(server.url), timeout="60s")
            assert seconds() < 4
        assert found == {"a": State.UNKNOWN, "b": State.UNKNOWN, "c": State.LIVE}


def test_a_model_of_unknown_state_is_asked_at_once():
    gateway = two()
    gateway.jobs["sophia"] = lambda peer: peer.send(whole({}, 500))
    with serving(gateway) as server:
        assert client_of(server.url).chat(ask(model="b")).text == "hello"


@pytest.mark.parametrize("route", ["/list-endpoints", "/sophia/jobs", "/metis/models", "/status"])
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Token is either not active or invalid", TokenRefusedError),
        ("Error: Permission denied from internal policies.", LoginRequiredError),
        ("Token introspection: Globus does not answer", IdentityCheckError),
    ],
)
def test_who_one_is_must_be_known(route, message, kind):
    def refuse(peer, _request):
        peer.send(gateway_error(401, "unauthorized", message))

    with serving(two(routes={route: refuse})) as server, pytest.raises(kind):
        client_of(server.url).models()


@pytest.mark.parametrize(
    ("answer", "kind", "tries"),
    [
        (whole({"detail": "Too many requests."}, 429), RateLimitError, 6),
        (whole({}, 500), ServerFailureError, 1),
        (whole(b"<html><title>Portal</title>", 200, "text/html"), NotTheServiceError, 1),
    ],
)
def test_without_the_list_there_is_no_catalog(answer, kind, tries):
    script = two(routes={"/list-endpoints": lambda peer, _: peer.send(answer)})
    with serving(script) as server:
        with pytest.raises(kind):
            client_of(server.url).models()
        assert len(server.requests) == tries


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_list_that_could_not_be_had_for_a_moment_is_asked_for_again(status):
    def listing(peer, _request):
        del script.routes["/list-endpoints"]
        peer.send(whole({"detail": "Not now."}, status))

    script = two(routes={"/list-endpoints": listing})
    with serving(script) as server:
        assert client_of(server.url).chat(ask(model="a")).text == "hello"
        assert script.asked["/list-endpoints"] == 2


@pytest.mark.parametrize(
    "answer", [None, [], "x", 5, {}, {"clusters": 5}, {"clusters": ["sophia"]}, {"clusters": None}]
)
def test_a_list_that_lists_nothing(answer):
    script = two(routes={"/list-endpoints": lambda peer, _: peer.send(whole(answer))})
    with serving(script) as server:
        known = client_of(server.url).models()
        assert known.models == ()
        assert known.warnings


def test_a_route_of_details_that_was_out_for_a_moment_is_asked_again(monkeypatch):
    monkeypatch.setattr(directory, "LIST_SECONDS", 0.2)
    gateway = two(routes={"/sophia/models": lambda peer, _: peer.reset()})
    with serving(gateway) as server:
        client = client_of(server.url, poll_seconds=0.01)
        assert client.models().find("a").context is None
        details = [{"id": "a", "max_model_len": 4096}]
        gateway.routes["/sophia/models"] = lambda peer, _: peer.send(whole(details))
        time.sleep(0.25)
        assert client.models().find("a").context == 4096
        asked = gateway.asked["/sophia/models"]
        time.sleep(0.25)
        client.models()
        assert gateway.asked["/sophia/models"] == asked, "what is known is not asked again"


def test_a_wait_for_somebody_else_s_look_counts_against_the_deadline():
    ended, found = threading.Event(), []

    def listing(peer, _request):
        ended.wait(60)
        peer.send(whole({"clusters": {}}))

    with serving(two(routes={"/list-endpoints": listing})) as server:
        client = client_of(server.url)
        thread = threading.Thread(target=lambda: found.append(client.models(timeout=60)))
        thread.start()
        try:
            server.wait_for(1)
            with stopwatch() as seconds:
                with pytest.raises(DeadlineError, match="waiting for the list of models"):
                    client.models(timeout=0.3)
                assert seconds() < 1.2
        finally:
            ended.set()
            thread.join()
    assert [known.models for known in found] == [()]


def test_the_list_of_models_is_kept():
    with serving(two()) as server:
        client = client_of(server.url)
        client.models()
        before = dict(server.script.asked)
        time.sleep(0.06)
        client.chat(ask(model="a", timeout="60s"))
        after = server.script.asked
        assert after["/list-endpoints"] == before["/list-endpoints"] == 1


def test_jobs_come_as_the_service_gives_them():
    with serving(two()) as server:
        client, began = client_of(server.url), time.time()
        assert client.jobs("SOPHIA") == QUEUES["sophia"]
        assert began <= client.checked_at <= time.time()


def test_a_plain_server_may_have_no_list():
    def script(peer, _request):
        peer.send(whole(b"404 page not found", 404, "text/plain"))

    with serving(script) as server:
        known = client_of(server.plain, token=None).models()
        assert not known.complete
        assert known.find("anything").id == "anything"


def test_what_a_plain_server_taught_is_kept_when_it_is_listed_again():
    def script(peer, request):
        listed = {"data": [{"id": "llama3"}]}
        peer.send(whole(listed if request.method == "GET" else chat_answer()))

    with serving(script) as server:
        client = client_of(server.plain, token=None)
        assert client.models().models[0].can_chat is None
        client.chat(ask(model="llama3"))
        assert client.models().models[0].can_chat is True
        assert client.models(fresh=True).models[0].can_chat is True

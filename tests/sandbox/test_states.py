"""Models that move on the accelerated clock, and what callers meet meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from .conftest import events, wait_until

CHICAGO = ZoneInfo("America/Chicago")
COLD = "sandbox/cold"
OFFLINE = {"model": COLD, "state": "Offline"}


@pytest.fixture
def cold(sandbox):
    """The shared sandbox with its cold model as nobody has asked for it."""
    sandbox.control("POST", "/state", OFFLINE)
    yield sandbox
    sandbox.control("POST", "/state", OFFLINE)


def word(sandbox, model=COLD, cluster="sophia"):
    """Return the list a model stands in and the word there."""
    jobs = sandbox.get(f"/{cluster}/jobs").json()
    for place in ("running", "queued", "stopped", "others"):
        for row in jobs[place]:
            if model in row["Models"].split(","):
                return place, row.get("Model Status")
    return None


def test_cold_start(cold):
    cold.control("POST", "/state", {"model": COLD, "load_seconds": 6000})
    cold.control("POST", "/clock", {"speed": 300})
    assert word(cold) is None
    refused = cold.chat("hi", model=COLD)
    assert (refused.status_code, refused.json()["error"]["code"]) == (408, "request_timeout")
    assert set(refused.json()["error"]["info"]) == {"task_id"}
    again = cold.chat("hi", model=COLD)
    assert again.status_code == 503
    assert "online but not ready to receive tasks" in again.json()["error"]["message"]
    cold.control("POST", "/clock", {"advance": 60})
    assert word(cold) == ("running", "starting")
    cold.control("POST", "/clock", {"advance": 6000})
    assert word(cold) == ("running", "running")
    assert cold.chat("hi", model=COLD).json()["choices"][0]["message"]["content"] == "hi"
    cold.control("POST", "/state", {"model": COLD, "load_seconds": 600})


def asked(sandbox):
    """Wait until a request to a model has come."""
    return wait_until(lambda: sandbox.control("GET", "/log?route=chat")["entries"])


def test_first_caller_is_answered_when_the_model_comes_up_in_time(cold):
    cold.control("POST", "/clock", {"speed": 1})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(cold.chat, "hi", model=COLD)
        asked(cold)
        assert cold.chat("me too", model=COLD).status_code == 503
        cold.control("POST", "/state", {"model": COLD, "state": "Live"})
        assert waiting.result(60).status_code == 200


def test_cold_stream_always_fails_after_30_seconds(cold):
    cold.control("POST", "/clock", {"speed": 1})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(cold.chat, "hi", model=COLD, stream=True)
        asked(cold)
        cold.control("POST", "/clock", {"advance": 15})
        time.sleep(0.1)
        assert not waiting.done()
        cold.control("POST", "/clock", {"advance": 15})
        error, done = events(waiting.result(60))
    assert (error["type"], error["code"], done) == ("StreamingTimeoutError", 504, None)
    assert cold.chat("hi", model=COLD, stream=True).status_code == 503
    assert word(cold) == ("queued", "queued"), "but it has been called"


def test_ten_minute_window(cold):
    cold.control("POST", "/state", {"model": COLD, "load_seconds": 6000})
    cold.chat("hi", model=COLD, stream=True)
    assert cold.chat("hi", model=COLD).status_code == 503
    cold.control("POST", "/clock", {"advance": 600})
    assert cold.chat("hi", model=COLD, stream=True).status_code == 200, "it waits again"
    cold.control("POST", "/state", {"model": COLD, "load_seconds": 600})


def test_jobs_are_up_to_a_minute_old(cold):
    cold.control("POST", "/clock", {"speed": 1})
    assert word(cold) is None
    cold.control("POST", "/state", {"model": COLD, "state": "Live", "keep_jobs": True})
    assert word(cold) is None
    cold.control("POST", "/clock", {"advance": 60})
    assert word(cold) == ("running", "running")


def test_jobs_that_say_live_while_requests_fail(cold):
    cold.control("POST", "/state", {**OFFLINE, "state": "Disconnected", "jobs_say": "Live"})
    assert word(cold) == ("running", "running")
    cold.chat("hi", model=COLD, stream=True)
    assert cold.chat("hi", model=COLD).status_code == 503
    cold.control("POST", "/state", {"model": COLD, "jobs_say": ""})
    assert word(cold) == ("running", "disconnected")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("Starting", ("running", "starting")),
        ("Disconnected", ("running", "disconnected")),
        ("Queued", ("queued", "queued")),
        ("Ended", ("others", "other")),
        ("Offline", None),
        ("Unreachable", None),
    ],
)
def test_states_in_the_words_of_jobs(cold, state, told):
    cold.control("POST", "/clock", {"speed": 1})
    cold.control("POST", "/state", {"model": COLD, "state": state})
    assert word(cold) == told


def test_offline_endpoint(cold):
    cold.control("POST", "/state", {"model": COLD, "state": "Unreachable"})
    refused = cold.chat("hi", model=COLD)
    assert refused.status_code == 503
    assert refused.json()["error"]["message"] == "Endpoint 'sophia-vllm-sandboxcold' is offline."


def test_queued_waits_for_a_day(sandbox):
    assert word(sandbox, "sandbox/queued") == ("queued", "queued")
    row = sandbox.get("/sophia/jobs").json()["queued"][0]
    told = row["Estimated Start Time"].removesuffix(" (Chicago time)")
    start = datetime.strptime(told, "%a %b %d %H:%M:%S %Y").replace(tzinfo=CHICAGO)
    # on the reader's clock, not on the service's, which runs ahead
    left = start.timestamp() - time.time()
    speed = sandbox.control("GET", "/clock")["speed"]
    assert 0 < left <= 86_400 / speed + 1


def test_metis_and_minerva_are_not_started_by_a_request(sandbox):
    for name in ("sandbox-stopped", "sandbox-provisioning"):
        refused = sandbox.chat("hi", model=name, cluster="metis/api")
        assert refused.status_code == 503
        assert refused.json()["error"]["message"] == f"'{name}' is not currently live on Metis."
    sandbox.control(
        "POST", "/state", {"model": "sandbox-echo", "cluster": "minerva", "state": "Stopped"}
    )
    assert sandbox.chat("hi", model="sandbox-echo", cluster="minerva/api").status_code == 503
    assert sandbox.chat("hi", model="sandbox-echo", cluster="metis/api").status_code == 200
    sandbox.control("POST", "/state", {"model": "sandbox-echo", "state": "Live"})


def test_maintenance(sandbox):
    notice = "Sophia is down until Monday."
    sandbox.control("POST", "/state", {"cluster": "sophia", "notice": notice})
    assert sandbox.get("/status").json()["sophia"] is False
    jobs = sandbox.get("/sophia/jobs").json()
    assert all(not jobs[place] for place in ("running", "queued", "others"))
    assert set(jobs["stopped"][0]) == {"Models", "Framework", "Cluster"}
    assert jobs["cluster_status"] == {}
    for refused in (sandbox.chat("hi"), sandbox.chat("hi", stream=True)):
        assert refused.status_code == 503
        assert refused.json()["error"]["message"] == notice
    sandbox.control("POST", "/state", {"cluster": "sophia", "notice": ""})
    assert sandbox.chat("hi").status_code == 200


def test_models_come_and_go(sandbox):
    sandbox.control("POST", "/state", {"cluster": "sophia", "add": {"id": "sandbox/guest"}})
    assert sandbox.chat("hi", model="sandbox/guest").status_code == 200
    sandbox.control("POST", "/state", {"model": "sandbox/guest", "remove": True})
    assert sandbox.chat("hi", model="sandbox/guest").status_code == 404


def test_walltime_runs(sandbox):
    def seconds():
        row = sandbox.get("/sophia/jobs").json()["running"][0]
        hours, minutes, rest = row["Walltime"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + int(rest)

    sandbox.control("POST", "/clock", {"speed": 1})
    before = seconds()
    sandbox.control("POST", "/clock", {"advance": 120})
    assert 120 <= seconds() - before < 300

"""The sandbox's own routes: the log, the clock, and who may use them."""

import json
from pathlib import Path

import httpx
import pytest

from alcf_jupyter.sandbox.routes import CONTROL, ROUTES

from .conftest import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"


def test_every_route_is_on_the_page():
    page = PAGE.read_text("utf-8")
    listed = [f"`{r.method} {r.path.pattern}`" for r in ROUTES if r.face == CONTROL]
    assert [route for route in listed if route not in page] == []


def test_every_option_is_on_the_page():
    from argparse import SUPPRESS

    from alcf_jupyter.sandbox.__main__ import parser

    page = PAGE.read_text("utf-8")
    shown = [action for action in parser()._actions if action.help != SUPPRESS]
    options = [name for action in shown for name in action.option_strings]
    assert [name for name in options if name not in page and name not in ("-h", "--help")] == []


def test_every_model_is_on_the_page(sandbox):
    page = PAGE.read_text("utf-8")
    models = sandbox.control("GET", "")["models"]
    assert [one["model"] for one in models if f"`{one['model']}`" not in page] == []


def test_the_log_tells_what_was_sent(sandbox):
    sandbox.chat("ünï", fault="proxy-502")
    sandbox.get("/whoami", headers={"Authorization": "Bearer bob-token"})
    httpx.get(f"{sandbox.url}/whoami")
    httpx.get(f"{sandbox.url}/whoami", headers={"Authorization": "Bearer who-is-this"})
    told = wait_until(lambda: _all_ended(sandbox, 4))
    assert told["total"] == 4
    chat, bob, nobody, stranger = told["entries"]
    assert json.loads(chat["body"])["messages"][0]["content"] == "ünï"
    assert (chat["status"], chat["fault"], chat["outcome"]) == (502, "proxy-502", "answered")
    assert [one["role"] for one in (chat, bob, nobody, stranger)] == [
        "owner",
        "bob",
        "nobody",
        "stranger",
    ]
    assert [bob["status"], nobody["status"]] == [200, 401]
    text = json.dumps(told)
    assert not any(token in text for token in (sandbox.secret, "bob-token", "who-is-this"))
    assert len(sandbox.control("GET", "/log?since=3")["entries"]) == 1
    assert len(sandbox.control("GET", "/log?route=/chat/")["entries"]) == 1


def _all_ended(sandbox, count):
    """The log, once so many requests have come and ended: what is noted after their last byte."""
    told = sandbox.control("GET", "/log")
    ended = [one for one in told["entries"] if one["outcome"] != "open"]
    return told if len(ended) >= count else None


def test_the_log_knows_who_left(sandbox):
    with pytest.raises(httpx.ReadTimeout):
        sandbox.get("/whoami", headers={"X-Sandbox-Fault": "half-open"}, timeout=0.2)
    with pytest.raises(httpx.HTTPError):
        sandbox.chat("x", fault="reset-before")
    told = wait_until(lambda: _all_ended(sandbox, 2))
    assert [one["outcome"] for one in told["entries"]] == ["left", "broken"]


def test_the_log_in_a_file(start, tmp_path):
    path = tmp_path / "log.jsonl"
    with start(f"--log={path}") as sandbox:
        sandbox.get("/whoami")
        sandbox.chat("hi")
    # A request is noted when its answer is out, so the last one perhaps after the client has it.
    text = path.read_text("utf-8")
    assert sandbox.secret not in text
    paths = [json.loads(line)["path"] for line in text.splitlines()]
    assert paths == ["/resource_server/whoami", "/resource_server/sophia/vllm/v1/chat/completions"]


def test_only_the_secret_opens(sandbox):
    base = sandbox.url.removesuffix("/resource_server")
    for header in ({}, {"Authorization": "Bearer bob-token"}, {"Authorization": sandbox.secret}):
        for method, path in (("GET", "/sandbox/log"), ("POST", "/sandbox/faults")):
            assert httpx.request(method, base + path, headers=header).status_code == 401


def test_the_secret_still_opens_when_its_own_token_is_refused(start):
    with start() as sandbox:
        sandbox.control("POST", "/tokens", {sandbox.secret: "expired"})
        assert sandbox.get("/whoami").status_code == 401
        assert sandbox.control("GET", "")["models"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clock", {"speed": 0}),
        ("/clock", {"speed": "fast"}),
        ("/clock", {"advance": -1}),
        ("/clock", []),
        ("/clock", {"hours": 3}),
        ("/state", {"model": "none", "state": "Live"}),
        ("/state", {"model": "sandbox/cold", "state": "Tired"}),
        ("/state", {"cluster": "nowhere", "notice": "x"}),
        ("/state", {"state": "Live"}),
        ("/tokens", {"t": "king"}),
        ("/limits", {"colour": "red"}),
        ("/limits", "text"),
    ],
)
def test_wrong_wishes_are_refused_with_a_reason(sandbox, path, body):
    answer = sandbox.client.post(f"/sandbox{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize("wish", ['{"speed": NaN}', '{"advance": NaN}', '{"advance": 1e999}'])
def test_the_clock_stays_one(sandbox, wish):
    assert sandbox.client.post("/sandbox/clock", content=wish).status_code == 400
    assert sandbox.control("GET", "/clock")["now"] > 0


def test_clock_runs_and_jumps(sandbox):
    before = sandbox.control("POST", "/clock", {"speed": 1})["now"]
    after = sandbox.control("POST", "/clock", {"advance": 3600, "speed": 2})
    assert 3600 <= after["now"] - before < 3700
    assert after["speed"] == 2


def test_latency(start):
    with start("--latency=0.2") as sandbox:
        assert sandbox.get("/whoami").elapsed.total_seconds() > 0.2
        sandbox.control("POST", "/limits", {"latency_real_seconds": 0})
        # what would hold up each of them holds up the quickest, too
        took = min(sandbox.get("/whoami").elapsed.total_seconds() for _ in range(10))
        assert took < 0.2

"""The gateway's limits: requests a second, and tokens a minute."""

import time

import pytest


@pytest.fixture(scope="module")
def limited(start):
    with start("--token=bob-token=bob", "--clock-speed=1") as sandbox:
        yield sandbox


def at_once(sandbox, ask, count):
    """Ask so often within a second, which a busy machine may not manage the first time."""
    for _ in range(60):
        time.sleep(1.05)
        sandbox.control("DELETE", "/log")
        answers = [ask() for _ in range(count)]
        first, *_, last = sandbox.control("GET", "/log")["entries"]
        if last["seconds"] is not None and last["time"] + last["seconds"] - first["time"] < 1:
            return answers
    raise AssertionError("never within a second")


def test_ten_requests_a_second(limited):
    answers = at_once(limited, lambda: limited.get("/whoami"), 15)
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 5
    refused = answers[-1]
    assert refused.json() == {"detail": "Too many requests."}
    assert "retry-after" not in refused.headers
    bob = {"Authorization": "Bearer bob-token"}
    assert limited.get("/whoami", headers=bob).status_code == 200, "each user has a limit"
    time.sleep(1.05)
    assert limited.get("/whoami").status_code == 200


def test_tokens_a_minute(limited):
    limits = {"requests_per_second": 0, "tokens_per_user": 40, "tokens_per_model": 100}
    limited.control("POST", "/limits", limits)
    # Each answer says back ten tokens: twenty in all. The one that goes over still comes.
    ten = "a b c d e f g h i j"
    assert [limited.chat(ten).status_code for _ in range(3)] == [200, 200, 429]
    refused = limited.chat(ten)
    info = refused.json()["error"]["info"]
    assert info == {"global_model_usage": 40, "user_model_usage": 40}
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert "retry-after" not in refused.headers
    assert limited.chat(ten, model="sandbox/summary").status_code == 200, "each model has a limit"
    bob = {"model": "sandbox/echo", "messages": [{"role": "user", "content": ten * 4}]}
    path = "/sophia/vllm/v1/chat/completions"
    assert limited.post(path, bob, token="bob-token").status_code == 200
    refused = limited.post(path, bob, token="bob-token").json()["error"]
    assert refused["info"]["global_model_usage"] > 100
    assert limited.chat(ten, stream=True).status_code == 429
    limited.control("POST", "/clock", {"advance": 60})
    assert limited.chat(ten, stream=True).status_code == 200


def test_health_is_limited_too(limited):
    import httpx

    limited.control("POST", "/limits", {"requests_per_second": 2})
    with httpx.Client() as nobody:
        answers = at_once(limited, lambda: nobody.get(f"{limited.url}/health", timeout=60), 3)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    limited.control("POST", "/limits", {"requests_per_second": 10})


def test_control_routes_are_not_limited(limited):
    for _ in range(30):
        limited.control("GET", "/clock")

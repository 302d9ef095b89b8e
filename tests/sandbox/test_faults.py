"""Every fault fires, on the requests it is meant for and as often as it is told to."""

import json
import re
import socket
import time
from pathlib import Path

import httpx
import pytest

from alcf_jupyter.sandbox.faults import FAULTS

from .conftest import events, spoken, wait_until

TEXT = "one two three four five six é seven 🙂"
PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
# Those that end the connection, or never end the answer.
BREAKING = {
    "refused",
    "reset-before",
    "reset-in-headers",
    "reset-after-headers",
    "reset-in-body",
    "close-before",
    "close-in-headers",
    "close-in-body",
    "half-open",
    "half-open-after-headers",
    "half-open-in-body",
    "drip",
    "drip-headers",
    "not-http",
    "stream-broken",
}
LARGE = {"gzip-bomb", "long-line"}
# Good answers in an odd form: a client should take them.
GOOD_STREAMS = {
    "stream-comments",
    "stream-no-space",
    "stream-no-done",
    "split-utf8",
    "split-crlf",
    "one-byte-chunks",
    "one-chunk",
}
GOOD_ANSWERS = {"unknown-fields", "gzip", "split-utf8", "one-byte-chunks", "no-usage"}


def test_every_fault_is_on_the_page():
    page = PAGE.read_text("utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| `[a-z0-9-]+` \| [A-Z0-9]", line)]
    assert set(rows) == {f"| `{name}` | {one.summary} |" for name, one in FAULTS.items()}


@pytest.mark.parametrize("name", sorted(set(FAULTS) - BREAKING - LARGE))
def test_every_fault_answers(sandbox, name):
    sandbox.control("POST", "/clock", {"speed": 6000})
    scope = FAULTS[name].scope
    usual = sandbox.chat(TEXT, stream=scope == "stream")
    if scope == "jobs":
        usual = sandbox.get("/sophia/jobs")
        failed = sandbox.get("/sophia/jobs", headers={"X-Sandbox-Fault": name})
    elif scope == "embeddings":
        usual = sandbox.embed(["a", "b"])
        failed = sandbox.embed(["a", "b"], fault=name)
    elif scope == "batch":
        body = {"model": "sandbox/echo", "input_file": f"/{name}", "output_folder_path": "/out"}
        sandbox.control("POST", "/limits", {"batches_per_user": 1000})
        failed = sandbox.post("/sophia/vllm/v1/batches", body, fault=name)
        assert failed.status_code == 200, "it is noticed later"
    else:
        failed = sandbox.chat(TEXT, fault=name, stream=scope == "stream")
    entry = sandbox.control("GET", "/log")["entries"][-1]
    assert entry["fault"] == name
    assert entry["status"] == failed.status_code
    if name not in {"slow", "jobs-slow", "one-chunk", "split-crlf", "embeddings-as-floats"}:
        assert _comparable(failed) != _comparable(usual)


def _comparable(answer):
    text = re.sub(r"[0-9a-f]{32}|\d+\.[\de-]+|1[78]\d{8}", "", answer.text)
    framing = answer.headers.get("content-encoding"), answer.headers.get("transfer-encoding")
    return answer.status_code, text, framing, answer.headers["content-type"]


@pytest.mark.parametrize("name", sorted(GOOD_STREAMS))
def test_good_streams_in_an_odd_form(sandbox, name):
    answer = sandbox.chat(TEXT, fault=name, stream=True)
    lines = re.split(r"\r\n|\n", answer.text)
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    assert spoken([json.loads(one) for one in data if one != "[DONE]"]) == (TEXT, "stop")


@pytest.mark.parametrize("name", sorted(GOOD_ANSWERS))
def test_good_answers_in_an_odd_form(sandbox, name):
    answer = sandbox.chat(TEXT, fault=name).json()
    assert answer["choices"][0]["message"]["content"] == TEXT


def raw(sandbox, fault, *, stream=False, enough=None):
    """Send a chat request on a bare socket; return the bytes and how it ended.

    One whose end is not told is looked at until there is `enough`, and then for a moment more.
    """
    message = {"role": "user", "content": TEXT}
    body = json.dumps({"model": "sandbox/echo", "messages": [message], "stream": stream})
    head = (
        "POST /resource_server/sophia/vllm/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {sandbox.secret}\r\nX-Sandbox-Fault: {fault}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=60) as sock:
        sock.sendall(head.encode() + body.encode())
        end = None
        try:
            while end is None or time.monotonic() < end:
                if end is None and enough is not None and enough(received):
                    end = time.monotonic() + 0.3
                    sock.settimeout(0.3)
                    continue
                part = sock.recv(65536)
                if not part:
                    return received, "closed"
                received += part
        except ConnectionResetError:
            return received, "reset"
        except TimeoutError:
            assert end is not None, "it neither went on nor ended"
    return received, "open"


def parts(received):
    """Return the head, its end, and the body."""
    return received.partition(b"\r\n\r\n")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "ended", "head", "body"),
    [
        ("reset-before", "reset", False, False),
        ("reset-in-headers", "reset", False, False),
        ("reset-after-headers", "reset", True, False),
        ("reset-in-body", "reset", True, True),
        ("close-before", "closed", False, False),
        ("close-in-headers", "closed", False, False),
        ("close-in-body", "closed", True, True),
        ("half-open", "open", False, False),
        ("half-open-after-headers", "open", True, False),
        ("half-open-in-body", "open", True, True),
        ("drip;interval=0.05", "open", True, True),
        ("not-http", "closed", False, False),
    ],
)
def test_broken_connections(sandbox, fault, ended, head, body, stream):
    def enough(received):
        return ended == "open" and tuple(map(bool, parts(received)[1:])) == (head, body)

    received, how = raw(sandbox, fault, stream=stream, enough=enough)
    before, blank, after = parts(received)
    assert (how, bool(blank), bool(after)) == (ended, head, body)
    if fault.endswith("in-headers"):
        assert before.startswith(b"HTTP/1.1 200")
    assert b"[DONE]" not in received
    assert sandbox.get("/health").status_code == 200, "the others are served"


def test_drip_is_one_byte_at_a_time(sandbox):
    began = time.monotonic()
    received, how = raw(sandbox, "drip;interval=0.1", enough=lambda got: len(parts(got)[2]) > 3)
    took = time.monotonic() - began
    assert how == "open"
    assert len(parts(received)[2]) <= took / 0.1 + 2
    began = time.monotonic()
    head, how = raw(sandbox, "drip-headers;interval=0.2", enough=lambda got: len(got) > 1)
    took = time.monotonic() - began
    assert how == "open"
    assert b"HTTP/1.1 200 OK".startswith(head[:15])
    assert len(head) <= took / 0.2 + 2


def is_refused(sandbox):
    try:
        socket.create_connection(("127.0.0.1", sandbox.port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_refused_for_a_while(sandbox, start):
    _, how = raw(sandbox, "refused;seconds=0.5")
    assert how == "reset"
    wait_until(lambda: not is_refused(sandbox))
    with start() as other:
        assert raw(other, "refused;seconds=600")[1] == "reset"
        wait_until(lambda: is_refused(other))


def test_gzip_bomb_is_small_on_the_way_and_large_at_the_end(sandbox):
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": TEXT}]}
    with sandbox.client.stream(
        "POST",
        "/resource_server/sophia/vllm/v1/chat/completions",
        json=body,
        headers={"X-Sandbox-Fault": "gzip-bomb;mb=20"},
    ) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert 0 < sum(map(len, answer.iter_raw())) < 100_000
    opened = sandbox.chat(TEXT, fault="gzip-bomb;mb=3")
    assert len(opened.content) == 3_000_002
    assert opened.json() == {}


@pytest.mark.parametrize("stream", [False, True])
def test_long_lines(sandbox, stream):
    answer = sandbox.chat(TEXT, fault="long-line;mb=2", stream=stream)
    assert max(map(len, answer.text.splitlines())) > 2_000_000
    text = answer.text.split("\n")[0].removeprefix("data: ")
    assert json.loads(text)["choices"]


def test_pieces_are_cut_where_it_hurts(sandbox):
    received, _ = raw(
        sandbox, "split-utf8", stream=True, enough=lambda got: got.endswith(b"\r\n0\r\n\r\n")
    )
    sizes = re.findall(rb"\r\n([0-9a-f]+)\r\n", received)
    assert len(sizes) > 5
    assert "é".encode() not in received
    with sandbox.client.stream(
        "POST",
        "/resource_server/sophia/vllm/v1/chat/completions",
        json={
            "model": "sandbox/echo",
            "messages": [{"role": "user", "content": TEXT}],
            "stream": True,
        },
        headers={"X-Sandbox-Fault": "split-crlf"},
    ) as answer:
        pieces = list(answer.iter_raw())
    assert sum(piece.endswith(b"\r") for piece in pieces) > 10


def test_redirects(sandbox):
    here = sandbox.chat(TEXT, fault="redirect-same-host;status=308")
    assert (here.status_code, here.headers["location"][:22]) == (308, "/resource_server/moved")
    there = sandbox.chat(TEXT, fault="redirect-other-host;to=http://example.org")
    assert there.headers["location"].startswith("http://example.org/sophia/vllm")
    assert sandbox.chat(TEXT, fault="redirect-to-http").headers["location"].startswith("http://")


@pytest.mark.parametrize(
    ("cluster", "model"), [("sophia/vllm", "sandbox/echo"), ("metis/api", "sandbox-echo")]
)
@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_upstream_errors_as_each_cluster_words_them(sandbox, cluster, model, status):
    def fail(shape, **more):
        fault = f"upstream-{status};shape={shape};message=out of luck"
        return sandbox.chat(TEXT, fault=fault, cluster=cluster, model=model, **more)

    for shape in ("flat", "nested"):
        whole = fail(shape)
        message = whole.json()["error"]["message"]
        assert "out of luck" in message
        (first, done) = events(fail(shape, stream=True))
        assert done is None
        if cluster == "sophia/vllm":
            assert whole.status_code == 500
            assert f"API request failed with status code: {status}" in message
            assert first["object"] == "error"
            told = "out of luck" if shape == "flat" else "An error occurred during processing"
            assert first["message"] == told
        else:
            assert whole.status_code == status
            assert message.startswith(f"Upstream endpoint returned {status}: b'{{")
            assert first["id"] == "chatcmpl-api-error"
            assert "out of luck" in spoken([first])[0]


def test_streams_that_fail(sandbox):
    def fail(fault):
        return events(sandbox.chat(TEXT, fault=fault, stream=True))

    listed = fail("stream-error;after=2;code=400;message=no more")
    assert (listed[2]["object"], listed[2]["code"], listed[2]["message"]) == (
        "error",
        400,
        "no more",
    )
    assert "error" in fail("stream-error-nested")[-2]
    assert spoken(fail("stream-no-finish;after=4")) == ("one two three", None)
    cut = fail("stream-cut;after=4")
    assert (spoken(cut), cut[-1] is None) == (("one two three", None), False)
    gap = fail("stream-gap;after=4")
    assert (spoken(gap), gap[-1]) == (("one two three", None), None)
    assert spoken(fail("stream-gap;after=4;seconds=4"))[1] == "stop"
    assert spoken(fail("stream-hole;after=2")) == ("one three four five six é seven 🙂", "stop")
    assert fail("stream-timeout")[0]["type"] == "StreamingTimeoutError"
    assert fail("stream-api-error")[0]["id"] == "chatcmpl-api-error"
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.chat(TEXT, fault="stream-broken", stream=True)


def test_refusals_before_a_stream_stay_as_they_are(sandbox):
    refused = sandbox.chat(TEXT, model="sandbox/none", fault="stream-error", stream=True)
    assert refused.json()["error"]["code"] == "endpoint_not_found"


def test_vectors_that_are_wrong(sandbox):
    def rows(fault, **more):
        return sandbox.embed(["a", "b", "c"], fault=fault, dimensions=4, **more).json()["data"]

    for more in ({}, {"encoding_format": "base64"}):
        assert len(rows("embeddings-short", **more)) == 2
        assert len(rows("embeddings-extra", **more)) == 4
        assert [row["index"] for row in rows("embeddings-duplicate-index", **more)] == [0, 0, 0]
        assert [row["index"] for row in rows("embeddings-reversed", **more)] == [2, 1, 0]
        assert (
            len({len(row["embedding"]) for row in rows("embeddings-mixed-dimensions", **more)}) == 2
        )
        assert isinstance(rows("embeddings-as-floats", **more)[0]["embedding"], list)
    assert "NaN" in sandbox.embed(["a"], fault="embeddings-nan").text
    assert "Infinity" in sandbox.embed(["a"], fault="embeddings-infinite").text


def test_rules_by_times_skip_and_match(sandbox):
    rule = {"fault": "proxy-502", "times": 2, "skip": 1, "match": {"contains": "needle"}}
    sandbox.control("POST", "/faults", rule)
    statuses = [
        sandbox.chat(content).status_code
        for content in ("hay", "needle 1", "needle 2", "hay", "needle 3", "needle 4")
    ]
    assert statuses == [200, 200, 502, 200, 502, 200]
    (active,) = sandbox.control("GET", "/faults")["active"]
    assert (active["seen"], active["fired"]) == (4, 2)
    assert sandbox.control("DELETE", "/faults")["cleared"][0]["fired"] == 2
    assert sandbox.chat("needle").status_code == 200


def test_rules_by_model_route_and_role(sandbox):
    rules = [
        {"fault": "proxy-503", "match": {"model": "sandbox/code"}},
        {"fault": "proxy-504", "match": {"route": "/metis/", "method": "GET"}},
        {"fault": "policy", "match": {"role": "bob"}},
    ]
    sandbox.control("POST", "/faults", rules)
    assert sandbox.chat("x").status_code == 200
    assert sandbox.chat("x", model="sandbox/code").status_code == 503
    assert sandbox.get("/metis/jobs").status_code == 504
    bob = {"Authorization": "Bearer bob-token"}
    assert "internal policies" in sandbox.get("/whoami", headers=bob).text


def test_rate_with_a_seed_repeats(sandbox):
    def run(seed):
        sandbox.control("DELETE", "/faults")
        sandbox.control("POST", "/faults", {"fault": "proxy-502", "rate": 0.3, "seed": seed})
        return [sandbox.get("/whoami").status_code for _ in range(40)]

    first = run(7)
    assert 3 < first.count(502) < 25
    assert run(7) == first
    assert run(8) != first


def test_a_fault_that_does_not_apply_is_not_used_up(sandbox):
    sandbox.control("POST", "/faults", {"fault": "stream-error", "times": 1})
    assert sandbox.chat("x").status_code == 200
    assert sandbox.get("/whoami").status_code == 200
    assert any(e and e["object"] == "error" for e in events(sandbox.chat(TEXT, stream=True)))
    assert spoken(events(sandbox.chat(TEXT, stream=True)))[1] == "stop"


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "no-such"},
        {"fault": "slow", "often": 3},
        {"fault": "slow", "match": {"colour": "red"}},
        {"fault": "slow", "times": "many"},
        "slow",
        {},
    ],
)
def test_wrong_rules_are_refused(sandbox, rule):
    assert sandbox.client.post("/sandbox/faults", json=rule).status_code == 400
    assert sandbox.control("GET", "/faults")["active"] == []


def test_unknown_fault_in_a_header_is_said(sandbox):
    answer = sandbox.chat("x", fault="no-such")
    assert (answer.status_code, "no such fault" in answer.text) == (400, True)


def test_faults_need_a_good_token_first(sandbox):
    headers = {"X-Sandbox-Fault": "proxy-502", "Authorization": "Bearer nobody"}
    assert sandbox.get("/whoami", headers=headers).status_code == 401
    assert sandbox.get("/status", headers=headers).status_code == 200
    assert httpx.get(f"{sandbox.url}/status", headers=headers).status_code == 200
    del headers["Authorization"]
    assert sandbox.get("/status", headers=headers).status_code == 502

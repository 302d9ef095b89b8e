"""Any refusal, in any shape, is one error of ours, in three lines at most, and at once."""

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alcf_jupyter.errors import (
    AlcfError,
    IdentityCheckError,
    LoginRequiredError,
    MaintenanceError,
    NotLiveError,
    NotTheServiceError,
    RateLimitError,
    RefusedError,
    RestrictedError,
    ServerFailureError,
    ServiceTimeoutError,
    TokenRefusedError,
    TooLargeError,
    UnknownClusterError,
    UnknownModelError,
)
from alcf_jupyter.service.failures import failure
from alcf_jupyter.service.model_failures import in_stream
from alcf_jupyter.service.report import report
from tests.own_time import at_most
from tests.service.effort import bent, cases, dice, malformed, strange, thorough


def gateway(message, code="internal_endpoint_error", **more):
    return json.dumps({"error": {"code": code, "message": message, "info": {}, **more}}).encode()


def detail(value):
    return json.dumps({"detail": value}).encode()


def wrapped(status, text):
    """The model server's answer in the traceback that Sophia's gateway sends."""
    lines = ["", " Traceback (most recent call last):", '   File "<path>", line 1, in f']
    lines += [f" Exception: API request failed with status code: {status}"]
    lines += [f" Response text: {text}", " Response headers: {'server': 'uvicorn'}", ""]
    return gateway("\n".join(lines + lines))


TABLE = [
    # status, body, class, words, attributes
    (401, detail("Error: Missing ('Authorization': ...)"), TokenRefusedError, "Missing", {}),
    (401, gateway("Access token expired.", "unauthorized"), TokenRefusedError, "expired", {}),
    (
        401,
        gateway("Token introspection: Token is either not active or invalid"),
        TokenRefusedError,
        "not active",
        {},
    ),
    (401, gateway("Token introspection: 503 from Globus"), IdentityCheckError, "just now", {}),
    (401, gateway("denied due to Globus Group restrictions."), RestrictedError, "Group", {}),
    (401, gateway("denied from internal policies."), LoginRequiredError, "new sign-in", {}),
    (
        401,
        gateway("Must authenticate with anl.gov. Currently authenticated as Al Group (a@x.org)."),
        LoginRequiredError,
        "Al Group",
        {},
    ),
    (401, b"", TokenRefusedError, "HTTP 401", {}),
    (
        403,
        gateway("Permission denied to Batch 1.", "access_denied"),
        RestrictedError,
        "Batch 1",
        {},
    ),
    (404, gateway("'x' does not exist", "cluster_not_found"), UnknownClusterError, "'x'", {}),
    (404, gateway("'x' does not exist", "endpoint_not_found"), UnknownModelError, "'x'", {}),
    (404, gateway("Batch 1 does not exist", "batch_not_found"), RefusedError, "no such batch", {}),
    (404, b"<html><title>Not Found</title>", RefusedError, "no such route", {"status": 404}),
    (404, detail("Not Found"), RefusedError, "no such route", {}),
    # plain OpenAI-compatible servers
    (
        404,
        b'{"error": {"message": "The model `x` does not exist.", "type": "NotFoundError"}}',
        UnknownModelError,
        "`x`",
        {},
    ),
    (
        404,
        b'{"error": {"message": "model \\"x\\" not found, try pulling it", "type": "api_error"}}',
        UnknownModelError,
        "pulling",
        {},
    ),
    (405, b"Method not allowed", RefusedError, "no such route", {"status": 405}),
    (400, detail("Cannot parse request body"), RefusedError, "parse", {"status": 400}),
    (400, gateway("Quota of 1 exceeded.", "quota_exceeded"), RefusedError, "another batch", {}),
    (400, gateway("not yet", "batch_ongoing"), RefusedError, "until the batch is done", {}),
    (400, gateway("no batch", "batch_unavailable"), RefusedError, "that takes batches", {}),
    (501, gateway("no batch", "batch_unavailable"), RefusedError, "that takes batches", {}),
    (
        422,
        detail([{"loc": ["body", "payload", "top_k"], "msg": "Extra inputs are not permitted"}]),
        RefusedError,
        "top_k: Extra inputs",
        {"status": 422},
    ),
    (422, detail([{"msg": "no place"}, "x", 5]), RefusedError, "no place; x; 5", {}),
    (408, gateway("TimeoutError", "request_timeout"), ServiceTimeoutError, "300 s", {}),
    (413, b"<html><title>413 Request Entity Too Large</title>", TooLargeError, "413", {}),
    (429, detail("Too many requests."), RateLimitError, "a second", {"scope": "requests"}),
    (429, gateway("Tokens/minute limit exceeded"), RateLimitError, "a minute", {"scope": "tokens"}),
    (500, gateway("Internal Server Error", error_id="ab12"), ServerFailureError, "ab12", {}),
    (500, b"", ServerFailureError, "HTTP 500", {"status": 500}),
    (502, b"<html><title>502 Bad Gateway</title>", ServerFailureError, "502 Bad", {"status": 502}),
    (503, gateway("Endpoint 'x' is offline."), NotLiveError, "offline", {"status": 503}),
    (503, gateway("online but not ready to receive tasks."), NotLiveError, "not ready", {}),
    (503, gateway("'x' is not currently live on Metis."), NotLiveError, "not currently", {}),
    (503, gateway("back soon", "cluster_under_maintenance"), MaintenanceError, "back soon", {}),
    (503, b"<title>Scheduled Maintenance</title>", MaintenanceError, "maintenance", {}),
    (503, b"<html><h1>503</h1>no server", ServerFailureError, "503 no server", {"status": 503}),
    (504, gateway("upstream", "internal_endpoint_error"), ServerFailureError, "504", {}),
    (302, b"", NotTheServiceError, "redirect", {}),
    (308, b"<html>", NotTheServiceError, "redirect", {}),
    (204, b"", NotTheServiceError, "204", {}),
    (250, b"hm", NotTheServiceError, "hm", {}),
    (500, wrapped(400, '{"message": "too long"}'), RefusedError, "too long", {"status": 400}),
    (500, wrapped(400, '{"error": {"message": "bad"}}'), RefusedError, "bad", {"status": 400}),
    (500, wrapped(404, "gone"), RefusedError, "gone", {"status": 404}),
    (500, wrapped(429, '{"detail": "busy"}'), ServerFailureError, "busy", {"status": 429}),
    (500, wrapped(503, ""), ServerFailureError, "HTTP 503", {"status": 503}),
    (
        400,
        gateway('Upstream endpoint returned 400: b\'{"message": "it\\\'s t\\xc3\\xb6\\xc3\\xb6 l'),
        RefusedError,
        "it's töö",
        {"status": 400},
    ),
    (
        500,
        gateway("Upstream endpoint returned 500: b\"{'a': 1}\"."),
        ServerFailureError,
        "{'a': 1}",
        {"status": 500},
    ),
]


@pytest.mark.parametrize(("status", "body", "kind", "words", "attributes"), TABLE)
def test_each_failure_has_its_error(status, body, kind, words, attributes):
    error = failure(status, body, "text/html" if body.startswith(b"<") else "application/json")
    assert type(error) is kind
    assert words in str(error)
    assert {name: getattr(error, name) for name in attributes} == attributes


def test_the_reason_of_the_model_server_gives_the_next_step():
    error = failure(500, wrapped(400, '{"message": "maximum context length is 8192 tokens"}'))
    assert "Shorten the prompt" in error.do
    assert "Shorten" not in failure(500, wrapped(400, '{"message": "bad role"}')).do


def test_a_500_to_a_body_over_the_limit_means_the_limit():
    body = gateway("Internal Server Error", "internal_error")
    assert type(failure(500, body, sent_bytes=2_621_441)) is TooLargeError
    assert type(failure(500, body, sent_bytes=2_621_440)) is ServerFailureError
    assert type(failure(422, body, sent_bytes=9_999_999)) is RefusedError


def test_a_failed_batch_tells_the_end_of_its_log():
    log = "('Batch failed: \\n Traceback\\n" + "   File x\\n" * 4000 + " OutOfMemoryError: CUDA'"
    error = failure(400, gateway(f"{log}, 400, <ASGIRequest: GET '/x'>)", "batch_failed"))
    assert error.why.endswith("OutOfMemoryError: CUDA")


@pytest.mark.parametrize("kind", ["text/html", "TEXT/HTML; charset=UTF-8", ""])
def test_a_page_is_told_by_its_title(kind):
    told = report(b"<!DOCTYPE HTML><head><TITLE>Sign in &amp; go</TITLE></head><p>x", kind)
    assert told.html
    assert "Sign in" in told.message
    assert report(b'{"a": 1}', "text/html").html


@pytest.mark.parametrize("code", [400, 404, 422, 429, 500, 503, 504, 0, 99, 600, "400", None, True])
def test_a_failure_in_a_stream_is_one_of_ours(code):
    error = in_stream(code, "x", "why\x1b[31m\nnot")
    check(error)
    assert "why not" in str(error)


STEERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def check(error):
    assert isinstance(error, AlcfError)
    shown = str(error)
    assert 1 <= len(shown.split("\n")) <= 3
    assert all(shown.split("\n"))
    assert len(shown) < 1500
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in {"Cc", "Cs"}]
    assert not [c for c in shown if unicodedata.bidirectional(c) in STEERING or c in "\u200b\ufeff"]
    assert "\n" not in error.what + error.why + error.do
    assert isinstance(getattr(error, "code", ""), str)


def check_at_once(status, body, kind, seconds=1.0):
    with at_most(seconds):
        check(failure(status, body, kind))
        report(body, kind)


statuses = st.one_of(
    st.sampled_from([0, -1, 100, 204, 301, 307, 400, 401, 403, 404, 408, 413, 422, 429]),
    st.sampled_from([500, 502, 503, 504, 999, 10**9]),
)
kinds = st.sampled_from(["", "application/json", "text/html; charset=utf-8", "TEXT/HTML", "\x00"])


@thorough(300)
@given(statuses, st.one_of(st.binary(), st.text().map(str.encode)), kinds)
@example(500, b'{"error": {"message": {"a": ["\\ud800"]}, "code": 5, "error_id": [1]}}', "")
@example(422, b'{"detail": [{"loc": [["x"]], "msg": null}, null, [[]]]}', "")
@example(401, b'"' + b"\\u202e" * 300 + b'"', "")
def test_any_bytes(status, body, kind):
    check_at_once(status, body, kind)


NAMES = ["error", "detail", "message", "code", "info", "type", "msg", "loc", "error_id", "object"]


def test_thousands_of_odd_and_damaged_bodies():
    chance = dice("failures")
    bodies = [body for _, body, *_ in TABLE]
    for _ in range(cases(2500)):
        if chance.random() < 0.5:
            value = strange(chance, NAMES)
            for _ in range(chance.randrange(3)):
                value = bent(chance, value, NAMES)
            body = json.dumps(value).encode()
        else:
            body = bytearray(chance.choice(bodies))
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(body) + 1)
                body[at : at + chance.randrange(9)] = chance.randbytes(chance.randrange(5))
        status = chance.choice([400, 401, 403, 404, 422, 429, 500, 503, 200, 302])
        check_at_once(status, bytes(body), chance.choice(["", "text/html", "application/json"]))
    malformed("failures", 2500)


LONG = 120_000


@pytest.mark.parametrize(
    "message",
    [
        "status code: 400" + "\n" * LONG,
        "status code: 400\nResponse text: " + "\n" * LONG,
        "status code: 400" + " \n" * LONG + "Response text: x",
        "status code: 400\nResponse text: " * (LONG // 30),
        "status code: 400\nResponse text: x" + "\nResponse headers" * (LONG // 16),
        "Upstream endpoint returned 400: b'" + "\\" * LONG,
        "Upstream endpoint returned 400: b'" + "\\x" * LONG,
        "Upstream endpoint returned 400: b'" + "." * LONG,
        "Upstream endpoint returned 400: b'" + '"message": ' * (LONG // 10),
        'Upstream endpoint returned 400: b\'"message": "' + "\\" * LONG,
        'Upstream endpoint returned 400: b\'"message":' + " " * LONG,
        "<title" * (LONG // 6),
        "<title>" * (LONG // 7),
        "<" * LONG,
        "\x1b" * LONG,
        "\x1b]" * LONG,
        "[" * LONG,
        '{"a":' * LONG,
        "\u202e" * LONG,
        "9" * LONG,
    ],
    ids=lambda message: repr(message[:44]),
)
def test_no_body_takes_long_to_read(message):
    for body in (gateway(message), message.encode(), detail([message]), detail(message)):
        for kind in ("application/json", "text/html"):
            check_at_once(500, body, kind)
            check_at_once(401, body, kind)


@pytest.mark.parametrize("depth", [300, 900, 980, 990, 1000, 50_000])
def test_deep_nesting(depth):
    for start, end in (("[", "]"), ('{"error":', "}"), ('{"detail":', "}"), ('{"detail":[', "]}")):
        check_at_once(500, (start * depth + "1" + end * depth).encode(), "")


def test_a_model_that_cannot_do_what_was_asked_leads_to_those_that_can():
    for words, skill in (("Embeddings", "embed"), ("Chat Completions", "chat")):
        reason = f"The model does not support {words} API"
        wrapped = f'status code: 400\nResponse text: {{"message": "{reason}"}}'
        error = failure(500, json.dumps({"error": {"message": wrapped}}).encode())
        assert isinstance(error, RefusedError)
        assert (error.why, error.code) == (reason, "unsupported_endpoint")
        assert error.do.endswith(f"%alcf models --can {skill}")


def test_a_model_that_takes_no_images_leads_to_those_that_do():
    error = failure(500, wrapped(400, '{"error": {"message": "a/b is not a multimodal model"}}'))
    assert type(error) is RefusedError
    assert error.do.endswith("%alcf models --can see")


def test_a_policy_is_told_without_the_commands_of_another_program():
    message = (
        "Error: Permission denied from internal policies. This is likely due to a high-assurance "
        "timeout. Please logout by visiting https://app.globus.org/logout, and re-authenticate "
        "with the following command: 'python3 inference_auth_token.py authenticate --force'."
    )
    body = json.dumps({"error": {"code": "unauthorized", "message": message, "info": {}}})
    found = failure(401, body.encode(), "application/json")
    assert found.why.endswith("likely due to a high-assurance timeout.")
    assert "inference_auth_token" not in str(found)
    assert "%alcf login --force" in found.do

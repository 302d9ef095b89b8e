"""Which failures are worth another try, and how many; and what is written and read."""

import json
import math
import time
from types import SimpleNamespace

import pytest

from alcf_jupyter.connection.call import Call, read_json, write_json
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.http import retries
from alcf_jupyter.errors import (
    AnswerError,
    DeadlineError,
    IncompleteError,
    MaintenanceError,
    NotTheServiceError,
    RateLimitError,
    RefusedError,
    ServerFailureError,
    StreamFailedError,
    TokenRefusedError,
    UnknownModelError,
    UnreachableError,
    UsageError,
)
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
    serving,
    stream_head,
    texts,
    whole,
)

POSTS = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """How long the pauses are is tested below; here they would only be waited for."""
    monkeypatch.setattr(retries, "pause", lambda _state: 0.01)


def wrapped(status):
    text = f"API request failed with status code: {status}\n Response text: x\n Response headers:"
    return gateway_error(500, "internal_endpoint_error", text)


def reset(peer):
    peer.reset()


def cut_off(peer):
    peer.send(whole(chat_answer())[:-9])
    peer.close()


TRIES = {
    "too many requests": (whole({"detail": "Too many requests."}, 429), RateLimitError, 6),
    "tokens a minute": (gateway_error(429, "too_many_requests", "Tokens"), RateLimitError, 6),
    "bad gateway": (whole(b"<html>502</html>", 502, "text/html"), ServerFailureError, 3),
    "unavailable": (whole(b"<html>503</html>", 503, "text/html"), ServerFailureError, 3),
    "gateway timeout": (whole({}, 504), ServerFailureError, 3),
    "the model server is busy": (wrapped(429), ServerFailureError, 3),
    "reset": (reset, UnreachableError, 2),
    "cut off": (cut_off, UnreachableError, 2),
    "failed": (gateway_error(500, "internal_error", "x"), ServerFailureError, 1),
    "the model server failed": (wrapped(500), ServerFailureError, 1),
    "the model server refused": (wrapped(400), RefusedError, 1),
    "refused": (gateway_error(400, "x", "y"), RefusedError, 1),
    "unprocessable": (whole({"detail": []}, 422), RefusedError, 1),
    "unknown": (gateway_error(404, "endpoint_not_found", "x"), UnknownModelError, 1),
    "token": (gateway_error(401, "unauthorized", "Access token expired."), TokenRefusedError, 1),
    "maintenance": (gateway_error(503, "cluster_under_maintenance", "x"), MaintenanceError, 1),
    "a page": (whole(b"<html>", 200, "text/html"), NotTheServiceError, 1),
    "no JSON": (whole(b"{"), AnswerError, 1),
    "no answer": (whole(chat_answer(finish=None)), IncompleteError, 1),
    "a failure as an answer": (whole({"object": "error", "message": "x"}), AnswerError, 1),
}


def answering(answer, good_after=math.inf):
    """A gateway that answers so, and well after so many chats."""
    chats = []

    def infer(peer, request):
        chats.append(request)
        if len(chats) > good_after:
            (good_stream if request.json.get("stream") else good)(peer)
        elif callable(answer):
            answer(peer)
        else:
            peer.send(answer)

    return Gateway(infer=infer)


def good(peer):
    peer.send(whole(chat_answer()))


class Notes:
    def __init__(self):
        self.lines = []

    def status(self, words):
        self.lines.append(words)


@pytest.mark.parametrize("what", TRIES)
@pytest.mark.parametrize("streaming", [False, True])
def test_how_often_it_is_tried(what, streaming):
    answer, kind, tries = TRIES[what]
    with serving(answering(answer)) as server:
        client, notes = client_of(server.url, poll_seconds=60), Notes()
        with pytest.raises(kind):
            texts(client.stream(ask())) if streaming else client.chat(ask(), notes)
        assert len(server.to(POSTS)) == tries
        if not streaming:
            assert sum("Trying again." in line for line in notes.lines) == tries - 1


@pytest.mark.parametrize("what", [what for what, (*_, tries) in TRIES.items() if tries > 1])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_failure_that_passes_leaves_no_trace(what, streaming):
    with serving(answering(TRIES[what][0], good_after=1)) as server:
        client, call = client_of(server.url, poll_seconds=60), ask()
        if streaming:
            pieces, answer = texts(client.stream(call))
            assert "".join(pieces) == "hello"
        else:
            answer = client.chat(call)
        assert answer.text == "hello"
        assert answer.complete
        assert len(server.to(POSTS)) == 2


def stream_then(*parts, reset=False):
    def infer(peer, _request):
        peer.send(stream_head(), *(chunked(part) for part in parts))
        if reset:
            peer.reset()
        else:
            peer.send(chunked(b"", last=True))

    return Gateway(infer=infer)


def test_a_stream_that_breaks_before_any_text_is_tried_again():
    with serving(stream_then(event(""), reset=True)) as server:
        with pytest.raises(UnreachableError):
            texts(client_of(server.url).stream(ask()))
        assert len(server.to(POSTS)) == 2


@pytest.mark.parametrize(
    "shown", [event("half "), event(reasoning=1) + event("half ")], ids=["text", "both"]
)
def test_a_stream_that_breaks_after_some_text_is_not_tried_again(shown):
    with serving(stream_then(shown, reset=True)) as server:
        call, seen = ask(), []
        with pytest.raises(UnreachableError):
            seen.extend(
                step.text for step in client_of(server.url).stream(call) if hasattr(step, "text")
            )
        assert "".join(seen) == call.reading.answer.text == "half "
        assert len(server.to(POSTS)) == 1


def test_thoughts_count_as_shown():
    thought = {"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}
    with serving(stream_then(event(choices=[thought]), reset=True)) as server:
        with pytest.raises(UnreachableError):
            texts(client_of(server.url).stream(ask()))
        assert len(server.to(POSTS)) == 1


@pytest.mark.parametrize(
    ("event_", "cause"),
    [
        ({"object": "error", "message": "too long", "code": 400}, RefusedError),
        ({"error": {"message": "An error occurred", "code": 500}}, ServerFailureError),
        ({"error": {"message": "busy", "code": 503}}, ServerFailureError),
    ],
)
def test_a_failure_in_a_stream_is_raised_with_its_cause(event_, cause):
    body = f"data: {json.dumps(event_)}\n\n".encode() + DONE
    with serving(stream_then(body)) as server:
        with pytest.raises(StreamFailedError) as caught:
            texts(client_of(server.url).stream(ask()))
        assert type(caught.value.failure) is cause
        assert len(server.to(POSTS)) == 1


def test_the_deadline_ends_the_tries(monkeypatch):
    monkeypatch.setattr(retries, "pause", lambda _state: 1.0)
    with serving(answering(whole({"detail": "Too many requests."}, 429))) as server:
        client = client_of(server.url, poll_seconds=60)
        client.models()
        with pytest.raises((RateLimitError, DeadlineError)):
            client.chat(ask(timeout=2.5))
        assert 1 <= len(server.to(POSTS)) <= 3


def state_of(error, attempt):
    outcome = SimpleNamespace(exception=lambda: error)
    return SimpleNamespace(outcome=outcome, attempt_number=attempt)


def test_the_pauses(monkeypatch):
    monkeypatch.undo()
    second = [retries.pause(state_of(RateLimitError("x"), n)) for n in range(1, 6)]
    assert all(1.0 <= pause <= 1.3 for pause in second)
    window = retries.pause(state_of(RateLimitError("x", scope="tokens"), 1))
    assert 5 * window > 60, "six tries outlast the window of a minute"
    first, later = (
        [retries.pause(state_of(UnreachableError("x"), n)) for _ in range(50)] for n in (1, 2)
    )
    assert min(first) >= 0.4
    assert max(first) <= 1.2
    assert max(later) <= 2.4
    assert len(set(first)) > 40, "with jitter"


def test_what_was_sent_and_how_it_went():
    with serving() as server:
        client, call = client_of(server.url), ask(temperature=0.5)
        began = time.monotonic()
        client.chat(call)
        took = time.monotonic() - began
        sent = server.to(POSTS)[0]
        assert sent.headers["content-type"] == "application/json"
        assert sent.json == {
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "temperature": 0.5,
        }
        assert call.served.cluster == "sophia"
        assert 0 < call.total_seconds <= took
        assert call.first_seconds is None
        streamed = ask()
        texts(client.stream(streamed))
        assert server.to(POSTS)[1].json["stream"] is True
        assert 0 < streamed.first_seconds <= streamed.total_seconds


def test_a_completion_and_embeddings():
    def infer(peer, request):
        if request.path.endswith("/v1/completions"):
            peer.send(whole({"choices": [{"text": " a time", "finish_reason": "length"}]}))
        else:
            count = len(request.json["input"])
            rows = [{"index": i, "embedding": [1.0, 2.0]} for i in range(count)]
            peer.send(whole({"data": rows}))

    with serving(Gateway(infer=infer)) as server:
        client = client_of(server.url)
        call = Call("completions", "m", None, {"prompt": "Once upon"}, Deadline.after(60))
        assert client.complete(call).text == " a time"
        call = Call("embeddings", "m", None, {"input": ["a", "b"]}, Deadline.after(60))
        assert client.embed(call).data == [[1.0, 2.0], [1.0, 2.0]]


def test_a_model_is_asked_by_the_service_s_own_spelling():
    script = Gateway(models={"sophia": ["Meta/Big"]}, jobs={})
    with serving(script) as server:
        client_of(server.url).chat(ask(model="meta/big"))
        assert server.to(POSTS)[0].json["model"] == "Meta/Big"
        with pytest.raises(UnknownModelError, match="model='Meta/Big'"):
            client_of(server.url).chat(ask(model="meta/bug"))
        assert len(server.to(POSTS)) == 1


def test_an_answer_teaches_what_a_model_can():
    def infer(peer, request):
        if request.path.endswith("embeddings"):
            peer.send(gateway_error(400, "unsupported_endpoint", "'embeddings' not available"))
        else:
            peer.send(whole(chat_answer()))

    with serving(Gateway(infer=infer)) as server:
        client = client_of(server.url)
        assert client.models().find("m").can_chat is None
        client.chat(ask())
        with pytest.raises(RefusedError):
            client.embed(Call("embeddings", "m", None, {"input": ["a"]}, Deadline.after(60)))
        known = client.models().find("m")
        assert (known.can_chat, known.can_embed) == (True, False)


@pytest.mark.parametrize(
    "value",
    ["\ud800", {"a": ["x\udfff"]}, object(), {"f": open}, {1j: 2}, {"x": {object()}}],
)
def test_what_cannot_be_sent_is_an_error_of_usage(value):
    with pytest.raises(UsageError, match="cannot be sent") as caught:
        write_json({"messages": value})
    assert len(str(caught.value).splitlines()) <= 3


def test_what_goes_round_in_circles_cannot_be_sent():
    value = []
    value.append(value)
    with pytest.raises(UsageError, match="cannot be sent"):
        write_json(value)


def test_what_is_written_is_read_again():
    value = {"text": "é🙂\x00\n", "numbers": [1, -0.5, 2**70, True, None], "nested": {"a": {}}}
    assert read_json(write_json(value)) == value
    assert json.loads(write_json(value)) == value
    assert math.isnan(read_json(b'{"x": NaN}')["x"])
    assert read_json(b'"\\ud800"') == "\ud800"
    for bad in (b"", b"{", b"\xff", b"[1,]", b"9" * 5000):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever of its kinds
            read_json(bad)

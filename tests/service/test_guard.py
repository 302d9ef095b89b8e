"""The guard of streams: good ones pass byte for byte in any cut, bad ones raise at their place."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alcf_jupyter.errors import AnswerError, IncompleteError, StreamFailedError
from alcf_jupyter.service.dialect import Usage
from alcf_jupyter.service.guard import StreamGuard, check_answer


def event(text="a", finish=None, index=0, **more):
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "choices": [choice], **more}).encode() + b"\n\n"


STALLS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""What a shared machine does now and then."""

DONE = b"data: [DONE]\n\n"
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}\n\n'
RESPONSE = (
    b'data: {"type":"response.completed","response":{"usage":'
    b'{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}\n\n'
)
GOOD = event("") + event("Zeit \u2192") + event("b", "stop") + USAGE + DONE
ERROR = b'data: {"object":"error","message":"boom","type":"X","code":400}\n\n'
FALSE = (
    b'data: {"id":"chatcmpl-api-error","choices":[{"index":0,"delta":'
    b'{"content":"\\n\\n[ERROR] Error: no"},"finish_reason":"stop"}]}\n\n'
)


def passed(chunks, route="chat/completions"):
    """What passes of a stream, and the error that ends it."""
    guard, got = StreamGuard(route), b""
    try:
        for chunk in chunks:
            for part in guard.feed(chunk):
                got += part
        return got + guard.end(), None
    except AnswerError as error:
        return got, error


def cut(data, places):
    places = sorted({0, len(data), *(p % (len(data) + 1) for p in places)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@settings(max_examples=400, **STALLS)
@given(
    places=st.lists(st.integers(0, 5000), max_size=40),
    ends=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    comment=st.sampled_from([b"", b": alive\n\n", b": alive\n\n: still\n\n", b"\n\n"]),
)
def test_a_good_stream_passes_byte_for_byte_in_any_cut(places, ends, comment):
    stream = (comment + GOOD + comment).replace(b"\n", ends)
    got, error = passed(cut(stream, places))
    assert error is None
    assert got == GOOD.replace(b"\n", ends)


@settings(max_examples=300, **STALLS)
@given(
    places=st.lists(st.integers(0, 5000), max_size=40),
    bad=st.sampled_from([ERROR, FALSE, b"data: {nonsense\n\n", b'data: {"error":{}}\n\n', DONE]),
    ends=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    before=st.integers(0, 5),
)
def test_whatever_stands_before_a_failure_passes_and_the_failure_never(places, bad, ends, before):
    head = (event() * before).replace(b"\n", ends)
    stream = head + bad.replace(b"\n", ends) + GOOD.replace(b"\n", ends)
    got, error = passed(cut(stream, places))
    assert error is not None
    assert got.rstrip(b"\r\n") == head.rstrip(b"\r\n")


def test_an_event_passes_as_soon_as_it_is_whole():
    guard = StreamGuard("chat/completions")
    first, half = event("one"), event("two")[:20]
    assert b"".join(guard.feed(first + half)) == first
    assert b"".join(guard.feed(event("two")[20:])) == event("two")


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        DONE,
        event() + DONE,
        event(),
        USAGE + DONE,
        b"<html>sign in</html>",
        event("a", "stop") + event("b", None, 1) + DONE,  # the second of two answers never ends
    ],
)
def test_a_stream_without_an_end_is_incomplete(stream):
    assert isinstance(passed([stream])[1], IncompleteError)


def test_two_answers_at_once_pass_when_both_have_ended():
    stream = event("a", None, 0) + event("b", None, 1) + event("", "stop", 1)
    stream += event("", "length", 0) + DONE
    assert passed([stream]) == (stream, None)


@pytest.mark.parametrize(
    ("route", "stream", "usage"),
    [
        ("chat/completions", event("a", "stop") + USAGE + DONE, Usage(1)),
        ("chat/completions", event("a", "stop") + DONE, Usage()),
        ("responses", RESPONSE, Usage(3, 4, 7)),
    ],
)
def test_it_knows_the_tokens_that_a_stream_tells_of(route, stream, usage):
    guard = StreamGuard(route)
    assert b"".join(guard.feed(stream)) + guard.end() == stream
    assert guard.usage == usage


def test_an_end_without_done_is_an_end():
    assert passed([event("a", "stop")]) == (event("a", "stop"), None)


def test_a_failure_keeps_its_meaning():
    error = passed([event() + ERROR])[1]
    assert isinstance(error, StreamFailedError)
    assert error.failure.status == 400
    assert "boom" in str(error)


def test_an_event_without_end_is_bounded():
    _, error = passed([b"data: "] + [b"x" * 1_000_000] * 20)
    assert "8,000,000" in str(error)


def named(kind, **more):
    told = json.dumps({"type": kind, **more})
    return f"event: {kind}\ndata: {told}\n\n".encode()


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([named("response.created"), named("response.completed")], None),
        ([named("message_start"), named("message_stop")], None),
        ([named("response.created")], "stopped before its end"),
        ([], "without an answer"),
        ([named("message_start"), named("error", error={"message": "overloaded"})], "overloaded"),
        ([named("response.failed", response={"error": {"message": "no"}})], "no"),
        ([named("response.created"), ERROR], "boom"),
        ([b"data: 3\n\n"], "could not be read"),
    ],
)
def test_streams_of_named_events(events, words):
    got, error = passed(events, "responses")
    if words is None:
        assert (got, error) == (b"".join(events), None)
    else:
        assert words in str(error)


ANSWER = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("route", "value", "asked"),
    [
        ("chat/completions", ANSWER, {}),
        ("embeddings", {"data": [{"index": 0, "embedding": [1.0]}]}, {"input": [1, 2, 3]}),
        ("embeddings", {"data": [{"index": 0, "embedding": [1.0]}]}, {"input": "a"}),
        ("responses", {"status": "completed", "error": None, "output": []}, {}),
        ("models", [], {}),
    ],
)
def test_good_answers_pass(route, value, asked):
    check_answer(route, value, asked)


@pytest.mark.parametrize(
    ("route", "value", "asked"),
    [
        ("chat/completions", [], {}),
        ("chat/completions", {"choices": []}, {}),
        ("chat/completions", {**ANSWER, "id": "chatcmpl-api-error"}, {}),
        ("chat/completions", {"choices": [*ANSWER["choices"], {"message": {}}]}, {}),
        ("chat/completions", {"choices": [*ANSWER["choices"], None]}, {}),
        ("completions", ANSWER, {}),
        ("embeddings", {"data": [{"index": 0, "embedding": [1.0]}]}, {"input": ["a", "b"]}),
        ("responses", {"status": "failed", "error": {"message": "no"}}, {}),
        ("messages", {"object": "error", "message": "no"}, {}),
    ],
)
def test_what_is_no_answer_raises(route, value, asked):
    with pytest.raises(AnswerError):
        check_answer(route, value, asked)

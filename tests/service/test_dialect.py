"""An answer counts only if it says so itself: every rule, and every way to break it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    IncompleteError,
    NotLiveError,
    NotTheServiceError,
    RefusedError,
    ServerFailureError,
    StreamFailedError,
)
from alcf_jupyter.service import dialect
from alcf_jupyter.service.dialect import Answer, AnswerStream, Piece, Usage
from tests.own_time import at_most
from tests.service.effort import bent, cases, dice, malformed, strange, thorough


def chat(**changes):
    message = {"role": "assistant", "content": "hello", "tool_calls": []}
    message |= changes.pop("message", {})
    choice = {"index": 0, "message": message, "finish_reason": "stop"} | changes.pop("choice", {})
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    value = {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice]}
    return value | {"usage": usage} | changes


def chunk(delta=None, finish=None, **changes):
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m"}
    return json.dumps(value | {"choices": [choice]} | changes).encode()


def streamed(*events):
    reading = AnswerStream()
    for event in events:
        reading.feed(event)
    return reading.end()


def test_a_chat_is_read():
    answer = dialect.read_chat(chat())
    assert answer == Answer("hello", "", "stop", Usage(2, 3, 5), [], "m", "chatcmpl-1")
    assert answer.complete


def test_unknown_fields_are_no_matter():
    value = chat(brand_new={"a": 1}, choice={"stop_reason": None}, message={"annotations": []})
    assert dialect.read_chat(value).text == "hello"


def test_a_null_error_is_no_error():
    """Some servers send the field in every answer."""
    assert dialect.read_chat(chat(error=None)).complete
    assert streamed(chunk({"content": "x"}, "stop", error=None)).text == "x"


FAILURES = [
    pytest.param({"error": "busy"}, id="error as a text"),
    pytest.param({"error": {"message": "busy", "code": 503}}, id="error as an object"),
    pytest.param({"error": {}}, id="error without words"),
    pytest.param({"error": False}, id="error as a flag"),
    pytest.param({"error": []}, id="error as a list"),
    pytest.param({"object": "error", "message": "busy"}, id="object error"),
    pytest.param({"id": "chatcmpl-api-error"}, id="the false answer's id"),
]


@pytest.mark.parametrize("change", FAILURES)
def test_a_reported_failure_is_never_an_answer(change):
    for read in (dialect.read_chat, dialect.read_completion):
        with pytest.raises(AnswerError):
            read(chat() | change)
    with pytest.raises(AnswerError):
        dialect.read_embeddings(embeddings(1) | change, 1)
    with pytest.raises(StreamFailedError):
        streamed(chunk({"content": "x"}, "stop", **change))


@pytest.mark.parametrize("value", [None, [], "x", 5, True, 1.5, {}, {"choices": None}])
def test_what_is_no_answer_is_refused(value):
    for read in (dialect.read_chat, dialect.read_completion):
        with pytest.raises(AnswerError):
            read(value)
    with pytest.raises(AnswerError):
        dialect.read_embeddings(value, 1)
    with pytest.raises(AnswerError):
        streamed(json.dumps(value).encode(), chunk({"content": "x"}, "stop"))


@pytest.mark.parametrize("choices", [5, "x", {}, [], [None], [5], ["x"], [[]], [{}]])
def test_odd_choices_are_refused(choices):
    for change in ({}, {"object": "error"}, {"error": {"message": "m"}}):
        with pytest.raises(AnswerError):
            dialect.read_chat(chat(choices=choices) | change)


@pytest.mark.parametrize("reason", [None, "", 0, [], {}, 5, True])
def test_without_a_finish_reason_it_is_incomplete(reason):
    with pytest.raises(IncompleteError):
        dialect.read_chat(chat(choice={"finish_reason": reason}))
    with pytest.raises(IncompleteError):
        dialect.read_completion({"choices": [{"text": "x", "finish_reason": reason}]})


def test_a_missing_finish_reason_is_incomplete():
    value = chat()
    del value["choices"][0]["finish_reason"]
    with pytest.raises(IncompleteError):
        dialect.read_chat(value)


@pytest.mark.parametrize("reason", ["length", "content_filter", "abort", "error", "STOP", "none"])
def test_an_unknown_finish_reason_is_kept_but_not_trusted(reason):
    answer = dialect.read_chat(chat(choice={"finish_reason": reason}))
    assert (answer.finish_reason, answer.complete) == (reason, False)
    answer = streamed(chunk({"content": "x"}, reason))
    assert (answer.finish_reason, answer.complete) == (reason, False)


def test_an_odd_finish_reason_of_a_stream_is_not_trusted():
    for reason in (5, True, ["stop"], {"stop": 1}):
        assert not streamed(chunk({"content": "x"}, reason)).complete


@pytest.mark.parametrize("content", [5, True, ["x"], [{"type": "text", "text": "x"}], {"text": 1}])
def test_a_text_that_is_no_string_is_refused(content):
    """Also beside reasoning or tool calls: left out, it would be a hole that nobody sees."""
    beside = [{}, {"reasoning": "hm"}, {"tool_calls": [{"id": "1"}]}]
    for more in beside:
        with pytest.raises(AnswerError):
            dialect.read_chat(chat(message={"content": content, **more}))
    with pytest.raises(AnswerError):
        streamed(chunk({"content": "a"}), chunk({"content": content}), chunk({}, "stop"))


@pytest.mark.parametrize("delta", [5, True, "x", ["x"]])
def test_a_delta_that_cannot_be_read_is_refused(delta):
    with pytest.raises(AnswerError):
        streamed(chunk(delta), chunk({"content": "b"}, "stop"))


@pytest.mark.parametrize("choice", [5, "x", ["x"]])
def test_a_choice_that_cannot_be_read_is_refused(choice):
    with pytest.raises(AnswerError):
        streamed(chunk({"content": "a"}, choices=[choice]), chunk({"content": "b"}, "stop"))


def test_silence():
    with pytest.raises(AnswerError, match="said nothing"):
        dialect.read_chat(chat(message={"content": None}))
    empty = dialect.read_chat(chat(message={"content": ""}))
    assert (empty.text, empty.complete) == ("", True)


def test_thoughts_alone_are_no_whole_answer():
    for name in ("reasoning", "reasoning_content"):
        answer = dialect.read_chat(chat(message={"content": None, name: "hm"}))
        assert (answer.text, answer.reasoning, answer.complete) == ("", "hm", False)
        answer = streamed(chunk({name: "h"}), chunk({name: "m"}), chunk({}, "stop"))
        assert (answer.text, answer.reasoning, answer.complete) == ("", "hm", False)
        answer = streamed(chunk({name: "hm"}), chunk({"content": "x"}), chunk({}, "stop"))
        assert (answer.text, answer.reasoning, answer.complete) == ("x", "hm", True)


def test_tool_calls():
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}, 5]
    message = {"content": None, "tool_calls": calls}
    answer = dialect.read_chat(chat(message=message, choice={"finish_reason": "tool_calls"}))
    assert (answer.tool_calls, answer.complete) == (calls[:1], True)
    answer = streamed(
        chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g"}}]}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}, {"no": "index"}]}),
        chunk({"tool_calls": 5}),
        chunk({}, "tool_calls"),
    )
    assert [call["id"] for call in answer.tool_calls] == ["a", "b"]
    assert answer.tool_calls[0]["function"] == {"name": "f", "arguments": '{"x": 1}'}
    assert answer.complete


def test_calls_that_were_announced_but_did_not_come_make_no_whole_answer():
    for reason in ("tool_calls", "function_call"):
        assert not dialect.read_chat(chat(choice={"finish_reason": reason})).complete
        assert not streamed(chunk({"content": "I will ask."}, reason)).complete


def test_a_completion_needs_a_text():
    good = {"choices": [{"text": "x", "finish_reason": "length"}], "model": "m", "id": "cmpl-1"}
    answer = dialect.read_completion(good)
    assert (answer.text, answer.complete, answer.model, answer.id) == ("x", False, "m", "cmpl-1")
    for text in (None, 5, ["x"]):
        with pytest.raises(AnswerError):
            dialect.read_completion({"choices": [{"text": text, "finish_reason": "stop"}]})


def test_a_streamed_completion_is_read():
    events = [
        json.dumps({"id": "c", "choices": [{"text": t, "finish_reason": f}]}).encode()
        for t, f in (("Once ", None), ("upon", None), ("", "length"))
    ]
    answer = streamed(*events, b"[DONE]")
    assert (answer.text, answer.finish_reason, answer.complete) == ("Once upon", "length", False)


def embeddings(count, **changes):
    data = [{"index": i, "object": "embedding", "embedding": [float(i)]} for i in range(count)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": "m", "usage": usage} | changes


def test_embeddings_come_in_the_order_of_the_texts():
    value = embeddings(3)
    value["data"].reverse()
    found = dialect.read_embeddings(value, 3)
    assert found.data == [[0.0], [1.0], [2.0]]
    assert found.usage == Usage(3, None, 3)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 2048])
def test_a_wrong_number_of_embeddings_is_refused(count):
    with pytest.raises(AnswerError, match=f"sent 3 embeddings for {count} texts"):
        dialect.read_embeddings(embeddings(3), count)


@pytest.mark.parametrize("index", [0, 2, -1, True, 1.0, "1", None, 10**30])
def test_wrongly_numbered_embeddings_are_refused(index):
    value = embeddings(2)
    value["data"][1]["index"] = index
    with pytest.raises(AnswerError):
        dialect.read_embeddings(value, 2)


@pytest.mark.parametrize("data", [None, 5, "x", {}, [5], [None], [[]], [{}]])
def test_odd_embeddings_are_refused(data):
    with pytest.raises(AnswerError):
        dialect.read_embeddings(embeddings(1, data=data), 1)


@pytest.mark.parametrize("number", [-1, 1.5, True, "7", None, [], math.nan])
def test_usage_that_is_no_whole_number_is_not_told(number):
    told = {"prompt_tokens": number, "completion_tokens": 4}
    assert dialect.read_usage(told) == Usage(None, 4, None)
    assert dialect.read_usage([number]) == Usage()


def test_usage_comes_in_an_event_of_its_own():
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    answer = streamed(chunk({"content": "x"}, "stop"), chunk(choices=[], usage=usage), b"[DONE]")
    assert answer.usage == Usage(7, 1, None)


def test_the_end_of_a_stream_says_nothing():
    reading = AnswerStream()
    reading.feed(chunk({"content": "half an ans"}))
    reading.feed(b"[DONE]")
    assert reading.done
    with pytest.raises(IncompleteError, match="incomplete"):
        reading.end()
    assert reading.answer.text == "half an ans"
    assert not reading.answer.complete
    with pytest.raises(IncompleteError, match="ended without an answer"):
        AnswerStream().end()


def test_pieces():
    reading = AnswerStream()
    assert reading.feed(chunk({"role": "assistant", "content": ""})) is None
    assert reading.empty
    assert reading.feed(chunk({"reasoning": "hm"})) == Piece("", "hm")
    assert not reading.empty
    assert reading.feed(chunk({"content": "x"})) == Piece("x", "")
    assert reading.feed(chunk({"content": None}, None, choices=[])) is None
    assert reading.feed(chunk({"content": None})) is None


@pytest.mark.parametrize(
    "event",
    [b"", b"null", b"[]", b"{", b"\xff", b"{} {}", b"[DONE", b"[" * 100_000, b'"' + b"x" * 5000],
)
def test_an_event_that_cannot_be_read_is_an_error(event):
    reading = AnswerStream()
    reading.feed(chunk({"content": "kept"}))
    with pytest.raises(AnswerError) as caught:
        reading.feed(event)
    assert len(str(caught.value)) < 300
    assert reading.answer.text == "kept"


@pytest.mark.parametrize(
    ("event", "cause", "words"),
    [
        ({"object": "error", "message": "too long", "code": 400}, RefusedError, "too long"),
        ({"error": {"message": "no", "code": 404}}, RefusedError, "no"),
        ({"object": "error", "code": 500, "message": "x"}, ServerFailureError, "x"),
        ({"object": "error", "code": 429, "message": "x"}, ServerFailureError, "busy"),
        ({"object": "error", "code": 401, "message": "x"}, ServerFailureError, "send its answer"),
        ({"object": "error", "code": "context_length_exceeded"}, ServerFailureError, "failed"),
        ({"object": "error", "code": True, "message": ["x"]}, ServerFailureError, "failed"),
        (
            {"object": "error", "type": "StreamingTimeoutError", "message": "No data", "code": 504},
            NotLiveError,
            "nothing for 30 s",
        ),
        ({"no": "choices"}, ServerFailureError, "without choices"),
    ],
)
def test_a_failure_in_a_stream_has_its_cause(event, cause, words):
    reading = AnswerStream()
    with pytest.raises(StreamFailedError, match=words) as caught:
        reading.feed(json.dumps(event).encode())
    assert type(caught.value.failure) is cause


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('\n\n[ERROR] Error: {"message": "too long", "code": 400}', 400, "too long"),
        ("\n\n[ERROR] Error: gone", 500, "gone"),
        (None, 500, "failed"),
        ('{"message": "' * 20_000, 500, "failed"),
    ],
)
def test_a_false_answer_is_read(text, code, words):
    event = chunk({"role": "assistant", "content": text}, "stop", id="chatcmpl-api-error")
    reading = AnswerStream()
    with at_most(1), pytest.raises(StreamFailedError, match=words) as caught:
        reading.feed(event)
    assert caught.value.failure.status == code
    assert reading.empty


def test_a_page_in_place_of_an_answer():
    for body, kind in (
        (b"<!DOCTYPE html><title>Sign in</title>", "text/plain"),
        (b"<b>hi</b>", "text/html"),
        (b"<b>hi</b>", "Text/HTML; charset=utf-8"),
    ):
        with pytest.raises(NotTheServiceError, match="web page"):
            dialect.decode(body, kind)
    with pytest.raises(AnswerError, match="empty"):
        dialect.decode(b"", "application/json")
    with pytest.raises(AnswerError, match="not JSON"):
        dialect.decode(b"{", "application/json")
    with pytest.raises(AnswerError, match="not JSON"):
        dialect.decode(b"[" * 1_000_000, "application/json")


NAMES = ["id", "object", "error", "message", "choices", "delta", "content", "text", "data", "index"]
NAMES += ["embedding", "finish_reason", "tool_calls", "function", "usage", "reasoning", "code"]
NAMES += ["type", "model"]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=8,
)


def check_any(value):
    for read in (
        dialect.read_chat,
        dialect.read_completion,
        lambda v: dialect.read_embeddings(v, 1),
        lambda v: streamed(json.dumps(v).encode(), chunk({"content": "x"}, "stop")),
    ):
        try:
            found = read(value)
        except AlcfError as error:
            shown = str(error)
            assert 1 <= len(shown.splitlines()) <= 3
            assert len(shown) < 1000
        else:
            assert isinstance(found, (Answer, dialect.Vectors))


@thorough(100)
@given(anything)
def test_any_json_gives_an_answer_or_an_error(value):
    check_any(value)


def test_thousands_of_odd_and_bent_answers():
    chance = dice("dialect")
    good = [chat(), embeddings(1), json.loads(chunk({"content": "x"}, "stop"))]
    for _ in range(cases(2000)):
        value = strange(chance, NAMES)
        if chance.random() < 0.7:
            value = chance.choice(good)
            for _ in range(chance.randrange(1, 4)):
                value = bent(chance, value, NAMES)
        with at_most(1):
            check_any(value)
    malformed("answers", 2000)


@pytest.mark.parametrize("depth", [900, 960, 980, 990, 999, 1001, 5000])
@pytest.mark.parametrize("shape", ["list", "dict"])
def test_deep_nesting_is_an_error_and_no_crash(depth, shape):
    start, end = ("[", "]") if shape == "list" else ('{"a":', "}")
    body = (start * depth + "1" + end * depth).encode()
    with pytest.raises(AnswerError):
        dialect.read_chat(dialect.decode(body, "application/json"))
    with pytest.raises(AnswerError):
        dialect.read_chat(dialect.decode(b'{"choices": ' + body + b"}", "application/json"))
    with pytest.raises(AnswerError):
        streamed(body, chunk({"content": "x"}, "stop"))

"""Every recorded exchange with the gateway is read right: the value, or the right error.

106 exchanges with a running copy of the gateway; see tests/recorded/README.md.
"""

import ast
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from alcf_jupyter.errors import (
    AnswerError,
    IncompleteError,
    LoginRequiredError,
    MaintenanceError,
    NotLiveError,
    RateLimitError,
    RefusedError,
    RestrictedError,
    ServerFailureError,
    StreamFailedError,
    TokenRefusedError,
    TooLargeError,
    UnknownClusterError,
    UnknownModelError,
)
from alcf_jupyter.service import dialect, listing
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.dialect import Answer, AnswerStream, Usage
from alcf_jupyter.service.failures import failure
from alcf_jupyter.service.sse import EventReader
from tests.service.effort import cases, dice

FILE = Path(__file__).parents[1] / "recorded" / "exchanges.json"
EXCHANGES = {one["name"]: one for one in json.loads(FILE.read_text(encoding="utf-8"))}
WORDS = "an exascale machine at Argonne National Laboratory with many nodes tiles and fabrics"


@dataclass(frozen=True)
class Says:
    """An answer: what its text starts with, its thoughts and its tokens."""

    start: str
    thoughts: str = ""
    usage: tuple | None = None
    finish: str = "stop"


@dataclass(frozen=True)
class Fails:
    """An error: its class, words of its message and, where it has one, its status."""

    kind: type
    words: str
    status: int | None = None
    cause: type | None = None


def tells(**part):
    """A JSON object with these fields."""
    return lambda value: {name: value[name] for name in part} == part


def lists(count, **part):
    return lambda value: len(value) == count and tells(**part)(value[0])


def batch_result(value):
    """The gateway answers with a string that holds a Python literal."""
    told = ast.literal_eval(value)
    return (told["num_responses"], told["lines_processed"], told["total_tokens"]) == (3, 5, 52)


CONTEXT = "This model's maximum context length is 8192 tokens."
EXTRA = "Extra inputs are not permitted"
TIMED_OUT = "The model sent nothing for 30 s"
ECHO = "Echo: Hello there\n\n" + WORDS
HOW = "Echo: Hello there, how are you today\n\nthe cell and Aurora is " + WORDS
THINK = "Echo: !think one two three four\n\nmitochondria is the powerhouse of the cell"
ECHO_X = "Echo: x\n\nmitochondria is the powerhouse of the cell"
OFFLINE = "Endpoint 'sophia-vllm-meta-llamameta-llama-31-8b-instruct' is offline."
BATCH = "73a40f34-4166-4fce-a20e-6dcd9674a34f"

EXPECTED = {
    "health": tells(status="ok"),
    "status": tells(sophia=True, metis=True),
    "whoami": tells(username="alice@anl.gov", idp_name="Argonne LCF", user_group_uuids=[]),
    "list-endpoints": lambda v: list(v["clusters"]) == ["sophia", "metis"],
    "list-endpoints of a member of a group": lambda v: "AuroraGPT-secret" in json.dumps(v),
    "jobs sophia": lambda v: [len(v[n]) for n in ("running", "queued", "others")] == [4, 1, 1],
    "jobs metis": lambda v: [len(v[n]) for n in ("running", "queued", "stopped")] == [2, 1, 1],
    "jobs of an unknown cluster": Fails(UnknownClusterError, "'nowhere' does not exist"),
    "whoami with None": Fails(TokenRefusedError, "Missing ('Authorization'"),
    "whoami with unknown-token": Fails(TokenRefusedError, "not active or invalid"),
    "whoami with policy-token": Fails(LoginRequiredError, "internal policies"),
    "whoami with baddomain-token": Fails(LoginRequiredError, "Must authenticate with alcf"),
    "whoami with expired-token": Fails(TokenRefusedError, "Access token expired."),
    "whoami without Bearer": Fails(TokenRefusedError, "should be Bearer"),
    "chat sophia": Says(ECHO, "", (2, 24)),
    "chat sophia streamed": Says(HOW),
    "chat sophia streamed with usage": Says(ECHO, "", (2, 24)),
    "chat sophia upstream 400": Fails(RefusedError, CONTEXT, 400),
    "chat sophia upstream 400n": Fails(RefusedError, CONTEXT, 400),
    "chat sophia upstream 429": Fails(ServerFailureError, "upstream says 429", 429),
    "chat sophia upstream 500": Fails(ServerFailureError, "upstream says 500", 500),
    "chat sophia upstream 503": Fails(ServerFailureError, "upstream says 503", 503),
    "chat sophia streamed upstream 400": Fails(StreamFailedError, CONTEXT, 400, RefusedError),
    "chat sophia streamed upstream 500": Fails(
        StreamFailedError, "An error occurred during processing", 500, ServerFailureError
    ),
    "chat sophia streamed upstream gap": Fails(IncompleteError, "stopped before its end"),
    "chat sophia streamed upstream die": Fails(StreamFailedError, TIMED_OUT, 504, NotLiveError),
    "chat sophia streamed upstream think": Says(THINK, "let me think about this "),
    "chat metis": Says(ECHO, "", (2, 24)),
    "chat metis streamed": Says(HOW),
    "chat metis streamed with usage": Says(ECHO, "", (2, 24)),
    "chat metis upstream 400": Fails(RefusedError, CONTEXT, 400),
    "chat metis upstream 400n": Fails(RefusedError, CONTEXT, 400),
    "chat metis upstream 429": Fails(ServerFailureError, "upstream says 429", 429),
    "chat metis upstream 500": Fails(ServerFailureError, "upstream says 500", 500),
    "chat metis upstream 503": Fails(ServerFailureError, "upstream says 503", 503),
    "chat metis streamed upstream 400": Fails(StreamFailedError, CONTEXT, 400, RefusedError),
    "chat metis streamed upstream 500": Fails(
        StreamFailedError, "upstream says 500", 500, ServerFailureError
    ),
    "chat metis streamed upstream gap": Says("Echo: !gap one two three four\n\nfabrics The"),
    "chat metis streamed upstream die": Fails(IncompleteError, "stopped before its end"),
    "chat metis streamed upstream think": Says(THINK, "let me think about this "),
    "chat: thinking": Says("Echo: !think why\n\nis " + WORDS, "thinking", (2, 24)),
    "chat refused: top_k": Fails(RefusedError, f"top_k: {EXTRA}", 422),
    "chat refused: min_p": Fails(RefusedError, f"min_p: {EXTRA}", 422),
    "chat refused: chat_template_kwargs": Fails(
        RefusedError, f"chat_template_kwargs: {EXTRA}", 422
    ),
    "chat refused: reasoning_effort": Fails(RefusedError, "'low', 'medium' or 'high'", 422),
    "chat refused: repetition_penalty": Fails(RefusedError, f"repetition_penalty: {EXTRA}", 422),
    "chat refused: system content parts": Fails(RefusedError, "messages.0.content.str", 422),
    "chat refused: replayed SDK message": Fails(RefusedError, "messages.1.function_call", 422),
    "chat refused: no messages": Fails(RefusedError, "messages: Field required", 422),
    "chat refused: bad JSON": Fails(RefusedError, "Cannot parse request body", 400),
    "chat: unknown model": Fails(UnknownModelError, "sophia-vllm-openaigpt-os-20b"),
    "chat: model in the wrong case": Says(ECHO_X, "", (1, 24)),
    "chat: unknown framework": Fails(RefusedError, "framework nope not available", 400),
    "chat: route of another cluster": Fails(RefusedError, "'embeddings' not available", 400),
    "chat: group-restricted model": Fails(RestrictedError, "Globus Group restrictions"),
    "chat metis DeepSeek-R1": Fails(NotLiveError, "not currently live on Metis", 503),
    "chat metis Mistral-Large-3-675B-Instruct-2512": Says(ECHO_X, "", (1, 24)),
    "chat metis gemma-4-31B-it": Fails(NotLiveError, "not currently live on Metis", 503),
    "chat metis gpt-oss-120b": Says(ECHO_X, "", (1, 24)),
    "chat: body over the limit": Fails(TooLargeError, "3,000,097 bytes"),
    "completions": Says("Aurora is an exascale machine", "", (2, 8), "length"),
    "embeddings float": [[-0.3292971171708058], [0.7549294752023313]],
    "embeddings base64": ["opmovuOZ7j5vNBO/kBcWPw==", "D0NBP61CWLmKChQ/rFyevg=="],
    "embeddings refused: mixed list": Fails(RefusedError, "input.list[str].1", 422),
    "embeddings refused: 2049 inputs": Fails(RefusedError, "between 1 and 2048", 422),
    "embeddings refused: max_tokens": Fails(RefusedError, f"max_tokens: {EXTRA}", 422),
    "responses": tells(object="response", status="completed"),
    "responses streamed": Fails(RefusedError, "Streaming is not supported", 400),
    "messages": tells(type="message", stop_reason="end_turn"),
    "no models route": Fails(RefusedError, "no such route (HTTP 404)", 404),
    "unknown route": Fails(RefusedError, "no such route (HTTP 404)", 404),
    "wrong method": Fails(RefusedError, "no such route (HTTP 405)", 405),
    "batch create": tells(batch_id=BATCH, status="pending"),
    "batch create: same file again": Fails(RefusedError, "already used by ongoing batch", 400),
    "batch create: extra field": Fails(RefusedError, f"chunk_size: {EXTRA}", 422),
    "batch create: model without batch": Fails(RefusedError, "Batch is unavailable", 400),
    "batch status pending": lambda v: v == "pending",
    "batch result too early": Fails(RefusedError, "not completed yet", 400),
    "batch of someone else": Fails(RestrictedError, f"Permission denied to Batch {BATCH}"),
    "batch unknown": Fails(RefusedError, "no such batch", 404),
    "batch malformed id": Fails(ServerFailureError, "29b9b48ee9d64bb8bece94b6bfbd7691", 500),
    "batches list": lists(9, status="failed", cluster="sophia", completed_at=None),
    "batches list, bad filter": Fails(RefusedError, "'pending', 'running', 'failed'", 422),
    "batch cancel": Fails(RefusedError, "no such route (HTTP 404)", 404),
    "batch create, will fail": tells(status="pending"),
    "batch status": lambda v: v == "completed",
    "batch result": batch_result,
    "batches list, completed": lists(3, status="completed", failed_at=None),
    "batch status, failed": lambda v: v == "failed",
    "batch result, failed": Fails(RefusedError, "CUDA out of memory (fake)", 400),
    "data staging": tells(path="/user-staging/6b2b1487-4509-51c5-b4d0-33ebe3379c47/"),
    "endpoint offline: chat": Fails(NotLiveError, OFFLINE, 503),
    "endpoint offline: chat streamed": Fails(NotLiveError, OFFLINE, 503),
    "no managers, first: chat streamed (cold start)": Fails(
        StreamFailedError, TIMED_OUT, 504, NotLiveError
    ),
    "no managers, second: chat": Fails(NotLiveError, "not ready to receive tasks", 503),
    "no managers, second: chat streamed": Fails(NotLiveError, "not ready to receive tasks", 503),
    "no managers: jobs (disconnected)": lambda v: len(v["running"]) == 4,
    "request rate exceeded": Fails(RateLimitError, "Too many requests", 429),
    "maintenance: status": tells(sophia=False, metis=True),
    "maintenance: jobs": lambda v: len(v["stopped"]) == 11 and v["cluster_status"] == {},
    "maintenance: list-endpoints": lambda v: list(v["clusters"]) == ["sophia", "metis"],
    "maintenance: chat": Fails(MaintenanceError, "sophia is under maintenance", 503),
    "maintenance: chat streamed": Fails(MaintenanceError, "sophia is under maintenance", 503),
    "maintenance: batch create": Fails(MaintenanceError, "sophia is under maintenance", 503),
    "tokens per minute 1": Fails(RateLimitError, "Tokens/minute limit exceeded", 429),
    "tokens per minute, streamed": Fails(RateLimitError, "Tokens/minute limit exceeded", 429),
}


def body_of(exchange):
    response = exchange["response"]
    if "body" in response:
        return response["body"].encode()
    return b"".join(part.encode() for _, part in response["chunks"])


def sent_bytes(exchange):
    """The size of the request's body; where it was left out, its size was noted."""
    body = exchange["request"]["body"]
    if isinstance(body, str) and body.startswith("<"):
        return int(body[1:].split()[0])
    return len(json.dumps(body).encode())


def read_stream(chunks):
    events, reading = EventReader(), AnswerStream()
    for chunk in chunks:
        for data in events.feed(chunk):
            reading.feed(data)
    return reading.end()


def read(exchange, chunks=None):
    """Read an answer as the connection does, by its status, its type and the route asked."""
    response, body = exchange["response"], body_of(exchange)
    kind, route = response["content_type"], exchange["request"]["path"]
    if response["status"] != 200:
        raise failure(response["status"], body, kind, sent_bytes=sent_bytes(exchange))
    if "event-stream" in kind:
        return read_stream([body] if chunks is None else chunks)
    value = dialect.decode(body, kind)
    if route.endswith("/chat/completions"):
        return dialect.read_chat(value)
    if route.endswith("/completions"):
        return dialect.read_completion(value)
    if route.endswith("/embeddings"):
        return dialect.read_embeddings(value, 2)
    return value


def test_every_exchange_is_in_the_table():
    assert len(EXPECTED) == 106
    assert list(EXPECTED) == list(EXCHANGES)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_read_right(name):
    exchange, expected = EXCHANGES[name], EXPECTED[name]
    if isinstance(expected, Fails):
        with pytest.raises(expected.kind) as caught:
            read(exchange)
        error = caught.value
        assert type(error) is expected.kind
        assert expected.words in str(error)
        cause = getattr(error, "failure", None)
        assert type(cause) is (expected.cause or type(None))
        assert getattr(cause or error, "status", None) == expected.status
    elif isinstance(expected, Says):
        answer = read(exchange)
        assert answer.text.startswith(expected.start)
        assert (answer.reasoning, answer.finish_reason) == (expected.thoughts, expected.finish)
        assert answer.complete is (expected.finish == "stop")
        if expected.usage:
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == expected.usage
        else:
            assert answer.usage == Usage()
        assert answer.id.startswith(("chatcmpl-", "cmpl-"))
        assert answer.model == exchange["request"]["body"]["model"]
    elif isinstance(expected, list):
        vectors = read(exchange)
        for vector, start in zip(vectors.data, expected, strict=True):
            assert vector[: len(start)] == start
        assert vectors.usage == Usage(2, 0, 2)
    else:
        value = read(exchange)
        assert value == json.loads(exchange["response"]["body"])
        assert expected(value)


def outcome(exchange, chunks):
    try:
        return read(exchange, chunks)
    except AnswerError as error:
        return type(error), str(error)


STREAMS = [
    name
    for name, exchange in EXCHANGES.items()
    if "event-stream" in exchange["response"]["content_type"]
]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_reads_the_same_however_it_is_cut(name):
    exchange = EXCHANGES[name]
    parts = [part.encode() for _, part in exchange["response"]["chunks"]]
    body, chance = body_of(exchange), dice(name)
    expected = outcome(exchange, [body])
    assert outcome(exchange, parts) == expected
    assert outcome(exchange, [body[i : i + 1] for i in range(len(body))]) == expected
    for at in range(0, len(body) + 1, 31):
        assert outcome(exchange, [body[:at], body[at:]]) == expected
    for _ in range(cases(20)):
        places = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 40)))
        edges = [0, *places, len(body)]
        cut = [body[a:b] for a, b in itertools.pairwise(edges)]
        assert outcome(exchange, cut) == expected


@pytest.mark.parametrize("name", [n for n in STREAMS if isinstance(EXPECTED[n], Says)])
def test_a_stream_that_breaks_off_is_incomplete_until_its_finish_reason(name):
    body = body_of(EXCHANGES[name])
    whole = read_stream([body])
    events, reading, seen = EventReader(), AnswerStream(), ""
    last = body.index(b'"finish_reason": "stop"')
    last += body[last:].index(b"\n\n") + 2
    for at in range(len(body)):
        for data in events.feed(body[at : at + 1]):
            piece = reading.feed(data)
            seen += piece.text if piece else ""
        assert reading.answer.complete is (at + 1 >= last)
    assert seen == reading.answer.text == whole.text


@pytest.mark.parametrize("name", STREAMS)
def test_damaged_bytes_are_an_answer_or_an_error(name):
    body, chance = body_of(EXCHANGES[name]), dice(name)
    for _ in range(cases(80)):
        damaged = bytearray(body)
        for _ in range(chance.randrange(1, 4)):
            start = chance.randrange(len(damaged) + 1)
            damage = chance.choice([b"", b"\n\n", b"\x00", b"data: ", b'"', b"}", b"\r", b"{}"])
            damaged[start : start + chance.choice([0, 1, 5, 300])] = damage
        try:
            answer = read_stream([bytes(damaged)])
        except AnswerError as error:
            assert len(str(error).splitlines()) in {1, 2, 3}  # noqa: PT017 - either will do
        else:
            assert isinstance(answer, Answer)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "x", "code": 500}}',
        b'data: {"object": "error", "message": "x", "code": 500}',
        b'data: {"id": "chatcmpl-api-error", "choices": [{"delta": {"content": "x"}}]}',
        b'data: {"choices": null}',
        b"data: <html>",
    ],
)
def test_a_failure_anywhere_in_a_stream_spoils_it(name, event):
    parts = body_of(EXCHANGES[name]).split(b"\n\n")
    for place in range(len(parts)):
        worse = b"\n\n".join([*parts[:place], event, *parts[place:]])
        with pytest.raises(AnswerError):
            read_stream([worse])


@pytest.mark.parametrize("name", [n for n in STREAMS if isinstance(EXPECTED[n], Says)])
def test_a_stream_without_its_finish_reason_is_incomplete(name):
    parts = body_of(EXCHANGES[name]).split(b"\n\n")
    with pytest.raises(IncompleteError):
        read_stream([b"\n\n".join(p for p in parts if b'"finish_reason": "stop"' not in p)])


def states(known, cluster):
    return {m.id.rsplit("/", 1)[-1]: m.state for m in known.models if m.cluster == cluster}


def value_of(name):
    return json.loads(EXCHANGES[name]["response"]["body"])


def test_the_recorded_catalog():
    known = listing.join(
        value_of("list-endpoints"),
        {"sophia": value_of("jobs sophia"), "metis": value_of("jobs metis")},
        {},
        value_of("status"),
    )
    assert known.warnings == ()
    assert states(known, "sophia") == {
        "SFR-Embedding-Mistral": State.OFFLINE,
        "crash-test-model": State.OFFLINE,
        "gemma-3-27b-it": State.STARTING,
        "Llama-3.3-70B-Instruct": State.OFFLINE,
        "Meta-Llama-3.1-405B-Instruct": State.QUEUED,
        "Meta-Llama-3.1-70B-Instruct": State.OFFLINE,
        "Meta-Llama-3.1-8B-Instruct": State.LIVE,
        "Mistral-7B-Instruct-v0.3-embed": State.LIVE,
        "Mistral-Large-Instruct-2407": State.OFFLINE,
        "gpt-oss-120b": State.LIVE,
        "gpt-oss-20b": State.LIVE,
    }
    assert states(known, "metis") == {
        "DeepSeek-R1": State.STOPPED,
        "Mistral-Large-3-675B-Instruct-2512": State.LIVE,
        "gemma-4-31B-it": State.QUEUED,
        "gpt-oss-120b": State.LIVE,
    }
    assert known.cluster("sophia").starts_on_request
    assert not known.cluster("metis").starts_on_request
    queued = known.find("meta-llama/Meta-Llama-3.1-405B-Instruct")
    assert queued.estimated_start == "Sat Nov 21 14:10:00 2026 (Chicago time)"
    assert (queued.host, queued.path) == ("", "/resource_server/sophia/vllm")


def test_the_recorded_disconnection():
    listed, queue = value_of("list-endpoints"), value_of("no managers: jobs (disconnected)")
    found = states(listing.join(listed, {"sophia": queue}), "sophia")
    assert found["Meta-Llama-3.1-8B-Instruct"] is State.DISCONNECTED
    assert found["gpt-oss-20b"] is State.DISCONNECTED
    assert found["gemma-3-27b-it"] is State.STARTING


def test_the_recorded_maintenance():
    known = listing.join(
        value_of("maintenance: list-endpoints"),
        {"sophia": value_of("maintenance: jobs"), "metis": value_of("jobs metis")},
        {},
        value_of("maintenance: status"),
    )
    assert set(states(known, "sophia").values()) == {State.MAINTENANCE}
    assert State.LIVE in states(known, "metis").values()

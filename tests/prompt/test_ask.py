"""From a prompt to a Reply, against a scripted gateway."""

import json
import time

import numpy as np
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.call import Status
from alcf_jupyter.errors import (
    AnswerError,
    DeadlineError,
    IncompleteError,
    ModelNotChosenError,
    NotLiveError,
    StreamFailedError,
    TooLargeError,
    UnreachableError,
    UsageError,
)
from alcf_jupyter.prompt.ask import replying
from tests.connection.faultserver import (
    DONE,
    TOKEN,
    Gateway,
    chat_answer,
    chunked,
    event,
    jobs,
    serving,
    stream_head,
    whole,
)

POSTS = "/v1/chat/completions"


@pytest.fixture
def server():
    """A connected gateway whose script the test may change."""
    before = session.current().client
    with serving() as running:
        alcf.connect(running.url, token=TOKEN, poll_seconds=0.1)
        yield running
    session.current().client = before


class Notes:
    def __init__(self):
        self.lines = []

    def status(self, words):
        self.lines.append(words)


def sent(server):
    return server.to(POSTS)[-1].json


def test_a_chat(server):
    reply = alcf.chat("hi", model="m", system="Be brief.", temperature=0, stop=["x"], seed=None)
    assert (reply.text, reply.complete, reply.finish_reason) == ("hello", True, "stop")
    assert (reply.model, reply.cluster) == ("m", "sophia")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (2, 3)
    assert sent(server) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ],
        "temperature": 0,
        "stop": ["x"],
    }


def test_nothing_is_sent_that_was_not_asked_for(server):
    alcf.chat("hi", model="m", system="")
    assert sent(server) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    list(alcf.stream("hi", model="m"))
    body = sent(server)
    assert body.pop("stream") is True
    assert body.pop("stream_options") == {"include_usage": True}
    assert body == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_numpy_s_numbers_are_numbers(server):
    alcf.chat("hi", model="m", temperature=np.float64(0.5), seed=np.int64(7))
    assert (sent(server)["temperature"], sent(server)["seed"]) == (0.5, 7)


REFUSED = [
    ({"tempature": 1}, "Did you mean:  temperature"),
    ({"top_k": 5}, "no parameter 'top_k'"),
    ({"min_p": 0.1}, "no parameter 'min_p'"),
    ({"qqqqqqqqqq": 5}, "Leave it out"),
    ({"stream": True}, "alcf.stream"),
    ({"stream_options": {}}, "alcf.stream"),
    ({"messages": []}, "set by the call itself"),
    ({"n": 2}, "n stays 1"),
    ({"n": 0}, "n"),
    ({"stop": list("abcde")}, "stop"),
    ({"temperature": float("nan")}, "not finite"),
    ({"temperature": np.float64("inf")}, "not finite"),
    ({"logit_bias": {"5": float("-inf")}}, "not finite"),
    ({"metadata": {"a": [np.array([1.0, np.nan])]}}, "not finite"),
    ({"user": "\ud800"}, "lone surrogate"),
    ({"prediction": [object()]}, "cannot be sent"),
    ({"user": "x" * 2_700_000}, "bytes"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_the_service_would_refuse_is_not_sent(server, options, words):
    server.script = Gateway(jobs={"sophia": jobs(queued=["m"])})
    for attempt in (
        lambda: alcf.chat("hi", model="m", **options),
        lambda: list(alcf.stream("hi", model="m", **options)),
    ):
        with pytest.raises(UsageError) as caught:
            attempt()
        assert words in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 3
    assert server.requests == [], "nothing was even waited for"


def test_what_goes_round_in_circles_is_refused(server):
    value = []
    value.append(value)
    with pytest.raises(UsageError, match="cannot be sent"):
        alcf.chat("hi", model="m", prediction=value)
    assert server.requests == []


@pytest.mark.parametrize("prompt", ["", " ", "\n\t", None, 5, b"hi", ["hi"], "half \ud800"])
def test_a_prompt_is_a_text(server, prompt):
    for ask in (alcf.chat, alcf.complete, lambda p, **o: list(alcf.stream(p, **o))):
        with pytest.raises(UsageError):
            ask(prompt, model="m")
    assert server.requests == []


@pytest.mark.parametrize("system", [5, ["x"], b"x", "\udfff"])
def test_a_system_prompt_is_a_text(server, system):
    with pytest.raises(UsageError):
        alcf.chat("hi", model="m", system=system)
    assert server.requests == []


def test_a_prompt_over_the_limit(server):
    with pytest.raises(TooLargeError, match="Nothing was sent"):
        alcf.chat("x" * 2_700_000, model="m")
    assert server.requests == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("timeout", [None, "soon", 0, -1, "0s"])
def test_a_timeout_is_a_duration(timeout):
    with pytest.raises(UsageError, match="not a duration"):
        alcf.chat("hi", model="m", timeout=timeout)


def test_without_a_model(server):
    with pytest.raises(ModelNotChosenError, match="%alcf use m    # Live on sophia"):
        alcf.chat("hi")
    assert server.to(POSTS) == []


def test_a_plain_server_takes_what_it_takes():
    def script(peer, request):
        if request.method == "GET":
            peer.send(whole({"data": [{"id": "llama3"}]}))
        else:
            peer.send(whole(chat_answer()))

    before = session.current().client
    with serving(script) as server:
        alcf.connect(server.plain)
        alcf.chat("hi", model="llama3", top_k=5, chat_template_kwargs={"thinking": False})
        assert server.requests[-1].json["top_k"] == 5
        alcf.chat("x" * 3_000_000, model="llama3")
        for bad in ({"stream": True}, {"n": 3}, {"messages": []}, {"min_p": float("nan")}):
            with pytest.raises(UsageError):
                alcf.chat("hi", model="llama3", **bad)
        assert list(alcf.stream("hi", model="llama3")) == ["hello"]
    session.current().client = before


def test_a_completion(server):
    server.script = Gateway(
        infer=lambda peer, _: peer.send(
            whole({"choices": [{"text": " a time", "finish_reason": "length"}], "model": "x"})
        )
    )
    reply = alcf.complete("Once upon", model="m", max_tokens=4, echo=False)
    assert (reply.text, reply.complete, reply.finish_reason) == (" a time", False, "length")
    request = server.to("/v1/completions")[0]
    assert request.json == {
        "model": "m",
        "prompt": "Once upon",
        "max_tokens": 4,
        "echo": False,
    }
    for name in ("messages", "max_completion_tokens", "tools", "stream"):
        with pytest.raises(UsageError):
            alcf.complete("Once upon", model="m", **{name: 1})


def test_an_answer_cut_off_at_the_limit_is_marked(server):
    server.script = Gateway(infer=lambda peer, _: peer.send(whole(chat_answer(finish="length"))))
    reply = alcf.chat("hi", model="m")
    assert not reply.complete
    assert "token limit" in reply.note
    assert repr(reply) == f"hello\n[{reply.note}]"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (chat_answer(finish=None), IncompleteError),
        (chat_answer(text=None), AnswerError),
        ({"object": "error", "message": "no", "code": 400}, AnswerError),
        (chat_answer(id="chatcmpl-api-error"), AnswerError),
    ],
)
def test_no_failure_passes_for_an_answer(server, answer, kind):
    server.script = Gateway(infer=lambda peer, _: peer.send(whole(answer)))
    with pytest.raises(kind):
        alcf.chat("hi", model="m")


def test_a_stream_gives_its_pieces(server):
    assert "".join(alcf.stream("hi", model="m")) == "hello"
    thought = {"index": 0, "delta": {"reasoning": "hm"}, "finish_reason": None}
    parts = [event(choices=[thought]), event("a"), event("b"), event(None, "stop"), DONE]

    def infer(peer, _request):
        peer.send(stream_head(), *(chunked(part) for part in parts), chunked(b"", last=True))

    server.script = Gateway(infer=infer)
    assert "".join(alcf.stream("hi", model="m")) == "ab", "thoughts are kept apart"


def broken_stream(*parts, reset=False, hang=False):
    def infer(peer, _request):
        peer.send(stream_head(), *(chunked(part) for part in parts))
        if reset:
            peer.reset()
        elif hang:
            peer.hang()
        else:
            peer.send(chunked(b"", last=True))

    made = Gateway(infer=infer)
    made.hangs = hang
    return made


def run(prompt="hi", **options):
    """Run `replying` to its end: the text it showed and its Reply."""
    steps, shown = replying(prompt, model="m", **options), []
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return "".join(shown), stop.value
        if step is not None and not isinstance(step, Status):
            shown.append(step.text)


FAILED = f"data: {json.dumps({'object': 'error', 'message': 'no', 'code': 400})}\n\n".encode()


@pytest.mark.parametrize(
    ("script", "kind", "note"),
    [
        (broken_stream(event("half ")), IncompleteError, "before its end"),
        (broken_stream(event("half "), DONE), IncompleteError, "before its end"),
        (broken_stream(event("half "), FAILED, DONE), StreamFailedError, "before its end"),
        (broken_stream(event("half ") + FAILED), StreamFailedError, "before its end"),
        (broken_stream(event("half "), b"data: {\n\n"), AnswerError, "before its end"),
        (broken_stream(event("half "), reset=True), AnswerError, "before its end"),
        (broken_stream(event("half "), hang=True), AnswerError, "before its end"),
        (broken_stream(event("half ", "stop"), FAILED), StreamFailedError, "a failure"),
        (broken_stream(event("half ", "stop"), reset=True), AnswerError, "a failure"),
    ],
)
def test_what_had_come_is_kept_and_marked(server, script, kind, note):
    server.script = script
    with pytest.raises(AnswerError) as caught:
        run(timeout=5.0 if script.hangs else 60.0)  # the hanging ones take that long
    assert type(caught.value) is kind
    reply = caught.value.reply
    assert (reply.text, reply.complete) == ("half ", False)
    assert note in reply.note
    assert reply.provenance["complete"] is False
    assert len(server.to(POSTS)) == 1


def test_what_is_shown_is_what_is_kept(server):
    server.script = broken_stream(event("a") + event("b") + FAILED)
    seen = []
    with pytest.raises(StreamFailedError) as caught:
        seen.extend(alcf.stream("hi", model="m"))
    assert "".join(seen) == caught.value.reply.text == "ab"


def test_a_failure_before_anything_came_is_itself(server):
    server.script = broken_stream(reset=True)
    with pytest.raises(UnreachableError):
        run()
    server.script = broken_stream(hang=True)
    with pytest.raises(DeadlineError):
        run(timeout=0.5)


def test_the_queue_is_told_and_counted(server):
    queues = [jobs(running=["x"]), jobs(queued=["cold"]), jobs(running=["cold"])]
    server.script = Gateway(models={"sophia": ["cold", "x"]}, jobs={"sophia": queues})
    notes = Notes()
    began = time.monotonic()
    reply = alcf.chat("hi", model="cold", observer=notes)
    took = time.monotonic() - began
    assert reply.states == ("Offline", "Queued", "Live")
    assert reply.footer == "cold @ sophia · 2 in / 3 out · Offline → Queued → Live"
    assert reply.timing.waited >= 0.2
    assert 0 < reply.timing.total <= took - reply.timing.waited, "the wait is not counted"
    assert reply.provenance["waited_seconds"] == round(reply.timing.waited, 3)
    assert any("Offline" in line for line in notes.lines)
    with pytest.raises(NotLiveError):
        alcf.chat("hi", model="x", wait=False, observer=notes)


def test_the_terminal_is_told_each_state_once(server, capsys):
    queues = [jobs(queued=["m"]), jobs(queued=["m"]), jobs(running=["m"])]
    server.script = Gateway(jobs={"sophia": queues})
    alcf.chat("hi", model="m")
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split(" · ")[1] for line in said.err.splitlines()] == ["Queued"]


def test_two_clusters_and_the_one_that_is_live(server):
    server.script = Gateway(
        models={"sophia": ["m"], "metis": ["m"]},
        jobs={"sophia": jobs(queued=["m"]), "metis": jobs(running=["m"], free_nodes=None)},
    )
    assert alcf.chat("hi", model="m").cluster == "metis"
    with pytest.raises(UsageError, match="cluster='sophia'"):
        alcf.chat("hi", model="m", cluster="sofia")

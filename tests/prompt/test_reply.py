"""Reply: the value of a chat, and where it came from."""

import json

import pytest

from alcf_jupyter import __version__
from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.profiles import Profile, resolve
from alcf_jupyter.prompt.reply import Reply, of
from alcf_jupyter.service.catalog import Model, State
from alcf_jupyter.service.dialect import Answer, Usage
from tests.connection.faultserver import TOKEN

URL = "https://inference-api.alcf.anl.gov/resource_server"


def call(**body):
    made = Call("chat/completions", "asked", None, body, Deadline.after(5))
    made.served = Model(id="m", cluster="sophia")
    made.wait.saw(State.QUEUED)
    made.wait.saw(State.LIVE)
    made.wait.seconds, made.first_seconds, made.total_seconds = 220.4567, 0.81234, 6.1
    return made


ANSWER = Answer("hi", "hm", "stop", Usage(1204, 310, 1514), model="served", id="c")


def test_a_whole_answer():
    reply = of(ANSWER, call(messages=[]), resolve("alcf"))
    assert str(reply) == repr(reply) == "hi"
    assert (reply.reasoning, reply.complete, reply.note) == ("hm", True, "")
    assert reply.footer == "m @ sophia · 1,204 in / 310 out · Queued → Live"
    assert (reply.timing.waited, reply.timing.first_token) == (220.4567, 0.81234)
    assert reply.data is None


@pytest.mark.parametrize(
    ("finish", "text", "note"),
    [
        ("length", "half", "token limit"),
        ("interrupted", "half", "interrupted"),
        ("content_filter", "half", "content filter"),
        ("failed", "half", "failure"),
        ("stop", "", "gave no answer"),
        ("tool_calls", "x", "did not come"),
        ("", "half", "stopped before its end"),
        ("odd\x1b[31m\nreason" + "x" * 500, "half", "oddreason"),
    ],
)
def test_an_answer_that_is_not_whole_says_so(finish, text, note):
    answer = Answer(text, "" if text else "hm", finish)
    reply = of(answer, call(), resolve("alcf"))
    assert not reply.complete
    assert reply.note.startswith("Incomplete")
    assert note in reply.note.replace("\n", "")
    assert "\x1b" not in reply.note
    assert len(reply.note) < 120
    assert repr(reply) == f"{text}\n[{reply.note}]"


def test_being_stopped_counts_more_than_what_the_answer_says():
    reply = of(ANSWER, call(), resolve("alcf"), stopped="interrupted")
    assert (reply.complete, reply.finish_reason) == (False, "interrupted")
    assert reply.provenance["finish_reason"] == "interrupted"


def test_the_text_is_as_it_came_and_its_repr_is_safe():
    hostile = "a\x1b]0;title\x07b\u202ec\x00"
    reply = of(Answer(hostile, "", "stop"), call(), resolve("alcf"))
    assert reply.text == str(reply) == hostile
    for odd in "\x1b\u202e\x00":
        assert odd not in repr(reply)


def test_the_same_on_every_run():
    """No time, address or object id in what is shown."""
    first, second = (repr(of(ANSWER, call(), resolve("alcf"))) for _ in range(2))
    assert first == second
    footer = of(ANSWER, call(), resolve("alcf")).footer
    assert "0.8" not in footer
    assert "6.1" not in footer


def test_footers():
    bare = Call("completions", "x", None, {}, Deadline.after(5))
    assert of(Answer("a", "", "stop"), bare, resolve("https://h/v1")).footer == "x"
    sandbox = Profile("sandbox", "http://127.0.0.1:1/resource_server")
    assert "local sandbox" in of(ANSWER, call(), sandbox).footer
    assert "local sandbox" not in of(ANSWER, call(), resolve("alcf")).footer


def test_the_provenance_tells_everything_but_no_secret_and_no_text():
    asked = call(messages=[{"role": "user", "content": "a private prompt"}], temperature=0.5)
    asked.body["stream_options"] = {"include_usage": True}
    told = of(ANSWER, asked, resolve("alcf")).provenance
    assert told["model"] == "asked"
    assert told["model_served"] == "served"
    assert (told["cluster"], told["url"], told["service"]) == ("sophia", URL, "alcf")
    assert told["parameters"] == {"temperature": 0.5}
    assert (told["prompt_tokens"], told["completion_tokens"]) == (1204, 310)
    assert (told["waited_seconds"], told["first_token_seconds"]) == (220.457, 0.812)
    assert told["states"] == ["Queued", "Live"]
    assert told["versions"]["alcf_jupyter"] == __version__
    assert told["time"].endswith("+00:00")
    text = json.dumps(told)
    for private in ("a private prompt", TOKEN, "hm"):
        assert f'"{private}"' not in text
    assert len(told["prompt_sha256"]) == len(told["answer_sha256"]) == 64


def test_the_digests_tell_prompts_and_answers_apart():
    def digests(text, answer):
        asked = call(messages=[{"role": "user", "content": text}])
        told = of(Answer(answer, "", "stop"), asked, resolve("alcf")).provenance
        return told["prompt_sha256"], told["answer_sha256"]

    assert digests("a", "x") == digests("a", "x")
    assert digests("a", "x")[0] != digests("b", "x")[0]
    assert digests("a", "x")[1] != digests("a", "y")[1]
    assert digests("\ud800", "\udfff")


def test_a_stand_in_s_changing_port_is_left_out():
    told = of(ANSWER, call(), Profile("sandbox", "http://127.0.0.1:51234/resource_server"))
    assert "51234" not in json.dumps(told.provenance)


def test_a_reply_does_not_change():
    reply = Reply(text="x")
    with pytest.raises(AttributeError):
        reply.text = "y"
    assert reply == Reply(text="x")

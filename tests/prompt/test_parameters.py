"""What the gateway would refuse is refused before it is sent, and what it takes is not."""

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError

REFUSED = {
    "temperature": 2.1,
    "top_p": -0.1,
    "presence_penalty": 3,
    "max_tokens": -1,
    "seed": 2**63,
    "stop": ["a"] * 5,
    "reasoning_effort": "minimal",
    "service_tier": "flex",
    "top_logprobs": 21,
    "logit_bias": {"1": 101},
    "metadata": {"a": 1},
    "user": 7,
    "logprobs": "yes",
    "n": 2,
    "top_k": 3,
    "chat_template_kwargs": {"a": 1},
}
TAKEN = {
    "temperature": 2,
    "top_p": 0,
    "max_tokens": 5,
    "seed": -(2**63),
    "stop": "x",
    "reasoning_effort": "high",
    "logit_bias": {"1": -100},
    "metadata": {"a": "b"},
    "service_tier": "default",
}


@pytest.fixture(scope="module", autouse=True)
def sandbox():
    return alcf.connect("sandbox")


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_here_with_the_reason(name):
    with pytest.raises(UsageError, match=name) as raised:
        alcf.chat("hi", model="sandbox/echo", **{name: REFUSED[name]})
    assert 2 <= len(str(raised.value).splitlines()) <= 3


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("modle", "model"),
        ("temprature", "temperature"),
        ("systm", "system"),
        ("max_token", "max_tok"),
    ],
)
def test_the_nearest_name_is_proposed_be_it_of_the_call_or_of_the_request(typed, meant):
    for ask in (
        lambda: alcf.chat("hi", **{typed: 1}),
        lambda: next(alcf.stream("hi", **{typed: 1})),
        lambda: alcf.map(["hi"], "{{text}}", **{typed: 1}),
        lambda: alcf.submit_batch(["hi"], "{{text}}", model="sandbox/echo", **{typed: 1}),
    ):
        with pytest.raises(UsageError, match=f"Did you mean:  {meant}"):
            ask()


@pytest.mark.parametrize("pair", [("n" * 65, "x"), ("n", "x" * 513)])
def test_metadata_has_short_names_and_texts(pair):
    with pytest.raises(UsageError, match="up to 64 letters"):
        alcf.chat("hi", model="sandbox/echo", metadata=dict([pair]))
    alcf.chat("hi", model="sandbox/echo", metadata={"n" * 64: "x" * 512})


@pytest.mark.parametrize("stop", ["five!", ["five!", "six"], "x"])
def test_a_completion_stops_at_a_text_of_any_length(stop):
    assert alcf.complete("one five! six", model="sandbox/echo", stop=stop).text.startswith("one")


def test_top_logprobs_wants_logprobs():
    with pytest.raises(UsageError, match="logprobs to true"):
        alcf.chat("hi", model="sandbox/echo", top_logprobs=3)


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_sent_and_the_gateway_takes_it(name):
    reply = alcf.chat("hi", model="sandbox/echo", **{name: TAKEN[name]})
    assert reply.provenance["parameters"] == {name: TAKEN[name]}

"""What a model thought is kept apart, under either of the names that servers give it."""

import pytest

import alcf_jupyter as alcf
from tests.scripted import message, model


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_both_names_of_the_field(name):
    with model(message("42", **{name: "six times seven"})):
        reply = alcf.chat("How much?", model="m")
    assert (reply.text, reply.reasoning, reply.complete) == ("42", "six times seven", True)


def test_thoughts_without_an_answer_are_no_whole_answer():
    with model(message(None, reasoning="hm")):
        reply = alcf.chat("How much?", model="m")
    assert not reply.complete
    assert "thought but gave no answer" in repr(reply)


@pytest.mark.parametrize("effort", ["low", "high"])
def test_effort_over_the_gateway_streamed_and_whole(effort):
    alcf.connect("sandbox")
    options = {"model": "sandbox/reasoning", "reasoning_effort": effort}
    reply = alcf.chat("Why?", **options)
    assert reply.reasoning.count(".") == {"low": 1, "high": 4}[effort]
    assert "".join(alcf.stream("Why?", **options)) == reply.text

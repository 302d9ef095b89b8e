"""The provenance of an answer: facts for a paper, and neither a token nor a name."""

import hashlib
import json

import numpy as np
import pytest

from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.profiles import resolve
from alcf_jupyter.connection.record.origin import origin, sha256
from alcf_jupyter.service.catalog import Model, State
from alcf_jupyter.service.dialect import Usage


def call(**body):
    made = Call("embeddings", "asked", None, body, Deadline.after(5))
    made.served = Model(id="m", cluster="sophia")
    made.wait.saw(State.LIVE)
    return made


def told(asked, **more):
    given = {"asked_sha256": sha256("q"), "answer_sha256": sha256("a"), **more}
    return origin(asked, resolve("alcf"), **given)


def test_it_holds_the_question_s_hash_and_not_the_question():
    body = {"input": ["a private text"], "encoding_format": "base64", "user": "ada@anl.gov"}
    found = told(call(**body, dimensions=64), usage=Usage(12), requests=3)
    assert found["parameters"] == {"dimensions": 64}
    assert (found["route"], found["requests"], found["prompt_tokens"]) == ("embeddings", 3, 12)
    assert (found["model"], found["model_served"], found["cluster"]) == ("asked", "m", "sophia")
    assert found["states"] == ["Live"]
    text = json.dumps(found)
    assert "private" not in text
    assert "ada" not in text


def test_what_came_from_a_record_says_so():
    asked = call(input=["x"])
    assert "replayed" not in told(asked)
    asked.replayed = True
    assert told(asked)["replayed"] is True


def test_one_text_has_the_hash_that_other_tools_give_it():
    assert sha256("grün") == hashlib.sha256("grün".encode()).hexdigest()


def test_vectors_are_hashed_as_their_bytes():
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert sha256(memoryview(vectors)) == hashlib.sha256(vectors.tobytes()).hexdigest()


@pytest.mark.parametrize("other", [("ab", "c"), ("abc",), ("a", "bc", ""), ("b", "ac")])
def test_where_a_text_ends_counts(other):
    assert sha256("a", "bc") != sha256(*other)


def test_half_a_character_has_a_hash_too():
    assert len(sha256("\ud800", b"\xff")) == 64

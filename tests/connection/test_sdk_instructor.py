"""A library of others on alcf.openai: instructor, in its modes; and what it makes of a failure."""

import openai
import pydantic
import pytest

import alcf_jupyter as alcf
from tests.controlled import sandbox

instructor = pytest.importorskip(
    "instructor", reason="it wants other versions than ours: .ci/run has it in its own environment"
)

ASK = [{"role": "user", "content": "Ada is 36 years old, name: Ada"}]


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def service():
    with sandbox("--no-rate-limit") as running:
        yield running


@pytest.fixture
def client(service):
    service.heal()
    service.connect()
    with alcf.openai("sophia") as made:
        yield made


@pytest.mark.parametrize(
    ("mode", "model"),
    [
        (instructor.Mode.TOOLS, "sandbox/tools"),
        (instructor.Mode.JSON_SCHEMA, "sandbox/json"),
    ],
)
def test_a_value_of_the_class_asked_for(client, mode, model):
    made = instructor.from_openai(client, mode=mode)
    found = made.chat.completions.create(model=model, messages=ASK, response_model=Person)
    assert found.model_dump() == {"name": "Ada", "age": 36}


def test_parts_of_it_as_they_come(client):
    made = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    parts = list(
        made.chat.completions.create_partial(
            model="sandbox/json", messages=ASK, response_model=Person
        )
    )
    assert parts[-1].model_dump() == {"name": "Ada", "age": 36}


@pytest.mark.parametrize("fault", ["api-error-answer", "no-finish", "upstream-400"])
def test_a_failure_is_an_error_and_never_a_value(client, service, fault):
    service.fail(fault)
    made = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    with pytest.raises(Exception, match=r"model server|incomplete|context") as caught:
        made.chat.completions.create(
            model="sandbox/json", messages=ASK, response_model=Person, max_retries=0
        )
    chain, error = [], caught.value
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__
    assert any(isinstance(one, openai.APIError) for one in chain)

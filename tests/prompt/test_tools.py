"""Tools: declared from signatures, called only if given, errors back to the model, a cap."""

import json
import typing
from collections import Counter

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import AnswerError, UsageError
from alcf_jupyter.prompt import tools
from tests.scripted import message, model


def density(material: str, celsius: float = 20.0, *, unit: typing.Literal["g", "kg"] = "g") -> str:
    """Return a density.

    Parameters
    ----------
    material
        What it is of.
    celsius
        At which temperature.
    unit
        Of the mass.
    """
    return f"{material} {celsius} {unit}"


def fails(element: str) -> str:
    """Fail."""
    raise KeyError(element)


def wants(name, arguments, number="call-1"):
    call = {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}
    return message(None, finish="tool_calls", tool_calls=[call])


def test_the_declaration_comes_from_the_signature_and_the_docstring():
    told = tools.declared([density])["density"].declaration
    assert told["function"]["description"] == "Return a density."
    parameters = told["function"]["parameters"]
    assert parameters["required"] == ["material"]
    assert parameters["properties"]["material"] == {
        "description": "What it is of.",
        "type": "string",
    }
    assert parameters["properties"]["unit"]["enum"] == ["g", "kg"]


def test_the_sandbox_calls_a_tool_and_answers_with_its_result():
    alcf.connect("sandbox")
    reply = alcf.chat("iron", model="sandbox/tools", tools=[density])
    assert reply.text.startswith("The tool says: iron")
    assert [run.name for run in reply.tool_calls] == ["density"]
    assert reply.complete
    assert reply.provenance["tool_calls"] == [reply.tool_calls[0].call]
    assert list(alcf.stream("iron", model="sandbox/tools", tools=density)) == [reply.text]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("density", '{"material": "Fe"}', "Fe 20.0 g"),
        ("density", '{"material": "Fe", "celsius": "30"}', "Fe 30.0 g"),
        ("density", "{", "Error: "),
        ("density", '{"celsius": 3}', "Error: material: "),
        ("density", '{"material": "Fe", "x": 1}', "Error: x: "),
        ("fails", '{"element": "Xx"}', "Error: KeyError: 'Xx'"),
        ("system", '{"command": "rm"}', "Error: there is no tool of this name"),
        ("__import__", "{}", "Error: there is no tool of this name"),
    ],
)
def test_what_the_model_asks_for_is_answered_result_or_error(name, arguments, told):
    with model(wants(name, arguments), "done") as served:
        reply = alcf.chat("go", model="m", tools=[density, fails])
    assert reply.text == "done"
    *_, asked, answer = served.asked[1]["messages"]
    assert asked["tool_calls"][0]["id"] == answer["tool_call_id"] == "call-1"
    assert answer["content"].startswith(told)
    assert reply.tool_calls[0].failed == told.startswith("Error")


def test_rounds_have_a_cap():
    with model(wants("density", '{"material": "Fe"}')) as served:
        with pytest.raises(AnswerError, match="8 times") as raised:
            alcf.chat("go", model="m", tools=[density])
        assert len(served.asked) == 1 + tools.MOST_ROUNDS
    assert len(raised.value.reply.tool_calls) == tools.MOST_ROUNDS


def test_the_answer_after_the_last_round_is_taken():
    asks = [wants("density", '{"material": "Fe"}')] * tools.MOST_ROUNDS
    with model(*asks, "done"):
        reply = alcf.chat("go", model="m", tools=[density])
    assert reply.text == "done"
    assert len(reply.tool_calls) == tools.MOST_ROUNDS


def test_no_tool_is_called_by_an_answer_that_was_cut_off():
    cut = wants("density", '{"material": "Fe"}')
    cut["choices"][0]["finish_reason"] = "length"
    with model(cut) as served:
        reply = alcf.chat("go", model="m", tools=[density])
    assert (reply.complete, reply.finish_reason) == (False, "length")
    assert reply.tool_calls == ()
    assert len(served.asked) == 1


def test_tools_and_a_schema_together():
    with model(wants("density", '{"material": "Fe"}'), '{"d": 3}'):
        assert alcf.chat("go", model="m", tools=[density], schema="d int").data == {"d": 3}


def test_an_answer_that_is_repaired_calls_no_tool_again():
    asks = wants("density", '{"material": "Fe"}')
    with model(asks, "three", '{"d": 3}') as served:
        options = {"tools": [density], "tool_choice": "required", "schema": "d int"}
        reply = alcf.chat("go", model="m", **options)
    assert reply.data == {"d": 3}
    assert [run.name for run in reply.tool_calls] == ["density"]
    assert reply.provenance["tool_calls"] == [reply.tool_calls[0].call]
    assert reply.provenance["requests"] == 3
    offered = [("tools" in asked, asked.get("tool_choice")) for asked in served.asked]
    assert offered == [(True, "required"), (True, None), (False, None)]


def test_a_method_is_a_function_with_a_name():
    assert list(tools.declared([Counter().most_common])) == ["most_common"]


@pytest.mark.parametrize("value", [{"a": [1, 2.5]}, [1], None, 3, {1, 2}, object])
def test_any_result_has_a_text(value):
    def give():
        return value

    run = tools.declared([give])["give"].run("")
    assert not run.failed
    assert run.result
    if isinstance(value, (dict, list)):
        assert json.loads(run.result) == value


def configures(model_config: dict) -> None:
    """Do nothing; the parameter has a name that pydantic keeps for itself."""


async def later() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    "bad",
    [3, "density", lambda x: x, dict, later, configures, print, lambda *a: a],
)
def test_what_is_no_tool_is_refused_before_anything_is_sent(bad):
    with model("hi") as served:
        with pytest.raises(UsageError) as raised:
            alcf.chat("go", model="m", tools=[bad])
        assert len(str(raised.value).splitlines()) <= 3
        assert served.asked == []

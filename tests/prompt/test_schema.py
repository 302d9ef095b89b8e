"""Answers in a fixed form: what is sent, what is taken, one repair, and short errors."""

import dataclasses
import json

import pydantic
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import IncompleteError, InvalidAnswerError, UsageError
from alcf_jupyter.prompt import schema
from tests.scripted import message, model


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0)


@dataclasses.dataclass
class Point:
    x: float
    y: float


def test_the_short_form():
    told = schema.short("name, age int: in years\ntags list[str], hot bool, kind a|b, all list")
    assert told["properties"] == {
        "name": {"type": "string"},
        "age": {"type": "integer", "description": "in years"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "hot": {"type": "boolean"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "all": {"type": "array", "items": {"type": "string"}},
    }
    assert told["required"] == list(told["properties"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "empty"),
        ("3x", "3x"),
        ("age intt", "Did you mean:  int"),
        ("a, a", "twice"),
        ("/no/such/file.json", "/no/such/file.json"),
        ({"type": "no such type"}, "not a JSON schema"),
        (3, "int"),
        (len, "not a schema"),
        (object(), "object"),
    ],
)
def test_a_schema_that_is_none_is_refused_before_anything_is_sent(given, words):
    with model("{}") as served:
        with pytest.raises(UsageError, match=words) as raised:
            alcf.chat("hi", model="m", schema=given)
        assert len(str(raised.value).splitlines()) <= 3
        assert served.asked == []


def test_files_that_hold_no_schema(tmp_path):
    for name, text in {"a.json": "{", "b.json": "[1]", "c.json": '{"type": 3}'}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError):
            schema.of(str(tmp_path / name))


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (Person, Person(name="Ada is", age=36)),
        ({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}, None),
        ("name, age int", {"name": "Ada is", "age": 36}),
        (Point, None),
        (list[int], None),
    ],
)
def test_the_sandbox_answers_in_the_form(given, data):
    alcf.connect("sandbox")
    reply = alcf.chat("Ada is 36", model="sandbox/json", schema=given)
    assert reply.complete
    assert data is None or reply.data == data
    assert reply.provenance["parameters"]["response_format"]["type"] == "json_schema"


def test_a_file_of_a_schema(tmp_path):
    path = tmp_path / "person.json"
    path.write_text(json.dumps(schema.short("name, age int")))
    alcf.connect("sandbox")
    assert alcf.chat("Ada is 36", model="sandbox/json", schema=path).data["age"] == 36


def test_a_wrong_answer_is_asked_for_once_more_and_both_are_counted():
    with model("Here you are!", '```json\n{"name": "Ada", "age": 36}\n```') as served:
        reply = alcf.chat("Who?", model="m", schema="name, age int")
    assert reply.data == {"name": "Ada", "age": 36}
    assert "answer repaired" in reply.footer
    assert reply.usage.total_tokens == 10
    assert reply.provenance["requests"] == 2
    first, second = served.asked
    assert [m["role"] for m in second["messages"]] == ["user", "assistant", "user"]
    assert "not JSON" in second["messages"][-1]["content"]
    assert second["response_format"] == first["response_format"]


@pytest.mark.parametrize(
    "text", ["", "no", '{"name": "Ada"}', '{"name": "Ada", "age": "x"}', "NaN", "[" * 100_000]
)
@pytest.mark.parametrize("given", ["name, age int", Person])
def test_after_two_wrong_answers_the_error_shows_what_came(text, given):
    with model(text) as served:
        with pytest.raises(InvalidAnswerError) as raised:
            alcf.chat("Who?", model="m", schema=given)
        assert len(served.asked) == 2
    assert len(str(raised.value).splitlines()) == 3
    assert raised.value.reply.text == text


def test_an_answer_that_was_cut_off_is_not_repaired():
    with model(message('{"name": "A', finish="length")) as served:
        with pytest.raises(IncompleteError, match="max_tokens=2000") as raised:
            alcf.chat("Who?", model="m", schema="name")
        assert len(served.asked) == 1
    assert raised.value.reply.text == '{"name": "A'


def test_a_schema_that_only_refers_to_itself_asks_for_nothing():
    with model("{}"):
        assert alcf.chat("Who?", model="m", schema={"$ref": "#"}).data == {}


@pytest.mark.parametrize("depth", [201, 900])
def test_an_answer_nested_deeper_than_any_stack_can_take_is_no_answer(depth):
    nested = {"type": "array", "items": {"$ref": "#"}}
    answer, words = "[" * depth + "]" * depth, "nested too deeply"
    with model(answer), pytest.raises(InvalidAnswerError, match=words):
        alcf.chat("Who?", model="m", schema=nested)
    with pytest.raises(UsageError, match=words):
        schema.of(json.loads('{"items":' * depth + "{}" + "}" * depth))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/person.json", "file:///etc/hostname", "#/$defs/none"]
)
def test_a_reference_to_what_is_not_there_is_refused_before_anything_is_sent(address):
    with model("{}") as served, pytest.raises(UsageError, match="not fetched"):
        alcf.chat("Who?", model="m", schema={"$ref": address})
    assert not served.asked


@pytest.mark.parametrize("draft", ["http://127.0.0.1:9/draft.json", "nonsense"])
def test_a_draft_that_is_not_known_is_told_with_one_that_is(draft):
    with pytest.raises(UsageError, match="draft of JSON Schema that is not known") as caught:
        schema.of({"$schema": draft, "type": "object"})
    advised = caught.value.do.partition('write:  "$schema": ')[2]
    assert schema.of({"$schema": json.loads(advised), "type": "object"})


@pytest.mark.parametrize(
    "given", [{"type": {"object"}}, {1: 2}, {"enum": [object()]}, {"properties": {"\ud800": {}}}]
)
def test_a_dict_that_json_cannot_hold_is_no_schema(given):
    with pytest.raises(UsageError, match="not a JSON schema"):
        schema.of(given)


def test_half_a_character_is_no_answer():
    given = {"properties": {"name": {"enum": ["Ada", "Bob"]}}}
    with model(r'{"name": "\ud800"}'), pytest.raises(InvalidAnswerError, match="half a character"):
        alcf.chat("Who?", model="m", schema=given)


def test_a_pattern_cannot_hang_the_notebook():
    given = {"type": "string", "pattern": "^(a+)+$"}  # minutes, where every way is tried
    with pytest.raises(ValueError, match="does not match"):
        schema.of(given).check("a" * 60 + "!")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"who": {"age": "x"}, "more": 1}, r'\$\.who\.age: "x" is not of type "integer"'),
        ({"who": 3}, r"\$\.who: 3 is not valid under any"),
        ({"list": [1, "x"]}, r'\$\.list\[1\]: "x" is not of type "integer"'),
        ([], r'\$: \[\] is not of type "object"'),
    ],
)
def test_what_is_wrong_is_told_where_it_is(answer, words):
    person = {"type": "object", "properties": {"age": {"type": "integer"}}}
    properties = {
        "who": {"anyOf": [person, {"type": "null"}]},
        "list": {"items": {"type": "integer"}},
    }
    with pytest.raises(ValueError, match=words):
        schema.of({"type": "object", "properties": properties}).check(answer)

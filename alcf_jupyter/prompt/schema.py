"""The form that an answer must have: a schema to send, and a check of what came."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from alcf_jupyter.errors import InvalidAnswerError, UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.prompt.json_schema import checker, example

if TYPE_CHECKING:
    from collections.abc import Callable

_FENCED = re.compile(r"\s*```[\w-]*\n(.*?)\n?```\s*", re.DOTALL)
_TYPES = {
    "str": "string",
    "string": "string",
    "text": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
}
_LIST = re.compile(r"list(?:\[(\w+)\])?")
_FIELD = re.compile(r"(?P<name>[^\W\d]\w*)(?:\s+(?P<type>[^:]+?))?(?:\s*:\s*(?P<about>.+))?")
_LARGEST_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Schema:
    """The form of an answer.

    Attributes
    ----------
    name
        What it is called in the request.
    schema
        The JSON schema.
    check
        Takes the parsed answer and returns its value; raises ValueError with the reason.
    """

    name: str
    schema: dict[str, Any]
    check: Callable[[Any], Any]

    @property
    def response_format(self) -> dict[str, Any]:
        """The request's ``response_format``."""
        return {
            "type": "json_schema",
            "json_schema": {"name": self.name, "schema": self.schema},
        }

    def read(self, text: str) -> Any:
        """Return the value of an answer.

        Raises
        ------
        ValueError
            It is not JSON, or not of this form; the message says where.
        """
        return self.check(parse_json(text))


def of(given: Any) -> Schema:
    """Return the schema that `given` stands for.

    Parameters
    ----------
    given
        A pydantic model, a dataclass or another type that pydantic knows; a JSON schema as a dict
        or as the path of a ``.json`` file; or the short form ``"name, age int, tags list[str]"``.

    Raises
    ------
    UsageError
        It is none of these; nothing was sent.
    """
    if isinstance(given, Schema):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and given.strip().endswith(".json")):
        return _from_file(Path(given).expanduser())
    if isinstance(given, str):
        return _from_json(short(given))
    if isinstance(given, dict):
        return _from_json(given)
    return _from_type(given)


def short(text: str) -> dict[str, Any]:
    """Return the JSON schema of the short form.

    Parameters
    ----------
    text
        Fields between commas or line ends, each a name, its type (str unless given; int, float,
        bool, ``list[str]``, or words as ``yes|no``) and, after a colon, what it means.

    Raises
    ------
    UsageError
        A field cannot be read.
    """
    fields: dict[str, Any] = {}
    for part in re.split(r"[,\n]", text):
        if not part.strip():
            continue
        found = _FIELD.fullmatch(part.strip())
        if found is None:
            raise UsageError(f"{brief(part, 60)!r} is not a field of a schema.", do=example())
        if found["name"] in fields:
            raise UsageError(f"The schema names {found['name']!r} twice.", do=example())
        fields[found["name"]] = _type(found["type"] or "str")
        if found["about"]:
            fields[found["name"]]["description"] = found["about"].strip()
    if not fields:
        raise UsageError("The schema is empty.", do=example())
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _type(word: str) -> dict[str, Any]:
    word = word.strip()
    if word in _TYPES:
        return {"type": _TYPES[word]}
    if "|" in word:
        return {"type": "string", "enum": [choice.strip() for choice in word.split("|")]}
    found = _LIST.fullmatch(word)
    if found and (found[1] is None or found[1] in _TYPES):
        return {"type": "array", "items": {"type": _TYPES[found[1] or "str"]}}
    near = nearest(word, [*_TYPES, "list[str]"])
    raise UsageError(
        f"A schema has no type {brief(word, 40)!r}.",
        do=f"Did you mean:  {near[0]}" if near else example(),
    )


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; the fence that models like to put around it is taken off.

    Raises
    ------
    ValueError
        It is not JSON; NaN and Infinity are not.
    """
    if not text.strip():
        raise ValueError("The answer is empty.")

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON.")

    fenced = _FENCED.fullmatch(text)
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"It is not JSON: {error}") from None
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None


def require_json(text: str, reply: object = None) -> Any:
    """Return the value of an answer that must be JSON.

    Raises
    ------
    InvalidAnswerError
        It is not; its ``reply`` is `reply`.
    """
    try:
        return parse_json(text)
    except ValueError as error:
        raise invalid(error, text, reply, do="To have the form enforced:  --schema …") from None


def invalid(reason: object, text: str, reply: object, *, do: str) -> InvalidAnswerError:
    """Return the error for an answer of the wrong form, which shows what came."""
    error = InvalidAnswerError(
        f"The answer does not have the form asked for. {brief(reason, 200)}",
        why=f"What came:  {brief(text, 200) or '(nothing)'}",
        do=do,
    )
    error.reply = reply
    return error


def _from_file(path: Path) -> Schema:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UsageError(f"{path} is too large for a schema.", do=example())
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The schema {path} cannot be read: {error.strerror}.", do="Look at its path."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not JSON: {brief(error, 120)}", do="Mend the file, or use a short form."
        ) from None
    if not isinstance(told, dict):
        raise UsageError(f"{path} holds no JSON schema, which is an object.", do=example())
    return _from_json(told)


def _from_json(schema: dict[str, Any]) -> Schema:
    wrong = checker(schema)

    def check(value: Any) -> Any:
        if reason := wrong(value):
            raise ValueError(reason)
        return value

    return Schema(_name(schema.get("title")), schema, check)


def _from_type(given: Any) -> Schema:
    import pydantic

    if inspect.isroutine(given):  # which pydantic takes, for what it returns
        raise _no_schema(given)
    try:
        adapter = pydantic.TypeAdapter(given)
        schema = adapter.json_schema()
    except (pydantic.errors.PydanticUserError, TypeError, AttributeError) as error:
        raise _no_schema(given, str(error)) from None

    def check(value: Any) -> Any:
        try:
            # as JSON, where a date is a string and a tuple a list
            return adapter.validate_json(json.dumps(value))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the answer"
            raise ValueError(f"{place}: {first['msg']}") from None

    return Schema(_name(getattr(given, "__name__", None)), schema, check)


def _no_schema(given: object, reason: str = "") -> UsageError:
    return UsageError(
        f"This {type(given).__name__} is not a schema; nothing was sent.",
        # of a model that has a field with no JSON form
        why=brief(reason.partition("\n")[0], 160) if isinstance(given, type) else "",
        do=f"It takes a pydantic model or a JSON schema. {example()}",
    )


def _name(title: object) -> str:
    """Return a name as the service takes it: letters, digits, - and _, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", str(title or "answer"))[:64].strip("_") or "answer"

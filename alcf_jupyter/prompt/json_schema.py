"""A JSON schema, ready to check values: nothing in it is ever fetched, and no value can hang it.

jsonschema-rs rather than jsonschema: its patterns take no exponential time, and it is there in
0.1 s, where jsonschema takes 3 s beside JupyterLab (it imports rfc3987-syntax, which compiles a
grammar, for a format that nobody asks for).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jsonschema_rs import ValidationError

_DEEPEST: Final = 200
"""How deep a value may be nested: far below what would overflow the stack of the library."""
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def checker(schema: dict[str, Any]) -> Callable[[object], str]:
    """Return what checks a value.

    Parameters
    ----------
    schema
        A JSON schema of any draft; without ``$schema`` of 2020-12.

    Returns
    -------
    callable
        It takes a parsed value, and returns what is wrong with it in words, or ``""``.

    Raises
    ------
    UsageError
        It is no JSON schema, or it refers to what is not in it.
    """
    import jsonschema_rs

    if _is_too_deep(schema):
        raise UsageError("The schema is nested too deeply.", do=example())
    try:
        validator = jsonschema_rs.validator_for(schema, retriever=_refuse)
    except jsonschema_rs.ValidationError as error:
        raise _refused(error) from None
    except ValueError as error:  # what JSON has not: a set, a key that is no text
        raise _no_schema(error) from None

    def check(value: object) -> str:
        if _is_too_deep(value):
            return "It is nested too deeply."
        try:
            errors = list(validator.iter_errors(value))
        except ValueError:  # all else that comes out of JSON can be read
            return "It holds half a character, which no text does."
        return _words(errors) if errors else ""

    return check


def example() -> str:
    """Return a line to type that has a schema."""
    return f"A short form is:  {typed(schema='name, age int, tags list[str]')}"


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            item
            for group in level
            if isinstance(group, (dict, list))
            for item in (group.values() if isinstance(group, dict) else group)
        ]
        if not level:
            return False
    return True


def _refuse(address: str) -> NoReturn:
    raise LookupError(address)


def _refused(error: ValidationError) -> UsageError:
    if error.kind.name != "$ref":
        return _no_schema(error.message)
    if error.message.startswith("Unknown meta-schema"):
        return UsageError(
            "The schema names a draft of JSON Schema that is not known here; none is fetched.",
            do=f'Leave "$schema" out, or write:  "$schema": "{_DRAFT}"',
        )
    return UsageError(
        f"The schema refers to what is not in it: {brief(error.message, 120)}",
        do="Put the definition under $defs; addresses are not fetched.",
    )


def _no_schema(reason: object) -> UsageError:
    return UsageError(f"This is not a JSON schema: {brief(reason, 160)}", do=example())


def _words(errors: list[ValidationError]) -> str:
    """Tell the error that is nearest to the top; of alternatives, what the closest one lacks."""
    first = min(errors, key=_depth)
    alternatives = [error for branch in getattr(first.kind, "context", ()) for error in branch]
    error = max([first, *alternatives], key=_depth)
    place = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in error.instance_path)
    return f"${place}: {error.message}"


def _depth(error: ValidationError) -> int:
    return len(error.instance_path)

"""The fields of a schema as columns: what they are called, and what answers put into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from alcf_jupyter.errors import InvalidAnswerError, UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.sending.verdict import reason
from alcf_jupyter.prompt.schema import invalid
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from alcf_jupyter.prompt.schema import Schema

_WHOLE = "data"
"""The column of an answer that has no fields, such as a list."""

_DTYPES = {"string": "str", "integer": "Int64", "number": "Float64", "boolean": "boolean"}


def _dtypes(schema: Schema) -> dict[str, str]:
    """Return the columns of an answer, with the dtype of each."""
    kinds = {
        name: one.get("type") if isinstance(one, dict) else ""
        for name, one in _properties(schema).items()
    }
    kinds = kinds or {_WHOLE: "object"}
    return {name: _DTYPES.get(str(kind), "object") for name, kind in kinds.items()}


def check_prefix(prefix: object) -> None:
    """Raise unless what is put before the names of columns is a text."""
    if not isinstance(prefix, str):
        raise UsageError(
            f"prefix= is a text, and not {type(prefix).__name__}; nothing was sent.",
            do="Write:  prefix='answer_'",
        )


def check_names(schema: Schema, prefix: str, taken: Collection[str]) -> None:
    """Raise where a field would be called as a column that every result has."""
    check_prefix(prefix)
    clash = next((name for name in _dtypes(schema) if prefix + name in taken), None)
    if clash is not None:
        raise UsageError(
            f"A field of the schema is called {clash!r}, as a column of every result.",
            why="Nothing was sent.",
            do=f"Put something before the fields' names:  {typed(prefix='answer_')}",
        )


def fields(schema: Schema, text: str) -> dict[str, Any]:
    """Return the fields of an answer.

    Raises
    ------
    InvalidAnswerError
        It has not the form asked for; its `reply` is the text.
    """
    from pydantic import TypeAdapter

    try:
        # a pydantic model's instance as the JSON it stands for
        value = TypeAdapter(Any).dump_python(schema.read(text), mode="json")
        if _properties(schema) and not isinstance(value, dict):
            raise ValueError("It is not an object.")  # noqa: TRY301 - told as the rest is
    except ValueError as error:
        raise invalid(error, text, text, do="Look at the row's reply.") from None
    return value if _properties(schema) else {_WHOLE: value}


def columns(schema: Schema, found: Sequence[dict[str, Any] | None]) -> dict[str, pd.Series[Any]]:
    """Return the fields of many answers as columns; None for a row without."""
    return {
        name: tables.series([one.get(name) if one else None for one in found], dtype)
        for name, dtype in _dtypes(schema).items()
    }


def in_place_of_replies(answers: pd.DataFrame, schema: Schema, prefix: str) -> pd.DataFrame:
    """Return answers with their fields as columns; one of another form fails its row."""
    statuses, reasons = answers["status"].tolist(), answers["reason"].tolist()
    found: list[dict[str, Any] | None] = [None] * len(answers)
    for at, reply in enumerate(answers["reply"].tolist()):
        if statuses[at] == "ok":
            try:
                found[at] = fields(schema, reply)
            except InvalidAnswerError as error:
                statuses[at], reasons[at] = "failed", reason(error)
    told = {prefix + name: column for name, column in columns(schema, found).items()}
    rest = answers.drop(columns=["reply"]).assign(
        status=tables.series(statuses, "str").array, reason=tables.series(reasons, "str").array
    )
    return pd.concat([pd.DataFrame(told).set_axis(answers.index), rest], axis=1)


def _properties(schema: Schema) -> dict[str, Any]:
    told = schema.schema.get("properties")
    return told if isinstance(told, dict) else {}

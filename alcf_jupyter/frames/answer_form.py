"""The fields of a schema as columns: what they are called, and what an answer puts into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.frames import tables
from alcf_jupyter.prompt.schema import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from alcf_jupyter.prompt.schema import Schema

WHOLE = "data"
"""The column of an answer that has no fields, such as a list."""

_DTYPES = {"string": "str", "integer": "Int64", "number": "Float64", "boolean": "boolean"}


def dtypes(schema: Schema) -> dict[str, str]:
    """Return the columns of an answer, with the dtype of each."""
    kinds = {
        name: one.get("type") if isinstance(one, dict) else ""
        for name, one in _properties(schema).items()
    }
    return {name: _DTYPES.get(str(kind), "object") for name, kind in kinds.items()} or {
        WHOLE: "object"
    }


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
    return value if _properties(schema) else {WHOLE: value}


def columns(schema: Schema, found: Sequence[dict[str, Any] | None]) -> dict[str, pd.Series[Any]]:
    """Return the fields of many answers as columns; None for a row without."""
    return {
        name: tables.series([one.get(name) if one else None for one in found], dtype)
        for name, dtype in dtypes(schema).items()
    }


def _properties(schema: Schema) -> dict[str, Any]:
    told = schema.schema.get("properties")
    return told if isinstance(told, dict) else {}

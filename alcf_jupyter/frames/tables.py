"""Whatever holds columns as a DataFrame, and cells as the texts that are sent."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.service import limits
from alcf_jupyter.typed import by_magic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT = "text"
"""What a column is called that has no name."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why nothing is sent for a row.

    Attributes
    ----------
    status
        ``skipped`` or ``failed``.
    reason
        In words.
    """

    status: str
    reason: str


def as_frame(data: Any) -> pd.DataFrame:
    """Return a table as a DataFrame.

    Parameters
    ----------
    data
        A DataFrame or Series of pandas, a table of Arrow or Polars, a list of dicts, a dict of
        columns, or an iterable of single values, whose column is then called ``text``.

    Raises
    ------
    UsageError
        It is none of these.
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame(TEXT if data.name is None else data.name)
    if hasattr(data, "to_pandas"):
        return as_frame(data.to_pandas())
    try:
        if isinstance(data, dict):
            return pd.DataFrame(data)
        if not isinstance(data, (str, bytes)):
            rows = list(data)
            if rows and all(isinstance(row, dict) for row in rows):
                return pd.DataFrame(rows)
            return pd.DataFrame({TEXT: pd.Series(rows, dtype=object)})
    except (TypeError, ValueError) as error:
        raise UsageError(f"This cannot be read as a table: {error}", do=_example()) from None
    raise UsageError(f"A {type(data).__name__} is no table.", do=_example())


def _example() -> str:
    line = '%alcf map df "Classify: {{title}}"' if by_magic() else _CALL
    return f"Give a DataFrame:  {line}"


_CALL = "alcf.map(df, 'Classify: {{title}}')"


def column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column by what its label prints as.

    Raises
    ------
    UsageError
        None prints as that, or two do.
    """
    at = [place for place, label in enumerate(frame.columns) if str(label) == name]
    if not at:
        known = [str(label) for label in frame.columns]
        near = nearest(name, known)
        raise UsageError(
            f"There is no column {brief(name, 60)!r}; nothing was sent.",
            why=f"The columns are: {brief(', '.join(known), 200)}." if known else "",
            do=f"Did you mean:  {'  or  '.join(near)}" if near else "Name one of them.",
        )
    if len(at) > 1:
        labels = {frame.columns[place] for place in at}
        raise UsageError(
            f"{len(at)} columns are called {name!r}, and one is meant; nothing was sent.",
            do="Keep the first of each name:  df.loc[:, ~df.columns.duplicated()]"
            if len(labels) == 1  # the number 1 and the text "1" print as the same, and differ
            else f"Rename one:  df.rename(columns={{{frame.columns[at[0]]!r}: 'another name'}})",
        )
    return frame.iloc[:, at[0]]


def texts(values: pd.Series[Any], *, formats: bool) -> list[str | Unfit]:
    """Return the text of each cell, or why there is none.

    Parameters
    ----------
    values
        The cells.
    formats
        Whether numbers, dates and the like are written out; else only a text is one.
    """
    missing = values.isna().tolist()
    return [
        Unfit("skipped", "missing value") if lacks else _text(value, formats=formats)
        for value, lacks in zip(_cells(values), missing, strict=True)
    ]


def _cells(values: pd.Series[Any]) -> list[Any]:
    """Return cells as Python's values; but numbers of less than double precision as they are.

    As Python's own they would be written with digits that nobody gave: 0.10000000149011612.
    """
    # of pandas' nullable kinds and of Arrow's, too
    kind = getattr(values.dtype, "numpy_dtype", values.dtype)
    if kind in (np.float16, np.float32):
        return list(values.to_numpy(kind, na_value=np.nan))
    return values.tolist()


_MEND = ".astype(str) makes texts of a column"


def _text(value: Any, *, formats: bool) -> str | Unfit:
    if isinstance(value, str):
        # texts of other kinds, as NumPy's, are sent and kept as plain ones
        return str.__str__(value) if value.strip() else Unfit("skipped", "blank text")
    if formats and pd.api.types.is_scalar(value):
        return str(value)
    kind = type(value).__name__
    if formats:
        return Unfit("failed", f"not a single value but {kind}")
    mends = pd.api.types.is_scalar(value) and not isinstance(value, bytes)
    return Unfit("failed", f"not a text but {kind}" + (f"; {_MEND}" if mends else ""))


def size(text: str) -> int | Unfit:
    """Return a text's length in bytes, or why it cannot be sent."""
    try:
        found = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        return Unfit("failed", "holds half a character (a lone surrogate)")
    if found > limits.SAFE_BODY_BYTES:
        return Unfit("failed", f"{found:,} bytes are more than a request holds")
    return found


def not_sent(unsent: Mapping[str, int]) -> list[str]:
    """Return in words how many rows are not sent, by why; nothing where all are.

    Parameters
    ----------
    unsent
        How many are skipped, and how many are failed before anything is sent.
    """
    told = {"skipped": "skipped (missing or blank)", "failed": "cannot be sent"}
    return [f"{unsent[one]:,} {words}" for one, words in told.items() if unsent.get(one)]


def series(values: list[Any], dtype: str) -> pd.Series[Any]:
    """Return values as a column; what a dtype of numbers cannot hold makes it one of objects."""
    if dtype == "str":
        return pd.Series(whole(values), dtype="str")
    if dtype != "object":
        with contextlib.suppress(OverflowError, TypeError), np.errstate(invalid="ignore"):
            return pd.Series(values, dtype=pd.api.types.pandas_dtype(dtype))
    made = pd.Series([None] * len(values), dtype=object)
    made[:] = values
    return made


def whole(texts: Sequence[str | None]) -> list[str | None]:
    """Return texts without half characters, which Arrow's strings cannot hold."""
    return [
        text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()
        for text in texts
    ]

"""Faults in an answer of vectors that comes with status 200."""

# ruff: noqa: D401  # a fault's docstring is what is listed of it: what happens
from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

from alcf_jupyter.sandbox.answers import Answer

from .fault import EMBEDDINGS, Occasion, fault

if TYPE_CHECKING:
    from collections.abc import Callable

Rows = list[dict[str, Any]]


def _changed(answer: Answer, change: Callable[[Rows], Rows]) -> Answer:
    """Return the answer with changed rows; an answer that is an error stays as it is."""
    if answer.status != 200 or not isinstance(answer.payload, dict):
        return answer
    rows = json.loads(json.dumps(answer.payload["data"]))
    return Answer(payload={**answer.payload, "data": change(rows)})


def _vector(row: dict[str, Any], change: Callable[[list[float]], list[float]]) -> None:
    """Change the vector of a row in whichever way it is written."""
    told = row["embedding"]
    if isinstance(told, str):
        raw = base64.b64decode(told)
        made = change(list(struct.unpack(f"<{len(raw) // 4}f", raw)))
        row["embedding"] = base64.b64encode(struct.pack(f"<{len(made)}f", *made)).decode()
    else:
        row["embedding"] = change(told)


def _each_last(rows: Rows, change: Callable[[list[float]], list[float]]) -> Rows:
    _vector(rows[-1], change)
    return rows


@fault("after", EMBEDDINGS)
async def embeddings_short(_occasion: Occasion, answer: Answer) -> Answer:
    """One vector too few."""
    return _changed(answer, lambda rows: rows[:-1])


@fault("after", EMBEDDINGS)
async def embeddings_extra(_occasion: Occasion, answer: Answer) -> Answer:
    """One vector too many."""
    return _changed(answer, lambda rows: [*rows, {**rows[-1], "index": len(rows)}])


@fault("after", EMBEDDINGS)
async def embeddings_none(_occasion: Occasion, answer: Answer) -> Answer:
    """No vectors at all."""
    return _changed(answer, lambda _rows: [])


@fault("after", EMBEDDINGS)
async def embeddings_duplicate_index(_occasion: Occasion, answer: Answer) -> Answer:
    """Every vector has index 0."""
    return _changed(answer, lambda rows: [{**row, "index": 0} for row in rows])


@fault("after", EMBEDDINGS)
async def embeddings_wrong_index(_occasion: Occasion, answer: Answer) -> Answer:
    """Indexes that begin at 1."""
    return _changed(answer, lambda rows: [{**row, "index": row["index"] + 1} for row in rows])


@fault("after", EMBEDDINGS)
async def embeddings_reversed(_occasion: Occasion, answer: Answer) -> Answer:
    """The right vectors with the right indexes, in the reverse order: a good answer."""
    return _changed(answer, lambda rows: rows[::-1])


@fault("after", EMBEDDINGS)
async def embeddings_nan(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector with a NaN in it."""
    return _changed(answer, lambda rows: _each_last(rows, lambda v: [float("nan"), *v[1:]]))


@fault("after", EMBEDDINGS)
async def embeddings_infinite(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector with an infinity in it."""
    return _changed(answer, lambda rows: _each_last(rows, lambda v: [float("inf"), *v[1:]]))


@fault("after", EMBEDDINGS)
async def embeddings_zero(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector of zeros."""
    return _changed(answer, lambda rows: _each_last(rows, lambda v: [0.0] * len(v)))


@fault("after", EMBEDDINGS)
async def embeddings_mixed_dimensions(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector shorter than the others."""
    return _changed(answer, lambda rows: _each_last(rows, lambda v: v[:-1]))


@fault("after", EMBEDDINGS)
async def embeddings_empty_vector(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector of no numbers."""
    return _changed(answer, lambda rows: _each_last(rows, lambda _v: []))


def _set_last(rows: Rows, value: Any) -> Rows:
    rows[-1]["embedding"] = value
    return rows


@fault("after", EMBEDDINGS)
async def embeddings_null(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector that is null."""
    return _changed(answer, lambda rows: _set_last(rows, None))


@fault("after", EMBEDDINGS)
async def embeddings_text(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector whose numbers are texts."""
    return _changed(answer, lambda rows: _set_last(rows, ["a", "b"]))


@fault("after", EMBEDDINGS)
async def embeddings_bad_base64(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector in base64 that is none."""
    return _changed(answer, lambda rows: _set_last(rows, "!!!not base64!!!"))


@fault("after", EMBEDDINGS)
async def embeddings_odd_base64(_occasion: Occasion, answer: Answer) -> Answer:
    """A vector in base64 of a number of bytes that four does not divide."""
    return _changed(answer, lambda rows: _set_last(rows, base64.b64encode(b"12345").decode()))


@fault("after", EMBEDDINGS)
async def embeddings_as_floats(_occasion: Occasion, answer: Answer) -> Answer:
    """Lists of numbers, also where base64 was asked for: a good answer."""

    def as_lists(rows: Rows) -> Rows:
        for row in rows:
            if isinstance(row["embedding"], str):
                raw = base64.b64decode(row["embedding"])
                row["embedding"] = list(struct.unpack(f"<{len(raw) // 4}f", raw))
        return rows

    return _changed(answer, as_lists)

"""Embeddings off the wire as one float32 matrix."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from alcf_jupyter.errors import AnswerError, MixedUpError
from alcf_jupyter.typed import named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

b64decode: Callable[..., bytes] = base64.b64decode
with suppress(ImportError):
    from pybase64 import b64decode

_ITEM = 4


def matrix(data: Sequence[Any]) -> NDArray[np.float32]:
    """Return embeddings as they came, base64 or lists of numbers, as an (n, d) matrix.

    Raises
    ------
    AnswerError
        One cannot be read, or a value is not finite.
    MixedUpError
        They differ in length.
    """
    try:
        if set(map(type, data)) == {str}:
            flat, widths = _decoded(data)
        else:
            with np.errstate(over="ignore"):  # what is too large is not finite, which is said below
                rows = [_numbers(item) for item in data]
            flat, widths = np.concatenate(rows), {len(row) for row in rows}
    except (ValueError, TypeError, binascii.Error, OverflowError):
        raise AnswerError("An embedding could not be read.", do=_again()) from None
    if len(widths) != 1 or 0 in widths:
        raise MixedUpError(
            f"The embeddings of one request differ in length: {sorted(widths)}.", do=_again()
        )
    if not np.isfinite(flat).all():
        raise AnswerError("An embedding holds values that are not finite.", do=_again())
    return flat.astype(np.float32, copy=False).reshape(len(data), -1)


def _decoded(data: Sequence[str]) -> tuple[NDArray[np.float32], set[int]]:
    """Return the numbers of all embeddings in one array, and how many each has."""
    parts = [b64decode(item, validate=True) for item in data]
    sizes = set(map(len, parts))
    if any(size % _ITEM for size in sizes):
        raise ValueError
    # a bytearray, so that the matrix can be written to
    return np.frombuffer(bytearray().join(parts), "<f4"), {size // _ITEM for size in sizes}


def _numbers(item: Any) -> NDArray[np.float32]:
    if isinstance(item, str):
        return np.frombuffer(b64decode(item, validate=True), "<f4")
    if not isinstance(item, list) or any(
        not isinstance(number, (int, float)) or isinstance(number, bool) for number in item
    ):
        raise TypeError
    return np.array(item, np.float32)


def _again() -> str:
    return f"Run the cell again; if it goes on, take another model with {named('model')}."

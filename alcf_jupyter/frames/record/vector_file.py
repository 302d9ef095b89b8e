"""Vectors of a run in a file of their own: bare float32, row after row, mapped when read.

The file has no header, so that it is one matrix without a copy (``numpy.fromfile(path, "<f4")``
reads it, too). A row's line in the record holds the place, the width and a checksum; so a line can
only ever mean the vector that was written with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from alcf_jupyter.errors import JournalError
from alcf_jupyter.frames.record.journal_lines import Vector

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ITEM: Final = 4
"""Bytes of a number."""


def raw(vectors: NDArray[np.float32]) -> memoryview:
    """Return the bytes of vectors as they stand in the file, without a copy where possible."""
    return np.ascontiguousarray(vectors, "<f4").data.cast("B")


def stamps(vectors: NDArray[np.float32], start: int) -> list[Vector]:
    """Return for each vector what its row's line says of it.

    Parameters
    ----------
    vectors
        An (n, d) matrix, n and d at least 1.
    start
        The row of the file the first will stand in.
    """
    flat = np.ascontiguousarray(vectors, "<f4")
    return [Vector(start + at, flat.shape[1], crc32(row.data)) for at, row in enumerate(flat)]


def open_matrix(
    path: Path, expected: Sequence[Vector | None]
) -> tuple[NDArray[np.float32], list[bool]]:
    """Return the file as one matrix, mapped, and which vectors are as they were written.

    Parameters
    ----------
    path
        The file; where it is not there or short, the vectors it lacks are not whole.
    expected
        What the rows' lines say; None, for a row that has no vector, is always whole.

    Returns
    -------
    tuple
        The matrix, up to the last row that is whole, and a flag for each of `expected`.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    named = [one for one in expected if one is not None]
    if not named:
        return np.empty((0, 0), np.float32), [True] * len(expected)
    held = _mapped(path)
    # one file has one width; the last line's is that of the writer who was here last
    width = named[-1].width
    whole = [one is None or (one.width == width and _is_whole(held, one)) for one in expected]
    good = zip(expected, whole, strict=True)
    rows = max((one.place + 1 for one, is_whole in good if one and is_whole), default=0)
    if not rows:
        return np.empty((0, 0), np.float32), whole
    return held[: rows * width * ITEM].view("<f4").reshape(rows, width), whole


def _mapped(path: Path) -> NDArray[np.uint8]:
    try:
        return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    except FileNotFoundError:
        return np.empty(0, np.uint8)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be read: {error.strerror}.", do=f"Look at it:  ls -l {path}"
        ) from None


def _is_whole(held: NDArray[np.uint8], one: Vector) -> bool:
    row = one.width * ITEM
    if one.place < 0 or row <= 0 or (one.place + 1) * row > len(held):
        return False
    return crc32(held[one.place * row : (one.place + 1) * row].data) == one.crc

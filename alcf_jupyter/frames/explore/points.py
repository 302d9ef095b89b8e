"""The vectors of an embedding frame that can be compared, read where they are and not copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from alcf_jupyter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from alcf_jupyter.progress import RunObserver

BLOCK_BYTES = 1 << 26
"""What is worked on at a time: a fraction of a second, so that an interrupt is heard."""


@dataclass(frozen=True, slots=True)
class Points:
    """The rows of an embedding frame as vectors of one length.

    Attributes
    ----------
    parts
        Float32 matrices that lie behind one another; views of the frame's own memory.
    lengths
        The Euclidean length of each row's vector, in float32; not a number where it has none.
    usable
        Which rows have a vector that is finite and not zero.
    left_out
        How many rows are not usable and why, in words; empty where there are none.
    """

    parts: tuple[NDArray[np.float32], ...]
    lengths: NDArray[np.float32]
    usable: NDArray[np.bool_]
    left_out: str

    def __len__(self) -> int:
        return len(self.usable)

    @property
    def width(self) -> int:
        """The length of the vectors as lists of numbers."""
        return int(self.parts[0].shape[1])

    @property
    def count(self) -> int:
        """How many rows are usable."""
        return int(self.usable.sum())

    def blocks(
        self, size: int = BLOCK_BYTES
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield the usable rows in order: their positions in the frame, and their vectors.

        Parameters
        ----------
        size
            The most bytes of one block.
        """
        step = max(1, size // (4 * self.width))
        first = 0
        for part in self.parts:
            for start in range(0, len(part), step):
                block = part[start : start + step]
                usable = self.usable[first : first + len(block)]
                positions = np.arange(first, first + len(block))
                first += len(block)
                if not usable.all():  # the one place where rows are copied, a block at a time
                    block, positions = block[usable], positions[usable]
                if len(block):
                    yield positions, block

    def rows(self, positions: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the vectors at some positions in the frame, in the order asked for."""
        if len(self.parts) == 1:
            return self.parts[0][positions]
        starts = np.cumsum([0, *(len(part) for part in self.parts)])
        found = np.empty((len(positions), self.width), np.float32)
        for part, start in zip(self.parts, starts[:-1], strict=True):
            here = (positions >= start) & (positions < start + len(part))
            found[here] = part[positions[here] - start]
        return found


def points(emb: pd.DataFrame, observer: RunObserver) -> Points:
    """Return the vectors of an embedding frame; say how many rows cannot be used.

    Parameters
    ----------
    emb
        What `embed` returned.
    observer
        Told which rows are left out, if any.

    Raises
    ------
    UsageError
        It is no embedding frame, no row can be used, or the vectors differ in length.
    """
    if not isinstance(emb, pd.DataFrame) or "embedding" not in emb:
        raise UsageError(
            "This is no table of embeddings: it has no column 'embedding'.",
            do="Give it what alcf.embed returned.",
        )
    if not len(emb):
        raise UsageError(
            "There are no rows in this table of embeddings.",
            do="Embed some texts:  emb = alcf.embed(df['text'])",
        )
    parts, missing = _read(emb["embedding"])
    lengths = np.concatenate([_lengths(part) for part in parts])
    lengths[missing] = np.nan
    finite = np.isfinite(lengths)
    usable = finite & (lengths > 0)
    found = Points(parts, lengths, usable, _words(missing, finite, usable))
    if not usable.any():
        raise UsageError(
            "No row has an embedding that can be used.",
            why=found.left_out,
            do="See why:  emb['reason'].value_counts()"
            if "reason" in emb
            else "Embed some texts:  emb = alcf.embed(df['text'])",
        )
    if found.left_out:
        observer.note(found.left_out)
    return found


def _words(missing: NDArray[np.bool_], finite: NDArray[np.bool_], usable: NDArray[np.bool_]) -> str:
    kinds = {
        "no embedding": missing,
        "values that are not finite": ~finite & ~missing,
        "only zeros": finite & ~usable,
    }
    told = [f"{int(rows.sum()):,} with {kind}" for kind, rows in kinds.items() if rows.any()]
    out = len(usable) - int(usable.sum())
    if not out:
        return ""
    verb = "is" if out == 1 else "are"
    return f"{out:,} of {len(usable):,} rows {verb} left out: {', '.join(told)}."


def _lengths(part: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", over="ignore"):
        squares: NDArray[np.float32] = np.einsum("ij,ij->i", part, part)
        return np.sqrt(squares)


def _read(column: pd.Series[Any]) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.bool_]]:
    """Return a column's vectors part by part, and which rows have none."""
    try:
        arrow = pa.chunked_array(pa.array(column))
    except (pa.ArrowException, TypeError, ValueError):
        raise _no_vectors() from None
    chunks = [chunk for chunk in arrow.chunks if len(chunk)]
    missing = np.concatenate(
        [np.empty(0, bool), *(chunk.is_null().to_numpy(zero_copy_only=False) for chunk in chunks)]
    )
    if missing.all():
        return (np.zeros((len(missing), 1), np.float32),), missing
    if not _lists(arrow.type):
        raise _no_vectors()
    width = _width(arrow)
    return tuple(_matrix(chunk, width) for chunk in chunks), missing


def _lists(kind: Any) -> bool:
    kinds = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    if not any(is_kind(kind) for is_kind in kinds):
        return False
    return bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _width(arrow: Any) -> int:
    """Return the one length that all vectors have."""
    if pa.types.is_fixed_size_list(arrow.type):
        return int(arrow.type.list_size)
    counts = pc.value_counts(pc.list_value_length(arrow.drop_null())).to_pylist()
    if len(counts) == 1 and counts[0]["values"]:
        return int(counts[0]["values"])
    told = ", ".join(
        f"{count['values']:,} ({count['counts']:,} rows)"
        for count in sorted(counts, key=lambda count: -count["counts"])[:4]
    )
    raise UsageError(
        f"The embeddings differ in length: {told}.",
        why="Vectors of two models, or of two lengths, cannot be compared.",
        do="Embed all the texts in one run:  emb = alcf.embed(texts)",
    )


def _matrix(chunk: Any, width: int) -> NDArray[np.float32]:
    if pa.types.is_fixed_size_list(chunk.type):
        # what lies under a missing row is kept in its place, so that nothing has to move
        whole = chunk.values  # noqa: PD011 - of an Arrow array
        flat = whole.slice(chunk.offset * width, len(chunk) * width)
        found = _numbers(flat).reshape(len(chunk), width)
    else:
        found = np.zeros((len(chunk), width), np.float32)
        there = ~chunk.is_null().to_numpy(zero_copy_only=False)
        found[there] = _numbers(chunk.drop_null().flatten()).reshape(-1, width)
    return found


def _numbers(flat: Any) -> NDArray[np.float32]:
    found: NDArray[Any] = flat.to_numpy(zero_copy_only=False)
    return found.astype(np.float32, copy=False)


def _no_vectors() -> UsageError:
    return UsageError(
        "What stands in the column 'embedding' are no vectors.",
        do="Give it what alcf.embed returned.",
    )

"""The embeddings of a frame as a matrix, and a matrix as a column of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from alcf_jupyter.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def matrix(emb: pd.DataFrame | pd.Series[Any]) -> NDArray[np.float32]:
    """Return the embeddings of a frame as an (n, d) float32 matrix, without a copy where possible.

    Parameters
    ----------
    emb
        What `embed` returned, or its ``embedding`` column.

    Raises
    ------
    UsageError
        There is no such column, or a row has no embedding.
    """
    column = emb["embedding"] if isinstance(emb, pd.DataFrame) and "embedding" in emb else emb
    if not isinstance(column, pd.Series):
        raise UsageError(
            "There is no column 'embedding' in this.", do="Give it what alcf.embed returned."
        )
    lacking = int(column.isna().sum())
    if lacking:
        raise UsageError(
            f"{lacking:,} of {len(column):,} rows have no embedding.",
            do="Leave them out:  alcf.matrix(emb[emb['status'] == 'ok'])",
        )
    try:
        found = _numbers(column)
    except (ValueError, TypeError, pa.ArrowException):
        found = np.empty(0, np.float32)
    if found.ndim != 2:
        raise UsageError(
            "What stands in this column are no embeddings of one length.",
            do="Give it what alcf.embed returned.",
        )
    return found


def column(
    vectors: NDArray[np.float32],
    missing: NDArray[np.bool_],
    index: pd.Index[Any] | None = None,
) -> pd.Series[Any]:
    """Return the rows of a matrix as a column, without a copy; a row in `missing` has none."""
    mask = pa.array(missing) if missing.any() else None
    flat = pa.array(vectors.reshape(-1))
    lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=mask)
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([lists])), index=index)


def _numbers(column: pd.Series[Any]) -> NDArray[np.float32]:
    arrow = pa.chunked_array(pa.array(column))
    whole = arrow.combine_chunks() if arrow.num_chunks != 1 else arrow.chunk(0)
    if not pa.types.is_fixed_size_list(whole.type):
        return np.stack([np.asarray(row, np.float32) for row in column])
    flat = whole.flatten().to_numpy(zero_copy_only=False)
    found: NDArray[np.float32] = flat.reshape(len(whole), whole.type.list_size)
    return found.astype(np.float32, copy=False)

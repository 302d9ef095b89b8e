"""Pairs of texts that say nearly the same."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alcf_jupyter import progress
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.points import points
from alcf_jupyter.frames.explore.principal import components

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from alcf_jupyter.frames.explore.points import Points
    from alcf_jupyter.progress import RunObserver

MOST_PAIRS = 1_000_000
_HEAD = 64
"""Along so many principal components pairs are compared first."""

_TILE = 4096
_CROWDED = 0.02
_ROUNDING = 1e-5  # of products in float32
_EQUAL = 1e-6  # so near to the threshold a cosine counts as on it
_QUIET_SECONDS = 2.0


def near_duplicates(
    emb: pd.DataFrame, threshold: float = 0.95, *, observer: RunObserver | None = None
) -> pd.DataFrame:
    """Return the pairs of rows whose embeddings point in nearly the same direction.

    Every pair is compared, and none is missed; how much work that is grows with the square of the
    number of rows: 100,000 rows take a minute or so.

    Parameters
    ----------
    emb
        What `embed` returned.
    threshold
        The smallest cosine of a pair, above 0 and at most 1. What is near depends on the model:
        look at the last pairs, and change it.
    observer
        Told what is left out, and how far it is.

    Returns
    -------
    pandas.DataFrame
        A row for each pair, the most alike first, under the index of its earlier text: ``score``
        (the cosine), ``other`` (the index of the later text), ``text`` and ``other_text``.

    Raises
    ------
    UsageError
        The threshold is none, there are more than a million pairs, or no row has an embedding.
    """
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    if not number or not 0 < threshold <= 1:
        raise UsageError(
            f"threshold={threshold!r} is no cosine between 0 and 1.", do="Type:  threshold=0.95"
        )
    with closing(observer or progress.observer()) as watcher:
        where = points(emb, watcher)
        found = list(_pairs(where, float(threshold), watcher))
    first, second, score = (np.concatenate(side) for side in zip(*found, strict=True))
    order = np.lexsort((second, first, -score))
    return _frame(emb, first[order], second[order], score[order])


def _pairs(
    where: Points, threshold: float, watcher: RunObserver
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]]:
    """Yield positions and cosines of the pairs, a tile of the matrix of all pairs at a time."""
    heads = _Heads(where, threshold)
    rows = np.flatnonzero(where.usable)
    starts = range(0, len(rows), _TILE)
    tiles = [(one, other) for one in starts for other in starts if other >= one]
    total, began = 0, time.monotonic()
    for done, (one, other) in enumerate(tiles):
        mine, theirs = (rows[start : start + _TILE] for start in (one, other))
        near = heads.candidates(one, other)
        if near is None:
            near = _near(where, mine, theirs, threshold)
        if one == other:  # each pair once, and none with itself
            near = tuple(side[near[0] < near[1]] for side in near)
        pair = _scored(where, mine[near[0]], theirs[near[1]], threshold)
        total += len(pair[0])
        if total > MOST_PAIRS:
            raise UsageError(
                f"There are more than {MOST_PAIRS:,} pairs with a cosine of {threshold} or more.",
                do="Take a higher threshold=, or drop repeated texts first:  "
                "emb = emb.drop_duplicates('text')",
            )
        yield pair
        if time.monotonic() - began > _QUIET_SECONDS:
            watcher.status(f"Compared {(done + 1) / len(tiles):.0%} of all pairs.")


class _Heads:
    """The leading components of the rows: where these are far apart already, so are the rows.

    The distance along some directions is never larger than the whole, and two unit vectors of
    cosine c are sqrt(2 - 2c) apart.
    """

    def __init__(self, where: Points, threshold: float) -> None:
        self._left = self._right = None
        if where.width <= 2 * _HEAD or where.count <= _TILE:
            return
        heads, _ = components(where, _HEAD, unit=True)
        half = (heads * heads).sum(axis=1, keepdims=True) / 2
        ones = np.ones_like(half)
        # so that one product of matrices is minus half the square of the distances
        self._left = np.hstack([heads, half, ones]).astype(np.float32)
        self._right = np.hstack([heads, -ones, -half]).astype(np.float32)
        self._limit = np.float32(threshold - 1 - _ROUNDING)

    def candidates(self, one: int, other: int) -> tuple[NDArray[np.intp], ...] | None:
        """Return the places in a tile that may be pairs, or None where that tells too little."""
        if self._left is None or self._right is None:
            return None
        likeness = self._left[one : one + _TILE] @ self._right[other : other + _TILE].T
        near = likeness >= self._limit
        if np.count_nonzero(near) > _CROWDED * near.size:
            return None
        return _places(near)


def _near(
    where: Points, mine: NDArray[np.intp], theirs: NDArray[np.intp], threshold: float
) -> tuple[NDArray[np.intp], ...]:
    likeness = where.rows(mine) @ where.rows(theirs).T
    likeness /= where.lengths[mine, None]
    likeness /= where.lengths[theirs]
    return _places(likeness >= threshold - _ROUNDING)


def _places(near: NDArray[np.bool_]) -> tuple[NDArray[np.intp], ...]:
    # numpy.nonzero of a matrix is several times as slow
    return tuple(np.divmod(np.flatnonzero(near), near.shape[1]))


def _scored(
    where: Points, first: NDArray[np.intp], second: NDArray[np.intp], threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return the pairs that hold to the last digit, with their cosines in float64."""
    if len(first) > MOST_PAIRS:  # far too many, which the caller says
        return first, second, np.ones(len(first))
    score = np.empty(len(first))
    step = max(1, (1 << 24) // where.width)
    for start in range(0, len(first), step):
        span = slice(start, start + step)
        one, other = (where.rows(side[span]).astype(np.float64) for side in (first, second))
        score[span] = np.einsum("ij,ij->i", one, other)
        score[span] /= np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    np.minimum(score, 1, out=score)
    kept = score >= threshold - _EQUAL
    return first[kept], second[kept], score[kept]


def _frame(
    emb: pd.DataFrame,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    score: NDArray[np.float64],
) -> pd.DataFrame:
    found: dict[str, Any] = {"score": score, "other": emb.index.take(second)}
    if "text" in emb:
        found["text"] = emb["text"].take(first).to_numpy()
        found["other_text"] = emb["text"].take(second).to_numpy()
    table = pd.DataFrame(found, index=emb.index.take(first))
    table.attrs["alcf"] = dict(emb.attrs.get("alcf", {}))
    return table

"""The rows nearest to some vectors: exact, a block of rows at a time."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alcf_jupyter.frames.explore.points import Points

QUERIES = 1024
"""How many queries are compared at a time."""

SCORES_BYTES = 1 << 24
"""How much of the scores is made at a time: more does not stay in the processor's cache."""

_CROWDED = 0.02
_ROUNDING = 1e-6
_FEW = 20
"""For fewer queries than this faiss does not multiply matrices, and is no faster."""


def nearest(
    points: Points, queries: NDArray[np.float32], k: int, metric: str = "cosine"
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the `k` rows that are most like each query, the best first.

    Parameters
    ----------
    points
        Where to look, n rows of d numbers.
    queries
        Vectors, shape (m, d); finite, and not zero.
    k
        How many; at most as many as rows are usable.
    metric
        ``"cosine"``; ``"dot"``, the product as it is; or ``"euclidean"``, the distance.

    Returns
    -------
    positions, scores
        Shape (m, k) each: positions in the frame, and cosines, products or distances, computed
        in float64. Rows of the same score are in the order of the frame.
    """
    positions = np.empty((len(queries), k), np.intp)
    scores = np.empty((len(queries), k))
    for start in range(0, len(queries), QUERIES):
        some = queries[start : start + QUERIES].astype(np.float32, copy=False)
        if metric == "cosine":
            some = some / np.linalg.norm(some, axis=1, keepdims=True)
        found = _search(points, some, k, metric)
        span = slice(start, start + len(some))
        positions[span], scores[span] = _exactly(points, some, found, metric)
    return positions, scores


def _search(points: Points, queries: NDArray[np.float32], k: int, metric: str) -> NDArray[np.intp]:
    """Return the positions of the `k` best rows of each query, in no order."""
    best = _Best(len(queries), k)
    faiss = _faiss(points, len(queries), metric)
    size = SCORES_BYTES * points.width // max(len(queries), 64)
    for positions, block in points.blocks(min(max(size, 1 << 20), 1 << 27)):
        if faiss is not None:
            products, columns = faiss.knn(
                queries, block, min(k, len(block)), metric=faiss.METRIC_INNER_PRODUCT
            )
            owners = np.repeat(np.arange(len(queries)), columns.shape[1])
            best.add(owners, positions[columns.ravel()], products.ravel())
            continue
        likeness = queries @ block.T
        if metric == "cosine":
            likeness /= points.lengths[positions]
        elif metric == "euclidean":  # |q - x|^2 is |q|^2 - 2 (qx - |x|^2 / 2)
            likeness -= points.lengths[positions] ** 2 / 2
        owners, columns = best.candidates(likeness)
        best.add(owners, positions[columns], likeness[owners, columns])
    return best.positions


class _Best:
    """The `k` best rows of each query so far."""

    def __init__(self, queries: int, k: int) -> None:
        self._k = k
        self._owners = np.repeat(np.arange(queries), k)
        self._starts = np.arange(queries)
        self.positions = np.full((queries, k), -1, np.intp)
        self.likeness = np.full((queries, k), -np.inf, np.float32)

    def candidates(self, likeness: NDArray[np.float32]) -> tuple[NDArray[np.intp], ...]:
        """Return the places, as rows and columns, that may belong to the best.

        After the first blocks few do, and looking for those that beat the worst of the best costs
        a tenth of what sorting each block would.
        """
        beats = likeness > self.likeness[:, -1:]
        if np.count_nonzero(beats) <= max(_CROWDED * beats.size, self._k):
            rows, columns = np.divmod(np.flatnonzero(beats), beats.shape[1])
            return rows, columns
        if self._k >= likeness.shape[1]:
            rows, columns = np.nonzero(beats)
            return rows, columns
        worst = np.partition(likeness, -self._k, axis=1)[:, -self._k :].min(1, keepdims=True)
        rows, columns = np.nonzero(likeness >= worst)
        return rows, columns

    def add(
        self,
        owners: NDArray[np.intp],
        positions: NDArray[np.intp],
        likeness: NDArray[np.float32],
    ) -> None:
        """Put rows where they belong among the best of the queries that own them."""
        owners = np.concatenate([self._owners, owners])
        positions = np.concatenate([self.positions.ravel(), positions])
        likeness = np.concatenate([self.likeness.ravel(), likeness])
        order = np.lexsort((positions, -likeness, owners))
        firsts = np.searchsorted(owners[order], self._starts)
        kept = order[firsts[:, None] + np.arange(self._k)]
        self.positions, self.likeness = positions[kept], likeness[kept]


def _faiss(points: Points, queries: int, metric: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    """Return faiss where it is installed and does the same: it looks for the best on all cores."""
    if queries < _FEW or metric == "euclidean" or find_spec("faiss") is None:
        return None
    if metric == "cosine":  # it has products alone: the same where the lengths are all 1
        lengths = points.lengths[points.usable]
        if np.abs(lengths - 1).max() > _ROUNDING:
            return None
    import faiss

    return faiss


def _exactly(
    points: Points, queries: NDArray[np.float32], positions: NDArray[np.intp], metric: str
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Score the rows found again in float64: the last bits of a block depend on its shape."""
    scores = np.empty(positions.shape)
    step = max(1, SCORES_BYTES // (8 * points.width * positions.shape[1]))
    for start in range(0, len(queries), step):
        mine = queries[start : start + step].astype(np.float64)
        theirs = points.rows(positions[start : start + step].ravel()).astype(np.float64)
        theirs = theirs.reshape(len(mine), -1, points.width)
        if metric == "euclidean":
            scores[start : start + step] = -np.linalg.norm(theirs - mine[:, None], axis=2)
            continue
        products = np.einsum("md,mkd->mk", mine, theirs)
        if metric == "cosine":
            squares = np.einsum("mkd,mkd->mk", theirs, theirs)
            products /= np.sqrt(squares * np.einsum("md,md->m", mine, mine)[:, None])
            np.clip(products, -1, 1, out=products)
        scores[start : start + step] = products
    order = np.lexsort((positions, -scores))
    positions = np.take_along_axis(positions, order, 1)
    scores = np.take_along_axis(scores, order, 1)
    return positions, np.abs(scores) if metric == "euclidean" else scores

"""Texts that belong together."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alcf_jupyter import progress
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.points import points
from alcf_jupyter.frames.explore.principal import components
from alcf_jupyter.frames.extras import MAP, needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alcf_jupyter.progress import RunObserver

COMPONENTS = 50
CANDIDATES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30)
"""Numbers of groups that are tried; more are hard to read on a map."""

_SAMPLE = 2000
_STARTS = 3


def group(
    emb: pd.DataFrame, k: int | None = None, *, seed: int = 0, observer: RunObserver | None = None
) -> pd.DataFrame:
    """Return an embedding frame with the group of each text, found by k-means.

    The directions of the embeddings count, not their lengths, along their first 50 principal
    components.

    Parameters
    ----------
    emb
        What `embed` returned, with any columns added.
    k
        How many groups. Where it is not given, 2 to 30 are tried on 2,000 rows, and the number
        with the best silhouette is taken; which it is, is said.
    seed
        Of the random numbers: the same seed gives the same groups.
    observer
        Told what is left out and which number was chosen.

    Returns
    -------
    pandas.DataFrame
        The same rows and index, with ``group`` (0 is the largest; missing where there is no
        embedding) and ``group_score``, the cosine between a text and the middle of its group: the
        most typical texts are the first by ``sort_values("group_score", ascending=False)``.
        ``attrs["alcf"]["groups"]`` holds the number, the seed and the silhouettes tried.

    Raises
    ------
    UsageError
        scikit-learn is not installed (the message has the line to type), `k` is no number of
        groups of these rows, or no row has an embedding.
    """
    cluster = needed("sklearn.cluster", "group", MAP)
    told: dict[str, Any] = {"seed": seed}
    with closing(observer or progress.observer()) as watcher:
        where = points(emb, watcher)
        if k is not None:
            _check(k, where.count)
        reduced, _ = components(where, min(COMPONENTS, where.width), unit=True)
        distinct = _distinct(reduced)
        if k is None:
            k, tried = _choose(cluster, reduced, distinct, seed)
            told["silhouettes"] = tried
            watcher.note(_chosen(k, tried))
        elif k > distinct:
            watcher.note(f"There are {distinct:,} different embeddings: so many groups, not {k:,}.")
    labels = _by_size(_labels(cluster, reduced, min(int(k), distinct), seed, _STARTS))
    told["k"] = int(labels.max()) + 1
    return _with_groups(emb, where, labels, told)


def _chosen(k: int, tried: dict[int, float]) -> str:
    if not tried:
        return "Too few different texts to tell groups apart: one group."
    return f"{k} groups: of {min(tried)} to {max(tried)} the best silhouette, {tried[k]:.2f}."


def _distinct(reduced: NDArray[np.float64]) -> int:
    return len(np.unique(np.round(reduced, 6), axis=0))


def _check(k: Any, count: int) -> None:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UsageError(f"k={k!r} is no number of groups.", do="Leave k out, or type:  k=5")
    if k > count:
        raise UsageError(
            f"k={k:,} groups are more than the {count:,} rows.", do="Leave k out, or take fewer."
        )


def _labels(
    cluster: Any, reduced: NDArray[np.float64], k: int, seed: int, starts: int = 1
) -> NDArray[np.int32]:
    means = cluster.KMeans(k, n_init=starts, random_state=seed)
    found: NDArray[np.int32] = means.fit_predict(reduced)
    return found


def _choose(
    cluster: Any, reduced: NDArray[np.float64], distinct: int, seed: int
) -> tuple[int, dict[int, float]]:
    """Return the number of groups with the best silhouette, and the silhouette of each tried."""
    metrics = needed("sklearn.metrics", "group", MAP)
    rows = np.random.default_rng(seed).permutation(len(reduced))[:_SAMPLE]
    sample = reduced[np.sort(rows)]
    different = _distinct(sample)
    candidates = [k for k in CANDIDATES if k <= distinct // 2 and k < different]
    tried = {
        k: round(float(metrics.silhouette_score(sample, _labels(cluster, sample, k, seed))), 4)
        for k in candidates
    }
    best = max(tried, key=lambda k: tried[k], default=1)
    return best, tried


def _by_size(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Call the largest group 0, the next 1, and so on; groups of one size in their order."""
    names, firsts, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((firsts, -sizes))
    numbers = np.empty(int(names.max()) + 1, np.intp)
    numbers[names[order]] = np.arange(len(names))
    return numbers[labels]


def _with_groups(
    emb: pd.DataFrame, where: Any, labels: NDArray[np.intp], told: dict[str, Any]
) -> pd.DataFrame:
    middles = np.zeros((told["k"], where.width))
    first = 0
    for positions, block in where.blocks():
        mine = labels[first : first + len(block)]
        first += len(block)
        weights = (mine == np.arange(told["k"])[:, None]) / where.lengths[positions]
        middles += weights.astype(np.float32) @ block
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), np.finfo(float).tiny)
    score = np.full(len(where), np.nan)
    group = np.full(len(where), -1)
    group[where.usable] = labels
    for positions, block in where.blocks():
        cosines = block @ middles.T.astype(np.float32)
        own = cosines[np.arange(len(block)), group[positions]]
        score[positions] = own / where.lengths[positions]
    column = pd.array(group, dtype="Int64")
    column[~where.usable] = pd.NA
    found = emb.assign(group=pd.Series(column, index=emb.index), group_score=score)
    found.attrs["alcf"] = {**emb.attrs.get("alcf", {}), "groups": told}
    return found

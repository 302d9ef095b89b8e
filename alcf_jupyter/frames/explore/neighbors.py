"""The texts nearest to a query."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from alcf_jupyter import progress
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.nearest import nearest
from alcf_jupyter.frames.explore.points import points
from alcf_jupyter.frames.explore.queries import queries
from alcf_jupyter.names import nearest as nearest_names

if TYPE_CHECKING:
    import pandas as pd

    from alcf_jupyter.progress import RunObserver

TIMEOUT = "30m"
METRICS = ("cosine", "dot", "euclidean")
BOOKKEEPING = (
    *("embedding", "status", "reason", "tokens"),
    *("prompt_tokens", "completion_tokens", "total_tokens"),
)
"""Columns of an embedding frame, or of a batch's results, that say nothing about a text."""


def neighbors(
    emb: pd.DataFrame,
    query: Any,
    k: int = 10,
    *,
    metric: str = "cosine",
    model: str | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    observer: RunObserver | None = None,
) -> pd.DataFrame:
    """Return the rows of an embedding frame that are nearest to a query.

    The search is exact, and the matrix is not copied. Rows without an embedding are left out, and
    that is said.

    Parameters
    ----------
    emb
        What `embed` returned, or the results of a batch of embeddings, with any columns added.
    query
        A text or several, which are embedded by the frame's own model; a vector of d numbers or an
        (m, d) matrix; or another embedding frame.
    k
        How many rows for each query.
    metric
        ``"cosine"`` of the angle, 1 for the same direction; ``"dot"``, the product of the vectors;
        or ``"euclidean"``, their distance, smallest first.
    model
        Which model made `emb`, where the frame does not know it any more.
    timeout, wait
        For embedding a text, as `embed` takes them.
    observer
        Told what is left out, and how the queue is while a text is embedded.

    Returns
    -------
    pandas.DataFrame
        The best first, under their index in `emb`: ``score``, then the columns of `emb` but for
        the embeddings and their bookkeeping. For several queries ``query`` (its text or its
        number) and ``rank`` (from 1) stand before it, and `k` rows for each query one after
        another.

    Raises
    ------
    UsageError
        The query is empty, of another model or another length, or there is nothing to search.
    SignInError, NoConnectionError, ServiceError
        A text could not be embedded.
    """
    if metric not in METRICS:
        near = nearest_names(str(metric), METRICS)
        raise UsageError(
            f"There is no metric {metric!r}.",
            do=f"Type one of:  {', '.join(f'metric={name!r}' for name in near or METRICS)}",
        )
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UsageError(f"k={k!r} is no number of neighbors.", do="Type:  k=10")
    with closing(observer or progress.observer()) as watcher:
        where = points(emb, watcher)
        if k > where.count:
            watcher.note(f"There are {where.count:,} rows to choose from, fewer than k={k:,}.")
        asked = queries(
            query,
            emb,
            where.width,
            model=model,
            timeout=timeout,
            wait=wait,
            observer=observer,
        )
        rows, scores = nearest(where, asked.vectors, min(int(k), where.count), metric)
    return _frame(emb, asked.names, rows, scores, single=asked.single)


def _frame(
    emb: pd.DataFrame, names: list[Any], rows: Any, scores: Any, *, single: bool
) -> pd.DataFrame:
    kept = emb.drop(columns=[name for name in BOOKKEEPING if name in emb])
    found: pd.DataFrame = kept.iloc[rows.ravel()].copy()
    new: dict[str, Any] = {"score": scores.ravel()}
    if not single:
        count = rows.shape[1]
        new = {
            "query": [name for name in names for _ in range(count)],
            "rank": np.tile(np.arange(1, count + 1), len(names)),
            **new,
        }
    found = found.drop(columns=[name for name in new if name in found])
    for place, (name, values) in enumerate(new.items()):
        found.insert(place, name, values)
    return found

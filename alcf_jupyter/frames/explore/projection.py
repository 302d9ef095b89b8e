"""Embeddings as points of a plane."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from alcf_jupyter import progress
from alcf_jupyter.connection.deadline import words
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.points import points
from alcf_jupyter.frames.explore.principal import components
from alcf_jupyter.frames.extras import needed
from alcf_jupyter.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from alcf_jupyter.frames.explore.points import Points
    from alcf_jupyter.progress import RunObserver

METHODS = ("pca", "pacmap", "umap")
COMPONENTS = 50
"""What PaCMAP and UMAP are given: more costs time and shows nothing else."""

FEWEST = 10
_SECONDS_PER_ROW = {"pacmap": 25 / 50_000, "umap": 73 / 50_000}  # as measured on two cores
_TICK = 1.0


def project(
    emb: pd.DataFrame,
    method: str = "pca",
    *,
    seed: int = 0,
    observer: RunObserver | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return an embedding frame with two columns more, ``x`` and ``y``: its map.

    Parameters
    ----------
    emb
        What `embed` returned, with any columns added.
    method
        ``"pca"``, the two directions in which the embeddings vary most, which needs less than a
        second for 50,000 rows. ``"pacmap"`` and ``"umap"`` keep neighbors together instead, and
        need seconds to minutes; they are given the first 50 principal components, and have to be
        installed.
    seed
        Of the random numbers of PaCMAP and UMAP: the same seed gives the same map.
    observer
        Told what is left out, and how a slow method is getting on.
    **options
        Other parameters of ``pacmap.PaCMAP`` or ``umap.UMAP``, such as ``n_neighbors``.

    Returns
    -------
    pandas.DataFrame
        The same rows and index. ``x`` and ``y`` are missing where there is no embedding.
        ``attrs["alcf"]["projection"]`` names the method, the seed, and for PCA which share of the
        variance each axis shows.

    Raises
    ------
    UsageError
        There is no such method, it is not installed (the message has the line to type), or no row
        has an embedding.
    """
    if method not in METHODS:
        near = nearest(str(method), METHODS) or list(METHODS)
        raise UsageError(
            f"There is no projection {method!r}.",
            do=f"Type one of:  {', '.join(f'method={name!r}' for name in near)}",
        )
    if method == "pca" and options:
        raise UsageError(
            f"PCA takes no {next(iter(options))}=.", do="Leave it out, or take method='pacmap'."
        )
    slow = _SLOW[method]() if method in _SLOW else None
    told: dict[str, Any] = {"method": method}
    with closing(observer or progress.observer()) as watcher:
        where = points(emb, watcher)
        if slow is None:
            plane, shares = components(where, min(2, where.width))
            told["variance"] = [round(float(share), 4) for share in shares]
            if not shares.any():
                watcher.note("All the embeddings are the same: one point of the map.")
        else:
            plane = _slowly(method, slow, where, seed, watcher, options)
            told |= {"seed": seed, **options}
    return _with_axes(emb, where, plane, told)


def _with_axes(
    emb: pd.DataFrame, where: Points, plane: NDArray[np.float64], told: dict[str, Any]
) -> pd.DataFrame:
    axes = np.full((len(where), 2), np.nan)
    axes[where.usable, : plane.shape[1]] = plane
    axes[where.usable, plane.shape[1] :] = 0
    found = emb.assign(x=axes[:, 0], y=axes[:, 1])
    found.attrs["alcf"] = {**emb.attrs.get("alcf", {}), "projection": told}
    return found


def _slowly(
    method: str, make: Any, where: Points, seed: int, watcher: RunObserver, options: dict[str, Any]
) -> NDArray[np.float64]:
    if where.count < FEWEST:
        raise UsageError(
            f"{method} needs at least {FEWEST} rows, and there are {where.count}.",
            do="Type:  alcf.project(emb, method='pca')",
        )
    reduced, _ = components(where, min(COMPONENTS, where.width, where.count - 1))
    guess = where.count * _SECONDS_PER_ROW[method]
    usual = f", about {words(guess)}" if guess >= 2 else ""
    with _ticking(watcher, f"{method} of {where.count:,} rows{usual}"):
        plane = make(reduced.astype(np.float32), seed, options)
    return np.asarray(plane, np.float64)


def _pacmap() -> Any:
    library = needed("pacmap", "method='pacmap'", "pip install pacmap")

    def make(reduced: NDArray[np.float32], seed: int, options: dict[str, Any]) -> Any:
        settings = {"random_state": seed, "apply_pca": False, **options}
        return library.PaCMAP(n_components=2, **settings).fit_transform(reduced, init="pca")

    return make


def _umap() -> Any:
    library = needed("umap", "method='umap'", "pip install umap-learn")

    def make(reduced: NDArray[np.float32], seed: int, options: dict[str, Any]) -> Any:
        # a seed and several threads exclude each other; said outright, it is no warning
        settings = {"random_state": seed, "n_jobs": 1, **options}
        return library.UMAP(n_components=2, **settings).fit_transform(reduced)

    return make


_SLOW = {"pacmap": _pacmap, "umap": _umap}


@contextmanager
def _ticking(watcher: RunObserver, doing: str) -> Iterator[None]:
    """Tell `watcher` every second how long it has taken: the library itself does not."""
    began, done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not done.wait(_TICK):
            watcher.status(f"{doing}: {words(time.monotonic() - began)}")

    watcher.status(f"{doing}: {words(0)}")
    thread = threading.Thread(target=tick, name="alcf_jupyter projection", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

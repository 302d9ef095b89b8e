"""The principal components of the vectors of a frame, by their covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alcf_jupyter.frames.explore.points import Points

_SPARE = 10
"""Directions that are followed besides those asked for, so that these settle sooner."""

_ROUNDS = 300
_SETTLED = 1e-10
_FEW = 20
"""Up to so many times the directions that are followed, finding all of them is quicker."""

_ROUNDING = 1e-12
"""Less variance than this, beside the squares of the lengths, is none but rounding."""


def components(
    points: Points, count: int, *, unit: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coordinates of the usable rows along the directions in which they vary most.

    Parameters
    ----------
    points
        n usable rows of d numbers.
    count
        How many directions; at most d.
    unit
        Whether each vector is first scaled to length 1, so that only its direction counts.

    Returns
    -------
    coordinates, shares
        Shape (n, count), and the part of the whole variance that is along each direction. The
        sign of a direction is such that its largest number is positive.
    """
    mean = _mean(points, unit=unit)
    covariance = _covariance(points, mean, unit=unit)
    total = float(np.trace(covariance))
    if total <= _ROUNDING * float(np.mean(points.lengths[points.usable] ** 2)):
        return np.zeros((points.count, count)), np.zeros(count)
    directions, variances = _leading(covariance, count)
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.where(directions[largest, np.arange(count)] < 0, -1.0, 1.0)
    narrow = directions.astype(np.float32)
    origin = mean.astype(np.float64) @ directions
    coordinates = np.empty((points.count, count))
    first = 0
    for positions, block in points.blocks():
        along = block @ narrow
        if unit:
            along /= points.lengths[positions, None]
        coordinates[first : first + len(block)] = along - origin
        first += len(block)
    return coordinates, variances / total


def _mean(points: Points, *, unit: bool) -> NDArray[np.float32]:
    total = np.zeros(points.width)
    for positions, block in points.blocks():
        weights = 1 / points.lengths[positions] if unit else np.ones(len(block), np.float32)
        total += weights @ block
    return (total / points.count).astype(np.float32)


def _covariance(points: Points, mean: NDArray[np.float32], *, unit: bool) -> NDArray[np.float64]:
    """Return the covariance, (d, d): products in float32, which are quick, their sum in float64."""
    total = np.zeros((points.width, points.width))
    room = np.empty((0, points.width), np.float32)  # used again for each block
    for positions, block in points.blocks():
        if len(room) < len(block):
            room = np.empty_like(block)
        centered = room[: len(block)]
        if unit:
            np.divide(block, points.lengths[positions, None], out=centered)
            centered -= mean
        else:
            np.subtract(block, mean, out=centered)
        total += centered.T @ centered
    return total / max(points.count - 1, 1)


def _leading(
    covariance: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the leading eigenvectors, (d, count), and their eigenvalues, the largest first.

    For a few of very many by subspace iteration, which takes a fraction of what all would.
    """
    width, follow = len(covariance), count + _SPARE
    if width <= _FEW * follow:
        values, vectors = np.linalg.eigh(covariance)
        return vectors[:, ::-1][:, :count].copy(), np.maximum(values[::-1][:count], 0)
    basis, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((width, follow)))
    before = np.full(count, np.inf)
    for _ in range(_ROUNDS):
        image = covariance @ basis
        values, turn = np.linalg.eigh(basis.T @ image)
        now = values[::-1][:count]
        if np.abs(now - before).max() <= _SETTLED * max(abs(now[0]), np.finfo(float).tiny):
            break
        before = now
        basis, _ = np.linalg.qr(image)
    return (basis @ turn)[:, ::-1][:, :count].copy(), np.maximum(now, 0)

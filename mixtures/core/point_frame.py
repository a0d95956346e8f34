"""Rows for k-means, dense or sparse, in a frame of one scale for all features.

Squared distances add features up, so all have one unit: the frame shifts each feature and scales
all by one power of two. Centres of frames are rounded to a sixteenth of the features' spread.
Subtracting a number of few digits is exact for most rows, so that rows on a lattice stay on one,
ties between centres stay ties, and neither the order nor the repetition of rows changes a bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from .blocks import ArraySource
from .discriminants import LINEAR, Array, Discriminants, Frame
from .frames import ROUNDED, SAMPLE, first_frame, power_of_two_scale
from .points import AbstractPoints, DensePoints
from .sparse_points import SparsePoints
from .statistics import DIAGONAL

Rows = Any  # (n, d), an array or a CSR matrix, float32 or float64

BLOCK = 4096  # rows of a sparse matrix of which copies are made at a time
STEPS = 16.0  # of the centre's grid in one spread
MOST_MEASURES = 4
CANCELLED = 2.0**20
"""Ratio of a squared mean to the variance about it above which the difference has lost digits."""
OFF_GRID = 0.618  # the mean of rows on a lattice is no number at which rounding turns
FAR = 2.0**32
"""Coordinate, in spreads of the centres, from which on subtracting a centre may change nothing."""
LARGEST = 2.0**480
"""Coordinate whose square can be summed over many rows."""


class Spread(NamedTuple):
    """Mean and standard deviation of each feature (d,), in the units of the data."""

    mean: Array
    deviation: Array

    @property
    def constant(self) -> np.ndarray:
        """Which features vary by rounding alone."""
        return self.deviation <= ROUNDED * np.abs(self.mean)

    def centre(self, row: np.ndarray) -> Array:
        """The mean to a few digits; of features that are constant, a row's own number."""
        step = 1.0 / (STEPS * power_of_two_scale(self.deviation))
        with np.errstate(over="ignore"):
            grid = np.floor(self.mean / step + OFF_GRID) * step
        return np.where(self.constant, row, grid)


class Framed(NamedTuple):
    """A frame for rows, and how much they vary."""

    frame: Frame
    deviation: Array  # (d,), standard deviations, in the units of the data
    variance: float  # mean over the features, in the frame's units

    @classmethod
    def of(cls, centre: Array, size: Any, deviation: Array) -> Framed:
        """Centred and scaled by one size."""
        frame = _one_scale(centre, size)
        return cls(frame, deviation, float(((deviation * frame.scale) ** 2).mean()))


def _one_scale(centre: Array, size: Any) -> Frame:
    """Centred, and scaled by a power of two that makes `size` about one."""
    return Frame(centre, np.full(len(centre), power_of_two_scale(size)))


@contextmanager
def open_points(
    X: Rows, sample_weight: Array | None, frame: Frame, n_threads: int | None
) -> Iterator[AbstractPoints]:
    """Rows in a frame, with threads that end with the context."""
    if issparse(X):
        with SparsePoints(X, sample_weight, frame=frame, n_threads=n_threads) as points:
            yield points
    else:
        with ArraySource(X, sample_weight, frame=frame, n_threads=n_threads) as source:
            yield DensePoints(source)


def frame_rows(X: Rows, sample_weight: Array | None, n_threads: int | None) -> Framed:
    """A frame about the mean of the rows, or about zero for sparse ones; one cheap pass."""
    if issparse(X):
        spread = _sparse_spread(X, sample_weight)
        size = np.hypot(spread.mean, spread.deviation).max()
        return Framed.of(np.zeros(X.shape[1]), size, spread.deviation)
    row = X[0].astype(np.float64)
    with ArraySource(X, sample_weight, n_threads=n_threads) as source:
        spread = _dense_spread(source)
        if spread.constant.all():  # all that is left is rounding: measured about a row, it is exact
            source.frame = _one_scale(row, reach(X, row))
            spread = _measure(source)
            return Framed.of(row, spread.deviation.max(), spread.deviation)
    return Framed.of(spread.centre(row), spread.deviation.max(), spread.deviation)


def frame_centres(centres: Array, X: Rows) -> tuple[Frame, float]:
    """A frame made of centres (k, d), to label rows in, and how far a row of X may be from it.

    The rows have a say in it only where all centres are one: each is labelled as if it were alone.
    """
    own = first_frame(centres)
    spread = Spread(own.centre, np.abs(centres - own.centre).max(axis=0))
    centre = np.zeros(centres.shape[1]) if issparse(X) else spread.centre(centres[0])
    size = float(np.abs(centres - centre).max())
    furthest = _bound(X, centre)
    if furthest > FAR * size:
        furthest = reach(X, centre)
    return _one_scale(centre, size if size > 0 else furthest), furthest


def coarse(frame: Frame, furthest: float) -> Frame:
    """The frame, or if need be one so coarse that rows so far away have squares with a sum."""
    if furthest * float(frame.scale[0]) <= LARGEST:
        return frame
    return _one_scale(frame.centre, furthest / LARGEST)


def reach(X: Rows, centre: Array) -> float:
    """Largest distance of any row from `centre` (d,) in any feature."""
    if issparse(X):
        return _bound(X, centre)
    with np.errstate(over="ignore"):
        low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        furthest = np.maximum(high - centre, centre - low).max()
    return float(min(furthest, np.finfo(float).max))


def _bound(X: Rows, centre: Array) -> float:
    """What `reach` does not exceed, found sooner."""
    numbers = X.data if issparse(X) else X
    if numbers.size == 0:
        return float(np.abs(centre).max())
    largest = max(float(numbers.max()), -float(numbers.min()))
    return min(largest + float(np.abs(centre).max()), float(np.finfo(float).max))


def _dense_spread(source: ArraySource) -> Spread:
    """Mean and deviation of all rows, about the mean of a few of them first."""
    X = source.X
    sample = first_frame(np.ascontiguousarray(X[:: max(1, len(X) // SAMPLE)]))
    source.frame = sample
    with np.errstate(over="ignore", invalid="ignore"):
        spread = _measure(source)
        if not np.isfinite(spread.deviation).all():  # rows outside the sample are larger by far
            top = np.maximum(np.abs(X.max(axis=0)), np.abs(X.min(axis=0))).astype(np.float64)
            source.frame = Frame(sample.centre, power_of_two_scale(top) * 0.25)
            spread = _measure(source)
        for _ in range(MOST_MEASURES):  # rows of little weight may have been far off the others
            z = source.frame.to_frame(spread.mean)
            variance = (spread.deviation * source.frame.scale) ** 2
            if not (z**2 > CANCELLED * variance).any() or spread.constant.all():
                break
            known = np.where(variance > 0, power_of_two_scale(spread.deviation), source.frame.scale)
            source.frame = Frame(spread.mean, known)
            spread = _measure(source)
    return spread


def _measure(source: ArraySource) -> Spread:
    """Mean and deviation of a source's rows, about the centre of its frame."""
    d = source.n_features
    everything = Discriminants(
        LINEAR, np.zeros((d, 1)), np.empty((0, 1)), np.zeros(1), np.zeros((1, d))
    )
    stats = source.accumulate(everything, DIAGONAL)
    mean = stats.first[0] / stats.counts[0]
    deviation = np.sqrt(np.maximum(stats.second[0] / stats.counts[0] - mean**2, 0.0))
    return Spread(source.frame.from_frame(mean), deviation / source.frame.scale)


def _sparse_spread(X: Any, sample_weight: Array | None) -> Spread:
    """Mean and deviation of all numbers of a CSR matrix, zeros included, in two passes."""
    n, d = X.shape
    w = np.ones(n) if sample_weight is None else sample_weight
    scale = float(power_of_two_scale(np.abs(X.data).max(initial=0.0)))
    mean, stored, squares = np.zeros(d), np.zeros(d), np.zeros(d)
    for value, feature, weight in _entries(X, w, scale):
        mean += np.bincount(feature, weight * value, d)
        stored += np.bincount(feature, weight, d)
    mean /= w.sum()
    for value, feature, weight in _entries(X, w, scale):
        squares += np.bincount(feature, weight * (value - mean[feature]) ** 2, d)
    squares += np.maximum(w.sum() - stored, 0.0) * mean**2
    return Spread(mean / scale, np.sqrt(squares / w.sum()) / scale)


def _entries(X: Any, w: Array, scale: float) -> Iterator[tuple[Array, np.ndarray, Array]]:
    """Stored numbers, their features, and the weights of their rows, block by block."""
    for lo in range(0, X.shape[0], BLOCK):
        starts = X.indptr[lo : lo + BLOCK + 1]
        here = slice(starts[0], starts[-1])
        weight = np.repeat(w[lo : lo + BLOCK], np.diff(starts))
        yield X.data[here].astype(np.float64) * scale, X.indices[here], weight

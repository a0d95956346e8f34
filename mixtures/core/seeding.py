"""Where a fit starts: rows drawn, seeds chosen, parameters made from them, for every model.

The meaning of row weights is exact here too: integer weights equal repeated rows, and the order
of the rows does not matter. Draws are made by inverting the cumulative weight over distinct
rows in *canonical* (lexicographic) order, in which repetitions and permutations change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .discriminants import HARD, Array
from .family import AbstractFamily
from .frames import Totals
from .source import AbstractSource

AT_ONCE = 2**20  # numbers of rows that are hashed together: 8 MiB, twice


class Sample:
    """Distinct rows of a source in canonical order, with the weight that stands behind each.

    Parameters
    ----------
    source : AbstractSource
    totals : Totals
        Of the source, in its frame.
    size : int
        Of more distinct rows, this many are drawn at random.
    rng : numpy.random.RandomState

    Attributes
    ----------
    rows : ndarray of shape (m,)
        Where the source has them.
    points : ndarray of shape (m, d)
        In the source's frame.
    weights : ndarray of shape (m,)
    totals : Totals
        Of the source, not of the sample alone.
    scale : ndarray of shape (d,)
        Of the source's frame.
    """

    def __init__(
        self, source: AbstractSource, totals: Totals, size: int, rng: np.random.RandomState
    ) -> None:
        self.rows, self.weights = distinct_rows(source, size, rng)
        self.points = source.points(self.rows)
        order = source.order(self.points)
        if order is not None:
            self.rows, self.weights = self.rows[order], self.weights[order]
            self.points = np.ascontiguousarray(self.points[order])
        if len(self.rows) == size:  # probably not all: let them stand for the others
            self.weights = self.weights * (source.total_weight / self.weights.sum())
        self.totals, self.scale = totals, source.frame.scale


def distinct_rows(
    source: AbstractSource, size: int, rng: np.random.RandomState
) -> tuple[np.ndarray, Array]:
    """Indices (m,) of at most `size` distinct rows, and the total weight of each one's copies.

    The rows of smallest hash are kept, block by block in O(size) memory: a uniform draw from the
    distinct rows that no repetition or permutation of the rows can change.
    """
    salt = np.frombuffer(rng.bytes(8), dtype=np.uint64)[0]
    hashes, rows, weights = np.empty(0, np.uint64), np.empty(0, np.intp), np.empty(0)
    step = max(min(max(size, 4096), AT_ONCE // source.n_features), 256)
    for lo in range(0, source.n_rows, step):
        hi = min(lo + step, source.n_rows)
        new = source.hashes(lo, hi, salt)
        keep = np.arange(hi - lo) if len(hashes) < size else np.flatnonzero(new <= hashes[-1])
        w = source.sample_weight
        extra = np.ones(len(keep)) if w is None else w[lo + keep]
        hashes = np.concatenate([hashes, new[keep]])
        rows, weights = np.concatenate([rows, lo + keep]), np.concatenate([weights, extra])
        order = np.argsort(hashes, kind="stable")
        starts = np.flatnonzero(np.r_[True, hashes[order][1:] != hashes[order][:-1]])
        weights = np.add.reduceat(weights[order], starts)[:size]
        hashes, rows = hashes[order][starts][:size], rows[order][starts][:size]
    return rows, weights


def draw(weights: Array, rng: np.random.RandomState, size: int | None = None) -> Any:
    """Indices drawn with probability proportional to `weights`, by inverse cumulative weight."""
    cumulative = np.cumsum(weights)
    picks = np.searchsorted(cumulative, rng.random_sample(size) * cumulative[-1], "right")
    last = np.flatnonzero(weights)[-1] if cumulative[-1] > 0 else len(weights) - 1
    return np.minimum(picks, last)


def partition(
    source: AbstractSource, family: AbstractFamily[Any], centres: Array, metric: Array
) -> Any:
    """The family's parameters when each row belongs to its nearest centre (k, d) in a metric."""
    stats = source.accumulate(
        nearest(source, centres, metric, family.reference(centres)), family.moments, HARD
    )
    return family.start(stats, centres)


def mapped(points: Array, metric: Array) -> Array:
    """Points (m, d) in the coordinates of a metric: ``points @ metric``, one of (d,) diagonal."""
    return points * metric if metric.ndim == 1 else points @ metric


def nearest(source: AbstractSource, centres: Array, metric: Array, reference: Array) -> Any:
    """Discriminants largest for the centre (k, d) nearest in ``|(z - centre) @ metric|``."""
    white = mapped(centres, metric)
    slopes = mapped(white, metric if metric.ndim == 1 else metric.T).T
    return source.linear(slopes, -0.5 * (white**2).sum(axis=1), reference)


def from_responsibilities(
    source: AbstractSource, family: AbstractFamily[Any], responsibilities: Array, centres: Array
) -> Any:
    """The family's parameters for given responsibilities (n, k), about `centres` (k, d)."""
    stats = source.given(responsibilities, family.reference(centres), family.moments)
    return family.start(stats, centres)

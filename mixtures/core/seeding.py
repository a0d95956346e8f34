"""Where a fit starts: rows drawn, seeds chosen, parameters made from them, for every model.

The meaning of row weights is exact here too: integer weights equal repeated rows, and the order
of the rows does not matter. Draws are made by inverting the cumulative weight over distinct
rows in *canonical* (lexicographic) order, in which repetitions and permutations change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .blocks import ArraySource
from .discriminants import HARD, LINEAR, Array, Discriminants
from .family import AbstractFamily
from .frames import Totals
from .statistics import SufficientStatistics, second_shape


class Sample:
    """Distinct rows of a source in canonical order, with the weight that stands behind each.

    Parameters
    ----------
    source : ArraySource
    totals : Totals
        Of the source, in its frame.
    size : int
        Of more distinct rows, this many are drawn at random.
    rng : numpy.random.RandomState

    Attributes
    ----------
    points : ndarray of shape (m, d)
        In the source's frame.
    weights : ndarray of shape (m,)
    totals : Totals
        Of the source, not of the sample alone.
    scale : ndarray of shape (d,)
        Of the source's frame.
    """

    def __init__(
        self, source: ArraySource, totals: Totals, size: int, rng: np.random.RandomState
    ) -> None:
        rows, weights = distinct_rows(source, size, rng)
        points = source.frame.to_frame(source.X[rows].astype(np.float64))
        order = np.lexsort(points.T[::-1])
        self.weights = weights[order]
        if len(rows) == size:  # probably not all: let them stand for the others
            self.weights = self.weights * (source.total_weight / self.weights.sum())
        self.points = np.ascontiguousarray(points[order])
        self.totals, self.scale = totals, source.frame.scale


def distinct_rows(
    source: ArraySource, size: int, rng: np.random.RandomState
) -> tuple[np.ndarray, Array]:
    """Indices (m,) of at most `size` distinct rows, and the total weight of each one's copies.

    The rows of smallest hash are kept, block by block in O(size) memory: a uniform draw from the
    distinct rows that no repetition or permutation of the rows can change.
    """
    salt = np.frombuffer(rng.bytes(8), dtype=np.uint64)[0]
    hashes, rows, weights = np.empty(0, np.uint64), np.empty(0, np.intp), np.empty(0)
    for lo in range(0, source.n_rows, max(size, 4096)):
        hi = min(lo + max(size, 4096), source.n_rows)
        new = _hash(source.X[lo:hi] * source.frame.scale + 0.0, salt)
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


def _hash(X: Array, salt: np.uint64) -> np.ndarray:
    """A 64-bit hash of each row (n,): the finaliser of splitmix64, feature by feature."""
    h = np.full(len(X), salt)
    for column in np.ascontiguousarray(X.T).view(np.uint64):
        h ^= column
        h ^= h >> np.uint64(30)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(27)
        h *= np.uint64(0x94D049BB133111EB)
        h ^= h >> np.uint64(31)
    return h


def draw(weights: Array, rng: np.random.RandomState, size: int | None = None) -> Any:
    """Indices drawn with probability proportional to `weights`, by inverse cumulative weight."""
    cumulative = np.cumsum(weights)
    picks = np.searchsorted(cumulative, rng.random_sample(size) * cumulative[-1], "right")
    last = np.flatnonzero(weights)[-1] if cumulative[-1] > 0 else len(weights) - 1
    return np.minimum(picks, last)


def partition(
    source: ArraySource, family: AbstractFamily[Any], centres: Array, metric: Array
) -> Any:
    """The family's parameters when each row belongs to its nearest centre (k, d) in a metric."""
    stats = source.accumulate(
        nearest(centres, metric, family.reference(centres)), family.moments, HARD
    )
    return family.m_step(stats, family.guess(centres))


def nearest(centres: Array, metric: Array, reference: Array) -> Discriminants:
    """Discriminants largest for the centre (k, d) nearest in ``|(z - centre) @ metric|``."""
    white = centres @ metric
    slopes = np.ascontiguousarray((white @ metric.T).T)
    bias = -0.5 * (white**2).sum(axis=1)
    return Discriminants(LINEAR, slopes, np.empty((0, len(centres))), bias, reference)


def from_responsibilities(
    source: ArraySource, family: AbstractFamily[Any], responsibilities: Array, centres: Array
) -> Any:
    """The family's parameters for given responsibilities (n, k), about `centres` (k, d)."""
    reference = family.reference(centres)
    k, d = reference.shape
    weighted = responsibilities
    if source.sample_weight is not None:
        weighted = responsibilities * source.sample_weight[:, None]
    first, second = np.zeros((k, d)), np.zeros(second_shape(family.moments, k, d))
    for lo in range(0, source.n_rows, 4096):
        Z = source.frame.to_frame(source.X[lo : lo + 4096].astype(np.float64))
        for c in range(k):
            about, r = Z - reference[c], weighted[lo : lo + 4096, c]
            first[c] += r @ about
            _add_second(second[c], about, r)
    stats = SufficientStatistics(weighted.sum(axis=0), first, second, 0.0)
    return family.m_step(stats, family.guess(centres))


def _add_second(second: Array, about: Array, r: Array) -> None:
    """Add ``sum_i r_i`` of the norm, the squares or the products of the rows of `about` (b, d)."""
    if second.ndim == 2:
        second += (about * r[:, None]).T @ about
    elif second.shape == (1,):
        second += r @ (about**2).sum(axis=1)
    elif second.size:
        second += r @ about**2

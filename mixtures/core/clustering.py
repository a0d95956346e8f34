"""k-means in several metrics, of which the best partition is kept: the default start.

k-means sees clusters where they are wider apart than they are long, in the metric it is given.
No one metric does: raw units hide clusters in features of small unit; standardised or whitened
data squeeze the very direction in which clusters on a line lie apart. So it runs in each of

- whitened coordinates, in which the pooled covariance is the identity,
- the invariant coordinates of least Gaussian kurtosis among these (Tyler, Critchley, Duembgen and
  Oja 2009), one of them and k - 1: where clusters show, however they lie,
- standardised features, and the features in their own units,

and each result is improved in the metric of its own pooled within-cluster covariance W, by
lowering det W (Friedman and Rubin 1967), a criterion that no invertible linear map of the data
changes. The caller says which of the results it likes best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .blocks import ArraySource
from .discriminants import HARD, Array
from .frames import CONSTANT, Totals
from .lloyd import means, run_lloyd
from .plusplus import plusplus
from .points import DensePoints, SortedPoints
from .seeding import Sample, mapped, nearest
from .statistics import NONE

MAX_LLOYD = 300
MAX_REFINE = 30
TOLERANCE = 1e-4  # of the squared movement of the centres, in the metric's units
ROWS_PER_FEATURE = 3
"""Distinct rows a feature below which correlations are not trusted: n <= d + 1 rows, fully
whitened, are all equally far apart."""
TIE = 1e-9  # nats per row
RANK = 1e-10  # eigenvalues below this share of the largest are noise, not a direction


class Clusters(NamedTuple):
    """Centres of clusters, and the metric in which each row belongs to the nearest."""

    centres: Array  # (k, d), in the frame
    metric: Array  # (d, q), or (d,) for a diagonal: distances are |(z - centre) @ metric|


def whitener(totals: Totals) -> Array:
    """(d, rank) map to coordinates in which the pooled covariance is the identity."""
    spread = _spread(totals)
    values, vectors = np.linalg.eigh(totals.covariance / spread / spread[:, None])
    keep = values > RANK * max(values[-1], 0.0)
    if not keep.any():  # all rows are equal
        keep[-1], values[-1] = True, 1.0
    return (vectors[:, keep] / np.sqrt(values[keep])) / spread[:, None]


def _spread(totals: Totals) -> Array:
    """Standard deviations (d,), one where a feature is constant."""
    spread = np.sqrt(np.maximum(np.diagonal(totals.covariance), 0.0))
    return np.where(spread < CONSTANT, 1.0, spread)


def invariant_coordinates(sample: Sample, white: Array) -> Array:
    """(d, rank) map to whitened coordinates, those of least Gaussian kurtosis first.

    Eigenvectors of ``B = mean |z|^2 z z'`` in whitened coordinates z; for Gaussian rows all its
    eigenvalues are rank + 2.
    """
    z = sample.points @ white
    weight = sample.weights * (z**2).sum(axis=1)
    values, vectors = np.linalg.eigh((z * weight[:, None]).T @ z / sample.weights.sum())
    unusual = np.argsort(-np.abs(values - (len(values) + 2)), kind="stable")
    return white @ vectors[:, unusual]


def standardised(totals: Totals) -> Array:
    """Map that divides each feature by its standard deviation (d, d), or by its unit (d,)."""
    if totals.unit is not None:
        return 1.0 / totals.unit
    return np.diag(1.0 / _spread(totals))


def own_units(scale: Array) -> Array:
    """(d, d) map from a frame of this scale back to the data's units, up to a common factor."""
    return np.diag(scale.min() / scale)


Score = Callable[[ArraySource, Clusters], float]


def cluster(
    sample: Sample,
    k: int,
    rng: np.random.RandomState,
    score: Score,
    n_threads: int | None = 1,
) -> Clusters:
    """k-means in several metrics, from greedy k-means++ seeds in each: the best by `score`.

    Parameters
    ----------
    sample : Sample
    k : int
    rng : numpy.random.RandomState
    score : callable (source of the sample, clusters) -> float
        Larger is better; of results within `TIE` of each other the first is kept, so that rounding
        decides nothing.
    n_threads : int or None
    """
    if sample.totals.unit is not None:  # no correlations to know metrics by
        metric = standardised(sample.totals)
        return Clusters(kmeans(sample, metric, k, rng, n_threads), metric)
    white = whitener(sample.totals)
    if len(sample.points) < ROWS_PER_FEATURE * white.shape[1]:
        metric = standardised(sample.totals)
        return Clusters(kmeans(sample, metric, k, rng, n_threads), metric)
    metrics = _metrics(sample, white, k)
    best, highest = None, -np.inf
    with ArraySource(sample.points, sample.weights, n_threads=n_threads) as source:
        for metric in metrics:
            centres = kmeans(sample, metric, k, rng, n_threads)
            found = refine(source, Clusters(centres, metric), white)
            value = score(source, found)
            if best is None or value > highest + TIE:
                best, highest = found, value
    assert best is not None
    return best


def _metrics(sample: Sample, white: Array, k: int) -> list[Array]:
    """The metrics to try, without those that are bound to be the same."""
    if k == 1 or sample.points.shape[1] == 1:
        return [white]
    unusual = invariant_coordinates(sample, white)
    dimensions = {1, min(k - 1, white.shape[1])}
    return [
        white,
        *(unusual[:, :q] for q in sorted(dimensions)),
        standardised(sample.totals),
        own_units(sample.scale),
    ]


def kmeans(
    sample: Sample, metric: Array, k: int, rng: np.random.RandomState, n_threads: int | None = 1
) -> Array:
    """Lloyd's iterations from greedy k-means++ seeds, in a metric (d, q): centres (k, d)."""
    white = mapped(sample.points, metric)
    with ArraySource(white, sample.weights, n_threads=n_threads) as source:
        points = SortedPoints(source)
        seeds = plusplus(points, k, rng)
        found = run_lloyd(points, points.rows(seeds), tol=TOLERANCE, max_iter=MAX_LLOYD)
    centres = sample.points[seeds]  # of clusters without rows, for want of distinct ones
    with ArraySource(sample.points, sample.weights) as source:
        _, totals = DensePoints(source).summarise(centres, found.labels)
    return means(totals, centres)


def _move(source: ArraySource, clusters: Clusters) -> tuple[Array, Array]:
    """Means (k, d) of the rows nearest to each centre, and their weights (k,)."""
    centres, metric = clusters
    stats = source.accumulate(nearest(source, centres, metric, np.zeros_like(centres)), NONE, HARD)
    counts = stats.counts[:, None]
    return np.divide(stats.first, counts, out=centres.copy(), where=counts > 0), stats.counts


def refine(source: ArraySource, clusters: Clusters, white: Array) -> Clusters:
    """Lower log det W: assign by the metric of W, move the centres, and again.

    Each step lowers it, as ``log det`` is concave: ``log det S <= log det W + tr W^-1 (S - W)``.
    W is relative to the pooled covariance, in whitened coordinates; clusters without width in some
    direction, which leave nothing to measure by, are left as they are.
    """
    best, least = clusters, np.inf
    for _ in range(MAX_REFINE):
        centres, counts = _move(source, clusters)
        means = centres @ white
        middle = counts @ means / counts.sum()
        between = (means - middle) * np.sqrt(counts / counts.sum())[:, None]
        values, vectors = np.linalg.eigh(np.eye(white.shape[1]) - between.T @ between)
        if not values[0] > RANK:
            break
        log_det = float(np.log(values).sum())
        if not log_det < least - TOLERANCE:
            break
        best, least = clusters, log_det
        clusters = Clusters(centres, white @ (vectors / np.sqrt(values)))
    return best

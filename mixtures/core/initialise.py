"""The ways to start that `init_params` names; each ends in the family's own M-step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import ArraySource
from .clustering import Clusters, cluster, standardised
from .discriminants import HARD
from .em import EMProblem
from .family import AbstractFamily, DegenerateComponentError
from .frames import Totals
from .seeding import Sample, draw, from_responsibilities, kmeans_plusplus, nearest, partition
from .statistics import NONE

LEAST_SAMPLE = 5_000
SAMPLE_PER_COMPONENT = 400
"""Rows on which k-means runs; all rows are then assigned once. A component of one row in a
thousand still has five of them."""

Initialiser = Callable[[ArraySource, Totals, AbstractFamily[Any], int, Any, int | None], Any]


def _sample(source: ArraySource, totals: Totals, k: int, rng: Any) -> Sample:
    return Sample(source, totals, max(LEAST_SAMPLE, SAMPLE_PER_COMPONENT * k), rng)


def by_kmeans(
    source: ArraySource,
    totals: Totals,
    family: AbstractFamily[Any],
    k: int,
    rng: Any,
    n_threads: int | None,
) -> Any:
    """k-means in several metrics, of which the family likes the best one's partition most."""

    def score(sampled: ArraySource, clusters: Clusters) -> float:
        """The objective that EM would start from."""
        counts = sampled.accumulate(nearest(*clusters, clusters.centres), NONE, HARD).counts
        least = min(source.n_features + 1.0, 0.5 * sampled.total_weight / k)
        if counts.min() < least:  # a cluster of few rows is dense, not good
            return -np.inf
        try:
            params = partition(sampled, family, *clusters)
            return EMProblem(sampled, family, 0.0).evaluate(params).objective
        except (DegenerateComponentError, np.linalg.LinAlgError):
            return -np.inf

    clusters = cluster(_sample(source, totals, k, rng), k, rng, score, n_threads)
    return partition(source, family, *clusters)


def by_plusplus(
    source: ArraySource,
    totals: Totals,
    family: AbstractFamily[Any],
    k: int,
    rng: Any,
    n_threads: int | None,
) -> Any:
    """Greedy k-means++ seeds; each row belongs to its nearest one."""
    sample = _sample(source, totals, k, rng)
    metric = standardised(totals)
    seeds = kmeans_plusplus(sample.points @ metric, sample.weights, k, rng)
    return partition(source, family, sample.points[seeds], metric)


def by_rows(
    source: ArraySource,
    totals: Totals,
    family: AbstractFamily[Any],
    k: int,
    rng: Any,
    n_threads: int | None,
) -> Any:
    """k different rows drawn by weight; each row belongs to the nearest of them."""
    sample = _sample(source, totals, k, rng)
    weights, seeds = sample.weights.copy(), []
    for _ in range(k):
        if not weights.any():  # fewer distinct rows than components: start over
            weights = sample.weights.copy()
        seeds.append(int(draw(weights, rng)))
        weights[seeds[-1]] = 0.0
    return partition(source, family, sample.points[seeds], standardised(totals))


def by_chance(
    source: ArraySource,
    totals: Totals,
    family: AbstractFamily[Any],
    k: int,
    rng: Any,
    n_threads: int | None,
) -> Any:
    """Uniform random responsibilities, the same for equal rows; needs memory for (n, k)."""
    distinct, inverse = np.unique(source.X, axis=0, return_inverse=True)
    shares = rng.uniform(size=(len(distinct), k))
    shares /= shares.sum(axis=1, keepdims=True)
    return from_responsibilities(
        source, family, shares[inverse.ravel()], np.repeat(totals.mean[None], k, axis=0)
    )


INITIALISERS: dict[str, Initialiser] = {
    "kmeans": by_kmeans,
    "k-means++": by_plusplus,
    "random_from_data": by_rows,
    "random": by_chance,
}

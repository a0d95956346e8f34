"""The ways to start that `init_params` names; each ends in the family's own M-step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .blocks import ArraySource
from .clustering import TIE, Clusters, cluster, standardised
from .discriminants import HARD
from .em import EMProblem, run_em
from .family import AbstractFamily, DegenerateComponentError
from .frames import Totals
from .plusplus import plusplus
from .points import SortedPoints
from .seeding import Sample, draw, from_responsibilities, mapped, nearest, partition
from .source import AbstractSource

LEAST_SAMPLE = 5_000
SAMPLE_PER_COMPONENT = 400
"""Rows on which k-means runs; all rows are then assigned once. A component of one row in a
thousand still has five of them."""
SHORT = 10  # iterations of EM in a contest of starts
MOST_NUMBERS, FEWEST = 2**21, 5
"""Many features leave room for fewer rows: 16 MiB of them, or 5 a component."""


class Start(NamedTuple):
    """What a start is made from."""

    source: AbstractSource
    totals: Totals  # of the source, in its frame
    family: AbstractFamily[Any]
    k: int
    rng: np.random.RandomState
    n_threads: int | None = 1
    drawn: Sample | None = None  # one that is there already

    def sample(self) -> Sample:
        if self.drawn is not None:
            return self.drawn
        size = max(LEAST_SAMPLE, SAMPLE_PER_COMPONENT * self.k)
        size = max(min(size, MOST_NUMBERS // self.source.n_features), FEWEST * self.k)
        return Sample(self.source, self.totals, size, self.rng)


def score(source: AbstractSource, family: AbstractFamily[Any], clusters: Clusters, k: int) -> float:
    """The objective that EM would start from, if these clusters were its start."""
    v = nearest(source, *clusters, family.reference(clusters.centres))
    stats = source.accumulate(v, family.moments, HARD)
    least = min(source.n_features + 1.0, 0.5 * source.total_weight / k)
    if stats.counts.min() < least:  # a cluster of few rows is dense, not good
        return -np.inf
    try:
        params = family.start(stats, clusters.centres)
        return EMProblem(source, family, 0.0).evaluate(params).objective
    except (DegenerateComponentError, np.linalg.LinAlgError):
        return -np.inf


def kmeans_clusters(start: Start) -> Clusters:
    """k-means in several metrics, of which the family likes the best one's partition most."""

    def likes(sampled: ArraySource, clusters: Clusters) -> float:
        return score(sampled, start.family, clusters, start.k)

    return cluster(start.sample(), start.k, start.rng, likes, start.n_threads)


def refined(start: Start, centres: Any, metric: Any) -> Any:
    """Parameters for rows that belong to the nearest centre (k, d), as the family likes them."""
    family = start.family
    return family.refine(partition(start.source, family, centres, metric), start)


def by_kmeans(start: Start) -> Any:
    """Each row belongs to the cluster that k-means puts it into.

    For families whose clusters need not be round, that is one of several partitions, see `contest`.
    """
    if start.family.rivals and start.k > 1:
        return contest(start)
    return refined(start, *kmeans_clusters(start))


def contest(start: Start) -> Any:
    """Where a few iterations of EM on a sample lead best: from k-means, or from random seeds.

    Clusters that are long, and cross, are none for k-means.
    """
    sample = start.sample()
    best, highest = None, -np.inf
    with ArraySource(sample.points, sample.weights, n_threads=start.n_threads) as source:
        inner = start._replace(source=source, drawn=sample)
        problem = EMProblem(source, start.family, 0.0)
        clusters = [kmeans_clusters(inner)]
        clusters += [seeded(inner) for _ in range(start.family.rivals)]
        for own in clusters:
            try:
                run = run_em(problem, refined(inner, *own), tol=0.0, max_iter=SHORT)
            except (DegenerateComponentError, np.linalg.LinAlgError):
                continue
            if run.objective > highest + TIE:
                best, highest = run.params, run.objective
    return refined(start, *clusters[0]) if best is None else best


def seeded(start: Start) -> Clusters:
    """Greedy k-means++ seeds on standardised features."""
    sample, metric = start.sample(), standardised(start.totals)
    with ArraySource(
        mapped(sample.points, metric), sample.weights, n_threads=start.n_threads
    ) as source:
        seeds = plusplus(SortedPoints(source), start.k, start.rng)
    return Clusters(sample.points[seeds], metric)


def by_plusplus(start: Start) -> Any:
    """Greedy k-means++ seeds; each row belongs to its nearest one."""
    return refined(start, *seeded(start))


def by_rows(start: Start) -> Any:
    """k different rows drawn by weight; each row belongs to the nearest of them."""
    sample = start.sample()
    weights, seeds = sample.weights.copy(), []
    for _ in range(start.k):
        if not weights.any():  # fewer distinct rows than components: start over
            weights = sample.weights.copy()
        seeds.append(int(draw(weights, start.rng)))
        weights[seeds[-1]] = 0.0
    return refined(start, sample.points[seeds], standardised(start.totals))


def by_chance(start: Start) -> Any:
    """Uniform random responsibilities, the same for equal rows; needs memory for (n, k)."""
    groups = start.source.groups()
    shares = start.rng.uniform(size=(groups.max() + 1, start.k))
    shares /= shares.sum(axis=1, keepdims=True)
    params = from_responsibilities(
        start.source,
        start.family,
        shares[groups],
        np.repeat(start.totals.mean[None], start.k, axis=0),
    )
    return start.family.refine(params, start)


INITIALISERS: dict[str, Callable[[Start], Any]] = {
    "kmeans": by_kmeans,
    "k-means++": by_plusplus,
    "random_from_data": by_rows,
    "random": by_chance,
}

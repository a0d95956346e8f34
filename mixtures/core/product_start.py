"""Where a mixture over several kinds of columns starts: where one kind, or all, show clusters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .clustering import TIE, Clusters
from .discriminants import Array
from .initialise import INITIALISERS, Start, kmeans_clusters, refined, score


def widened(clusters: Clusters, columns: slice, mean: Array) -> Clusters:
    """Clusters of some columns as clusters of all of them, of which the others do not matter."""
    centres = np.repeat(mean[None], len(clusters.centres), axis=0)
    centres[:, columns] = clusters.centres
    metric = np.zeros((len(mean), *clusters.metric.shape[1:]))
    metric[columns] = clusters.metric
    return Clusters(centres, metric)


def by_parts(start: Start) -> Any:
    """k-means on all columns, and on those of each part as its own family would start.

    Of the partitions the one is kept that the families like best together.
    """
    source: Any = start.source
    family: Any = start.family
    totals: Any = start.totals
    found = []
    each = zip(source.parts, totals.parts, family.families, source.columns, strict=True)
    for part, total, own, columns in each:
        clusters = kmeans_clusters(start._replace(source=part, totals=total, family=own))
        found.append(widened(clusters, columns, totals.mean))
    if len(found) == 1:
        return refined(start, *found[0])
    found.append(kmeans_clusters(start))
    sample, best, highest = start.sample(), found[-1], -np.inf
    with source.some(sample.rows, sample.weights) as sampled:
        for clusters in found:
            value = score(sampled, family, clusters, start.k)
            if value > highest + TIE:
                best, highest = clusters, value
    return refined(start, *best)


PART_INITIALISERS = {**INITIALISERS, "kmeans": by_parts}

"""Greedy k-means++ over all rows: exact weights, any order of rows, one pass for each seed.

Each seed is the best of a few candidates drawn with probability proportional to weight times
squared distance from the seeds so far (Arthur and Vassilvitskii 2007). Two things are special.

*The draw knows no order of rows.* A candidate is found by inverting the cumulative mass over rows
in the order of a hash of their values. Equal rows are neighbours in it, so repeated rows are as
good as weights, and permuted rows change nothing. Rows are kept in bins by the first bits of
their hash; a draw picks a bin, then a row among the few in the bin.

*One pass over the rows for each seed.* A pass prices the candidates of the next seed, and takes
the last one into account on the way. So when candidates are drawn, the distances to the very last
seed are not known yet but for the few rows looked at: bins are drawn by masses that are out of
date, hence too large, and kept with the probability that corrects it (rejection sampling).
"""

from __future__ import annotations

import numpy as np

from .discriminants import Array
from .points import AbstractPoints

BITS = 12
"""Two to this many bins, of which a draw looks into one. Never by the number of rows: the draws
depend on it, and must not change where rows are repeated."""
CHUNK = 4096  # rows whose hashes or masses exist at a time
STALE = 0.5  # share of the bins' masses that is left when they are measured anew


def plusplus(
    points: AbstractPoints, k: int, rng: np.random.RandomState, n_trials: int | None = None
) -> np.ndarray:
    """Indices (k,) of rows to seed k-means with.

    Parameters
    ----------
    points : AbstractPoints
    k : int
    rng : numpy.random.RandomState
    n_trials : int, default=None
        Candidates for each seed after the first; ``2 + log k`` by default.

    Notes
    -----
    With fewer distinct rows than k, rows are repeated; rows whose squared distance is below
    1e-45 in the frame's units are not distinct.
    """
    trials = 2 + int(np.log(k)) if n_trials is None else n_trials
    closest = np.empty(points.n_rows, np.float32)
    bins = Bins(points, rng, closest)
    closest[:] = np.inf
    seeds = [bins.draw(rng)]
    total, measured = np.inf, np.inf
    for _ in range(1, k):
        last = points.rows(np.array(seeds[-1:]))
        if not total > STALE * measured or not np.isfinite(total):
            total = points.potentials(last, closest)[0]
            np.minimum(closest, np.finfo(np.float32).max, out=closest)  # no mass may be infinite
            measured = bins.measure(closest)
        if measured > 0:
            candidates = [bins.draw_far(closest, last[0], rng) for _ in range(trials)]
        else:  # every row is a seed already
            candidates = [bins.draw(rng)]
        sums = points.potentials(np.vstack([last, points.rows(np.array(candidates))]), closest)
        best = int(np.argmin(sums[1:]))
        total = sums[1 + best]
        seeds.append(candidates[best])
    return np.array(seeds)


class Bins:
    """Rows by the first bits of their hash, and the mass of each bin when it was last measured.

    ``members[starts[b] : starts[b + 1]]`` are the rows of bin b.
    """

    def __init__(
        self, points: AbstractPoints, rng: np.random.RandomState, scratch: np.ndarray | None = None
    ) -> None:
        """Sort rows into bins; `scratch` (n,) float32 is memory that is overwritten."""
        self.points = points
        self.salt = int(np.frombuffer(rng.bytes(8), dtype=np.uint64)[0])
        scratch = np.empty(points.n_rows, np.float32) if scratch is None else scratch
        numbers = scratch.view(np.uint16)[: points.n_rows]
        for lo in range(0, points.n_rows, CHUNK):
            hashes = points.hashes(slice(lo, lo + CHUNK), self.salt)
            numbers[lo : lo + CHUNK] = hashes >> np.uint64(64 - BITS)
        self.starts = np.zeros((1 << BITS) + 1, np.int64)
        self.members = np.empty(points.n_rows, np.int32 if points.n_rows < 2**31 else np.int64)
        for lo in range(0, points.n_rows, CHUNK):
            self.starts[1:] += np.bincount(numbers[lo : lo + CHUNK], minlength=1 << BITS)
        self.starts = np.cumsum(self.starts)
        free = self.starts[:-1].copy()  # where the next row of each bin goes
        for lo in range(0, points.n_rows, CHUNK):
            points.place(numbers[lo : lo + CHUNK].astype(np.int64), lo, free, self.members)
        self.measure(None)

    def measure(self, closest: np.ndarray | None) -> float:
        """Measure the masses of all bins, or only their weights; their sum."""
        self.masses = self._sum(closest)
        self.cumulative = np.cumsum(self.masses)
        return float(self.cumulative[-1])

    def draw(self, rng: np.random.RandomState) -> int:
        """A row drawn by weight alone."""
        w = self.points.sample_weight
        rows = self.rows_of(pick(np.cumsum(self._sum(None)), rng))
        return int(rows[pick(np.cumsum(np.ones(len(rows)) if w is None else w[rows]), rng)])

    def draw_far(self, closest: np.ndarray, last: Array, rng: np.random.RandomState) -> int:
        """A row drawn by weight times squared distance to the nearest seed, be it `last` (d,)."""
        while True:
            number = pick(self.cumulative, rng)
            rows = self.rows_of(number)
            z = self.points.rows(rows)
            z -= last
            mass = np.minimum(closest[rows], np.einsum("nd,nd->n", z, z))
            if self.points.sample_weight is not None:
                mass *= self.points.sample_weight[rows]
            cumulative = np.cumsum(mass, dtype=np.float64)
            if rng.random_sample() * self.masses[number] < cumulative[-1]:
                return int(rows[pick(cumulative, rng)])

    def _sum(self, closest: np.ndarray | None) -> Array:
        """Sum over the rows of each bin of their weights, times `closest` (n,) where given."""
        out, w = np.zeros(len(self.starts) - 1), self.points.sample_weight
        if w is None and closest is None:
            return np.diff(self.starts).astype(np.float64)
        step = max(1, CHUNK * len(out) // self.points.n_rows)
        for lo in range(0, len(out), step):
            starts = self.starts[lo : lo + step + 1]
            rows = self.members[starts[0] : starts[-1]]
            full = np.flatnonzero(np.diff(starts))
            if len(full):
                factors = [a[rows] for a in (w, closest) if a is not None]
                mass = factors[0] if len(factors) == 1 else factors[0] * factors[1]
                at = starts[full] - starts[0]
                out[lo + full] = np.add.reduceat(mass, at, dtype=np.float64)
        return out

    def rows_of(self, number: int) -> np.ndarray:
        """The rows of a bin in the order of their hash."""
        rows = self.members[self.starts[number] : self.starts[number + 1]]
        return rows[np.argsort(self.points.hashes(rows, self.salt), kind="stable")]


def pick(cumulative: Array, rng: np.random.RandomState) -> int:
    """An index drawn with probability proportional to the steps of a cumulative sum.

    Never one without a step: the first to exceed a number below the total.
    """
    level = rng.random_sample() * cumulative[-1]
    return int(np.searchsorted(cumulative, min(level, np.nextafter(cumulative[-1], 0.0)), "right"))

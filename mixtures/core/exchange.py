"""Local search for k-means: from where Lloyd's iterations end to a better place, never a worse.

Two neighbourhoods, the wide one first.

*Swaps* (Lattanzi and Sohler 2019, with the foresight of Conrads et al. 2023): a row drawn with
probability proportional to weight times squared distance from its centre becomes a centre in place
of the one that is missed least; the swap is kept if a few of Lloyd's iterations from there find
a lower inertia. This mends what seeding did wrong, two centres in one cluster and one in two.

*Exchanges* (Hartigan and Wong 1979; Telgarsky and Vattani 2010): a row of weight w moves from
cluster A to B if that lowers the inertia, both means following at once:

``N_B / (N_B + w) |z - m_B|^2 < N_A / (N_A - w) |z - m_A|^2``.

As the factors are below and above one, what no exchange improves no iteration of Lloyd's does.

Equal rows move as one row of their summed weight, and rows are looked at in the order of a hash of
their values: repeated rows are as good as weights, in any order of rows.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from .discriminants import Array
from .distinct import DistinctRows, step_for
from .lloyd import ROUNDING, Clustering, LloydStop, Monitor, means, relocate, run_lloyd
from .plusplus import pick
from .points import AbstractPoints, Labels

N_SWAPS = 25
FORESIGHT = 2
"""Iterations of Lloyd's after which a swap is judged."""

MAX_ITER = 300  # of Lloyd's, and sweeps
STRICT = 1e-10
"""Share of a row's cost by which a move must lower it, so that rounding moves no row to and fro."""

LEFT = 1e-12
"""Share of a cluster's weight that is left without a row; if less, its mean is rounding."""

SLACK = 1e-9  # of distances, for the rounding of bounds


def improve(
    points: AbstractPoints,
    clustering: Clustering,
    rng: np.random.RandomState,
    *,
    n_swaps: int = N_SWAPS,
    monitor: Monitor | None = None,
) -> Clustering:
    """Lower the inertia of a clustering by swaps of centres, then by exchanges of rows.

    Parameters
    ----------
    points : AbstractPoints
        Of positive weights.
    clustering : Clustering
        Where Lloyd's iterations ended; it is not changed.
    rng : numpy.random.RandomState
    n_swaps : int
        Swaps that are tried; with 0 there are only exchanges.
    monitor : callable (iteration, centres, labels) -> bool, optional
        Called after each entry of the trace; True stops the search.

    Returns
    -------
    Clustering
        Labels are those of the nearest centres, and the inertia is theirs; it never exceeds that
        of `clustering`. The trace goes on by one entry for each swap that is kept, each of Lloyd's
        iterations until it settles, and each sweep of exchanges over all rows; it does not rise.
        `n_iter` counts them. If it is settled, no exchange of a row would lower the inertia.
    """
    search = _Search(points, DistinctRows(points, rng), clustering, monitor)
    search.swap(rng, n_swaps)
    search.settle()
    search.exchange()
    return search.result()


class _Search:
    """The best clustering so far."""

    def __init__(
        self,
        points: AbstractPoints,
        distinct: DistinctRows,
        start: Clustering,
        monitor: Monitor | None,
    ) -> None:
        self.points, self.distinct, self.monitor = points, distinct, monitor
        self.best = start._replace(labels=start.labels.copy(), trace=list(start.trace))
        self.ended = False

    def _record(self, centres: Array, labels: Labels, inertia: float) -> None:
        """Go on to a better clustering, by one entry of the trace."""
        trace, n_iter = [*self.best.trace, inertia], self.best.n_iter + 1
        self.best = Clustering(centres, labels, inertia, trace, n_iter, LloydStop.MAX_ITER)
        if self.monitor is not None and self.monitor(n_iter, centres, labels):
            self._end(LloydStop.CALLBACK)

    def _end(self, reason: LloydStop) -> None:
        self.ended, self.best = True, self.best._replace(reason=reason)

    # ---- swaps of a centre for a row ----

    def swap(self, rng: np.random.RandomState, n_swaps: int) -> None:
        """Try so many swaps."""
        points, first, weight = self.points, self.distinct.first, self.distinct.weight
        k, everywhere = len(self.best.centres), np.zeros(points.n_rows, np.int32)
        nearest = None
        for _ in range(n_swaps if k > 1 else 0):
            if nearest is None:
                nearest = self._two_nearest()
                label, one, two = nearest
                cumulative = np.cumsum(weight * one)
            if not cumulative[-1] > 0.0:
                return
            row = points.rows(first[[pick(cumulative, rng)]])
            here = points.squared_distances(row, everywhere)[first]
            missed = np.minimum(two, here) - np.minimum(one, here)
            centres = self.best.centres.copy()
            centres[np.bincount(label, weight * missed, k).argmin()] = row[0]
            trial = run_lloyd(points, centres, tol=0.0, max_iter=FORESIGHT)
            if trial.inertia < (1.0 - ROUNDING) * self.best.inertia:
                self._record(trial.centres, trial.labels, trial.inertia)
                nearest = None
            if self.ended:
                return

    def _two_nearest(self) -> tuple[Labels, Array, Array]:
        """Of distinct rows: labels, squared distances to the nearest centre and to the second."""
        centres, first = self.best.centres, self.distinct.first
        labels = np.empty(len(first), np.int32)
        one, two = np.empty(len(first)), np.empty(len(first))
        step = step_for(sum(centres.shape))
        for lo in range(0, len(first), step):
            here = slice(lo, lo + step)
            squared = cdist(self.points.rows(first[here]), centres, "sqeuclidean")
            each = np.arange(len(squared))
            labels[here] = squared.argmin(axis=1)
            one[here] = squared[each, labels[here]]
            squared[each, labels[here]] = np.inf
            two[here] = squared.min(axis=1)
        return labels, one, two

    # ---- exchanges of rows between clusters ----

    def settle(self) -> None:
        """Lloyd's iterations first: they move many rows at a time."""
        old, monitor = self.best, self.monitor
        if self.ended or old.reason is LloydStop.SETTLED:
            return
        shifted = None if monitor is None else lambda i, *rest: monitor(old.n_iter + i, *rest)
        run = run_lloyd(self.points, old.centres, tol=0.0, max_iter=MAX_ITER, monitor=shifted)
        inertia = min(run.inertia, old.inertia)  # by rounding alone
        trace = [*old.trace, *np.clip(run.trace[1:], inertia, old.inertia).tolist()]
        n_iter = old.n_iter + len(run.trace) - 1
        self.best = run._replace(inertia=inertia, trace=trace, n_iter=n_iter)
        self.ended = run.reason is LloydStop.CALLBACK

    def exchange(self) -> None:
        """Sweep over the rows until none moves."""
        if self.ended:
            return
        state = _Exchange(self.points, self.distinct, self.best)
        for _ in range(MAX_ITER):
            moved = state.sweep()
            least = self.best.inertia if moved else (1.0 - ROUNDING) * self.best.inertia
            if state.inertia < least:
                self._record(state.centres, state.labels.copy(), state.inertia)
            if self.ended:
                return
            if not (moved and state.inertia < least):
                return self._end(LloydStop.SETTLED)
        self._end(LloydStop.MAX_ITER)

    def result(self) -> Clustering:
        """The best clustering; each row, after the last moves of means, with the nearest one."""
        centres, labels, _, trace, _, _ = self.best
        if not self.points.assign(centres, labels).changed:
            return self.best
        inertia, _ = self.points.summarise(centres, labels)
        inertia = min(inertia, trace[-1])
        return self.best._replace(inertia=inertia, trace=[*trace[:-1], inertia])


class _Exchange:
    """Rows that move between clusters, and bounds that tell which ones cannot want to.

    For each distinct row: `reach`, at least its distance to its own mean, and `gap`, at most by how
    much any other mean is farther. A mean that moves by s changes both by s at most.
    """

    def __init__(self, points: AbstractPoints, distinct: DistinctRows, start: Clustering) -> None:
        self.points, self.distinct = points, distinct
        self.labels, self.centres = start.labels.copy(), start.centres.copy()
        _, self.totals = points.summarise(self.centres, self.labels)
        relocate(points, self.centres, self.labels, self.totals)
        self.centres = means(self.totals, self.centres)
        self.inertia = start.inertia
        self.rows = np.bincount(self._own(), minlength=len(self.centres))
        self.reach, self.gap = np.zeros(len(distinct.first)), np.zeros(len(distinct.first))
        self.path = np.zeros(len(self.centres))  # how far each mean went since the last sweep

    def _own(self) -> Labels:
        return self.labels[self.distinct.first]

    def sweep(self) -> int:
        """Move what wants to move, then each centre to the mean of its rows; how many moved."""
        moved = 0
        candidates = self._candidates()
        step = step_for(sum(self.centres.shape))
        for lo in range(0, len(candidates), step):
            numbers = candidates[lo : lo + step]
            Z = self.points.rows(self.distinct.first[numbers])
            for i in np.flatnonzero(self._want(numbers, Z)):
                moved += self._move(int(numbers[i]), Z[i])
        inertia, self.totals = self.points.summarise(self.centres, self.labels)
        new = means(self.totals, self.centres)
        squared = ((new - self.centres) ** 2).sum(axis=1)
        self.inertia = inertia - float(self.totals[:, -2] @ squared)
        self.path += np.sqrt(squared)
        self.centres = new
        return moved

    def _candidates(self) -> np.ndarray:
        """Distinct rows of which the bounds do not tell that they stay.

        Another mean must be nearer than this one times the root of both factors of the law.
        """
        w, own, N = self.distinct.weight, self._own(), self.totals[:, -2]
        self.reach += self.path[own]
        self.gap -= self.path[own] + self.path.max()
        self.path[:] = 0.0
        if not N.all():
            return np.arange(len(w))
        least = np.sort(N)[:2]
        other = np.where(least[0] < N, least[0], least[-1])[own]  # lightest of the other clusters
        gain = self._loss(own, w) * (1.0 + w / other)
        bound = (np.sqrt(gain) - (1.0 - SLACK)) * self.reach
        return np.flatnonzero((gain > 0.0) & (self.gap <= bound))

    def _loss(self, own: np.ndarray, w: Array) -> Array:
        """``N_A / (N_A - w)``, or 0 for a row that must not leave: alone, or all of the weight."""
        N = self.totals[own, -2]
        rest = N - w
        free = (self.rows[own] > 1) & (rest > LEFT * N)
        return np.divide(N, rest, out=np.zeros_like(N), where=free)

    def _want(self, numbers: np.ndarray, Z: Array) -> np.ndarray:
        """Which of some rows (m, d) would lower the inertia in another cluster; bounds anew."""
        w, N = self.distinct.weight[numbers], self.totals[:, -2]
        own, each = self.labels[self.distinct.first[numbers]], np.arange(len(numbers))
        squared = cdist(Z, self.centres, "sqeuclidean")
        nearest = squared[each, own]
        squared[each, own] = np.inf
        self.reach[numbers] = np.sqrt(nearest)
        self.gap[numbers] = np.sqrt(squared.min(axis=1)) - self.reach[numbers]
        squared *= N / (N + w[:, None])
        return squared.min(axis=1) < nearest * self._loss(own, w) * (1.0 - STRICT)

    def _move(self, number: int, z: Array) -> bool:
        """Move a row and its copies to where they cost least, if it still lowers the inertia."""
        copies, w = self.distinct.copies(number), float(self.distinct.weight[number])
        own, N = int(self.labels[copies[0]]), self.totals[:, -2]
        rest = float(N[own]) - w
        if self.rows[own] < 2 or not rest > LEFT * N[own]:
            return False
        squared = ((self.centres - z) ** 2).sum(axis=1)
        stay = squared[own] * N[own] / rest
        squared *= N / (N + w)
        squared[own] = np.inf
        new = int(squared.argmin())
        if not squared[new] < stay * (1.0 - STRICT):
            return False
        for c, signed, row in ((own, -w, -1), (new, w, 1)):
            step = signed / (N[c] + signed) * (z - self.centres[c])
            self.centres[c] += step
            self.path[c] += np.sqrt(step @ step)
            N[c] += signed
            self.rows[c] += row
        self.labels[copies], self.gap[number] = new, -np.inf
        return True

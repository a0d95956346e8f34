"""Lloyd's iterations: k-means as the limit of EM for equal, ever narrower spherical components.

Each iteration assigns every row to its nearest centre and moves every centre to the mean of its
rows. Neither can raise the inertia, the weighted sum of squared distances, and by how much each
lowers it is a sum of squares that cancels nothing:

- of the rows that change their label, ``w (|z - old centre|^2 - |z - new centre|^2)``;
- of the centres that move, ``weight |new centre - old centre|^2``.

So the trace is exact however small the inertia becomes beside the scatter of the rows, and is had
for nothing. Only rows that change their label touch the totals.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import numpy as np

from .discriminants import Array
from .points import BLOCK, NO_MARGINS, AbstractPoints, Labels

REFRESH = 20
"""Iterations between two sums over all rows, which leave no trace of rounding in the totals."""

LOST = 2.0**-20
"""Share of its largest weight below which a cluster's totals are rounding: summed afresh."""

BOUNDED_WORK, BOUNDED_SHARE = 1024, 0.02
"""Features times centres from which, and share of rows that change their label below which, margins
save more than they cost: so cheap is a look at all centres in vectors."""

ROUNDING = 1e-12
"""Share of the inertia that is rounding. Totals can be off by more when rows of huge weight have
left a cluster: the means are then taken once more."""


class LloydStop(Enum):
    """Why Lloyd's iterations ended, as a sentence."""

    SETTLED = "No row changed its cluster."
    CONVERGED = "The centres moved by less than tol."
    MAX_ITER = "max_iter iterations were done before the centres settled."
    CALLBACK = "A callback asked to stop."


AT_REST = frozenset({LloydStop.SETTLED, LloydStop.CONVERGED})


class Clustering(NamedTuple):
    """Centres, and the rows that are nearest to each."""

    centres: Array  # (k, d), in the frame
    labels: Labels  # (n,), of the centres as they are
    inertia: float  # of labels and centres, in the frame's units
    trace: list[float]  # the inertia at the start and after each iteration
    n_iter: int
    reason: LloydStop


Monitor = Callable[[int, Array, Labels], bool]


def means(totals: Array, centres: Array) -> Array:
    """Mean of each cluster's rows (k, d); a centre without rows stays."""
    full = totals[:, -1:] > 0
    return np.divide(totals[:, :-2], totals[:, -2:-1], out=centres.copy(), where=full)


def shrinkage(moves: Array) -> Array:
    """By how much margins shrink (k,) when centres move by `moves` (k,): the move of a row's own
    centre and the largest of the others'."""
    if len(moves) == 1:
        return np.zeros(1)
    order = np.argsort(moves)
    others = np.full(len(moves), moves[order[-1]])
    others[order[-1]] = moves[order[-2]]
    return (moves + others) * (1.0 + 1e-9)


def run_lloyd(
    points: AbstractPoints,
    centres: Array,
    *,
    tol: float,
    max_iter: int,
    bounded: bool | None = None,
    monitor: Monitor | None = None,
) -> Clustering:
    """Iterate from `centres` (k, d) until no row changes its cluster or the centres rest.

    Parameters
    ----------
    points : AbstractPoints
    centres : ndarray of shape (k, d)
    tol : float
        Sum of squared moves of all centres, in the frame's units, up to which they rest.
    max_iter : int
    bounded : bool, default=None
        Keep margins, and pass over rows whose label cannot change (triangle inequality, after
        Hamerly 2010): always, never or, by default, once few labels change. No result depends on
        it.
    monitor : callable (iteration, centres, labels) -> bool, optional
        Called after each iteration with the moved centres and the labels that moved them; True
        stops the run.
    """
    labels = np.full(points.n_rows, -1, np.int32)
    totals = np.zeros((len(centres), points.n_features + 2))
    state = _State(points, centres.copy(), labels, totals, bounded)
    reason, n_iter = LloydStop.MAX_ITER, 0
    for n_iter in range(1, max_iter + 1):
        changed = state.assign()
        relocated, shift = state.move(exact=n_iter % REFRESH == 0)
        if monitor is not None and monitor(n_iter, state.centres, labels):
            reason = LloydStop.CALLBACK
        elif changed == 0 and not relocated:
            reason = LloydStop.SETTLED
        elif tol > 0.0 and shift <= tol and not relocated:
            reason = LloydStop.CONVERGED
        if reason is not LloydStop.MAX_ITER:
            break
    return state.result(n_iter, reason)


class _State:
    """Where the iterations are."""

    def __init__(
        self,
        points: AbstractPoints,
        centres: Array,
        labels: Labels,
        totals: Array,
        bounded: bool | None,
    ) -> None:
        self.points, self.centres, self.labels, self.totals = points, centres, labels, totals
        self.bounded, self.margins = bounded, NO_MARGINS
        self.largest = np.zeros(len(centres))  # weights of the clusters since the last full sum
        self.moves = np.zeros(len(centres))  # of the centres, since the margins were last seen to
        self.falls: list[float] = []  # of the inertia, by each iteration

    def assign(self) -> int:
        """Give each row to its nearest centre; how many changed."""
        if self.bounded and not len(self.margins):
            self.margins = np.zeros(len(self.labels), np.float32)
        found = self.points.assign(self.centres, self.labels, self.margins, shrinkage(self.moves))
        self.moves[:] = 0.0
        self.totals += found.totals
        self._mend()
        if self.falls:
            self.falls[-1] += found.gain
        if self.bounded is None and self.centres.size >= BOUNDED_WORK:
            self.bounded = found.changed < BOUNDED_SHARE * len(self.labels) or None
        return found.changed

    def _mend(self) -> None:
        """Sum afresh where rows of huge weight have left little but their rounding."""
        weight, number = self.totals[:, -2], self.totals[:, -1]
        self.largest = np.maximum(self.largest, weight)
        if ((number > 0) & (weight < LOST * self.largest)).any():
            self.sum()

    def sum(self) -> None:
        """Sum all rows by their labels."""
        _, self.totals = self.points.summarise(self.centres, self.labels)
        self.largest = self.totals[:, -2].copy()

    def move(self, *, exact: bool) -> tuple[bool, float]:
        """Move each centre to the mean of its rows.

        Returns whether an empty cluster was given a row, and the sum of the squared moves.
        """
        if exact:
            self.sum()
        fall, empty = 0.0, self.totals[:, -1] == 0
        if empty.any():
            self.totals[empty] = 0.0  # what rounding left
            fall = relocate(self.points, self.centres, self.labels, self.totals)
            if fall > 0.0:  # heavy rows may have left lighter ones behind
                self.sum()
        new = means(self.totals, self.centres)
        squared = ((new - self.centres) ** 2).sum(axis=1)
        self.falls.append(fall + float(self.totals[:, -2] @ squared))
        self.centres, self.moves = new, self.moves + np.sqrt(squared)
        if fall > 0.0:  # rows were given other labels: their margins are not those of these
            self.margins = self.margins[:0]
        return fall > 0.0, float(squared.sum())

    def off_mean(self) -> float:
        """By how much the inertia would fall if each centre moved to its mean."""
        squared = ((means(self.totals, self.centres) - self.centres) ** 2).sum(axis=1)
        return float(self.totals[:, -2] @ squared)

    def result(self, n_iter: int, reason: LloydStop) -> Clustering:
        """Labels and inertia of the centres as they are, and the trace that led there."""
        self.assign()
        inertia, self.totals = self.points.summarise(self.centres, self.labels)
        if reason is LloydStop.SETTLED and self.off_mean() > ROUNDING * inertia:
            self.move(exact=False)
            self.assign()
            last = self.falls.pop()  # it belongs to the last iteration
            self.falls[-1] += last
            inertia, self.totals = self.points.summarise(self.centres, self.labels)
        trace = inertia + np.r_[np.cumsum(self.falls[::-1])[::-1], 0.0]
        return Clustering(self.centres, self.labels, inertia, trace.tolist(), n_iter, reason)


def relocate(points: AbstractPoints, centres: Array, labels: Labels, totals: Array) -> float:
    """Give each empty cluster the row that is farthest from its own centre; the fall of inertia.

    Rows equal to it go along, so that repeated rows are as good as weights; of rows equally far
    the first in lexicographic order is taken, so that the order of rows does not matter. Labels
    and totals are changed; the centre of the cluster is moved onto the row, so that it is the
    mean. A cluster stays empty where every row is its own centre.
    """
    fall = 0.0
    squared = points.squared_distances(centres, labels)
    for empty in np.flatnonzero(totals[:, -1] == 0):
        row, copies = _farthest(points, labels, totals, squared)
        if row is None:
            break
        w = float(
            len(copies) if points.sample_weight is None else points.sample_weight[copies].sum()
        )
        old, moved = labels[copies[0]], np.r_[w * row, w, len(copies)]
        fall += w * float(squared[copies[0]])
        totals[old] -= moved
        totals[empty], centres[empty] = moved, row
        labels[copies], squared[copies] = empty, 0.0
    return fall


def _least(rows: Array) -> Array:
    """The first of rows (m, d) in lexicographic order."""
    return rows[np.lexsort(rows.T[::-1])[0]]


def _farthest(
    points: AbstractPoints, labels: Labels, totals: Array, squared: Array
) -> tuple[Array | None, np.ndarray]:
    """The row farthest from its centre in a cluster that has others, and where its copies are."""
    while squared.max() > 0:
        ties = np.flatnonzero(squared == squared.max())
        blocks = [ties[lo : lo + BLOCK] for lo in range(0, len(ties), BLOCK)]
        first = _least(np.array([_least(points.rows(block)) for block in blocks]))
        equal = [block[(points.rows(block) == first).all(axis=1)] for block in blocks]
        copies = np.concatenate(equal)
        if len(copies) < totals[labels[copies[0]], -1]:
            return first, copies
        squared[copies] = 0.0  # alone in its cluster: it would only leave another one empty
    return None, np.empty(0, np.intp)

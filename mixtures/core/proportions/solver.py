"""The maximum of the log-likelihood over the simplex: few columns, few rows, and a proof.

Three observations make it fast, and none of them enters the answer, which is certified:

1. *The maximum is sparse*, as a rule: of 800 components five have positive weight. So Newton's
   method runs on a *working set* of some tens of columns, and all K are only *priced*: one pass
   over the densities gives ``g_k = mean_n F_nk / u_n`` for every k. By Jensen's inequality no
   weights gain more than ``log max_k g_k`` (the certificate), and columns with g_k > 1 are the
   only ones that can gain anything (column generation, as in Wang 2007, J. R. Statist. Soc. B 69).
2. *A part of the rows knows the working set.* The problem is solved on one row in 256 first, then
   on one in 16, then on all: each starts where the last one ended.
3. *Every row is explained at any time*, by a column that is the mean of all: it starts with all the
   weight and ends, as a rule, with none.

Where most of the components have weight and differ well, as the classes of a good classifier do, EM
itself converges in a few passes. That too is seen on few rows.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ..acceleration import Squarem
from ..discriminants import Array
from .ascent import Ascent, Reason, gap_of, iterate
from .newton import FLAT, Climb
from .source import DensitySource, Evaluation

FEW = 32
"""Components that are all in the working set from the outset."""

LEAST_ROWS, STEP = 1024, 16
"""Rows of the smallest part at least, and how many times more the next one has."""

TRIAL, PATIENCE = 25, 40
"""Passes in which accelerated EM must come to the end on few rows, and on more of them, to stay."""

ENOUGH_ROWS, ALIKE = 100, 2.0
"""Rows for each column that make a sketch of the curvature, and how far gradients may be apart."""

WORTH = 4
"""Times more rows there must be than a sketch takes."""

DUST = (1.0, 1e-4, 1e-8)
"""Shares of ``1 - g_k`` below which weights are dust: the first at which the certificate holds."""

MOST_PEAKS, MOST_TOP = 12, 8
"""New columns of a working set."""


def maximise(
    source: DensitySource, start: Array, tol: float, max_iter: int, store_orbit: bool,
    try_em: bool,
) -> Ascent:  # fmt: skip
    """Maximise the mean log-likelihood over the simplex; accelerated EM or Newton's method.

    Parameters
    ----------
    source : DensitySource
    start : ndarray of shape (K,), positive, on the simplex
    tol : float
        Of the certificate, nats per row.
    max_iter : int
        Steps on all rows, at most.
    store_orbit : bool
    try_em : bool
        Whether EM may do it, if it can in few passes.
    """
    levels = [source]
    while levels[-1].n_rows >= STEP * LEAST_ROWS:
        levels.append(levels[-1].every(STEP))
    K, p, below = source.n_components, start, None
    try_em = try_em and K > FEW
    for level in reversed(levels):
        last = level is source
        goal = tol if last else max(tol, 0.2 / level.n_rows)
        if try_em:
            passes = TRIAL if below is None else PATIENCE
            result = iterate(level, p, goal, min(passes, max_iter), Squarem, store_orbit and last)
            try_em = result.gap <= goal
        if not try_em:
            result = _Ascent(level, below, goal, store_orbit and last).run(p, max_iter)
        share, below = 1.0 / level.n_rows, level
        p = (1.0 - share) * result.weights + share / K
    return _dusted(source, result, tol)


def _dusted(source: DensitySource, found: Ascent, tol: float) -> Ascent:
    """A result without the weights that steps have left behind on their way to zero.

    At the maximum one of ``p_k`` and ``1 - g_k`` is zero: a weight below the latter is on its way.
    """
    if found.reason is not Reason.CERTIFIED:
        return found
    for share in DUST:
        live = found.weights > share * np.maximum(1.0 - found.gradient, 0.0)
        if live[found.weights > 0].all():
            return found
        clean = np.where(live, found.weights, 0.0)
        clean /= clean.sum()
        at = source.evaluate(np.flatnonzero(live), clean[live], np.arange(len(clean)))
        if gap_of(at.gradient) <= tol and at.value >= found.value - FLAT:
            path, orbit = [*found.path[:-1], at.value], [*found.orbit[:-1], clean]
            return found._replace(
                weights=clean, value=at.value, gradient=at.gradient, path=path,
                orbit=orbit if found.orbit else [],
            )  # fmt: skip
    return found


class _Ascent:
    """Newton's method on working sets of columns, on one set of rows.

    Lines are the K components and, as line K, their mean. `below` has fewer rows, for sketches.
    """

    def __init__(
        self, source: DensitySource, below: DensitySource | None, tol: float, store_orbit: bool
    ) -> None:
        self.source, self.below, self.tol, self.store_orbit = source, below, tol, store_orbit
        self.every = np.arange(source.n_components)
        self.path: list[float] = []
        self.orbit: list[Array] = []

    def run(self, p: Array, max_iter: int) -> Ascent:
        """From p to the maximum, in at most so many steps."""
        K, tol = len(p), self.tol
        working, lines = self.every, np.append(p, 0.0)
        if K > FEW:
            lines = _as_lines(p)
            at = self._priced(lines)
            working = np.union1d(np.flatnonzero(lines), _candidates(at.gradient, tol))
        while True:
            whole = K <= FEW or 2 * len(working) > K
            if whole:
                working, lines = self.every, np.append(_as_weights(lines), 0.0)
            gap = 0.0 if whole else gap_of(at.gradient)
            steps, left = len(self.path), max_iter - max(len(self.path) - 1, 0)
            at, lines = self._climb(working, lines, max(0.5 * tol, min(0.05 * gap, 1e-3)), left)
            if not whole:
                at = self._priced(lines)
            gap, left = gap_of(at.gradient), max_iter - len(self.path) + 1
            stuck = len(self.path) == steps and gap > tol
            if gap <= tol or left <= 0 or stuck:
                break
            working = np.union1d(np.flatnonzero(lines), _candidates(at.gradient, tol))
        reason = Reason.CERTIFIED
        if gap > tol:
            reason = Reason.MAX_ITER if left <= 0 else Reason.STATIONARY
        weights, n_iter = _as_weights(lines), len(self.path) - 1
        return Ascent(weights, at.value, at.gradient, self.path, self.orbit, n_iter, reason)

    def _priced(self, lines: Array) -> Evaluation:
        """What every component offers, given the mixture that `lines` makes: one pass."""
        support = np.flatnonzero(lines)
        return self.source.evaluate(support, lines[support], self.every)

    def _sketch_rows(self, n_columns: int) -> DensitySource | None:
        """Rows enough to sketch the curvature of so many columns on, if that saves anything."""
        enough = ENOUGH_ROWS * n_columns
        if self.below is None or self.below.n_rows < enough:
            step = self.source.n_rows // enough
            if step < WORTH:
                return None
            self.below = self.source.every(step)
        return self.below

    def _climb(
        self, working: np.ndarray, lines: Array, tol: float, max_iter: int
    ) -> tuple[Evaluation, Array]:
        """Steps on the working set: what is known of its columns in the end, and the lines."""
        rows = self._sketch_rows(len(working))
        sketch = None if rows is None else partial(_sketch, rows, working)
        climb = Climb(partial(self.source.evaluate_on, working), lines[working], tol, sketch)
        climb.run(max_iter)
        for place in climb.places[1 if self.path else 0 :]:
            lines = np.zeros(len(lines))
            lines[working] = place.p
            self.path.append(place.at.value)
            if self.store_orbit:
                self.orbit.append(_as_weights(lines))
        return climb.places[-1].at, lines


def _sketch(below: DensitySource, working: np.ndarray, p: Array) -> Array:
    """The curvature on fewer rows.

    Where these disagree with all rows on how much a component is needed, they have too few of its
    rows: EM's own curvature, ``1 / p``, which is never too small, stands in.
    """
    at = below.evaluate_on(working, p, True)
    curvature, seen = at.curvature, (at.gradient > 1.0 / ALIKE) & (at.gradient < ALIKE)
    rare = np.flatnonzero((p > 0) & ~seen)
    curvature[rare], curvature[:, rare] = 0.0, 0.0
    curvature[rare, rare] = 1.0 / p[rare]
    return curvature


def _as_lines(p: Array) -> Array:
    """Weights of K + 1 lines: what all components have goes to their mean."""
    floor = float(p.min())
    lines = np.append(np.where(p <= floor * (1 + 1e-9), 0.0, p - floor), len(p) * floor)
    return lines / lines.sum()


def _as_weights(lines: Array) -> Array:
    """Weights of the components: the mean line's is that of all."""
    return lines[:-1] + lines[-1] / (len(lines) - 1)


def _candidates(g: Array, tol: float) -> np.ndarray:
    """Columns that may gain most: the largest, and peaks along the index, as neighbours on a grid
    are alike."""
    padded = np.concatenate([[-np.inf], g, [-np.inf]])
    more = g > 1.0 + 0.25 * tol
    peaks = np.flatnonzero((g >= padded[:-2]) & (g >= padded[2:]) & more)
    peaks = peaks[np.argsort(-g[peaks], kind="stable")][:MOST_PEAKS]
    top = np.argsort(-g, kind="stable")[:MOST_TOP]
    return np.union1d(peaks, top[more[top]])

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

Where components differ well, as the classes of a good classifier do, most of them have weight, and
EM converges in a few passes: then it is left to do so. Responsibilities on few rows tell.
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

APART, PROBED = 1 / 3, 32
"""Mean responsibility of components for their own rows from which EM is fast, and of how many it is
taken. Grids of densities have 0.01, a thousand classes of a good classifier 0.5 (measured)."""

LIGHT = 1e-3
"""Share of the weight that a part of the rows has at least, to be of any use."""

EM_PASSES, EM_PASSES_ON_FEW = 100, 30
"""Passes of accelerated EM at most, on all rows and on a part of them."""

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
        fewer = levels[-1].every(STEP)
        if not fewer.total_weight > LIGHT * levels[-1].total_weight:
            break  # a few rows have nearly all the weight
        levels.append(fewer)
    K, p, bent = source.n_components, start, None
    by_em = try_em and K > FEW and _apart(levels[-1])
    for level in reversed(levels):
        last = level is source
        goal = tol if last else max(tol, 0.2 / level.n_rows)
        if by_em:
            passes = min(EM_PASSES if last else EM_PASSES_ON_FEW, max_iter)
            result = iterate(level, p, goal, passes, Squarem, store_orbit and last)
        if not by_em or (last and result.gap > tol and result.n_iter < max_iter):
            ascent = _Ascent(level, goal, store_orbit and last, bent)
            if by_em:
                p, ascent.path, ascent.orbit = result.weights, result.path, result.orbit
            result, bent = ascent.run(p, max_iter), ascent.bent
        share = 1.0 / level.n_rows
        p = (1.0 - share) * result.weights + share / K
    return _dusted(source, result, tol)


def _apart(source: DensitySource) -> bool:
    """Whether components explain rows of their own, so that EM converges in few passes.

    The share that a component has, under equal weights, of the rows it is responsible for: from
    ``sum_n r_nk^2 / sum_n r_nk = p_k H_kk / g_k``.
    """
    K = source.n_components
    every = np.arange(K)
    probed = every[:: max(1, K // PROBED)]
    at = source.evaluate(every, np.full(K, 1.0 / K), probed, curvature=True)
    own = np.diagonal(at.curvature) / (K * np.maximum(at.gradient, 1e-300))
    return bool(own.mean() > APART)


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

    Lines are the K components and, as line K, their mean. `bent` is the curvature of all K,
    if a climb with all of them, here or before on fewer rows, has found one.
    """

    def __init__(
        self, source: DensitySource, tol: float, store_orbit: bool, bent: Array | None
    ) -> None:
        self.source, self.tol, self.store_orbit, self.bent = source, tol, store_orbit, bent
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
            working = _with_candidates(lines, at.gradient, tol)
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
            working = _with_candidates(lines, at.gradient, tol)
        reason = Reason.CERTIFIED
        if gap > tol:
            reason = Reason.MAX_ITER if left <= 0 else Reason.STATIONARY
        weights, n_iter = _as_weights(lines), len(self.path) - 1
        return Ascent(weights, at.value, at.gradient, self.path, self.orbit, n_iter, reason)

    def _priced(self, lines: Array) -> Evaluation:
        """What every component offers, given the mixture that `lines` makes: one pass."""
        support = np.flatnonzero(lines)
        return self.source.evaluate(support, lines[support], self.every)

    def _climb(
        self, working: np.ndarray, lines: Array, tol: float, max_iter: int
    ) -> tuple[Evaluation, Array]:
        """Steps on the working set: what is known of its columns in the end, and the lines."""
        whole = working is self.every
        evaluate = partial(self.source.evaluate_on, working)
        climb = Climb(evaluate, lines[working], tol, self.bent if whole else None)
        climb.run(max_iter)
        if whole:
            self.bent = climb.places[-1].at.curvature
        for place in climb.places[1 if self.path else 0 :]:
            lines = np.zeros(len(lines))
            lines[working] = place.p
            self.path.append(place.at.value)
            if self.store_orbit:
                self.orbit.append(_as_weights(lines))
        return climb.places[-1].at, lines


def _as_lines(p: Array) -> Array:
    """Weights of K + 1 lines: what all components have goes to their mean."""
    floor = float(p.min())
    lines = np.append(np.where(p <= floor * (1 + 1e-9), 0.0, p - floor), len(p) * floor)
    return lines / lines.sum()


def _as_weights(lines: Array) -> Array:
    """Weights of the components: the mean line's is that of all."""
    return lines[:-1] + lines[-1] / (len(lines) - 1)


def _with_candidates(lines: Array, g: Array, tol: float) -> np.ndarray:
    """The lines in use, and columns that may gain most: peaks along the index, as neighbours on a
    grid are alike, and the largest, the more of them the more are in use."""
    support = np.flatnonzero(lines)
    padded = np.concatenate([[-np.inf], g, [-np.inf]])
    more = g > 1.0 + 0.25 * tol
    peaks = np.flatnonzero((g >= padded[:-2]) & (g >= padded[2:]) & more)
    peaks = peaks[np.argsort(-g[peaks], kind="stable")][:MOST_PEAKS]
    top = np.argsort(-g, kind="stable")[: max(MOST_TOP, len(support) // 4)]
    return np.union1d(support, np.union1d(peaks, top[more[top]]))

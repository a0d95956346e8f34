"""Rows whose component densities are known: the E-step of a linear discriminant, and more sums.

A row's features are its log-densities and their coefficients the identity, so its discriminants
are ``log weight_k + log f_k(x)``. Nobody multiplies by the identity, and densities are stored as
such, not as logarithms: a sweep needs neither exponentials nor, but for the log-likelihood,
logarithms. A law ties the two (`tests/test_proportions_source.py`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..blocks import hash_rows
from ..discriminants import LINEAR, SOFT, Array, Assignment, Discriminants
from ..kernels import load
from ..source import AbstractSource, Cut
from ..statistics import SufficientStatistics
from .densities import Lines

RUN = 8  # consecutive rows, a cache line of each density, that a subsample takes together


class Evaluation(NamedTuple):
    """The mean log-likelihood at some weights, and its derivatives for some lines."""

    value: float  # nats per row, -inf where the weights exclude a row; without the rows' offsets
    gradient: Array  # (columns,), g_k = mean of F_k / u
    curvature: Array  # (columns, columns), mean of F_j F_k / u^2, or (0, 0)


class DensitySource(AbstractSource):
    """Rows with known densities under K components, row weights, and pseudo-rows of a prior.

    A Dirichlet prior on the weights is K more rows, of weight ``concentration_k - 1``, that only
    their own component explains.

    Parameters
    ----------
    lines : Lines
    sample_weight : ndarray of shape (n,), or None
    pseudo_counts : ndarray of shape (K,), or None
    n_threads : int, or None for what the process may use
    """

    def __init__(
        self,
        lines: Lines,
        sample_weight: Array | None = None,
        pseudo_counts: Array | None = None,
        *,
        n_threads: int | None = 1,
    ) -> None:
        K, n = lines.densities.shape
        super().__init__(lines.densities, (n, 0), sample_weight, n_threads=n_threads)
        self.lines, self.n_components = lines, K
        self.pseudo_counts = None
        if pseudo_counts is not None and pseudo_counts.any():
            self.pseudo_counts = pseudo_counts
            self.total_weight += float(pseudo_counts.sum())
        self._kernels = load("proportions")
        self._handle = self._kernels.bind(lines.densities, sample_weight)
        self._handle[1][:] = lines.background

    @property
    def total_offset(self) -> float:
        """Sum over the rows of what log-densities lack, in nats."""
        offset, w = self.lines.offset, self.sample_weight
        if offset is None:
            return 0.0
        return float(offset.sum() if w is None else offset @ w)

    # ---- an E-step like any other's ----------------------------------------------------------

    def linear(self, slopes: Array, bias: Array, reference: Array) -> Discriminants:
        return Discriminants(LINEAR, slopes, np.empty((0, len(bias))), bias, reference)

    def accumulate(
        self, discriminants: Any, moments: Any, assignment: Assignment = SOFT
    ) -> SufficientStatistics:
        stats = super().accumulate(discriminants, moments, assignment)
        if self.pseudo_counts is None:
            return stats
        a = self.pseudo_counts
        with np.errstate(invalid="ignore"):
            log_prior = float(np.where(a > 0, a * discriminants.bias, 0.0).sum())
        return stats._replace(
            counts=stats.counts + a, log_likelihood=stats.log_likelihood + log_prior
        )

    def _ready(self, discriminants: Discriminants) -> Array:
        return np.exp(discriminants.bias)

    def _new_space(self, kind: Any, moments: Any, k: int) -> None:
        return None

    def _add_block(
        self, v: Any, moments: Any, assignment: Assignment, space: Any, sums: Any, block: Cut
    ) -> float:
        _refuse_other(assignment)
        every, gradient = np.arange(self.n_components), np.zeros(self.n_components)
        value = self._kernels.sweep(self._handle, *block, every, v, every, gradient, _NOTHING)
        sums.counts[:] += v * gradient
        return value

    def _posterior_block(
        self, v: Any, assignment: Assignment, space: Any, resp: Array, log_norm: Array, block: Cut
    ) -> None:
        _refuse_other(assignment)
        joint = self.lines.densities[:, slice(*block)].T * v
        density = joint.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_norm[:] = np.log(density)
            np.divide(joint, density[:, None], out=resp)

    def _add_values(self, v: Any, space: Any, values: Array, block: Cut) -> None:
        with np.errstate(divide="ignore"):
            values += np.log(v)[:, None] + np.log(self.lines.densities[:, slice(*block)])

    def _add_given(
        self, v: Any, moments: Any, space: Any, resp: Array, sums: Any, block: Cut
    ) -> None:
        """Nothing but the counts, which are the caller's."""

    def _zeros(self, moments: Any, k: int) -> SufficientStatistics:
        return SufficientStatistics.zeros(moments, k, 0)

    # ---- some of the rows --------------------------------------------------------------------

    def some(self, rows: np.ndarray, sample_weight: Array) -> DensitySource:
        offset = self.lines.offset
        lines = Lines(
            np.ascontiguousarray(self.lines.densities[:, rows]),
            None if offset is None else offset[rows],
            self.lines.background[rows],
        )
        return DensitySource(lines, sample_weight, n_threads=self._n_threads)

    def every(self, step: int) -> DensitySource:
        """One of `step` runs of rows, each from a place of its own within its stretch.

        Pseudo-rows shrink as much as the weight of the rows does.
        """
        n_runs = self.n_rows // RUN
        count = n_runs // step
        jitter = np.random.default_rng(0).integers(0, step, count)
        runs = np.arange(count) * step + jitter

        def taken(line: Array) -> Array:
            return line[: n_runs * RUN].reshape(n_runs, RUN).take(runs, axis=0).ravel()

        w = None if self.sample_weight is None else taken(self.sample_weight)
        densities = np.empty((self.n_components, count * RUN))
        for k, line in enumerate(self.lines.densities):  # of all at once, `take` would copy all
            densities[k] = taken(line)
        lines = Lines(densities, None, taken(self.lines.background))
        pseudo = self.pseudo_counts
        if pseudo is not None:
            weight = float(count * RUN if w is None else w.sum())
            pseudo = pseudo * (weight / (self.total_weight - float(pseudo.sum())))
        part = DensitySource(lines, w, pseudo, n_threads=self._n_threads)
        part._pool = self._threads()  # which ends with these rows
        return part

    def points(self, rows: np.ndarray) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.lines.densities[:, rows].T)

    def hashes(self, lo: int, hi: int, salt: np.uint64) -> np.ndarray:
        return hash_rows(self.lines.densities[:, lo:hi].T, salt)

    def groups(self) -> np.ndarray:
        return np.unique(self.lines.densities.T, axis=0, return_inverse=True)[1].ravel()

    # ---- the log-likelihood and its derivatives ----------------------------------------------

    def evaluate(
        self, support: np.ndarray, p: Array, columns: np.ndarray, curvature: bool = False
    ) -> Evaluation:
        """Mean log-likelihood of the mixture ``p @ lines[support]``, derivatives for `columns`.

        Line K is the mean of the others: what uniform weights make.
        """
        size = len(columns)
        shape = (size, size) if curvature else (0, 0)
        cuts = self._cuts.get(size) or self._cut(size)
        run = partial(self._sums, support, p, columns, shape)
        value, gradient, products = 0.0, np.zeros(size), np.zeros(shape)
        if len(cuts) == 1 or self._threads().n_threads == 1:
            for block in cuts:
                value += self._sweep(support, p, columns, block, gradient, products)
        else:
            for part in self._threads().map(run, cuts):
                value += part[0]
                gradient += part[1]
                products += part[2]
        if self.pseudo_counts is not None:
            value += self._add_pseudo_rows(support, p, columns, gradient, products)
        total = self.total_weight
        return Evaluation(value / total, gradient / total, products / total)

    def evaluate_on(self, working: np.ndarray, p: Array, curvature: bool) -> Evaluation:
        """`evaluate` where support and columns are one."""
        return self.evaluate(working, p, working, curvature)

    def _sweep(
        self, support: Any, p: Array, columns: Any, block: Cut, gradient: Array, products: Array
    ) -> float:
        return self._kernels.sweep(self._handle, *block, support, p, columns, gradient, products)

    def _sums(self, support: Any, p: Array, columns: Any, shape: Any, block: Cut) -> Any:
        gradient, products = np.zeros(len(columns)), np.zeros(shape)
        value = self._sweep(support, p, columns, block, gradient, products)
        return value, gradient, products

    def _add_pseudo_rows(
        self, support: np.ndarray, p: Array, columns: np.ndarray, gradient: Array, products: Array
    ) -> float:
        """The same sums over the prior's rows: row k has density one under k, else zero."""
        K, a = self.n_components, self.pseudo_counts
        assert a is not None
        share = np.zeros(K + 1)
        share[support] = p
        u = share[:K] + share[K] / K
        rows = np.eye(K + 1, K)[columns]
        rows[columns == K] = 1.0 / K
        some = a > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            Q = rows[:, some] / u[some]
            gradient += Q @ a[some]
            if products.size:
                products += (Q * a[some]) @ Q.T
            return float(a[some] @ np.log(u[some]))


_NOTHING = np.empty((0, 0))


def _refuse_other(assignment: Assignment) -> None:
    """ValueError for any but soft responsibilities."""
    if assignment != SOFT:
        raise ValueError(
            f"Rows with known densities have soft responsibilities only, but got {assignment}. Use "
            "rows of log-densities for others."
        )

"""Rows that are stored in a code of their own, bits or what differs from zero.

Their discriminants are linear in the row, and the M-step wants counts and first moments about the
origin: so every such code has the same few kernels, and this is how they are called.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from .discriminants import Array, Assignment, Discriminants
from .frames import Totals
from .source import AbstractSource, Cut
from .statistics import NONE, SufficientStatistics


class CodedSource(AbstractSource):
    """Rows bound to kernels of their own.

    Parameters
    ----------
    X, shape, sample_weight, n_threads
        As for `AbstractSource`.
    kernels : module with `prepare`, `workspace`, `accumulate`, `posterior`, `values` and `sums`
    handle : what its `bind` returned
    unit : ndarray of shape (d,), or None
        Differences of features that count as equal when a start looks for clusters; None: all one.
    """

    def __init__(
        self,
        X: Any,
        shape: tuple[int, int],
        sample_weight: Array | None,
        kernels: ModuleType,
        handle: Any,
        unit: Array | None,
        n_threads: int | None,
    ) -> None:
        super().__init__(X, shape, sample_weight, n_threads=n_threads)
        self.unit = np.ones(shape[1]) if unit is None else unit
        self._kernels, self._handle = kernels, handle

    def totals(self) -> Totals:
        """Mean of each feature; correlations, nobody asks for."""
        d = self.n_features
        everything = self.linear(np.zeros((d, 1)), np.zeros(1), np.zeros((1, d)))
        stats = self.accumulate(everything, NONE)
        mean = stats.first[0] / stats.counts[0]
        return Totals(float(stats.counts[0]), mean, np.empty((0, 0)), self.unit)

    def _new_space(self, kind: int, moments: int, k: int) -> Any:
        return self._kernels.workspace(self._handle, k)

    def _ready(self, discriminants: Discriminants) -> Any:
        v = discriminants
        return self._kernels.prepare(v.slopes, v.offsets, v.bias)

    def _add_block(
        self,
        v: Any,
        moments: int,
        assignment: Assignment,
        space: Any,
        sums: SufficientStatistics,
        block: Cut,
    ) -> float:
        beta, hard = assignment
        out = sums.counts, sums.first
        return self._kernels.accumulate(self._handle, *block, v, beta, hard, *out, space)

    def _posterior_block(
        self,
        v: Any,
        assignment: Assignment,
        space: Any,
        resp: Array,
        log_norm: Array,
        block: Cut,
    ) -> None:
        beta, hard = assignment
        self._kernels.posterior(self._handle, *block, v, beta, hard, resp, log_norm, space)

    def _add_values(self, v: Any, space: Any, values: Array, block: Cut) -> None:
        self._kernels.values(self._handle, *block, v, values, space)

    def _add_given(
        self,
        v: Any,
        moments: int,
        space: Any,
        resp: Array,
        sums: SufficientStatistics,
        block: Cut,
    ) -> None:
        self._kernels.sums(self._handle, *block, resp, sums.first, space)

"""Rows of a CSR matrix: what is not stored is zero, and costs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .coded import CodedSource
from .discriminants import LINEAR, Array, Discriminants
from .kernels import load
from .source import Cut
from .sparse_points import canonical, row_blocks

MERGES = 64
"""A super-block's rows store so many times the numbers that merging its sums takes, or more."""


class CsrSource(CodedSource):
    """Rows of a CSR matrix X (n, d), float32 or float64, with indices of 32 or 64 bits.

    Numbers stored in parts or out of order, and stored zeros, are cleared up on a copy.

    Parameters
    ----------
    X : CSR array or matrix of shape (n, d)
    sample_weight : ndarray of shape (n,), or None
    n_threads : int, or None for what the process may use
    """

    def __init__(
        self, X: Any, sample_weight: Array | None = None, *, n_threads: int | None = 1
    ) -> None:
        X = canonical(X)
        kernels = load("csr")
        handle = kernels.bind(X, sample_weight)
        super().__init__(X, X.shape, sample_weight, kernels, handle, None, n_threads)

    def linear(self, slopes: Array, bias: Array, reference: Array) -> Discriminants:
        return Discriminants(
            LINEAR, np.ascontiguousarray(slopes), np.empty((0, len(bias))), bias, reference
        )

    def some(self, rows: np.ndarray, sample_weight: Array) -> CsrSource:
        return CsrSource(self.X[rows], sample_weight, n_threads=self._n_threads)

    def points(self, rows: np.ndarray) -> Array:
        return self.X[rows].astype(np.float64).toarray()

    def hashes(self, lo: int, hi: int, salt: np.uint64) -> np.ndarray:
        kernels = load("sparse")
        handle = kernels.bind(self.X, None, 1.0)
        return kernels.hashes(handle, np.arange(lo, hi), int(salt))

    def groups(self) -> np.ndarray:
        return np.unique(self.hashes(0, self.n_rows, np.uint64(0)), return_inverse=True)[1]

    def _cut(self, k: int) -> list[Cut]:
        cuts = row_blocks(self.n_rows, self.X.nnz, k)
        rows = cuts[0][1] - cuts[0][0]
        enough = MERGES * self.n_features * self.n_rows / max(self.X.nnz, 1)
        if rows < enough:
            rows = min(int(enough) + 1, self.n_rows)
            cuts = [(lo, min(lo + rows, self.n_rows)) for lo in range(0, self.n_rows, rows)]
        self._cuts[k] = cuts
        return cuts

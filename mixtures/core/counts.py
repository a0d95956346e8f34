"""Counts, dense or sparse: what their mixtures do beside EM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.special import gammaln
from sklearn.utils.validation import validate_data

from . import validation
from .discrete import AbstractDiscreteMixture
from .discriminants import Array, Frame
from .frames import Totals
from .source import AbstractSource
from .sparse_points import canonical
from .sparse_rows import CsrSource


def log_factorials(X: Any) -> Array:
    """``sum_j log x_ij!`` of dense or CSR rows (n, d); zeros add nothing."""
    if not issparse(X):
        return gammaln(X.astype(np.float64) + 1.0).sum(axis=1)
    terms = gammaln(X.data.astype(np.float64) + 1.0)
    return csr_array((terms, X.indices, X.indptr), shape=X.shape).sum(axis=1)


class AbstractCountMixture(AbstractDiscreteMixture):
    """Base of mixtures of numbers >= 0, in arrays or in CSR matrices that are never made dense."""

    _positive_only: ClassVar[bool] = True
    _sparse: ClassVar[bool] = True

    def _validated(self, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> Any:
        if not issparse(X):
            return super()._validated(X, reset=reset, ensure_min_samples=ensure_min_samples)
        rows = canonical(
            validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=validation.FLOATS,
                reset=reset,
                ensure_min_samples=ensure_min_samples,
            )
        )
        self._check_rows(rows)
        return rows

    @contextmanager
    def _source(
        self, X: Any, w: Array | None, *, merge: bool = True
    ) -> Iterator[tuple[Any, Totals]]:
        if issparse(X):
            with CsrSource(X, w, n_threads=self.n_threads) as source:
                yield source, source.totals()
        else:
            with super()._source(X, w, merge=merge) as opened:
                yield opened

    def _opened(self, rows: Any, frame: Frame) -> AbstractSource:
        if issparse(rows):
            return CsrSource(rows, n_threads=self.n_threads)
        return super()._opened(rows, frame)

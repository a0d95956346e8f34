"""Answers: rows of yes, no and not known, checked and coded.

A feature whose answers are all known is one bit. One with gaps is two, yes and no, of which a gap
sets neither, so that it adds nothing to any sum: the likelihood is then the marginal one of what
was observed, and that is right where answers are missing at random.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from .bits import BitSource, pack, step_for
from .coded import CodedSource
from .discriminants import Array
from .sparse_points import canonical
from .sparse_rows import CsrSource

STORED = 2**18  # numbers of sparse rows that are checked at a time


class Answers(NamedTuple):
    """Rows (n, d) of 0, 1 and, unless they are sparse, NaN."""

    X: Any  # ndarray of booleans, integers or floats, or CSR
    gaps: np.ndarray  # (m,), features of which answers are missing, of any rows

    @property
    def shape(self) -> tuple[int, int]:
        return self.X.shape

    @property
    def dtype(self) -> Any:
        return self.X.dtype

    def __getitem__(self, rows: Any) -> Answers:
        return Answers(self.X[rows], self.gaps)

    def source(
        self, sample_weight: Array | None = None, *, merge: bool = False, n_threads: int | None = 1
    ) -> CodedSource:
        """The rows as the engine takes them; `merge` as for `BitSource`."""
        source: CodedSource
        if issparse(self.X):
            source = CsrSource(self.X, sample_weight, n_threads=n_threads)
        else:
            source = self._bits(sample_weight, merge, n_threads)
        source.coding = self
        return source

    def _bits(self, sample_weight: Array | None, merge: bool, n_threads: int | None) -> BitSource:
        (n, d), m = self.X.shape, len(self.gaps)

        def code(rows: slice) -> np.ndarray:
            block = self.X[rows]
            yes = block == 1
            return np.hstack([yes, block[:, self.gaps] == 0]) if m else yes

        unit = np.ones(d + m)
        unit[self.gaps] = unit[d:] = np.sqrt(2.0)  # an answer and its opposite are two bits apart
        nibbles = pack(n, d + m, code)
        return BitSource(nibbles, d + m, sample_weight, unit=unit, merge=merge, n_threads=n_threads)

    def answered(self, name: str) -> Answers:
        """The same rows, gaps only where these have them: rows that were left out change nothing.

        ValueError for a feature without a single known answer.
        """
        missing = [np.isnan(self.X[:, j]) for j in self.gaps]
        for j, own in zip(self.gaps, missing, strict=True):
            if own.all():
                raise ValueError(
                    f"{name} expects at least one known answer in every feature, but feature {j} "
                    f"is missing (NaN) in all {len(self.X)} rows of positive weight. Drop it."
                )
        return self._replace(gaps=self.gaps[[own.any() for own in missing]])


def binarised(X: Any, threshold: float | None) -> Any:
    """1 for numbers above the threshold, 0 for others, NaN for NaN; X itself without one.

    Sparse rows come back with each number stored once, and no zeros.
    """
    if issparse(X):
        X = canonical(X)
    if threshold is None:
        return X
    if issparse(X):
        if threshold < 0:
            raise ValueError(
                f"binarize expects a threshold of at least 0 for sparse rows, but got {threshold}: "
                "all that is not stored would become 1. Pass dense rows."
            )
        ones = X.copy()
        known = X.data == X.data  # NaN stays, to be refused
        ones.data = np.where(known, X.data > threshold, X.data).astype(X.dtype)
        ones.eliminate_zeros()
        return ones
    ones = np.greater(X, threshold)
    missing = X != X
    if missing.any() or X.dtype == np.float32:
        return np.where(missing, np.nan, ones).astype(X.dtype, copy=False)
    return ones


def check_answers(name: str, X: Any) -> Answers:
    """Rows (n, d) of answers, or ValueError for a number that is no answer.

    Raises
    ------
    ValueError
        For numbers other than 0 and 1, or NaN in sparse rows.
    """
    if issparse(X):
        for lo in range(0, len(X.data), STORED):
            block = X.data[lo : lo + STORED]
            known = (block == 0) | (block == 1)
            _refuse_other(name, block, known, lambda at, lo=lo: _cell(X, lo + at[0]))
        return Answers(X, np.empty(0, np.intp))
    with_gaps = np.zeros(X.shape[1], dtype=bool)
    step = step_for(X.shape[1])
    for lo in range(0, len(X), step):
        block = X[lo : lo + step]
        known = (block == 0) | (block == 1)
        if known.all():
            continue
        missing = block != block
        _refuse_other(name, block, known | missing, lambda at, lo=lo: (lo + at[0], at[1]))
        with_gaps |= missing.any(axis=0)
    return Answers(X, np.flatnonzero(with_gaps))


def _refuse_other(name: str, values: np.ndarray, allowed: np.ndarray, where: Any) -> None:
    """ValueError that shows the first of the values that are not allowed."""
    if allowed.all():
        return
    at = tuple(int(i) for i in np.argwhere(~allowed)[0])
    row, feature = where(at)
    raise ValueError(
        f"{name} expects answers, 0 and 1 (or False and True; NaN where missing, in dense rows), "
        f"but row {row} of feature {feature} is {values[at]:g}. Set binarize to the threshold "
        "above which a number counts as 1, or use another mixture: PoissonMixture for counts, "
        "CategoricalMixture for codes of several categories."
    )


def _cell(X: Any, position: int) -> tuple[int, int]:
    """Row and feature of a stored number of CSR rows."""
    return int(np.searchsorted(X.indptr, position, "right")) - 1, int(X.indices[position])

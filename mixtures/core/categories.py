"""Categories: features of a few different values each, of any kind, coded as bits side by side.

A value is one bit, set in the place of its category. A missing value sets none and adds nothing to
any sum: the likelihood is then the marginal one of what was observed, and that is right where
values are missing at random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .bits import BitSource, pack
from .coded import CodedSource
from .columns import MISSING, declared, factorised, matched, warn_if_continuous
from .discriminants import Array
from .sparse_rows import CsrSource
from .unconstrained import Simplex

WIDE = 32
"""Bits a feature, of which one is set, from which rows are stored as those that are set. An E-step
on these is quicker from about twenty on, but they cannot be merged where they are equal."""


@dataclass(frozen=True, eq=False)
class Categories:
    """Rows of categories."""

    codes: np.ndarray  # (n, d), integers; MISSING where nothing is known
    categories: list[np.ndarray]  # d arrays (c_j,)
    labels: list[str]  # what messages call the features
    dtype: Any  # float32 or float64, of what is computed for these rows

    @property
    def shape(self) -> tuple[int, int]:
        return self.codes.shape

    @property
    def sizes(self) -> np.ndarray:
        """Number of categories of each feature (d,)."""
        return sizes_of(self.categories)

    def __getitem__(self, rows: Any) -> Categories:
        return replace(self, codes=self.codes[rows])

    def seen(self) -> Categories:
        """The same rows without categories that none of them has."""
        present = [np.zeros(size + 1, dtype=bool) for size in self.sizes.tolist()]
        for there, codes in zip(present, self.codes.T, strict=True):
            there[codes] = True  # the last place is for what is missing
        if all(there[:-1].all() for there in present):
            return self
        new = [np.append(np.cumsum(there[:-1]) - 1, MISSING) for there in present]
        codes = [places[own] for places, own in zip(new, self.codes.T, strict=True)]
        kept = [v[there[:-1]] for v, there in zip(self.categories, present, strict=True)]
        return replace(self, codes=np.array(codes, self.codes.dtype).T, categories=kept)

    def answered(self, name: str) -> Categories:
        """The same rows, or ValueError for a feature without a single known value."""
        for label, column in zip(self.labels, self.codes.T, strict=True):
            if (column == MISSING).all():
                raise ValueError(
                    f"{name} expects at least one known value in every feature, but {label} is "
                    f"missing in all {len(column)} rows of positive weight. Drop it."
                )
        return self

    def source(
        self, sample_weight: Array | None = None, *, merge: bool = False, n_threads: int | None = 1
    ) -> CodedSource:
        """The rows as the engine takes them, one bit a category; `merge` as for `BitSource`."""
        source: CodedSource
        if self.sizes.sum() > WIDE * len(self.sizes):
            source = CsrSource(self._ones(), sample_weight, n_threads=n_threads)
        else:
            source = self._bits(sample_weight, merge, n_threads)
        source.coding = self
        return source

    def _ones(self) -> csr_array:
        """The bits (n, m) that are set."""
        sizes, known = self.sizes, self.codes >= 0
        at = (self.codes + (np.cumsum(sizes) - sizes))[known]
        ends = np.append(0, np.cumsum(known.sum(axis=1)))
        shape = len(self.codes), int(sizes.sum())
        return csr_array((np.ones(len(at), np.float32), at, ends), shape=shape)

    def _bits(self, sample_weight: Array | None, merge: bool, n_threads: int | None) -> BitSource:
        n_bits = int(self.sizes.sum())
        first = np.cumsum(self.sizes) - self.sizes

        def code(rows: slice) -> np.ndarray:
            own = self.codes[rows]
            bits = np.zeros((len(own), n_bits + 1), dtype=bool)  # the last one is thrown away
            bits[np.arange(len(own))[:, None], np.where(own < 0, n_bits, own + first)] = True
            return bits[:, :n_bits]

        unit = np.full(n_bits, np.sqrt(2.0))  # two categories are two bits apart
        nibbles = pack(len(self.codes), n_bits, code)
        return BitSource(
            nibbles, n_bits, sample_weight, unit=unit, merge=merge, n_threads=n_threads
        )


class Simplices(Simplex):
    """Probabilities (k, m) of the categories of several features, side by side.

    Parameters
    ----------
    sizes : ndarray of shape (d,)
        Number of categories of each feature; m is their sum.
    """

    def __init__(self, sizes: np.ndarray) -> None:
        self.sizes = sizes
        self.first = np.cumsum(sizes) - sizes
        self.alike = [
            self.first[sizes == size][:, None] + np.arange(size) for size in np.unique(sizes)
        ]
        """For each number of categories c the places (features, c) of those that have as many."""

    def totals(self, array: Array) -> Array:
        """Sums (k, m) over the categories of a feature, in place of each of them."""
        return np.repeat(np.add.reduceat(array, self.first, axis=1), self.sizes, axis=1)

    def split(self, array: Array) -> list[Array]:
        """What belongs to each feature, (k, c_j)."""
        return np.split(array, self.first[1:], axis=1)

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        logs = vector.reshape(shape)
        highest = np.maximum.reduceat(logs, self.first, axis=1)
        weights = np.exp(logs - np.repeat(highest, self.sizes, axis=1))
        return weights / self.totals(weights)

    def sums(self, shape: tuple[int, ...]) -> np.ndarray:
        feature = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return (np.arange(shape[0])[:, None] * len(self.sizes) + feature).ravel()


def sizes_of(categories: list[np.ndarray]) -> np.ndarray:
    """Number of categories of each feature (d,)."""
    return np.array([len(values) for values in categories], dtype=np.intp)


def check_categories(
    estimator: Any,
    X: Any,
    categories: list[Any] | None,
    *,
    reset: bool,
    ignore_unknown: bool = False,
    ensure_min_samples: int = 1,
) -> Categories:
    """Rows (n, d) of categories; names and width checked or learnt.

    Parameters
    ----------
    estimator : the estimator, for its names of features and its own
    X : array-like or data frame of shape (n, d)
        Numbers, strings, booleans, or anything that can be sorted; NaN, None and pandas' NA are
        missing. Columns of a data frame may be of different kinds.
    categories : list of d array-likes, or None
        Those of each feature in order; None: all that occur, sorted, or in the order that pandas'
        categorical columns have.
    reset : bool
    ignore_unknown : bool
        Whether a value that is none of the given categories counts as missing.
    ensure_min_samples : int

    Raises
    ------
    ValueError
        For values that are none of the given categories, for values of kinds that have no order
        among each other, and for what no rows are.
    """
    name = type(estimator).__name__
    columns, dtype = _columns(estimator, X, reset, ensure_min_samples)
    names = getattr(estimator, "feature_names_in_", range(len(columns)))
    labels = [f"feature {label!r}" for label in np.asarray(names).tolist()]
    if categories is not None and len(categories) != len(columns):
        raise ValueError(
            f"{name} expects categories for each of the {len(columns)} features of X, but got "
            f"{len(categories)} lists of them. Pass one list a feature."
        )
    known, coded = [], []
    for j, label in enumerate(labels):
        column = factorised(name, label, columns[j], ordered=categories is None)
        if categories is None:
            warn_if_continuous(name, label, column)
        else:
            own = declared(name, label, categories[j])
            column = matched(name, label, column, own, ignore_unknown)
        known.append(column.values)
        coded.append(column.codes.astype(np.min_scalar_type(-len(column.values) - 1)))
    table = np.array(coded).T
    check_array(table, dtype=None, ensure_min_samples=ensure_min_samples, estimator=estimator)
    rows = Categories(table, known, labels, dtype)
    return rows.seen() if categories is None else rows


def _columns(
    estimator: Any, X: Any, reset: bool, ensure_min_samples: int
) -> tuple[list[Any], np.dtype]:
    """Columns of a data frame or an array, and the type of what is computed for them."""
    if hasattr(X, "columns") and (hasattr(X, "iloc") or hasattr(X, "get_column")):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        get = getattr(X, "iloc", X)
        columns = [get[:, j] for j in range(X.shape[1])]
        single = X.shape[1] > 0 and all(column.dtype == np.float32 for column in columns)
        return columns, np.dtype(np.float32 if single else np.float64)
    X = validate_data(
        estimator,
        X,
        dtype=None if hasattr(X, "dtype") else object,
        ensure_all_finite="allow-nan",
        reset=reset,
        ensure_min_samples=ensure_min_samples,
    )
    return list(X.T), np.dtype(np.float32 if X.dtype == np.float32 else np.float64)

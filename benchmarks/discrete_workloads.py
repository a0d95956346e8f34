"""Items B1 to B4 and C1: yes/no answers and categories, drawn from mixtures of their own kind.

n rows, d features, k components, c categories a feature. B3 is a CSR array, B4 has few features
and therefore many equal rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array = NDArray[np.float64]

TINY = np.finfo(float).tiny
"""Stands for zero in logarithms: zero times it is zero, and no row that counts meets it."""


class Answers(NamedTuple):
    """Rows of 0 and 1 and a start."""

    X: Array  # (n, d)
    weights: Array  # (k,)
    probabilities: Array  # (k, d), of a 1

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return self.X.nbytes

    @property
    def rows(self) -> Array:
        """The matrix that log-densities are linear in."""
        return self.X

    @staticmethod
    def linear(weights: Array, probabilities: Array) -> tuple[Array, Array]:
        """Slopes (k, d) and intercepts (k,) of the log-densities, weights included."""
        yes = np.log(np.maximum(probabilities, TINY))
        no = np.log(np.maximum(1.0 - probabilities, TINY))
        return yes - no, np.log(weights) + no.sum(axis=1)


class SparseAnswers(NamedTuple):
    """As `Answers`, by the arrays of a CSR array."""

    data: Array  # (n_ones,), all 1
    indices: NDArray[np.int32]
    indptr: NDArray[np.int32]
    shape: NDArray[np.int64]  # (2,)
    weights: Array
    probabilities: Array

    @property
    def size(self) -> int:
        return self.data.nbytes + self.indices.nbytes + self.indptr.nbytes

    @property
    def X(self) -> Any:
        return csr_array((self.data, self.indices, self.indptr), shape=tuple(self.shape))

    @property
    def rows(self) -> Any:
        return self.X

    linear = staticmethod(Answers.linear)


class Categories(NamedTuple):
    """Rows of codes 0, ..., c - 1 and a start."""

    X: Array  # (n, d)
    weights: Array  # (k,)
    probabilities: Array  # (k, d, c)

    @property
    def size(self) -> int:
        return self.X.nbytes

    @property
    def rows(self) -> Array:
        """One-hot, (n, d c)."""
        return np.eye(self.probabilities.shape[2])[self.X.astype(int)].reshape(len(self.X), -1)

    @staticmethod
    def linear(weights: Array, probabilities: Array) -> tuple[Array, Array]:
        """As that of `Answers`, the slopes (k, d c)."""
        slopes = np.log(np.maximum(probabilities, TINY))
        return slopes.reshape(len(weights), -1), np.log(weights)


Discrete = Answers | SparseAnswers | Categories


class DiscreteItem(NamedTuple):
    """A work item; time per iteration is that of fits of `long` less `short` iterations."""

    work: type[Discrete]
    what: str
    n: int
    d: int
    k: int
    beta: tuple[float, ...]  # of what component probabilities are drawn from
    short: int
    long: int

    def describe(self) -> str:
        return f"{self.what} {self.n} × {self.d}, K {self.k}"

    def trial(self) -> DiscreteItem:
        """A tenth of the rows."""
        return self._replace(n=self.n // 10)


DISCRETE = {
    "B1": DiscreteItem(Answers, "binary", 200_000, 100, 10, (0.5, 1.0), 2, 12),
    "B2": DiscreteItem(Answers, "binary", 60_000, 784, 20, (0.5, 1.5), 1, 6),
    "B3": DiscreteItem(SparseAnswers, "CSR, 1 % ones,", 100_000, 5_000, 20, (0.05,), 1, 8),
    "B4": DiscreteItem(Answers, "binary, equal rows,", 1_000_000, 12, 3, (0.8, 1.0), 1, 30),
    "C1": DiscreteItem(Categories, "4 categories", 100_000, 20, 5, (1.0,) * 4, 2, 12),
}

DENSITY = 0.01  # of the ones of a sparse item


def _sparse(rng: np.random.Generator, item: DiscreteItem) -> SparseAnswers:
    """Few ones, in other columns for every component; the start is near the column means."""
    _, _, n, d, k, (concentration,), *_ = item
    shares = rng.dirichlet(np.full(d, concentration), size=k)
    probabilities = np.minimum(DENSITY * d * shares, 0.8)
    labels, step = rng.integers(k, size=n), 2_000
    columns, counts = [], []
    for lo in range(0, n, step):
        chosen = probabilities[labels[lo : lo + step]]
        ones = rng.random(chosen.shape, dtype=np.float32) < chosen
        columns.append(np.nonzero(ones)[1].astype(np.int32))
        counts.append(ones.sum(axis=1))
    indices = np.concatenate(columns)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    means = np.bincount(indices, minlength=d) / n
    start = np.clip(rng.uniform(0.5, 1.5, size=(k, d)) * means, 1e-4, 0.9)
    data = np.ones(len(indices))
    return SparseAnswers(data, indices, indptr, np.array([n, d]), np.full(k, 1 / k), start)


def _answers(rng: np.random.Generator, item: DiscreteItem) -> Answers:
    _, _, n, d, k, (a, b), *_ = item
    probabilities = rng.beta(a, b, size=(k, d))
    X = (rng.random((n, d)) < probabilities[rng.integers(k, size=n)]).astype(np.float64)
    start = np.clip(rng.uniform(0.7, 1.3, size=(k, d)) * X.mean(axis=0), 0.01, 0.99)
    return Answers(X, np.full(k, 1 / k), start)


def _categories(rng: np.random.Generator, item: DiscreteItem) -> Categories:
    _, _, n, d, k, concentration, *_ = item
    probabilities = rng.dirichlet(concentration, size=(k, d))
    steps = np.cumsum(probabilities[rng.integers(k, size=n)], axis=2)[:, :, :-1]
    X = (rng.random((n, d, 1)) > steps).sum(axis=2).astype(np.float64)
    start = rng.dirichlet(10.0 * np.array(concentration), size=(k, d))
    return Categories(X, np.full(k, 1 / k), start)


DRAW = {Answers: _answers, SparseAnswers: _sparse, Categories: _categories}


def draw_discrete(name: str, quick: bool = False) -> Discrete:
    """Rows of a mixture of the item's kind, equally frequent components, and a start."""
    item = DISCRETE[name].trial() if quick else DISCRETE[name]
    seed = 3000 + int(name[1:]) + 100 * (item.work is Categories)
    return DRAW[item.work](np.random.default_rng(seed), item)


def trivial_discrete(item: DiscreteItem) -> Discrete:
    """A small fit of the same shape: what a warm-up call fits."""
    small = item._replace(n=20 * item.k + 1000)
    return DRAW[item.work](np.random.default_rng(0), small)

"""Rows with known labels, of each kind that a model is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse


def gaussian_rows(n: int, d: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of k overlapping blobs (n, d), correlated, of variances 1 to 9, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    maps = np.tril(rng.normal(size=(k, d, d)), -1) + np.eye(d) * rng.uniform(1.0, 3.0, (k, 1, d))
    centres = 5.0 * rng.normal(size=(k, d))
    return centres[labels] + np.einsum("nij,nj->ni", maps[labels], rng.normal(size=(n, d))), labels


def count_rows(n: int, d: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of Poisson counts (n, d) with k different rates, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    rates = rng.uniform(0.5, 12.0, size=(k, d))
    return rng.poisson(rates[labels]).astype(float), labels


def answer_rows(n: int, d: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of answers 0 and 1 (n, d) with k different sets of probabilities, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    probabilities = rng.uniform(0.1, 0.9, size=(k, d))
    return (rng.random((n, d)) < probabilities[labels]).astype(float), labels


def category_rows(n: int, d: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of codes of 2, 3 or 4 categories (n, d) with k sets of probabilities, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    X = np.empty((n, d))
    for j in range(d):
        c = 2 + j % 3
        ends = (0.25 / c + 0.75 * rng.dirichlet(np.ones(c), k)).cumsum(axis=1)
        X[:, j] = (rng.random((n, 1)) > ends[labels, :-1]).sum(axis=1)
    return X, labels


def with_gaps(draw: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Any:
    """The same rows, of which an eighth of the values are missing."""

    def gaps(n: int, d: int, seed: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        X, labels = draw(n, d, seed, **options)
        X[np.random.default_rng(seed + 1).random((n, d)) < 0.125] = np.nan
        return X, labels

    return gaps


def csr_of_wide_indices(X):
    rows = sparse.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    return rows


def csr_in_disorder(X):
    """Every number is stored, and ones as two halves, features descending."""
    n, d = X.shape
    data = np.repeat(X[:, ::-1] / 2, 2, axis=1).ravel()
    indices = np.tile(np.repeat(np.arange(d)[::-1], 2), n)
    return sparse.csr_array((data, indices, np.arange(0, 2 * n * d + 1, 2 * d)), shape=X.shape)


def factor_rows(n=300, d=8, k=2, q=2, seed=0, noise=0.5, apart=3.0):
    """Rows (n, d) of k factor analysers with q factors, and their labels."""
    rng = np.random.default_rng(seed)
    loadings, means = rng.standard_normal((k, d, q)), apart * rng.standard_normal((k, d))
    labels = rng.integers(k, size=n)
    own = np.einsum("njq,nq->nj", loadings[labels], rng.standard_normal((n, q)))
    return means[labels] + own + noise * rng.standard_normal((n, d)), labels

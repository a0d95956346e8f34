"""Distinct rows, against NumPy's."""

from __future__ import annotations

import numpy as np

from mixtures.core.distinct import DistinctRows
from mixtures.core.point_frame import frame_rows, open_points
from mixtures.core.points import DensePoints


def lattice_rows():
    r = np.random.default_rng(9)
    return r.integers(0, 12, (500, 2)).astype(float), r.integers(1, 5, 500).astype(float)


def distinct_rows(X, w, seed=0):
    with open_points(X, w, frame_rows(X, w, 1).frame, 1) as points:
        return DistinctRows(points, np.random.RandomState(seed))


def test_distinct_rows_are_numpys():
    X, w = lattice_rows()
    distinct = distinct_rows(X, w)
    rows, number = np.unique(X, axis=0, return_inverse=True)
    order = np.lexsort(X[distinct.first].T[::-1])
    np.testing.assert_array_equal(X[distinct.first][order], rows)
    np.testing.assert_array_equal(distinct.weight[order], np.bincount(number.reshape(-1), w))
    assert sorted(np.concatenate([distinct.copies(g) for g in order])) == list(range(500))


def test_repeated_and_permuted_rows_are_in_the_same_order():
    X, w = lattice_rows()
    repeated = np.random.default_rng(0).permutation(np.repeat(X, w.astype(int), axis=0))
    one, other = distinct_rows(X, w), distinct_rows(repeated, None)
    np.testing.assert_array_equal(X[one.first], repeated[other.first])
    np.testing.assert_array_equal(one.weight, other.weight)
    assert (X[one.first] != X[distinct_rows(X, w, seed=1).first]).any()  # another salt


def test_rows_of_one_hash_are_compared(monkeypatch):
    """At worst copies are not found: rows that differ are never taken for equal."""
    hashes = np.zeros(500, np.uint64)
    monkeypatch.setattr(DensePoints, "hashes", lambda self, indices, salt: hashes[indices])
    X, w = lattice_rows()
    X[100:104] = X[100]
    distinct = distinct_rows(X, w)
    copies = [distinct.copies(g) for g in range(len(distinct.first))]
    assert max(map(len, copies)) >= 4 and sorted(np.concatenate(copies)) == list(range(500))
    for rows, weight in zip(copies, distinct.weight, strict=True):
        assert (X[rows] == X[rows[0]]).all() and weight == w[rows].sum()

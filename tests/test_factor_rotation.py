"""Rotations of loadings: stationary, no worse than the start, as R and scikit-learn have them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import FactorAnalysis

from mixtures.factor import rotation
from mixtures.factor.rotation import Oblique, Orthogonal, rotate

ORACLE = json.loads((Path(__file__).parent / "oracles" / "factanal.json").read_text())["cases"]
SEEDS = st.integers(0, 2**32 - 1)
CRITERIA = {
    "varimax": (rotation.varimax, Orthogonal),
    "quartimax": (rotation.quartimax, Orthogonal),
    "oblimin": (rotation.quartimin, Oblique),
}


def random_loadings(seed, d=12, q=3):
    return np.random.default_rng(seed).normal(size=(d, q))


def aligned(A, B):
    """A with its columns in the order and with the signs that suit B; and how they were moved."""
    inner = A.T @ B
    order, target = linear_sum_assignment(-np.abs(inner))
    order = order[np.argsort(target)]
    signs = np.sign(inner[order, np.arange(len(order))])
    return A[:, order] * signs, order, signs


@pytest.mark.parametrize("method", CRITERIA)
def test_derivatives(method):
    q, L, h = CRITERIA[method][0], random_loadings(0), 1e-6
    value, slopes = q(L)
    for i, j in [(0, 0), (5, 1), (11, 2)]:
        up, down = L.copy(), L.copy()
        up[i, j] += h
        down[i, j] -= h
        assert (q(up)[0] - q(down)[0]) / (2 * h) == pytest.approx(slopes[i, j], rel=1e-6, abs=1e-7)
    squares = L**2
    expected = {
        "varimax": -0.25 * len(L) * squares.var(axis=0).sum(),
        "quartimax": -0.25 * (squares**2).sum(),
        "oblimin": 0.5 * sum((squares[:, j] @ squares[:, k]) for j in range(3) for k in range(j)),
    }
    assert value == pytest.approx(expected[method], rel=1e-12)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from(sorted(CRITERIA)), st.integers(2, 4), st.booleans())
def test_a_rotation_is_stationary_and_no_worse_than_the_start(seed, method, q, normalize):
    L = random_loadings(seed, q=q)
    r = rotate(L, method, normalize=normalize)
    criterion, kind = CRITERIA[method]
    unit = np.sqrt((L**2).sum(axis=1, keepdims=True)) if normalize else 1.0
    A = L / unit
    T = np.linalg.inv(r.transformation).T
    size = rotation.scale(A)
    assert criterion(r.loadings / unit)[0] <= criterion(A)[0] + 1e-14 * size
    slope = kind.pull_back(A, T, criterion(r.loadings / unit)[1])
    assert np.abs(slope).max() < 1e-7 * size
    for step in np.random.default_rng(1).normal(size=(20, q, q)) * 1e-3:
        near = kind.loadings(A, kind.nearest(T + step))
        assert criterion(near)[0] >= criterion(r.loadings / unit)[0] - 1e-12 * size


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from(["varimax", "quartimax", "promax", "oblimin"]), st.integers(1, 4))
def test_rotations_change_no_covariance(seed, method, q):
    L = random_loadings(seed, q=q)
    r = rotate(L, method)
    np.testing.assert_allclose(r.loadings, L @ r.transformation, atol=1e-13)
    np.testing.assert_allclose(r.loadings @ r.factor_covariance @ r.loadings.T, L @ L.T, atol=1e-11)
    np.testing.assert_allclose(r.factor_covariance.diagonal(), 1.0, rtol=1e-12)
    assert np.linalg.eigvalsh(r.factor_covariance)[0] > 0.0
    if method in ("varimax", "quartimax"):
        np.testing.assert_allclose(r.factor_covariance, np.eye(q), atol=1e-13)
    again = rotate(L * 2.0**40, method)
    np.testing.assert_array_equal(again.loadings, r.loadings * 2.0**40)


@pytest.mark.parametrize("case", [c for c in ORACLE if c["q"] > 1], ids=lambda c: c["name"])
def test_as_r_rotates(case):
    L = np.array(case["loadings"])
    for normalize, key in ((False, "varimax"), (True, "varimax_kaiser")):
        ours, theirs = rotate(L, "varimax", normalize=normalize).loadings, np.array(case[key])
        np.testing.assert_allclose(aligned(ours, theirs)[0], theirs, atol=1e-6)
    theirs = np.array(case["promax"])
    r = rotate(L, "promax", normalize=True)
    ours, order, signs = aligned(r.loadings, theirs)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    correlations = r.factor_covariance[np.ix_(order, order)] * signs * signs[:, None]
    np.testing.assert_allclose(correlations, case["correlations"], atol=1e-6)


@pytest.mark.parametrize("method", ["varimax", "quartimax"])
def test_where_scikit_learn_is_heading(method):
    X = load_breast_cancer().data
    X = X / X.std(axis=0)
    plain, turned = (FactorAnalysis(4, rotation=r).fit(X).components_.T for r in (None, method))
    ours = rotate(plain, method).loadings
    np.testing.assert_allclose(ours, turned, atol=0.01)  # order and signs too
    criterion = CRITERIA[method][0]
    assert criterion(ours)[0] < criterion(turned)[0]


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_oblique_simple_structure_is_found_again(seed):
    rng = np.random.default_rng(seed)
    simple = np.zeros((12, 3))
    simple[np.arange(12), np.arange(12) % 3] = rng.uniform(0.5, 1.0, 12)
    correlations = 0.3 + 0.7 * np.eye(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    L = simple @ np.linalg.cholesky(correlations) @ turn
    r = rotate(L, "oblimin")
    ours, order, signs = aligned(r.loadings, simple)
    np.testing.assert_allclose(ours, simple, atol=1e-5)
    found = r.factor_covariance[np.ix_(order, order)] * signs * signs[:, None]
    np.testing.assert_allclose(found, correlations, atol=1e-5)


def test_saddles_are_left():
    L = np.array([[1.0, 1.0], [1.0, -1.0], [0.5, 0.5], [0.5, -0.5]])  # no slope, yet the worst
    for method in ("varimax", "quartimax", "oblimin"):
        found = np.abs(rotate(L, method).loadings)
        np.testing.assert_allclose(np.sort(found, axis=1)[:, 0], 0.0, atol=1e-9)


@pytest.mark.parametrize("method", ["varimax", "quartimax", "promax", "oblimin"])
def test_edges(method):
    for L in (np.zeros((4, 2)), np.ones((3, 1)), np.zeros((3, 0)), np.zeros((0, 2))):
        r = rotate(L, method)
        np.testing.assert_array_equal(r.loadings, L)
        np.testing.assert_array_equal(r.factor_covariance, np.eye(L.shape[1]))
    some = random_loadings(0, 6, 2)
    padded = np.c_[some[:, 0], np.zeros(6), some[:, 1]]
    dependent = np.c_[some, some @ [1.0, 2.0]]
    with_zero_row = np.r_[some, np.zeros((1, 2))]
    for L in (padded, dependent, with_zero_row, random_loadings(0, 2, 4)):
        for normalize in (False, True):
            r = rotate(L, method, normalize=normalize)
            product = r.loadings @ r.factor_covariance @ r.loadings.T
            np.testing.assert_allclose(product, L @ L.T, atol=1e-10)
            np.testing.assert_allclose(r.factor_covariance.diagonal(), 1.0, rtol=1e-10)


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match=r"'varimax', .*got 'equamax'"):
        rotate(np.ones((3, 2)), "equamax")

"""The kernels of low-rank covariances against their plain twin, and that against the formula."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures.core.blocks import ArraySource
from mixtures.core.discriminants import HARD, LOW_RANK, SOFT, Assignment, Discriminants
from mixtures.core.kernels import load, plain
from mixtures.core.kernels.lowrank import plain as twin
from mixtures.core.statistics import DIAGONAL, FACTORS, FULL, NONE, NORM, second_shape

compiled = pytest.importorskip("mixtures.core.kernels.lowrank.compiled", exc_type=ImportError)
usual = load()

SHAPES = [(300, 3, 2, 1), (700, 17, 5, 4), (130, 64, 3, 13), (50, 300, 4, 8), (40, 2, 1, 1)]
CENTRE, SCALE = 0.1, 0.5
KIND = LOW_RANK


def components(d, k, q, strength=3.0, seed=0):
    """Slopes, offsets, bias and reference of k components, factors up to `strength` noises."""
    rng = np.random.default_rng(seed)
    slopes, offsets = np.empty((k, d, 1 + q)), np.empty((k, d + q))
    reference = 0.3 * rng.standard_normal((k, d))
    for c in range(k):
        slopes[c, :, 0] = rng.uniform(0.5, 1.0, d)
        slopes[c, :, 1:] = np.linalg.qr(rng.standard_normal((d, q)))[0]
        offsets[c, :d] = -slopes[c, :, 0] * reference[c]
        offsets[c, d:] = 1 / (1 + rng.uniform(0.1, strength, q) ** 2)
    return slopes, offsets, np.log(rng.dirichlet(np.ones(k))), reference


def rows(n, d, dtype=np.float64, seed=1):
    rng = np.random.default_rng(seed)
    return (1.5 * rng.standard_normal((n, d))).astype(dtype), rng.uniform(0, 2, n)


def sweep(module, base, X, w, parts, moments, beta=1.0, hard=False):
    slopes, offsets, bias, reference = parts
    (n, d), k = X.shape, len(bias)
    handle, space = base.rows(X, w), module.workspace(KIND, moments, d, k)
    frame = np.full(d, CENTRE), np.full(d, SCALE)
    sums = np.zeros(k), np.zeros((k, d)), np.zeros(second_shape(moments, k, d))
    given = [np.zeros_like(a) for a in sums[1:]]
    resp, norm, values = np.empty((n - 5, k)), np.empty(n - 5), np.zeros((k, n - 5))
    total = module.accumulate(
        handle, 5, n, *frame, KIND, *parts, beta, hard, moments, *sums, space
    )  # fmt: skip
    module.posterior(handle, 5, n, *frame, KIND, *parts[:3], beta, hard, resp, norm, space)
    module.values(handle, 5, n, *frame, KIND, *parts[:3], values, space)
    weights = np.ascontiguousarray(resp.T)
    module.sums(
        handle, 5, n, *frame, slopes, offsets, weights, reference, moments, *given, space
    )  # fmt: skip
    return np.array(total), *sums, resp, norm, values, *given


@pytest.mark.parametrize("assignment", [SOFT, HARD, Assignment(0.5)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_compiled_equals_plain(shape, assignment):
    n, d, k, q = shape
    X, w = rows(n, d)
    parts = components(d, k, q)
    for moments in (FACTORS + q, FULL, DIAGONAL, NORM, NONE):
        for weight in (w, None):
            found = sweep(compiled, usual, X, weight, parts, moments, *assignment)
            expected = sweep(twin, plain, X, weight, parts, moments, *assignment)
            for one, other in zip(found, expected, strict=True):
                size = 1.0 + np.abs(other).max(initial=0.0)
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * size)


def test_float32_rows():
    X, w = rows(500, 11, np.float32)
    parts = components(11, 3, 4)
    found = sweep(compiled, usual, X, w, parts, FACTORS + 4)
    expected = sweep(twin, plain, X, w, parts, FACTORS + 4)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("strength", [1.0, 50.0, 1e3, 1e7])
def test_the_formula_is_that_of_the_dense_covariance(strength):
    """On both sides of the limit beyond which what the factors leave is summed by itself."""
    d, k, q = 9, 2, 3
    slopes, offsets, bias, _ = components(d, k, q, strength)
    X = rows(60, d)[0]
    for module, base in ((compiled, usual), (twin, plain)):
        values = np.zeros((k, 60))
        space = module.workspace(KIND, NONE, d, k)
        frame = np.zeros(d), np.ones(d)
        module.values(base.rows(X), 0, 60, *frame, KIND, slopes, offsets, bias, values, space)
        for c in range(k):
            U, share = slopes[c, :, 1:], offsets[c, d:]
            # 1 + s^2 along the directions, 1 elsewhere: its inverse as a matrix.
            inverse = np.eye(d) - (U * (1 - share)) @ U.T
            y = X * slopes[c, :, 0] + offsets[c, :d]
            expected = bias[c] - np.einsum("ij,jk,ik->i", y, inverse, y)
            np.testing.assert_allclose(values[c], expected, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("q", [1, 5])
def test_both_ways_to_what_the_factors_leave_agree(q, monkeypatch):
    d, k = 12, 3
    parts = components(d, k, q, 5.0)
    X, w = rows(400, d)
    one = sweep(compiled, usual, X, w, parts, FACTORS + q)
    monkeypatch.setattr(compiled, "WELL_CONDITIONED", 1.0)
    other = sweep(compiled, usual, X, w, parts, FACTORS + q)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert any((a != b).any() for a, b in zip(one, other, strict=True))  # two ways indeed


def test_a_component_without_weight_gets_nothing():
    parts = components(4, 3, 2)
    parts[2][1] = -np.inf
    X, w = rows(200, 4)
    _, counts, first, second, resp, *_ = sweep(compiled, usual, X, w, parts, FACTORS + 2)
    assert counts[1] == 0.0
    assert not first[1].any() and not second[1].any() and not resp[:, 1].any()
    np.testing.assert_allclose(resp.sum(axis=1), 1.0)


def test_blocks_add_up():
    d, k, q = 6, 3, 2
    slopes, offsets, bias, reference = components(d, k, q)
    v = Discriminants(LOW_RANK, slopes, offsets, bias, reference)
    X, w = rows(5000, d)
    whole = ArraySource(X, w).accumulate(v, FACTORS + q)
    parts = [ArraySource(X[i::2].copy(), w[i::2].copy()) for i in (0, 1)]
    halves = [part.accumulate(v, FACTORS + q) for part in parts]
    for one, other in zip(whole, halves[0] + halves[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-9)


def test_what_would_leave_an_array_is_refused():
    slopes, offsets, bias, _ = components(4, 2, 2)
    X, _ = rows(20, 4)
    handle, space = usual.rows(X), compiled.workspace(KIND, NONE, 4, 2)
    frame = np.zeros(4), np.ones(4)
    with pytest.raises(ValueError, match="do not fit slopes"):
        compiled.values(
            handle, 0, 21, *frame, KIND, slopes, offsets, bias, np.zeros((2, 21)), space
        )
    with pytest.raises(ValueError, match="Shapes differ"):
        compiled.values(
            handle, 0, 20, *frame, KIND, slopes, offsets, bias, np.zeros((2, 19)), space
        )
    with pytest.raises(ValueError, match="do not fit slopes"):
        compiled.values(
            handle, 0, 20, *frame, KIND, slopes[:, :3], offsets, bias, np.zeros((2, 20)), space
        )

"""Maximum likelihood of factor analysis: the profile, its derivatives, its maximum, its laws."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import FactorAnalysis

from mixtures.core.low_rank import log_densities, whiten
from mixtures.factor import profile
from mixtures.factor.goodness import chi_square, n_parameters
from mixtures.factor.newton import Covariance, QuasiNewton, Root, evaluate
from mixtures.factor.profile import fit_factors

ORACLE = json.loads((Path(__file__).parent / "oracles" / "factanal.json").read_text())["cases"]
SEEDS = st.integers(0, 2**32 - 1)


def rows(seed, n=80, d=7, q=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, q)) @ rng.normal(size=(q, d)) + rng.normal(size=(n, d))
    return X - X.mean(axis=0)


def correlations(seed, n=80, d=7, q=2):
    return np.corrcoef(rows(seed, n, d, q), rowvar=False)


def covariance_of(X):
    X = X - X.mean(axis=0)
    return X.T @ X / len(X)


def deviance(S, M):
    """log det M + tr M^-1 S."""
    return np.linalg.slogdet(M)[1] + np.trace(np.linalg.solve(M, S))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(0, 3), st.booleans())
def test_the_profile_is_the_deviance_at_the_best_loadings(seed, q, whole):
    S, x = correlations(seed), np.random.default_rng(seed).normal(-1.0, 0.5, 7)
    point = evaluate(Covariance(S), x, q, whole)
    loadings = np.exp(0.5 * x)[:, None] * point.vectors * np.sqrt(point.theta - 1.0)
    best = deviance(S, loadings @ loadings.T + np.diag(np.exp(x)))
    assert point.value == pytest.approx(best, rel=1e-12)
    other = loadings * np.random.default_rng(1).normal(1.0, 0.1, loadings.shape)
    assert best <= deviance(S, other @ other.T + np.diag(np.exp(x))) + 1e-12


def reference(S, x, q):
    """The profile in 40 digits."""
    d = len(x)
    scale = [mpmath.exp(-v / 2) for v in x]
    M = mpmath.matrix(d, d)
    for i in range(d):
        for j in range(d):
            M[i, j] = mpmath.mpf(S[i, j]) * scale[i] * scale[j]
    theta = sorted(mpmath.eigsy(M, eigvals_only=True), reverse=True)
    top = [t for t in theta[:q] if t > 1]
    return sum(x) + sum(1 + mpmath.log(t) for t in top) + sum(theta[len(top) :])


def test_derivatives_against_many_digits():
    S, q, h = correlations(3, d=5), 2, mpmath.mpf("1e-10")
    x = np.log([0.3, 0.5, 0.2, 0.6, 0.4])
    point = evaluate(Covariance(S), x, q, True)
    hessian = point.hessian()[0]
    with mpmath.workdps(40):
        start = [mpmath.mpf(v) for v in x]

        def at(*moves):
            y = list(start)
            for j, m in moves:
                y[j] += m * h
            return reference(S, y, q)

        assert float(at()) == pytest.approx(point.value, rel=1e-14)
        for i in range(5):
            slope = (at((i, 1)) - at((i, -1))) / (2 * h)
            assert float(slope) == pytest.approx(point.gradient[i], abs=1e-13)
            for j in range(5):
                both = at((i, 1), (j, 1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1))
                bend = (both + at((i, -1), (j, -1))) / (4 * h * h)
                assert float(bend) == pytest.approx(hessian[i, j], abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 3))
def test_derivatives_of_a_singular_covariance_by_its_root(seed, q):
    X = rows(seed, n=6, d=9)
    root = X / np.sqrt(len(X)) / X.std(axis=0)
    x = np.random.default_rng(seed).normal(-1.0, 0.3, 9)
    dense = evaluate(Covariance(root.T @ root), x, q, True)
    thin, top = evaluate(Root(root), x, q, True), evaluate(Root(root), x, q, False)
    for other in (thin, top):
        assert other.value == pytest.approx(dense.value, rel=1e-12)
        np.testing.assert_allclose(other.gradient, dense.gradient, atol=1e-10)
        np.testing.assert_allclose(other.diagonal, dense.diagonal, atol=1e-10)
    for one, other in zip(thin.hessian(), dense.hessian(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert np.linalg.eigvalsh(dense.hessian()[1]).min() > -1e-12


def log_likelihood(X, s):
    return log_densities(whiten(s.loadings, s.noise), X).mean()


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(3, 60), st.integers(1, 9), st.integers(0, 5))
def test_every_fit_climbs_to_a_stationary_point_in_canonical_form(seed, n, d, q):
    X, q = rows(seed, n, d), min(q, d)
    s = fit_factors(covariance_of(X), q)
    assert s.converged and len(s.trace) == s.n_iter
    assert np.all(np.diff(s.trace) >= 0.0)
    assert s.gradient_norm < 1e-4  # next to nothing to gain on ridges, where it is largest
    assert s.loadings.shape == (d, q) and s.noise.min() > 0.0
    if not s.heywood.any():
        assert s.trace[-1] == pytest.approx(log_likelihood(X, s), rel=1e-10)
        inner = s.loadings.T @ (s.loadings / s.noise[:, None])
        off = inner - np.diag(np.diag(inner))
        assert np.all(np.abs(off) <= 1e-9 * (1.0 + inner.max(initial=0.0)))
        assert np.all(np.diff(np.diag(inner)) <= 1e-9)
    shares = s.loadings / X.std(axis=0)[:, None]
    assert np.all(shares.max(axis=0, initial=0.0) >= -shares.min(axis=0, initial=0.0) - 1e-9)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_units_and_order_of_features_change_nothing(seed):
    rng = np.random.default_rng(seed)
    S = covariance_of(rows(seed, 300))
    s = fit_factors(S, 2)
    twos, units = 2.0 ** rng.integers(-300, 300, 7), np.exp(rng.normal(0.0, 20.0, 7))
    scaled = fit_factors(S * twos * twos[:, None], 2)
    np.testing.assert_array_equal(scaled.noise / twos / twos, s.noise)
    np.testing.assert_array_equal(scaled.loadings / twos[:, None], s.loadings)
    other, order = fit_factors(S * units * units[:, None], 2), rng.permutation(7)
    moved = fit_factors(S[np.ix_(order, order)], 2)
    if not s.heywood.any():
        np.testing.assert_allclose(other.noise / units / units, s.noise, rtol=1e-7)
        np.testing.assert_allclose(moved.noise, s.noise[order], rtol=1e-7)
    assert moved.trace[-1] == pytest.approx(s.trace[-1], rel=1e-9)
    at = other.trace[-1] + np.log(units).sum()
    assert at == pytest.approx(s.trace[-1], rel=1e-9)


@pytest.mark.parametrize("d,q", [(1, 1), (3, 1), (3, 3), (6, 3), (6, 5), (6, 6)])
def test_enough_factors_are_any_covariance(d, q):
    S = np.diag(np.arange(1.0, d + 1.0)) + 0.3
    s = fit_factors(S, q)
    full = -0.5 * (d * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + d)
    assert s.trace[-1] == pytest.approx(full, abs=1e-9)


@pytest.mark.parametrize("case", ORACLE, ids=lambda c: c["name"])
def test_factanal(case):
    S, q, n = np.array(case["covariance"]), int(case["q"]), case["n"]
    s, d = fit_factors(S, q), len(S)
    unit = np.sqrt(S.diagonal())
    log_det = np.linalg.slogdet(S / unit / unit[:, None])[1]
    criterion = -2.0 * (s.trace[-1] + np.log(unit).sum()) - d * np.log(2 * np.pi) - log_det - d
    test = chi_square(S, s.loadings, s.noise, n)
    assert test.dof == case["dof"] == d * (d + 1) // 2 - n_parameters(d, q)
    if "cancer" in case["name"]:  # factanal keeps uniquenesses off zero, or ends at less
        assert criterion < case["criterion"] + 1e-9 and test.statistic < case["statistic"]
        return
    np.testing.assert_allclose(s.noise / unit**2, case["uniquenesses"], atol=2e-7)
    np.testing.assert_allclose(
        np.abs(s.loadings / unit[:, None]), np.abs(case["loadings"]), atol=2e-6
    )
    assert criterion == pytest.approx(case["criterion"], abs=1e-12)
    assert test.statistic == pytest.approx(case["statistic"], rel=1e-11)
    assert test.p_value == pytest.approx(case["p_value"], rel=1e-9)


@pytest.mark.parametrize(
    "load,q,iterations", [(load_digits, 10, 400), (load_breast_cancer, 5, 2000)]
)
@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
def test_no_less_likely_than_scikit_learn_in_the_end(load, q, iterations):
    X = load().data
    theirs = FactorAnalysis(q, tol=1e-12, max_iter=iterations, svd_method="lapack").fit(X)
    s = fit_factors(covariance_of(X), q)
    assert s.trace[-1] >= theirs.score(X) - 1e-8 * abs(s.trace[-1])
    assert s.n_iter < 40
    constant = X.std(axis=0) == 0.0
    assert np.all(s.noise[constant] == 1e-12) and not s.loadings[constant].any()


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(1, 3))
def test_roots_and_quasi_newton_steps_find_the_same(seed, q):
    X = rows(seed, n=15, d=40, q=q)
    s = fit_factors(covariance_of(X), q)
    root = X / np.sqrt(len(X))
    start = np.where(s.heywood, 0.01, 1.0) * X.var(axis=0) * 0.5
    few = profile.NEWTON
    try:
        by_root = fit_factors(None, q, root=root, noise_init=start)
        profile.NEWTON = 0
        learnt = fit_factors(None, q, root=root, noise_init=start, tol=1e-12)
        dense = fit_factors(covariance_of(X), q, noise_init=start, tol=1e-12)
    finally:
        profile.NEWTON = few
    assert dense.trace[-1] == pytest.approx(learnt.trace[-1], rel=1e-9)
    assert np.all(np.diff(learnt.trace) >= 0.0) and learnt.converged
    if (by_root.heywood == learnt.heywood).all():
        assert by_root.trace[-1] == pytest.approx(learnt.trace[-1], rel=1e-9)
    assert fit_factors(None, q, root=root).trace[-1] == pytest.approx(s.trace[-1], rel=1e-9)


def test_quasi_newton_forgets_when_features_leave():
    S, method = Covariance(correlations(0)), QuasiNewton()
    for d in (7, 7, 6):
        part = Covariance(S.matrix[:d, :d])
        method.step(evaluate(part, np.full(d, -1.0) - 0.1 * len(method.pairs), 2, False))
    assert method.pairs == []


def test_starts_and_limits():
    S = covariance_of(rows(0, 200))
    s = fit_factors(S, 2)
    again = fit_factors(S, 2, noise_init=s.noise)
    assert again.n_iter <= 2 and again.trace[-1] == pytest.approx(s.trace[-1], rel=1e-13)
    one = fit_factors(S, 2, noise_init=S.diagonal(), max_iter=1)
    assert not one.converged and one.n_iter == len(one.trace) == 1
    assert one.trace[-1] < s.trace[-1]


def test_no_test_of_fit_where_there_is_none():
    S = covariance_of(rows(0))
    s = fit_factors(S, 4)
    assert chi_square(S, s.loadings, s.noise, 80) is None  # no degree of freedom
    s = fit_factors(S, 2)
    assert chi_square(S, s.loadings, s.noise, 5) is None  # fewer rows than the correction
    S = covariance_of(rows(0, n=5))
    s = fit_factors(S, 1)
    assert chi_square(S, s.loadings, s.noise, 50) is None  # singular

"""Factor analysis on the boundary: no noise, collinear features, degenerate input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.decomposition import FactorAnalysis

from mixtures.core.low_rank import log_densities, whiten
from mixtures.factor.boundary import Edge, Search
from mixtures.factor.newton import Covariance, Root, evaluate
from mixtures.factor.profile import fit_factors, standardised

from .test_factor_profile import covariance_of, deviance

SEEDS = st.integers(0, 2**32 - 1)


def weak_rows(seed, d=15, n=40):
    """Few rows, three weak factors: with six, some noise variances are zero."""
    rng = np.random.default_rng(seed)
    L = rng.normal(size=(d, 3)) * 0.6
    X = rng.normal(size=(n, 3)) @ L.T + rng.normal(size=(n, d))
    return X - X.mean(axis=0)


def deviance_of(s):
    """F, in the units of correlations when the covariance is one."""
    return -2.0 * s.trace[-1] - len(s.noise) * np.log(2 * np.pi)


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_boundary_solutions_are_maxima(seed):
    X = weak_rows(seed)
    S = np.corrcoef(X, rowvar=False)
    s = fit_factors(S, 6)
    at_zero, d = np.flatnonzero(s.heywood), len(S)
    assert s.converged and s.gradient_norm < 1e-4 and np.all(np.diff(s.trace) >= 0.0)
    assert len(at_zero) <= 6
    np.testing.assert_allclose(s.noise[at_zero], 1e-12)
    # As near to the boundary as the profile can be computed, it says the same.
    near = np.where(s.heywood, 1e-7, s.noise)
    assert evaluate(Covariance(S), np.log(near), 6, True).value == pytest.approx(
        deviance_of(s), abs=1e-5
    )
    for j in at_zero:  # the derivative by a noise variance of zero points down
        inside = near.copy()
        inside[j] = 1e-3
        assert evaluate(Covariance(S), np.log(inside), 6, True).value > deviance_of(s) - 1e-6
    M = s.loadings @ s.loadings.T + np.diag(s.noise)
    np.testing.assert_allclose(M.diagonal(), np.ones(d), atol=1e-6)  # as at any maximum
    np.testing.assert_allclose(M[at_zero], S[at_zero], atol=1e-9)  # H is reproduced exactly


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.integers(0, 3))
def test_zero_noise_parts_the_likelihood(seed, h):
    """F with features without noise, as the limit of ever less noise."""
    S = np.corrcoef(weak_rows(seed, 8), rowvar=False)
    given_features = tuple(np.random.default_rng(seed).permutation(8)[:h].tolist())
    edge = Edge.of(Covariance(S), given_features, 3, 1e-12)
    x = edge.log_noise(np.log(np.random.default_rng(seed).uniform(0.1, 0.6, 8)))
    value = edge.constant + evaluate(edge.scatter, x, edge.n_left, True).value
    whole = np.full(8, np.log(1e-8))
    whole[edge.free] = x
    assert value == pytest.approx(evaluate(Covariance(S), whole, 3, True).value, abs=1e-5)


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.booleans())
def test_derivatives_at_zero_noise(seed, by_root):
    X = weak_rows(seed, 8)
    S = np.corrcoef(X, rowvar=False)
    root = X / X.std(axis=0) / np.sqrt(len(X))
    scatter = Root(root) if by_root else Covariance(S)
    search = Search(scatter, 3, 1e-12, True)
    place = search.at((2, 5), np.log(np.random.default_rng(seed).uniform(0.2, 0.5, 8)))
    slopes, _ = place.edge.derivatives(place.point)
    L, P = place.loadings(), np.zeros(8)
    P[place.edge.free] = np.exp(place.point.x)
    inverse = np.linalg.inv(L @ L.T + np.diag(P))
    direct = np.diag(inverse @ (L @ L.T + np.diag(P) - S) @ inverse)[[2, 5]]
    np.testing.assert_allclose(slopes, direct, atol=1e-7 * (1 + np.abs(direct).max()))
    np.testing.assert_allclose(
        np.linalg.slogdet(L @ L.T + np.diag(P))[1] + np.trace(inverse @ S), place.value, rtol=1e-9
    )


def test_a_feature_held_at_zero_wrongly_is_released():
    L = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    S = np.outer(L, L) + np.diag(1.0 - L**2)
    search = Search(Covariance(S), 1, 1e-12, True)
    ending = search.run(search.at((4,), np.full(5, -0.5)), 1e-10, 100)
    assert ending.converged and ending.place.edge.given == ()
    np.testing.assert_allclose(np.exp(ending.place.point.x), 1.0 - L**2, rtol=1e-6)
    assert np.all(np.diff(ending.trace) <= 0.0)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
def test_no_less_likely_than_scikit_learn_after_many_iterations(seed):
    X = weak_rows(seed, 12 + 2 * seed)
    theirs = FactorAnalysis(6, tol=1e-12, max_iter=3000, svd_method="lapack").fit(X)
    s = fit_factors(covariance_of(X), 6)
    assert s.heywood.any() and s.n_iter < 40
    assert s.trace[-1] > theirs.score(X)
    assert log_densities(whiten(s.loadings, s.noise), X).mean() == pytest.approx(
        s.trace[-1], rel=1e-8
    )


def draws():
    return np.random.default_rng(0).normal(size=(50, 6))


COLLINEAR = {  # rows, factors, features without noise
    "a duplicate": (draws()[:, [0, 1, 1, 2, 3]], 1, [1, 2]),
    "a duplicate with its sign changed": (draws()[:, [0, 1, 1, 2]] * [1, 1, -3, 1], 1, [1, 2]),
    "three of a kind": (draws()[:, [0, 1, 1, 1, 2, 3]], 1, [1, 2, 3]),
    "two pairs": (draws()[:, [0, 1, 1, 2, 2, 3]], 2, [1, 2, 3, 4]),
    "a sum": (np.c_[draws()[:, :4], draws()[:, 0] + draws()[:, 1]], 2, [0, 1, 4]),
    "rank one": (draws()[:, [0]] * np.arange(1.0, 6.0), 1, [0, 1, 2, 3, 4]),
    "rank one, two factors": (draws()[:, [0]] * np.arange(1.0, 6.0), 2, [0, 1, 2, 3, 4]),
    "as many factors as ranks": (draws()[:4], 3, [0, 1, 2, 3, 4, 5]),
}


@pytest.mark.parametrize("name", COLLINEAR)
def test_collinear_features_stay_at_the_floor(name):
    X, q, expected = COLLINEAR[name]
    S = covariance_of(X)
    for floor in (1e-12, 1e-9):
        s = fit_factors(S, q, floor=floor)
        assert s.converged and np.all(np.diff(s.trace) >= 0.0)
        np.testing.assert_array_equal(np.flatnonzero(s.heywood), expected)
        np.testing.assert_allclose(s.noise[expected], floor * S.diagonal()[expected], rtol=1e-12)
        M = s.loadings @ s.loadings.T + np.diag(s.noise)
        np.testing.assert_allclose(M.diagonal(), S.diagonal(), rtol=1e-6)
    value = -0.5 * (deviance(S, M) + len(S) * np.log(2 * np.pi))
    assert s.trace[-1] == pytest.approx(value, rel=1e-6)


DEGENERATE = {
    "a constant feature": covariance_of(draws() * [1, 0, 1, 1, 0, 1]),
    "all constant": np.zeros((3, 3)),
    "one feature": np.array([[2.0]]),
    "no feature": np.zeros((0, 0)),
    "independent": np.eye(5),
    "perfect correlation": np.ones((4, 4)),
    "equal correlations": np.full((6, 6), 0.5) + 0.5 * np.eye(6),
    "pairs": np.kron(np.eye(3), np.array([[1.0, 0.5], [0.5, 1.0]])),
    "few rows": covariance_of(draws()[:3]),
    "one row": covariance_of(draws()[:1]),
    "large": covariance_of(draws()) * 1e300,
    "small": covariance_of(draws()) * 1e-300,
    "very large and very small": covariance_of(draws() * 10.0 ** np.arange(-140, 150, 50)),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_input_is_no_error(name):
    S = DEGENERATE[name]
    d = len(S)
    before = -np.inf
    for q in range(d + 1):
        s = fit_factors(S, q)
        assert s.converged and np.all(np.diff(s.trace) >= 0.0)
        assert s.loadings.shape == (d, q) and np.isfinite(s.loadings).all()
        assert np.all(s.noise > 0.0) and np.isfinite(s.trace).all()
        assert s.trace[-1] >= before - 1e-3  # rounding, where noise is at the floor
        before = s.trace[-1]
        constant = S.diagonal() == 0.0
        assert np.all(s.noise[constant] == 1e-12) and not s.loadings[constant].any()


def test_roots_are_scaled_without_squares_out_of_range():
    X = draws() * 2.0 ** np.array([-400, 400, 0, 1, 2, 3])
    ours, unit = standardised(None, X[:3])
    plain, _ = standardised(None, draws()[:3])
    assert isinstance(ours, Root) and np.isfinite(unit).all()
    np.testing.assert_array_equal(ours.root, plain.root)


def test_more_starts_are_never_worse_and_sometimes_better():
    gains = []
    for seed in (0, 1, 9, 46, 53):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(12, 21))
        loadings = 0.6 * rng.standard_normal((d, 6))
        X = rng.standard_normal((40, 6)) @ loadings.T + 0.8 * rng.standard_normal((40, d))
        covariance = np.cov(X.T, bias=True)
        one = fit_factors(covariance, 6)
        more = fit_factors(covariance, 6, n_init=6, rng=np.random.RandomState(0))
        gains.append(more.trace[-1] - one.trace[-1])
    assert min(gains) > -1e-8
    assert max(gains) > 1e-3


@pytest.mark.parametrize("q", [1, 2, 3])
def test_the_best_of_several_maxima(q):
    """For one factor of these measurements, the usual start ends at a worse one inside."""
    X = load_diabetes().data
    covariance = np.corrcoef(X.T)
    found = fit_factors(covariance, q).trace[-1]
    for seed in range(4):
        noise = np.random.default_rng(seed).uniform(0.05, 0.95, 10)
        assert found >= fit_factors(covariance, q, noise_init=noise).trace[-1] - 1e-9

"""Laws of probabilistic PCA: the maximum, its symmetries, its limit, and rows with gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles
from scipy.stats import multivariate_normal, ortho_group

from mixtures import FactorAnalysis, ProbabilisticPCA
from mixtures.core.low_rank import log_densities, whiten

seeds = st.integers(0, 2**31 - 1)
few = settings(max_examples=20, deadline=None)


def draw(seed, n=60, d=6, q=2, noise=1.0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, q)) @ rng.normal(size=(q, d)) * 3.0
    return factors + noise * rng.normal(size=(n, d)) + rng.normal(size=d), rng


def score(X, mean, W, noise):
    d = X.shape[1]
    return log_densities(whiten(W, np.full(d, noise)), X - mean).mean()


@given(seeds, st.integers(1, 4), st.floats(1e-4, 1.0))
@few
def test_no_other_parameters_are_more_likely(seed, q, size):
    X, rng = draw(seed)
    best = ProbabilisticPCA(q).fit(X)
    for _ in range(10):
        W = best.loadings_ + size * rng.normal(size=best.loadings_.shape)
        noise = best.noise_variance_ * np.exp(size * rng.normal())
        mean = best.mean_ + size * rng.normal(size=6)
        assert score(X, mean, W, noise) <= best.log_likelihood_ + 1e-12


@given(seeds)
@few
def test_the_gradient_is_zero(seed):
    X, _ = draw(seed)
    model = ProbabilisticPCA(2).fit(X)
    L, noise, step = model.loadings_, model.noise_variance_, 1e-5
    for i, j in np.ndindex(L.shape):
        E = np.zeros_like(L)
        E[i, j] = step
        up, down = (score(X, model.mean_, L + s * E, noise) for s in (1, -1))
        assert abs(up - down) / (2 * step) < 1e-8
    up, down = (score(X, model.mean_, L, noise * np.exp(s * step)) for s in (1, -1))
    assert abs(up - down) / (2 * step) < 1e-8


@pytest.mark.parametrize("noise", ["isotropic", "zero"])
@given(seeds)
@few
def test_rotations_of_the_rows_rotate_the_model(noise, seed):
    X, rng = draw(seed)
    Q = ortho_group.rvs(6, random_state=rng)
    one = ProbabilisticPCA(2, noise=noise).fit(X)
    other = ProbabilisticPCA(2, noise=noise).fit(X @ Q)
    assert subspace_angles((one.components_ @ Q).T, other.components_.T).max() < 1e-7
    np.testing.assert_allclose(other.explained_variance_, one.explained_variance_, rtol=1e-10)
    rotated = Q.T @ one.get_covariance() @ Q
    np.testing.assert_allclose(other.get_covariance(), rotated, atol=1e-9 * rotated.max())
    np.testing.assert_allclose(np.abs(other.transform(X @ Q)), np.abs(one.transform(X)), atol=1e-8)
    if noise == "isotropic":
        np.testing.assert_allclose(other.log_likelihood_, one.log_likelihood_, rtol=1e-11)


@given(seeds, st.integers(-450, 450))
@few
def test_a_common_unit_changes_no_digit(seed, exponent):
    X, _ = draw(seed)
    unit = 2.0**exponent
    one, other = ProbabilisticPCA(2).fit(X), ProbabilisticPCA(2).fit(X * unit)
    np.testing.assert_array_equal(other.components_, one.components_)
    np.testing.assert_array_equal(other.explained_variance_ratio_, one.explained_variance_ratio_)
    np.testing.assert_array_equal(other.loadings_, one.loadings_ * unit)
    np.testing.assert_array_equal(other.posterior_covariance_, one.posterior_covariance_)
    np.testing.assert_allclose(other.transform(X * unit), one.transform(X), rtol=1e-12)
    jacobian = 6 * exponent * np.log(2.0)
    expected = one.log_likelihood_ - jacobian
    np.testing.assert_allclose(other.log_likelihood_, expected, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(other.score(X * unit), expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("solver", ["covariance", "gram", "randomized"])
@pytest.mark.parametrize("shift", [1e3, 1e7])
def test_a_shift_costs_no_digits(solver, shift):
    X = np.round(draw(0)[0] * 2**20) / 2**20
    one, other = (
        ProbabilisticPCA(2, svd_solver=solver, random_state=0).fit(x) for x in (X, X + shift)
    )
    np.testing.assert_allclose(other.components_, one.components_, atol=1e-12)
    np.testing.assert_allclose(other.noise_variance_, one.noise_variance_, rtol=1e-12)


@given(seeds, st.sampled_from(["isotropic", "zero"]))
@few
def test_weights_are_repetitions(seed, noise):
    X, rng = draw(seed, n=30, d=5)
    w = rng.integers(0, 4, 30)
    w[:8] = 1 + w[:8]
    for solver in ("covariance", "gram", "randomized"):
        options = {"noise": noise, "svd_solver": solver, "random_state": 0}
        one = ProbabilisticPCA(2, **options).fit(X, sample_weight=w)
        other = ProbabilisticPCA(2, **options).fit(np.repeat(X, w, axis=0))
        np.testing.assert_allclose(one.loadings_, other.loadings_, atol=1e-9)
        np.testing.assert_allclose(one.singular_values_, other.singular_values_, rtol=1e-11)
        np.testing.assert_allclose(one.noise_variance_, other.noise_variance_, rtol=1e-11)
        if noise == "isotropic":
            repeated = other.score(np.repeat(X, w, axis=0))
            np.testing.assert_allclose(one.score(X, sample_weight=w), repeated, rtol=1e-11)
            bic = other.bic(np.repeat(X, w, axis=0))
            np.testing.assert_allclose(one.bic(X, sample_weight=w), bic, rtol=1e-11)
        halved = ProbabilisticPCA(2, **options).fit(X, sample_weight=w / 2.0)
        np.testing.assert_array_equal(halved.components_, one.components_)


def test_pca_is_the_limit_of_vanishing_noise():
    """Factors become scores in units of their standard deviation; the subspace is the same."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(500, 2)) @ np.array([[4.0, 1.0, 0.0, 2.0], [0.0, 2.0, 1.0, -1.0]])
    dust = rng.normal(size=(500, 4))
    for noise in (1e-1, 1e-3, 1e-5):
        X = signal + noise * dust
        ppca, pca = ProbabilisticPCA(2).fit(X), ProbabilisticPCA(2, noise="zero").fit(X)
        np.testing.assert_allclose(ppca.components_, pca.components_, atol=1e-12)
        gap = ppca.noise_variance_ / ppca.explained_variance_
        shrunk = pca.transform(X) / np.sqrt(pca.explained_variance_)
        # the relative difference is gap / 2, to first order
        np.testing.assert_allclose(ppca.transform(X), shrunk * np.sqrt(1 - gap), rtol=1e-6)
        assert np.abs(ppca.transform(X) - shrunk).max() <= gap.max() * np.abs(shrunk).max()
        back = pca.inverse_transform(pca.transform(X))
        away = np.abs(ppca.inverse_transform(ppca.transform(X)) - back).max()
        assert away <= 2.0 * gap.max() * np.abs(X).max()
        assert np.diag(ppca.posterior_covariance_).max() <= 1.01 * gap.max()


@given(seeds)
@few
def test_more_factors_are_never_less_likely(seed):
    X, _ = draw(seed)
    values = [ProbabilisticPCA(q).fit(X).log_likelihood_ for q in range(6)]
    assert (np.diff(values) >= -1e-12).all()
    full = multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True)).logpdf(X).mean()
    np.testing.assert_allclose(values[-1], full, rtol=1e-10)
    models = [ProbabilisticPCA(q).fit(X) for q in range(6)]
    assert [m.n_parameters() for m in models] == [7, 13, 18, 22, 25, 27]
    best = models[2]
    np.testing.assert_allclose(best.aic(X), 2 * 18 - 120 * best.log_likelihood_, rtol=1e-11)


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_rows_with_gaps(seed):
    """Complete rows seen by EM have the closed form; gaps are filled by conditional means."""
    X, rng = draw(seed, n=150, noise=0.5)
    closed = ProbabilisticPCA(2).fit(X)
    almost = np.vstack([X, np.full((1, 6), np.nan)])  # says nothing, but takes the way of EM
    model = ProbabilisticPCA(2, tol=1e-13, max_iter=5000).fit(almost)
    np.testing.assert_allclose(model.log_likelihood_ * 151 / 150, closed.log_likelihood_, rtol=1e-9)
    np.testing.assert_allclose(model.score(almost), model.log_likelihood_, rtol=1e-10)
    np.testing.assert_allclose(model.get_covariance(), closed.get_covariance(), atol=1e-3)
    np.testing.assert_array_equal(model.transform(almost)[-1], np.zeros(2))
    gappy = X.copy()
    gappy[rng.random(X.shape) < 0.2] = np.nan
    some = ~np.isnan(gappy).all(axis=1)
    model = ProbabilisticPCA(2).fit(gappy)
    assert (np.diff(model.log_likelihoods_) >= -1e-12).all()
    np.testing.assert_allclose(model.score(gappy[some]), model.log_likelihood_, rtol=1e-10)
    w = rng.integers(0, 3, 150)
    one = ProbabilisticPCA(2).fit(gappy, sample_weight=w)
    other = ProbabilisticPCA(2).fit(np.repeat(gappy, w, axis=0))
    np.testing.assert_allclose(one.log_likelihood_, other.log_likelihood_, rtol=1e-9)
    np.testing.assert_allclose(one.get_covariance(), other.get_covariance(), atol=1e-6)
    S, filled = model.get_covariance(), model.impute(gappy)
    for row in np.flatnonzero(np.isnan(gappy).any(axis=1) & some)[:10]:
        gap = np.isnan(gappy[row])
        o, mean = ~gap, model.mean_
        slope = np.linalg.solve(S[np.ix_(o, o)], S[np.ix_(o, gap)])
        expected = mean[gap] + (gappy[row, o] - mean[o]) @ slope
        np.testing.assert_allclose(filled[row, gap], expected, atol=1e-10)
        density = multivariate_normal(mean[o], S[np.ix_(o, o)]).logpdf(gappy[row, o])
        np.testing.assert_allclose(model.score_samples(gappy[[row]])[0], density, rtol=1e-9)
    np.testing.assert_array_equal(filled[~np.isnan(gappy)], X[~np.isnan(gappy)])
    draws = model.sample_missing(gappy, 3, random_state=0)
    assert draws.shape == (3, 150, 6)
    np.testing.assert_array_equal(draws[:, ~np.isnan(gappy)], [X[~np.isnan(gappy)]] * 3)


@pytest.mark.parametrize("n_components", [0, 0.7, None])
def test_how_many_factors_where_there_are_gaps(n_components):
    X, rng = draw(3, n=200, noise=0.5)
    gappy = X.copy()
    gappy[rng.random(X.shape) < 0.05] = np.nan
    model = ProbabilisticPCA(n_components).fit(gappy)
    assert model.n_components_ == ProbabilisticPCA(n_components).fit(X).n_components_
    np.testing.assert_allclose(model.score(gappy), model.log_likelihood_, rtol=1e-10)


@pytest.mark.parametrize("make", [ProbabilisticPCA, FactorAnalysis])
def test_no_factors_where_there_are_gaps(make):
    X, rng = draw(3, n=200)
    X[rng.random(X.shape) < 0.3] = np.nan
    model = make(0).fit(X)
    np.testing.assert_allclose(model.mean_, np.nanmean(X, axis=0), rtol=1e-10)
    away = X - model.mean_
    noise = np.nanvar(X, axis=0) if make is FactorAnalysis else np.nanmean(away**2)
    np.testing.assert_allclose(model.noise_variance_, noise, rtol=1e-10)
    assert model.transform(X).shape == (200, 0)
    means = np.broadcast_to(model.mean_, X.shape)
    np.testing.assert_allclose(model.impute(X)[np.isnan(X)], means[np.isnan(X)])
    density = -0.5 * np.nansum(away**2 / noise + np.log(2 * np.pi * noise), axis=1)
    np.testing.assert_allclose(model.score(X), density.mean(), rtol=1e-10)

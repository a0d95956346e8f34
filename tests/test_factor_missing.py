"""EM on rows with gaps: closed forms, stationarity, Heywood cases, imputation, refusals."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from mixtures.core.em import EMProblem, StopReason, run_em
from mixtures.factor._sums import ObservedSource
from mixtures.factor.missing import (
    LatentGaussian,
    LatentParams,
    _regressed,
    fit_observed,
    start_observed,
)
from mixtures.factor.observed import impute, posterior_observed, sample_missing

from . import naive_missing as naive

ACCELERATIONS = ["auto", None, "squarem", "anderson"]


def rows_of(n, d, q, gaps, seed=0, noise=1.0):
    """Rows of a factor model, with a share of the numbers missing."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, q)) @ rng.standard_normal((q, d))
    X += noise * rng.uniform(0.5, 1.5, d) * rng.standard_normal((n, d))
    X[rng.random(X.shape) < gaps] = np.nan
    return X


def cancer(gaps, seed=0):
    X = load_breast_cancer().data[:200]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    X[np.random.default_rng(seed).random(X.shape) < gaps] = np.nan
    return X


def elsewhere(params, seed=1):
    """A start that is not what the principal axes of filled rows give."""
    rng = np.random.default_rng(seed)
    loadings = params.loadings + 0.5 * rng.standard_normal(params.loadings.shape)
    mean = params.mean + 0.3 * rng.standard_normal(len(params.mean))
    return LatentParams(mean, loadings, 2.0 * params.noise)


def fitted(X, q, *, isotropic, w=None, start=None, tol=1e-12, max_iter=2000, **options):
    start = start_observed(X, w, q, isotropic) if start is None else start
    return fit_observed(X, w, start, isotropic=isotropic, tol=tol, max_iter=max_iter, **options)


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("expanded", [True, False])
def test_a_step_is_the_regressions_of_the_textbook(isotropic, expanded):
    X, w = rows_of(12, 4, 2, 0.3), np.linspace(0.5, 2.0, 12)
    X = X[~np.isnan(X).all(axis=1)]
    w = w[: len(X)]
    start = elsewhere(start_observed(X, w, 2, isotropic))
    family = LatentGaussian(np.ones(4), np.full(4, 1e-12), isotropic, expanded)
    with ObservedSource(X, w, 2) as source:
        point = EMProblem(source, family, 0.0).evaluate(start)
    expected = naive.em_step(X, w, *start, isotropic=isotropic, expanded=expanded)
    assert point.objective == pytest.approx(naive.objective(X, w, *start), abs=1e-12)
    for new, old in zip(point.image, expected, strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_without_gaps_it_ends_where_the_eigenvalues_say(acceleration):
    X = rows_of(150, 7, 3, 0.0)
    start = elsewhere(start_observed(X, None, 3, True))
    result = fitted(X, 3, isotropic=True, start=start, tol=1e-14, acceleration=acceleration)
    mean, S, value = naive.ppca(X, 3)
    assert result.objective == pytest.approx(value, abs=1e-10)
    np.testing.assert_allclose(result.params.mean, mean, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        naive.covariance(*result.params[1:]), S, rtol=0, atol=1e-6 * np.abs(S).max()
    )


def test_without_gaps_the_start_of_ppca_is_its_end():
    X = rows_of(150, 7, 3, 0.0)
    start = start_observed(X, None, 3, True)
    mean, S, value = naive.ppca(X, 3)
    np.testing.assert_allclose(start.mean, mean, atol=1e-14)
    np.testing.assert_allclose(naive.covariance(*start[1:]), S, rtol=1e-10, atol=1e-12)
    assert fitted(X, 3, isotropic=True).objective == pytest.approx(value, abs=1e-13)


def test_without_gaps_it_solves_the_equations_of_factor_analysis():
    """``S^-1 (S - C) S^-1`` is zero on the diagonal and times the loadings (Lawley 1940)."""
    X = rows_of(300, 8, 2, 0.0)
    _, loadings, noise = fitted(X, 2, isotropic=False, tol=1e-15).params
    away, S = X - X.mean(axis=0), naive.covariance(loadings, noise)
    score = np.linalg.solve(S, S - away.T @ away / len(X)) @ np.linalg.inv(S)
    np.testing.assert_allclose(np.diag(score), 0.0, atol=1e-6)
    np.testing.assert_allclose(score @ loadings, 0.0, atol=1e-6)


@pytest.mark.parametrize("isotropic", [True, False])
def test_the_gradient_is_that_of_the_naive_objective_and_vanishes_at_the_end(isotropic):
    X = rows_of(70, 6, 2, 0.3, noise=0.7)
    X = X[~np.isnan(X).all(axis=1)]
    start = elsewhere(start_observed(X, None, 2, isotropic))
    end = fitted(X, 2, isotropic=isotropic, start=start, tol=1e-15).params
    family = LatentGaussian(np.linspace(0.5, 2.0, 6), np.full(6, 1e-12), isotropic)

    def value(vector):
        return naive.objective(X, None, *family.unpack(vector, start))

    for params in (start, end):
        with ObservedSource(X, np.ones(len(X)), 2) as source:
            stats = EMProblem(source, family, 0.0).evaluate(params).stats
        gradient = family.gradient(stats, params) / len(X)
        expected = naive.slopes(value, family.pack(params))
        if isotropic:  # one number
            expected[-6:] = expected[-6:].mean()
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
        assert (np.abs(gradient).max() > 1e-2) == (params is start)
    assert np.abs(gradient).max() < 1e-6


def test_all_accelerations_end_at_one_place_and_px_em_needs_fewer_iterations():
    X = cancer(0.2)
    results = [fitted(X, 3, isotropic=True, tol=1e-11, acceleration=a) for a in ACCELERATIONS]
    for result in results:
        assert result.reason in {StopReason.CONVERGED, StopReason.STATIONARY}
        assert result.objective == pytest.approx(results[0].objective, abs=1e-8)
    start, counts = start_observed(X, None, 3, True), []
    for expanded in (False, True):
        family = LatentGaussian(np.ones(30), np.full(30, 1e-12), True, expanded)
        with ObservedSource(X, np.ones(len(X)), 3) as source:
            problem = EMProblem(source, family, 0.0)
            counts.append(run_em(problem, start, tol=1e-9, max_iter=1000).n_iter)
    assert counts[1] < 0.5 * counts[0]


@pytest.mark.parametrize("noise", [1e-12, [1e-12, 1e-9, 1e-5, 1e-12], 1e-8])
def test_posteriors_keep_their_digits_where_the_noise_vanishes(noise):
    """Some features or all; against 50 digits of the same formulas."""
    rng = np.random.default_rng(0)
    d, q, n = 9, 3, 4
    P = rng.uniform(0.3, 1.0, d)
    P[: 4 if np.ndim(noise) else (d if noise == 1e-8 else 2)] = noise
    params = LatentParams(rng.standard_normal(d), rng.standard_normal((d, q)), P)
    X = params.mean + rng.standard_normal((n, q)) @ params.loadings.T
    X += rng.standard_normal((n, d)) * np.sqrt(P)
    X[rng.random(X.shape) < 0.3] = np.nan
    found = posterior_observed(X, params)
    covariances = found.covariances.of_rows()
    squares = np.zeros(d)
    with mpmath.workdps(50):
        for i in range(n):
            z, C, value, residuals = naive.precise(X[i], params)
            np.testing.assert_allclose(found.means[i], z, rtol=0, atol=1e-13)
            np.testing.assert_allclose(covariances[i], C, rtol=0, atol=1e-14)
            # A number of the row is rounded to 1e-16 of its feature, 1e-10 of such noise.
            assert found.log_density[i] == pytest.approx(value, abs=1e-8)
            squares += residuals
    family = LatentGaussian(np.ones(d), np.full(d, 1e-12), False)
    with ObservedSource(X, np.ones(n), q) as source:
        stats = EMProblem(source, family, 0.0).evaluate(params).stats
    _, found_squares = family._residuals(stats, params)
    np.testing.assert_allclose(found_squares, squares, rtol=1e-8)


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_a_vanishing_noise_ends_at_its_floor(acceleration):
    """A Heywood case: one feature is a factor by itself."""
    X = rows_of(40, 6, 1, 0.0, seed=3)
    X[:, 0] = X[:, 1] + 1e-9 * X[:, 2]
    X[np.random.default_rng(0).random(X.shape) < 0.15] = np.nan
    result = fitted(X, 2, isotropic=False, tol=1e-8, acceleration=acceleration)
    variance = np.nanvar(X, axis=0)
    assert (result.params.noise >= 1e-12 * variance * (1 - 1e-12)).all()
    assert result.params.noise.min() < 1e-8
    assert np.isfinite(result.trace).all()
    assert (np.diff(result.trace) >= -1e-12 * np.abs(result.trace[:-1])).all()


def test_the_start_has_the_variances_of_what_is_observed():
    X = rows_of(60, 5, 3, 0.4)
    X[:50, 0] = np.nan
    start = start_observed(X, None, 5, False)
    np.testing.assert_allclose(start.mean, np.nanmean(X, axis=0), rtol=1e-12)
    np.testing.assert_allclose((start.loadings**2).sum(axis=1), np.nanvar(X, axis=0), rtol=1e-10)


@pytest.mark.parametrize("isotropic", [True, False])
def test_a_feature_in_fewer_rows_than_factors(isotropic):
    """Without noise its regression has more coefficients than equations."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 8))
    X[1:, 0] = np.nan
    X[2:, 1] = np.nan
    result = fitted(X, 3, isotropic=isotropic, tol=1e-9, max_iter=300)
    assert np.isfinite(result.trace).all()
    assert (np.diff(result.trace) >= -1e-12 * np.abs(result.trace[:-1])).all()
    assert np.abs(result.params.loadings).max() < 10 * np.nanstd(X)


def test_what_is_not_determined_is_not_regressed_on():
    u = np.array([[1.0, 0.3, -0.7], [1.0, 1e-3, 2.0]])
    change = _regressed(u[:, :, None] * u[:, None, :], 3.0 * u)
    np.testing.assert_allclose((change * u).sum(axis=1), 3.0, rtol=1e-12)
    assert np.abs(change).max() < 4.0 * 1e3  # the smallest entry of u, inverted


def test_constant_features_and_few_rows():
    X = rows_of(5, 12, 2, 0.2, seed=4)
    X[:, 3] = 1.0
    X[1, 3] = np.nan
    for isotropic in (True, False):
        result = fitted(X, 3, isotropic=isotropic, tol=1e-6, max_iter=200)
        assert np.isfinite(result.objective)
        assert impute(X, result.params)[1, 3] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(result.params.loadings[3], 0.0, atol=1e-9)
    assert result.params.noise[3] == pytest.approx(1e-12)


def test_no_number_of_threads_changes_a_bit():
    X = rows_of(7000, 5, 2, 0.2)
    w = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    results = [fitted(X, 2, isotropic=False, w=w, max_iter=15, n_threads=n) for n in (1, 2, 5)]
    for result in results[1:]:
        assert result.trace == results[0].trace
        for one, other in zip(result.params, results[0].params, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_feature_without_numbers_is_refused():
    X = rows_of(10, 3, 1, 0.0)
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"feature 1 is NaN in all 10 rows.*Drop the feature"):
        start_observed(X, None, 1, True)
    X[0, 1] = 1.0
    start, w = start_observed(X, None, 1, True), np.append(0.0, np.ones(9))
    with pytest.raises(ValueError, match="feature 1 is NaN in all 9 rows"):
        fit_observed(X, w, start, isotropic=True, tol=1e-6, max_iter=10)


class Directions:
    """Numbers for a generator's normal ones: zero, but for one in each draw, the next each time."""

    def __init__(self, size):
        self._numbers = iter(np.eye(size).ravel())

    def standard_normal(self, shape):
        count = int(np.prod(shape))
        return np.array([next(self._numbers) for _ in range(count)]).reshape(shape)


def test_draws_are_a_root_of_the_conditional_covariance_times_normal_numbers():
    rng = np.random.default_rng(0)
    loadings, noise = rng.standard_normal((6, 3)), rng.uniform(0.05, 0.2, 6)
    params = LatentParams(rng.standard_normal(6), loadings, noise)
    x = np.array([[1.0, np.nan, -0.5, np.nan, np.nan, 0.3]])
    m = np.isnan(x[0])
    mean, S = naive.conditional(x[0], params.mean, naive.covariance(loadings, noise))
    np.testing.assert_allclose(impute(x, params)[0, m], mean, rtol=1e-12)
    roots = sample_missing(x, params, 6, Directions(6))[:, 0, m] - mean
    np.testing.assert_allclose(roots.T @ roots, S, rtol=1e-11, atol=1e-13)


def test_draws_have_the_conditional_mean_and_covariance():
    rng = np.random.default_rng(0)
    loadings, noise = rng.standard_normal((5, 2)), rng.uniform(0.2, 1.0, 5)
    params = LatentParams(rng.standard_normal(5), loadings, noise)
    x = np.array([[1.0, np.nan, -0.5, np.nan, np.nan], [0.0, 1.0, 2.0, 3.0, 4.0], [np.nan] * 5])
    n = 20000
    draws = sample_missing(x, params, n, np.random.RandomState(0))
    assert draws.shape == (n, 3, 5)
    for i in (0, 2):
        mean, S = naive.conditional(x[i], params.mean, naive.covariance(loadings, noise))
        gaps = draws[:, i, np.isnan(x[i])]
        error = np.sqrt(np.diag(S) / n)
        assert (np.abs(gaps.mean(axis=0) - mean) < 4.5 * error).all()
        spread = np.sqrt(np.outer(np.diag(S), np.diag(S)) + S**2) / np.sqrt(n)
        assert (np.abs(np.cov(gaps.T) - S) < 4.5 * spread).all()
    np.testing.assert_array_equal(draws[7, 1], x[1])
    np.testing.assert_array_equal(draws[7, 0, [0, 2]], x[0, [0, 2]])
    again = sample_missing(x, params, 2, np.random.RandomState(0))
    np.testing.assert_array_equal(again, draws[:2])


def test_imputed_pixels_are_nearer_than_their_means():
    X = load_digits().data[:400]
    gaps = np.random.default_rng(0).random(X.shape) < 0.2
    Z = np.where(gaps, np.nan, X - X.mean(axis=0))
    params = fitted(Z, 10, isotropic=True, tol=1e-5).params
    filled = impute(Z, params) + X.mean(axis=0)
    error = np.sqrt(np.mean((filled - X)[gaps] ** 2))
    assert error < 0.7 * np.sqrt(np.mean((X - X.mean(axis=0))[gaps] ** 2))

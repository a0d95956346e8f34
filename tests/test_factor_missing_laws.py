"""Laws of EM on rows with gaps, for any rows, gaps, weights and starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mixtures.core.em import EMProblem
from mixtures.factor._sums import ObservedSource
from mixtures.factor.missing import LatentGaussian, LatentParams, fit_observed, start_observed
from mixtures.factor.observed import impute, posterior_observed, sample_missing

from . import naive_missing as naive

ROUNDING = 1e-12
ACCELERATIONS = ["auto", None, "squarem", "anderson"]


@st.composite
def problems(draw, least_rows=2, most_rows=25, noises=(0.0, 1e-3, 1.0)):
    """Rows with gaps, at least one number in each feature, positive weights, and a start."""
    n, d = draw(st.integers(least_rows, most_rows)), draw(st.integers(1, 6))
    q = draw(st.integers(1, min(3, d)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, q)) @ rng.standard_normal((q, d))
    X += draw(st.sampled_from(noises)) * rng.standard_normal((n, d))
    X[rng.random((n, d)) < draw(st.sampled_from([0.0, 0.2, 0.6]))] = np.nan
    assume((~np.isnan(X)).any(axis=0).all())
    isotropic = draw(st.booleans())
    w = rng.uniform(0.2, 3.0, n) if draw(st.booleans()) else None
    start = start_observed(X, w, q, isotropic)
    spread = np.sqrt(np.nanvar(X, axis=0))
    loadings = start.loadings + 0.3 * spread[:, None] * rng.standard_normal((d, q))
    return X, w, start._replace(loadings=loadings), isotropic


def fitted(X, w, start, isotropic, *, tol=0.0, max_iter=8, **options):
    return fit_observed(X, w, start, isotropic=isotropic, tol=tol, max_iter=max_iter, **options)


def assert_never_falls(trace):
    trace = np.array(trace)
    assert np.isfinite(trace).all()
    falls = trace[:-1] - trace[1:]
    assert (falls <= ROUNDING * np.maximum(1.0, np.abs(trace[:-1]))).all(), trace


def model_of(params):
    """Mean and covariance: what the data can tell of the parameters."""
    return params.mean, naive.covariance(params.loadings, params.noise)


NOISY = problems(least_rows=20, most_rows=60, noises=(0.3, 1.0))
"""Rows whose likelihood is bounded well enough for paths to be compared digit by digit."""


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@settings(max_examples=25)
@given(problems())
def test_the_objective_never_falls(acceleration, problem):
    X, w, start, isotropic = problem
    result = fitted(X, w, start, isotropic, tol=1e-9, max_iter=60, acceleration=acceleration)
    assert_never_falls(result.trace)


@pytest.mark.parametrize("expanded", [True, False])
@settings(max_examples=25)
@given(NOISY)
def test_no_step_lowers_the_objective(expanded, problem):
    """The map itself, of which the loop would hide a fall by ending there."""
    X, w, start, isotropic = problem
    some = ~np.isnan(X).all(axis=1)
    X, w = X[some], np.ones(len(X))[some] if w is None else w[some]
    floor = 1e-12 * np.nanvar(X, axis=0)
    family = LatentGaussian(np.ones(X.shape[1]), floor, isotropic, expanded)
    with ObservedSource(X, w, start.loadings.shape[1]) as source:
        at, trace = EMProblem(source, family, 0.0), []
        for _ in range(12):
            point = at.evaluate(start)
            trace.append(point.objective)
            start = point.image
    assert_never_falls(trace)


@settings(max_examples=40)
@given(problems())
def test_densities_and_posteriors_are_the_naive_ones(problem):
    X, w, start, isotropic = problem
    params = start._replace(noise=start.noise + 1e-2)
    found = posterior_observed(X, params)
    expected = naive.log_densities(X, params.mean, naive.covariance(*params[1:]))
    np.testing.assert_allclose(found.log_density, expected, rtol=1e-9, atol=1e-9)
    covariances = found.covariances.of_rows()
    for i, x in enumerate(X):
        mean, C = naive.factors(x, *params)
        np.testing.assert_allclose(found.means[i], mean, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(covariances[i], C, rtol=1e-8, atol=1e-8)
    result = fitted(X, w, params, isotropic, max_iter=0)
    assert result.objective == pytest.approx(naive.objective(X, w, *params), rel=1e-9, abs=1e-9)
    none = np.isnan(X).all(axis=1)
    assert not found.log_density[none].any()
    assert not found.means[none].any()


@settings(max_examples=40)
@given(problems(), st.integers(0, 100))
def test_gaps_are_filled_by_the_conditional_normal_and_numbers_stay(problem, seed):
    X, _, start, _ = problem
    params = start._replace(noise=start.noise + 1e-2)
    filled, there = impute(X, params), ~np.isnan(X)
    draws = sample_missing(X, params, 2, np.random.RandomState(seed))
    for table in (filled, *draws):
        assert np.isfinite(table).all()
        np.testing.assert_array_equal(table[there], X[there])
    S = naive.covariance(*params[1:])
    for i, x in enumerate(X):
        mean, _ = naive.conditional(x, params.mean, S)
        np.testing.assert_allclose(filled[i, ~there[i]], mean, rtol=1e-8, atol=1e-8)


@settings(max_examples=25)
@given(NOISY, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(problem, random):
    X, w, start, isotropic = problem
    order = list(range(len(X)))
    random.shuffle(order)
    one = fitted(X, w, start, isotropic)
    other = fitted(X[order], None if w is None else w[order], start, isotropic)
    np.testing.assert_allclose(one.trace, other.trace, rtol=1e-9, atol=1e-9)


@settings(max_examples=25)
@given(NOISY, st.lists(st.integers(-8, 8), min_size=6, max_size=6))
def test_units_change_no_digit(problem, exponents):
    X, w, start, isotropic = problem
    d = X.shape[1]
    units = np.ldexp(1.0, exponents[:1] * d if isotropic else exponents[:d])
    there = LatentParams(
        start.mean * units, start.loadings * units[:, None], start.noise * units**2
    )
    one = fitted(X, w, start, isotropic, max_iter=3)
    other = fitted(X * units, w, there, isotropic, max_iter=3)
    np.testing.assert_array_equal(other.params.loadings, one.params.loadings * units[:, None])
    np.testing.assert_array_equal(other.params.noise, one.params.noise * units**2)
    # Where the path ends, and what is accelerated, the objective decides, to its last digit.
    one, other = (
        fitted(X * u, w, p, isotropic, tol=1e-7, max_iter=40, acceleration="squarem").params
        for u, p in ((1.0, start), (units, there))
    )
    np.testing.assert_allclose(other.noise, one.noise * units**2, rtol=1e-5)
    again = start_observed(X * units, w, start.loadings.shape[1], isotropic)
    here = start_observed(X, w, start.loadings.shape[1], isotropic)
    np.testing.assert_array_equal(again.loadings, here.loadings * units[:, None])


@pytest.mark.parametrize("acceleration", [None, "squarem"])
@settings(max_examples=20)
@given(NOISY, st.integers(0, 2**32 - 1))
def test_turning_the_start_turns_the_path(acceleration, problem, seed):
    X, w, start, isotropic = problem
    q = start.loadings.shape[1]
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((q, q)))
    turned = start._replace(loadings=start.loadings @ turn)
    one = fitted(X, w, start, isotropic, tol=1e-300, max_iter=15, acceleration=acceleration)
    other = fitted(X, w, turned, isotropic, tol=1e-300, max_iter=15, acceleration=acceleration)
    both = min(len(one.trace), len(other.trace))  # rounding decides when nothing is left to gain
    np.testing.assert_allclose(other.trace[:both], one.trace[:both], rtol=1e-8, atol=1e-8)
    for a, b in zip(model_of(one.params), model_of(other.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@settings(max_examples=25)
@given(NOISY, st.integers(0, 2**32 - 1))
def test_integer_weights_are_repeated_rows_and_zero_is_absence(problem, seed):
    X, _, start, isotropic = problem
    counts = np.random.default_rng(seed).integers(0, 4, len(X))
    repeated = np.repeat(X, counts, axis=0)
    assume((~np.isnan(repeated)).any(axis=0).all())
    weighted = fitted(X, counts.astype(float), start, isotropic)
    again = fitted(repeated, None, start, isotropic)
    np.testing.assert_allclose(weighted.trace, again.trace, rtol=1e-9, atol=1e-9)
    q = start.loadings.shape[1]
    here = model_of(start_observed(X, counts.astype(float), q, isotropic))
    for a, b in zip(here, model_of(start_observed(repeated, None, q, isotropic)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@settings(max_examples=15)
@given(problems())
def test_a_row_without_numbers_does_nothing(problem):
    X, w, start, isotropic = problem
    empty = np.full((2, X.shape[1]), np.nan)
    longer = None if w is None else np.append(w, [1.0, 5.0])
    one = fitted(X, w, start, isotropic)
    other = fitted(np.vstack([X, empty]), longer, start, isotropic)
    assert one.trace == other.trace
    np.testing.assert_array_equal(one.params.loadings, other.params.loadings)


@settings(max_examples=15)
@given(NOISY)
def test_loadings_come_in_one_orientation(problem):
    X, w, start, isotropic = problem
    _, loadings, noise = fitted(X, w, start, isotropic).params
    gram = (loadings.T / noise) @ loadings
    size = np.diag(gram)
    np.testing.assert_allclose(gram - np.diag(size), 0.0, atol=1e-10 * size.max())
    assert (np.diff(size) <= 1e-10 * size.max()).all()
    spread = np.nanstd(X, axis=0)
    largest = (loadings if isotropic else loadings / spread[:, None]).T
    if w is None:
        assert (largest.max(axis=1) >= -largest.min(axis=1) - 1e-9).all()

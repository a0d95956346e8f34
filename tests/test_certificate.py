"""Certificates tell maxima, saddles, ridges and boundaries apart, where the answer is known.

Two equal components are a fixed point of EM whose curvature has a closed form: with responsibility
one half everywhere, the missing information is a quarter of the squared scores, so the smallest
eigenvalue is one minus the index of dispersion for Poisson counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures import GaussianMixture, PoissonMixture
from mixtures.core.acceleration import accelerator_of
from mixtures.core.certificate import Verdict, _gain, certify
from mixtures.core.em import run_em
from mixtures.core.information import Eigen
from mixtures.covariance import GaussianParams
from mixtures.poisson import PoissonParams
from mixtures.priors import Dirichlet, Gamma

from .registry import CONFIGURATIONS, COVARIANCES, count_rows, gaussian_rows, names, problem
from .test_gradient import by_differences


def certificate(estimator, X, params=None, tol=1e-13, max_iter=5000, w=None, acceleration=None):
    """Run EM from `params` or from k-means; the certificate and the parameters."""
    faster = accelerator_of(acceleration, tol)
    with problem(estimator, X, w) as (em, start):
        params = start if params is None else params
        if max_iter:
            run = run_em(em, params, tol=tol, max_iter=max_iter, accelerate=faster)
            params = run.params
        return certify(em, params), params


def equal_components(X, weights):
    return PoissonParams(np.array(weights), np.repeat(X.mean(axis=0)[None], len(weights), axis=0))


# ---- maxima ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_a_fit_is_a_maximum(model, prior):
    d = model.separable - 1
    X = model.rows(60 * d, d, seed=1)
    estimator = model.make(2, **model.exact, **model.priors[prior])
    found, _ = certificate(estimator, X, acceleration="squarem")
    assert found.verdict is Verdict.MAXIMUM, str(found)
    assert 0 < found.smallest_eigenvalue <= 1 + 1e-6
    assert found.error < 1e-6
    assert found.gain < 1e-6
    assert found.n_boundary == found.n_idle == 0
    assert np.linalg.norm(found.direction) == pytest.approx(1.0)
    assert str(found).startswith("A maximum: the smallest eigenvalue of the observed")


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_a_ridge_is_part_of_the_objective(covariance_type):
    """What EM with a ridge climbs surely, not the likelihood, whose gradient does not vanish."""
    estimator = GaussianMixture(2, covariance_type=covariance_type, reg_covar=0.3)
    with problem(estimator, gaussian_rows(150, 2, 3)[0]) as (em, params):
        exact = replace(em, family=em.family.exact())
        for _ in range(300):
            params = exact.evaluate(params).image
        found = certify(em, params)
    assert found.verdict is Verdict.MAXIMUM
    assert found.gain < 1e-6


@pytest.mark.parametrize("k", [1, 2, 3])
def test_eigenvalue_is_that_of_a_dense_hessian(k):
    """Second differences of the objective, scaled by the complete-data information by hand."""
    X, prior = count_rows(150, 2, 4)[0], Gamma([2.0, 3.0], 0.5)
    estimator = PoissonMixture(k, prior=prior, weight_prior=Dirichlet(1.5))
    with problem(estimator, X) as (em, start):
        params = run_em(em, start, tol=1e-14, max_iter=3000).params
        found = certify(em, params)
        x, counts = em.family.pack(params), em.evaluate(params).stats.counts
        hessian = np.array(
            [
                by_differences(em, params, x + 1e-3 * e, 1e-3)
                - by_differences(em, params, x - 1e-3 * e, 1e-3)
                for e in np.eye(len(x))
            ]
        ) / -2e-3  # fmt: skip
    p = params.weights
    own = np.r_[(150 + 0.5 * k) * p * (1 - p), ((counts[:, None] + 0.5) * params.rates).ravel()]
    free = own > 1e-9
    scale = np.sqrt(own[free])
    scaled = hessian[np.ix_(free, free)] / scale / scale[:, None]
    redundant = np.r_[scale[:k], np.zeros(2 * k)] if k > 1 else np.zeros(2)
    values = np.linalg.eigvalsh(scaled + 9 * np.outer(redundant, redundant))
    assert found.smallest_eigenvalue == pytest.approx(values[0], abs=1e-5)
    assert found.n_free == 3 * k - 1


def test_one_component_misses_no_information():
    found, _ = certificate(PoissonMixture(1), count_rows(50, 3, 0)[0])
    assert found.verdict is Verdict.MAXIMUM
    assert found.smallest_eigenvalue == pytest.approx(1.0, abs=1e-8)


def test_components_far_narrower_than_the_data():
    """Steps suit a component's own width: how far away another one is, does not matter."""
    rng = np.random.default_rng(0)
    blobs = np.repeat([[0.0], [3e-6], [0.0]], 40, axis=0) + 1e-6 * rng.standard_normal((120, 1))
    values = []
    for far in (1e-4, 1.0):
        X = blobs + far * (np.arange(120) >= 80)[:, None]
        means = np.array([[0.0], [3e-6], [far]])
        with problem(GaussianMixture(3, reg_covar=0.0), X) as (em, _):
            frame = em.source.frame
            start = GaussianParams(
                np.full(3, 1 / 3),
                frame.to_frame(means),
                np.full((3, 1, 1), 1e-12) * frame.scale**2,
            )
            found = certify(em, run_em(em, start, tol=1e-13, max_iter=5000).params)
        assert found.verdict is Verdict.MAXIMUM
        values.append(found.smallest_eigenvalue)
    assert values[0] < 0.5
    assert values[1] == pytest.approx(values[0], abs=1e-6)


def test_weights_count_rows():
    """Twice the weight is twice the rows: the same share of information, twice the gradient."""
    X = count_rows(100, 2, 0)[0]
    one, params = certificate(PoissonMixture(2), X, tol=1e-4)
    two, _ = certificate(PoissonMixture(2), X, params, max_iter=0, w=np.full(100, 2.0))
    assert two.smallest_eigenvalue == pytest.approx(one.smallest_eigenvalue, abs=1e-8)
    assert two.gradient_norm == pytest.approx(2 * one.gradient_norm, rel=1e-9)
    assert two.gain == pytest.approx(2 * one.gain, rel=1e-6)


# ---- on the way ------------------------------------------------------------------------------


def test_on_the_way():
    X = count_rows(200, 2, 2)[0]
    short, params = certificate(PoissonMixture(3), X, max_iter=3)
    assert short.verdict is Verdict.NOT_STATIONARY
    assert short.gain > 1e-4
    assert "Newton step promises" in str(short)
    with problem(PoissonMixture(3), X) as (em, _):
        x = em.family.pack(params)
        g = by_differences(em, params, x)
    assert short.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-5)


@pytest.mark.parametrize("step", [1e-2, -1e-2])
def test_gain_is_what_is_left(step):
    """Near the maximum the objective is a parabola, in whatever direction one has left it."""
    X = count_rows(200, 2, 2)[0]
    with problem(PoissonMixture(2), X) as (em, start):
        best = run_em(em, start, tol=1e-14, max_iter=5000).params
        x = em.family.pack(best)
        move = step * np.random.default_rng(0).standard_normal(len(x))
        away = em.family.unpack(x + move, best)
        left = 200 * (em.evaluate(best).objective - em.evaluate(away).objective)
        assert certify(em, away).gain == pytest.approx(left, rel=0.05)


def test_gain_along_a_ridge_is_not_infinite():
    """Where curvature is zero to rounding there is no Newton step; one of the complete data is."""
    found = Eigen(np.array([0.0, 0.5]), np.eye(3)[:, :2], 1e-9)
    assert _gain(np.array([2.0, 1.0, 0.0]), found) == (4.0 + 1.0 / 0.5) / 2
    assert _gain(np.array([2.0, 1.0, 3.0]), found) == (4.0 + 1.0 / 0.5 + 9.0 / 0.5) / 2


# ---- saddles and ridges ----------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.2, 0.8), st.floats(0.5, 4.0))
def test_equal_poisson_components_curve_by_the_dispersion(seed, share, spread):
    rng = np.random.default_rng(seed)
    X = rng.poisson(4.0 * rng.gamma(1 / spread, spread, (60, 1))).astype(float)
    params = equal_components(X, [share, 1 - share])
    dispersion = X.var() / X.mean()
    if abs(dispersion - 1) < 1e-3:
        return
    found, _ = certificate(PoissonMixture(2), X, params, max_iter=0)
    assert found.smallest_eigenvalue == pytest.approx(min(0.0, 1 - dispersion), abs=1e-6)
    assert found.verdict is (Verdict.SADDLE if dispersion > 1 else Verdict.FLAT)


def test_the_direction_of_a_saddle_leads_up():
    X = count_rows(100, 3, 0)[0]
    found, params = certificate(PoissonMixture(3), X, equal_components(X, [0.2, 0.3, 0.5]))
    assert found.verdict is Verdict.SADDLE
    assert "rises along `direction`, both ways" in str(found)
    with problem(PoissonMixture(3), X) as (em, _):
        x = em.family.pack(params)
        here = em.evaluate(params).objective
        for sign in (-1, 1):
            there = em.family.unpack(x + sign * 0.05 * found.direction, params)
            assert em.evaluate(there).objective > here + 1e-6


def test_equal_components_of_even_counts_are_a_ridge():
    """Counts that vary less than a Poisson's: nothing to gain from two rates, any weights do."""
    X = np.random.default_rng(0).binomial(4, 0.9, (200, 2)).astype(float)
    found, _ = certificate(PoissonMixture(2), X, equal_components(X, [0.3, 0.7]))
    assert found.verdict is Verdict.FLAT
    assert abs(found.smallest_eigenvalue) < 1e-8
    assert "do not determine the parameters along `direction`" in str(found)
    informed = PoissonMixture(2, weight_prior=Dirichlet(5.0))
    found, _ = certificate(informed, X, equal_components(X, [0.5, 0.5]))
    assert found.verdict is Verdict.MAXIMUM
    # 8 pseudo-rows are all that tells the weights, of 208 in the units of the complete data
    assert found.smallest_eigenvalue == pytest.approx(8 / 104, rel=1e-6)


def test_equal_gaussian_components_curve_by_skewness_and_kurtosis():
    """[[0, -s / sqrt 2], [-s / sqrt 2, (3 - kurtosis) / 2]] in means and log deviations apart."""
    x = np.random.default_rng(0).gamma(2.0, size=200)
    z = (x - x.mean()) / x.std()
    off, kurtosis = -(z**3).mean() / np.sqrt(2), (z**4).mean()
    expected = np.linalg.eigvalsh([[0.0, off], [off, (3 - kurtosis) / 2]])[0]
    estimator = GaussianMixture(2, reg_covar=0.0)
    with problem(estimator, x[:, None]) as (em, _):
        frame = em.source.frame
        mean, variance = frame.to_frame(x.mean()), x.var() * frame.scale**2
        params = GaussianParams(
            np.full(2, 0.5), np.full((2, 1), mean), np.full((2, 1, 1), variance)
        )
        found = certify(em, params)
    assert found.verdict is Verdict.SADDLE
    assert abs(found.smallest_eigenvalue - expected) < found.error < 1e-5

"""Gradients by Fisher's identity equal differences of the objective itself, which reads all rows.

Central differences of the objective with steps of 1e-5 err by about 1e-6 of the terms: rounding of
1e-12 over the step, and its square.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mixtures import GaussianMixture, PoissonMixture
from mixtures.core.discriminants import BINARY, DIAGONAL, LINEAR, TRIANGULAR, Discriminants
from mixtures.core.expectation import expectation, moments_of
from mixtures.core.gradient import Differences, Formula, gradient_of
from mixtures.core.statistics import NONE, SufficientStatistics
from mixtures.core.unconstrained import Positive, Real, Simplex, UnitInterval
from mixtures.priors import Beta, Dirichlet, Gamma, NormalInverseWishart

from .registry import CONFIGURATIONS, count_rows, gaussian_rows, names, problem


def by_differences(em, like, x, step=1e-5):
    """Derivatives (m,) of the total objective, nats, each from two passes over the rows."""

    def total(y):
        point = em.evaluate(em.family.unpack(y, like))
        return point.objective * em.source.total_weight

    return np.array(
        [(total(x + step * e) - total(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    )


def displaced(em, params, seed=0):
    """Coordinates that are no fixed point, where gradients are not small."""
    x = em.family.pack(params)
    return x + 0.1 * np.random.default_rng(seed).standard_normal(len(x))


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_gradient_is_that_of_the_objective(model, prior):
    X = model.rows(80, 2, seed=3)
    w = np.random.default_rng(1).integers(1, 4, len(X)).astype(float)
    with problem(model.make(3, **model.exact, **model.priors[prior]), X, w) as (em, start):
        x = displaced(em, start)
        like = em.family.unpack(x, start)
        gradient = gradient_of(em, like, x)(x)
        expected = by_differences(em, like, x)
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * w.sum())


@pytest.mark.parametrize("prior", [None, Gamma([2.0, 3.0], 0.5)])
def test_formula_and_differences_agree(prior):
    X = count_rows(100, 2, 0)[0]
    estimator = PoissonMixture(3, prior=prior, weight_prior=Dirichlet(2.0))
    with problem(estimator, X) as (em, start):
        x = displaced(em, start)
        one, other = Formula(em, start, x), Differences(em, start, x)
        assert type(gradient_of(em, start, x)) is Formula
        np.testing.assert_allclose(one(x), other(x), rtol=0, atol=1e-9 * len(X))
        np.testing.assert_allclose(one.information, other.information, rtol=1e-3)


NIW_FREE = NormalInverseWishart(mean_precision=0.0, degrees_of_freedom=7.0, scale=4.0)


@pytest.mark.parametrize("distance", [1.0, 1e3])
def test_tied_gradient_with_and_without_the_quadratic_term(distance):
    """Far means make the sweep leave the linear discriminants for the full ones."""
    X, labels = gaussian_rows(90, 2, 1)
    X = X + distance * labels[:, None]
    options = {"covariance_type": "tied", "reg_covar": 0.0, "prior": NIW_FREE}
    with problem(GaussianMixture(3, **options), X) as (em, start):
        x = em.family.pack(start) + 3e-4
        kind = em.family.sweep(em.family.unpack(x, start)).discriminants.kind
        assert kind == (LINEAR if distance == 1 else TRIANGULAR)
        gradient, expected = gradient_of(em, start, x)(x), by_differences(em, start, x, 1e-7)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * scale)


def test_narrow_components_in_wide_data():
    """A step suits the component's own width, not that of the data."""
    rng = np.random.default_rng(0)
    X = np.r_[1e-5 * rng.standard_normal((50, 1)), 1.0 + 0.1 * rng.standard_normal((50, 1))]
    with problem(GaussianMixture(2, reg_covar=0.0), X) as (em, start):
        params = em.evaluate(em.evaluate(start).image).image
        narrow = int(params.covariances.argmin())
        root = float(np.sqrt(params.covariances[narrow, 0, 0]))
        means = params.means.copy()
        means[narrow] += 0.3 * root
        params = params._replace(means=means)
        x = em.family.pack(params)
        slope = gradient_of(em, params, x)(x)[2 + narrow]
        rows = em.evaluate(params).stats.counts[narrow]
    assert slope == pytest.approx(-0.3 * rows / root, rel=1e-4)


# ---- expectations of discriminants -----------------------------------------------------------


def values(v, Z):
    """Discriminants (n, k) of rows Z (n, d), by the definition."""
    k, d = len(v.bias), Z.shape[1]
    if v.kind == LINEAR:
        return v.bias + Z @ v.slopes
    if v.kind == BINARY:
        return v.bias + np.where(Z[:, :, None] > 0, v.slopes, v.offsets).sum(axis=1)
    if v.kind == DIAGONAL:
        return v.bias - ((Z[:, :, None] * v.slopes + v.offsets) ** 2).sum(axis=1)
    out = np.repeat(v.bias[None], len(Z), axis=0)
    for c in range(k):
        lower = np.zeros((d, d))
        lower[np.tril_indices(d)] = v.slopes[:, c]
        out[:, c] -= ((Z @ lower.T + v.offsets[:, c]) ** 2).sum(axis=1)
    return out


def statistics(Z, resp, m):
    """Counts, first and full second moments about m (k, d)."""
    away = Z[:, None] - m
    return SufficientStatistics(
        resp.sum(axis=0),
        np.einsum("nk,nkd->kd", resp, away),
        np.einsum("nk,nkd,nke->kde", resp, away, away),
        0.0,
    )


@given(st.sampled_from([LINEAR, DIAGONAL, TRIANGULAR, BINARY]), st.integers(0, 99))
def test_expectation_is_the_sum_over_rows(kind, seed):
    rng = np.random.default_rng(seed)
    n, d, k = 12, 3, 2
    Z = rng.integers(0, 2, (n, d)).astype(float) if kind == BINARY else rng.normal(size=(n, d))
    slopes = rng.normal(size=(d * (d + 1) // 2 if kind == TRIANGULAR else d, k))
    offsets = rng.normal(size=(0 if kind == LINEAR else d, k))
    reference = np.zeros((k, d)) if kind == BINARY else rng.normal(size=(k, d))
    v = Discriminants(kind, slopes, offsets, rng.normal(size=k), rng.normal(size=(k, d)))
    resp = rng.dirichlet(np.ones(k), n) * rng.exponential(size=(n, 1))
    stats = statistics(Z, resp, reference)
    if moments_of(v) != NONE:
        keep = np.arange(d)
        second = stats.second[:, keep, keep] if kind == DIAGONAL else stats.second
        stats = stats._replace(second=second)
    expected = (resp * values(v, Z)).sum()
    assert expectation(v, stats, reference) == pytest.approx(expected, rel=1e-11, abs=1e-11)


def test_what_cannot_happen_and_did_not_costs_nothing():
    """A weight of zero without rows, a probability of zero without successes."""
    slopes, offsets = np.array([[-np.inf, 0.0]]), np.array([[0.0, -np.inf]])
    v = Discriminants(BINARY, slopes, offsets, np.array([-1.0, -2.0]), np.zeros((2, 1)))
    Z, resp = np.array([[0.0], [1.0]]), np.eye(2)
    assert expectation(v, statistics(Z, resp, v.reference), v.reference) == -3.0
    v = v._replace(bias=np.array([-1.0, -np.inf]))
    only = statistics(Z[:1], np.array([[1.0, 0.0]]), v.reference)
    assert expectation(v, only, v.reference) == -1.0
    with pytest.raises(TypeError, match="no expectation of discriminants of type str"):
        expectation("v", only, v.reference)


# ---- gradients of the priors' posteriors -----------------------------------------------------


@settings(max_examples=20)
@given(hnp.arrays(np.float64, (4, 2, 3), elements=st.floats(0.5, 20.0)), st.floats(1.0, 5.0))
def test_posterior_gradients_vanish_at_modes_and_are_derivatives(tables, a):
    hits, misses, inside, more = tables
    rows, p = misses[:, :1], inside / (inside + more)
    rates, shares = inside, inside / inside.sum(axis=1, keepdims=True)
    beta, gamma, dirichlet = Beta(a, 2.0), Gamma(a, 0.5), Dirichlet([a, 1.0, 2.0])
    trials = hits + misses
    cases = [
        (UnitInterval(), p, lambda q: beta.gradient(hits, trials, q),
         lambda q: beta.log_density(q) + (hits * np.log(q) + misses * np.log1p(-q)).sum(),
         beta.mode(hits, trials, p)),
        (Positive(), rates, lambda q: gamma.gradient(hits, rows, q),
         lambda q: gamma.log_density(q) + (hits * np.log(q) - rows * q).sum(),
         gamma.mode(hits, rows, p)),
        (Simplex(), shares, lambda q: dirichlet.gradient(hits, q),
         lambda q: dirichlet.log_density(q) + (hits * np.log(q)).sum(),
         dirichlet.mode(hits)),
    ]  # fmt: skip
    for coordinates, at, gradient, objective, mode in cases:
        assert np.abs(gradient(mode)).max() < 1e-11 * (trials.sum() + 20)
        x = coordinates.pack(at)

        def along(e, x=x, coordinates=coordinates, objective=objective):
            return objective(coordinates.unpack(x + e, (2, 3)))

        slopes = [(along(1e-5 * e) - along(-1e-5 * e)) / 2e-5 for e in np.eye(6)]
        np.testing.assert_allclose(gradient(at).ravel(), slopes, rtol=1e-6, atol=1e-5)


# ---- coordinates -----------------------------------------------------------------------------


def test_coordinates_come_back_exactly_at_the_ends():
    p = np.array([[0.0, 0.25, 1.0], [1e-300, 0.5, 1.0 - 2.0**-53]])
    x = UnitInterval().pack(p)
    assert x[0] == -math.inf and x[2] == math.inf
    back = UnitInterval().unpack(x, p.shape)
    np.testing.assert_allclose(back, p, rtol=1e-12, atol=0)
    assert back[0, 0] == 0.0 and back[0, 2] == 1.0
    q = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(Simplex().unpack(Simplex().pack(q), q.shape), q, rtol=1e-15)
    for coordinates, array in ((UnitInterval(), p), (Simplex(), q)):
        assert coordinates.pack(array).shape == (coordinates.size(array.shape),)


def test_ends_and_sums_of_coordinates():
    x = np.array([-np.inf, -5.0, 0.0, 5.0, np.inf])
    np.testing.assert_array_equal(UnitInterval().ends(x), [-1, -1, 0, 1, 1])
    np.testing.assert_array_equal(Positive().ends(x), [-1, -1, 0, 0, 0])
    np.testing.assert_array_equal(Real().ends(x), np.zeros(5))
    np.testing.assert_array_equal(Real().sums((2, 2)), [-1] * 4)
    np.testing.assert_array_equal(Simplex().sums((3,)), [0, 0, 0])
    np.testing.assert_array_equal(Simplex().sums((2, 3)), [0, 0, 0, 1, 1, 1])

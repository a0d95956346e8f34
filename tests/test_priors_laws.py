"""Laws of each prior alone: its mode is the maximum, its density the textbook's, its shapes right.

scipy.stats has the densities; 1e-12 is what sums of some forty terms of size ten leave.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit, logit, xlog1py, xlogy

from mixtures.core.family import DegenerateComponentError
from mixtures.priors import Beta, Dirichlet, Gamma

from .registry import refused

K, D = 2, 3
RTOL = 1e-12
AT_LEAST_ONE = st.one_of(st.just(1.0), st.floats(1.0, 2.0), st.floats(1.0, 50.0))


def hyper(elements=AT_LEAST_ONE, trailing=D):
    """A number, or an array that broadcasts to (K, trailing)."""
    shapes = st.sampled_from([(), (trailing,), (1, trailing), (K, 1), (K, trailing)])
    return shapes.flatmap(lambda s: hnp.arrays(np.float64, s, elements=elements)).map(
        lambda a: float(a) if a.ndim == 0 else a
    )


def tables(elements, shape=(K, D)):
    return hnp.arrays(np.float64, shape, elements=elements)


BETAS = st.builds(Beta, hyper(), hyper())
GAMMAS = st.builds(Gamma, hyper(), hyper(st.floats(0.125, 20.0)))
DIRICHLETS = st.builds(Dirichlet, hyper())
WEIGHT_DIRICHLETS = st.builds(Dirichlet, st.one_of(AT_LEAST_ONE, tables(AT_LEAST_ONE, D)))
PROBABILITIES = tables(st.floats(0.001, 0.999))
POSITIVE = tables(st.floats(0.01, 50.0))
AMOUNTS = tables(st.one_of(st.integers(0, 9), st.floats(0.0, 1e4).map(lambda v: round(v, 3))))


def simplex(rows):
    return rows / rows.sum(axis=-1, keepdims=True)


# ---- densities -------------------------------------------------------------------------------


@given(BETAS, PROBABILITIES)
def test_beta_density(prior, p):
    expected = stats.beta(prior.a, prior.b).logpdf(p)
    assert abs(prior.log_density(p) - expected.sum()) <= RTOL * (1 + np.abs(expected).sum())


@given(GAMMAS, POSITIVE)
def test_gamma_density(prior, rates):
    expected = stats.gamma(prior.shape, scale=1.0 / np.asarray(prior.rate)).logpdf(rates)
    # its terms cancel: log(rate) times shape against log-gamma of shape, each up to 150
    assert abs(prior.log_density(rates) - expected.sum()) <= RTOL * (1e3 + np.abs(expected).sum())


@given(DIRICHLETS, POSITIVE.map(simplex))
def test_dirichlet_density(prior, p):
    """Row by row; a flat row adds nothing, where scipy has the constant volume of the simplex."""
    rows = np.broadcast_to(prior.concentration, p.shape)
    expected = [
        stats.dirichlet(a).logpdf(row) for a, row in zip(rows, p, strict=True) if not np.all(a == 1)
    ]
    assert prior.log_density(p) == pytest.approx(sum(expected), rel=RTOL, abs=1e3 * RTOL)


@pytest.mark.parametrize("p", [0.0, 1e-300, 0.3, 1.0])
def test_flat_priors_are_zero_everywhere(p):
    assert Beta().log_density(np.full((K, D), p)) == 0.0
    assert Gamma().log_density(np.full((K, D), p * 1e9)) == 0.0
    for probabilities in (np.array([p, 1.0 - p]), np.array([[p, 1.0 - p]] * K)):
        assert Dirichlet().log_density(probabilities) == 0.0
    for shape in [(K, D), (1, 1)]:
        assert not Beta().pseudo_successes(shape).any()
        assert not Beta().pseudo_failures(shape).any()
        assert not Gamma().pseudo_events(shape).any()
        assert not Gamma().pseudo_rows(shape).any()
    assert not Dirichlet().pseudo_counts(K).any()


def test_densities_at_the_ends_of_the_range():
    """One and zero are legitimate without pseudo-data on the other side, and impossible with."""
    ends = np.array([[0.0, 1.0]])
    assert Beta([1.0, 3.0], [4.0, 1.0]).log_density(ends) == pytest.approx(np.log(4.0 * 3.0))
    assert Beta([1.5, 1.0]).log_density(ends) == -np.inf
    assert Beta(1.0, [1.0, 1.5]).log_density(ends) == -np.inf
    assert Gamma(1.0, 2.0).log_density(np.zeros((1, 1))) == pytest.approx(np.log(2.0))
    assert Gamma(1.5, 2.0).log_density(np.zeros((1, 1))) == -np.inf
    assert Dirichlet([1.0, 3.0]).log_density(np.array([0.0, 1.0])) == pytest.approx(np.log(3.0))
    assert Dirichlet([1.5, 1.0]).log_density(np.array([0.0, 1.0])) == -np.inf


def test_an_improper_gamma_is_the_kernel_alone():
    rates = np.array([[2.0, 3.0]])
    assert Gamma(3.0, 0.0).log_density(rates) == pytest.approx(2.0 * np.log(6.0), rel=RTOL)
    one_proper = Gamma(3.0, [0.0, 2.0]).log_density(rates)
    expected = 2.0 * np.log(2.0) + stats.gamma(3.0, scale=0.5).logpdf(3.0)
    assert one_proper == pytest.approx(expected, rel=RTOL)


# ---- modes -----------------------------------------------------------------------------------


def beta_objective(prior, hits, misses):
    def at(p):
        return prior.log_density(p) + xlogy(hits, p).sum() + xlog1py(misses, -p).sum()

    return at


def assert_no_better_nearby(objective, mode, moved, rng):
    """No random move of any size, and no direct search, improves on the mode beyond rounding."""
    best = objective(mode)
    slack = 1e-12 * (1 + abs(best))
    assert np.isfinite(best)
    for size in (1e-6, 1e-3, 0.1, 1.0):
        for _ in range(5):
            assert objective(moved(size * rng.standard_normal(mode.shape))) <= best + slack
    found = minimize(
        lambda v: -objective(moved(v.reshape(mode.shape))) / (1 + abs(best)),
        0.3 * rng.standard_normal(mode.size),
        method="BFGS",
    )
    assert -found.fun * (1 + abs(best)) <= best + slack


@settings(max_examples=20)
@given(BETAS, AMOUNTS, AMOUNTS, st.integers(0, 9))
def test_beta_mode(prior, hits, misses, seed):
    previous = np.full((K, D), 0.4)
    mode = prior.mode(hits, hits + misses, previous)
    a, b = (np.broadcast_to(x, (K, D)) - 1.0 for x in (prior.a, prior.b))
    mass = hits + misses + a + b
    expected = np.where(mass > 0, (hits + a) / np.where(mass > 0, mass, 1.0), previous)
    np.testing.assert_allclose(mode, expected, rtol=1e-12, atol=0)
    inside = (np.abs(mode - 0.5) < 0.499).all()  # from an end no small move in log-odds leads away
    objective = beta_objective(prior, hits, misses)
    rng = np.random.default_rng(seed)
    if inside:
        assert_no_better_nearby(objective, mode, lambda v: expit(logit(mode) + v), rng)
    for _ in range(5):
        assert objective(rng.uniform(size=(K, D))) <= objective(mode) * (1 - 1e-12) + 1e-12


@settings(max_examples=20)
@given(GAMMAS, AMOUNTS, tables(st.floats(0.01, 100.0), (K, 1)), st.integers(0, 9))
def test_gamma_mode(prior, events, rows, seed):
    mode = prior.mode(events, rows, np.full((K, D), 7.0))
    expected = (events + (prior.shape - np.ones(1))) / (rows + prior.rate)
    np.testing.assert_allclose(mode, expected, rtol=1e-12, atol=0)

    def objective(rates):
        return prior.log_density(rates) + (xlogy(events, rates) - rows * rates).sum()

    rng = np.random.default_rng(seed)
    assert_no_better_nearby(objective, mode, lambda v: mode * np.exp(np.clip(v, -9, 9)), rng)
    assert objective(mode + rng.exponential(size=mode.shape)) <= objective(mode)


@settings(max_examples=20)
@given(WEIGHT_DIRICHLETS, tables(st.floats(0.125, 1e3), D), st.integers(0, 9))
def test_dirichlet_mode(prior, counts, seed):
    mode = prior.mode(counts)
    extra = prior.pseudo_counts(D)
    np.testing.assert_allclose(mode, (counts + extra) / (counts + extra).sum(), rtol=1e-14)

    def moved(v):
        w = mode * np.exp(np.clip(v - v.max(), -30, 0))
        return w / w.sum()

    def objective(w):
        return prior.log_density(w) + xlogy(counts, w).sum()

    assert_no_better_nearby(objective, mode, moved, np.random.default_rng(seed))


@given(DIRICHLETS, tables(st.floats(0.125, 1e3)))
def test_dirichlet_on_categories_is_one_on_weights_a_row(prior, counts):
    rows = np.broadcast_to(prior.concentration, counts.shape)
    alone = [Dirichlet(a) for a in rows]
    modes = [one.mode(c) for one, c in zip(alone, counts, strict=True)]
    np.testing.assert_array_equal(prior.mode(counts), modes)
    total = sum(one.log_density(p) for one, p in zip(alone, modes, strict=True))
    assert prior.log_density(np.array(modes)) == pytest.approx(total, rel=RTOL, abs=1e3 * RTOL)


# ---- pseudo-data -----------------------------------------------------------------------------


@given(BETAS, PROBABILITIES)
def test_a_beta_is_so_many_trials(prior, p):
    hits, misses = prior.pseudo_successes(p.shape), prior.pseudo_failures(p.shape)
    kernel = xlogy(hits, p).sum() + xlog1py(misses, -p).sum()
    constant = prior.log_density(np.full(p.shape, 0.5)) + np.log(2) * (hits + misses).sum()
    assert prior.log_density(p) == pytest.approx(kernel + constant, rel=1e-11, abs=1e-9)
    zero = np.zeros(p.shape)
    np.testing.assert_array_equal(prior.mode(zero, zero, p), Beta().mode(hits, hits + misses, p))


@given(GAMMAS, POSITIVE)
def test_a_gamma_is_so_many_events_in_rows(prior, rates):
    zero, shape = np.zeros(rates.shape), rates.shape
    np.testing.assert_array_equal(
        prior.mode(zero, zero, rates),
        Gamma().mode(prior.pseudo_events(shape), prior.pseudo_rows(shape), rates),
    )


def test_nothing_seen_keeps_what_was():
    zero, before = np.zeros((K, D)), np.full((K, D), 0.3)
    np.testing.assert_array_equal(Beta().mode(zero, np.zeros((K, 1)), before), before)
    np.testing.assert_array_equal(Gamma().mode(zero, np.zeros((K, 1)), before), before)
    np.testing.assert_array_equal(Dirichlet().mode(zero, before), before)
    informed = Dirichlet([3.0, 2.0, 1.0]).mode(np.zeros((1, 3)), np.full((1, 3), 0.3))
    np.testing.assert_allclose(informed, [[2 / 3, 1 / 3, 0.0]], rtol=1e-15)
    with refused(ValueError, ["positive sum", "[0.0, 0.0]", "Pass previous"]):
        Dirichlet().mode(np.zeros(2))


def test_sums_that_differ_by_rounding_make_no_probability_above_one():
    n = np.array([[0.3]])
    hits = np.nextafter(n, 1.0)
    assert Beta().mode(hits, n, n) == 1.0
    assert Beta().mode(np.array([[1e-323]]), np.array([[5e-324]]), n) == 1.0
    with refused(ValueError, ["successes between zero", "0.31 of 0.3", "feature 0"]):
        Beta().mode(np.array([[0.31]]), n, n)
    with refused(ValueError, ["component 1 has -1 of 5"]):
        Beta().mode(np.array([[1.0], [-1.0]]), np.array([[5.0], [5.0]]), np.ones((2, 1)))


def test_events_in_no_rows_have_no_rate():
    with refused(DegenerateComponentError, ["component 1", "positive rate"]):
        Gamma(2.0, 0.0).mode(np.zeros((2, 1)), np.array([[1.0], [0.0]]), np.ones((2, 1)))

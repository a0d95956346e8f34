"""Mixtures of counts: sparse rows as dense ones, rates of zero, starts, priors, any data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from mixtures import PoissonMixture
from mixtures.core.counts import log_factorials
from mixtures.core.sparse_rows import CsrSource
from mixtures.priors import Dirichlet, Gamma

from . import naive
from .draws import count_rows, csr_in_disorder, csr_of_wide_indices
from .registry import close, refused, same_bits
from .test_monotone import ACCELERATIONS, assert_never_falls

K, D = 3, 5


def rows(n=120, d=D, seed=0):
    """Counts of which about half are zero."""
    X = count_rows(n, d, seed)[0]
    return X * (np.random.default_rng(seed).random((n, d)) < 0.6)


def start(k=K, d=D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(k, 5.0)), rng.uniform(0.5, 9.0, (k, d))


def model(k=K, weights=None, rates=None, **options):
    return PoissonMixture(
        k, **{"random_state": 0} | options, weights_init=weights, rates_init=rates
    )


def fit(estimator, X, w=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few iterations are asked for
        return estimator.fit(X, sample_weight=w)


def test_a_step_from_a_given_start():
    X, (weights, rates) = rows(), start()
    priors = {"prior": Gamma(2.5, 0.5), "weight_prior": Dirichlet(2.0)}
    fitted = fit(model(K, weights, rates, max_iter=1, **priors), X)
    resp, log_density = naive.e_step(naive.poisson_log_joint(X, weights, rates))
    np.testing.assert_allclose(fitted.rates_, naive.poisson_m_step(X, resp, 2.5, 0.5), rtol=1e-12)
    np.testing.assert_allclose(fitted.weights_, naive.weights_step(resp, 2.0), rtol=1e-12)
    log_prior = stats.gamma(2.5, scale=2.0).logpdf(rates).sum()
    log_prior += stats.dirichlet(np.full(K, 2.0)).logpdf(weights / weights.sum())
    expected = log_density.mean() + log_prior / len(X)
    assert fitted.initial_lower_bound_ == pytest.approx(expected, rel=1e-12)


# ---- sparse rows ---------------------------------------------------------------------------------


STORES = {
    "csr": sparse.csr_array,
    "csr matrix": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "integers": lambda X: sparse.csr_array(X.astype(np.int64)),
    "64-bit indices": csr_of_wide_indices,
    "disorder": csr_in_disorder,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("store", STORES)
def test_sparse_rows_are_the_same_rows(store, weighted):
    X, (weights, rates) = rows(300), start()
    X[7] = 0.0
    w = np.random.default_rng(0).exponential(size=300) if weighted else None
    options = {"max_iter": 30, "tol": 0.0}
    one = fit(model(K, weights, rates, **options), X, w)
    other = fit(model(K, weights, rates, **options), STORES[store](X), w)
    close(one, other, 1e-12)
    for method in ("predict_proba", "score_samples"):
        expected, found = getattr(one, method)(X), getattr(other, method)(STORES[store](X))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    assert other.bic(STORES[store](X), w) == pytest.approx(one.bic(X, w), rel=1e-12)


def test_factorials():
    X = np.array([[0.0, 3.0, 170.0], [0.0, 0.0, 0.0], [1e15, 2.5, 1.0]])
    expected = -stats.poisson.logpmf(X[0], 1.0).sum() - 3.0
    assert log_factorials(X)[0] == pytest.approx(expected, rel=1e-14)
    for store in (sparse.csr_array, sparse.csr_matrix):
        np.testing.assert_allclose(log_factorials(store(X)).ravel(), log_factorials(X), rtol=1e-15)
    assert log_factorials(X)[1] == 0.0


def test_sparse_rows_are_never_made_dense(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("made dense")

    X = sparse.random_array((50, 100_000), density=1e-4, rng=np.random.default_rng(0), format="csr")
    X.data = np.ceil(5 * X.data)
    weights, rates = start(2, 100_000)
    for name in ("toarray", "todense"):
        monkeypatch.setattr(sparse.csr_array, name, refuse)
    fitted = fit(model(2, weights, rates, max_iter=3), X)
    assert np.isfinite(fitted.score(X))
    assert fitted.predict_proba(X).shape == (50, 2)


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random", "random_from_data"])
def test_sparse_laws(init):
    """Weights are repetitions, their order does not matter, nor does the number of threads."""
    X = sparse.csr_array(rows(150))
    w = np.random.default_rng(0).integers(0, 4, 150)
    order = np.random.default_rng(1).permutation(150)
    options = {"init_params": init, "max_iter": 500}
    one = model(**options).fit(X, sample_weight=w)
    repeated = X[np.repeat(np.arange(150), w)]
    close(one, model(**options).fit(repeated), 1e-10)
    close(one, model(**options).fit(X[order], sample_weight=w[order]), 1e-10)
    same_bits(one, model(**options).fit(X[w > 0], sample_weight=w[w > 0]))
    found = model(**options).fit(X)
    assert found.score(X) >= model(1).fit(X).score(X)


def test_threads_change_no_bit_of_a_sparse_fit():
    X = sparse.csr_array(rows(60_000, 6))
    with CsrSource(X) as source:
        assert len(source._cut(3)) > 1
    one = fit(model(n_threads=1, max_iter=5), X)
    for n_threads in (2, 3):
        other = fit(model(n_threads=n_threads, max_iter=5), X)
        same_bits(one, other)
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_all_zeros():
    X = sparse.csr_array((20, 3))
    fitted = model(2).fit(X)
    np.testing.assert_array_equal(fitted.rates_, 0.0)
    assert fitted.score(X) == pytest.approx(0.0, abs=1e-15)
    assert fitted.score_samples([[0.0, 1.0, 0.0]])[0] == -np.inf


# ---- rates of zero -------------------------------------------------------------------------------


@pytest.mark.parametrize("store", [np.array, sparse.csr_array])
def test_rates_of_zero_stay_exact_and_rule_out(store):
    X = np.repeat([[4, 0], [0, 3], [0, 5]], 10, axis=0)
    fitted = model(2, [0.5, 0.5], [[3.0, 0.0], [0.0, 3.0]]).fit(store(X))
    np.testing.assert_array_equal(fitted.rates_, [[4.0, 0.0], [0.0, 4.0]])
    expected = np.log([1 / 3, 2 / 3, 2 / 3]) + stats.poisson.logpmf([4, 3, 5], 4.0)
    np.testing.assert_allclose(fitted.score_samples(store(X))[::10], expected, rtol=1e-13)
    impossible = store([[1, 1], [10**9, 1]])
    np.testing.assert_array_equal(fitted.score_samples(impossible), -np.inf)
    assert fitted.score(impossible) == -np.inf


@pytest.mark.parametrize("store", [np.array, sparse.csr_array])
def test_an_impossible_row_belongs_where_it_is_least_so(store):
    """In the limit of vanishing rates; equally impossible ones share by what is left."""
    rates = np.array([[2.0, 2.0, 0.0, 1.0], [0.0, 0.0, 2.0, 3.0]])
    X = np.array([[1, 1, 0, 1], [0, 0, 1, 1]])
    fitted = fit(model(2, [0.25, 0.75], rates, max_iter=0), store(X))
    resp = fitted.predict_proba(store([[1, 1, 1, 0], [0, 1, 2, 0], [1, 0, 1, 1]]))
    np.testing.assert_array_equal(resp[:2], [[1.0, 0.0], [0.0, 1.0]])
    with np.errstate(divide="ignore"):
        left = np.array([0.25, 0.75]) * [2 * np.exp(-5) * 1, 2 * np.exp(-5) * 3]
    np.testing.assert_allclose(resp[2], left / left.sum(), rtol=1e-8)


@pytest.mark.parametrize("store", [np.array, sparse.csr_array])
def test_a_start_that_rules_out_the_rows_is_refused(store):
    with refused(ValueError, ["Fitting the mixture model failed", "log-likelihood is -inf"]):
        model(2, [0.5, 0.5], [[1.0, 0.0], [2.0, 0.0]]).fit(store(np.eye(2)))


def test_a_start_from_clusters_forbids_nothing_that_occurs():
    """Zero rates would stay zero for ever."""
    X = np.repeat([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]], 20, axis=0)
    for store in (np.array, sparse.csr_array):
        begun = fit(model(2, max_iter=0), store(X))
        assert (begun.rates_[:, :2] > 0).all()
        np.testing.assert_array_equal(begun.rates_[:, 2], 0.0)


# ---- priors, arguments ---------------------------------------------------------------------------


def test_priors_of_single_features_and_components():
    """One component: (events + shape - 1) / (rows + rate), feature by feature."""
    X = rows(50)
    shape, rate = np.arange(1.0, 6.0), np.array([[0.0, 1.0, 0.5, 3.0, 2.0]])
    for store in (np.array, sparse.csr_array):
        fitted = model(1, prior=Gamma(shape, rate)).fit(store(X))
        expected = (X.sum(axis=0) + shape - 1) / (50 + rate)
        np.testing.assert_allclose(fitted.rates_, expected, rtol=1e-13)
    own = Gamma(np.array([[2.0], [3.0], [2.0]]), 1.0)
    assert fit(model(prior=own), X).rates_.shape == (3, 5)
    with refused(ValueError, ["component_order", "prior gives each its own"]):
        model(prior=own, component_order="means").fit(X)


def test_a_flat_prior_is_maximum_likelihood_to_the_bit():
    X = rows()
    same_bits(model().fit(X), model(prior=Gamma(), weight_prior=Dirichlet()).fit(X))


def test_numbers_need_not_be_whole():
    """Rates are weighted means of any numbers >= 0; the density is that of the gamma function."""
    X = rows() / 3
    close(model(1).fit(X), model(1).fit(sparse.csr_array(X)), 1e-14)
    np.testing.assert_allclose(model(1).fit(X).rates_[0], X.mean(axis=0), rtol=1e-13)


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"rates": np.ones((3, 4))}, ["'rates'", "(3, 5)", "(3, 4)"]),
        ({"rates": -np.ones((3, 5))}, ["'rates'", "[0, inf]", "-1"]),
        ({"rates": np.full((3, 5), np.inf)}, ["'rates'", "finite"]),
        ({"weights": [0.5, 0.5]}, ["'weights'", "(3,)", "(2,)"]),
        ({"prior": Gamma(np.ones((2, 5)), 1.0)}, ["Gamma expects shape", "(3, 5)", "(2, 5)"]),
    ],
)
def test_options(options, fragments):
    with refused(ValueError, fragments):
        model(**options).fit(rows())


@pytest.mark.parametrize(
    ("value", "fragments"),
    [
        (-2.0, ["counts >= 0", "-2", "GaussianMixture"]),
        (np.nan, ["NaN"]),
        (np.inf, ["infinity"]),
    ],
)
def test_sparse_rows_that_are_no_counts(value, fragments):
    X = rows()
    X[4, 1] = value
    for use in (model().fit, model().fit(rows()).predict):
        with refused(ValueError, fragments):
            use(sparse.csr_array(X))


# ---- any data ------------------------------------------------------------------------------------


@given(
    n=st.integers(4, 30),
    d=st.integers(1, 4),
    size=st.sampled_from([0.1, 1.0, 30.0, 1e6]),
    k=st.integers(1, 4),
    init=st.sampled_from(["given", "kmeans", "k-means++", "random", "random_from_data"]),
    acceleration=st.sampled_from(ACCELERATIONS),
    prior=st.sampled_from([None, Gamma(1.5, 0.5), Gamma(1.0, 2.0)]),
    weighted=st.booleans(),
    stored=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=150)
def test_the_objective_never_falls(
    n, d, size, k, init, acceleration, prior, weighted, stored, seed
):
    rng = np.random.default_rng(seed)
    X = rng.poisson(size * rng.exponential(size=d) * rng.choice([0.0, 1.0], (n, d))).astype(float)
    options = {"acceleration": acceleration, "prior": prior, "tol": 1e-7, "max_iter": 40}
    if init == "given":
        weights, rates = start(k, d, seed)
        estimator = model(k, weights, rates * size, **options)
    else:
        estimator = model(k, init_params=init, random_state=seed % 6, **options)
    w = rng.exponential(size=n) if weighted else None
    if stored:
        X = sparse.csr_array(X)
    fitted = fit(estimator, X, w)
    assert_never_falls(fitted)
    assert fitted.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert (fitted.rates_ >= 0).all()
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert fitted.score(X, sample_weight=w) > -np.inf


def test_densities_are_those_of_scipy():
    fitted = model().fit(rows())
    X = np.random.default_rng(1).poisson(20.0, (50, D)).astype(float)
    with np.errstate(divide="ignore"):
        log_rates = [stats.poisson.logpmf(X, rate).sum(axis=1) for rate in fitted.rates_]
        joint = np.log(fitted.weights_) + np.column_stack(log_rates)
    np.testing.assert_allclose(fitted.score_samples(X), logsumexp(joint, axis=1), rtol=1e-12)

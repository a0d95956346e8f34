"""Bernoulli mixtures on any data: refusals, priors, a trace that never falls, a true maximum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse
from scipy.special import expit, logit

from mixtures import BernoulliMixture
from mixtures.priors import Beta, Dirichlet

from . import naive
from .draws import answer_rows
from .registry import parameters, refused, same_bits
from .test_bernoulli import fit, model, rows
from .test_monotone import ACCELERATIONS, assert_never_falls


def with_value(value, store=np.array):
    X = rows(30)
    X[7, 3] = value
    return store(X)


@pytest.mark.parametrize("store", [np.array, sparse.csr_array, np.asfortranarray])
@pytest.mark.parametrize("value", [2.0, 0.5, -1.0])
def test_what_is_no_answer_is_named(store, value):
    fragments = ["BernoulliMixture expects answers, 0 and 1", f"row 7 of feature 3 is {value:g}"]
    fragments += ["binarize", "PoissonMixture", "CategoricalMixture"]
    for use in (model().fit, model().fit(rows(30)).predict):
        with refused(ValueError, fragments):
            use(with_value(value, store))


def test_gaps_in_sparse_rows_are_refused():
    for options in ({}, {"binarize": 0.5}):
        with refused(ValueError, ["row 7 of feature 3 is nan", "in dense rows"]):
            model(**options).fit(with_value(np.nan, sparse.csr_array))


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"probabilities": np.full((3, 4), 0.5)}, ["'probabilities'", "(3, 5)", "(3, 4)"]),
        ({"probabilities": np.full((3, 5), 1.5)}, ["'probabilities'", "[0, 1]", "1.5"]),
        ({"weights": [0.5, 0.5]}, ["'weights'", "(3,)", "(2,)"]),
        ({"weights": [0.5, 0.5, 0.5]}, ["'weights'", "normalized"]),
        ({"prior": Beta(np.ones((2, 5)), 1.0)}, ["Beta expects a", "(3, 5)", "(2, 5)"]),
        ({"weight_prior": Dirichlet([1.0, 2.0])}, ["Dirichlet", "3 components"]),
        ({"prior": Dirichlet()}, ["'prior' parameter of BernoulliMixture"]),
        ({"binarize": "half"}, ["'binarize' parameter of BernoulliMixture"]),
    ],
)
def test_options(options, fragments):
    with refused(ValueError, fragments):
        model(**options).fit(rows(30))


# ---- priors --------------------------------------------------------------------------------------


def test_a_flat_prior_is_maximum_likelihood_to_the_bit():
    X = rows(200, gaps=True)
    same_bits(model().fit(X), model(prior=Beta(), weight_prior=Dirichlet()).fit(X))


def test_priors_of_single_features_and_components():
    """One component: (ones + a - 1) / (known + a + b - 2), feature by feature."""
    X = rows(50, gaps=True)
    a, b = np.arange(1.0, 6.0), np.array([[2.0, 1.0, 1.0, 3.0, 2.0]])
    fitted = model(1, prior=Beta(a, b)).fit(X)
    ones, known = np.nansum(X, axis=0), (~np.isnan(X)).sum(axis=0)
    expected = (ones + a - 1) / (known + a + b - 2)
    np.testing.assert_allclose(fitted.probabilities_, expected, rtol=1e-14)


def test_certain_labels_have_closed_forms():
    """(n_k + alpha_k - 1) / (n + sum(alpha) - K) and (n_k + a - 1) / (n_k + a + b - 2)."""
    sizes, alpha = np.array([10, 20, 30]), np.array([4.0, 2.0, 1.5])
    X = np.repeat(np.repeat(np.eye(3), sizes, axis=0), 200, axis=1)
    fitted = model(prior=Beta(1.5, 1.25), weight_prior=Dirichlet(alpha)).fit(X)
    own = fitted.predict(X[[0, 10, 30]])  # which component a group gets is the start's choice
    expected = (sizes + alpha[own] - 1) / (60 + alpha.sum() - 3)
    np.testing.assert_allclose(fitted.weights_[own], expected, rtol=1e-12)
    ones = (sizes + 0.5) / (sizes + 0.75)
    np.testing.assert_allclose(np.diag(fitted.probabilities_[own][:, ::200]), ones, rtol=1e-12)


def test_sorting_components_that_have_a_prior_each():
    own = Beta(np.array([[2.0], [3.0], [2.0]]), 1.0)
    for options in ({"prior": own}, {"weight_prior": Dirichlet([1.0, 2.0, 3.0])}):
        with refused(ValueError, ["component_order", "each its own", "component_order=None"]):
            model(component_order="means", **options).fit(rows())
        assert fit(model(**options), rows()).weights_.shape == (3,)
    shared = Beta(np.arange(1.0, 6.0), 2.0)
    assert fit(model(component_order="means", prior=shared), rows()).weights_.shape == (3,)


# ---- laws ----------------------------------------------------------------------------------------


@st.composite
def tables(draw):
    n, d = draw(st.integers(4, 40)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    X = (rng.random((n, d)) < draw(st.sampled_from([0.05, 0.5, 0.9]))).astype(float)
    X[rng.random((n, d)) < draw(st.sampled_from([0.0, 0.3, 0.8]))] = np.nan
    X[rng.integers(n, size=d), np.arange(d)] = 0.0  # one known answer at least
    return X


@given(
    X=tables(),
    k=st.integers(1, 4),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    acceleration=st.sampled_from(ACCELERATIONS),
    prior=st.sampled_from([None, Beta(), Beta(1.0, 3.0), Beta(20.0, 1.5)]),
    alpha=st.sampled_from([None, 3.0]),
    weighted=st.booleans(),
    stored=st.booleans(),
    seed=st.integers(0, 5),
)
@settings(max_examples=150)
def test_the_objective_never_falls(X, k, init, acceleration, prior, alpha, weighted, stored, seed):
    estimator = BernoulliMixture(
        k,
        init_params=init,
        acceleration=acceleration,
        prior=prior,
        weight_prior=None if alpha is None else Dirichlet(alpha),
        random_state=seed,
        tol=1e-7,
        max_iter=40,
    )
    w = np.random.default_rng(seed).exponential(size=len(X)) if weighted else None
    if stored:
        X = sparse.csr_array(np.nan_to_num(X))
    fitted = fit(estimator, X, w)
    assert_never_falls(fitted)
    assert fitted.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert ((fitted.probabilities_ >= 0) & (fitted.probabilities_ <= 1)).all()
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert fitted.score(X, sample_weight=w) > -np.inf


@pytest.mark.parametrize("seed", range(3))
def test_no_optimiser_finds_better_near_by(seed):
    """BFGS on the log-likelihood by double loops, from where EM stopped, weights and all."""
    X, labels = answer_rows(60, 4, seed)
    X[labels == 0, :2] = np.nan
    w = np.random.default_rng(seed).integers(1, 4, 60).astype(float)
    fitted = model(2, prior=Beta(1.5, 1.5), tol=1e-12, max_iter=5000).fit(X, sample_weight=w)

    def loss(x):
        weights, p = expit([x[0], -x[0]]), expit(x[1:]).reshape(2, 4)
        log_density = naive.e_step(naive.bernoulli_log_joint(X, weights, p))[1]
        return -(w @ log_density + 0.5 * (np.log(p) + np.log1p(-p)).sum()) / w.sum()

    end = np.r_[logit(fitted.weights_[0]), logit(fitted.probabilities_).ravel()]
    found = optimize.minimize(loss, end, method="L-BFGS-B", options={"maxiter": 10})
    assert found.fun >= loss(end) - 1e-9
    assert loss(end + 0.1) > loss(end)


def test_warm_start_continues_with_gaps_that_come_and_go():
    X = rows(200, gaps=True)
    fitted = model(warm_start=True).fit(X)
    full = np.nan_to_num(X)
    before = fitted.score(full)
    fitted.fit(full)
    assert fitted.initial_lower_bound_ == pytest.approx(before, rel=1e-13)
    assert fitted.lower_bound_ >= before
    fitted.fit(X)
    assert set(parameters(fitted)) == {"weights_", "probabilities_"}

"""Mixtures of categories: EM by double loops, missing values, zeros, priors, laws on any data."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from mixtures import BernoulliMixture, CategoricalMixture
from mixtures.core import categories as coding
from mixtures.core.em import EMProblem
from mixtures.priors import Beta, Dirichlet

from . import naive
from .draws import answer_rows, category_rows, with_gaps
from .registry import close, parameters, refused
from .test_monotone import ACCELERATIONS, assert_never_falls

K, D = 3, 4
SIZES = (2, 3, 4, 2)  # categories of the features that `category_rows` draws


def rows(n=80, seed=0, gaps=True):
    return (with_gaps(category_rows) if gaps else category_rows)(n, D, seed)[0]


def start(k=K, sizes=SIZES, seed=0):
    """Weights and probabilities of the categories, none of them zero."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(k, 5.0)), [rng.dirichlet(np.full(c, 2.0), k) for c in sizes]


def model(k=K, weights=None, probabilities=None, **options):
    given = {"weights_init": weights, "category_probabilities_init": probabilities}
    return CategoricalMixture(k, random_state=0, **given, **options)


def fit(estimator, X, w=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few iterations are asked for
        return estimator.fit(X, sample_weight=w)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("a", [1.0, 1.75])
def test_a_step_is_that_of_the_double_loops(gaps, a):
    X, (weights, probabilities) = rows(gaps=gaps), start()
    categories = [np.arange(c) for c in SIZES]
    options = {"prior": Dirichlet(a), "weight_prior": Dirichlet(2.0), "max_iter": 1}
    fitted = fit(model(weights=weights, probabilities=probabilities, **options), X)
    joint = naive.categorical_log_joint(X, weights, probabilities, categories)
    resp, log_density = naive.e_step(joint)
    for found, expected in zip(
        fitted.category_probabilities_,
        naive.categorical_m_step(X, resp, categories, a),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.weights_, naive.weights_step(resp, 2.0), rtol=1e-12)
    log_prior = stats.dirichlet(np.full(K, 2.0)).logpdf(weights / weights.sum())
    for p in probabilities if a > 1 else []:  # a flat prior is zero, whatever its normaliser
        log_prior += sum(stats.dirichlet(np.full(p.shape[1], a)).logpdf(row) for row in p)
    expected = log_density.mean() + log_prior / len(X)
    assert fitted.initial_lower_bound_ == pytest.approx(expected, rel=1e-12)


@given(
    seed=st.integers(0, 10**6),
    gaps=st.booleans(),
    weighted=st.booleans(),
    prior=st.sampled_from([1.0, 1.5, 4.0]),
)
@settings(max_examples=25)
def test_of_two_categories_it_is_a_bernoulli_mixture(seed, gaps, weighted, prior):
    X = (with_gaps(answer_rows) if gaps else answer_rows)(60, 5, seed)[0]
    X[:2] = [[0.0], [1.0]]  # both occur
    w = np.random.default_rng(seed).exponential(size=60) if weighted else None
    weights, probabilities = start(sizes=[2] * 5, seed=seed)
    options = {"max_iter": 20, "tol": 0.0, "random_state": 0}
    ones = np.column_stack([p[:, 1] for p in probabilities])
    bernoulli = BernoulliMixture(
        K, weights_init=weights, probabilities_init=ones, prior=Beta(prior, prior), **options
    )
    one = fit(bernoulli, X, w)
    other = CategoricalMixture(
        K,
        weights_init=weights,
        category_probabilities_init=probabilities,
        prior=Dirichlet(prior),
        **options,
    )
    fit(other, X, w)
    np.testing.assert_allclose(other.lower_bounds_, one.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(other.score_samples(X), one.score_samples(X), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(other.predict_proba(X), one.predict_proba(X), rtol=0, atol=1e-10)
    for j, p in enumerate(other.category_probabilities_):
        np.testing.assert_allclose(p[:, 1], one.probabilities_[:, j], rtol=0, atol=1e-10)
    assert other.bic(X, w) == pytest.approx(one.bic(X, w), rel=1e-12)


def test_a_row_with_gaps_has_the_density_of_all_its_completions():
    fitted = model().fit(rows())
    for row in ([1, np.nan, 2, np.nan], [np.nan] * 4, [0, 1, np.nan, 1]):
        choices = [c if np.isnan(x) else [x] for x, c in zip(row, fitted.categories_, strict=True)]
        every = np.array(list(itertools.product(*choices)), dtype=float)
        total = logsumexp(fitted.score_samples(every))
        assert fitted.score_samples([row])[0] == pytest.approx(total, abs=1e-13)
    np.testing.assert_allclose(fitted.predict_proba([[np.nan] * 4])[0], fitted.weights_, rtol=1e-13)


def test_it_is_a_density():
    fitted = model().fit(rows())
    every = np.array(list(itertools.product(*fitted.categories_)), dtype=float)
    assert np.exp(fitted.score_samples(every)).sum() == pytest.approx(1.0, abs=1e-13)


def test_equal_rows_may_be_merged():
    """Merging changes the order of sums and nothing else; with integer weights not even that."""
    X = rows(600)[:, :2]
    family = model().fit(X)._fitted_family()
    coded = model()._validated(X, reset=True)
    objectives = []
    for merge in (False, True):
        with coded.source(merge=merge) as source:
            assert (source.n_rows < 20) is merge
            objectives.append(EMProblem.of(source, family[0]).evaluate(family[1]))
    one, other = objectives
    assert other.objective == pytest.approx(one.objective, rel=1e-13)
    for a, b in zip(one.image, other.image, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12)
    w = np.random.default_rng(0).integers(1, 4, len(X))
    close(model().fit(X, sample_weight=w), model().fit(np.repeat(X, w, axis=0)), 1e-14)


@pytest.mark.parametrize("weighted", [False, True])
def test_features_of_many_categories_are_kept_as_what_is_set(monkeypatch, weighted):
    X = rows(300)
    w = np.random.default_rng(0).exponential(size=300) if weighted else None
    weights, probabilities = start()
    fits = []
    for wide in (coding.WIDE, 0):
        monkeypatch.setattr(coding, "WIDE", wide)
        fits.append(fit(model(weights=weights, probabilities=probabilities), X, w))
        fits[-1].proba = fits[-1].predict_proba(X)
    close(*fits, 1e-12)
    np.testing.assert_allclose(fits[1].proba, fits[0].proba, rtol=0, atol=1e-12)
    assert model(init_params="kmeans").fit(X).converged_  # the default start sees them, too


# ---- zeros ---------------------------------------------------------------------------------------


def test_zeros_stay_exact_and_rule_out():
    X = np.repeat([[0, 0], [1, 1], [1, 2]], 20, axis=0)
    probabilities = [np.eye(2), np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])]
    fitted = model(2, [0.5, 0.5], probabilities).fit(X)
    np.testing.assert_array_equal(fitted.category_probabilities_[0], np.eye(2))
    np.testing.assert_allclose(fitted.weights_, [1 / 3, 2 / 3], rtol=1e-14)
    impossible = [[0, 1]]
    assert fitted.score_samples(impossible)[0] == -np.inf
    assert fitted.score(X) == pytest.approx(np.log(1 / 3), rel=1e-14)


def test_a_row_that_is_impossible_belongs_where_it_is_least_so():
    """In the limit of vanishing probabilities; equally impossible ones share by what is left."""
    zero = [[1.0, 0.0], [0.0, 1.0]]
    weights, p = [0.25, 0.75], [np.array(zero)] * 3 + [np.array([[0.2, 0.8], [0.6, 0.4]])]
    X = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 0]])
    fitted = fit(model(2, weights, p, max_iter=0), X)
    resp = fitted.predict_proba([[0, 0, 1, 0], [1, 0, 1, 1], [0, 1, np.nan, 1]])
    np.testing.assert_array_equal(resp[:2], [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(resp[2], np.array([0.25 * 0.8, 0.75 * 0.4]) / 0.5, rtol=1e-9)


def test_a_component_keeps_what_it_has_learnt_nothing_about():
    X = np.array([[0, 0], [0, 1], [1, np.nan], [1, np.nan]])
    p = [np.eye(2), np.array([[0.5, 0.5], [0.2, 0.8]])]
    fitted = model(2, [0.5, 0.5], p).fit(X)
    np.testing.assert_array_equal(fitted.category_probabilities_[1][1], [0.2, 0.8])
    family, _, _ = fitted._fitted_family()
    guess = family.guess(np.array([[0.2, 0.6, 0.0, 0.0], [1.0, 0.0, 0.1, 0.1]]))
    expected = [[0.25, 0.75, 0.5, 0.5], [1.0, 0.0, 0.5, 0.5]]
    np.testing.assert_allclose(guess.category_probabilities, expected, rtol=1e-15)


def test_a_start_that_rules_out_the_rows_is_refused():
    with refused(ValueError, ["Fitting the mixture model failed", "-inf"]):
        model(1, [1.0], [[[1.0, 0.0]]]).fit([[0], [1], [1]])


def test_a_category_that_nobody_has_gets_nothing_but_the_prior():
    X = np.array([[0], [0], [1], [0]])
    declared = {"categories": [[0, 1, 2]]}
    fitted = model(1, **declared).fit(X)
    np.testing.assert_allclose(fitted.category_probabilities_[0], [[0.75, 0.25, 0.0]], rtol=1e-15)
    assert fitted.score_samples([[2]])[0] == -np.inf
    smooth = model(1, prior=Dirichlet(2.0), **declared).fit(X)
    np.testing.assert_allclose(smooth.category_probabilities_[0], [[4 / 7, 2 / 7, 1 / 7]])


# ---- priors --------------------------------------------------------------------------------------


def test_a_prior_with_a_number_for_each_category():
    X = category_rows(50, 1, 0)[0]  # two categories
    X = np.hstack([X, 1 - X])
    a = np.array([3.0, 1.5])
    fitted = model(1, prior=Dirichlet(a)).fit(X)
    for x, p in zip(X.T, fitted.category_probabilities_, strict=True):
        counts = np.array([(x == 0).sum(), (x == 1).sum()])
        np.testing.assert_allclose(p[0], (counts + a - 1) / (50 + a.sum() - 2), rtol=1e-14)
    with refused(ValueError, ["Dirichlet expects concentration", "(2,)"]):
        model(1, prior=Dirichlet(a)).fit(rows(gaps=False))


def test_a_flat_prior_is_maximum_likelihood_to_the_bit():
    X = rows(100)
    one, other = model().fit(X), model(prior=Dirichlet(1.0), weight_prior=Dirichlet()).fit(X)
    for name, array in parameters(one).items():
        np.testing.assert_array_equal(parameters(other)[name], array)
    assert one.lower_bounds_ == other.lower_bounds_


def test_sorting_components_that_have_a_prior_each():
    own = Dirichlet(np.array([[[2.0]], [[3.0]], [[2.0]]]))
    for options in ({"prior": own}, {"weight_prior": Dirichlet([1.0, 2.0, 3.0])}):
        with refused(ValueError, ["component_order", "each its own", "component_order=None"]):
            model(component_order="weights", **options).fit(rows())
        assert model(**options).fit(rows()).converged_


# ---- laws on any data ----------------------------------------------------------------------------


@st.composite
def tables(draw):
    n, d = draw(st.integers(4, 40)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    X = rng.integers(0, draw(st.sampled_from([1, 2, 3, 7])), (n, d)).astype(float)
    X[rng.random((n, d)) < draw(st.sampled_from([0.0, 0.3, 0.8]))] = np.nan
    X[rng.integers(n, size=d), np.arange(d)] = 0.0  # one known value at least
    return X


@given(
    X=tables(),
    k=st.integers(1, 4),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    acceleration=st.sampled_from(ACCELERATIONS),
    a=st.sampled_from([None, 1.0, 1.3, 20.0]),
    alpha=st.sampled_from([None, 3.0]),
    weighted=st.booleans(),
    seed=st.integers(0, 5),
)
@settings(max_examples=120)
def test_the_objective_never_falls(X, k, init, acceleration, a, alpha, weighted, seed):
    estimator = CategoricalMixture(
        k,
        init_params=init,
        acceleration=acceleration,
        prior=None if a is None else Dirichlet(a),
        weight_prior=None if alpha is None else Dirichlet(alpha),
        random_state=seed,
        tol=1e-7,
        max_iter=40,
    )
    w = np.random.default_rng(seed).exponential(size=len(X)) if weighted else None
    fitted = fit(estimator, X, w)
    assert_never_falls(fitted)
    assert fitted.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    for p in fitted.category_probabilities_:
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=0, atol=1e-12)
        assert (p >= 0).all()
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert fitted.score(X, sample_weight=w) > -np.inf


@pytest.mark.parametrize("init", ["kmeans", "random"])
def test_names_and_order_of_categories_do_not_matter(init):
    """Other codes in the same order change no bit; in another order, rounding."""
    X = rows(200)
    one = model(init_params=init).fit(X)
    renamed = np.array([-7.0, 100.0, 1e6, 2e9])
    other = model(init_params=init).fit(
        np.where(np.isnan(X), X, renamed[np.nan_to_num(X).astype(int)])
    )
    for name, array in parameters(one).items():
        np.testing.assert_array_equal(parameters(other)[name], array)
    weights, probabilities = start()
    given = fit(model(weights=weights, probabilities=probabilities), X)
    turned = fit(model(weights=weights, probabilities=[p[:, ::-1] for p in probabilities]), -X)
    for p, q in zip(given.category_probabilities_, turned.category_probabilities_, strict=True):
        np.testing.assert_allclose(q[:, ::-1], p, rtol=0, atol=1e-12)

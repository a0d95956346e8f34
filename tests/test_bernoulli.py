"""Mixtures of answers: EM by double loops, gaps, zeros and ones, priors, laws on any data."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from mixtures import BernoulliMixture
from mixtures.core.em import EMProblem
from mixtures.priors import Beta, Dirichlet

from . import naive
from .draws import answer_rows, csr_in_disorder, csr_of_wide_indices, with_gaps
from .registry import close, refused, same_bits

K, D = 3, 5


def rows(n=80, d=D, seed=0, gaps=False):
    return (with_gaps(answer_rows) if gaps else answer_rows)(n, d, seed)[0]


def start(k=K, d=D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(k, 5.0)), rng.uniform(0.1, 0.9, (k, d))


def model(k=K, weights=None, probabilities=None, **options):
    given = {"weights_init": weights, "probabilities_init": probabilities}
    return BernoulliMixture(k, **{"random_state": 0, **given, **options})


def fit(estimator, X, w=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few iterations are asked for
        return estimator.fit(X, sample_weight=w)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.5, 1.5)])
def test_a_step_is_that_of_the_double_loops(gaps, a, b):
    """The updates of Bishop (2006), exercises 9.18 and 9.19, from probabilities of scipy.stats."""
    X, (weights, probabilities) = rows(gaps=gaps), start()
    options = {"prior": Beta(a, b), "weight_prior": Dirichlet(2.0), "max_iter": 1}
    fitted = fit(model(K, weights, probabilities, **options), X)
    resp, log_density = naive.e_step(naive.bernoulli_log_joint(X, weights, probabilities))
    expected = naive.bernoulli_m_step(X, resp, a, b)
    np.testing.assert_allclose(fitted.probabilities_, expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.weights_, naive.weights_step(resp, 2.0), rtol=1e-12)
    log_prior = stats.beta(a, b).logpdf(probabilities).sum()
    log_prior += stats.dirichlet(np.full(K, 2.0)).logpdf(weights / weights.sum())
    bound = log_density.mean() + log_prior / len(X)
    assert fitted.initial_lower_bound_ == pytest.approx(bound, rel=1e-12)


# ---- one model, however the rows are held --------------------------------------------------------


def frame(X):
    return pytest.importorskip("pandas").DataFrame(X == 1, columns=[f"q{j}" for j in range(D)])


STORES = {
    "bool": lambda X: X == 1,
    "int8": lambda X: X.astype(np.int8),
    "float32": lambda X: X.astype(np.float32),
    "fortran": np.asfortranarray,
    "list": lambda X: X.tolist(),
    "frame": frame,
    "csr": sparse.csr_array,
    "csr of booleans": lambda X: sparse.csr_matrix(X == 1),
    "csc": sparse.csc_array,
    "csr of 64-bit indices": csr_of_wide_indices,
    "csr with zeros and twins": csr_in_disorder,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("store", [name for name in STORES if "twins" not in name])
def test_rows_may_be_held_in_many_ways(store, weighted):
    X, (weights, probabilities) = rows(300), start()
    w = np.random.default_rng(0).exponential(size=300) if weighted else None
    options = {"max_iter": 30, "tol": 0.0}
    one = fit(model(K, weights, probabilities, **options), X, w)
    other = fit(model(K, weights, probabilities, **options), STORES[store](X), w)
    rtol = 1e-7 if store == "float32" else 1e-12
    close(one, other, rtol)
    for method in ("predict_proba", "score_samples"):
        expected = getattr(one, method)(X)
        found = getattr(other, method)(STORES[store](X))
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=10 * rtol)


def test_sparse_rows_are_cleared_up():
    X = rows(300)
    same_bits(fit(model(), sparse.csr_array(X)), fit(model(), csr_in_disorder(X)))


def test_binarize():
    X = np.random.default_rng(0).normal(size=(100, 4))
    assert model(binarize=0.5).fit(X.astype(np.float32)).probabilities_.dtype == np.float32
    X[3, 2] = np.nan
    ones = np.where(np.isnan(X), np.nan, X > 0.5)
    same_bits(model(binarize=0.5).fit(X), model().fit(ones))
    counts = sparse.random_array((100, 6), density=0.4, rng=np.random.default_rng(0), format="csr")
    one = model(binarize=0.0).fit(counts)
    close(one, model().fit(counts > 0), 1e-15)
    large = (counts.toarray() > 0.5).astype(float)
    close(model(binarize=0.5).fit(counts), model().fit(sparse.csr_array(large)), 1e-15)
    with refused(ValueError, ["binarize", "at least 0 for sparse rows", "-1", "dense"]):
        model(binarize=-1.0).fit(counts)


@pytest.mark.parametrize("gaps", [False, True])
def test_equal_rows_may_be_merged(gaps):
    X = rows(600, gaps=gaps)[:, :3]
    estimator = model(prior=Beta(1.5, 1.5))
    coded = estimator._validated(X, reset=True)
    points = []
    for merge in (False, True):
        with coded.source(merge=merge) as source:
            assert (source.n_rows <= 27) is merge
            family = estimator._bound(source.coding)
            params = family.guess(np.full((K, source.n_features), 0.25))
            start_there = params._replace(probabilities=start(d=3)[1])
            points.append(EMProblem.of(source, family).evaluate(start_there))
    one, other = points
    assert other.objective == pytest.approx(one.objective, rel=1e-12)
    for a, b in zip(one.image, other.image, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12)


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("gaps", [False, True])
def test_integer_weights_are_repeated_rows_to_the_bit(gaps, init):
    """Where rows are merged, both are the same few rows with the same weights."""
    X = rows(400, gaps=gaps)[:, :3]
    w = np.random.default_rng(0).integers(0, 4, len(X))
    X[0], w[0] = 1.0, 4  # the largest weight is a power of two, by which weights are divided
    options = {"init_params": init, "prior": Beta(1.5, 2.0)}
    same_bits(
        fit(model(**options), X, w),
        fit(model(**options), np.repeat(X, w, axis=0)),
    )


# ---- gaps ----------------------------------------------------------------------------------------


def test_a_row_with_gaps_has_the_density_of_all_its_completions():
    fitted = model().fit(rows(gaps=True))
    for row in ([1, np.nan, 0, np.nan, 1], [np.nan] * 5, [0, 1, np.nan, 1, 0]):
        every = list(itertools.product(*([0, 1] if np.isnan(x) else [x] for x in row)))
        total = logsumexp(fitted.score_samples(np.array(every, dtype=float)))
        assert fitted.score_samples([row])[0] == pytest.approx(total, abs=1e-13)
    np.testing.assert_allclose(fitted.predict_proba([[np.nan] * 5])[0], fitted.weights_, rtol=1e-13)


def test_gaps_may_be_where_none_were_before():
    X = rows(100)
    fitted, gap = model().fit(X), X.copy()
    gap[:, 2] = np.nan
    p = np.delete(fitted.probabilities_, 2, axis=1)
    joint = naive.bernoulli_log_joint(np.delete(X, 2, axis=1), fitted.weights_, p)
    np.testing.assert_allclose(fitted.score_samples(gap), naive.e_step(joint)[1], rtol=1e-12)


def test_a_component_keeps_what_it_has_learnt_nothing_about():
    X = np.array([[0, 0], [0, 1], [1, np.nan], [1, np.nan]])
    fitted = model(2, [0.5, 0.5], [[0.0, 0.5], [1.0, 0.2]]).fit(X)
    np.testing.assert_array_equal(fitted.probabilities_[1], [1.0, 0.2])
    family = fitted._bound(fitted._validated(X, reset=False))
    guess = family.guess(np.array([[0.25, 0.2, 0.6], [1.0, 0.0, 0.0]]))  # yes, yes, no
    np.testing.assert_allclose(guess.probabilities, [[0.25, 0.25], [1.0, 0.5]], rtol=1e-15)


@pytest.mark.parametrize("weightless", [False, True])
def test_a_feature_that_is_never_observed(weightless):
    X = rows(20)
    X[:, 3] = np.nan
    X[0, 3] = 1.0 if weightless else np.nan
    w = np.r_[0.0, np.ones(19)]
    with refused(ValueError, ["one known answer", "feature 3", "in all 19 rows", "Drop it"]):
        model(2).fit(X, sample_weight=w)


# ---- zeros and ones ------------------------------------------------------------------------------


def test_zeros_and_ones_stay_exact_and_rule_out():
    X = np.repeat([[1, 0, 0], [0, 1, 1], [0, 1, 0]], [10, 10, 10], axis=0)
    fitted = model(2, [0.5, 0.5], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]).fit(X)
    np.testing.assert_allclose(fitted.probabilities_, [[1, 0, 0], [0, 1, 0.5]], rtol=1e-15, atol=0)
    for rows_ in ([[1, 1, 0]], sparse.csr_array([[1, 1, 0]]), [[1.0, 1.0, np.nan]]):
        assert fitted.score_samples(rows_)[0] == -np.inf
        assert fitted.score(rows_) == -np.inf
    assert fitted.score(X) == pytest.approx(np.log(1 / 3), rel=1e-14)


@pytest.mark.parametrize("store", ["int8", "csr"])
def test_a_row_that_is_impossible_belongs_where_it_is_least_so(store):
    p = np.array([[1.0, 1.0, 1.0, 0.2], [0.0, 0.0, 0.0, 0.6]])
    X = np.array([[1, 1, 1, 0], [0, 0, 0, 1]])
    fitted = fit(model(2, [0.25, 0.75], p, max_iter=0), X)
    asked = np.array([[1, 1, 0, 0], [1, 0, 0, 1]])
    found = fitted.predict_proba(STORES[store](asked))
    np.testing.assert_array_equal(found, [[1.0, 0.0], [0.0, 1.0]])
    even = fitted.predict_proba([[1.0, 0.0, np.nan, 1.0]])[0]
    np.testing.assert_allclose(even, np.array([0.25 * 0.2, 0.75 * 0.6]) / 0.5, rtol=1e-9)


def test_a_start_that_rules_out_the_rows_is_refused():
    with refused(ValueError, ["Fitting the mixture model failed", "-inf"]):
        model(1, [1.0], [[0.0, 0.5]]).fit(np.eye(2))


def test_four_hundred_items_do_not_underflow():
    """Products of probabilities vanish near 330 items; each row has one of 1e-280 or less."""
    X, labels = answer_rows(400, 1500, 3)
    fitted = model().fit(X)
    log_density = fitted.score_samples(X)
    assert log_density.max() < -700
    assert np.isfinite(log_density).all()
    joint = naive.bernoulli_log_joint(
        X[:3], fitted.weights_, np.clip(fitted.probabilities_, 1e-300, 1 - 1e-16)
    )
    np.testing.assert_allclose(log_density[:3], logsumexp(joint, axis=1), rtol=1e-10)
    orders = [np.array(order) for order in itertools.permutations(range(3))]
    assert max(np.mean(order[labels] == fitted.predict(X)) for order in orders) == 1.0

"""Class shares of unlabelled rows, and classifiers adapted to them: laws and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from scipy.stats import chi2
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from mixtures import DynamicResponsibility
from mixtures.label_shift import PriorShiftClassifier

MEANS = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, np.sqrt(3.0)]])
TRAIN = np.array([0.6, 0.3, 0.1])
SHIFTED = np.array([0.1, 0.2, 0.7])


def draw(n, prior=TRAIN, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(3, size=n, p=prior)
    return rng.standard_normal((n, 2)) + MEANS[y], y


def log_density(X):
    return -0.5 * ((X[:, None] - MEANS) ** 2).sum(axis=2)


class Known(ClassifierMixin, BaseEstimator):
    """The Bayes classifier of the three Gaussians, made wrong by a temperature and a bias."""

    def __init__(self, prior=TRAIN, temperature=1.0, bias=(0.0, 0.0, 0.0)):
        self.prior, self.temperature, self.bias = prior, temperature, bias

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.arange(3)
        return self

    def predict_proba(self, X):
        posterior = log_softmax(log_density(np.asarray(X)) + np.log(self.prior), axis=1)
        return softmax(self.temperature * (posterior - np.asarray(self.bias)), axis=1)


class Table(ClassifierMixin, BaseEstimator):
    """A classifier whose posteriors are the rows of X."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.arange(np.shape(X)[1])
        return self

    def predict_proba(self, X):
        return np.asarray(X)


def table_classifier(train_prior, **options):
    """Fitted, with these shares in training."""
    k = len(train_prior)
    model = PriorShiftClassifier(
        Table(), calibration=None, train_prior=train_prior, n_threads=1, **options
    )
    return model.fit(np.full((k, k), 1.0 / k), np.arange(k))


def posteriors(n, k, seed, zeros=0.0):
    """Rows on the simplex, some entries exactly zero."""
    rng = np.random.default_rng(seed)
    P = rng.gamma(0.5, size=(n, k)) + 1e-3
    P[rng.random((n, k)) < zeros] = 0.0
    P[np.arange(n), rng.integers(k, size=n)] += 0.1
    return P / P.sum(axis=1, keepdims=True)


def saerens(P, train_prior, weight, n_iter=800):
    """The EM algorithm as Saerens, Latinne and Decaestecker print it."""
    prior = np.array(train_prior)
    for _ in range(n_iter):
        new = P * (prior / train_prior)
        new /= new.sum(axis=1, keepdims=True)
        prior = np.average(new, axis=0, weights=weight)
    return prior


@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([0.0, 0.3]))
def test_the_estimate_is_where_em_goes(k, n, seed, zeros):
    P, t = posteriors(n, k, seed, zeros), np.random.default_rng(seed).dirichlet(np.full(k, 5.0))
    weight = np.random.default_rng(seed + 1).exponential(size=n) + 0.1
    estimate = table_classifier(t).estimate_prior(P, weight)
    assert estimate.converged and estimate.gap <= 1e-8
    em = saerens(P, t, weight)

    def height(prior):
        return np.average(np.log(P @ (prior / t)), weights=weight)

    assert height(estimate.prior) >= height(em) - 2e-8
    assert abs(estimate.prior.sum() - 1.0) < 1e-12 and estimate.prior.min() >= 0.0
    # twice the log-likelihood ratio to the shares in training, which have a mean of log 1
    assert estimate.statistic == pytest.approx(2 * weight.sum() * height(estimate.prior), abs=1e-6)
    assert estimate.p_value == pytest.approx(chi2.sf(max(estimate.statistic, 0.0), k - 1))
    assert estimate.n_rows == pytest.approx(weight.sum())


def test_known_densities_give_their_proportions():
    X, _ = draw(500, SHIFTED)
    model = PriorShiftClassifier(Known(), calibration=None, train_prior=TRAIN, n_threads=1).fit(
        *draw(30)
    )
    direct = DynamicResponsibility(input="log_density", n_threads=1).fit(log_density(X))
    estimate = model.estimate_prior(X)
    np.testing.assert_allclose(estimate.prior, direct.weights_, atol=1e-6)
    np.testing.assert_allclose(estimate.standard_errors, direct.standard_errors_, rtol=1e-5)
    np.testing.assert_allclose(
        model.adapt(X).predict_proba(X), direct.predict_proba(log_density(X)), atol=1e-5
    )
    ratio = model.log_density_ratio(X) - log_density(X)
    np.testing.assert_allclose(ratio - ratio[:, :1], 0.0, atol=1e-9)


@pytest.mark.parametrize("calibration", ["bcts", "ts", None])
@pytest.mark.parametrize("ensemble", [True, False])
def test_shares_of_a_real_classifier(calibration, ensemble):
    X, y = draw(3000)
    model = PriorShiftClassifier(
        LogisticRegression(), calibration=calibration, ensemble=ensemble, n_threads=1
    ).fit(X, y)
    same = model.estimate_prior(draw(2000, TRAIN, 1)[0])
    assert np.all(np.abs(same.prior - TRAIN) < 4 * same.standard_errors) and same.p_value > 1e-3
    new, truth = draw(2000, SHIFTED, 2)
    estimate = model.estimate_prior(new)
    assert np.all(np.abs(estimate.prior - SHIFTED) < 4 * estimate.standard_errors)
    assert estimate.p_value < 1e-12
    bayes = np.mean((log_density(new) + np.log(SHIFTED)).argmax(axis=1) == truth)
    assert model.score(new, truth) < bayes - 0.1
    assert model.adapt(new).score(new, truth) > bayes - 0.01
    assert model.bias_.any() == (calibration == "bcts")
    assert (model.temperature_ == 1.0) == (calibration is None)
    assert len(model.estimators_) == (5 if ensemble and calibration else 1)


def test_the_rows_of_a_network_like_classifier_keep_their_own_calibration():
    """Each fold has a bias of its own; a mean of its classifiers has calibrated posteriors."""

    class Moody(Known):
        def fit(self, X, y):
            self.temperature_ = 2.0
            self.bias_ = np.random.default_rng(len(y) + int(1e3 * X[0, 0])).normal(size=3)
            return super().fit(X, y)

        def predict_proba(self, X):
            return Known(self.prior, self.temperature_, self.bias_).predict_proba(X)

    X, y = draw(4000)
    new, _ = draw(4000, SHIFTED, 1)
    errors = []
    for ensemble in (True, False):
        model = PriorShiftClassifier(Moody(), ensemble=ensemble, n_threads=1).fit(X, y)
        errors.append(np.abs(model.estimate_prior(new).prior - SHIFTED).sum())
    assert errors[0] < 0.5 * errors[1]


@given(st.integers(0, 10**6))
def test_order_of_rows_and_classes(seed):
    rng = np.random.default_rng(seed)
    P, t = posteriors(30, 4, seed), rng.dirichlet(np.full(4, 3.0))
    rows, classes = rng.permutation(30), rng.permutation(4)
    one = table_classifier(t).estimate_prior(P)
    other = table_classifier(t[classes]).estimate_prior(P[rows][:, classes])
    np.testing.assert_allclose(one.prior[classes], other.prior, atol=1e-5)
    low = one.confidence_interval()[classes]
    np.testing.assert_allclose(low, other.confidence_interval(), atol=1e-3)


def test_names_of_classes_do_not_matter():
    X, y = draw(300)
    names = np.array(["c", "a", "b"])
    new, _ = draw(200, SHIFTED, 1)
    one = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y)
    other = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, names[y])
    assert other.classes_.tolist() == ["a", "b", "c"]
    order = np.array([1, 2, 0])  # of a, b, c
    prior = one.estimate_prior(new).prior
    np.testing.assert_allclose(other.estimate_prior(new).prior, prior[order], atol=1e-4)
    labels = other.adapt(new).predict(new)
    assert np.mean(labels == names[one.adapt(new).predict(new)]) > 0.99


def test_weights_are_repetitions():
    """In the calibration, the shares in training, the estimate and its errors."""
    X, y = draw(200)
    rng = np.random.default_rng(0)
    w, v = rng.integers(0, 4, size=200), rng.integers(0, 4, size=100)
    frozen = FrozenEstimator(Known(temperature=1.5, bias=(0.3, 0.0, -0.3)).fit(X, y))
    new = draw(100, SHIFTED, 1)[0]
    weighted = PriorShiftClassifier(frozen, n_threads=1).fit(X, y, sample_weight=w)
    repeated = PriorShiftClassifier(frozen, n_threads=1).fit(X.repeat(w, axis=0), y.repeat(w))
    np.testing.assert_allclose(weighted.train_prior_, repeated.train_prior_, rtol=1e-12)
    assert weighted.temperature_ == pytest.approx(repeated.temperature_, rel=1e-8)
    one = weighted.estimate_prior(new, v)
    other = repeated.estimate_prior(new.repeat(v, axis=0))
    for name in ("prior", "standard_errors", "covariance", "statistic", "p_value", "n_rows"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("ensemble", [True, False])
def test_adapted_is_predicting_with_the_estimated_shares(ensemble):
    X, y = draw(400)
    new, _ = draw(300, SHIFTED, 1)
    model = PriorShiftClassifier(LogisticRegression(), ensemble=ensemble, n_threads=1).fit(X, y)
    before = model.predict_proba(new)
    twin = model.adapt(new)
    assert not hasattr(model, "prior_estimate_") and model.predict_prior == "train"
    np.testing.assert_array_equal(model.predict_proba(new), before)
    prior = model.estimate_prior(new).prior
    np.testing.assert_array_equal(twin.predict_prior, prior)
    np.testing.assert_array_equal(twin.prior_estimate_.prior, prior)
    by_hand = before * (prior / model.train_prior_)
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(twin.predict_proba(new), by_hand, rtol=1e-9)
    np.testing.assert_allclose(np.exp(twin.predict_log_proba(new)), by_hand, rtol=1e-9)
    model.set_params(predict_prior=prior)
    np.testing.assert_array_equal(model.predict_proba(new), twin.predict_proba(new))
    # the maximum-likelihood shares are those that the adapted posteriors have in the mean, up to
    # the difference between a mean of posteriors adapted and a mean of adapted posteriors
    np.testing.assert_allclose(by_hand.mean(axis=0), prior, atol=2e-3 if ensemble else 1e-5)
    # row by row, whoever else is asked about
    np.testing.assert_allclose(twin.predict_proba(new[5:6]), by_hand[5:6], rtol=1e-9)


def test_equal_and_given_shares():
    P = posteriors(20, 3, 0)
    for prior, expected in (("uniform", np.full(3, 1 / 3)), (SHIFTED, SHIFTED), ("train", TRAIN)):
        found = table_classifier(TRAIN, predict_prior=prior).predict_proba(P)
        by_hand = P * expected / TRAIN
        np.testing.assert_allclose(found, by_hand / by_hand.sum(axis=1, keepdims=True), rtol=1e-12)
    rounded = table_classifier(np.full(3, 0.3333333)).train_prior_
    assert rounded.sum() == pytest.approx(1.0, abs=1e-15)


def test_a_tree_whose_posteriors_are_zeros_and_ones():
    X, y = draw(300)
    new, _ = draw(300, SHIFTED, 1)
    model = PriorShiftClassifier(DecisionTreeClassifier(random_state=0), calibration=None)
    model.fit(X, y)
    estimate = model.estimate_prior(new)
    counts = np.bincount(model.predict(new), minlength=3) / 300
    np.testing.assert_allclose(estimate.prior, counts, atol=1e-7)  # nothing but counting is left
    np.testing.assert_array_equal(model.adapt(new).predict_proba(new), model.predict_proba(new))

"""Shares at the edge: intervals, classes without rows, posteriors of zero, few rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from mixtures.label_shift import PriorShiftClassifier
from mixtures.label_shift.estimate import estimate_shares
from mixtures.label_shift.shares import adapted

from .test_label_shift import (
    SHIFTED,
    TRAIN,
    Known,
    Table,
    draw,
    log_density,
    posteriors,
    table_classifier,
)


def estimate(log_ratio, weight=None, k=3, train=None, **options):
    train = np.full(k, 1.0 / k) if train is None else train
    options = {"concentration": 1.0, "tol": 1e-10, "n_threads": 1} | options
    return estimate_shares(np.atleast_3d(log_ratio.T).T, weight, np.arange(k), train, **options)


def covered(prior, n, repeats=150):
    """How often each interval has the true share, and rejections of the truth at 5 %."""
    hits, rejected = np.zeros(len(prior)), 0
    for seed in range(repeats):
        X, _ = draw(n, prior, seed)
        found = estimate(log_density(X), train=prior if np.all(prior > 0) else None)
        low, high = found.confidence_interval().T
        hits += (low <= prior) & (prior <= high)
        rejected += found.p_value < 0.05
    return hits / repeats, rejected / repeats


@pytest.mark.parametrize("prior", [[0.5, 0.3, 0.2], [0.9, 0.08, 0.02], [0.02, 0.98, 0.0]])
def test_intervals_have_the_truth_as_often_as_they_say(prior):
    hits, rejected = covered(np.array(prior), 300)
    assert np.all(hits > 0.88), hits
    if min(prior) > 0:
        assert rejected < 0.12


@pytest.mark.parametrize("n", [20, 1000])
def test_a_class_that_no_row_resembles(n):
    """c with n log(1 - c) = -1.92, half of the chi-squared quantile; and what others have left."""
    log_ratio = np.zeros((n, 3))
    log_ratio[: n // 2, 1], log_ratio[n // 2 :, 0], log_ratio[:, 2] = -np.inf, -np.inf, -np.inf
    found = estimate(log_ratio)
    np.testing.assert_allclose(found.prior, [0.5, 0.5, 0.0], atol=1e-9)
    assert found.standard_errors[2] == 0.0
    np.testing.assert_allclose(found.standard_errors[:2], np.sqrt(0.25 / n), rtol=1e-6)
    low, high = found.confidence_interval().T
    assert high[2] == pytest.approx(-np.expm1(-1.92073 / n), rel=0.01 if n < 100 else 1e-4)
    np.testing.assert_allclose(high[:2] - 0.5, 1.95996 * np.sqrt(0.25 / n), rtol=1e-4)
    assert low[2] == 0.0


@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_end_at_zero_is_that_of_the_likelihood(seed, level):
    """Of two classes the profile log-likelihood is a line search, so it can be had exactly."""
    rng = np.random.default_rng(seed)
    n = 4000
    ratio = np.exp(np.stack([np.zeros(n), 0.5 * rng.standard_normal(n) - 0.17], axis=1))
    found = estimate(np.log(ratio), k=2)
    assert found.prior[1] == 0.0

    def fall(c):
        return 2 * np.log1p(c * (ratio[:, 1] - 1.0)).sum() + quantile

    quantile = {0.5: 0.454936, 0.9: 2.705543, 0.95: 3.841459}[level]
    exact = brentq(fall, 0.0, 0.9)
    low, high = found.confidence_interval(level).T
    assert high[1] == pytest.approx(exact, rel=0.05)
    assert low[0] == pytest.approx(1.0 - high[1], rel=1e-9)  # what it takes, the other lacks


def test_an_absent_class_gets_nothing_or_nearly():
    X, y = draw(1500)
    model = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y)
    new, truth = draw(800, [0.5, 0.5, 0.0], 3)
    found = model.estimate_prior(new)
    low, high = found.confidence_interval(0.999).T
    assert low[2] == 0.0 < high[2] < 0.1
    assert model.adapt(new).score(new, truth) >= model.score(new, truth) - 0.01


def test_classes_that_training_did_not_have():
    """Of a class without rows in training nobody knows the density: it gets no share."""
    P = posteriors(50, 3, 0)
    model = table_classifier([0.4, 0.6, 0.0])
    found = model.estimate_prior(P)
    two = P[:, :2] / P[:, :2].sum(axis=1, keepdims=True)
    alone = table_classifier([0.4, 0.6]).estimate_prior(two)
    assert found.prior[2] == 0.0
    np.testing.assert_allclose(found.prior[:2], alone.prior, atol=1e-6)
    np.testing.assert_allclose(found.standard_errors[:2], alone.standard_errors, rtol=1e-4)
    assert found.statistic == pytest.approx(alone.statistic, abs=1e-5)
    np.testing.assert_array_equal(found.confidence_interval()[2], [0.0, 0.0])
    assert np.isneginf(model.log_density_ratio(P)[:, 2]).all()
    np.testing.assert_allclose(model.predict_proba(P), P, rtol=1e-12)  # "train": as they are
    model.set_params(predict_prior="uniform")
    assert not model.predict_proba(P)[:, 2].any()
    sure = np.array([[0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(model.predict_proba(sure), sure)  # nothing else is possible
    with pytest.raises(ValueError, match=r"row 0 of X has posterior zero in all of \[0, 1\]"):
        model.estimate_prior(sure)
    assert model.estimate_prior(np.vstack([sure, P]), [0] + [1] * 50).prior[2] == 0.0


def test_impossible_rows_get_the_limit_of_vanishing_shares():
    P = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.2, 0.6]])
    t, prior = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.0, 1.0])
    with np.errstate(divide="ignore"):
        found = np.exp(adapted(np.log(P), t, prior))
    near = P * np.array([1e-9, 1e-9, 1.0]) / t
    near /= near.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, near, atol=1e-8)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_rows(n):
    X, y = draw(600)
    model = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y)
    new, _ = draw(n, SHIFTED, 1)
    found = model.estimate_prior(new)
    assert found.prior.sum() == pytest.approx(1.0) and np.isfinite(found.p_value)
    low, high = found.confidence_interval().T
    assert np.all(low <= found.prior) and np.all(found.prior <= high) and high.max() <= 1.0
    assert np.isfinite(model.adapt(new).predict_proba(X)).all()
    kept = PriorShiftClassifier(LogisticRegression(), concentration=3.0, n_threads=1).fit(X, y)
    prior = kept.estimate_prior(new).prior
    assert prior.min() >= 2.0 / (n + 6.0) - 1e-9  # the pseudo-rows alone


def test_concentration_counts_pseudo_rows():
    counts = np.array([5, 1, 0])
    P = np.eye(3)[np.repeat(np.arange(3), counts)]
    for concentration in (2.5, [2.0, 1.0, 4.0]):
        pseudo = np.broadcast_to(np.asarray(concentration) - 1.0, 3)
        expected = (counts + pseudo) / (counts + pseudo).sum()
        model = table_classifier(TRAIN, concentration=concentration)
        np.testing.assert_allclose(model.estimate_prior(P).prior, expected, atol=1e-9)
    # the same whether one classifier speaks or five that agree
    X, y = draw(500)
    new, _ = draw(40, SHIFTED, 1)
    options = {"calibration": "ts", "concentration": 2.0, "n_threads": 1}
    one = PriorShiftClassifier(FrozenEstimator(Known().fit(X, y)), **options).fit(X, y)
    five = PriorShiftClassifier(Known(), **options).fit(X, y)
    a, b = one.estimate_prior(new), five.estimate_prior(new)
    np.testing.assert_allclose(a.prior, b.prior, atol=1e-5)
    np.testing.assert_allclose(a.standard_errors, b.standard_errors, rtol=1e-3)
    np.testing.assert_allclose(a.statistic, b.statistic, rtol=1e-4)


def test_shares_that_rows_do_not_determine():
    found = estimate(np.zeros((20, 2)), k=2)
    assert not found.identifiable
    np.testing.assert_array_equal(found.confidence_interval(), [[0.0, 1.0], [0.0, 1.0]])


def test_a_single_class():
    model = PriorShiftClassifier(Table(), calibration=None).fit(np.ones((3, 1)), np.zeros(3, int))
    found = model.estimate_prior(np.ones((4, 1)))
    assert (found.prior, found.p_value) == ([1.0], 1.0)
    np.testing.assert_array_equal(found.confidence_interval(), [[1.0, 1.0]])

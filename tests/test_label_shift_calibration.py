"""Temperature scaling: planted parameters are found, and what is stationary is the minimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.svm import LinearSVC

from mixtures.label_shift import PriorShiftClassifier, calibration
from mixtures.label_shift.calibration import fit_calibration

from .test_label_shift import SHIFTED, TRAIN, Known, draw, log_density


def planted(n=20_000, k=4, temperature=1.7, biased=True, seed=0):
    rng = np.random.default_rng(seed)
    logits, bias = 2.0 * rng.standard_normal((n, k)), rng.standard_normal(k) * biased
    P = softmax(logits / temperature + bias, axis=1)
    labels = (P.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits, labels, bias - bias.mean()


def loss_of(logits, labels, weight, with_bias, centre=1.0):
    """The penalised loss, the obvious way, by (inverse temperature, biases)."""

    def loss(theta):
        bias = theta[1:] if with_bias else 0.0
        log_p = log_softmax(theta[0] * logits + bias, axis=1)[np.arange(len(labels)), labels]
        return -weight @ log_p + 0.5 * (theta[0] - centre) ** 2 + 0.5 * (theta[1:] ** 2).sum()

    return loss


def test_planted_temperature_and_bias():
    logits, labels, bias = planted()
    found = fit_calibration(logits, labels, np.ones(len(labels)), True, False)
    assert 1.0 / found.inverse_temperature == pytest.approx(1.7, rel=0.03)
    np.testing.assert_allclose(found.bias, bias, atol=0.06)
    assert found.bias.sum() == pytest.approx(0.0, abs=1e-12)
    logits, labels, _ = planted(biased=False)
    found = fit_calibration(logits, labels, np.ones(len(labels)), False, False)
    assert 1.0 / found.inverse_temperature == pytest.approx(1.7, rel=0.03)
    assert not found.bias.any()


def test_a_classifier_made_wrong_is_mended():
    """Given the truth with a temperature and a bias on top, the truth comes back."""
    X, y = draw(20_000)
    wrong = Known(temperature=2.5, bias=(0.8, -0.5, -0.3)).fit(X, y)
    model = PriorShiftClassifier(FrozenEstimator(wrong), n_threads=1).fit(X, y)
    assert model.temperature_ == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(model.bias_, [0.8, -0.5, -0.3], atol=0.06)
    new, _ = draw(3000, SHIFTED, 1)
    truth = log_softmax(log_density(new) + np.log(TRAIN), axis=1)
    assert np.abs(model.predict_proba(new) - np.exp(truth)).max() < 0.03
    raw = PriorShiftClassifier(FrozenEstimator(wrong), calibration=None, n_threads=1).fit(X, y)
    errors = [np.abs(m.estimate_prior(new).prior - SHIFTED).sum() for m in (model, raw)]
    assert errors[0] < 0.06 < 0.2 < errors[1]


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 30), st.booleans())
def test_the_minimum_is_the_minimum(seed, k, n, with_bias):
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((n, k)) * 3, rng.integers(k, size=n)
    weight = rng.exponential(size=n)
    found = fit_calibration(logits, labels, weight, with_bias, False)
    loss = loss_of(logits, labels, weight, with_bias)
    start = np.r_[1.0, np.zeros(k * with_bias)]
    bounds = [(0.0, None)] + [(None, None)] * (k * with_bias)
    theirs = minimize(loss, start, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14})
    ours = loss(np.r_[found.inverse_temperature, found.bias if with_bias else []])
    assert ours <= theirs.fun + 1e-9 * (1 + weight.sum())


@given(st.integers(0, 10**6))
def test_biased_calibration_predicts_each_class_as_often_as_it_is(seed):
    """The derivative by a bias: the mean posterior is the class's share, but for the penalty."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((50, 3)), rng.integers(3, size=50)
    found = fit_calibration(logits, labels, np.ones(50), True, False)
    mean = np.exp(found.log_posterior(logits)).sum(axis=0)
    np.testing.assert_allclose(mean + found.bias, np.bincount(labels, minlength=3), atol=1e-6)


@given(st.integers(0, 10**6))
def test_weights_and_the_unit_of_decision_values(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((40, 3)), rng.integers(3, size=40)
    w = rng.integers(0, 3, size=40) + (np.arange(40) == 0)
    one = fit_calibration(logits, labels, w.astype(float), True, False)
    rows = np.repeat(np.arange(40), w)
    other = fit_calibration(logits[rows], labels[rows], np.ones(len(rows)), True, False)
    np.testing.assert_allclose(one.bias, other.bias, atol=1e-9)
    one = fit_calibration(logits, labels, np.ones(40), True, True)
    other = fit_calibration(1e6 * logits, labels, np.ones(40), True, True)
    assert one.inverse_temperature == pytest.approx(1e6 * other.inverse_temperature, rel=1e-6)
    np.testing.assert_allclose(one.bias, other.bias, atol=1e-7)


def test_extreme_outputs_have_finite_calibrations():
    rng = np.random.default_rng(0)
    labels, ones = np.arange(60) % 3, np.ones(60)
    logits = 5.0 * np.eye(3)[labels]
    sure = fit_calibration(logits, labels, ones, True, False)  # without an error
    assert 1.0 < sure.inverse_temperature < 10.0
    wrong = fit_calibration(-logits, labels, ones, True, False)  # worse than none
    assert wrong.inverse_temperature == 0.0
    flat = fit_calibration(0.0 * logits, labels, ones, True, False)
    assert flat.inverse_temperature == 1.0 and np.abs(flat.bias).max() < 1e-9
    huge = fit_calibration(300.0 * logits, rng.permutation(labels), ones, True, False)
    assert 0.0 <= huge.inverse_temperature < 0.01


def test_zeros_stay_zero_unless_a_label_contradicts_them():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((500, 3)), rng.integers(3, size=500)
    other = (labels + 1) % 3
    logits[np.arange(200), other[:200]] = -np.inf
    found = fit_calibration(logits, labels, np.ones(500), True, False)
    assert found.zero == -np.inf
    assert np.isneginf(found.log_posterior(logits)[np.arange(200), other[:200]]).all()
    # Now a tenth of the rows with a zero are of that class: it stands for a share of a tenth.
    labels[:20] = other[:20]
    found = fit_calibration(logits, labels, np.ones(500), False, False)
    p = np.exp(found.log_posterior(logits)[np.arange(200), other[:200]])
    assert p.mean() == pytest.approx(0.1, abs=0.01)
    # and one of four thousand for as little: the prior on it is vague.
    rare, first = np.zeros((4000, 2)), np.r_[1, np.zeros(3999, int)]
    rare[:, 1] = -np.inf
    found = fit_calibration(rare, first, np.ones(4000), False, False)
    assert 0.8 < 4000 * np.exp(found.log_posterior(rare)[:, 1]).mean() < 1.2
    weight = np.r_[np.zeros(20), np.ones(480)]  # rows of weight zero contradict nothing
    assert fit_calibration(logits, labels, weight, True, False).zero == -np.inf


def test_a_forest_with_zeros_that_are_wrong():
    X, y = draw(1500)
    model = PriorShiftClassifier(RandomForestClassifier(10, random_state=0), n_threads=1).fit(X, y)
    assert np.isfinite(model.calibration_.zero) and np.isfinite(model.predict_log_proba(X)).all()
    new, _ = draw(1500, SHIFTED, 1)
    raw = PriorShiftClassifier(
        RandomForestClassifier(10, random_state=0), calibration=None, n_threads=1
    ).fit(X, y)
    errors = [np.abs(m.estimate_prior(new).prior - SHIFTED).sum() for m in (model, raw)]
    assert errors[0] < 0.12 and errors[0] < errors[1]


@pytest.mark.parametrize(
    "inner", [LinearSVC(random_state=0), RidgeClassifier(), SGDClassifier(random_state=0)]
)
@pytest.mark.parametrize("classes", [2, 3])
def test_decision_values_are_calibrated(inner, classes):
    X, y = draw(2000)
    X, y = X[y < classes], y[y < classes]
    model = PriorShiftClassifier(inner, n_threads=1).fit(X, y)
    posterior = model.predict_proba(X)
    expected = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y).predict_proba(X)
    assert posterior.shape == (len(X), classes)
    assert np.abs(posterior - expected).mean() < 0.06


def test_no_end_is_said(monkeypatch):
    logits, labels, _ = planted(100)
    monkeypatch.setattr(calibration, "MOST_ITERATIONS", 1)
    with pytest.warns(ConvergenceWarning, match="Calibration did not converge in 1 iterations"):
        fit_calibration(logits, labels, np.ones(100), True, False)

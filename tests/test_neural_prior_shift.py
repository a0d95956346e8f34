"""Which prior predictions assume, and that it can be found out where labels are missing."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning

from mixtures.label_shift import PriorEstimate
from mixtures.proportions import DynamicResponsibility, responsibility_orbit

from .neural_cases import NETS, draw, fit, logits, net, orbit

X, Y = draw()
NEW = draw(120, [0.1, 0.3, 0.6], seed=5)[0]
GIVEN = np.array([0.1, 0.2, 0.7])
TRAINED = {case: fit(net(**NETS[case], max_epochs=12), X, Y) for case in NETS}
SHARES = np.bincount(Y) / len(Y)
each = pytest.mark.parametrize("case", NETS)


def stored_prior(case):
    """``log pi`` of the layer as it is defined, from the final network on all rows."""
    model, A = TRAINED[case], logits(TRAINED[case], X)
    if model.head == "softmax":
        return np.log(SHARES)
    if model.head == "fixed":
        return np.log(SHARES if isinstance(model.prior, str) else model.prior)
    starts = {"uniform": np.zeros(3), "empirical": np.log(SHARES)}
    start = model.prior_start
    n_iter = 3000 if model.prior_gradient == "implicit" else model.n_prior_iter
    log_start = starts[start] if isinstance(start, str) else np.log(start)
    pseudo = model.prior_concentration - 1.0  # in each of the four batches of an epoch
    return orbit(A, n_iter, log_start, concentration=1.0 + 4 * pseudo)


# ---- what is stored --------------------------------------------------------------------------


@each
def test_the_prior_of_the_layer(case):
    model = TRAINED[case]
    np.testing.assert_allclose(model.class_prior_, SHARES, rtol=1e-14)
    np.testing.assert_array_equal(model.prior_, np.exp(model.log_prior_))
    np.testing.assert_allclose(model.prior_.sum(), 1.0, rtol=1e-12)
    if case == "carried":
        return  # its start depends on all batches: see the test below
    np.testing.assert_allclose(model.log_prior_, stored_prior(case), rtol=1e-8, atol=1e-9)


@each
def test_the_smallest_eigenvalue(case):
    """Of ``M = diag(1 / R) (S' S + a) / (n + sum a)``: how fast the map converges, 1 minus it."""
    model = TRAINED[case]
    S = softmax(logits(model, X) + model.log_prior_, axis=1)
    if model.head == "softmax":
        S = softmax(logits(model, X), axis=1)
    a = np.zeros(3)
    if model.head == "responsible":  # the pseudo-rows of all four batches
        a = a + 4.0 * (np.asarray(model.prior_concentration) - 1.0)
    mean = (S.sum(axis=0) + a) / (len(X) + a.sum())
    Q = (S.T @ S + np.diag(a)) / (len(X) + a.sum()) / np.sqrt(mean[:, None] * mean)
    np.testing.assert_allclose(model.prior_lambda_min_, np.linalg.eigvalsh(Q)[0], rtol=1e-6)
    assert 0.0 <= model.prior_lambda_min_ <= 1.0


def still(**options):
    """Learns nothing: each epoch sees the starting weights."""
    options = {"learning_rate_init": 1e-30, "alpha": 0.0, "batch_size": 150, **options}
    return fit(net(shuffle=False, max_epochs=3, **options), X, Y)


def test_the_prior_of_each_epoch():
    A = logits(still(head="softmax"), X)
    for start, log_start in (
        ("uniform", None),
        ("empirical", np.log(SHARES)),
        (GIVEN, np.log(GIVEN)),
    ):
        for concentration in (1.0, 3.0, np.array([1.0, 4.0, 2.0])):
            model = still(n_prior_iter=2, prior_start=start, prior_concentration=concentration)
            expected = orbit(A, 2, log_start, concentration=concentration)
            np.testing.assert_allclose(model.prior_curve_, [np.exp(expected)] * 3, rtol=1e-10)
            np.testing.assert_allclose(model.log_prior_, expected, rtol=1e-10)
    halves = still(n_prior_iter=1, batch_size=75).prior_curve_
    mean = np.mean([np.exp(orbit(A[rows], 1)) for rows in (slice(75), slice(75, None))], axis=0)
    np.testing.assert_allclose(halves, [mean] * 3, rtol=1e-10)


@pytest.mark.parametrize("n_prior_iter", [2, 2000])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_a_prior_that_is_carried(momentum, n_prior_iter):
    """From a floor, so that a class that was nearly lost can come back."""
    options = {"prior_start": "carry", "prior_momentum": momentum}
    model = still(n_prior_iter=n_prior_iter, **options)
    A, start, found = logits(model, X), np.full(3, 1 / 3), []
    for _ in range(3):
        found.append(np.exp(orbit(A, n_prior_iter, np.log(start))))
        start = np.maximum(momentum * start + (1.0 - momentum) * found[-1], 1e-8)
    np.testing.assert_allclose(model.prior_curve_, found, rtol=1e-7)
    last = orbit(A, n_prior_iter, np.log(start))
    np.testing.assert_allclose(model.log_prior_, last, rtol=1e-7)
    assert n_prior_iter == 2 or np.min(found) < 1e-12


def test_gradients_do_not_change_the_forward_pass():
    options = {"n_prior_iter": 2, "prior_concentration": 2.0}
    exact = still(**options)
    for gradient in ("stop", "neumann"):
        other = still(prior_gradient=gradient, **options)
        np.testing.assert_array_equal(other.prior_curve_, exact.prior_curve_)
        assert other.loss_ == exact.loss_
    fixed = still(prior_gradient="implicit", **options)
    limit = responsibility_orbit(logits(fixed, X), 5000, concentration=2.0, log=True)[-1]
    np.testing.assert_allclose(fixed.prior_, limit, rtol=1e-9)


# ---- which prior predictions assume ----------------------------------------------------------


def expected(case, prior):
    """Log-posterior, normalised, by the formulas."""
    model, A = TRAINED[case], logits(TRAINED[case], X)
    train = A if model.head == "softmax" else A + model.log_prior_
    if isinstance(prior, str) and prior == "train":
        return log_softmax(train, axis=1)
    if isinstance(prior, str):
        return log_softmax(train - model.log_prior_, axis=1)
    return log_softmax(train - np.log(SHARES) + np.log(prior), axis=1)


@pytest.mark.parametrize("prior", ["uniform", "train", GIVEN], ids=str)
@each
def test_formulas(case, prior):
    model, found = TRAINED[case], expected(case, prior)
    for log_proba, proba in (
        (model.predict_log_proba(X, prior=prior), model.predict_proba(X, prior=prior)),
        both(model, prior),
    ):
        np.testing.assert_allclose(log_proba, found, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(proba, np.exp(found), rtol=1e-9)


def both(model, prior):
    """The same through `predict_prior`, which may be set at any time."""
    model = set_prior(model, prior)
    return model.predict_log_proba(X), model.predict_proba(X)


def set_prior(model, prior):
    return copy.copy(model).set_params(predict_prior=prior)


@pytest.mark.parametrize("prior", ["uniform", "train", GIVEN], ids=str)
@each
def test_all_answers_agree(case, prior):
    model = set_prior(TRAINED[case], prior)
    log_proba, values = model.predict_log_proba(X), model.decision_function(X)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
    np.testing.assert_array_equal(model.predict(X), values.argmax(axis=1))
    np.testing.assert_allclose(log_softmax(values, axis=1), log_proba, rtol=1e-10, atol=1e-12)
    assert model.score(X, Y) == np.mean(model.predict(X) == Y)
    one_by_one = np.vstack([model.predict_proba(row[None]) for row in X[:20]])
    np.testing.assert_allclose(model.predict_proba(X)[:20], one_by_one, rtol=1e-12)
    if model.head != "softmax" and isinstance(prior, str) and prior == "uniform":
        np.testing.assert_allclose(values, logits(model, X), rtol=1e-12)


@pytest.mark.parametrize("head", ["softmax", "responsible", "fixed"])
def test_two_classes(head):
    model = fit(net(head=head), X, Y > 0)
    for prior in ("uniform", "train", [0.2, 0.8]):
        model.set_params(predict_prior=prior)
        log_proba, values = model.predict_log_proba(X), model.decision_function(X)
        assert values.shape == (150,)
        np.testing.assert_allclose(values, log_proba[:, 1] - log_proba[:, 0], atol=1e-12)
        np.testing.assert_array_equal(model.predict(X), values > 0)


@each
def test_density_ratios(case):
    model, ratio = TRAINED[case], TRAINED[case].log_density_ratio(X)
    np.testing.assert_allclose(
        log_softmax(ratio, axis=1), log_softmax(expected(case, "train") - np.log(SHARES), axis=1),
        rtol=1e-9, atol=1e-9,
    )  # fmt: skip
    np.testing.assert_allclose(
        softmax(ratio + np.log(GIVEN), axis=1), model.predict_proba(X, prior=GIVEN), rtol=1e-9
    )


def test_a_fixed_head_at_equal_shares_is_a_softmax():
    uniform = fit(net(head="fixed", prior=np.full(3, 1 / 3)), X, Y)
    for other in (fit(net(head="softmax"), X, Y), fit(net(n_prior_iter=0), X, Y)):
        np.testing.assert_array_equal(uniform.coefs_[0], other.coefs_[0])
        np.testing.assert_array_equal(uniform.loss_curve_, other.loss_curve_)


@given(st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3))
def test_a_prior_multiplies_the_posterior(shares):
    model, p = TRAINED["responsible"], np.array(shares) / np.sum(shares)
    proba = model.predict_proba(X, prior="train") / SHARES * p
    np.testing.assert_allclose(
        model.predict_proba(X, prior=p), proba / proba.sum(axis=1, keepdims=True), rtol=1e-9
    )


# ---- rows without labels ---------------------------------------------------------------------


@each
def test_the_estimate_is_the_likeliest_prior(case):
    model = TRAINED[case]
    estimate = model.estimate_prior(NEW)
    assert isinstance(estimate, PriorEstimate)
    assert estimate.converged and estimate.gap <= 1e-6 and estimate.classes.tolist() == [0, 1, 2]
    np.testing.assert_allclose(estimate.train_prior, SHARES)
    other = DynamicResponsibility(input="log_density", tol=1e-12).fit(model.log_density_ratio(NEW))
    np.testing.assert_allclose(estimate.prior, other.weights_, atol=1e-4)


@each
def test_adapted_copies(case):
    model = TRAINED[case]
    before, adapted = model.predict_proba(NEW), model.adapt(NEW)
    assert type(adapted) is type(model) and adapted is not model
    np.testing.assert_array_equal(adapted.predict_prior, adapted.prior_estimate_.prior)
    np.testing.assert_array_equal(adapted.prior_estimate_.prior, model.estimate_prior(NEW).prior)
    np.testing.assert_array_equal(model.predict_proba(NEW), before)
    assert not hasattr(model, "prior_estimate_") and isinstance(model.predict_prior, str)
    np.testing.assert_allclose(
        adapted.predict_proba(NEW), model.predict_proba_adapted(NEW), rtol=1e-12, atol=1e-300
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert not hasattr(adapted.fit(X, Y), "prior_estimate_")


def test_weights_of_rows_without_labels_count_them():
    model, w = TRAINED["responsible"], np.random.default_rng(0).integers(0, 3, len(NEW))
    repeated = np.repeat(NEW, w, axis=0)
    one, other = model.estimate_prior(NEW, sample_weight=w), model.estimate_prior(repeated)
    np.testing.assert_allclose(one.prior, other.prior, atol=1e-5)
    np.testing.assert_allclose(one.standard_errors, other.standard_errors, rtol=1e-3)
    np.testing.assert_allclose(
        model.predict_proba_adapted(NEW, sample_weight=w),
        model.adapt(NEW, sample_weight=w).predict_proba(NEW), rtol=1e-12,
    )  # fmt: skip


def test_a_class_that_the_new_rows_lack():
    model = TRAINED["softmax"]
    far = np.array([[-4.0, -4.0]] * 30)
    adapted = model.adapt(far)
    assert adapted.predict_prior.min() == 0.0 and adapted.predict_prior.max() == 1.0
    assert np.isfinite(adapted.predict_proba(X)).all()
    assert not np.isnan(adapted.decision_function(X)).any()
    assert len(set(adapted.predict(X))) == 1

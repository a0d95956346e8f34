"""Rows as bad as they come: numbers without NaN, and no warning that means nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .neural_cases import NETS, draw, fit, net, weights

X, Y = draw()
each = pytest.mark.parametrize("case", NETS)


def sound(model, *many_rows):
    """Everything that a fitted network says is a number, and probabilities are some."""
    for array in (*weights(model), model.loss_curve_, model.prior_, model.prior_curve_):
        assert np.isfinite(array).all()
    assert 0.0 <= model.prior_lambda_min_ <= 1.0 + 1e-9
    assert not np.isnan(model.log_prior_).any()
    for rows in many_rows:
        for prior in ("uniform", "train"):
            proba = model.predict_proba(rows, prior=prior)
            assert np.isfinite(proba).all() and (proba >= 0.0).all()
            np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-5)
            assert not np.isnan(model.predict_log_proba(rows, prior=prior)).any()
        assert np.isfinite(model.decision_function(rows)).all()
        assert np.isfinite(model.log_density_ratio(rows)).all()
        assert np.isfinite(model.predict_proba_adapted(rows)).all()
        assert set(model.predict(rows)) <= set(model.classes_)
    return model


def options_of(case):
    """A validation set needs rows of every class: these have few."""
    return {**NETS[case], "early_stopping": False}


@each
def test_batches_that_lack_a_class(case):
    order = np.argsort(Y, kind="stable")
    sound(fit(net(shuffle=False, batch_size=10, **options_of(case)), X[order], Y[order]), X)
    rare = np.r_[
        np.flatnonzero(Y == 0)[:100], np.flatnonzero(Y == 1)[:2], np.flatnonzero(Y == 2)[:1]
    ]
    sound(fit(net(batch_size=5, **options_of(case)), X[rare], Y[rare]), X)


@each
def test_one_row_a_class(case):
    sound(fit(net(**options_of(case)), X[:3], Y[:3]), X, X[:1])
    sound(fit(net(batch_size=1, **options_of(case)), X[:3], Y[:3]), X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@each
def test_logits_of_a_hundred_thousand(case, dtype):
    options = options_of(case)
    rows = X.astype(dtype)
    model = fit(net(**options), rows, Y)
    far = rows * dtype(1e6)
    sound(model, far)
    sound(fit(net(**options), far, Y), far, rows)
    linear = {**options, "activation": "identity", "hidden_layer_sizes": ()}
    model = fit(net(**linear), far, Y)
    assert np.abs(model.decision_function(far)).max() > 1e4
    sound(model, far, rows)


@each
def test_rows_and_columns_that_say_nothing_new(case):
    sound(fit(net(**options_of(case)), np.vstack([X[:9]] * 20), np.tile(Y[:9], 20)), X)
    doubled = np.hstack([X, X, X[:, :1]])
    sound(fit(net(**options_of(case)), doubled, Y), doubled)
    constant = np.full_like(X, 3.0)
    model = sound(fit(net(**options_of(case)), constant, Y), constant)
    assert np.ptp(model.predict_proba(constant), axis=0).max() < 1e-12
    sound(fit(net(**options_of(case)), np.zeros_like(X), Y), np.zeros_like(X))
    mixed = np.hstack([X, np.full((150, 1), -7.0)])
    sound(fit(net(**options_of(case)), mixed, Y), mixed)


@each
def test_a_hundred_classes(case):
    options = options_of(case)
    for name in ("prior", "prior_start", "prior_concentration"):
        if isinstance(options.get(name), np.ndarray):
            options[name] = np.resize(options[name], 100)
            if name != "prior_concentration":
                options[name] = options[name] / options[name].sum()
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(300, 8)), np.arange(300) % 100
    model = sound(fit(net(**options), rows, labels), rows)
    assert model.predict_proba(rows).shape == (300, 100)


@each
def test_labels_that_contradict_each_other(case):
    rows, labels = np.repeat(X[:50], 3, axis=0), np.tile([0, 1, 2], 50)
    model = sound(fit(net(**{**options_of(case), "max_epochs": 30}), rows, labels), rows)
    np.testing.assert_allclose(model.class_prior_, 1 / 3)


@each
def test_classes_that_are_far_apart(case):
    """Losses underflow; nothing else does."""
    rows = X + 1000.0 * Y[:, None]
    options = {**options_of(case), "learning_rate_init": 0.05, "max_epochs": 40}
    sound(fit(net(**options), (rows - rows.mean()) / rows.std(), Y), rows)


@each
def test_a_network_whose_units_are_dead(case):
    """All inputs negative, biases zero: a relu may pass nothing on."""
    options = {**options_of(case), "activation": "relu", "hidden_layer_sizes": (4,)}
    sound(fit(net(**options), -np.abs(X) * 1e3, Y), X)


def test_the_widest_range_of_weights():
    w = np.where(Y == 0, 1e-12, np.where(Y == 1, 1.0, 1e12))
    for case in NETS:
        sound(fit(net(**options_of(case)), X, Y, sample_weight=w), X)


@pytest.mark.parametrize("n_prior_iter", [1, 50, 1000])
def test_many_applications(n_prior_iter):
    """Priors of classes far below the range of numbers, and back."""
    for start in ("uniform", "empirical", "carry"):
        options = {"n_prior_iter": n_prior_iter, "prior_start": start, "max_epochs": 2}
        sound(fit(net(**options), X, Y), X)
        sound(fit(net(batch_size=10, shuffle=False, **options), X, np.sort(Y)), X)


@given(
    st.sampled_from(sorted(NETS)),
    st.integers(3, 40),
    st.integers(1, 4),
    st.sampled_from([1e-300, 1e-20, 1.0, 1e8, 1e150]),
    st.integers(0, 2**31),
)
@settings(max_examples=60)
def test_any_rows(case, n, d, scale, seed):
    rng = np.random.default_rng(seed)
    rows, labels = scale * rng.normal(size=(n, d)), np.arange(n) % 3
    options = {**options_of(case), "max_epochs": 2, "batch_size": int(rng.integers(1, 50))}
    if scale == 1e150 and not bounded(options):
        return  # it may well diverge, and says so: see the refusals
    sound(fit(net(**options), rows, labels), rows)


def bounded(options):
    """Whether the first layer's output, and so the gradient of the next, is between -1 and 1."""
    return options.get("activation", "tanh") in ("tanh", "logistic")

"""Training that goes on: `partial_fit` and `warm_start`."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from .neural_cases import LEARNT, NETS, copies, draw, fit, net, same_bits, weights
from .registry import refused

X, Y = draw()
CLASSES = [0, 1, 2]
PATH = ("t_", "class_prior_", "loss_curve_", "prior_curve_")


def trained(**options):
    return fit(net(**options), X, Y)


@pytest.mark.parametrize("case", NETS)
def test_epochs_one_by_one(case):
    """Without a shuffle, `fit` is `partial_fit` over and over."""
    options = {**NETS[case], "early_stopping": False, "shuffle": False}
    whole, steps, priors = trained(**options), net(**options), []
    for epoch in range(4):
        steps.partial_fit(X, Y, classes=CLASSES if epoch == 0 else None)
        after = trained(**{**options, "max_epochs": epoch + 1})
        same_bits(after, steps, PATH)
        priors.append(after.prior_)
    same_bits(whole, steps, PATH)
    # What the layer finds is averaged: a call counts nine tenths of the next.
    mean = np.average(priors, axis=0, weights=0.9 ** np.arange(3, -1, -1))
    np.testing.assert_allclose(steps.prior_, mean, rtol=1e-10)


def test_partial_fit_meets_classes_late():
    model = net(batch_size=30)
    only = Y == 0
    model.partial_fit(X[only], Y[only], classes=CLASSES)
    assert model.classes_.tolist() == CLASSES
    np.testing.assert_array_equal(model.predict_proba(X), np.eye(3)[np.zeros(150, int)])
    assert (model.predict(X) == 0).all() and not np.isnan(model.decision_function(X)).any()
    for _ in range(60):
        model.partial_fit(X, Y)
    assert set(model.predict(X)) == set(CLASSES)
    model.partial_fit(X, Y, classes=CLASSES)  # the same again is no news
    with refused(ValueError, ["classes", "[0, 1, 2]", "3"]):
        model.partial_fit(X, Y, classes=[0, 1, 2, 3])
    before = copies(model)
    with refused(ValueError, ["y", "3", "[0, 1, 2]"]):
        model.partial_fit(X, np.where(Y == 0, 3, Y))
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_partial_fit_needs_classes_once():
    with refused(ValueError, ["classes"]):
        net().partial_fit(X, Y)
    with refused(ValueError, ["labels", "[0, 1]", "[2]"]):
        net().partial_fit(X, Y, classes=[0, 1])
    fitted = trained()
    assert len(fitted.partial_fit(X, Y).loss_curve_) == 5  # one more epoch


def test_warm_start_goes_on():
    options = {"shuffle": False, "solver": "sgd", "momentum": 0.0}
    whole, halves = trained(**options), trained(warm_start=True, max_epochs=2, **options)
    first = copies(halves)
    halves = fit(halves, X, Y)
    same_bits(whole, halves, ("log_prior_", "class_prior_"))
    cold = fit(halves.set_params(warm_start=False), X, Y)
    for a, b in zip(weights(cold), first, strict=True):
        np.testing.assert_array_equal(a, b)
    same_bits(cold, trained(max_epochs=2, **options), LEARNT)


def test_warm_start_keeps_to_its_classes_and_features():
    model = trained(warm_start=True)
    before = copies(model)
    with refused(ValueError, ["warm_start", "[0, 1, 2]", "[0, 1]"]):
        fit(model, X, np.minimum(Y, 1))
    with refused(ValueError, ["3 features", "expecting 2 features"]):
        fit(model, np.ones((150, 3)), Y)
    with refused(ValueError, ["hidden_layer_sizes", "(6,)", "(9,)"]):
        fit(clone(model), X, Y).set_params(hidden_layer_sizes=(9,)).fit(X, Y)
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_shares_are_of_all_rows_so_far():
    w = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    for head in ("softmax", "fixed", "responsible"):
        model, at = net(head=head), 0
        for stop in (40, 90, 150):
            some = slice(at, stop)
            model.partial_fit(X[some], Y[some], classes=CLASSES, sample_weight=w[some])
            shares, at = np.bincount(Y[:stop], w[:stop]) / w[:stop].sum(), stop
            np.testing.assert_allclose(model.class_prior_, shares, rtol=1e-12)
        assert model.t_ == 150 and model.n_iter_ == len(model.loss_curve_) == 3
        assert model.prior_curve_.shape == (3, 3)
        if head != "responsible":
            np.testing.assert_allclose(model.prior_, shares, rtol=1e-12)
    after = fit(net(), X, Y, w).partial_fit(X[:50], Y[:50], sample_weight=w[:50])
    both = np.bincount(Y, w) + np.bincount(Y[:50], w[:50], 3)
    np.testing.assert_allclose(after.class_prior_, both / both.sum(), rtol=1e-12)


def test_rates_may_change_in_between():
    options = {"solver": "sgd", "momentum": 0.0, "shuffle": False}
    model = net(**options).partial_fit(X, Y, classes=CLASSES)
    before = copies(model)
    model.set_params(learning_rate_init=1e-30).partial_fit(X, Y)
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-25)


def test_schedules_count_calls():
    options = {"learning_rate": "step", "lr_drop_period": 2, "shuffle": False}
    steps = net(**options)
    for _ in range(4):
        steps.partial_fit(X, Y, classes=CLASSES)
    same_bits(steps, trained(**options), PATH)


def test_classes_that_have_not_come_have_no_density():
    for head in ("softmax", "fixed", "responsible"):
        model = net(head=head).partial_fit(X[Y < 2], Y[Y < 2], classes=CLASSES)
        for prior in ("uniform", "train", [0.4, 0.6, 0.0]):
            proba = model.predict_proba(X, prior=prior)
            assert (proba[:, 2] == 0.0).all() and np.allclose(proba.sum(axis=1), 1.0)
        with refused(ValueError, ["prior", "zero", "[2]", "train on rows"]):
            model.predict_proba(X, prior=[0.3, 0.3, 0.4])
        assert (model.log_density_ratio(X)[:, 2] == -np.inf).all()
        assert model.adapt(X).predict_prior[2] == 0.0

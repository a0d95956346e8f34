"""A row of weight w counts as w rows, and so does one of a class of weight w."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from .neural_cases import NETS, close, draw, fit, logits, net, orbit, same_bits, weights
from .registry import refused

X, Y = draw()
RNG = np.random.default_rng(3)
WEIGHT = RNG.uniform(0.2, 3.0, len(X))
each = pytest.mark.parametrize("case", NETS)


def full_batch(n=None, **options):
    return net(batch_size=n or len(X), shuffle=False, max_epochs=8, **options)


@each
def test_a_row_of_weight_zero_is_left_out(case):
    """Bit for bit, in batches, shuffled, and whatever it says."""
    rows, labels = np.vstack([X, RNG.normal(size=(40, 2)) * 1e6]), np.r_[Y, RNG.integers(0, 3, 40)]
    w, order = np.r_[WEIGHT, np.zeros(40)], RNG.permutation(190)
    kept = order[w[order] > 0]
    for options in ({}, {"class_weight": "balanced"}, {"batch_size": "auto", "drop_last": True}):
        options = {**NETS[case], **options}
        one = fit(net(**options), rows[order], labels[order], sample_weight=w[order])
        other = fit(net(**options), rows[kept], labels[kept], sample_weight=w[kept])
        same_bits(one, other)
        assert one.prior_lambda_min_ == other.prior_lambda_min_


@each
def test_equal_weights_are_none(case):
    plain, path = fit(net(**NETS[case]), X, Y), ("log_prior_", "prior_curve_", "class_prior_")
    for ones in (np.ones(len(X)), np.ones(len(X), dtype=int), [1] * len(X)):
        weighted = fit(net(**NETS[case]), X, Y, sample_weight=ones)
        same_bits(plain, weighted, path)
        np.testing.assert_allclose(weighted.loss_curve_, plain.loss_curve_, rtol=1e-15)


BATCHES = [case for case in NETS if "early" not in case]


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 2.0, 2: 0.5}])
@pytest.mark.parametrize("case", BATCHES)
def test_integer_weights_are_repeated_rows(case, class_weight):
    w = RNG.integers(0, 4, len(X))
    rows, labels = np.repeat(X, w, axis=0), np.repeat(Y, w)
    options = {**NETS[case], "class_weight": class_weight}
    one = fit(full_batch(**options), X, Y, sample_weight=w)
    other = fit(full_batch(len(rows), **options), rows, labels)
    close(one, other, 1e-9)
    np.testing.assert_allclose(one.prior_lambda_min_, other.prior_lambda_min_, rtol=1e-7)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)
    np.testing.assert_allclose(one.class_prior_, np.bincount(Y, w) / w.sum(), rtol=1e-12)


@pytest.mark.parametrize("case", [c for c in NETS if "prior_concentration" not in NETS[c]])
def test_a_constant_factor_changes_nothing(case):
    one = fit(net(**NETS[case]), X, Y, sample_weight=WEIGHT)
    same_bits(one, fit(net(**NETS[case]), X, Y, sample_weight=WEIGHT * 8.0))
    for factor in (3.7, 1e-5, 1e9):
        close(one, fit(net(**NETS[case]), X, Y, sample_weight=WEIGHT * factor), 1e-9)


@pytest.mark.parametrize("case", ["pseudo-rows", "fixed point"])
def test_pseudo_rows_are_weighed_against_rows(case):
    options = dict(NETS[case])
    concentration = np.asarray(options.pop("prior_concentration"))
    one = fit(net(prior_concentration=concentration, **options), X, Y, sample_weight=WEIGHT)
    twice = 1.0 + 2.0 * (concentration - 1.0)
    model = net(prior_concentration=twice, **options)
    close(one, fit(model, X, Y, sample_weight=2.0 * WEIGHT), 1e-9)
    other = fit(net(prior_concentration=concentration, **options), X, Y, sample_weight=2 * WEIGHT)
    assert not np.allclose(one.log_prior_, other.log_prior_, rtol=1e-6)


def test_weights_count_rows_in_the_map():
    model = fit(net(n_prior_iter=3), X, Y, sample_weight=WEIGHT)
    expected = orbit(logits(model, X), 3, w=WEIGHT)
    np.testing.assert_allclose(model.log_prior_, expected, rtol=1e-10)
    np.testing.assert_allclose(model.class_prior_, np.bincount(Y, WEIGHT) / WEIGHT.sum())


# ---- weights of classes ----------------------------------------------------------------------


@pytest.mark.parametrize("case", BATCHES)
def test_balanced_is_what_it_says(case):
    counts = np.bincount(Y, WEIGHT)
    given = dict(enumerate(WEIGHT.sum() / (3 * counts)))
    balanced = fit(net(**NETS[case], class_weight="balanced"), X, Y, sample_weight=WEIGHT)
    close(balanced, fit(net(**NETS[case], class_weight=given), X, Y, sample_weight=WEIGHT), 1e-9)


@pytest.mark.parametrize("head", ["softmax", "fixed"])
def test_they_multiply_the_loss(head):
    class_weight, prior = np.array([0.5, 4.0, 2.0]), np.array([0.2, 0.3, 0.5])
    idle = {"learning_rate_init": 1e-30, "alpha": 0.0, "max_epochs": 1}
    options = {"head": head, "prior": prior, "class_weight": dict(enumerate(class_weight))}
    model = fit(net(**idle, **options), X, Y, sample_weight=WEIGHT)
    own = log_softmax(logits(model, X) + np.log(prior) * (head == "fixed"), axis=1)[range(150), Y]
    cost = WEIGHT * class_weight[Y]
    np.testing.assert_allclose(model.loss_, -(cost @ own) / cost.sum(), rtol=1e-12)
    np.testing.assert_allclose(model.class_prior_, np.bincount(Y, WEIGHT) / WEIGHT.sum())


@pytest.mark.parametrize("head", ["responsible", "fixed"])
def test_weights_of_classes_are_weights_of_rows(head):
    """In the loss and in the prior; balanced ones leave all but the shares in training as it is."""
    factors = len(Y) / (3 * np.bincount(Y))
    options = {"head": head, "prior_start": "empirical", "prior": "empirical"}
    one = fit(net(class_weight="balanced", **options), X, Y)
    other = fit(net(**options), X, Y, sample_weight=factors[Y])
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    ratio = other.log_density_ratio(X)
    np.testing.assert_allclose(one.log_density_ratio(X), ratio, rtol=1e-9, atol=1e-9)
    t = np.bincount(Y) / len(Y)
    np.testing.assert_allclose(one.class_prior_, t)
    under_t = other.predict_proba(X, prior=t)
    np.testing.assert_allclose(one.predict_proba(X, prior="train"), under_t, rtol=1e-8)


def test_weights_of_classes_in_the_map():
    weights = {0: 1.0, 1: 10.0, 2: 10.0}
    model = fit(net(n_prior_iter=3, class_weight=weights), X, Y)
    w = np.array(list(weights.values()))[Y]
    np.testing.assert_allclose(model.log_prior_, orbit(logits(model, X), 3, w=w), rtol=1e-10)
    plain = fit(net(n_prior_iter=3), X, Y)
    assert not np.allclose(model.coefs_[0], plain.coefs_[0])
    # what is not named weighs one, and only proportions matter
    same_bits(model, fit(net(n_prior_iter=3, class_weight={1: 10.0, 2: 10.0}), X, Y))
    scaled = net(n_prior_iter=3, class_weight={0: 3.0, 1: 30.0, 2: 30.0})
    close(model, fit(scaled, X, Y), 1e-9)


@pytest.mark.parametrize("case", ["softmax", "fixed", "responsible", "a given start"])
def test_biases_start_at_the_shares_that_weights_lead_to(case):
    """Rows that are all zero are explained by these shares alone."""
    factors = np.array([1000.0, 1e-3, 1.0])
    idle = {"learning_rate_init": 1e-30, "alpha": 0.0, "max_epochs": 1, "batch_size": 150}
    model = net(**idle, **NETS[case], class_weight=dict(enumerate(factors)))
    model = fit(model, np.zeros_like(X), Y, sample_weight=WEIGHT)
    shares = np.bincount(Y, WEIGHT) * factors
    shares /= shares.sum()
    np.testing.assert_allclose(model.loss_, -shares @ np.log(shares), rtol=1e-9)
    plain = fit(net(**idle, **NETS[case]), np.zeros_like(X), Y, sample_weight=WEIGHT)
    assert all(np.abs(b).max() < 1e-25 for b in plain.intercepts_)


def test_weights_of_classes_by_name():
    names = np.array(["ash", "birch", "cedar"])
    one = fit(net(class_weight={"cedar": 5.0, "ash": 2.0}), X, names[Y])
    same_bits(one, fit(net(class_weight={0: 2.0, 2: 5.0}), X, Y))
    with refused(ValueError, ["oak", "class_weight"]):
        net(class_weight={"oak": 2.0}).fit(X, names[Y])


def test_balanced_is_a_way_of_training_and_a_dict_is_a_cost():
    """Posteriors keep what errors cost; that classes were balanced is taken off again."""
    rows, labels = draw(1000, [0.9, 0.07, 0.03])
    t = np.bincount(labels) / 1000
    costs = dict(enumerate(1.0 / (3.0 * t)))
    for head in ("softmax", "fixed", "responsible"):
        options = {"head": head, "learning_rate_init": 0.02, "max_epochs": 40, "batch_size": 200}
        plain, balanced, dear = (
            fit(net(class_weight=w, **options), rows, labels) for w in (None, "balanced", costs)
        )
        for a, b in zip(weights(balanced), weights(dear), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        for prior in ("train", "uniform", [0.2, 0.3, 0.5]):
            kept = balanced.predict_proba(rows, prior=prior) * list(costs.values())
            kept /= kept.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(dear.predict_proba(rows, prior=prior), kept, rtol=1e-9)
        for model in (plain, balanced):
            mean = model.predict_proba(rows, prior="train").mean(axis=0)
            np.testing.assert_allclose(mean, t, atol=0.03)
            np.testing.assert_allclose(model.estimate_prior(rows).prior, t, atol=0.05)
        np.testing.assert_allclose(
            dear.log_density_ratio(rows), balanced.log_density_ratio(rows), rtol=1e-7, atol=1e-7
        )
        rare, found = labels > 0, dear.set_params(predict_prior="train").predict(rows)
        plain.set_params(predict_prior="train")
        assert np.mean(found[rare] == labels[rare]) > plain.score(rows[rare], labels[rare]) + 0.2


def test_classes_that_weigh_nothing():
    """Also in batches that have no others."""
    order = np.argsort(Y, kind="stable")
    options = {"class_weight": {0: 0.0, 1: 1.0, 2: 2.0}, "shuffle": False, "batch_size": 10}
    for head in ("softmax", "fixed", "responsible"):
        model = fit(net(head=head, **options), X[order], Y[order])
        assert np.isfinite(model.loss_curve_).all() and np.isfinite(model.predict_proba(X)).all()
    for bad in ({0: -1.0}, {0: np.nan}, {0: 0.0, 1: 0.0, 2: 0.0}, {0: np.inf}):
        with refused(ValueError, ["class_weight", str(bad[0])]):
            net(class_weight=bad).fit(X, Y)


def test_weights_in_partial_fit():
    one, other = net(shuffle=False), net(shuffle=False)
    kept = WEIGHT > 1.0
    for _ in range(3):
        one.partial_fit(X, Y, classes=[0, 1, 2], sample_weight=WEIGHT * kept)
        other.partial_fit(X[kept], Y[kept], classes=[0, 1, 2], sample_weight=WEIGHT[kept])
    same_bits(one, other)


def test_weights_that_are_refused():
    bad = {
        "negative": (np.r_[-1.0, np.ones(149)], ["sample_weight", "-1"]),
        "NaN": (np.r_[np.nan, np.ones(149)], ["sample_weight", "nan"]),
        "all zero": (np.zeros(150), ["non-zero"]),
        "of another number": (np.ones(7), ["(7,)", "(150,)"]),
        "all zero but one class": (np.where(Y == 1, 1.0, 0.0), ["class"]),
    }
    for w, fragments in bad.values():
        model = net()
        with refused(ValueError, fragments):
            model.fit(X, Y, sample_weight=w)
        assert not hasattr(model, "coefs_")
    for w, fragments in list(bad.values())[:4]:
        for method in (fit(net(), X, Y).estimate_prior, fit(net(), X, Y).adapt):
            with refused(ValueError, fragments):
                method(X, sample_weight=w)

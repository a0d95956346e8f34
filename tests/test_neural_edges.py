"""Where a network could go wrong in silence: state between calls, extremes of numbers and types."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mixtures import ResponsibleSoftmaxClassifier
from mixtures.neural import CrossEntropy
from mixtures.proportions import responsibility_orbit

from .neural_cases import Copies, draw, fit, logits, net
from .registry import refused

X, Y = draw()
CLASSES = [0, 1, 2]


def torch():
    return pytest.importorskip("torch")


# ---- going on from the last call -------------------------------------------------------------


def test_partial_fit_follows_changed_parameters():
    """A solver's moments are kept; another solver starts without any."""
    one = net().partial_fit(X, Y, classes=CLASSES)
    other = pickle.loads(pickle.dumps(one))
    one.set_params(solver="sgd", learning_rate_init=0.01, momentum=0.0, shuffle=False, alpha=0.0)
    other.set_params(solver="sgd", learning_rate_init=0.01, momentum=0.9, shuffle=False, alpha=0.0)
    start = one.coefs_[0].copy()
    one.set_params(batch_size=150).partial_fit(X, Y)
    other.set_params(batch_size=150).partial_fit(X, Y)
    # Nesterov's first step is 1 + momentum times the plain one.
    step = one.coefs_[0] - start
    np.testing.assert_allclose(other.coefs_[0] - start, 1.9 * step, rtol=1e-8, atol=1e-14)


def test_a_start_that_is_carried_from_now_on():
    model = net(n_prior_iter=2, batch_size=150).partial_fit(X, Y, classes=CLASSES)
    carried = model.set_params(prior_start="carry").partial_fit(X, Y)
    first = carried._memory.start.log_prior.copy()
    assert not np.allclose(first, first[0])  # no longer uniform
    carried.partial_fit(X, Y)
    assert not np.array_equal(carried._memory.start.log_prior, first)


def test_members_of_an_ensemble_have_orders_of_their_own():
    """The global generator starts them; it is neither kept nor copied."""
    np.random.seed(3)  # noqa: NPY002 - random_state=None means this one
    models = [net(random_state=None).partial_fit(X, Y, classes=CLASSES) for _ in range(2)]
    streams = [model._memory.rng.randint(2**30, size=4) for model in models]
    assert not np.array_equal(*streams)
    rng = np.random.RandomState(0)
    fit(net(random_state=rng), X, Y)
    used = rng.randint(2**30)
    assert used != np.random.RandomState(0).randint(2**30)


def test_weights_of_classes_count_as_they_were_when_rows_came():
    balanced = fit(net(class_weight="balanced", max_epochs=30), X, Y)
    before = balanced.log_density_ratio(X)
    after = balanced.set_params(class_weight=None, learning_rate_init=1e-30)
    after = after.partial_fit(X[:1], Y[:1]).log_density_ratio(X)
    np.testing.assert_allclose(after, before, atol=0.05)


def test_a_call_that_learns_nothing_changes_little():
    """Whatever the weights of classes were before: counts of rows add up, not their weights."""
    rows, labels = draw(2000, [0.9, 0.06, 0.04], seed=7)
    options = {"head": "softmax", "learning_rate_init": 0.02, "max_epochs": 20, "batch_size": 200}
    for weights in ("balanced", {0: 1.0, 1: 100.0, 2: 3.0}):
        model = fit(net(class_weight=weights, **options), rows, labels)
        before = model.log_density_ratio(rows)
        model.set_params(class_weight=None, learning_rate_init=1e-30)
        model.partial_fit(rows[:100], labels[:100])
        moved = model.log_density_ratio(rows) - before
        moved = moved - moved.mean(axis=1, keepdims=True)
        assert np.abs(moved).max() < 0.3, weights


def test_the_layers_prior_is_averaged_with_its_own_kind():
    """Not with what another head has left."""
    rows, labels = draw(1000, [0.8, 0.1, 0.1], seed=8)
    options = {"learning_rate_init": 0.02, "max_epochs": 20, "batch_size": 200}
    model = fit(net(head="softmax", **options), rows, labels)
    model.set_params(head="responsible", n_prior_iter=2, learning_rate_init=1e-30)
    model.partial_fit(rows[:200], labels[:200])
    first = model.prior_.copy()
    fresh = responsibility_orbit(logits(model, rows[:200]), 2, log=True)[-1]
    np.testing.assert_allclose(first, fresh, rtol=1e-9)


def test_snapshots_of_a_fit_stay_as_they_are():
    keep = Copies()
    options = {"prior_start": "carry", "max_epochs": 4, "batch_size": 50}
    model = fit(net(**options).set_callbacks(keep), X, Y)
    assert [m._memory.optimiser.t for m in keep.models] == [3, 6, 9, 12]
    alone = fit(net(**{**options, "max_epochs": 1}), X, Y)
    for one in (keep.models[0], alone):
        one.partial_fit(X, Y)
    np.testing.assert_array_equal(keep.models[0].coefs_[0], alone.coefs_[0])
    assert model._memory.optimiser.t == 12


def test_sums_of_weights_over_calls():
    model = net().partial_fit(X, Y, classes=CLASSES, sample_weight=np.full(150, 1e306))
    before = model.predict_proba(X)
    with refused(ValueError, ["sample_weight", "all calls", "1.5e+308"]):
        model.partial_fit(X, Y, sample_weight=np.full(150, 1e306))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    model.partial_fit(X[:20], Y[:20], sample_weight=np.full(20, 1e-20))
    assert np.isfinite(model.log_prior_).all()


def test_early_stopping_forgets_the_moments_of_later_epochs():
    options = {"early_stopping": True, "max_epochs": 40, "n_iter_no_change": 3}
    model = fit(net(**options), X, Y)
    assert model._memory.optimiser.t == 0


def test_changing_the_activation_changes_no_fitted_network():
    model = fit(net(), X, Y)
    before = model.predict_proba(X)
    np.testing.assert_array_equal(model.set_params(activation="relu").predict_proba(X), before)


# ---- extremes of numbers ---------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_rows_whose_logits_overflow(activation):
    model = fit(net(activation=activation), X, Y)
    rows = X.copy()
    model.coefs_[0][:] = 10.0
    rows[3] = 1.7e308
    for method in ("predict", "predict_proba", "estimate_prior"):
        with refused(ValueError, ["row 3", "overflow", "scale the features"]):
            getattr(model, method)(rows)


def test_weights_at_the_ends_of_the_range():
    plain = fit(net(), X, Y)
    for scale in (1e-300, 1e300):
        scaled = fit(net(), X, Y, np.full(150, scale))
        np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X), rtol=1e-9)
    single = fit(net(), X.astype(np.float32), Y, np.full(150, 1e-50))
    assert np.isfinite(single.loss_) and single.coefs_[0].dtype == np.float32
    with refused(ValueError, ["sample_weight", "sum", "1e+308"]):
        net().fit(X, Y, np.full(150, 1e308))
    both = fit(net(class_weight={0: 1e200, 1: 1e200, 2: 1e200}), X, Y, np.full(150, 1e200))
    np.testing.assert_allclose(both.predict_proba(X), plain.predict_proba(X), rtol=1e-9)
    same = fit(net(class_weight={0: 1.0, 1: 1.0, 2: 1.0}), X, Y)  # as good as none
    np.testing.assert_array_equal(same.predict_proba(X), plain.predict_proba(X))
    with refused(ValueError, ["prior_concentration", "class_weight", "1e+200"]):
        net(class_weight={0: 1e200}, prior_concentration=2.0).fit(X, Y)


def test_a_class_that_weighs_nothing():
    for options in ({}, {"early_stopping": True}, {"batch_size": 1, "drop_last": True}):
        model = fit(net(class_weight={0: 0.0}, **options), X, Y)
        proba = model.predict_proba(X)
        assert np.isfinite(proba).all() and (proba[:, 0] == 0.0).all()


def test_what_a_class_that_weighs_nothing_leaves_to_the_others():
    options = {"head": "fixed", "max_epochs": 60, "learning_rate_init": 0.02}
    model = fit(net(class_weight={2: 0.0}, **options), X, Y)
    two = Y < 2
    estimate = model.estimate_prior(X[two])
    assert estimate.train_prior[2] == 0.0 and estimate.train_prior.sum() == pytest.approx(1.0)
    assert estimate.p_value > 0.01
    plain = fit(net(**options), X[two], Y[two])
    assert model.prior_lambda_min_ == pytest.approx(plain.prior_lambda_min_, abs=0.2)
    assert model.prior_lambda_min_ > 0.0


def test_a_class_that_is_held_out_as_a_whole():
    labels = np.repeat([0, 1, 2], [70, 2, 78])
    with refused(ValueError, ["early_stopping", "validation_fraction=0.8", "all 2 of the rarest"]):
        net(early_stopping=True, validation_fraction=0.8).fit(X, labels)


def test_a_fixed_point_does_not_count_applications():
    options = {"prior_gradient": "implicit", "prior_concentration": 2.0}
    options |= {"class_weight": {0: 1.0, 1: 20.0, 2: 1.0}}
    one, other = (fit(net(n_prior_iter=c, **options), X, Y) for c in (0, 7))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_pseudo_rows_keep_their_share_of_the_whole():
    """Whatever is left out of the batches: rows held out, or the rest of an epoch."""
    rows, labels = draw(210, seed=2)
    options = {"prior_concentration": 30.0, "learning_rate_init": 1e-30, "max_epochs": 1}
    options |= {"alpha": 0.0, "batch_size": 70, "predict_prior": "train"}
    plain = fit(net(**options), rows, labels)
    rest = fit(net(**{**options, "batch_size": 80, "drop_last": True}), rows, labels)
    # 70 and 80 rows a batch: 210 rows have 3 and 2.625 times the pseudo-rows.
    share = [3 * 29 * 3 / (210 + 3 * 29 * 3), 2.625 * 29 * 3 / (210 + 2.625 * 29 * 3)]
    mean = [(m.prior_ - s / 3) / (1 - s) for m, s in zip((plain, rest), share, strict=True)]
    np.testing.assert_allclose(*mean, rtol=1e-10)


def test_losses_of_labels_that_are_none():
    log_posterior = np.log([[0.5, 0.5], [0.1, 0.9]])
    for labels in ([0, 2], [-1, 0], [0.5, 1.0], [0, 1, 0], []):
        with refused(ValueError, ["2 labels", "from 0 to 1"]):
            CrossEntropy().forward(log_posterior, np.array(labels))
    for weight in ([-1.0, 1.0], [np.nan, 1.0], [1.0]):
        with refused(ValueError, ["2 weights", "zero or more"]):
            CrossEntropy().forward(log_posterior, [0, 1], np.array(weight))
    impossible = np.array([[-np.inf, 0.0], [np.log(0.5), np.log(0.5)]])
    loss, _ = CrossEntropy().forward(impossible, np.array([0, 1]), np.array([0.0, 2.0]))
    np.testing.assert_allclose(loss, np.log(2.0))


# ---- rows of other namespaces ----------------------------------------------------------------


def test_complex_rows_on_a_device_are_refused():
    with refused(ValueError, ["Complex data not supported"]):
        net().fit(torch().asarray(X + 1j * X), Y)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_is_widened(name):
    rows = torch().asarray(X).to(getattr(torch(), name))
    model = fit(net(), rows, Y)
    assert model.coefs_[0].dtype == torch().float64
    expected = fit(net(), rows.to(torch().float64), Y)
    np.testing.assert_array_equal(model.coefs_[0].numpy(), expected.coefs_[0].numpy())


def test_no_history_is_kept():
    rows = torch().asarray(X).requires_grad_()
    model = fit(net(), rows, Y)
    assert not model.coefs_[0].requires_grad and not model.predict_proba(rows).requires_grad


def test_calls_from_several_places():
    """A network goes where the rows are, with its moments."""
    host = net().partial_fit(X, Y, classes=CLASSES).partial_fit(X, Y)
    moved = net().partial_fit(torch().asarray(X), Y, classes=CLASSES)
    moved = pickle.loads(pickle.dumps(moved)).partial_fit(X, Y)
    np.testing.assert_allclose(moved.coefs_[0], host.coefs_[0], rtol=1e-10)
    back = net().partial_fit(X, Y, classes=CLASSES).partial_fit(torch().asarray(X), Y)
    np.testing.assert_allclose(back.coefs_[0].numpy(), host.coefs_[0], rtol=1e-10)


def test_a_network_from_a_gpu_predicts_where_there_is_none():
    fitted = fit(net(), X, Y)
    model = pickle.loads(pickle.dumps(fitted.set_params(device="cuda")))
    np.testing.assert_array_equal(model.predict_proba(X), fitted.predict_proba(X))
    assert isinstance(model, ResponsibleSoftmaxClassifier)

"""How a network is trained: first weights, batches, schedules, and when it stops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from .neural_cases import Copies, close, draw, fit, net, same_bits, weights

X, Y = draw()
CLASSES = [0, 1, 2]
PATH = ("t_", "log_prior_", "class_prior_")


def trained(**options):
    return fit(net(**options), X, Y)


# ---- reproducibility -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("head", ["softmax", "responsible", "fixed"])
def test_any_number_of_threads(head, dtype):
    """Products large enough for BLAS to share them out."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(1200, 40)).astype(dtype), rng.integers(0, 5, 1200)
    options = {"hidden_layer_sizes": (96,), "head": head, "batch_size": 600, "max_epochs": 3}
    models = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            models.append(fit(net(**options), rows, labels))
    same_bits(*models)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_first_weights(dtype):
    """Uniform within sqrt(6 / (in + out)); an epoch at a rate of 1e-30 moves none of them."""
    model = fit(net(hidden_layer_sizes=(70, 90), learning_rate_init=1e-30), X.astype(dtype), Y)
    for W in model.coefs_:
        bound = np.sqrt(6.0 / sum(W.shape))
        share = np.sort(np.abs(W).ravel()) / bound
        assert 0.95 < share[-1] <= 1.0 and abs(share.mean() - 0.5) < 0.07 and W.dtype == dtype
    assert all(np.abs(b).max() < 1e-25 for b in model.intercepts_)


# ---- batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, "once", False])
def test_orders_of_the_rows_differ_only_by_rounding_in_one_batch(shuffle):
    options = {"batch_size": len(X), "max_epochs": 8}
    close(trained(shuffle=shuffle, **options), trained(shuffle=False, **options), 1e-9)


def test_orders_of_the_rows():
    paths = {s: trained(shuffle=s, max_epochs=3).loss_curve_ for s in (True, "once", False)}
    for one, other in itertools.combinations(paths.values(), 2):
        assert not np.allclose(one, other, rtol=1e-9)


def chain(sizes, **options):
    """One epoch of batches of these sizes in the order of the rows, by hand."""
    model, at = net(shuffle=False, **options), np.cumsum([0, *sizes])
    for start, stop in itertools.pairwise(at):
        model.set_params(batch_size=int(stop - start))
        model.partial_fit(X[start:stop], Y[start:stop], classes=CLASSES)
    return model


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("head", ["softmax", "responsible"])
@pytest.mark.parametrize(
    "batch_size, sizes", [(40, {37, 38}), (149, {75}), (150, {150}), (60, {50}), (7, {6, 7})]
)
def test_batches_are_as_equal_as_possible(batch_size, sizes, head, solver):
    options = {"head": head, "solver": solver}
    n_batches = -(-150 // batch_size)
    cuts = [len(part) for part in np.array_split(np.arange(150), n_batches)]
    assert set(cuts) == sizes
    whole = trained(batch_size=batch_size, max_epochs=1, shuffle=False, **options)
    parts = [chain(order, **options) for order in (cuts, cuts[::-1], spread(n_batches))]
    assert any(equal(whole, part) for part in parts)
    assert whole.t_ == 150


def spread(n_batches):
    """Sizes of the batches whose ends are rounded multiples of one number."""
    return np.diff(np.arange(n_batches + 1) * 150 // n_batches).tolist()


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_auto_batches_have_at_most_200_rows():
    rows, labels = draw(500)
    options = {"shuffle": False, "max_epochs": 2}
    same_bits(
        fit(net(batch_size="auto", **options), rows, labels),
        fit(net(batch_size=200, **options), rows, labels),
    )
    same_bits(trained(batch_size="auto", **options), trained(batch_size=150, **options))


@pytest.mark.parametrize("head", ["softmax", "responsible", "fixed"])
def test_dropped_rows(head):
    options = {"head": head, "prior": [0.5, 0.3, 0.2], "shuffle": False}
    dropped = trained(drop_last=True, batch_size=40, **options)
    cut = fit(net(batch_size=40, **options), X[:120], Y[:120])
    assert equal(dropped, cut) and dropped.t_ == cut.t_ == 480
    np.testing.assert_array_equal(dropped.loss_curve_, cut.loss_curve_)
    np.testing.assert_array_equal(dropped.class_prior_, np.bincount(Y) / 150)  # of all rows
    once = trained(drop_last=True, batch_size=40, **{**options, "shuffle": "once"})
    assert once.t_ == 480 and not equal(once, dropped)
    same_bits(trained(drop_last=True, batch_size=50), trained(batch_size=50))
    same_bits(trained(drop_last=True, batch_size=150), trained(batch_size=150))


# ---- when it stops ---------------------------------------------------------------------------


def epochs_until_no_change(losses, tol, patience):
    """scikit-learn's rule, read from a trace: patience is exceeded, not met."""
    best, count = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        count = count + 1 if loss > best - tol else 0
        best = min(best, loss)
        if count > patience:
            return epoch
    return None


@pytest.mark.parametrize("tol, patience", [(1e-2, 3), (1e-3, 1), (1e-3, 10)])
def test_stops_where_the_loss_no_longer_falls(tol, patience):
    options = {"tol": tol, "n_iter_no_change": patience, "learning_rate_init": 0.03}
    model = net(max_epochs=1000, **options).fit(X, Y)  # without a warning
    assert model.n_iter_ == len(model.loss_curve_) == len(model.prior_curve_) < 1000
    assert model.n_iter_ == epochs_until_no_change(model.loss_curve_, tol, patience)


def test_says_that_it_did_not_converge():
    with pytest.warns(ConvergenceWarning) as caught:
        model = net(max_epochs=3).fit(X, Y)
    assert model.n_iter_ == 3
    (text,) = {str(w.message) for w in caught}
    assert "3" in text and "max_epochs" in text


@pytest.mark.parametrize("head", ["softmax", "responsible", "fixed"])
def test_early_stopping_returns_the_best_epoch(head):
    rows, labels = draw(400)
    seen, options = Copies(), {"learning_rate_init": 0.05, "n_iter_no_change": 5, "tol": 1e-3}
    options |= {"early_stopping": True, "max_epochs": 500, "head": head}
    model = net(**options).set_callbacks(seen).fit(rows, labels)
    scores = model.validation_scores_
    assert model.n_iter_ == len(scores) == len(model.loss_curve_) < 500
    assert model.best_validation_score_ == max(scores) and min(scores) >= 0.0
    best = int(np.argmax(scores))
    assert best < model.n_iter_ - 1  # else this says nothing
    for a, b in zip(weights(model), weights(seen.models[best]), strict=True):
        np.testing.assert_array_equal(a, b)
    again = net(**options).fit(rows, labels)
    same_bits(model, again)  # the recorder changed nothing
    np.testing.assert_array_equal(scores, again.validation_scores_)
    assert model.best_loss_ is None
    plain = fit(model.set_params(early_stopping=False, max_epochs=2), rows, labels)
    assert plain.validation_scores_ is None and plain.best_validation_score_ is None


@pytest.mark.parametrize("head", ["softmax", "fixed"])
def test_scores_are_accuracies_under_the_shares_in_training(head):
    """Whatever the head: on rows held out, a tenth with the shares of all."""
    rows, labels = draw(600, [0.9, 0.06, 0.04])
    w, seen = np.random.default_rng(0).uniform(0.5, 2.0, 600), Copies()
    rng = np.random.RandomState(0)
    rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))  # the fit's own
    out = train_test_split(np.arange(600), test_size=60, stratify=labels, random_state=rng)[1]
    options = {"head": head, "early_stopping": True, "max_epochs": 6, "learning_rate_init": 0.05}
    model = fit(net(**options).set_callbacks(seen), rows, labels, w)
    for score, copy in zip(model.validation_scores_, seen.models, strict=True):
        hits = copy.predict_proba(rows[out], prior="train").argmax(axis=1) == labels[out]
        assert score == pytest.approx(np.average(hits, weights=w[out]), abs=1e-12)
    assert max(model.validation_scores_) > 0.85


# ---- learning rates --------------------------------------------------------------------------


def test_steps_of_the_learning_rate():
    """Plain gradient steps have no memory: a schedule is a chain of constant rates."""
    options = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "head": "softmax"}
    drops = {"learning_rate": "step", "lr_drop_factor": 0.25, "lr_drop_period": 2}
    model = trained(learning_rate_init=0.5, max_epochs=5, **options, **drops)
    parts = net(warm_start=True, **options)
    for rate, epochs in ((0.5, 2), (0.125, 2), (0.03125, 1)):
        fit(parts.set_params(learning_rate_init=rate, max_epochs=epochs), X, Y)
    assert equal(model, parts)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_rate_that_drops_to_nothing_stops_the_network(solver):
    drops = {"learning_rate": "step", "lr_drop_factor": 1e-300, "lr_drop_period": 3}
    options = {"solver": solver, "momentum": 0.0}
    long, short = trained(max_epochs=6, **drops, **options), trained(max_epochs=3, **options)
    assert equal(long, short)

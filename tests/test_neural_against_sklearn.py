"""A plain softmax head is scikit-learn's MLPClassifier, update by update.

scikit-learn divides the penalty by the rows of a batch, so its `alpha` is ours times these; it
starts elsewhere, so it is given our starting weights; and its Adam adds `epsilon` to a root of
the biased moment, where ours follows the paper, so here it is next to nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from .neural_cases import draw, fit, net, weights

X, Y = draw()
N = len(X)
EXACT = {"rtol": 1e-8, "atol": 1e-8}
SAME = (
    "hidden_layer_sizes", "activation", "solver", "batch_size", "learning_rate_init", "momentum",
    "nesterovs_momentum", "beta_1", "beta_2", "epsilon", "shuffle", "tol", "n_iter_no_change",
)  # fmt: skip


def pair(w=None, rows_of_batch=N, **options):
    """Our network and scikit-learn's after the same updates from the same weights."""
    options = {
        "hidden_layer_sizes": (9,), "batch_size": rows_of_batch, "shuffle": False, "tol": 0.0,
        "n_iter_no_change": 10**6, "max_epochs": 40, "alpha": 0.0, "predict_prior": "train",
        "learning_rate_init": 0.01, "epsilon": 1e-100, **options,
    }  # fmt: skip
    ours = net(head="softmax", **options)
    # an epoch that moves nothing: 1e-30 is far below the last bit of any weight
    idle = {**options, "max_epochs": 1, "learning_rate_init": 1e-30, "learning_rate": "constant"}
    start = fit(net(head="softmax", **idle), X, Y, sample_weight=w)
    assert all(abs(b).max() < 1e-25 for b in start.intercepts_)
    mass = 1.0 if w is None else w.mean()
    theirs = MLPClassifier(
        warm_start=True,
        random_state=0,
        max_iter=1,
        alpha=ours.alpha * rows_of_batch * mass,
        learning_rate=ours.learning_rate,
        **{name: getattr(ours, name) for name in SAME},
    )
    fit(theirs, X, Y)
    theirs.loss_curve_, theirs.best_loss_, theirs._no_improvement_count = [], np.inf, 0
    theirs.t_ = 0
    theirs.coefs_ = [W.copy() for W in start.coefs_]
    theirs.intercepts_ = [np.zeros_like(b) for b in start.intercepts_]
    fit(theirs.set_params(max_iter=ours.max_epochs), X, Y, sample_weight=w)
    return fit(ours, X, Y, sample_weight=w), theirs


def same(ours, theirs, moved=True):
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_allclose(a, b, **EXACT)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, **EXACT)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), **EXACT)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert not moved or ours.loss_curve_[-1] < ours.loss_curve_[0] - 0.05


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic", "identity"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_full_batch(solver, activation):
    rate = 0.02 if solver == "adam" else 0.2
    same(*pair(solver=solver, activation=activation, learning_rate_init=rate))


@pytest.mark.parametrize("options", [
    {"hidden_layer_sizes": (7, 5)},
    {"hidden_layer_sizes": ()},
    {"beta_1": 0.7, "beta_2": 0.95},
    {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5, "learning_rate_init": 0.3},
    {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.5},
    {"alpha": 0.01},
    {"alpha": 0.3, "solver": "sgd", "learning_rate_init": 0.1},
])  # fmt: skip
def test_options(options):
    same(*pair(**options))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_small_batches(solver):
    """150 rows in batches of 50, so that both cut alike."""
    same(*pair(rows_of_batch=50, solver=solver, alpha=0.01, learning_rate_init=0.01))


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_weighted_rows(alpha):
    w = np.random.default_rng(1).uniform(0.1, 4.0, N)
    same(*pair(w, alpha=alpha))


@pytest.mark.parametrize("tol, patience", [(1e-3, 2), (1e-2, 0.5), (2e-3, 10)])
def test_stops_at_the_same_epoch(tol, patience):
    patience = max(1, int(patience))
    ours, theirs = pair(tol=tol, n_iter_no_change=patience, max_epochs=500)
    assert ours.n_iter_ < 500
    same(ours, theirs, moved=tol < 1e-2)


@pytest.mark.parametrize("tol", [1e-3, 1e-2])
def test_adaptive_rates(tol):
    """A fifth of the rate each time the loss has not fallen, until that is below 1e-6."""
    ours, theirs = pair(
        solver="sgd", learning_rate="adaptive", learning_rate_init=0.5, tol=tol,
        n_iter_no_change=3, max_epochs=1000,
    )  # fmt: skip
    assert ours.n_iter_ < 1000
    same(ours, theirs)


def test_partial_fit():
    """Adam goes on where it was."""
    ours, theirs = pair(max_epochs=1)
    for rows in (slice(0, 50), slice(40, 90), slice(20, 150)) * 4:
        alpha = 0.02 * len(X[rows])
        ours.set_params(batch_size=len(X[rows]), alpha=0.02).partial_fit(X[rows], Y[rows])
        theirs.set_params(batch_size=len(X[rows]), alpha=alpha).partial_fit(X[rows], Y[rows])
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_allclose(a, b, **EXACT)
    assert ours.t_ == theirs.t_

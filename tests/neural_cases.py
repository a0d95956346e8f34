"""Rows, networks and slow twins that the tests of `ResponsibleSoftmaxClassifier` share."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, logsumexp
from sklearn.exceptions import ConvergenceWarning

from mixtures import ResponsibleSoftmaxClassifier

CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, np.sqrt(3.0)]])
"""Of three Gaussians with unit covariance that overlap."""

SHARES = np.array([0.6, 0.25, 0.15])

NETS: dict[str, dict[str, Any]] = {
    "softmax": {"head": "softmax"},
    "fixed": {"head": "fixed"},
    "fixed at given shares": {"head": "fixed", "prior": np.array([0.2, 0.3, 0.5])},
    "responsible": {},
    "no application": {"n_prior_iter": 0},
    "five applications": {"n_prior_iter": 5, "prior_start": "empirical"},
    "a given start": {"n_prior_iter": 2, "prior_start": np.array([0.2, 0.3, 0.5])},
    "carried": {"n_prior_iter": 2, "prior_start": "carry", "prior_momentum": 0.75},
    "stop": {"n_prior_iter": 2, "prior_gradient": "stop"},
    "neumann": {"n_prior_iter": 2, "prior_gradient": "neumann"},
    "pseudo-rows": {"n_prior_iter": 2, "prior_concentration": np.array([2.0, 1.0, 3.5])},
    "fixed point": {"prior_gradient": "implicit", "prior_concentration": 2.0},
    "relu, two layers": {"activation": "relu", "hidden_layer_sizes": (7, 5)},
    "logistic, sgd": {"activation": "logistic", "solver": "sgd", "learning_rate_init": 0.1},
    "identity, early stopping": {
        "activation": "identity", "hidden_layer_sizes": (), "early_stopping": True,
        "validation_fraction": 0.2,
    },
}  # fmt: skip
"""Every head, start, gradient and activation at least once."""


def draw(n: int = 150, shares: Any = SHARES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, 2) of the Gaussians, and their classes 0, 1, 2 in these shares."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=np.asarray(shares))
    y[:3] = [0, 1, 2]  # never a class without rows
    return CENTRES[y] + rng.normal(size=(n, 2)), y


def net(**options: Any) -> ResponsibleSoftmaxClassifier:
    """A small network of few epochs."""
    small = {"hidden_layer_sizes": (6,), "max_epochs": 4, "batch_size": 40, "random_state": 0}
    return ResponsibleSoftmaxClassifier(**{**small, **options})


def fit(model: Any, X: Any, y: Any, *arguments: Any, **options: Any) -> Any:
    """Fit a network that is not asked to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, *arguments, **options)


def weights(model: Any) -> list[np.ndarray]:
    """All that training moves."""
    return [*model.coefs_, *model.intercepts_]


LEARNT = ("loss_curve_", "log_prior_", "prior_curve_", "class_prior_", "n_iter_", "t_")


def same_bits(one: Any, other: Any, attributes: tuple[str, ...] = LEARNT) -> None:
    """Assert that two networks are the same, and came to it on the same path, bit for bit."""
    for a, b in zip(weights(one), weights(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    for name in attributes:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def close(one: Any, other: Any, tol: float, attributes: tuple[str, ...] = LEARNT[:4]) -> None:
    """Assert that two networks are the same but for rounding."""
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)
    for name in attributes:
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=tol, atol=tol, err_msg=name
        )


def copies(model: Any) -> list[np.ndarray]:
    """Its weights as they are now."""
    return [np.array(w) for w in weights(model)]


ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
    "logistic": expit,
    "identity": lambda z: z,
}


def logits(model: Any, X: Any) -> np.ndarray:
    """What the last layer is given, (n, K), layer by layer."""
    H = np.asarray(X, dtype=np.float64)
    *hidden, last = zip(model.coefs_, model.intercepts_, strict=True)
    for W, b in hidden:
        H = ACTIVATIONS[model.activation](H @ W + b)
    return H @ last[0] + last[1]


def orbit(A: np.ndarray, n_iter: int, log_start: Any = None, w: Any = None, concentration: Any = 1):
    """``log R^n_iter(start)`` of logits (n, K): the map as it is written down."""
    n, K = A.shape
    w = np.ones(n) if w is None else np.asarray(w, dtype=np.float64)
    mu = np.zeros(K) if log_start is None else np.asarray(log_start, dtype=np.float64)
    mu = mu - logsumexp(mu)
    pseudo = np.broadcast_to(np.asarray(concentration, dtype=np.float64) - 1.0, (K,))
    for _ in range(n_iter):
        counts = w @ np.exp(log_softmax(A + mu, axis=1)) + pseudo
        mu = np.log(counts) - np.log(w.sum() + pseudo.sum())
    return mu


class Copies:
    """A callback that keeps the network after each epoch."""

    def __init__(self):
        self.models = []

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            self.models.append(fitted_estimator)

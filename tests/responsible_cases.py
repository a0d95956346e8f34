"""Problems for the responsible softmax layer, and slow formulas that say what is true of them.

The formulas take real or complex arrays with any leading axes, so that a complex step in 80-bit
numbers (where the machine has them) differentiates them: all entries at once, one in each problem
of a stack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtures.neural import ResponsibleSoftmax

WIDE, COMPLEX = np.longdouble, np.clongdouble
STEP = 1e-60


def log_sum_exp(x, axis):
    """Along an axis, which is kept."""
    top = x.real.max(axis=axis, keepdims=True)
    return top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))


def log_softmax(x):
    return x - log_sum_exp(x, -1)


def naive_map(A, mu, w=None, a=0.0):
    """Logarithms of the shares of all rows, plus pseudo-counts a, after one E-step from mu."""
    (n, K), kind = A.shape[-2:], A.real.dtype
    w = np.ones(n, dtype=kind) if w is None else np.asarray(w).astype(kind)
    a = np.broadcast_to(np.asarray(a).astype(kind), (K,))
    log_s = log_softmax(A + mu[..., None, :])[..., w > 0, :]
    total = log_sum_exp(log_s + np.log(w[w > 0])[:, None], -2)[..., 0, :]
    log_a = np.broadcast_to(np.log(np.where(a > 0, a, 1)), total.shape)
    both = log_sum_exp(np.stack([total, log_a.astype(total.dtype)]), 0)[0]
    return np.where(a > 0, both, total) - np.log(w.sum() + a.sum())


def naive_prior(A, mu, n_iter, w=None, a=0.0):
    for _ in range(n_iter):
        mu = naive_map(A, mu, w, a)
    return mu


def complex_step(function, *arrays, kind=WIDE):
    """Gradients of a real function (a stack of each argument -> a stack of numbers)."""
    arrays = [np.asarray(x).astype(kind) for x in arrays]
    ends = np.cumsum([x.size for x in arrays])
    moves = np.split(1j * STEP * np.eye(ends[-1], dtype=kind), ends[:-1], axis=1)
    stacks = [x + move.reshape(-1, *x.shape) for x, move in zip(arrays, moves, strict=True)]
    slopes = np.split((function(*stacks).imag / STEP).astype(float), ends[:-1])
    return [slope.reshape(x.shape) for slope, x in zip(slopes, arrays, strict=True)]


# Activations, of real or complex numbers.
NAIVE = {
    "identity": lambda Z: Z,
    "logistic": lambda Z: 1.0 / (1.0 + np.exp(-Z)),
    "relu": lambda Z: np.where(Z.real > 0, Z, 0.0),
    "tanh": np.tanh,
}


def relative(found, expected):
    """Largest difference over largest entry."""
    found, expected = (np.asarray(x, dtype=float) for x in (found, expected))
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)


@dataclass(frozen=True)
class Case:
    """Logits (n, K) and all that the layer meets; a cotangent of its output."""

    A: np.ndarray
    n_iter: int
    start: np.ndarray | None
    w: np.ndarray | None
    concentration: Any
    cotangent: np.ndarray

    def but(self, **changes) -> Case:
        return replace(self, **changes)

    def layer(self, gradient="exact"):
        return ResponsibleSoftmax(self.n_iter, concentration=self.concentration, gradient=gradient)

    def forward(self, gradient="exact"):
        """The log-posterior and mu_C."""
        output, saved = self.layer(gradient).forward(self.A, self.start, self.w)
        return output, saved.log_prior

    def both(self, gradient="exact"):
        """The cotangents of the logits and of the start."""
        layer = self.layer(gradient)
        _, saved = layer.forward(self.A, self.start, self.w)
        back, gradients = layer.backward(saved, self.cotangent)
        return back, gradients["log_start"]

    @property
    def mu_0(self):
        """The start as given; flat if it is not."""
        return np.zeros(self.A.shape[1]) if self.start is None else np.asarray(self.start)

    @property
    def pseudo_counts(self):
        return np.asarray(self.concentration, dtype=float) - 1.0

    def prior(self, A=None, start=None, n_iter=None):
        """The naive mu_C, normalised whatever C is, for a stack of logits and starts or one."""
        A = self.A.astype(WIDE) if A is None else A
        start = self.mu_0.astype(WIDE) if start is None else start
        n_iter = self.n_iter if n_iter is None else n_iter
        return log_softmax(naive_prior(A, start, n_iter, self.w, self.pseudo_counts))

    def posterior(self, A=None, prior=None):
        """The naive log-posterior."""
        A = self.A.astype(WIDE) if A is None else A
        prior = self.prior(A) if prior is None else prior
        return log_softmax(A + prior[..., None, :])

    def loss(self, A, prior):
        """What the cotangent is the gradient of, at the output."""
        return (self.posterior(A, prior) * self.cotangent).sum(axis=(-2, -1))

    def slopes(self):
        """The exact gradients, by complex step."""
        return complex_step(lambda A, start: self.loss(A, self.prior(A, start)), self.A, self.mu_0)


SCALES = (0.1, 1.0, 5.0, 25.0, 100.0)


def draw(
    seed, n=10, K=4, n_iter=3, scale=1.0, *, weighted=True, start=True, alpha=1.0, shift=0.0
) -> Case:
    """Random logits, of classes that the rows resemble more or less; or just a shape."""
    rng = np.random.default_rng([seed, n, K])
    A = scale * rng.normal(size=(n, K)) + shift * rng.normal(size=(n, 1))
    w = rng.choice([0.0, 0.5, 1.0, 3.0], n)
    w[rng.integers(n)] = 2.0
    return Case(
        A,
        n_iter,
        2.0 * rng.normal(size=K) if start else None,
        w if weighted else None,
        alpha,
        rng.normal(size=(n, K)),
    )


def classifier(seed, n=12, K=4, n_iter=3, scale=1.0, **options) -> Case:
    """The cotangent of a cross-entropy: labels, some classes more frequent than others."""
    case = draw(seed, n, K, n_iter, scale, **options)
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.4, n) - 1, K - 1)
    weights = (np.ones(n) if case.w is None else case.w) / (n if case.w is None else case.w.sum())
    return case.but(cotangent=-weights[:, None] * (labels[:, None] == np.arange(K)))


# ---- logits that are hard on a softmax: (rng, n, K) -> A ----------------------------------------


def _huge(rng, n, K):
    return rng.uniform(-1e5, 1e5, (n, K))


def _ties(rng, n, K):
    return 1e5 * rng.integers(-1, 2, (n, K)) + rng.normal(size=(n, K))


def _duplicates(rng, n, K):
    return rng.normal(size=(n, K))[:, rng.integers(0, max(1, K // 2), K)]


def _unlike_any_row(rng, n, K):
    return 3.0 * rng.normal(size=(n, K)) - 4000.0 * (np.arange(K) == K - 1)


def _dominant(rng, n, K):
    return rng.normal(size=(n, K)) + 1e4 * (np.arange(K) == 0)


def _absent(rng, n, K):
    """One of the classes has no row, another nearly all."""
    labels = np.minimum(rng.geometric(0.7, n) - 1, max(0, K - 2))
    return rng.normal(size=(n, K)) + 30.0 * (labels[:, None] == np.arange(K))


def _equal(rng, n, K):
    return np.full((n, K), 1e5)


EXTREMES = {
    "huge": _huge,
    "ties": _ties,
    "duplicates": _duplicates,
    "unlike any row": _unlike_any_row,
    "dominant": _dominant,
    "absent": _absent,
    "equal": _equal,
}


def extreme(kind, seed, n, K, n_iter, alpha=1.0) -> Case:
    case = classifier(seed, n, K, n_iter, alpha=alpha)
    return case.but(A=EXTREMES[kind](np.random.default_rng(seed), n, K))

"""Temperature scaling: logits of a classifier into log-posteriors that can be trusted.

A classifier's posteriors are often too sure, and biased for or against a class; dividing them by
the training prior then gives no density ratios. Two numbers mend most of it, a temperature and a
bias for each class, fitted to rows that the classifier was not trained on.

Conventions: n rows, K classes; logits are log-posteriors up to a constant for each row.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning

from ..core.discriminants import Array

ZERO_SPREAD = 36.0
"""Standard deviation, in nats, of the prior on what a zero posterior stands for: as vague as that,
since double precision holds posteriors from 36 nats below one."""

MOST_ITERATIONS = 100  # Newton's method takes about ten
CLOSE = 1e-10  # nats per row to the minimum, from where a full step leaves no more than rounding


class Calibration(NamedTuple):
    """What log-posteriors are made of: ``log_softmax(inverse_temperature * logits + bias)``."""

    inverse_temperature: float
    bias: Array  # (K,), nats; of all that mean the same, the ones that sum to zero
    zero: float  # what stands for `inverse_temperature * logits` where these are -inf

    @classmethod
    def identity(cls, n_classes: int) -> Calibration:
        return cls(1.0, np.zeros(n_classes), -np.inf)

    def log_posterior(self, logits: Array) -> Array:
        """(n, K) log-posteriors of (n, K) logits; -inf where a class is impossible."""
        scaled = _scaled(logits, self.inverse_temperature, self.zero) + self.bias
        return log_softmax(scaled, axis=1)


def _scaled(logits: Array, inverse_temperature: float, zero: float) -> Array:
    """Logits by a factor, with a number of their own for those of -inf, which no factor moves."""
    finite = logits > -np.inf
    return np.multiply(inverse_temperature, logits, out=np.full(logits.shape, zero), where=finite)


def fit_calibration(
    logits: Array, labels: np.ndarray, weight: Array, with_bias: bool, unit_free: bool
) -> Calibration:
    """The temperature, and with_bias also the biases, under which labels are most probable.

    Minimises ``-sum_n w_n log p(label_n) + |theta - theta_0|^2 / 2``, a convex function of the
    inverse temperature and the biases (temperature scaling: Guo et al. 2017; bias-corrected:
    Alexandari, Kundaje and Shrikumar 2020). The second term is a unit Gaussian prior about logits
    as they are: it counts as little as one row, and keeps all finite where rows held out are
    classified without error, or a class has none.

    A posterior of exactly zero stays zero unless a row of that class contradicts it. Then zeros
    stand for one more number that is fitted like the others, instead of being clipped.

    Parameters
    ----------
    logits : ndarray of shape (n, K)
        Of rows held out; -inf where the posterior is zero.
    labels : ndarray of shape (n,), int
    weight : ndarray of shape (n,)
        A row of weight w counts as w rows.
    with_bias : bool
    unit_free : bool
        Logits have no natural unit, as values of a decision function: the prior's is then their
        root mean square.

    Warns
    -----
    ConvergenceWarning
        If the minimum was not reached.
    """
    finite = logits > -np.inf
    contradicted = bool((weight[~finite[np.arange(len(labels)), labels]] > 0).any())
    spread = _root_mean_square(logits, finite, weight)
    x = np.where(finite, logits, 0.0) / spread
    features = [x, (~finite).astype(np.float64)] if contradicted else [x]
    excluded = None if contradicted or finite.all() else ~finite
    loss = _Loss(features, excluded, labels, weight, with_bias)
    # The slope multiplies logits divided by their spread, so that all unknowns are near one.
    slope = 1.0 if unit_free else spread
    loss.centre[0], loss.precision[0] = slope, loss.precision[0] / slope**2
    loss.precision[1 : len(features)] /= ZERO_SPREAD**2
    theta = loss.minimise(min(slope, 1.0))
    bias = theta[len(features) :] if with_bias else np.zeros(logits.shape[1])
    zero = float(theta[1]) if contradicted else -np.inf
    return Calibration(float(theta[0]) / spread, bias, zero)


def _root_mean_square(logits: Array, finite: np.ndarray, weight: Array) -> float:
    """Size of the finite logits about each row's mean, or one where all are equal."""
    some = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    x = np.where(finite, logits, 0.0)
    x = np.where(finite, x - x.sum(axis=1, keepdims=True) / some, 0.0)
    largest = float(np.abs(x).max())
    if largest == 0.0:
        return 1.0
    mean = np.average(((x / largest) ** 2).sum(axis=1) / some[:, 0], weights=weight)
    return largest * float(np.sqrt(mean)) or 1.0


class _Loss:
    """``-sum_n share_n log p(label_n)`` and a quadratic penalty, by slopes and biases.

    The logit of class k is ``sum_f slope_f feature_f[n, k] + bias_k``; the first slope must not be
    negative.
    """

    def __init__(
        self, features: list[Array], excluded: np.ndarray | None, labels: np.ndarray,
        weight: Array, with_bias: bool,
    ) -> None:  # fmt: skip
        rows = weight > 0  # of the others, a label may be impossible
        self.features = [f[rows] for f in features]
        self.excluded = None if excluded is None else excluded[rows]
        self.at = np.arange(np.count_nonzero(rows)), labels[rows]
        total = float(weight.sum())
        self.share, self.n_bias = weight[rows] / total, features[0].shape[1] * with_bias
        self.centre = np.zeros(len(features) + self.n_bias)
        self.precision = np.full(len(self.centre), 1.0 / total)

    def log_posterior(self, theta: Array) -> Array:
        scaled = sum(s * f for s, f in zip(theta, self.features, strict=False))
        if self.n_bias:
            scaled = scaled + theta[len(self.features) :]
        if self.excluded is not None:
            scaled[self.excluded] = -np.inf
        return log_softmax(scaled, axis=1)

    def value(self, theta: Array, log_p: Array) -> float:
        away = theta - self.centre
        return 0.5 * float(self.precision @ away**2) - float(self.share @ log_p[self.at])

    def derivatives(self, theta: Array, log_p: Array) -> tuple[Array, Array]:
        """Gradient (m,) and Hessian (m, m)."""
        P, m = np.exp(log_p), len(self.features)
        weighted = P * self.share[:, None]
        residual = weighted.copy()
        residual[self.at] -= self.share
        gradient = self.precision * (theta - self.centre)
        hessian = np.diag(self.precision)
        centred = [f - (P * f).sum(axis=1, keepdims=True) for f in self.features]
        for i, f in enumerate(self.features):
            gradient[i] += np.vdot(residual, f)
            parts = weighted * centred[i]
            for j in range(m):
                hessian[i, j] += np.vdot(parts, centred[j])
            if self.n_bias:
                hessian[i, m:] = hessian[m:, i] = parts.sum(axis=0)
        if self.n_bias:
            gradient[m:] += residual.sum(axis=0)
            hessian[m:, m:] += np.diag(weighted.sum(axis=0)) - weighted.T @ P
        return gradient, hessian

    def minimise(self, first_slope: float) -> Array:
        """Newton's method, each step cut in half until the loss falls enough."""
        theta = np.zeros(len(self.centre))
        theta[0] = first_slope
        log_p = self.log_posterior(theta)
        for _ in range(MOST_ITERATIONS):
            gradient, hessian = self.derivatives(theta, log_p)
            step = _step(theta, gradient, hessian)
            promised = -float(gradient @ step)
            if promised <= CLOSE:
                return theta + step
            value, size = self.value(theta, log_p), 1.0
            while True:
                log_p = self.log_posterior(theta + size * step)
                if self.value(theta + size * step, log_p) <= value - 1e-4 * size * promised:
                    break
                size /= 2.0
            theta = theta + size * step
        warnings.warn(
            f"Calibration did not converge in {MOST_ITERATIONS} iterations; the last was still to "
            f"gain {promised:.2g} nats per row. Check the classifier's outputs for extreme values, "
            "or use calibration=None.",
            ConvergenceWarning,
            stacklevel=6,
        )
        return theta


def _step(theta: Array, gradient: Array, hessian: Array) -> Array:
    """To the minimum of the quadratic model where the first unknown is not negative."""
    step = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
    if theta[0] + step[0] < 0.0:  # then it is zero there
        step[0] = -theta[0]
        step[1:] = -np.linalg.solve(hessian[1:, 1:], gradient[1:] + hessian[1:, 0] * step[0])
    return step

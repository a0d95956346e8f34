"""How a loss is differentiated through the prior of a responsible softmax.

The prior that a batch ends with is a function of the batch's logits, so the gradient has a part
that flows through it. With the differential Dr of the responsibility map in logarithms of weights
and v, the cotangent of the last prior, the part is a sum of pulled-back cotangents:

==========  ============================================================================
exact       through every application, each at the prior that it was applied to
stop        none: the prior is taken for a constant, as in the M-step of EM
neumann     ``sum_j (Dr')^j v``, j < C, all at the last prior: the exact sum if that were the first
implicit    ``inv(I - Dr') v`` at the fixed point, one linear system: C is infinite
==========  ============================================================================
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from ..proportions._densities import log_sum_exp
from ._batch import Batch, PriorMap

CLOSE = 64.0
"""A Newton step of so many square roots of rounding, 1e-6 in double precision, is the last."""

FIRST = 3  # applications of the map before the first Newton step: they take less time than one
MOST_ROUNDS = 100  # of Newton's method; about four are usual
MOST_HALVINGS = 60  # of a step; more would not change the weights


class PriorGradient(ABC):
    """One of the ways above."""

    needs_prior = False  # whether only pseudo-rows make it well-defined

    def forward(self, batch: PriorMap, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        """Priors (m + 1, K) from the start on, and the log-posterior (n, K) under the last."""
        return batch.forward(log_start, n_iter)

    @abstractmethod
    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        """Cotangents of the logits (n, K) and of the start (K,)."""


class Exact(PriorGradient):
    """Reverse-mode differentiation of all applications; O(C n K)."""

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        return batch.backward(path[:-1, :], path[1:, :], path[-1, :], cotangent)


class Stop(PriorGradient):
    """A constant prior; without applications that is the start itself."""

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        found, v = batch.backward(path[:0, :], path[:0, :], path[-1, :], cotangent)
        return found, v if path.shape[0] == 1 else 0.0 * v


class Neumann(PriorGradient):
    """The truncated series of the slides, with as many terms as there were applications."""

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        xp, n_iter = batch.xp, path.shape[0] - 1
        last = path[-1, :]
        after = batch.forward(last, 1)[0][1, :] if n_iter else last
        here, there = (xp.broadcast_to(mu, (n_iter, mu.shape[0])) for mu in (last, after))
        return batch.backward(here, there, last, cotangent)


class Implicit(PriorGradient):
    """The fixed point itself, by the implicit function theorem; O(n K^2 + K^3).

    ``I - Dr = inv(diag(pi)) H`` with ``H = S' diag(share) S + diag(pseudo)``, which is positive
    definite because of the pseudo-rows: a Dirichlet prior is Tikhonov regularisation of the system.
    """

    needs_prior = True

    def forward(self, batch: PriorMap, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        """The fixed point, whatever `n_iter` is, and the log-posterior under it."""
        mu = fixed_point(batch, log_start)
        return batch.xp.stack([log_start, mu]), batch.forward(mu, 0)[1]

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        xp, mu = batch.xp, path[-1, :]
        here = mu[None, :]
        _, v = batch.backward(here[:0, :], here[:0, :], mu, cotangent)
        total = xp.exp(mu) * batch.solve(mu, v)
        found, v = batch.backward(here, here, mu, cotangent, total)
        return found, 0.0 * v


def fixed_point(batch: PriorMap, log_start: Any) -> Any:
    """The prior (K,) of highest posterior density, as logarithms, by Newton's method.

    ``sum_n share_n log(F x)_n + sum_k pseudo_k log x_k - sum_k x_k`` is concave in the weights x
    and highest at the fixed point. With the map R its Newton step from pi, which sums to one, is
    ``pi y`` with ``H y = R(pi) - pi``, and its slope along the step, at a part t of it, where
    weights are x, ``sum_k (R(x) - x)_k y_k / (1 + t y_k)``.
    """
    xp = batch.xp
    eps = float(xp.finfo(batch.share.dtype).eps)

    def image(mu: Any) -> Any:
        return batch.forward(mu, 1)[0][1, :]

    mu = batch.forward(log_start, FIRST)[0][-1, :]
    after = image(mu)
    for _ in range(MOST_ROUNDS):
        if not float(xp.max(xp.abs(after - mu))) > 2.0 * eps:  # or no number: the loss shows it
            return mu
        residual = xp.exp(after) - xp.exp(mu)
        y = batch.solve(mu, residual)
        # y is the relative error of the weights, and the square of it what a step leaves.
        if not float(xp.max(xp.abs(y))) > CLOSE * math.sqrt(eps):
            return normalised(xp, mu + xp.log1p(y))
        t = min(1.0, 0.95 / max(float(xp.max(-y)), 0.95))
        slope = float(residual @ y)
        for _ in range(MOST_HALVINGS):
            found = mu + xp.log1p(t * y)
            after = image(found)
            left = float((xp.exp(after) - xp.exp(found)) @ (y / (1.0 + t * y)))
            if left >= -0.5 * slope:
                break
            t *= 0.5
        mu = normalised(xp, found)
    warnings.warn(
        f"The prior of a batch still changed by {float(xp.max(xp.abs(y))):.2g} of its size after "
        f"{MOST_ROUNDS} rounds, so its implicit gradient is not exact. Use a larger "
        "prior_concentration, or prior_gradient='exact'.",
        ConvergenceWarning,
        stacklevel=2,
    )
    return mu


def normalised(xp: Any, log_weights: Any) -> Any:
    """Logarithms of weights that sum to one."""
    return log_weights - log_sum_exp(xp, log_weights, axis=0)


PRIOR_GRADIENTS: dict[str, PriorGradient] = {
    "exact": Exact(),
    "stop": Stop(),
    "implicit": Implicit(),
    "neumann": Neumann(),
}

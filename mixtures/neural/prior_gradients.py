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

import warnings
from abc import ABC, abstractmethod
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from ._batch import Batch

CONVERGED = 1e-11  # largest change of a log-prior at a fixed point: ten digits of the gradient
MOST_ROUNDS = 1000  # of an application of the map and a Newton step; about five are usual


class PriorGradient(ABC):
    """One of the ways above."""

    needs_prior = False  # whether only pseudo-rows make it well-defined

    def forward(self, batch: Batch, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        """Priors (m + 1, K) from the start on, and the log-posterior (n, K) under the last."""
        return batch.forward(log_start, n_iter)

    @abstractmethod
    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        """Cotangents of the logits (n, K) and of the start (K,)."""


class Exact(PriorGradient):
    """Reverse-mode differentiation of all applications; O(C n K)."""

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        return batch.backward(path[:-1, :], path[1:, :], log_posterior, cotangent)


class Stop(PriorGradient):
    """A constant prior; without applications that is the start itself."""

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        found, v = batch.backward(path[:0, :], path[:0, :], log_posterior, cotangent)
        return found, v if path.shape[0] == 1 else 0.0 * v


class Neumann(PriorGradient):
    """The truncated series of the slides, with as many terms as there were applications."""

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        xp, n_iter = batch.xp, path.shape[0] - 1
        last = path[-1, :]
        after = batch.forward(last, 1)[0][1, :] if n_iter else last
        here, there = (xp.broadcast_to(mu, (n_iter, mu.shape[0])) for mu in (last, after))
        return batch.backward(here, there, log_posterior, cotangent)


class Implicit(PriorGradient):
    """The fixed point itself, by the implicit function theorem; O(n K^2 + K^3).

    ``I - Dr = inv(diag(pi)) H`` with ``H = S' diag(share) S + diag(pseudo)``, which is positive
    definite because of the pseudo-rows: a Dirichlet prior is Tikhonov regularisation of the system.
    """

    needs_prior = True

    def forward(self, batch: Batch, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        """The fixed point, whatever `n_iter` is: by the map, and Newton's method where it helps.

        The map alone converges from everywhere, since the log-posterior of the prior is concave;
        a Newton step in log-coordinates is kept where it leaves a smaller change.
        """
        xp, mu = batch.xp, log_start
        smallest = float("inf")
        for _ in range(MOST_ROUNDS):
            path, log_posterior = batch.forward(mu, 1)
            # log_posterior belongs to the prior that came out; so does its Newton step.
            mu = path[1, :]
            change = batch.forward(mu, 1)[0][1, :] - mu
            smallest = float(xp.max(xp.abs(change)))
            if not smallest > CONVERGED:  # or no number, which the loss then shows
                break
            newton = mu + batch.solve(log_posterior, xp.exp(mu) * change)
            after = batch.forward(newton, 1)[0][1, :] - newton
            if float(xp.max(xp.abs(after))) < smallest:
                mu = newton
        else:
            log_posterior = batch.forward(mu, 0)[1]
            warnings.warn(
                f"The prior of a batch still changed by {smallest:.2g} in the logarithm after "
                f"{MOST_ROUNDS} rounds, so its implicit gradient is not exact. Use a larger "
                "prior_concentration, or prior_gradient='exact'.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return xp.stack([log_start, mu]), log_posterior

    def backward(self, batch: Batch, path: Any, log_posterior: Any, cotangent: Any) -> Any:
        xp, mu = batch.xp, path[-1, :]
        identity = xp.eye(mu.shape[0], dtype=mu.dtype, device=batch.device)
        transform = xp.exp(mu)[:, None] * batch.solve(log_posterior, identity)
        here = mu[None, :]
        found, v = batch.backward(here, here, log_posterior, cotangent, transform)
        return found, 0.0 * v


PRIOR_GRADIENTS: dict[str, PriorGradient] = {
    "exact": Exact(),
    "stop": Stop(),
    "implicit": Implicit(),
    "neumann": Neumann(),
}

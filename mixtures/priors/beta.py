"""The beta prior, on probabilities of success."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, xlog1py, xlogy

from ..core.discriminants import Array
from ._hyperparameters import numbers, spread

ADVICE = (
    "Below 1 the posterior density is infinite at one end of the range of a probability, so it has "
    "no maximum inside; use 1 for no pseudo-data, or a number above 1 to keep probabilities from "
    "that end."
)

SUMS_AGREE = 1e-9
"""Share of the trials by which successes may exceed them: two sums of the same n terms, each in
its own order, differ by less than n rounding errors."""

UNDERFLOW = 1e-290
"""Trials so few that they have lost digits."""


@dataclass(frozen=True, eq=False)
class Beta:
    """Beta prior on probabilities, density proportional to ``p**(a - 1) (1 - p)**(b - 1)``.

    Its pseudo-data are ``a - 1`` successes and ``b - 1`` failures, so that in a Bernoulli mixture

    ``probability_kj = (sum_i r_ik x_ij + a - 1) / (N_k + a + b - 2)``

    (Bishop 2006, exercise 9.18; section 2.1.1 for the conjugacy). ``Beta(1, 1)`` is flat, and a
    component may then have probabilities of exactly zero or one.

    Parameters
    ----------
    a, b : float or array-like, default=1.0
        Finite and at least one. Arrays broadcast to the shape (k, d) of the probabilities: (d,)
        has one number for each feature.

    Raises
    ------
    ValueError
        If `a` or `b` is below one: the posterior is then unbounded where a probability is zero or
        one. Or, when they meet parameters, if their shape does not suit theirs.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.priors import Beta
    >>> Beta(2.0, 2.0).mode(np.array([[0.0, 2.0]]), np.array([[2.0]]), np.array([[0.5, 0.5]]))
    array([[0.25, 0.75]])
    >>> Beta(3.0, [1.0, 2.0]).pseudo_successes((2, 2))
    array([[2., 2.],
           [2., 2.]])
    """

    a: ArrayLike = 1.0
    b: ArrayLike = 1.0

    def __post_init__(self) -> None:
        numbers("Beta expects a", self.a, 1.0, ADVICE)
        numbers("Beta expects b", self.b, 1.0, ADVICE)

    def pseudo_successes(self, shape: tuple[int, ...]) -> Array:
        """``a - 1`` for probabilities of this shape."""
        return spread("Beta expects a", self.a, shape, "probabilities") - 1.0

    def pseudo_failures(self, shape: tuple[int, ...]) -> Array:
        """``b - 1`` for probabilities of this shape."""
        return spread("Beta expects b", self.b, shape, "probabilities") - 1.0

    def mode(self, successes: Array, trials: Array, previous: Array) -> Array:
        """Probabilities of largest posterior density.

        Parameters
        ----------
        successes : ndarray of shape (k, d)
            Not negative, and not more than the trials, up to rounding.
        trials : ndarray of shape (k, d) or (k, 1)
        previous : ndarray of shape (k, d)
            What is returned where there are no trials, neither real nor pseudo.

        Returns
        -------
        probabilities : ndarray of shape (k, d)
            ``(successes + a - 1) / (trials + a + b - 2)``, in [0, 1].

        Raises
        ------
        ValueError
            If successes are negative, or more than the trials.
        """
        hits, total = self._posterior(successes, trials)
        return np.divide(hits, total, out=np.array(previous, dtype=float), where=total > 0)

    def gradient(self, successes: Array, trials: Array, probabilities: Array) -> Array:
        """Derivatives (k, d) of the log-posterior by the log-odds of `probabilities` (k, d).

        ``successes + a - 1 - (trials + a + b - 2) probability``: zero at the mode.
        """
        hits, total = self._posterior(successes, trials)
        return hits - total * probabilities

    def _posterior(self, successes: Array, trials: Array) -> tuple[Array, Array]:
        """Successes and trials with the pseudo-data added, (k, d) each."""
        impossible = (successes < 0) | (successes > trials * (1.0 + SUMS_AGREE) + UNDERFLOW)
        if impossible.any():
            k, j = np.argwhere(impossible)[0]
            n = np.broadcast_to(trials, successes.shape)[k, j]
            raise ValueError(
                "Beta expects successes between zero and the number of trials, but component "
                f"{k} has {successes[k, j]:g} of {n:g} in feature {j}. Pass data of 0 and 1."
            )
        hits = self.pseudo_successes(successes.shape)
        total = trials + (hits + self.pseudo_failures(successes.shape))
        # Successes that exceed the trials by rounding would be a probability above one.
        return np.minimum(successes, trials) + hits, total

    def log_density(self, probabilities: Array) -> float:
        """Sum of log-densities at `probabilities` (k, d), in nats; zero for the flat prior.

        Minus infinity where a probability is zero and a above one, or one and b above one.
        """
        hits = self.pseudo_successes(np.shape(probabilities))
        misses = self.pseudo_failures(np.shape(probabilities))
        kernel = xlogy(hits, probabilities) + xlog1py(misses, -probabilities)
        return float((kernel - betaln(hits + 1.0, misses + 1.0)).sum())

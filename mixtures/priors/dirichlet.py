"""The Dirichlet prior, on probabilities that sum to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from ..core.discriminants import Array
from ._hyperparameters import numbers, spread

NAME = "Dirichlet expects concentration"
BELOW_ONE = (
    "Below 1 the posterior density is infinite where a probability is zero, so it has no maximum "
    "inside the simplex; use 1 for a flat prior, or a number above 1 to keep probabilities from "
    "zero."
)


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """Dirichlet prior on the mixing weights, or on the probabilities of categories.

    Its pseudo-data are ``concentration - 1`` rows in each component, so that

    ``weight_k = (N_k + concentration_k - 1) / (N + sum(concentration) - K)``

    with K components (Bishop 2006, exercise 9.19 and section 10.2.1). The same on probabilities of
    M categories, of which component k has seen S_km in N_k rows, gives

    ``probability_km = (S_km + concentration_m - 1) / (N_k + sum(concentration) - M)``.

    ``Dirichlet(1)`` is flat.

    Parameters
    ----------
    concentration : float or array-like, default=1.0
        Finite and at least one. An array has one number for each component, shape (k,), or for
        each category, on its last axis.

    Raises
    ------
    ValueError
        If a concentration is below one: the posterior is then unbounded where a probability is
        zero. Or, when it meets parameters, if its shape does not suit theirs.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.priors import Dirichlet
    >>> Dirichlet(2.0).mode(np.array([0.0, 2.0]))
    array([0.25, 0.75])
    >>> Dirichlet([2.0, 1.0]).mode(np.array([[0.0, 3.0], [1.0, 0.0]]))
    array([[0.25, 0.75],
           [1.  , 0.  ]])
    """

    concentration: ArrayLike = 1.0

    def __post_init__(self) -> None:
        numbers(NAME, self.concentration, 1.0, BELOW_ONE)

    def pseudo_counts(self, n_components: int) -> Array:
        """``concentration - 1`` for each of k components, shape (k,).

        Raises ValueError if `concentration` has another shape.
        """
        a = np.asarray(self.concentration, dtype=float)
        if a.ndim > 1 or (a.ndim == 1 and len(a) != n_components):
            raise ValueError(
                f"Dirichlet expects one concentration or one for each of the {n_components} "
                f"components, shape ({n_components},), but got {a.size}, in shape {a.shape}. Pass "
                f"{n_components} of them."
            )
        return np.broadcast_to(a - 1.0, (n_components,))

    def mode(self, counts: Array, previous: Array | None = None) -> Array:
        """Probabilities of largest posterior density after `counts` were seen.

        Parameters
        ----------
        counts : ndarray of shape (k,) or (..., m)
            Rows of each component, or of each category on the last axis.
        previous : ndarray of the same shape, default=None
            What is returned where there are neither rows nor pseudo-rows to divide.

        Returns
        -------
        probabilities : ndarray of the same shape
            They sum to one along the last axis.

        Raises
        ------
        ValueError
            If there is nothing to divide and no `previous`.
        """
        mass = counts + self._extra(counts.shape)
        total = mass.sum(axis=-1, keepdims=True)
        if total.all():
            return mass / total
        if previous is None:
            raise ValueError(
                "Dirichlet expects counts with a positive sum where its concentration is 1, but "
                f"got {counts.tolist()}. Pass previous, the probabilities to keep there."
            )
        return np.divide(mass, total, out=np.array(previous, dtype=float), where=total > 0)

    def gradient(self, counts: Array, probabilities: Array) -> Array:
        """Derivatives of log-posterior by the logarithms of `probabilities`, of the same shape.

        ``counts + concentration - 1 - total * probabilities``, where the total is the sum of the
        former: zero at the mode.
        """
        mass = counts + self._extra(counts.shape)
        return mass - mass.sum(axis=-1, keepdims=True) * probabilities

    def log_density(self, probabilities: Array) -> float:
        """Log-density at `probabilities`, (k,) or (..., m), in nats; summed over leading axes.

        Zero everywhere for the flat prior. Minus infinity where a probability is zero and its
        concentration above one.
        """
        extra = self._extra(np.shape(probabilities))
        informed = extra[extra.any(axis=-1)] + 1.0
        normaliser = gammaln(informed.sum(axis=-1)).sum() - gammaln(informed).sum()
        return float(xlogy(extra, probabilities).sum() + normaliser)

    def _extra(self, shape: tuple[int, ...]) -> Array:
        if len(shape) == 1:
            return self.pseudo_counts(shape[0])
        return spread(NAME, self.concentration, shape, "probabilities of categories") - 1.0

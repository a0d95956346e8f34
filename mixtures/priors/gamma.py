"""The gamma prior, on rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from ..core.discriminants import Array
from ..core.family import DegenerateComponentError
from ._hyperparameters import numbers, spread


@dataclass(frozen=True, eq=False)
class Gamma:
    """Gamma prior on rates, density proportional to ``rate**(shape - 1) exp(-rate_ * rate)``.

    Its pseudo-data are ``shape - 1`` events in ``rate`` rows, so that a Poisson component has

    ``rate_kj = (sum_i r_ik x_ij + shape - 1) / (N_k + rate)``

    (Bishop 2006, section 2.3.6 for the conjugacy). ``Gamma(1, 0)`` is flat.

    Parameters
    ----------
    shape : float or array-like, default=1.0
        At least one; below one the density is unbounded at rate zero. Arrays broadcast to the
        shape (k, d) of the rates: (d,) has one number for each feature.
    rate : float or array-like, default=0.0
        Rows of pseudo-data, at least zero; the inverse of the scale.

    Raises
    ------
    ValueError
        If `shape` is below one or `rate` below zero. Or, when they meet parameters, if their shape
        does not suit theirs.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.priors import Gamma
    >>> Gamma(shape=3.0, rate=1.0).pseudo_events((1, 2))
    array([[2., 2.]])
    >>> Gamma(3.0, 1.0).mode(np.array([[4.0, 0.0]]), np.array([[3.0]]), np.ones((1, 2)))
    array([[1.5, 0.5]])
    """

    shape: ArrayLike = 1.0
    rate: ArrayLike = 0.0

    def __post_init__(self) -> None:
        below = "Below 1 the posterior density is infinite at a rate of zero, so it has no maximum."
        numbers("Gamma expects shape", self.shape, 1.0, f"{below} Use 1 for no pseudo-events.")
        numbers("Gamma expects rate", self.rate, 0.0, "Use 0 for no pseudo-rows.")

    def pseudo_events(self, shape: tuple[int, ...]) -> Array:
        """``shape - 1`` events, for rates of this shape."""
        return spread("Gamma expects shape", self.shape, shape, "rates") - 1.0

    def pseudo_rows(self, shape: tuple[int, ...]) -> Array:
        """The rows in which these events are, for rates of this shape."""
        return spread("Gamma expects rate", self.rate, shape, "rates")

    def mode(self, events: Array, rows: Array, previous: Array) -> Array:
        """Rates of largest posterior density.

        Parameters
        ----------
        events : ndarray of shape (k, d)
        rows : ndarray of shape (k, d) or (k, 1)
        previous : ndarray of shape (k, d)
            What is returned where there are neither events nor rows, real or pseudo.

        Returns
        -------
        rates : ndarray of shape (k, d)
            ``(events + shape - 1) / (rows + rate)``.

        Raises
        ------
        DegenerateComponentError
            If there are pseudo-events in no rows at all: the posterior then grows with the rate.
        """
        total = events + self.pseudo_events(events.shape)
        exposure = rows + self.pseudo_rows(events.shape)
        unbounded = (total > 0) & (exposure == 0)
        if unbounded.any():
            raise DegenerateComponentError(
                int(np.argwhere(unbounded)[0, 0]),
                "it has no rows, and its Gamma prior expects events in no rows (shape > 1 with "
                "rate = 0), so that its rates would be infinite; a positive rate keeps them finite",
            )
        return np.divide(total, exposure, out=np.array(previous, dtype=float), where=exposure > 0)

    def gradient(self, events: Array, rows: Array, rates: Array) -> Array:
        """Derivatives (k, d) of the log-posterior by the logarithms of `rates` (k, d).

        ``events + shape - 1 - (rows + rate) rates``: zero at the mode.
        """
        total = events + self.pseudo_events(events.shape)
        return total - (rows + self.pseudo_rows(events.shape)) * rates

    def log_density(self, rates: Array) -> float:
        """Sum of log-densities at `rates` (k, d) in nats; zero for the flat prior.

        Without the normaliser where `rate` is zero, since the prior is improper there. Minus
        infinity where a rate is zero and the shape above one.
        """
        events, rows = self.pseudo_events(np.shape(rates)), self.pseudo_rows(np.shape(rates))
        kernel = xlogy(events, rates) - rows * rates
        a, proper = events + 1.0, rows > 0
        normaliser = np.where(proper, xlogy(a, np.where(proper, rows, 1.0)) - gammaln(a), 0.0)
        return float((kernel + normaliser).sum())

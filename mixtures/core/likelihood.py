"""The likelihood of rows under a fitted model, and the criteria made of it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import validation
from .discriminants import Array


def weighted_sum(values: Array, sample_weight: ArrayLike | None) -> tuple[float, float]:
    """Weighted sum of (n,) values, and the sum of the weights; weightless values do not count."""
    w = validation.check_sample_weight(sample_weight, len(values))
    if w is None:
        return float(values.sum()), float(len(values))
    counted = w > 0
    return float(w[counted] @ values[counted]), float(w.sum())


class LikelihoodMixin:
    """What a model answers that has a log-density for each row and a number of parameters."""

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log-density of each row under the model, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of a row with missing numbers (NaN), where the model takes them, it is the marginal
            log-density of the others.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            float32 for float32 rows.
        """
        rows = self._rows(X)
        return self._log_density(rows).astype(validation.float_type(rows), copy=False)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-density of the rows, in nats per row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        log_likelihood : float
        """
        values = self._log_density(self._rows(X))
        w = validation.check_sample_weight(sample_weight, len(values))
        log_likelihood, n = weighted_sum(values, validation.normalise_weights(w, has_prior=False))
        return log_likelihood / n

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's criterion ``-2 log L + 2 p``; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
        """
        log_likelihood, _ = weighted_sum(self._log_density(self._rows(X)), sample_weight)
        return -2.0 * log_likelihood + 2.0 * self.n_parameters()

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Schwarz's criterion ``-2 log L + p log n``; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
            n is then the sum of the weights.
        """
        log_likelihood, n = weighted_sum(self._log_density(self._rows(X)), sample_weight)
        return -2.0 * log_likelihood + self.n_parameters() * float(np.log(n))

    if TYPE_CHECKING:

        def n_parameters(self) -> int: ...
        def _rows(self, X: ArrayLike) -> Any: ...
        def _log_density(self, rows: Any) -> Array: ...

"""What fitted weights answer about rows with known densities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ..core import validation
from ..core.discriminants import Array
from ..core.proportions.densities import (
    from_densities,
    from_log_densities,
    refuse_densities,
    refuse_log_densities,
)
from ..core.proportions.posterior import posterior

READERS = {"density": from_densities, "log_density": from_log_densities}
CHECKS = {"density": refuse_densities, "log_density": refuse_log_densities}


class ResponsibilitiesMixin:
    """Predictions from the weights alone; nothing here changes the estimator."""

    if TYPE_CHECKING:
        input: str
        n_threads: int | None
        weights_: Array

    def predict_proba(self, F: ArrayLike) -> Array:
        """Responsibilities ``weights_k F_nk / sum_j weights_j F_nj`` of rows.

        Parameters
        ----------
        F : array-like of shape (n_samples, n_components)
            As in `fit`.

        Returns
        -------
        responsibilities : ndarray of shape (n_samples, n_components)
            Of a row that only components of zero weight explain, in the limit of equal vanishing
            weights of these.
        """
        rows = self._checked(F)
        out = np.empty(rows.shape, validation.float_type(rows))
        for block, resp, _ in posterior(rows, self.weights_, self.input == "log_density"):
            out[block] = resp
        return out

    def predict(self, F: ArrayLike) -> np.ndarray:
        """The most probable component of each row.

        Parameters
        ----------
        F : array-like of shape (n_samples, n_components)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
        """
        rows = self._checked(F)
        parts = posterior(rows, self.weights_, self.input == "log_density")
        return np.concatenate([resp.argmax(axis=1) for _, resp, _ in parts])

    def score_samples(self, F: ArrayLike) -> Array:
        """``log sum_k weights_k F_nk`` of rows, in nats; -inf where that is zero.

        Parameters
        ----------
        F : array-like of shape (n_samples, n_components)

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        rows = self._checked(F)
        return self._log_density(rows).astype(validation.float_type(rows), copy=False)

    def score(self, F: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean of `score_samples`: the log-likelihood l, in nats per row.

        Parameters
        ----------
        F : array-like of shape (n_samples, n_components)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        log_likelihood : float
        """
        values = self._log_density(self._checked(F))
        w = validation.check_sample_weight(sample_weight, len(values))
        return float(values.mean() if w is None else w @ values / w.sum())

    def _checked(self, F: ArrayLike) -> np.ndarray:
        """Rows to predict for, or an error."""
        check_is_fitted(self)
        rows = self._validated(F, reset=False)
        CHECKS[self.input](rows)
        return rows

    def _log_density(self, rows: np.ndarray) -> Array:
        parts = posterior(rows, self.weights_, self.input == "log_density")
        return np.concatenate([log_density for _, _, log_density in parts])

    def _validated(self, F: Any, *, reset: bool) -> np.ndarray:
        name = type(self).__name__
        validation.refuse_lazy_array(name, F)
        return validation.check_densities(self, F, reset=reset)

"""What a fitted latent linear-Gaussian model answers: factors, densities, samples, gaps filled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from ..core import low_rank, validation
from ..core.discriminants import Array, Frame
from ..core.likelihood import LikelihoodMixin
from .fitted import Fitted, needs_density
from .gaps import check_rows, has_gaps
from .goodness import n_loadings
from .observed import impute, posterior_observed, sample_missing

BLOCK = 1 << 16  # numbers of which centred copies are made at a time: they stay in the cache


class LatentInferenceMixin(ABC, LikelihoodMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Predictions from the fitted attributes alone; nothing here changes the estimator."""

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Posterior means of the factors: ``E[z | x] = (I + L' P^-1 L)^-1 L' P^-1 (x - mean)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A factor's mean given what a row has, where numbers are missing (NaN).

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            float32 for float32 rows.
        """
        rows, fitted = self._rows(X), self._fitted()
        Z = np.empty((len(rows), self._n_features_out), validation.float_type(rows))
        for cut, away in self._blocks(rows, fitted.frame):
            Z[cut] = fitted.reported(self._block_means(fitted, away))
        return Z

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Rows expected given their factors: ``E[x | z] = mean + L z``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Factors.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            float32 for float32 factors.
        """
        check_is_fitted(self)
        Z = check_array(X, dtype=validation.FLOATS, ensure_min_features=0)
        decoder = self._decoder()
        if Z.shape[1] != len(decoder):
            raise ValueError(
                f"X has {Z.shape[1]} features, but inverse_transform of {type(self).__name__} is "
                f"expecting {len(decoder)}: one for each component."
            )
        return (Z @ decoder + self.mean_).astype(validation.float_type(Z), copy=False)

    score_samples = needs_density(LikelihoodMixin.score_samples)
    score = needs_density(LikelihoodMixin.score)
    aic = needs_density(LikelihoodMixin.aic)
    bic = needs_density(LikelihoodMixin.bic)

    def n_parameters(self) -> int:
        """Number of free parameters: of the mean, the loadings up to rotation, and the noise.

        ``d + d q - q (q - 1) / 2`` and those of the noise, and never more than a mean and a full
        covariance have.
        """
        check_is_fitted(self)
        d, q = len(self.mean_), self._n_features_out
        own = n_loadings(d, q) + self._n_noise_parameters(d)
        return d + min(own, d * (d + 1) // 2)

    def get_covariance(self) -> np.ndarray:
        """Covariance of the rows under the model, ``L L' + P``.

        Returns
        -------
        covariance : ndarray of shape (n_features, n_features)
        """
        fitted = self._fitted()
        inverse = 1.0 / fitted.frame.scale
        covariance = low_rank.covariance(fitted.loadings, fitted.noise)
        return covariance * inverse * inverse[:, None]

    def get_precision(self) -> np.ndarray:
        """Inverse of :meth:`get_covariance`, by the Woodbury formula.

        Returns
        -------
        precision : ndarray of shape (n_features, n_features)
        """
        fitted = self._fitted()
        scale = fitted.frame.scale
        return low_rank.precision(fitted.whitened) * scale * scale[:, None]

    @needs_density
    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw rows from the fitted model.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            None: the estimator's own; with an int the rows are the same in every call.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        """
        fitted, rng = self._fitted(), self._generator(random_state)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples!r} . It must be an int of at least 1."
            )
        d, q = fitted.loadings.shape
        z = rng.standard_normal((n_samples, q))
        e = rng.standard_normal((n_samples, d)) * np.sqrt(fitted.noise)
        return fitted.frame.from_frame(z @ fitted.loadings.T + e)

    def impute(self, X: ArrayLike) -> np.ndarray:
        """Fill missing numbers (NaN) with their means given the others of the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features)
            Numbers that were there are unchanged.
        """
        rows, fitted = self._rows(X), self._fitted()
        if not has_gaps(rows):
            return rows.copy()
        filled = impute(fitted.frame.to_frame(rows.astype(np.float64)), fitted.params())
        return np.where(np.isnan(rows), fitted.frame.from_frame(filled), rows).astype(rows.dtype)

    def sample_missing(
        self, X: ArrayLike, n_draws: int = 1, random_state: Any = None
    ) -> np.ndarray:
        """Draw missing numbers (NaN) from their distribution given the others of the row.

        For multiple imputation (Rubin 1987): unlike :meth:`impute`, draws vary as the missing
        numbers would. They are given the fitted parameters, whose own uncertainty is left out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        n_draws : int, default=1
        random_state : int, RandomState or None, default=None
            None: the estimator's own.

        Returns
        -------
        draws : ndarray of shape (n_draws, n_samples, n_features)
            Numbers that were there are unchanged.
        """
        rows, fitted = self._rows(X), self._fitted()
        if not isinstance(n_draws, Integral) or n_draws < 1:
            raise ValueError(f"n_draws must be an int of at least 1, but got {n_draws!r}.")
        if not has_gaps(rows):
            return np.repeat(rows[None], n_draws, axis=0)
        away = fitted.frame.to_frame(rows.astype(np.float64))
        draws = sample_missing(away, fitted.params(), n_draws, self._generator(random_state))
        return np.where(np.isnan(rows), fitted.frame.from_frame(draws), rows).astype(rows.dtype)

    # ---- what a model answers ----------------------------------------------------------------

    def _refuse_without_density(self, method: str) -> None:
        """AttributeError, as for a method that does not exist, where the model has no density."""

    def _allows_gaps(self) -> bool:
        """Whether numbers may be missing."""
        return True

    @abstractmethod
    def _n_noise_parameters(self, n_features: int) -> int:
        """Free parameters of the noise."""

    @abstractmethod
    def _decoder(self) -> np.ndarray:
        """What turns factors (n, q) into rows about the mean: (q, d)."""

    @abstractmethod
    def _fitted(self) -> Fitted:
        """The model made from the fitted attributes alone; NotFittedError before `fit`."""

    # ---- rows --------------------------------------------------------------------------------

    def _rows(self, X: ArrayLike) -> np.ndarray:
        """Rows to predict for, validated."""
        check_is_fitted(self)
        return check_rows(self, X, reset=False, allow_nan=self._allows_gaps())[0]

    def _generator(self, random_state: Any) -> np.random.RandomState:
        return check_random_state(self.random_state if random_state is None else random_state)

    @staticmethod
    def _blocks(rows: np.ndarray, frame: Frame) -> Iterator[tuple[slice, Array]]:
        """Rows in a frame, some at a time, so that no copy of all is made."""
        step = max(BLOCK // rows.shape[1], 64)
        for lo in range(0, len(rows), step):
            cut = slice(lo, min(lo + step, len(rows)))
            yield cut, frame.to_frame(rows[cut].astype(np.float64))

    def _block_means(self, fitted: Fitted, away: Array) -> Array:
        """Posterior means (b, q) of independent factors, of rows (b, d) in the frame."""
        if has_gaps(away):
            q = fitted.loadings.shape[1]
            return posterior_observed(away, fitted.params()).means[:, :q]
        return low_rank.posterior_means(fitted.whitened, away)

    def _log_density(self, rows: np.ndarray) -> Array:
        """Log-densities (n,) of validated rows, in float64 whatever theirs is."""
        fitted, values = self._fitted(), np.empty(len(rows))
        for cut, away in self._blocks(rows, fitted.frame):
            if has_gaps(away):
                there = (~np.isnan(away)) @ np.log(fitted.frame.scale)
                values[cut] = posterior_observed(away, fitted.params()).log_density + there
            else:
                values[cut] = fitted.log_densities(away) + fitted.frame.log_jacobian
        return values

    if TYPE_CHECKING:
        mean_: np.ndarray
        random_state: Any

        @property
        def _n_features_out(self) -> int: ...

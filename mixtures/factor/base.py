"""What the estimators of latent linear-Gaussian models have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from .._compat import check_constraints
from ..core import validation
from ..core.discriminants import Array
from ..core.transaction import all_or_nothing
from .gaps import check_rows, has_gaps, refuse_empty_features
from .inference import LatentInferenceMixin

LEARNT_FROM_X = ("n_features_in_", "feature_names_in_")


class AbstractLatentGaussian(LatentInferenceMixin, BaseEstimator):
    """Base of models ``x = mean + L z + e``: ``z ~ N(0, I)``, e ~ N(0, P), P diagonal."""

    # As for mixtures: with an anchor for a link, notebooks show each parameter's docs.
    _doc_link_module = "mixtures"
    _doc_link_template = "#{estimator_module}.{estimator_name}"

    @abstractmethod
    def _fit_complete(self, rows: np.ndarray, w: Array | None, total: float) -> dict[str, Any]:
        """Fitted attributes for rows (n, d) of weights w (n,), which sum to `total` rows."""

    @abstractmethod
    def _fit_with_gaps(self, rows: np.ndarray, w: Array | None, total: float) -> dict[str, Any]:
        """The same for rows with missing numbers (NaN); every feature has some."""

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Estimate the parameters by maximum likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One row a sample; float32 or float64, any other numbers are converted. Numbers that are
            missing at random may be NaN.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; one of weight zero is as good as absent.

        Returns
        -------
        self : object
        """
        with all_or_nothing(self):
            check_constraints(self)
            self._fit(X, sample_weight)
        return self

    def _fit(self, X: ArrayLike, sample_weight: ArrayLike | None) -> None:
        rows, gaps = check_rows(
            self, X, reset=True, allow_nan=self._fits_gaps(), ensure_min_samples=2
        )
        w = validation.check_sample_weight(sample_weight, len(rows))
        rows, w = validation.drop_weightless(rows, w)
        if len(rows) < 2:
            raise ValueError(
                f"{type(self).__name__} expects at least two rows of positive weight, but got "
                f"n_samples = {len(rows)}. Pass more rows."
            )
        total = float(len(rows)) if w is None else float(w.sum())
        w = validation.normalise_weights(w, has_prior=False)
        if gaps and has_gaps(rows):
            refuse_empty_features(self, rows)
            attributes = self._fit_with_gaps(rows, w, total)
        else:
            attributes = self._fit_complete(rows, w, total)
        for name in [name for name in vars(self) if name.endswith("_")]:
            if name not in LEARNT_FROM_X:  # an earlier fit may have had others
                delattr(self, name)
        self.__dict__.update(attributes)  # the one point at which a fit shows

    def _fits_gaps(self) -> bool:
        """Whether numbers may be missing from rows to fit, whatever an earlier fit was of."""
        return True

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._fits_gaps()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    components_: np.ndarray

"""What a fitted k-means answers: labels, distances, the inertia of other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..core.labelling import check_points, distances, label, labels_of
from ..core.point_frame import Rows
from .training import TrainingRows, refuse_infinite


class CentresMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin):
    """Predictions from `cluster_centers_` alone; nothing here changes the estimator."""

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Label each row by its nearest centre; of equally near ones by the first.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
        """
        return labels_of(self._rows(X), self.cluster_centers_, self.n_threads)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Euclidean distance of each row to each centre.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            float32 for float32 rows; dense.
        """
        return distances(self._rows(X), self.cluster_centers_, self.n_threads)

    def fit_transform(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, then measure: the same as ``fit(X).transform(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
        """
        self.fit(X, y, sample_weight)
        return distances(self._rows(X), self.cluster_centers_, self.n_threads)

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, then label each row: the same as ``fit(X).predict(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
        """
        return self.fit(X, y, sample_weight).labels_

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Minus the inertia of the rows about the centres, so that larger is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            In squared units of the data.
        """
        given = TrainingRows.of(self._rows(X), sample_weight)
        _, inertia, _ = label(given.rows, given.weight, self.cluster_centers_, self.n_threads)
        return -refuse_infinite(inertia * given.unit, type(self).__name__)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

    def _rows(self, X: ArrayLike) -> Rows:
        """Rows to predict for, validated."""
        check_is_fitted(self)
        return check_points(self, X, reset=False)

    if TYPE_CHECKING:
        cluster_centers_: np.ndarray
        labels_: np.ndarray
        n_threads: int | None

        def fit(self, X: ArrayLike, y: Any = None, sample_weight: Any = None) -> Any: ...

"""What a fitted network answers of unlabelled rows together: the shares of their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..core.discriminants import Array
from ..label_shift.estimate import PriorEstimate, estimate_shares
from ..label_shift.shares import class_vector
from .backend import to_host
from .inference import NetworkInferenceMixin


class NetworkAdaptationMixin(NetworkInferenceMixin):
    """Estimates of class shares, and predictions under them; nothing changes here."""

    def estimate_prior(
        self, X: Any, sample_weight: ArrayLike | None = None, *, concentration: ArrayLike = 1.0
    ) -> PriorEstimate:
        """Estimate the shares of the classes among unlabelled rows; changes nothing.

        Maximises ``sum_n w_n log sum_k prior_k exp(r_nk)`` with the `log_density_ratio` r, which
        is what the EM iterations of Saerens, Latinne and Decaestecker (2002) climb to, by
        `DynamicResponsibility`. It takes the network's posteriors for calibrated: those of one
        that is too sure are better calibrated first, with
        ``PriorShiftClassifier(ResponsibleSoftmaxClassifier(predict_prior="train"))``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w rows.
        concentration : float or array-like of shape (n_classes,), default=1.0
            Of a Dirichlet prior on the shares; 2 keeps shares of few rows from zero.

        Returns
        -------
        estimate : PriorEstimate
            Shares, standard errors, intervals, certificate, and a test against those in training.

        Raises
        ------
        ValueError
            For rows, weights or a concentration that are not as described.
        """
        ratio = np.asarray(to_host(self.log_density_ratio(X)), np.float64)
        known = np.where(self._shifts.known, self.class_prior_, 0.0)  # of classes that count
        one = np.ndim(concentration) == 0
        given = [concentration] * len(self.classes_) if one else concentration
        alpha = class_vector("concentration", given, self.classes_)  # type: ignore[arg-type]
        return estimate_shares(
            ratio[None], to_host(sample_weight), self.classes_, known / known.sum(),
            concentration=alpha, tol=1e-8, n_threads=None,
        )  # fmt: skip

    def predict_proba_adapted(
        self, X: Any, sample_weight: ArrayLike | None = None, *, concentration: ArrayLike = 1.0
    ) -> Any:
        """Posteriors under the shares that the rows of X themselves have.

        Unlike `predict_proba` it looks at all rows together.

        Parameters
        ----------
        X, sample_weight, concentration
            As for `estimate_prior`.

        Returns
        -------
        posterior : array of shape (n_samples, n_classes)
        """
        estimate = self.estimate_prior(X, sample_weight, concentration=concentration)
        return self.predict_proba(X, estimate.prior)

    def adapt(
        self, X: Any, sample_weight: ArrayLike | None = None, *, concentration: ArrayLike = 1.0
    ) -> Self:
        """A copy whose predictions assume the shares estimated from unlabelled rows.

        Parameters
        ----------
        X, sample_weight, concentration
            As for `estimate_prior`.

        Returns
        -------
        adapted : ResponsibleSoftmaxClassifier
            With the estimate as `predict_prior`, and all of it as `prior_estimate_`.
        """
        estimate = self.estimate_prior(X, sample_weight, concentration=concentration)
        twin = self._copy()
        twin.predict_prior, twin.prior_estimate_ = estimate.prior, estimate
        return twin

    def _copy(self) -> Self:
        """Another estimator with the same attributes, which stay on their device."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    if TYPE_CHECKING:
        class_prior_: Array
        prior_estimate_: PriorEstimate

"""What a fitted classifier answers: of rows one by one, and of rows together."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from ..core.discriminants import Array
from .calibration import Calibration
from .estimate import PriorEstimate, estimate_shares
from .posteriors import logits_of, response_method
from .shares import adapted, prior_to_predict_with


class ShiftMixin:
    """Predictions, and estimates of shares, from the fitted attributes; nothing changes here."""

    # ---- row by row --------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        best = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Posterior of each class under the shares that `predict_prior` says.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        posterior : ndarray of shape (n_samples, n_classes)
            Where all classes of positive share are impossible, the limit of small shares for the
            others.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of `predict_proba`, in nats; -inf where a class is impossible.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        log_posterior : ndarray of shape (n_samples, n_classes)
        """
        values = self._log_posterior(X)
        prior = prior_to_predict_with(self.predict_prior, self.train_prior_, self.classes_)
        return values if prior is None else adapted(values, self.train_prior_, prior)

    def log_density_ratio(self, X: Any) -> np.ndarray:
        """``log p(x | class)`` up to a constant for each row: log-posterior less log-prior.

        As it is, the input of ``DynamicResponsibility(input="log_density")``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        log_ratio : ndarray of shape (n_samples, n_classes)
            In nats; -inf where a class is impossible, or training did not have it.
        """
        return self._ratio(self._log_posterior(X))

    def _log_posterior(self, X: Any) -> Array:
        """Calibrated log-posteriors (n, K) under the shares in training, mean over classifiers."""
        values = self._log_posteriors(X)
        return values[0] if len(values) == 1 else logsumexp(values, axis=0) - np.log(len(values))

    def _log_posteriors(self, X: Any) -> Array:
        """The same of each of m classifiers, (m, n, K)."""
        check_is_fitted(self)
        method = response_method(type(self).__name__, self.estimators_[0])
        calibrated = self.calibration_.log_posterior
        classes = self.classes_
        return np.stack(
            [calibrated(logits_of(fitted, X, method, classes)) for fitted in self.estimators_]
        )

    def _ratio(self, log_posterior: Array) -> Array:
        """Log-posteriors less log-priors, -inf for classes that training did not have."""
        known = self.train_prior_ > 0
        ratio = np.full(log_posterior.shape, -np.inf)
        ratio[..., known] = log_posterior[..., known] - np.log(self.train_prior_[known])
        return ratio

    # ---- all rows together -------------------------------------------------------------------

    def estimate_prior(self, X: Any, sample_weight: ArrayLike | None = None) -> PriorEstimate:
        """Estimate the shares of the classes among unlabelled rows; changes nothing.

        Where several classifiers were fitted to folds, the log-likelihood is the mean of theirs:
        each has calibrated posteriors, but a mean of posteriors is less sure than it should be.
        With posteriors r_nk and training shares t_k, it maximises
        ``sum_n w_n log sum_k prior_k r_nk / t_k`` (Saerens, Latinne and Decaestecker 2002, Neural
        Computation 14), in nats, by `DynamicResponsibility`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w rows.

        Returns
        -------
        estimate : PriorEstimate
            Shares, standard errors, intervals, certificate, and a test against those in training.

        Raises
        ------
        ValueError
            If a row is impossible in every class that training had, or the input is not as
            described.

        Warns
        -----
        ConvergenceWarning
            If the certificate did not reach `tol`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import LogisticRegression
        >>> from mixtures import PriorShiftClassifier
        >>> X = np.r_[np.arange(40.0), np.arange(20.0, 60.0)][:, None]
        >>> y = np.repeat([0, 1], 40)
        >>> model = PriorShiftClassifier(LogisticRegression()).fit(X, y)
        >>> estimate = model.estimate_prior(X[40:])
        >>> bool(estimate.prior[1] > 0.9), bool(estimate.gap <= 1e-8)
        (True, True)
        """
        return estimate_shares(
            self._ratio(self._log_posteriors(X)),
            sample_weight,
            self.classes_,
            self.train_prior_,
            concentration=self.concentration,
            tol=self.tol,
            n_threads=self.n_threads,
        )

    def adapt(self, X: Any, sample_weight: ArrayLike | None = None) -> Self:
        """A copy whose predictions assume the shares estimated from unlabelled rows.

        The copy shares the fitted classifiers with this one, which does not change. Its
        `predict_prior` is the estimated prior, and `prior_estimate_` the whole estimate; so a clone
        of the copy predicts with that prior too, whatever it is fitted to. A posterior becomes
        ``prior_k r_nk / t_k``, normalised (see `estimate_prior`).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        adapted : PriorShiftClassifier

        Raises
        ------
        ValueError
            As `estimate_prior`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import LogisticRegression
        >>> from mixtures import PriorShiftClassifier
        >>> X = np.r_[np.arange(40.0), np.arange(20.0, 60.0)][:, None]
        >>> y = np.repeat([0, 1], 40)
        >>> model = PriorShiftClassifier(LogisticRegression()).fit(X, y)
        >>> adapted = model.adapt(X[40:])
        >>> bool(adapted.predict_proba([[30.0]])[0, 1] > model.predict_proba([[30.0]])[0, 1])
        True
        """
        estimate = self.estimate_prior(X, sample_weight)
        twin = copy.copy(self)
        twin.predict_prior, twin.prior_estimate_ = estimate.prior, estimate
        return twin

    if TYPE_CHECKING:
        estimators_: list[Any]
        classes_: np.ndarray
        train_prior_: Array
        calibration_: Calibration
        prior_estimate_: PriorEstimate
        predict_prior: Any
        concentration: Any
        tol: float
        n_threads: int | None

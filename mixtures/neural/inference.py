"""What a fitted network answers of rows, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from ..core.blas import one_blas_thread
from ..core.discriminants import Array
from ..core.threads import OrderedPool, resolve_n_threads
from ..label_shift.shares import check_prior
from ..proportions._densities import log_sum_exp
from .backend import Backend, backend_of, is_foreign, to_host
from .network import Network
from .reading import read_rows
from .shifts import Shifts

NUMBERS_IN_BLOCK = 2**21
"""Of the widest layer: 16 MiB, and rows enough for matrix products to be at their best."""


def logits_of(network: Network, layers: Any, backend: Backend, X: Any) -> Any:
    """(n, K), block by block: memory is for the widest layer of some rows.

    Blocks of NumPy's rows go to threads of our own, and are the same for any number of them.
    """
    n, step = X.shape[0], max(1, NUMBERS_IN_BLOCK // max(network.sizes))
    blocks = [slice(at, min(at + step, n)) for at in range(0, n, step)]

    def block(rows: slice) -> Any:
        return network.forward(layers, X[rows, :])[0]

    if not backend.is_host:
        return backend.xp.concat([block(rows) for rows in blocks])
    pool = OrderedPool(min(len(blocks), resolve_n_threads(None)))
    try:
        with one_blas_thread:
            return np.concatenate(list(pool.map(block, blocks)))
    finally:
        pool.close()


class NetworkInferenceMixin:
    """Predictions from the fitted attributes; nothing changes here."""

    def predict(self, X: Any) -> Any:
        """The most probable class of each row, under the shares that `predict_prior` says.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        labels : array of shape (n_samples,)
        """
        backend, values = self._values(X, None)
        best = backend.xp.argmax(values, axis=1)
        if backend.is_host or not is_foreign(X) or self.classes_.dtype.kind not in "iuf":
            return self.classes_[to_host(best)]
        classes = backend.xp.asarray(self.classes_, device=backend.device)
        return backend.xp.take(classes, best)

    def predict_proba(self, X: Any, prior: ArrayLike | str | None = None) -> Any:
        """Posterior of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        prior : {'uniform', 'train'} or array-like of shape (n_classes,), default=None
            Shares of the classes to assume; None: as `predict_prior` says.

        Returns
        -------
        posterior : array of shape (n_samples, n_classes)
        """
        backend, values = self._log_posterior(X, prior)
        return self._returned(X, backend.xp.exp(values))

    def predict_log_proba(self, X: Any, prior: ArrayLike | str | None = None) -> Any:
        """Logarithm of `predict_proba`, in nats.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        prior : {'uniform', 'train'} or array-like of shape (n_classes,), default=None
            As for `predict_proba`.

        Returns
        -------
        log_posterior : array of shape (n_samples, n_classes)
        """
        return self._returned(X, self._log_posterior(X, prior)[1])

    def decision_function(self, X: Any) -> Any:
        """Logits under the shares that `predict_prior` says, in nats.

        For ``predict_prior='uniform'`` these are the logits of the network itself, plus the
        logarithms of weights of classes that are costs; for ``head='softmax'`` less `log_prior_`,
        the shares that were learnt.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        values : array of shape (n_samples, n_classes), or (n_samples,) for two classes
            Of two classes the second's less the first's, which is positive where it is predicted.
        """
        _, values = self._values(X, None)
        if len(self.classes_) == 2:
            values = values[:, 1] - values[:, 0]
        return self._returned(X, values)

    def log_density_ratio(self, X: Any) -> Any:
        """``log p(x | class)`` up to a constant for each row.

        The logits, plus the layer's prior mu_train on all of training, less the shares s in
        training, with the weights of classes: ``A + mu_train - log s``. A finite number of
        applications leaves the layer's prior short of s, and the logits make up for it; that is
        taken back here.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        log_ratio : array of shape (n_samples, n_classes)
            -inf for classes that training did not have. As it is, the input of
            ``DynamicResponsibility(input="log_density")``.
        """
        backend, values = self._logits(X)
        return self._returned(X, values + backend.put(self._shifts.density))

    def _logits(self, X: Any) -> tuple[Backend, Any]:
        """A (n, K), where it was computed."""
        check_is_fitted(self)
        X = read_rows(self, X, reset=False)
        # Where the network is: a pickle of one from a GPU also predicts where there is none.
        backend = backend_of(X, self.device if is_foreign(self.coefs_[0]) else None)
        rows = X if sparse.issparse(X) else backend.put(X)
        layers = [
            (backend.put(W), backend.put(b))
            for W, b in zip(self.coefs_, self.intercepts_, strict=True)
        ]
        sizes = (self.n_features_in_, *(W.shape[1] for W in self.coefs_))
        with np.errstate(over="ignore", invalid="ignore"):  # reported here
            found = logits_of(Network(sizes, self._activation), layers, backend, rows)
            finite = backend.xp.isfinite(backend.xp.sum(found, axis=1))
        if not bool(backend.xp.all(finite)):
            row = int(backend.xp.argmin(backend.xp.astype(finite, backend.xp.int32)))
            raise ValueError(
                f"{type(self).__name__} expects rows whose logits are numbers, but those of row "
                f"{row} of X overflow. Remove the row, or scale the features as in training."
            )
        return backend, found

    def _values(self, X: Any, prior: Any) -> tuple[Backend, Any]:
        """Logits (n, K) under given shares."""
        name = "predict_prior" if prior is None else "prior"
        shift = self._shift_to(name, self.predict_prior if prior is None else prior)
        backend, values = self._logits(X)
        return backend, values + backend.put(shift)

    def _log_posterior(self, X: Any, prior: Any) -> tuple[Backend, Any]:
        backend, values = self._values(X, prior)
        return backend, values - log_sum_exp(backend.xp, values, axis=1)[:, None]

    def _shift_to(self, name: str, prior: Any) -> Array:
        """What to add to logits (K,) for posteriors under given shares."""
        check_is_fitted(self)
        shifts = self._shifts
        if isinstance(prior, str):
            if prior not in ("uniform", "train"):
                raise ValueError(
                    f"{name} should be 'uniform', 'train', or shares of the classes, but got "
                    f"{prior!r}."
                )
            return shifts.uniform if prior == "uniform" else shifts.to(self.class_prior_)
        shares = check_prior(name, to_host(prior), self.classes_)
        unknown = (shares > 0) & ~shifts.known
        if unknown.any():
            raise ValueError(
                f"{name} should be zero for classes that training did not have, but it is "
                f"{shares[unknown].tolist()} for {self.classes_[unknown].tolist()}. Set it to zero "
                "there, or train on rows of these classes."
            )
        return shifts.to(shares)

    def _returned(self, X: Any, values: Any) -> Any:
        """Results of NumPy's rows are NumPy's, wherever they were computed."""
        return values if is_foreign(X) else to_host(values)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Share of the rows whose class `predict` names.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
        """
        found, w = to_host(self.predict(X)), to_host(sample_weight)
        return float(accuracy_score(to_host(y), found, sample_weight=w))

    if TYPE_CHECKING:
        _activation: str
        device: str | None
        predict_prior: Any
        classes_: np.ndarray
        class_prior_: Array
        coefs_: list[Any]
        intercepts_: list[Any]
        n_features_in_: int
        _shifts: Shifts

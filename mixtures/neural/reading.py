"""What users pass to a network, turned into what training takes, or refused."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from ..core.discriminants import Array
from ..core.validation import (
    FLOATS,
    check_sample_weight,
    refuse_lazy_array,
)
from ..label_shift.training import check_labels, positions
from .backend import Backend, backend_of, is_foreign, to_host, wide_type
from .batches import TrainingRows
from .class_weights import ClassWeights


class TrainingData(NamedTuple):
    """Rows of positive weight, checked."""

    backend: Backend
    X: Any  # (n, d)
    labels: np.ndarray  # (n,), numbers of classes
    classes: np.ndarray  # (K,)
    weight: Array | None  # (n,)

    @property
    def counts(self) -> Array:
        """(K,), rows in each class, weighted."""
        return np.bincount(self.labels, self.weight, len(self.classes)).astype(np.float64)

    def class_weights(self, class_weight: Any) -> ClassWeights:
        """What the parameter means for these rows."""
        return ClassWeights.read(class_weight, self.classes, self.classes[self.labels], self.weight)

    def weighted(self, class_weights: ClassWeights, has_prior: bool) -> TrainingData:
        """With the weights of their classes, without rows that then weigh nothing.

        Weights have no unit unless there are pseudo-rows, and become numbers near one.
        """
        weight = class_weights.of_rows(self.labels, self.weight, has_prior)
        data = self._replace(weight=weight)
        return data if weight is None or (weight > 0).all() else data.take(np.flatnonzero(weight))

    def rows(self) -> TrainingRows:
        """On the device."""
        put = self.backend.put
        wide = np.float64 if self.backend.is_host else wide_type(*self.backend[:2])
        weight = None if self.weight is None else put(self.weight, wide)
        X = self.X if sparse.issparse(self.X) else put(self.X)
        return TrainingRows(self.backend, X, self.backend.put_indices(self.labels), weight)

    def take(self, index: np.ndarray) -> TrainingData:
        """Some rows."""
        X = _take(self.X, index) if is_foreign(self.X) else self.X[index]
        weight = None if self.weight is None else self.weight[index]
        return self._replace(X=X, labels=self.labels[index], weight=weight)


def _take(X: Any, index: np.ndarray) -> Any:
    backend = backend_of(X, None)
    return backend.xp.take(X, backend.put_indices(index), axis=0)


def read_training(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool, classes: Any = None
) -> TrainingData:
    """Rows and labels of a fit.

    Raises
    ------
    ValueError
        For anything that is not as the estimator's `fit` says, with a sentence.
    """
    X = read_rows(estimator, X, reset=reset)
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: give "
            "the class of each row."
        )
    if sparse.issparse(y):
        raise ValueError(
            f"{type(estimator).__name__} expects y as a vector of labels, but got a sparse matrix. "
            "Use y.toarray().ravel()."
        )
    y = check_labels(np.asarray(to_host(y)))
    check_consistent_length(X, y)
    w = check_sample_weight(to_host(sample_weight), len(y))
    with np.errstate(over="ignore"):
        countable = w is None or np.isfinite(w.sum())
    if w is not None and not countable:
        raise ValueError(
            f"sample_weight should have a sum that is a number, but its largest is {w.max():g}. "
            "Divide it by a constant."
        )
    known = np.unique(y if w is None else y[w > 0]) if classes is None else np.asarray(classes)
    if classes is None and len(known) < 2:
        raise ValueError(
            f"{type(estimator).__name__} expects rows of two classes or more, but y has one class, "
            f"{known.tolist()}. A classifier has nothing to learn from that; pass rows of the "
            "others too."
        )
    data = TrainingData(backend_of(X, estimator.device), X, np.empty(0, np.int64), known, w)
    if w is not None and not (w > 0).all():
        some = np.flatnonzero(w > 0)
        return data._replace(labels=positions_of(y, some, known)).take(some)
    return data._replace(labels=positions(y, known))


def positions_of(y: np.ndarray, some: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Numbers of the classes of some rows; those of the others are zero."""
    labels = np.zeros(len(y), np.int64)
    labels[some] = positions(y[some], classes)
    return labels


def read_rows(estimator: Any, X: Any, *, reset: bool) -> Any:
    """X (n, d), float32 or float64, dense or CSR, where it is; all finite."""
    refuse_lazy_array(type(estimator).__name__, X)
    if not is_foreign(X):
        return validate_data(estimator, X, accept_sparse="csr", dtype=FLOATS, reset=reset)
    backend = backend_of(X, None)
    xp = backend.xp
    name = type(estimator).__name__
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: {name} expects real numbers in X.")
    if hasattr(X, "detach"):  # PyTorch would keep the history of every update
        X = X.detach()
    if X.dtype not in (xp.float32, xp.float64):  # integers, and floats of half a precision
        X = xp.astype(X, wide_type(xp, X.device))
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"{name} expects X of shape (n_samples, n_features) with one of each at least, but "
            f"X.shape == {tuple(X.shape)}."
        )
    if not bool(xp.all(xp.isfinite(X))):
        raise ValueError(f"Input X of {name} contains NaN or infinity. Remove such rows.")
    if reset:
        estimator.__dict__.pop("feature_names_in_", None)
        estimator.n_features_in_ = int(X.shape[1])
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {name} is expecting {estimator.n_features_in_} "
            "features as input."
        )
    return X

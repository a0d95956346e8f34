"""What inner classifiers say of rows, as logits; in a fit, of rows that they have not seen.

Conventions: n rows, K classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv

from ..core.discriminants import Array
from .training import Metadata, params_of, positions, rows_of

PROBABILITIES = "predict_proba"
DECISIONS = "decision_function"

FOLDS = 5


def response_method(name: str, estimator: Any) -> str:
    """'predict_proba' where the classifier has it, else 'decision_function'."""
    for method in (PROBABILITIES, DECISIONS):
        if hasattr(estimator, method):
            return method
    raise TypeError(
        f"{name} expects a classifier with predict_proba or decision_function, but {estimator!r} "
        "has neither. Pass another estimator, or one that is set to give probabilities."
    )


def as_logits(method: str, outputs: Any, n_classes: int) -> Array:
    """A classifier's outputs as logits (n, K), -inf where a posterior is exactly zero.

    Raises ValueError for outputs that are no posteriors: NaN, negative, or of other classes.
    """
    values = np.asarray(outputs, dtype=np.float64)
    if method == DECISIONS and values.ndim == 1:  # two classes: the log-odds of the second
        values = np.stack([np.zeros(len(values)), values], axis=1)
    if values.ndim != 2 or values.shape[1] != n_classes:
        raise ValueError(
            f"{method} of the classifier should have one column for each of its {n_classes} "
            f"classes, but its shape is {values.shape}. Wrap a classifier of one label a row."
        )
    good = (values < np.inf) & ((values >= 0) | (method == DECISIONS))  # False for NaN
    if not good.all():
        row, column = np.argwhere(~good)[0]
        raise ValueError(
            f"{method} of the classifier is {values[row, column]:g} at row {row}, class number "
            f"{column}, which is no {'probability' if method == PROBABILITIES else 'logit'}. Check "
            "how the classifier was fitted."
        )
    if method == DECISIONS:
        return values
    empty = ~values.any(axis=1)
    if empty.any():
        raise ValueError(
            f"predict_proba of the classifier is zero for every class at row {int(empty.argmax())}."
            " Check how the classifier was fitted."
        )
    with np.errstate(divide="ignore"):
        return np.log(values)


class HeldOut(NamedTuple):
    """Classifiers, and what each says of rows that it was not trained on."""

    estimators: list[Any]
    logits: Array  # (m, K)
    rows: np.ndarray  # (m,), their numbers


def fit_and_hold_out(
    estimator: Any, X: Any, y: np.ndarray, cv: Any, method: str, metadata: Metadata,
    classes: np.ndarray,
) -> HeldOut:  # fmt: skip
    """A classifier fitted to each fold's training rows, and its logits of the others.

    A frozen classifier was trained elsewhere, so it is the only one and all rows are held out.
    """
    n = len(y)
    if isinstance(estimator, FrozenEstimator):
        fitted = clone(estimator).fit(X, y)
        return HeldOut([fitted], logits_of(fitted, X, method, classes), np.arange(n))
    estimators, logits, rows = [], [], []
    for train, test in check_cv(_folds(cv, y), y, classifier=True).split(X, y, **metadata.split):
        params = params_of(metadata.fit, n, train)
        fitted = clone(estimator).fit(rows_of(X, train), y[train], **params)
        estimators.append(fitted)
        logits.append(logits_of(fitted, rows_of(X, test), method, classes))
        rows.append(np.asarray(test))
    return HeldOut(estimators, np.concatenate(logits), np.concatenate(rows))


def logits_of(fitted: Any, X: Any, method: str, classes: np.ndarray) -> Array:
    """Logits (n, K); -inf for classes that the classifier was not trained on."""
    at = positions(np.asarray(fitted.classes_), classes)
    some = as_logits(method, getattr(fitted, method)(X), len(at))
    logits = np.full((len(some), len(classes)), -np.inf)
    logits[:, at] = some
    return logits


def _folds(cv: Any, y: np.ndarray) -> Any:
    """`cv`, or fewer folds where no class has as many rows."""
    cv = FOLDS if cv is None else cv
    if not isinstance(cv, (int, np.integer)):
        return cv
    most = int(np.unique(y, return_counts=True)[1].max())
    if most < 2:
        raise ValueError(
            "Calibration expects a class with at least two rows, so that one can be held out, but "
            f"with n_samples = {len(y)} each row of y has a class of its own. Use calibration=None."
        )
    return min(int(cv), most)

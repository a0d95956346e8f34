"""What a fit is given: labels, weights and metadata, and where each of them goes."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import sklearn
from sklearn.frozen import FrozenEstimator
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import has_fit_parameter

from ..core.discriminants import Array


class Metadata(NamedTuple):
    """Keyword arguments for those who take part in a fit."""

    fit: dict[str, Any]  # for the classifier's `fit`
    split: dict[str, Any]  # for the splitter


def check_labels(y: Any) -> np.ndarray:
    """Class labels (n,), one a row, or ValueError."""
    assert_all_finite(y, input_name="y")
    if np.shape(y)[:1] == (0,):
        raise ValueError(
            "y has 0 sample(s), where a fit expects at least one. Pass rows to train on."
        )
    check_classification_targets(y)
    return column_or_1d(y, warn=True)


def positions(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The number of each label among the classes, (n,), or ValueError for labels not in them."""
    unique, inverse = np.unique(labels, return_inverse=True)
    number = {label: at for at, label in enumerate(classes.tolist())}
    missing = [label for label in unique.tolist() if label not in number]
    if missing:
        raise ValueError(
            f"y should have labels that the classifier knows, which are {classes.tolist()}, but it "
            f"also has {missing}. Remove these rows, or train the classifier on such rows."
        )
    return np.array([number[label] for label in unique.tolist()])[inverse]


def route(owner: Any, estimator: Any, weight: Array | None, fit_params: dict[str, Any]) -> Metadata:
    """Who gets the weights and the other arguments of a fit.

    Without metadata routing all goes to the classifier; weights only if it takes them.
    """
    given = fit_params if weight is None else {**fit_params, "sample_weight": weight}
    if sklearn.get_config()["enable_metadata_routing"]:  # type: ignore[attr-defined]
        routed = process_routing(owner, "fit", **given)
        return Metadata(routed["estimator"]["fit"], routed["splitter"]["split"])
    frozen = isinstance(estimator, FrozenEstimator)
    if weight is not None and not (frozen or has_fit_parameter(estimator, "sample_weight")):
        warnings.warn(
            f"{type(estimator).__name__}.fit takes no sample_weight, so weights count in the "
            "calibration and in the shares of the classes only.",
            UserWarning,
            stacklevel=5,
        )
        given = fit_params
    return Metadata(given, {})


def rows_of(X: Any, index: np.ndarray) -> Any:
    """Some rows of an array, a sparse matrix, a data frame or a list."""
    if hasattr(X, "iloc"):
        return X.iloc[index]
    return X[index] if hasattr(X, "shape") else [X[row] for row in index]


def params_of(params: dict[str, Any], n: int, index: np.ndarray) -> dict[str, Any]:
    """Keyword arguments for some of n rows: those with an entry a row are cut, others are not."""
    return {
        name: rows_of(value, index) if _n_entries(value) == n else value
        for name, value in params.items()
    }


def _n_entries(value: Any) -> int | None:
    shape = getattr(value, "shape", None)
    if shape is None and isinstance(value, (list, tuple)):
        return len(value)
    return shape[0] if shape else None

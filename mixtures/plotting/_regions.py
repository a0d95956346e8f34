"""What a picture of regions asks of a classifier, and what it refuses.

Conventions: n rows, K classes, m points along each side of a grid; p points are some of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

BLOCK = 2**14  # points that are classified at once; a wide network needs many numbers a point
MARGIN = 0.06  # of the range of a feature, beyond its least and its largest value

LEAST = 1e-300  # of a posterior probability, for its logarithm


def classes_of(estimator: Any, display: str) -> np.ndarray:
    """Labels of a fitted classifier (K,), or a sentence."""
    check_is_fitted(estimator)
    if not (hasattr(estimator, "classes_") and hasattr(estimator, "predict")):
        raise TypeError(
            f"{display} draws classifiers, which have classes_ and predict, but got "
            f"{type(estimator).__name__}; MixtureDisplay draws Gaussian mixtures."
        )
    return np.asarray(estimator.classes_)


def names_of(given: Sequence[Any] | None, classes: np.ndarray) -> list[Any]:
    """The names given to the classes, or their labels."""
    names = list(classes if given is None else given)
    if len(names) != len(classes):
        raise ValueError(
            f"class_names should have one name for each of the {len(classes)} classes, but got "
            f"{names!r}."
        )
    return names


def two_features(X: ArrayLike) -> np.ndarray:
    """X as numbers (n, 2), or a sentence."""
    rows = check_array(X, dtype=np.float64, input_name="X")
    if rows.shape[1] != 2:
        raise ValueError(
            "ClassRegionsDisplay draws the plane of two features, but the shape of X is "
            f"{rows.shape}. Fit and draw a classifier of two columns of it, or of two components "
            "of a PCA."
        )
    return rows


def codes_of(y: ArrayLike, classes: np.ndarray, n: int) -> np.ndarray:
    """Numbers of the classes of n rows, (n,)."""
    given = np.asarray(y)
    if given.shape != (n,):
        raise ValueError(
            f"y should have one class for each of the {n} rows of X, shape ({n},), but its shape "
            f"is {given.shape}."
        )
    equal = given[:, None] == classes
    unknown = given[~equal.any(axis=1)]
    if unknown.size:
        raise ValueError(
            f"y has the class {unknown[0]!r}, which the classifier was not fitted with; its "
            f"classes are {classes.tolist()}. Leave out rows of other classes."
        )
    return equal.argmax(axis=1)


def grid_over(
    rows: np.ndarray, limits: Any, n_points: int
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Sides of a grid, (m,) each, and its points (m, m, 2): a line has one second feature."""
    if n_points < 2:
        raise ValueError(
            f"grid_points should be at least 2 along each axis, but it is {n_points!r}; some three "
            "hundred give smooth borders."
        )
    ends = [_ends(column) for column in rows.T] if limits is None else limits
    across, up = (np.linspace(low, high, n_points) for low, high in ends)
    return (across, up), np.stack(np.meshgrid(across, up), axis=-1)


def _ends(values: np.ndarray) -> tuple[float, float]:
    """From a little below the values to a little above."""
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or 0.5
    return low - margin, high + margin


def in_the_form_of(X: Any) -> Callable[[np.ndarray], Any]:
    """What makes points (p, 2) a data frame with X's columns, where X is one."""
    columns = getattr(X, "columns", None)
    if columns is None:
        return lambda points: points
    if hasattr(X, "iloc"):
        return lambda points: type(X)(points, columns=columns)
    return lambda points: type(X)(points, schema=list(columns), orient="row")  # polars


@dataclass(frozen=True)
class Answers:
    """What a classifier says at each point of a grid."""

    codes: np.ndarray  # (m, m), int: number of the class that `predict` names
    confidence: np.ndarray | None  # (m, m): its posterior probability, where there is one
    lead: np.ndarray | None  # (m, m): how far its log-posterior is above that of any other class


def ask(
    estimator: Any, form: Callable[[np.ndarray], Any], points: np.ndarray, classes: np.ndarray
) -> Answers:
    """The class named at each point (m, m, 2), and its posterior probability.

    The class is what `predict` says, which need not be the likeliest: thresholds may decide.
    """
    shape, flat = points.shape[:-1], points.reshape(-1, 2)
    codes, posteriors = [], []
    with_posterior = hasattr(estimator, "predict_proba")
    for start in range(0, len(flat), BLOCK):
        block = form(flat[start : start + BLOCK])
        codes.append(codes_of(estimator.predict(block), classes, len(block)))
        if with_posterior:
            posteriors.append(np.asarray(estimator.predict_proba(block), dtype=np.float64))
    named = np.concatenate(codes)
    if not with_posterior:
        return Answers(named.reshape(shape), None, None)
    posterior = np.concatenate(posteriors)
    at = np.arange(len(named)), named
    own, others = posterior[at], posterior.copy()
    others[at] = 0.0
    next_best = others.max(axis=1)
    lead = np.log(np.maximum(own, LEAST)) - np.log(np.maximum(next_best, LEAST))
    return Answers(named.reshape(shape), own.reshape(shape), lead.reshape(shape))

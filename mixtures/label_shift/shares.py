"""Shares of classes as users pass them, and posteriors under other shares.

Conventions: n rows, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax

from ..core.discriminants import Array
from ..core.validation import WEIGHT_SUM


def class_vector(name: str, values: ArrayLike, classes: np.ndarray) -> Array:
    """A finite number for each class, (K,), or ValueError."""
    try:
        a = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} should be numbers, one for each of the classes {classes.tolist()}, but got "
            f"{values!r}."
        ) from None
    if a.shape != classes.shape:
        raise ValueError(
            f"{name} should have shape {classes.shape}, one number for each of the classes "
            f"{classes.tolist()} in this order, but its shape is {a.shape}."
        )
    if not np.isfinite(a).all():
        raise ValueError(f"{name} should be finite, but got {a.tolist()}.")
    return a


def check_prior(name: str, prior: ArrayLike, classes: np.ndarray) -> Array:
    """Shares of the classes, (K,), zero or positive, made to sum to one exactly, or ValueError."""
    a = class_vector(name, prior, classes)
    total = float(a.sum())
    if a.min() < 0 or abs(total - 1.0) > WEIGHT_SUM:
        raise ValueError(
            f"{name} should be zero or positive and sum to one, but got {a.tolist()}, whose sum is "
            f"{total:.7g}. Divide it by its sum."
        )
    return a / total


def prior_to_predict_with(
    predict_prior: Any, train_prior: Array, classes: np.ndarray
) -> Array | None:
    """What `predict_prior` means, (K,), or None where posteriors stay as they are."""
    known = train_prior > 0
    if isinstance(predict_prior, str):
        return None if predict_prior == "train" else known / known.sum()
    prior = check_prior("predict_prior", predict_prior, classes)
    unknown = (prior > 0) & ~known
    if unknown.any():
        raise ValueError(
            f"predict_prior should be zero for classes that training did not have, but it is "
            f"{prior[unknown].tolist()} for {classes[unknown].tolist()}, whose density nobody "
            "knows. Set it to zero there, or train on rows of these classes."
        )
    return prior


def adapted(log_posterior: Array, train_prior: Array, prior: Array) -> Array:
    """Log-posteriors (n, K) under another prior: ``posterior * prior / train_prior``, normalised.

    A row that all classes of positive prior exclude gets the limit of vanishing priors for the
    others: a class that the prior excludes is still likelier than an impossible one.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log(prior) - np.log(train_prior)
        limit = -np.log(train_prior)
    values = log_posterior + np.where(prior > 0, change, -np.inf)
    for other in (np.where(train_prior > 0, limit, -np.inf), 0.0):
        lost = ~np.isfinite(values.max(axis=1))
        values[lost] = (log_posterior + other)[lost]
    return log_softmax(values, axis=1)

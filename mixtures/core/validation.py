"""The one place for validation: what users pass, turned into what the engine takes, or refused.

A refusal is one sentence on what was expected, what arrived, and what to do.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import validate_data

from .discriminants import Array

WEIGHT_SUM = 1e-6
"""How far the sum of mixing weights may be from one: float32 weights add up to within this."""

EXTREME = 300  # power of two of weights that no count of rows reaches

LAST_EXACT = 2**53
"""Integers beyond are rounded when they become float64."""

FLOATS = [np.float64, np.float32]

INTEGERS = [np.dtype(f"{sign}{size}") for sign in "iu" for size in (1, 2, 4, 8)]

SQUARABLE = 2.0**-510, 2.0**510
"""Standard deviations whose squares are numbers."""


def refuse_lazy_array(name: str, X: Any) -> None:
    """TypeError for a dask collection, which scikit-learn would silently pull into memory."""
    if hasattr(X, "__dask_graph__"):
        raise TypeError(
            f"{name} expects rows in memory, but got a dask {type(X).__name__}, which would have "
            "to be computed whole. Call .compute() on it first if it fits into memory."
        )


SQUARABLE_SINGLE = 2.0**-43, 2.0**63
"""The same in single precision; 1e-12 of these squares still is a number, too."""


def refuse_unsquarable(name: str, scale: Array, *, single: bool = False) -> None:
    """ValueError for a spread ``1 / scale`` (d,) whose square, the variance, is no number.

    `single`: none of single precision.
    """
    low, high = SQUARABLE_SINGLE if single else SQUARABLE
    kind = "single-precision" if single else "floating-point"
    for feature in np.flatnonzero((1.0 / scale > high) | (1.0 / scale < low)):
        raise ValueError(
            f"{name} expects features whose variance is a {kind} number, but feature "
            f"{feature} has a standard deviation of about {1.0 / scale[feature]:.3g} (or, if it is "
            f"constant, this size). Multiply the data by a constant near {scale[feature]:.3g}."
        )


def float_type(rows: Any) -> Any:
    """The type of what a fit to these rows returns: float32 for float32, else float64."""
    return np.float32 if rows.dtype == np.float32 else np.float64


def check_rows(estimator: Any, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> np.ndarray:
    """X as float32 or float64 of shape (n, d), all finite; names and width checked or learnt.

    scikit-learn's `validate_data`, with a short way through it for what needs no conversion: it
    is a tenth of a fit to 1000 rows.
    """
    if (
        type(X) is np.ndarray
        and X.dtype in FLOATS
        and X.ndim == 2
        and len(X) >= ensure_min_samples
        and X.shape[1] > 0
        and _sum_is_finite(X)
    ):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return X
    integers = isinstance(X, np.ndarray) and X.dtype.kind in "iu" and X.size
    if integers and max(int(X.max()), -int(X.min())) > LAST_EXACT:
        warnings.warn(
            f"X contains integers beyond 2**53 = {LAST_EXACT}, which float64 rounds. Subtract a "
            "constant first.",
            UserWarning,
            stacklevel=2,
        )
    return validate_data(
        estimator, X, dtype=FLOATS, reset=reset, ensure_min_samples=ensure_min_samples
    )


def check_codes(
    estimator: Any, X: Any, *, reset: bool, ensure_min_samples: int = 1, sparse: bool = True
) -> Any:
    """X as booleans, integers or floats of shape (n, d), NaN allowed, or as CSR of floats."""
    return validate_data(
        estimator,
        X,
        dtype=[np.float64, np.float32, np.bool_, *INTEGERS],
        accept_sparse="csr" if sparse else False,
        ensure_all_finite="allow-nan",
        reset=reset,
        ensure_min_samples=ensure_min_samples,
    )


def check_densities(estimator: Any, F: Any, *, reset: bool) -> np.ndarray:
    """Densities or log-densities as float32 or float64 of shape (n, K); their values unchecked."""
    return validate_data(
        estimator, F, dtype=FLOATS, ensure_all_finite=False, reset=reset, order=None
    )


def _sum_is_finite(X: np.ndarray) -> bool:
    """Whether X is surely finite; False may also mean that its sum overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(X.sum(dtype=np.float64)))


def check_sample_weight(sample_weight: ArrayLike | None, n_samples: int) -> Array | None:
    """Row weights as float64 of shape (n,), or None where they are all one.

    Raises
    ------
    ValueError
        For a wrong shape, NaN or infinite weights, negative weights, or weights that are all zero.
    """
    if sample_weight is None:
        return None
    w = np.asarray(sample_weight)
    if w.dtype.kind == "c":
        raise ValueError("sample_weight must be real numbers, but got complex ones.")
    try:
        w = w.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"sample_weight must be numbers, but got {type(sample_weight).__name__}: {error}."
        ) from None
    if w.ndim == 0:
        w = np.full(n_samples, float(w))
    if w.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {w.shape}, expected {(n_samples,)}: one weight for each row "
            "of X."
        )
    if not np.isfinite(w).all():
        row = int(np.flatnonzero(~np.isfinite(w))[0])
        raise ValueError(
            f"sample_weight must be finite, but weight {row} is {w[row]}. Replace it, or drop the "
            "row (a weight of zero does)."
        )
    if (w < 0).any():
        row = int(np.argmax(w < 0))
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: weight {row} is {w[row]:g}. "
            "Weights must be zero or positive."
        )
    if not w.any():
        raise ValueError(
            "Sample weights must contain at least one non-zero number, but all of sample_weight "
            "is zero. Pass None to weight all rows equally."
        )
    return np.ascontiguousarray(w)


def refuse_negative(name: str, X: np.ndarray) -> None:
    """ValueError for negative numbers where counts are expected."""
    if X.min() < 0:
        raise ValueError(
            f"Negative values in data passed to {name}: it expects counts >= 0, but X contains "
            f"{X.min():g}. Use GaussianMixture for data that can be negative."
        )


def normalise_weights(w: Array | None, has_prior: bool) -> Array | None:
    """Weights divided by a power of two, so that the largest is between one and two.

    Without a prior weights have no unit. With one they count rows against its pseudo-rows, and are
    left alone.
    """
    if w is None:
        return None
    exponent = int(np.frexp(w.max())[1]) - 1
    if not has_prior:
        return np.ldexp(w, -exponent) if exponent else w
    if abs(exponent) > EXTREME:
        raise ValueError(
            f"With a prior, sample_weight counts rows against pseudo-rows, but the largest weight "
            f"is {w.max():g}. Divide the weights by a constant, or leave out the priors."
        )
    return w


def drop_weightless(X: np.ndarray, w: Array | None) -> tuple[np.ndarray, Array | None]:
    """Rows of weight zero removed, so that they change no bit of the result."""
    if w is None or w.all():
        return X, w
    return X[w > 0], w[w > 0]


def check_enough_samples(n_samples: int, n_components: int) -> None:
    """ValueError where there are fewer rows than components."""
    if n_samples < n_components:
        raise ValueError(
            f"Expected n_samples >= n_components but got n_components = {n_components}, "
            f"n_samples = {n_samples}. Decrease n_components or pass more rows of positive weight."
        )


def check_shape(name: str, array: ArrayLike, shape: tuple[int, ...]) -> Array:
    """A parameter array as float64, finite and of the shape expected."""
    try:
        a = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The parameter '{name}' should be numbers of shape {shape}, but got {array!r}: {error}"
        ) from None
    if a.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {a.shape}"
        )
    if not np.isfinite(a).all():
        raise ValueError(f"The parameter '{name}' should be finite, but contains NaN or infinity.")
    return a


def check_range(name: str, array: Array, low: float, high: float) -> Array:
    """A parameter array whose numbers are within bounds, or ValueError."""
    if array.size and not (low <= array.min() and array.max() <= high):
        raise ValueError(
            f"The parameter '{name}' should be in the range [{low:g}, {high:g}], but got max value "
            f"{array.max():.5g}, min value {array.min():.5g}"
        )
    return array


def check_weights(weights: ArrayLike, n_components: int, name: str = "weights") -> Array:
    """Mixing weights: shape (k,), in [0, 1], summing to one."""
    w = check_shape(name, weights, (n_components,))
    low, high, total = float(w.min()), float(w.max()), float(w.sum())
    if low < 0 or high > 1:
        raise ValueError(
            f"The parameter '{name}' should be in the range [0, 1], but got max value "
            f"{high:.5f}, min value {low:.5f}"
        )
    if abs(total - 1.0) > WEIGHT_SUM:
        raise ValueError(
            f"The parameter '{name}' should be normalized, but got sum({name}) = {total:.5f}"
        )
    return w


def check_same_size(fitted: int, n_components: int) -> None:
    """ValueError where a warm start is asked for with another number of components."""
    if fitted != n_components:
        raise ValueError(
            f"warm_start continues from a fit of {fitted} components, but n_components is now "
            f"{n_components}. Set n_components back, or warm_start=False to start anew."
        )

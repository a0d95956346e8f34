"""Rows in which numbers are missing (NaN): whether there are any, and a frame for what is there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from ..core import validation
from ..core.discriminants import Array, Frame
from ..core.frames import own_frame, power_of_two_scale


def check_rows(
    estimator: Any, X: Any, *, reset: bool, allow_nan: bool, ensure_min_samples: int = 1
) -> tuple[np.ndarray, bool]:
    """X as float32 or float64 of shape (n, d), infinity refused, and whether a number is NaN.

    Names and width are checked or learnt. What needs no conversion is read once.
    """
    validation.refuse_lazy_array(type(estimator).__name__, X)
    shaped = type(X) is np.ndarray and X.ndim == 2 and len(X) >= ensure_min_samples and X.size
    if shaped and X.dtype in validation.FLOATS and _sum_is_finite(X):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return X, False
    integers = getattr(getattr(X, "dtype", None), "kind", "f") in "iu"
    if not allow_nan or integers:
        return validation.check_rows(
            estimator, X, reset=reset, ensure_min_samples=ensure_min_samples
        ), False
    rows = validate_data(
        estimator,
        X,
        dtype=validation.FLOATS,
        ensure_all_finite="allow-nan",
        reset=reset,
        ensure_min_samples=ensure_min_samples,
    )
    return rows, has_gaps(rows)


def _sum_is_finite(rows: np.ndarray) -> bool:
    """Whether all numbers are surely finite; False may also mean that their sum overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(rows.sum(dtype=np.float64)))


def has_gaps(rows: np.ndarray) -> bool:
    """Whether a number is NaN."""
    return not _sum_is_finite(rows) and bool(np.isnan(rows).any())


def refuse_empty_features(estimator: Any, rows: np.ndarray) -> None:
    """ValueError where no row has a number for a feature."""
    empty = np.flatnonzero(np.isnan(rows).all(axis=0))
    if empty.size:
        raise ValueError(
            f"{type(estimator).__name__} expects at least one number in every feature, but "
            f"{list_features(estimator, empty)} has NaN alone, in all rows of positive weight. "
            "Drop it."
        )


def list_features(estimator: Any, features: np.ndarray, most: int = 5) -> str:
    """Features by name where names are known, by number if not."""
    names = getattr(estimator, "feature_names_in_", None)
    some = [str(j) if names is None else repr(names[j]) for j in features[:most].tolist()]
    more = f" and {len(features) - most} more" if len(features) > most else ""
    counted = " (counted from 0)" if names is None else ""
    return ("feature " if len(features) == 1 else "features ") + ", ".join(some) + more + counted


def frame_rows_with_gaps(
    rows: np.ndarray, w: Array | None, *, common_scale: bool
) -> tuple[Frame, Array]:
    """The frame centred and scaled by what is observed, and the rows in it, NaN where missing.

    Every feature (d,) has a number.
    """
    there = ~np.isnan(rows)
    centre = np.take_along_axis(rows, there.argmax(axis=0)[None], axis=0)[0].astype(np.float64)
    with np.errstate(over="ignore"):
        reach = np.nanmax(np.abs(rows - centre), axis=0)
    scale = power_of_two_scale(reach)
    Z = (rows - centre) * scale
    share = there * (1.0 if w is None else w[:, None])
    share = share / share.sum(axis=0)
    mean = (share * np.where(there, Z, 0.0)).sum(axis=0)
    variance = (share * np.where(there, Z - mean, 0.0) ** 2).sum(axis=0)
    frame = own_frame(centre + mean / scale, np.sqrt(variance) / scale, common_scale=common_scale)
    return frame, frame.to_frame(rows.astype(np.float64))

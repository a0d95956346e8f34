"""Hyperparameters as users pass them, checked and broadcast."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..core.discriminants import Array

MOST = 1e13
"""The log-density is a difference of numbers about as large, so it is off by 1e-16 of this."""


def numbers(name: str, value: ArrayLike, least: float, advice: str) -> Array:
    """`value` as float64, finite and at least `least`.

    Raises ValueError with `advice` if it is not; `name` is "Prior expects its_hyperparameter".
    """
    try:
        a = np.asarray(value)
    except ValueError:  # a ragged list
        a = np.asarray(None)
    if a.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} to be a number or an array of numbers, but got {value!r}. {advice}"
        )
    a = a.astype(np.float64)
    if not np.all(np.isfinite(a) & (a >= least)):
        raise ValueError(
            f"{name} to be finite and >= {least:g} (a number, or an array of the parameters' "
            f"shape), but got {value!r}. {advice}"
        )
    if np.any(a > MOST):
        raise ValueError(
            f"{name} to be at most {MOST:g}, but got {value!r}: with more pseudo-data the "
            "log-density has no digits left. Fix the parameter at its mode instead."
        )
    return a


def spread(name: str, value: ArrayLike, shape: tuple[int, ...], whose: str) -> Array:
    """`value` as a read-only float64 array of the parameters' shape.

    Raises ValueError if it does not broadcast to it; `whose` says what parameters these are.
    """
    a = np.asarray(value, dtype=np.float64)
    try:
        return np.broadcast_to(a, shape)
    except ValueError:
        raise ValueError(
            f"{name} to be a number or an array that broadcasts to the {whose}, which have shape "
            f"{shape}, but got shape {a.shape}. Pass one number for all, or one for each."
        ) from None

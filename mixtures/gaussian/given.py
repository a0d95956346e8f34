"""What a user gives a Gaussian mixture to start from, and what its prior is scaled by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..core import validation
from ..core.discriminants import Array, Frame
from ..core.frames import Totals
from ..covariance import AbstractCovariance


def given_covariances(
    name: str, structure: AbstractCovariance, precisions: ArrayLike, k: int, d: int
) -> Array:
    """Covariances from `precisions_init`, in data units, or a sentence on what is wrong with it."""
    name = f"{name} precision"
    shape = structure.from_dense(np.eye(d), k).shape
    checked = validation.check_shape(name, precisions, shape)
    if not structure.admits(checked):
        raise ValueError(f"'{name}' should be {structure.requirement}; check precisions_init.")
    return structure.invert(checked)


def sample_covariance(totals: Totals, frame: Frame) -> Array:
    """The data's covariance (d, d) in their own units, with divisor n - 1.

    Where only variances were measured, as for low-rank covariances of many features, diagonal.
    """
    rows = max(totals.weight - 1.0, 1.0)
    if totals.squares is not None:
        return np.diag(totals.squares / rows / frame.scale**2)
    return totals.scatter / rows / frame.scale / frame.scale[:, None]

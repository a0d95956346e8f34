"""Rows with weights as a fit takes them, and what a fit makes of centres."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..core import validation
from ..core.discriminants import Array
from ..core.frames import power_of_two_scale
from ..core.labelling import label, labels_of
from ..core.point_frame import Rows
from ..core.points import Labels


class TrainingRows(NamedTuple):
    """Validated rows and weights; rows of weight zero are as good as absent."""

    everything: Rows  # (n, d), all rows
    rows: Rows  # (m, d), those of positive weight
    weight: Array | None  # (m,), theirs, in units of `unit`; None where they are all one
    unit: float  # a power of two
    kept: np.ndarray | None  # (m,), which rows they are; None where all are

    @classmethod
    def of(cls, X: Rows, sample_weight: ArrayLike | None) -> TrainingRows:
        given = validation.check_sample_weight(sample_weight, X.shape[0])
        rows, w = validation.drop_weightless(X, given)
        weight = validation.normalise_weights(w, has_prior=False)
        unit = 1.0 if w is None or weight is None else float(w.max() / weight.max())
        kept = None if given is None or rows is X else np.flatnonzero(given)
        return cls(X, rows, weight, unit, kept)

    def describe(self, centres: np.ndarray, n_threads: int | None) -> tuple[Labels, float, int]:
        """Labels of all rows, inertia in the data's units, and how many clusters have rows."""
        labels, inertia, distinct = label(self.rows, self.weight, centres, n_threads)
        if self.kept is not None:
            labels = labels_of(self.everything, centres, n_threads)
        return labels, inertia * self.unit, distinct


def refuse_unsquarable(name: str, deviation: Array) -> None:
    """ValueError where the largest of the features' standard deviations (d,) has no square."""
    widest, scale = deviation.argmax(), np.ones(len(deviation))
    if deviation[widest] > 0:
        scale[widest] = power_of_two_scale(deviation[widest])
    validation.refuse_unsquarable(name, scale)


def refuse_infinite(inertia: float, name: str) -> float:
    """The inertia; ValueError if no float is so large."""
    if math.isnan(inertia):
        raise ArithmeticError(f"{name} computed an inertia that is no number. Please report it.")
    if not math.isfinite(inertia):
        raise ValueError(
            f"{name} expects rows and weights whose inertia, the weighted sum of squared distances "
            "to the centers, is a floating-point number, but it is beyond 1.8e308. Divide X or "
            "sample_weight by a constant."
        )
    return inertia

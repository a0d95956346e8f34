"""The frame of a data set: centre it, and scale it by powers of two.

Squares and products are then of order one whatever the data's units, so data of size 1e-150 or
1e150 can be fitted, a shift by 1e8 costs no digits, and scaling by 2**m changes no bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .blocks import ArraySource
from .discriminants import LINEAR, Array, Discriminants, Frame
from .statistics import DIAGONAL, FULL

SAMPLE = 200  # about so many rows find the first frame; the second one comes from all


ROUNDED = 16 * np.finfo(float).eps
"""Standard deviation of a feature, relative to its mean, that is rounding."""

SMALLEST = 2.0**-500
"""Size below which a constant feature is as good as zero: its square would be no number."""

CONSTANT = 1e-10
"""Standard deviation in its own frame, where it is about one, of a feature that is constant."""


class Totals(NamedTuple):
    """Mean and scatter of all rows, in the coordinates of a frame."""

    weight: float
    mean: Array  # (d,)
    scatter: Array  # (d, d), sum_i w_i (z_i - mean)(z_i - mean)'; (0, 0) where nobody measured it
    unit: Array | None = None  # (d,), differences of features that count as equal, without scatter
    squares: Array | None = None  # (d,), the scatter's diagonal, where no more was measured

    @property
    def covariance(self) -> Array:
        return self.scatter / self.weight

    @property
    def variances(self) -> Array:
        """Of each feature (d,)."""
        own = np.diagonal(self.scatter) if self.squares is None else self.squares
        return own / self.weight

    def to_frame(self, old: Frame, new: Frame) -> Totals:
        """The same totals in other coordinates."""
        ratio = new.scale / old.scale
        mean = new.to_frame(old.from_frame(self.mean))
        if self.squares is None:
            return Totals(self.weight, mean, self.scatter * ratio * ratio[:, None])
        squares = self.squares * ratio**2
        unit = np.sqrt(squares / self.weight)
        unit = np.where(unit < CONSTANT, 1.0, unit)
        return Totals(self.weight, mean, self.scatter, unit, squares)


def power_of_two_scale(spread: Array) -> Array:
    """Powers of two that bring `spread` to about one; one where there is no spread."""
    exponent = np.frexp(spread)[1]  # 0 for a spread of zero
    return np.ldexp(1.0, -np.minimum(np.maximum(exponent, -1020), 1020))


def measure(source: ArraySource, *, pairs: bool = True) -> Totals:
    """Mean and scatter of a source's rows in its own frame: one pass, one component.

    Without `pairs`, only the diagonal of the scatter, for d features in O(d) memory.
    """
    d = source.n_features
    everything = Discriminants(
        LINEAR, np.zeros((d, 1)), np.empty((0, 1)), np.zeros(1), np.zeros((1, d))
    )
    stats = source.accumulate(everything, FULL if pairs else DIAGONAL)
    mean = stats.first[0] / stats.counts[0]
    if not pairs:
        squares = stats.second[0] - stats.counts[0] * mean**2
        return Totals(float(stats.counts[0]), mean, np.empty((0, 0)), squares=squares)
    scatter = stats.second[0] - stats.counts[0] * np.outer(mean, mean)
    return Totals(float(stats.counts[0]), mean, scatter)


def first_frame(rows: np.ndarray) -> Frame:
    """A frame around the unweighted mean of some rows (m, d), scaled by their largest distance."""
    with np.errstate(over="ignore", invalid="ignore"):
        centre = rows.mean(axis=0, dtype=np.float64)
        reach = np.abs(rows - centre).max(axis=0)
    if not np.isfinite(reach).all():  # numbers near the largest: half of them, then
        centre = 2.0 * (rows * (0.5 / len(rows))).sum(axis=0, dtype=np.float64)
        reach = 2.0 * np.abs(0.5 * rows - 0.5 * centre).max(axis=0)
    return Frame(centre, power_of_two_scale(reach))


def framed(
    X: np.ndarray,
    sample_weight: Array | None,
    *,
    centred: bool = True,
    common_scale: bool = False,
    pairs: bool = True,
    n_threads: int | None = 1,
) -> tuple[ArraySource, Totals]:
    """Rows in their own frame, with their totals there.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
    sample_weight : ndarray of shape (n,), or None
    centred : bool
        False for families that are no location-scale families: the frame is then the identity.
    common_scale : bool
        One scale for all features, for models that are not equivariant under a change of the
        units of single features (spherical covariances).
    pairs : bool
        Whether the totals have the whole scatter, or variances only.
    """
    step = max(1, len(X) // SAMPLE)
    source = ArraySource(
        X, sample_weight, frame=first_frame(np.ascontiguousarray(X[::step])), n_threads=n_threads
    )
    totals = measure(source, pairs=pairs)
    if not np.isfinite(totals.variances).all():  # rows outside the sample are larger by far
        top = np.maximum(np.abs(X.max(axis=0)), np.abs(X.min(axis=0))).astype(np.float64)
        source.frame = Frame(source.frame.centre, power_of_two_scale(top) * 0.25)
        totals = measure(source, pairs=pairs)
    old = source.frame
    source.frame = _own_frame(old, totals, common_scale) if centred else Frame.identity(X.shape[1])
    totals = totals.to_frame(old, source.frame)
    if common_scale and totals.squares is not None:  # differences count alike in all features
        unit = np.full(X.shape[1], np.sqrt(totals.variances.mean()) or 1.0)
        totals = totals._replace(unit=unit)
    return source, totals


def _own_frame(frame: Frame, totals: Totals, common_scale: bool) -> Frame:
    """The frame centred at the mean and scaled by the standard deviations, from another one."""
    spread = np.sqrt(np.maximum(totals.variances, 0.0)) / frame.scale
    return own_frame(frame.from_frame(totals.mean), spread, common_scale=common_scale)


def own_frame(mean: Array, spread: Array, *, common_scale: bool) -> Frame:
    """The frame made of means and standard deviations (d,) in the units of the data.

    A feature that varies by rounding alone is scaled by its size, so that it is nearly zero.
    """
    size = np.abs(mean)
    rounded = spread <= ROUNDED * size
    if common_scale:
        spread = np.full_like(spread, np.where(rounded, 0.0, spread).max())
    else:
        spread = np.where(rounded, np.where(size > SMALLEST, size, 0.0), spread)
    return Frame(mean, power_of_two_scale(spread))

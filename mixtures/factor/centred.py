"""Rows as blocks of centred numbers, for products with matrices that are never d by d.

n rows, d features, m columns of a factor of a product.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core.discriminants import Array, Frame
from ..core.frames import ROUNDED
from ..core.point_frame import frame_rows

BLOCK = 1 << 20  # numbers of a block: 8 MiB, so that a product waits for memory once


class CentredRows(NamedTuple):
    """Weighted rows in a frame about their mean, with one scale for all features.

    With ``A = sqrt(w / W) (X - mean) scale`` (n, d) the n-normalised covariance is ``A' A``.
    """

    X: np.ndarray  # (n, d), float32 or float64
    root_weight: Array  # (n,), sqrt(w / W)
    frame: Frame

    @classmethod
    def of(cls, X: np.ndarray, w: Array | None, n_threads: int | None) -> CentredRows:
        """Rows about their weighted mean: that of a rough frame, corrected by one more pass."""
        n = len(X)
        share = np.full(n, 1.0 / n) if w is None else w / w.sum()
        rough = cls(X, np.sqrt(share), frame_rows(X, w, n_threads).frame)
        shift = np.zeros(X.shape[1])
        for lo, hi in rough.cuts():
            shift += share[lo:hi] @ rough.numbers(lo, hi)
        return rough._replace(frame=Frame(rough.frame.from_frame(shift), rough.frame.scale))

    @property
    def n_features(self) -> int:
        return self.X.shape[1]

    def cuts(self) -> list[tuple[int, int]]:
        """Ranges of rows of which centred copies are made at a time."""
        n, d = self.X.shape
        step = max(BLOCK // d, 64)
        return [(lo, min(lo + step, n)) for lo in range(0, n, step)]

    def numbers(self, lo: int, hi: int) -> Array:
        """Rows lo..hi in the frame."""
        return self.frame.to_frame(self.X[lo:hi].astype(np.float64))

    def roots(self) -> Iterator[tuple[slice, Array]]:
        """``A``, some rows at a time."""
        for lo, hi in self.cuts():
            yield slice(lo, hi), self.numbers(lo, hi) * self.root_weight[lo:hi, None]

    def times(self, V: Array) -> Array:
        """``A' A V`` (d, m) of V (d, m)."""
        product = np.zeros(V.shape)
        for _, A in self.roots():
            product += A.T @ (A @ V)
        return product

    def triangle(self, V: Array) -> Array:
        """R (m, m) of ``A V = Q R``, V (d, m): of its size in all directions, nothing squared."""
        R: Any = np.empty((0, V.shape[1]))
        for _, A in self.roots():
            R = np.linalg.qr(np.vstack([R, A @ V]), mode="r")
        return R

    def transposed_times(self, V: Array) -> Array:
        """``A' V`` (d, m) of V (n, m)."""
        product = np.zeros((self.n_features, V.shape[1]))
        for rows, A in self.roots():
            product += A.T @ V[rows]
        return product

    def gram(self) -> Array:
        """``A A'`` (n, n); features are cut into blocks, as rows are few."""
        n, d = self.X.shape
        step, product = max(BLOCK // n, 64), np.zeros((n, n))
        for lo in range(0, d, step):
            some = slice(lo, min(lo + step, d))
            frame = Frame(self.frame.centre[some], self.frame.scale[some])
            A = frame.to_frame(self.X[:, some].astype(np.float64)) * self.root_weight[:, None]
            product += A @ A.T
        return product

    def variance_off(self, axes: Array) -> float:
        """Variance that orthonormal axes (q, d) leave, a sum of squares of what is left."""
        left = 0.0
        for _, A in self.roots():
            left += float(np.square(A - (A @ axes.T) @ axes).sum())
        return left


def all_constant(centre: Array, deviation: Array) -> bool:
    """Whether every feature varies by rounding alone; both (d,), in the units of the data."""
    return bool((deviation <= ROUNDED * np.abs(centre)).all())

"""The observed information of an EM problem, and its smallest eigenvalue.

The information is the negative derivative of the gradient, by central differences along one
direction at a time: as a matrix where coordinates are few, by Lanczos' method where they are many.
m coordinates, f of them free.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

from .discriminants import Array
from .gradient import FEW, AbstractGradient

LEAST_STEPS, MOST_STEPS, RESOLVED = 30, 300, 1e-3

SAME = 1e-10
"""Relative size of what is left of a direction that others already have, and of rounding."""


class Eigen(NamedTuple):
    """Eigenvalues found, the smallest first, their vectors (f, e), and their accuracy."""

    values: Array  # (e,)
    vectors: Array  # (f, e)
    error: float  # of the smallest


class Information:
    """The observed information at x, of the f free coordinates, each in units of `scale`.

    With the root of the complete-data information for `scale` (f,), it is one on the diagonal
    where no information is missing.

    Parameters
    ----------
    gradient : AbstractGradient
    x : ndarray of shape (m,)
    free : ndarray of shape (m,), bool
    sums : ndarray of shape (m,), int
    still : ndarray of shape (r, m)
        See `Coordinates.sums` and `.still`: directions in which nothing changes are taken out.
    """

    def __init__(
        self, gradient: AbstractGradient, x: Array, free: np.ndarray, sums: np.ndarray, still: Array
    ) -> None:
        self._gradient, self._x, self._free = gradient, x, np.flatnonzero(free)
        self.scale = np.sqrt(gradient.information[self._free])
        # Central differences err by h^2 and by noise / h: least for h the cube root of the noise.
        self.step = gradient.noise ** (1 / 3)
        _, self._sums = np.unique(sums[self._free], return_inverse=True)
        belongs = sums[self._free] >= 0
        self._redundant = np.where(belongs, self.scale, 0.0)
        norms = np.sqrt(np.bincount(self._sums, self._redundant**2))
        self._redundant /= np.where(norms > 0, norms, 1.0)[self._sums]
        u, s, _ = np.linalg.svd((still[:, self._free] * self.scale).T, full_matrices=False)
        self._still = u[:, s > SAME * s.max(initial=0.0)]
        self.size = len(self._free) - int((norms > 0).sum()) - self._still.shape[1]

    def project(self, v: Array) -> Array:
        """`v` (f,) without what only adds a number to all logarithms of one sum, or is `still`."""
        along = np.bincount(self._sums, self._redundant * v)
        v = v - self._redundant * along[self._sums]
        return v - self._still @ (self._still.T @ v)

    def apply(self, v: Array, step: float) -> Array:
        """The information times v (f,), by a difference over `step` units."""
        move = v / self.scale
        reach = float((np.abs(move) / self._gradient.units[self._free]).max())
        t = step / reach
        delta = np.zeros(len(self._x))
        delta[self._free] = t * move
        change = self._gradient(self._x - delta) - self._gradient(self._x + delta)
        return change[self._free] / (2 * t * self.scale)

    def smallest(self) -> Eigen:
        """The smallest eigenvalue among the directions that change something."""
        found = self._dense() if len(self._free) <= FEW else self._lanczos()
        # Along the vector found, extrapolate to a step of zero, and see what another one changes.
        v = found.vectors[:, 0]
        at = [float(v @ self.apply(v, self.step * size)) for size in (1, 2, 4)]
        value, coarse = ((4 * fine - wide) / 3 for fine, wide in pairwise(at))
        found.values[0] = value
        error = found.error + abs(value - coarse) + self._gradient.noise / self.step
        return found._replace(error=error)

    def _dense(self) -> Eigen:
        f = len(self._free)
        eye = np.eye(f)
        matrix = np.array([self.apply(e, self.step) for e in eye])
        skew = float(np.linalg.norm(matrix - matrix.T)) / 2
        matrix = (matrix + matrix.T) / 2
        kept = np.array([self.project(e) for e in eye])
        # Redundant directions are lifted above all others.
        lift = 1.0 + float(np.abs(matrix).sum(axis=1).max())
        values, vectors = np.linalg.eigh(kept @ matrix @ kept + lift * (eye - kept))
        values, vectors = values[: self.size], vectors[:, : self.size]
        # The Rayleigh quotient of a vector errs by the square of what is wrong with the matrix.
        gap = float(values[1] - values[0]) if self.size > 1 else np.inf
        return Eigen(values, vectors, skew * skew / max(gap, skew) if skew else 0.0)

    def _lanczos(self) -> Eigen:
        floor = self._gradient.noise / self.step
        start = np.random.default_rng(0).standard_normal(len(self._free))

        def lifted(v: Array) -> Array:
            # The mean eigenvalue is at most one; with two, redundant directions are not the least.
            kept = self.project(v)
            return self.project(self.apply(kept, self.step)) + 2.0 * (v - kept)

        return lanczos(lifted, start, floor)


def lanczos(apply: Callable[[Array], Array], start: Array, floor: float) -> Eigen:
    """The smallest eigenvalue of a symmetric operator, by Lanczos' method from `start` (f,).

    With full reorthogonalisation. It ends when the residual, which bounds the distance to an
    eigenvalue, is below `floor` or a thousandth of the value; but not before `LEAST_STEPS`, since
    an eigenvector of which `start` has little takes some steps to show.
    """
    most = min(MOST_STEPS, len(start))
    basis = np.empty((most, len(start)))
    diagonal, beside = np.empty(most), np.empty(most)
    v = start / np.linalg.norm(start)
    for i in range(most):
        basis[i] = v
        w = apply(v)
        diagonal[i] = v @ w
        for _ in range(2):
            w -= (basis[: i + 1] @ w) @ basis[: i + 1]
        beside[i] = np.linalg.norm(w)
        value, vector = eigh_tridiagonal(
            diagonal[: i + 1], beside[:i], select="i", select_range=(0, 0)
        )
        residual = float(beside[i] * abs(vector[-1, 0]))
        if beside[i] <= floor or (
            i + 1 >= LEAST_STEPS and residual <= max(floor, RESOLVED * abs(float(value[0])))
        ):
            break
        v = w / beside[i]
    return Eigen(value, (vector[:, 0] @ basis[: i + 1])[:, None], residual)

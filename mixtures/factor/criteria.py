"""Criteria of simple structure, the sets they are minimised on, and gradient projection.

The sets are the orthogonal matrices, for factors without correlations, and those with columns of
length one, for oblique factors (Jennrich 2001, 2002). d features, q factors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.discriminants import Array

ENOUGH = 1e-4  # share of the fall that the slope promises which a step must make (Armijo 1966)
SHORTENED = 30  # times that a step is shortened
ROUNDING = 1e-15  # of a criterion

Criterion = Callable[[Array], tuple[float, Array]]
"""A function of loadings (d, q) to be minimised, and its derivatives (d, q)."""


def varimax(loadings: Array) -> tuple[float, Array]:
    """Minus a quarter of d times the variances of the squared loadings of each factor."""
    squares = loadings**2
    away = squares - squares.mean(axis=0)
    return -0.25 * float((away**2).sum()), -loadings * away


def quartimax(loadings: Array) -> tuple[float, Array]:
    """Minus a quarter of the sum of fourth powers."""
    return -0.25 * float((loadings**4).sum()), -(loadings**3)


def quartimin(loadings: Array) -> tuple[float, Array]:
    """A quarter of ``sum_i sum_{j != k} l_ij^2 l_ik^2``."""
    squares = loadings**2
    others = squares.sum(axis=1, keepdims=True) - squares
    return 0.25 * float((squares * others).sum()), loadings * others


class Orthogonal:
    """Orthogonal matrices: loadings A T."""

    @staticmethod
    def loadings(A: Array, T: Array) -> Array:
        return A @ T

    @staticmethod
    def pull_back(A: Array, T: Array, by_loadings: Array) -> Array:
        """Derivatives by T, without what leads off the set."""
        g = A.T @ by_loadings
        inner = T.T @ g
        return 0.5 * T @ (inner - inner.T)

    @staticmethod
    def nearest(M: Array) -> Array:
        u, _, vt = np.linalg.svd(M)
        nearest: Array = u @ vt
        return nearest


class Oblique:
    """Matrices with columns of length one, T' T the correlations of factors: loadings A T'^-1."""

    @staticmethod
    def loadings(A: Array, T: Array) -> Array:
        return np.asarray(np.linalg.solve(T, A.T).T, dtype=np.float64)

    @staticmethod
    def pull_back(A: Array, T: Array, by_loadings: Array) -> Array:
        """Derivatives by T, without what leads off the set."""
        inner = by_loadings.T @ np.linalg.solve(T, A.T).T
        g = -np.linalg.solve(T.T, inner)
        return g - T * (T * g).sum(axis=0)

    @staticmethod
    def nearest(M: Array) -> Array:
        return M / np.sqrt((M**2).sum(axis=0))


Kind = type[Orthogonal] | type[Oblique]


def descend(A: Array, T: Array, q: Criterion, kind: Kind, max_iter: int, tol: float) -> Array:
    """From T to a stationary point, by projected gradients with Barzilai and Borwein's lengths."""
    value, slope = q(kind.loadings(A, T))
    g = kind.pull_back(A, T, slope)
    size, length = float((g**2).sum()), 1.0
    small = (tol * scale(A)) ** 2
    for _ in range(max_iter):
        if size <= small:
            break
        for _ in range(SHORTENED):
            new = kind.nearest(T - length * g)
            lower, slope = q(kind.loadings(A, new))
            flatter = kind.pull_back(A, new, slope)
            left = float((flatter**2).sum())
            # Near the end falls are below rounding, and gradients tell more.
            flat = lower <= value + ROUNDING * abs(value) and left < 0.9 * size
            if flat or lower < value - ENOUGH * length * size:
                break
            length *= 0.25
        else:
            break  # nothing left but rounding
        step, bend = new - T, float(((new - T) * (flatter - g)).sum())
        T, value, g, size = new, lower, flatter, left
        length = float((step**2).sum()) / bend if bend > 0.0 else 2.0 * length
    return T


def scale(A: Array) -> float:
    """Sum of squared communalities: criteria and their derivatives are of this size, at most."""
    return float(((A**2).sum(axis=1) ** 2).sum())

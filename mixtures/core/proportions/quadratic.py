"""The quadratic programme of a Newton step, by an active-set method with a warm start."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dposv

from ..discriminants import Array

RIDGE = 1e-12
"""Added to the unit diagonal of the scaled curvature, about the present point: it leaves solutions
where they are and decides what equal or nearly equal columns leave open, by least movement."""

SMALL = 1e-10
"""Slopes of the model, in the scaled coordinates, that are as good as zero or below."""


def step_of(curvature: Array, slope: Array, p: Array, tol: float = SMALL) -> Array:
    """The y >= 0 at which ``slope (y - p) - (y - p) H (y - p) / 2`` is largest.

    Lawson and Hanson's method (1974, chapter 23), started from the columns in which p is positive:
    unconstrained on the passive columns, along the segment to there as far as y stays positive,
    and with the steepest of the other columns let in once it is reached.

    Parameters
    ----------
    curvature : ndarray of shape (m, m)
        H, positive semi-definite.
    slope, p : ndarray of shape (m,)
        p >= 0.

    Returns
    -------
    y : ndarray of shape (m,)
        p itself where the curvature is no number.
    """
    if not np.isfinite(curvature).all():
        return p  # some row is hardly explained: there is no model to go by
    scale = np.sqrt(np.diagonal(curvature))
    usable = scale > 1e-150
    scale = np.where(usable, scale, 1.0)
    A = curvature / scale / scale[:, None]
    A.flat[:: len(A) + 1] = 1.0 + RIDGE
    y = np.where(usable, p * scale, 0.0)
    b = slope / scale + A @ y
    passive, let_in = y > 0, -1
    barred = ~usable
    for _ in range(6 * len(p) + 20):
        where = np.flatnonzero(passive)
        if len(where):
            best = _solve(A, b, where)
            falls = best <= 0
            if not falls.any():
                y[where] = best
            else:
                now = y[where]
                share = np.full(len(where), np.inf)
                share[falls] = now[falls] / np.maximum(now[falls] - best[falls], 1e-300)
                first = int(share.argmin())
                y[where] = np.maximum(now + share[first] * (best - now), 0.0)
                y[where[first]], passive[where[first]] = 0.0, False
                barred[where[first]] = where[first] == let_in
                continue
        excess = b - A[:, where] @ y[where]
        excess[passive | barred] = -np.inf
        let_in = int(excess.argmax())
        if not excess[let_in] > tol:
            break
        passive[let_in] = True
    return y / scale


def _solve(A: Array, b: Array, where: np.ndarray) -> Array:
    """The unconstrained optimum on some columns; more ridge where rounding makes A indefinite."""
    part = A[where[:, None], where]
    ridge = 0.0
    while True:
        _, x, info = dposv(part, b[where])
        if info == 0:
            return x
        ridge = max(10 * ridge, RIDGE)
        part = part + ridge * np.eye(len(where))

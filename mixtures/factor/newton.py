"""The likelihood of factor analysis maximised over the loadings: a function of the noise alone.

Given noise variances p, the loadings of highest likelihood are known (Lawley 1940): with
``S* = P^-1/2 S P^-1/2 = W diag(theta) W'`` and T the largest eigenvalues, at most q, that exceed
one, ``L = P^1/2 W_T (theta_T - 1)^1/2``. At these, minus twice the log-likelihood per row, without
d log 2 pi, is

``F = sum_j log p_j + sum_T (1 + log theta) + sum_R theta``,  R all other eigenvalues,

a function of x = log p (Joreskog 1967; Clarke 1970) that needs no log det S: S may be singular.
``dF/dx_j = sum_R (1 - theta_m) w_jm^2``; `Point.hessian` has the second derivatives; where
there are too many features for these, `QuasiNewton` learns them. d features, q factors.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy.linalg import eigh, lapack
from scipy.sparse.linalg import eigsh

from ..core.discriminants import Array

SUBSET, LANCZOS = 100, 1500
"""Features from which these are the fastest way to the few largest eigenvalues (measured)."""

NEAR = 1e-2
"""Promised fall of F from where A o B alone makes good steps: they are long, but near a saddle
they lead nowhere."""

LONGEST = 2.0  # most that a step may change a log noise
HALVINGS = 50  # bisections for the length of a step
BUFFER = 50_000  # numbers, of products that stay in the cache
FLATTEST = 1e-3  # least curvature by a log noise that quasi-Newton steps begin with
REMEMBERED = 20  # steps that a quasi-Newton direction is made of
EPS = float(np.finfo(np.float64).eps)


class Scatter(Protocol):
    """A covariance S (d, d), as it is or as the product of a root."""

    variances: Array  # (d,)

    def spectrum(self, scale: Array, top: int | None) -> tuple[Array, Array]:
        """Eigenvalues and eigenvectors (d, k) of ``diag(scale) S diag(scale)``, the largest first.

        At most `top`, or all, of which those that are zero by construction may be missing.
        """

    def times(self, vectors: Array) -> Array:
        """``S vectors`` (d, k)."""

    def columns(self, at: np.ndarray) -> Array:
        """Covariances (d, h) with the features `at`."""

    def given(self, at: np.ndarray, coefficients: Array, keep: np.ndarray) -> Scatter:
        """Covariance of `keep` given `at`: ``S - C C'`` with coefficients C (d, h)."""


def largest(matrix: Array, top: int | None) -> tuple[Array, Array]:
    """The `top` largest eigenvalues of a symmetric matrix, decreasing, or all; its vectors."""
    d = len(matrix)
    if top is None or d < SUBSET or top > d // 4:
        theta, vectors = np.linalg.eigh(matrix)
    elif d < LANCZOS:
        bounds = (d - top, d - 1)
        theta, vectors = eigh(matrix, driver="evr", subset_by_index=bounds, check_finite=False)
    else:  # any fixed start serves that is orthogonal to nothing
        start = np.random.default_rng(0).normal(size=d)
        theta, vectors = eigsh(matrix, k=top, which="LA", v0=start)
        order = np.argsort(theta)
        theta, vectors = theta[order], vectors[:, order]
    return theta[::-1][:top], vectors[:, ::-1][:, :top]


class Covariance:
    """A matrix (d, d)."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix
        self.variances: Array = matrix.diagonal().copy()

    def spectrum(self, scale: Array, top: int | None) -> tuple[Array, Array]:
        return largest(self.matrix * scale * scale[:, None], top)

    def times(self, vectors: Array) -> Array:
        return self.matrix @ vectors

    def columns(self, at: np.ndarray) -> Array:
        return self.matrix[:, at]

    def given(self, at: np.ndarray, coefficients: Array, keep: np.ndarray) -> Covariance:
        c = coefficients[keep]
        return Covariance(self.matrix[np.ix_(keep, keep)] - c @ c.T)


class Root:
    """``root' root`` of a root (m, d) with fewer rows than features."""

    def __init__(self, root: Array) -> None:
        self.root = root
        self.variances: Array = np.einsum("ij,ij->j", root, root)

    def spectrum(self, scale: Array, top: int | None) -> tuple[Array, Array]:
        scaled = self.root * scale
        theta, vectors = largest(scaled @ scaled.T, None if top is None else min(top, len(scaled)))
        some = theta > len(theta) * EPS * theta[:1]
        theta, vectors = theta[some], vectors[:, some]
        return theta, scaled.T @ (vectors / np.sqrt(theta))

    def times(self, vectors: Array) -> Array:
        return self.root.T @ (self.root @ vectors)

    def columns(self, at: np.ndarray) -> Array:
        return self.root.T @ self.root[:, at]

    def given(self, at: np.ndarray, coefficients: Array, keep: np.ndarray) -> Root:
        basis, rest = np.linalg.qr(self.root[:, at])[0], self.root[:, keep]
        for _ in range(2):  # once more for what rounding left
            rest = rest - basis @ (basis.T @ rest)
        return Root(rest)


class Point(NamedTuple):
    """The profile at a place: x (d,), F, and what F is made of."""

    x: Array
    value: float
    theta: Array  # (t,), the eigenvalues in T
    vectors: Array  # (d, t)
    left: Array  # (d,), sum_R w_jm^2
    spread: Array  # (d,), sum_R theta_m w_jm^2
    others: tuple[Array, Array] | None  # eigenvalues and vectors of R, if asked for

    @property
    def gradient(self) -> Array:
        return self.left - self.spread

    @property
    def diagonal(self) -> Array:
        """Of ``A o B`` (d,), see `hessian`."""
        return self.left * self.spread

    def hessian(self) -> tuple[Array, Array]:
        """The Hessian (d, d) and its part ``A o B``, which has no negative eigenvalue (Schur).

        ``A o B + sum_{m in T, l in R} c_ml (w_m o w_l)(w_m o w_l)'``, o elementwise, with
        ``A = W_R W_R'``, ``B = W_R diag(theta_R) W_R'`` and
        ``c_ml = (theta_m + theta_l)(1 - theta_l) / (theta_m - theta_l)``: one for theta_l = 0.
        Where eigenvalues of T and R touch there is no Hessian, and A o B comes twice.
        """
        assert self.others is not None
        theta, rest = self.others
        d, r = rest.shape
        top = self.vectors @ self.vectors.T
        a = np.eye(d) - top
        schur = a * ((rest * theta) @ rest.T)
        apart = self.theta[:, None] - theta
        if not np.all(apart > EPS * self.theta[:, None]):
            return schur, schur
        hessian = schur.copy()
        if r + len(self.theta) < d:
            hessian += top * (a - rest @ rest.T)
        c = (self.theta[:, None] + theta) * (1.0 - theta) / apart
        at_once = 1 + BUFFER // (d * max(r, 1))
        for m in range(0, len(self.theta), at_once):
            v, weights = self.vectors[:, m : m + at_once, None], c[m : m + at_once].ravel()
            products = (v * rest[:, None]).reshape(d, -1)
            hessian += (products * weights) @ products.T
        return hessian, schur


def evaluate(scatter: Scatter, x: Array, q: int, whole: bool) -> Point:
    """The profile at log noise x (d,) with q factors; `whole`: with all eigenvalues."""
    scale = np.exp(-0.5 * x)
    if q == 0 and not whole:
        theta, vectors = np.empty(0), np.empty((len(x), 0))
    else:
        theta, vectors = scatter.spectrum(scale, None if whole else q)
    t = int(np.count_nonzero(theta[:q] > 1.0))
    top, v = theta[:t], vectors[:, :t]
    squares, total = v * v, scatter.variances * scale**2
    left = np.maximum(1.0 - squares.sum(axis=1), 0.0)
    others = None
    if whole:
        others = np.maximum(theta[t:], 0.0), vectors[:, t:]
        rest, spread = float(others[0].sum()), (others[1] ** 2) @ others[0]
    else:
        rest, spread = float(total.sum() - top.sum()), np.maximum(total - squares @ top, 0.0)
    value = float(x.sum()) + float((1.0 + np.log(top)).sum()) + rest
    return Point(x, value, top, v, left, spread, others)


class Newton:
    """Steps to the minimum of the quadratic model, within a radius where it is not convex."""

    whole = True

    def __init__(self) -> None:
        self.radius = 1.0

    def step(self, point: Point) -> tuple[Array, float]:
        """A step, and how much the model falls on it where it is not convex, else zero."""
        g, (hessian, schur) = point.gradient, point.hessian()
        _, step, failed = lapack.dposv(hessian, -g)
        if not failed:
            return step, 0.0
        _, step, failed = lapack.dposv(schur, -g)
        if not failed and -float(g @ np.clip(step, -LONGEST, LONGEST)) > NEAR:
            return step, 0.0
        values, vectors = np.linalg.eigh(hessian)
        slopes = vectors.T @ g
        step = within(values, slopes, self.radius)
        return vectors @ step, -float(slopes @ step + 0.5 * values @ step**2)

    def learn(self, length: float, size: float) -> None:
        """A step of some length was taken, `size` times what was proposed."""
        self.radius = min(2.0 * length, 1.0) if size == 1.0 else length


def within(values: Array, slopes: Array, radius: float) -> Array:
    """The minimum of ``slopes s + values s^2 / 2``, values increasing, not all positive, on a ball.

    ``s = -slopes / (values + mu)`` with the mu for which it reaches the surface (More and Sorensen
    1983); where no slope leads down the steepest ridge, that is made up for along it.
    """
    gaps = values - values[0]
    size = float(np.linalg.norm(slopes))
    low, high = 0.0, size / radius + gaps[-1] * EPS + np.finfo(float).tiny
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if np.linalg.norm(slopes / (gaps + middle)) > radius:
            low = middle
        else:
            high = middle
    step = -slopes / (gaps + high)
    short = radius**2 - float(step @ step)
    if short > 0.5 * radius**2:  # the hard case
        step[0] += np.copysign(np.sqrt(short), step[0])
    return step


class QuasiNewton:
    """Limited-memory BFGS steps (Nocedal 1980) that begin with the diagonal of ``A o B``."""

    whole = False

    def __init__(self) -> None:
        self.pairs: list[tuple[Array, Array, float]] = []
        self.last: Point | None = None

    def step(self, point: Point) -> tuple[Array, float]:
        g = point.gradient
        if self.last is not None and len(self.last.x) == len(point.x):
            s, y = point.x - self.last.x, g - self.last.gradient
            slope = float(s @ y)
            if slope > 1e-10 * float(y @ y):
                self.pairs = [*self.pairs[1 - REMEMBERED :], (s, y, slope)]
        else:
            self.pairs = []
        self.last = point
        diagonal = np.maximum(point.diagonal, FLATTEST)  # near Heywood cases it vanishes
        direction, weights = -g, []
        for s, y, slope in reversed(self.pairs):
            weights.append(float(s @ direction) / slope)
            direction = direction - weights[-1] * y
        direction = direction / diagonal
        for (s, y, slope), weight in zip(self.pairs, reversed(weights), strict=True):
            direction = direction + (weight - float(y @ direction) / slope) * s
        return direction, 0.0

    def learn(self, length: float, size: float) -> None:
        """Nothing: pairs are all that it learns from."""

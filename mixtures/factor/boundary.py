"""Maximum likelihood where noise variances may be zero (Heywood cases), on a correlation matrix.

With the set H of features without noise, h <= q of them, h factors can be turned to span just
these. What is left is factor analysis with q - h factors of the other features' covariance given
x_H (Joreskog 1967, section 5), and the likelihood is the product of the two:

``F = log det S_HH + h + F_{q-h}(S_RR - S_RH S_HH^-1 S_HR)``.

Nothing in it is near zero or infinite, so H is found by trying: a feature whose noise falls towards
zero joins H if that lowers F, and leaves it if F falls as its noise variance grows from zero.

A feature that is a linear combination of H has no variance left. Then the likelihood has no
maximum, it grows for ever as that noise falls; such features stay at the floor too.
d features, q factors; F is minus twice the log-likelihood per row without d log 2 pi.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ..core.discriminants import Array
from .newton import EPS, LONGEST, Newton, Point, QuasiNewton, Scatter, evaluate

DIVES, SMALL = -0.7, 0.3
"""Newton's step in log noise is near -1 for a feature that wants less noise than none: when it is
below the first, and the noise less than the second times the variance, zero is tried."""

ENOUGH = 1e-4  # share of the fall that the slope promises which a step must make (Armijo 1966)
SHORTENED = 25  # times that a step is shortened
REENTRIES = 10.0 ** -np.arange(1, 8)  # of its variance, noise with which a feature may leave H
FLAT = 4 * EPS  # changes of F, relative to F and to d, that are rounding
NOISE = 1e-13  # the same, of F's own errors: eigenvalues have those of ill-conditioned matrices
KKT = 1e-9  # negative derivatives by noise, relative to what they are made of, that are rounding


class Edge(NamedTuple):
    """Factor analysis of all features, those in H without noise."""

    given: tuple[int, ...]  # H, in the order of its factors
    free: np.ndarray  # features with noise
    collinear: np.ndarray  # features without variance given H
    coefficients: Array  # (d, h), loadings of the factors that span H
    scatter: Scatter  # of the free features given H
    n_left: int  # factors left for these
    constant: float  # what H and the collinear features add to F, with their noise at the floor

    @classmethod
    def of(cls, scatter: Scatter, given: tuple[int, ...], q: int, floor: float) -> Edge:
        d = len(scatter.variances)
        free = np.arange(d)
        if not given:
            return cls((), free, free[:0], np.zeros((d, 0)), scatter, q, 0.0)
        at = np.array(given)
        columns = scatter.columns(at)
        lower = np.linalg.cholesky(columns[at])  # exists: no member is collinear with the others
        coefficients = solve_triangular(lower, columns.T, lower=True, check_finite=False).T
        coefficients[at] = lower
        mask = np.ones(d, dtype=bool)
        mask[at] = False
        free = free[mask]
        rest = scatter.given(at, coefficients, free)
        gone = rest.variances <= floor
        collinear, constant = free[gone], 2.0 * float(np.log(lower.diagonal()).sum()) + len(at)
        if collinear.size:
            constant = with_floor(coefficients[np.concatenate([at, collinear])], floor)
            constant += float(np.maximum(rest.variances[gone], 0.0).sum()) / floor
            free = free[~gone]
            rest = scatter.given(at, coefficients, free)
        return cls(given, free, collinear, coefficients, rest, q - len(given), constant)

    def log_noise(self, x: Array) -> Array:
        """Of the free features (r,), from that of all (d,), and never more than their variance."""
        most = np.log(self.scatter.variances)
        return np.minimum(x[self.free], most) if self.n_left else most

    def derivatives(self, point: Point) -> tuple[Array, Array]:
        """dF by the noise variances of H, at zero, and the size of what they are made of (h,).

        With M the model's covariance, ``[M^-1 (M - S) M^-1]_HH``; it is the same of the free
        features, ``B' (...) B`` with B (r, h) their regression on x_H.
        """
        lower, loadings = self.coefficients[list(self.given)], self.coefficients[self.free]
        b = solve_triangular(lower, loadings.T, lower=True, trans="T", check_finite=False).T
        scale = np.exp(-0.5 * point.x)[:, None]
        z = b * scale
        top = (point.vectors.T @ z) ** 2
        total = np.einsum("ij,ij->j", z, scale * self.scatter.times(scale * z))
        expected = (z * z).sum(axis=0) - top.sum(axis=0)
        observed = total - point.theta @ top
        return expected - observed, (z * z).sum(axis=0) + total


def with_floor(loadings: Array, floor: float) -> float:
    """``log det M + tr M^-1 L L'`` of ``M = L L' + floor I``; loadings (k, h) of full rank."""
    squares = np.linalg.svd(loadings, compute_uv=False) ** 2 + floor
    rest = (len(loadings) - len(squares)) * float(np.log(floor))
    return rest + float((np.log(squares) + 1.0 - floor / squares).sum())


class Place(NamedTuple):
    """Where a search is."""

    edge: Edge
    point: Point

    @property
    def value(self) -> float:
        """F."""
        return self.edge.constant + self.point.value

    def spread_out(self, d: int) -> Array:
        """Log noise of all features (d,), zero where it is not free."""
        x = np.zeros(d)
        x[self.edge.free] = self.point.x
        return x

    def loadings(self) -> Array:
        """(d, q), of the factors that span H first."""
        edge, point = self.edge, self.point
        d, h = edge.coefficients.shape
        loadings = np.zeros((d, h + edge.n_left))
        loadings[:, :h] = edge.coefficients
        strengths = np.sqrt(point.theta - 1.0) * np.exp(0.5 * point.x)[:, None]
        loadings[edge.free, h : h + len(point.theta)] = point.vectors * strengths
        return loadings


class Ending(NamedTuple):
    """How a search ended."""

    place: Place
    trace: list[float]  # F after each iteration
    converged: bool


class Search:
    """A search for the least F with q factors."""

    def __init__(self, scatter: Scatter, q: int, floor: float, whole: bool) -> None:
        self.scatter, self.q, self.floor = scatter, q, floor
        self.method: Newton | QuasiNewton = Newton() if whole else QuasiNewton()

    def at(self, given: tuple[int, ...], x: Array) -> Place:
        edge = Edge.of(self.scatter, given, self.q, self.floor)
        return self.move(edge, edge.log_noise(x))

    def move(self, edge: Edge, x: Array) -> Place:
        return Place(edge, evaluate(edge.scatter, x, edge.n_left, self.method.whole))

    def run(self, place: Place, tol: float, max_iter: int) -> Ending:
        """Steps, each of which lowers F, until one promises at most `tol` nats per row."""
        trace: list[float] = []
        for _ in range(max_iter):
            step, promise, ridge = self.step(place.point)
            better: Place | None = None
            if max(promise, ridge) > tol:
                better = self.pinned(place, step) or self.shorter(place, step)
            if better is None:
                if promise > max(tol, FLAT * (abs(place.value) + len(step))):
                    return Ending(place, [*trace, place.value], False)
                place = self.settled(place, step)
                better = self.released(place)
                if better is None:
                    return Ending(place, [*trace, place.value], True)
            place = better
            trace.append(place.value)
        return Ending(place, trace, False)

    def settled(self, place: Place, step: Array) -> Place:
        """One step more, which takes the gradient to rounding where F knows no better already."""
        last = self.move(place.edge, place.point.x + step)
        slopes = [np.abs(p.point.gradient).max(initial=0.0) for p in (place, last)]
        allowed = NOISE * (abs(place.value) + len(step)) if slopes[1] < slopes[0] else 0.0
        return last if last.value <= place.value + allowed else place

    def step(self, point: Point) -> tuple[Array, float, float]:
        """A step (r,) that leads down; half of what its slope promises, and its curvature."""
        g = point.gradient
        if not g.size:
            return g, 0.0, 0.0
        step, ridge = self.method.step(point)
        step = np.clip(step, -LONGEST, LONGEST)
        slope = float(g @ step)
        if slope > 0.0:  # clipping turned it round
            step = np.clip(-g, -LONGEST, LONGEST)
            slope = float(g @ step)
        return step, -0.25 * slope, 0.5 * ridge

    def shorter(self, place: Place, step: Array) -> Place | None:
        """The first of ever shorter steps after which F is less by enough."""
        slope, size = float(place.point.gradient @ step), 1.0
        for _ in range(SHORTENED):
            new = self.move(place.edge, place.point.x + size * step)
            if new.value < place.value + ENOUGH * size * slope:
                self.method.learn(size * float(np.linalg.norm(step)), size)
                return new
            size /= 2.0 if size == 1.0 else 4.0
        return None

    def pinned(self, place: Place, step: Array) -> Place | None:
        """With the feature whose noise is the least of those that fall at zero, if F is less."""
        edge, x = place.edge, place.point.x
        if edge.n_left == 0:
            return None
        share = x - np.log(edge.scatter.variances)
        falling = (step < DIVES) & (share < np.log(SMALL))
        if not falling.any():
            return None
        j = int(edge.free[np.argmin(np.where(falling, share, np.inf))])
        new = self.at((*edge.given, j), place.spread_out(len(self.scatter.variances)))
        return new if new.value < place.value else None

    def released(self, place: Place) -> Place | None:
        """With noise for a feature in H, if F is less: where the derivative by it is negative."""
        if not place.edge.given or not place.edge.free.size:
            return None
        slopes, sizes = place.edge.derivatives(place.point)
        for i in np.argsort(slopes)[: np.count_nonzero(slopes < -KKT * sizes)]:
            j, given = place.edge.given[i], place.edge.given[:i] + place.edge.given[i + 1 :]
            edge = Edge.of(self.scatter, given, self.q, self.floor)
            if j not in edge.free:
                continue
            x = place.spread_out(len(self.scatter.variances))
            variance = edge.scatter.variances[edge.free == j][0]
            for share in REENTRIES:
                x[j] = np.log(share * variance)
                new = self.move(edge, edge.log_noise(x))
                if new.value < place.value:
                    return new
        return None

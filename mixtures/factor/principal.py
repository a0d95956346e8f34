"""Principal axes of rows: leading eigenpairs of their covariance, from whatever is smallest.

``S = sum_i w_i (x_i - mean)(x_i - mean)' / W``, the n-normalised covariance, has the eigenvalues of
the scatter matrix of d by d numbers, of the Gram matrix of n by n numbers, and, if both are large,
those that products with blocks of vectors find. n rows, d features, q axes.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ..core.discriminants import Array, Frame
from ..core.frames import framed
from ..core.low_rank import signs
from .centred import CentredRows, all_constant
from .krylov import OVERSAMPLING, leading_pairs

RESIDUAL = 1e-11
"""Length of ``S v - value v`` that the randomised method ends at, relative to the first value."""

MOST_PRODUCTS = 500  # with rows, of the randomised method; a dozen is usual

CANCELLED = 1e-5
"""Variance, relative to the largest one, below which that of a covariance has lost digits."""

RANK = 2e-16
"""Eigenvalue, in units of the largest one times the number of features, that is rounding."""

PRODUCT_WORK = 250.0
"""Work of the randomised method for each number of the rows and each vector, where a number of a
direct method's matrix products has one: a dozen products of four operations, and orthogonality."""


class Principal(NamedTuple):
    """Leading principal axes of a set of rows; variances are in the frame's units."""

    frame: Frame  # centred at the mean; one scale for all features
    axes: Array  # (q, d), orthonormal; of each row the largest entry is positive
    variances: Array  # (q,), eigenvalues of the n-normalised covariance, decreasing, none negative
    rest: float  # the sum of the other eigenvalues
    constant: bool  # all rows are equal, to rounding
    n_products: int = 1  # with the rows, that it took

    @property
    def total(self) -> float:
        """The trace of the covariance."""
        return float(self.variances.sum()) + self.rest

    @property
    def rank(self) -> int:
        """How many variances are more than rounding."""
        if self.constant:
            return 0
        lowest = RANK * max(self.axes.shape[1], 10) * self.variances.max(initial=0.0)
        return int((self.variances > lowest).sum())

    def leading(self, n_axes: int) -> Principal:
        """The same with the first axes alone."""
        dropped = float(self.variances[n_axes:].sum())
        return self._replace(
            axes=self.axes[:n_axes], variances=self.variances[:n_axes], rest=self.rest + dropped
        )


def cheapest(n_rows: int, n_features: int, n_axes: int | None) -> str:
    """The solver with the least work: 'covariance', 'gram' or 'randomized'.

    n_axes: how many axes are wanted; None for all.
    """
    least = min(n_rows, n_features)
    direct = "covariance" if n_features <= n_rows else "gram"
    if n_axes is None:
        return direct
    work = float(n_rows) * n_features * least + 4.0 * float(least) ** 3
    randomised = PRODUCT_WORK * float(n_rows) * n_features * (n_axes + OVERSAMPLING)
    return "randomized" if randomised < work else direct


def principal_axes(
    X: np.ndarray,
    w: Array | None,
    n_axes: int | None,
    *,
    solver: str,
    max_products: int = MOST_PRODUCTS,
    random_state: Any = None,
    n_threads: int | None = 1,
) -> Principal:
    """The leading principal axes of weighted rows.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
        Finite, two rows at least.
    w : ndarray of shape (n,), or None
        Positive weights.
    n_axes : int or None
        How many; None for min(n, d).
    solver : {'covariance', 'gram', 'randomized'}
    max_products : int
        Products with the rows that 'randomized' may take; ConvergenceWarning if that is too few.
    random_state : int, RandomState or None
        Where 'randomized' starts; its result does not show it, but for rounding.
    n_threads : int or None
        For the scatter matrix. Products with rows are those of NumPy's BLAS.
    """
    n_axes = min(X.shape) if n_axes is None else n_axes
    if solver == "covariance":
        return _from_scatter(X, w, n_axes, n_threads)
    rows = CentredRows.of(X, w, n_threads)
    if solver == "gram":
        return _refined(rows, _axes_from_gram(rows, n_axes))
    rng = check_random_state(random_state)
    axes, n_products = _axes_from_products(rows, n_axes, max_products, rng)
    return _refined(rows, axes)._replace(n_products=n_products)


def with_positive_peaks(axes: Array) -> Array:
    """Axes (q, d) whose entry of largest size is positive: scikit-learn's rule for PCA."""
    return axes * signs(axes.T)[:, None]


def _from_scatter(X: np.ndarray, w: Array | None, n_axes: int, n_threads: int | None) -> Principal:
    source, totals = framed(X, w, common_scale=True, n_threads=n_threads)
    with source:
        covariance = totals.covariance
    d, frame = len(covariance), source.frame
    deviation = np.sqrt(np.maximum(np.diagonal(covariance), 0.0)) / frame.scale
    frame = Frame(frame.from_frame(totals.mean), frame.scale)
    if 4 * n_axes > d:  # all of them, by divide and conquer
        values, vectors = linalg.eigh(covariance, driver="evd", check_finite=False)
    else:
        values, vectors = linalg.eigh(
            covariance, subset_by_index=(d - max(n_axes, 1), d - 1), check_finite=False
        )
    values = np.maximum(values[::-1], 0.0)  # a variance below zero is rounding of zero
    rest = float(values[n_axes:].sum())
    if len(values) < d:  # their sum is known without them
        rest = max(float(np.trace(covariance)) - float(values[:n_axes].sum()), 0.0)
    axes = with_positive_peaks(np.ascontiguousarray(vectors[:, ::-1].T[:n_axes]))
    constant = all_constant(frame.centre, deviation)
    least = values[:n_axes].min(initial=np.inf)
    if n_axes < d:
        least = min(least, rest)
    if least < CANCELLED * values[0] and not constant:
        return _refined(CentredRows.of(X, w, n_threads), axes)
    return Principal(frame, axes, values[:n_axes], rest, constant)


def _axes_from_gram(rows: CentredRows, n_axes: int) -> Array:
    """Axes (q, d) that span the leading subspace, by the vectors of ``A A'``."""
    gram = rows.gram()
    n = len(gram)
    vectors = linalg.eigh(gram, subset_by_index=(n - max(n_axes, 1), n - 1))[1][:, ::-1]
    images = rows.transposed_times(vectors[:, :n_axes])
    lengths = np.sqrt(np.square(images).sum(axis=0))
    images = images / np.where(lengths > 0, lengths, 1.0)
    return linalg.qr(images, mode="economic")[0].T


def _axes_from_products(
    rows: CentredRows, n_axes: int, max_products: int, rng: np.random.RandomState
) -> tuple[Array, int]:
    """Axes (q, d) by block Krylov iterations, and how many these were."""
    found = leading_pairs(
        rows.times,
        rows.n_features,
        max(n_axes, 1),
        tol=RESIDUAL,
        max_products=max_products,
        rng=rng,
    )
    if found.residual > RESIDUAL:
        warnings.warn(
            f"The randomised solver stopped after {found.n_products} products with the rows at a "
            f"relative residual of {found.residual:.2g}, which should be {RESIDUAL:.0e}. Increase "
            "iterated_power, or use svd_solver='covariance' or 'gram'.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return found.vectors.T[:n_axes], found.n_products


def _refined(rows: CentredRows, axes: Array) -> Principal:
    """The best axes within a subspace; variances and the rest as sums of squares of the rows.

    Squares of ``A Q`` lose nothing of small variances, as eigenvalues of ``A' A`` or ``A A'`` do.
    """
    _, s, turn = linalg.svd(rows.triangle(axes.T), full_matrices=False)
    variances, axes = s**2, with_positive_peaks(turn @ axes)
    rest = rows.variance_off(axes)
    centre, scale = rows.frame.centre, rows.frame.scale
    spread = np.sqrt(variances.sum() + rest) / scale
    constant = bool(all_constant(np.full_like(scale, np.abs(centre).max()), spread))
    return Principal(rows.frame, axes, variances, rest, constant)

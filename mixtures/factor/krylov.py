"""Leading eigenpairs of a covariance by products with blocks of vectors, to a residual.

A randomised block Krylov method (Musco and Musco 2015, NeurIPS 28; Halko, Martinsson and Tropp
2011, SIAM Review 53), started again from its best vectors when the basis is full (Stewart 2002,
SIAM J. Matrix Anal. Appl. 23). It ends at a bound on the residuals, so that the vectors it starts
from, which are random, do not show in the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg

from ..core.discriminants import Array

OVERSAMPLING = 10  # vectors beyond those wanted: the more, the wider the gap that decides the pace
BLOCKS = 8  # blocks of a basis; more take longer to keep orthogonal than they save in products
DEPENDENT = 1e-13
"""Length of what is new in a product, relative to the largest eigenvalue, that is rounding."""


class KrylovResult(NamedTuple):
    """Ritz pairs, the largest first, and what they cost."""

    vectors: Array  # (d, q), orthonormal
    values: Array  # (q,)
    residual: float  # max |S v - value v| over the pairs, relative to the largest value
    n_products: int


def _orthonormal(block: Array, basis: Array, size: float) -> Array:
    """What columns (d, b) add to an orthonormal basis (d, m), orthonormal; rounding is left out."""
    for _ in range(2):  # twice is enough (Parlett 1980, section 6.9)
        block = block - basis @ (basis.T @ block)
    u, s, _ = linalg.svd(block, full_matrices=False)
    new = u[:, s > DEPENDENT * size]
    return linalg.qr(new - basis @ (basis.T @ new), mode="economic")[0]


def leading_pairs(
    times: Callable[[Array], Array],
    n_features: int,
    n_wanted: int,
    *,
    tol: float,
    max_products: int,
    rng: np.random.RandomState,
) -> KrylovResult:
    """The `n_wanted` largest eigenvalues of a positive semi-definite operator, with vectors.

    Parameters
    ----------
    times : callable (d, b) -> (d, b)
        The operator, applied to b vectors at once.
    n_features : int
        d.
    n_wanted : int
        q >= 1.
    tol : float
        On the residuals ``|S v - value v|``, relative to the largest value.
    max_products : int
        How often `times` may be called; the residual of the result tells if that was enough.
    rng : RandomState
        Draws the vectors to start from.
    """
    width = min(n_wanted + OVERSAMPLING, n_features)
    block = linalg.qr(rng.standard_normal((n_features, width)), mode="economic")[0]
    basis, images = np.empty((n_features, 0)), np.empty((n_features, 0))
    for n_products in range(1, max_products + 1):
        basis, images = np.hstack([basis, block]), np.hstack([images, times(block)])
        small = basis.T @ images
        values, turn = linalg.eigh(0.5 * (small + small.T))
        values, turn = values[::-1], turn[:, ::-1]
        vectors, products = basis @ turn[:, :width], images @ turn[:, :width]
        away = products - vectors * values[:width]
        largest = max(float(values[0]), np.finfo(float).tiny)
        residual = float(np.sqrt(np.square(away[:, :n_wanted]).sum(axis=0)).max()) / largest
        if residual <= tol or n_products == max_products:
            break
        if basis.shape[1] + width > BLOCKS * width:  # start again from the best
            basis, images = vectors, products
            block = _orthonormal(away, basis, largest)
        else:
            block = _orthonormal(images[:, -block.shape[1] :], basis, largest)
        if not block.shape[1]:  # the basis holds all of the operator
            break
    return KrylovResult(vectors[:, :n_wanted], values[:n_wanted], residual, n_products)

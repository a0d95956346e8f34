"""What a latent linear-Gaussian model says of rows with gaps: factors, densities, the gaps.

n rows, d features, q factors, u patterns of gaps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.discriminants import Array
from ._patterns import (
    Block,
    GappyRows,
    LatentParams,
    Posterior,
    covariances,
    posterior,
    prepare,
    symmetric,
)

__all__ = [
    "LatentParams",
    "ObservedPosterior",
    "PatternCovariances",
    "impute",
    "posterior_observed",
    "sample_missing",
]


class PatternCovariances(NamedTuple):
    """Posterior covariances of the factors: one for each pattern of gaps."""

    values: Array  # (u, q, q)
    pattern: np.ndarray  # (n,), the pattern of each row

    def of_rows(self) -> Array:
        """The covariance of each row (n, q, q)."""
        return self.values[self.pattern]


class ObservedPosterior(NamedTuple):
    """What the observed numbers of rows say."""

    means: Array  # (n, q), E[z | observed]
    covariances: PatternCovariances  # cov(z | observed)
    log_density: Array  # (n,), of the observed numbers, nats; zero where there are none


def posterior_observed(X: Array, params: LatentParams) -> ObservedPosterior:
    """Posterior of the factors, and the density, given what is observed of each row.

    With o the observed features of a row, ``M = I + L_o' P_o^-1 L_o``: mean
    ``M^-1 L_o' P_o^-1 (x_o - mean_o)``, covariance ``M^-1``, and density
    ``N(x_o | mean_o, L_o L_o' + P_o)``. A row without numbers has the prior for posterior.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows with NaN in the gaps.
    params : LatentParams
        With positive noise.

    Returns
    -------
    ObservedPosterior

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.factor.observed import LatentParams, posterior_observed
    >>> params = LatentParams(np.zeros(2), np.array([[1.0], [1.0]]), np.array([0.5, 0.5]))
    >>> found = posterior_observed(np.array([[1.0, 1.0], [1.0, np.nan]]), params)
    >>> found.means.ravel().round(3)
    array([0.8  , 0.667])
    >>> found.covariances.of_rows().ravel().round(3)
    array([0.2  , 0.333])
    """
    n, q = len(X), params.loadings.shape[1]
    rows = GappyRows(X, q)
    means, log_density = np.empty((n, q)), np.empty(n)
    values: list[Array] = []
    pattern, count = np.empty(n, dtype=np.intp), 0
    v = prepare(params)
    for numbers, block in rows.blocks():
        post = posterior(v, block)
        means[numbers], log_density[numbers] = post.means.T, post.log_density
        values.append(symmetric(covariances(post.halves).T, q))
        pattern[numbers] = count + block.pattern
        count += block.patterns.shape[1]
    found = np.concatenate(values) if values else np.empty((0, q, q))
    return ObservedPosterior(means, PatternCovariances(found, pattern), log_density)


def impute(X: Array, params: LatentParams) -> Array:
    """Fill gaps with their conditional means given what is observed of the row.

    That is ``mean_m + L_m E[z | x_o] = mean_m + S_mo S_oo^-1 (x_o - mean_o)`` with S = L L' + P.
    Filled in so, rows vary less than they did: draws (`sample_missing`) do not.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows with NaN in the gaps.
    params : LatentParams
        With positive noise.

    Returns
    -------
    filled : ndarray of shape (n, d)
        The numbers observed are those of X, bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.factor.observed import LatentParams, impute
    >>> params = LatentParams(np.zeros(2), np.array([[1.0], [1.0]]), np.array([0.5, 0.5]))
    >>> impute(np.array([[1.5, np.nan], [np.nan, np.nan]]), params)
    array([[1.5, 1. ],
           [0. , 0. ]])
    """
    filled = X.copy()
    v = prepare(params)
    for numbers, block in GappyRows(X, params.loadings.shape[1]).blocks():
        z = posterior(v, block).means
        expected = params.mean + (params.loadings @ z).T
        filled[numbers] = np.where(block.mask.T > 0, X[numbers], expected)
    return filled


def sample_missing(X: Array, params: LatentParams, n_draws: int, rng: Any) -> Array:
    """Fill gaps with draws from their distribution given what is observed of the row.

    Factors come from their posterior, and the gaps from ``mean + L z + e``: jointly, that is the
    conditional Gaussian of the gaps. So draws are multiple imputations (Rubin 1987, Multiple
    Imputation for Nonresponse in Surveys), but for the uncertainty of the parameters.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows with NaN in the gaps.
    params : LatentParams
        With positive noise.
    n_draws : int
    rng : RandomState or Generator
        A draw takes n q normal numbers, and then one for each gap, in the order of X.

    Returns
    -------
    draws : ndarray of shape (n_draws, n, d)
        The numbers observed are those of X, bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.factor.observed import LatentParams, sample_missing
    >>> params = LatentParams(np.zeros(2), np.array([[1.0], [1.0]]), np.array([0.5, 0.5]))
    >>> rows = np.array([[1.5, np.nan], [np.nan, 2.0]])
    >>> draws = sample_missing(rows, params, 10000, np.random.RandomState(0))
    >>> draws.mean(axis=0).round(1)
    array([[1.5, 1. ],
           [1.3, 2. ]])
    """
    (n, d), q = X.shape, params.loadings.shape[1]
    gaps = np.isnan(X)
    draws = np.empty((n_draws, n, d))
    draws[:] = X
    factors = np.empty((n_draws, n, q))
    for s in range(n_draws):
        factors[s] = rng.standard_normal((n, q))
        draws[s][gaps] = rng.standard_normal(int(gaps.sum()))
    v = prepare(params)
    for numbers, block in GappyRows(X, q).blocks():
        post = posterior(v, block)
        for s in range(n_draws):
            z = _drawn(post, block, factors[s, numbers].T)
            expected = params.mean + (params.loadings @ z).T
            own = draws[s, numbers]
            gap = block.mask.T == 0
            own[gap] = (expected + own * np.sqrt(params.noise))[gap]
            draws[s, numbers] = own
    return draws


def _drawn(post: Posterior, block: Block, normal: Array) -> Array:
    """Factors (q, b) from their posterior, of standard normal numbers (q, b)."""
    halves = block.of_rows(post.halves)
    return post.means + np.einsum("kju,ku->ju", halves, normal)

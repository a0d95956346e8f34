"""How well q factors fit a covariance: the likelihood ratio test, and the number of parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.stats import chi2

from ..core.discriminants import Array


class FitTest(NamedTuple):
    """Likelihood ratio test of q factors against any covariance."""

    statistic: float
    """Bartlett-corrected; of chi-square distribution, nearly, if the model holds."""
    dof: int
    p_value: float


def n_parameters(n_features: int, n_factors: int) -> int:
    """Free numbers in a covariance of d features and q factors: ``d q + d - q (q - 1) / 2``.

    Loadings and noise, less the rotations of the factors, which change nothing; the mean is not
    counted. Beyond ``d (d + 1) / 2`` the parameters are not identified.

    Examples
    --------
    >>> from mixtures.factor.goodness import n_parameters
    >>> n_parameters(10, 3)
    37
    """
    return n_features + n_loadings(n_features, n_factors)


def n_loadings(n_features: int, n_factors: int) -> int:
    """Free numbers in the loadings of d features: ``d q - q (q - 1) / 2``, with q at most d."""
    q = min(n_factors, n_features)
    return n_features * q - q * (q - 1) // 2


def chi_square(covariance: Array, loadings: Array, noise: Array, n_rows: float) -> FitTest | None:
    """The test of fit of R's factanal (Bartlett 1951; Lawley and Maxwell 1971).

    ``(n - 1 - (2 d + 5) / 6 - 2 q / 3) (log det M - log det C + tr C M^-1 - d)`` with the model's
    covariance M = L L' + P, on ``((d - q)^2 - d - q) / 2`` degrees of freedom. Features without
    variance are left out.

    Parameters
    ----------
    covariance : ndarray of shape (d, d)
        C, of the rows. Divided by n: R divides by n - 1, which changes nothing as long as the same
        covariance was fitted.
    loadings : ndarray of shape (d, q)
    noise : ndarray of shape (d,)
        Of highest likelihood.
    n_rows : float
        n; the sum of weights.

    Returns
    -------
    test : FitTest or None
        None where there is nothing to test: no degree of freedom is left; or the covariance is
        singular, so that the likelihood of an unrestricted one has no bound; or n is too small for
        Bartlett's correction.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.factor.goodness import chi_square
    >>> from mixtures.factor.profile import fit_factors
    >>> loadings = np.array([0.9, 0.8, 0.7, 0.6])
    >>> covariance = np.outer(loadings, loadings) + np.diag(1.0 - loadings**2)
    >>> solution = fit_factors(covariance, 1)
    >>> test = chi_square(covariance, solution.loadings, solution.noise, 100)
    >>> abs(round(test.statistic, 6)), test.dof, round(test.p_value, 3)
    (0.0, 2, 1.0)
    """
    deviations = np.sqrt(covariance.diagonal())
    some = deviations > 0.0
    d, q = int(some.sum()), loadings.shape[1]
    dof = ((d - q) ** 2 - d - q) // 2
    factor = n_rows - 1.0 - (2.0 * d + 5.0) / 6.0 - 2.0 * q / 3.0
    if dof <= 0 or q >= d or factor <= 0.0:
        return None
    s = deviations[some]
    observed = covariance[np.ix_(some, some)] / s / s[:, None]
    values = np.linalg.eigvalsh(observed)
    if values[0] <= d * np.finfo(np.float64).eps * values[-1]:
        return None
    scaled = loadings[some] / s[:, None]
    lower = np.linalg.cholesky(scaled @ scaled.T + np.diag(noise[some] / s / s))
    half = solve_triangular(lower, observed, lower=True, check_finite=False)
    ratio = solve_triangular(lower, half.T, lower=True, check_finite=False)
    # Of the eigenvalues of C M^-1, each term is at least zero: nothing large cancels.
    away = np.linalg.eigvalsh(0.5 * (ratio + ratio.T)) - 1.0
    statistic = factor * float((away - np.log1p(away)).sum())
    return FitTest(statistic, dof, float(chi2.sf(statistic, dof)))

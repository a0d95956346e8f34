"""Factor analysis by maximum likelihood, of a covariance: x ~ N(mean, L L' + P), P diagonal.

The loadings of highest likelihood are known once the noise is (`newton`), so Newton's method runs
on d numbers, the logarithms of the noise variances, where EM takes hundreds of iterations; Heywood
cases, noise variances of zero, are solved as such (`boundary`). All of it on the correlation
matrix: the maximum is the same in any units. d features, q factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ..core.discriminants import Array
from ..core.frames import power_of_two_scale
from ..core.low_rank import LOG_2_PI, signs, squared_distances, whiten
from .boundary import Ending, Place, Search
from .newton import Covariance, Root, Scatter, evaluate

NEWTON = 250
"""Features up to which second derivatives are worth their d^3 q operations (measured)."""

DENSE = 1000  # features beyond which no (d, d) matrix is made of a root
LEAST_START = 1e-3  # noise to start from, relative to the feature's variance
WELL_CONDITIONED = 1e-8  # smallest eigenvalue of a correlation matrix that can be inverted
DRAWN = (0.05, 0.95)  # between which shares of noise are drawn
TIE = 1e-7  # of F: of ends that are one, but for where Newton stopped, the first is kept
TENTH = 0.1  # the share of noise that the third search starts from
PARTIAL, PLAIN = 5, 30  # EM iterations before Newton's, from the first start and the second


class FactorSolution(NamedTuple):
    """Parameters of highest likelihood, and how they were found.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.factor.profile import fit_factors
    >>> loadings = np.array([0.9, 0.8, 0.7])
    >>> covariance = np.outer(loadings, loadings) + np.diag([0.19, 0.36, 0.51])
    >>> solution = fit_factors(covariance, 1)
    >>> print(solution.loadings.ravel().round(4), solution.noise.round(4))
    [0.9 0.8 0.7] [0.19 0.36 0.51]
    >>> solution.converged, bool(solution.heywood.any())
    (True, False)
    """

    loadings: Array
    """(d, q), with ``L' P^-1 L`` diagonal and decreasing; of each column, the entry that is largest
    in units of its feature's standard deviation is positive."""
    noise: Array
    """(d,), P, positive; Heywood and constant features have their floor."""
    trace: list[float]
    """Log-likelihood, nats per row, after each iteration: it never falls, and the last one is that
    of the returned parameters."""
    n_iter: int
    converged: bool
    heywood: np.ndarray
    """(d,) bool, features whose noise variance is zero at the maximum, and those that are linear
    combinations of them, by which the likelihood would grow for ever."""
    gradient_norm: float
    """Of the profile log-likelihood per row by log noise, over features that are not on the
    boundary."""


def fit_factors(
    covariance: Array | None,
    n_factors: int,
    *,
    root: Array | None = None,
    noise_init: Array | None = None,
    n_init: int = 1,
    rng: np.random.RandomState | None = None,
    tol: float = 1e-10,
    max_iter: int = 1000,
    floor: float = 1e-12,
) -> FactorSolution:
    """Loadings and noise variances of highest likelihood.

    Maximises ``-(d log 2 pi + log det M + tr M^-1 C) / 2``, M = L L' + P and C the covariance, by
    Newton's method on the profile likelihood of log P (Joreskog 1967, Psychometrika 32), or by
    limited-memory BFGS where there are many features.

    There may be several maxima. The first search starts, as R's factanal, from the part of each
    feature that the others do not explain; a second one from noise alone, as scikit-learn; with up
    to 250 features a third, where factors explain all but a tenth. The best end is returned;
    nothing proves it the best there is.

    Where features are collinear, or rows fewer than factors + 2, the likelihood grows for ever as
    their noise falls: it is then that of noise at the floor, known to about 1e-4 for 1e-12.

    Parameters
    ----------
    covariance : ndarray of shape (d, d) or None
        About the mean, divided by the number of rows (n, not n - 1). It may be singular.
    n_factors : int
        q, from 0 to d.
    root : ndarray of shape (m, d), default=None
        ``root' root`` is the covariance. With m < d > 1000, memory is O((m + q) d + m^2).
    noise_init : ndarray of shape (d,), default=None
        Positive noise variances to start from instead; in the data's units.
    n_init : int, default=1
        1: the searches above. Each one more starts from noise drawn by `rng`.
    rng : RandomState, default=None
    tol : float, default=1e-10
        Nats per row that another step must promise.
    max_iter : int, default=1000
    floor : float, default=1e-12
        Noise variance of Heywood features, relative to their variance; and of constant features,
        absolute, which have no loadings.

    Returns
    -------
    solution : FactorSolution
    """
    scatter, size = standardised(covariance, root)
    varies, x = size > 0.0, None
    if noise_init is not None:
        share = np.asarray(noise_init, dtype=np.float64)[varies] / size[varies] / size[varies]
        x = np.log(np.maximum(share, LEAST_START))
    q = min(n_factors, int(varies.sum()))
    more, d = n_init - 1 if rng is not None else 0, len(scatter.variances)
    starts = [np.log(rng.uniform(*DRAWN, d)) for _ in range(more)]  # type: ignore[union-attr]
    ending = best_ending(scatter, q, floor, x, starts, tol, max_iter)
    return solution_of(ending, scatter, size, n_factors, floor)


def solution_of(
    ending: Ending, scatter: Scatter, size: Array, n_factors: int, floor: float
) -> FactorSolution:
    """Where a search ended, in the units of the data: standard deviations `size` (d,)."""
    d, varies = len(size), size > 0.0
    loadings, noise = np.zeros((d, n_factors)), np.full(d, floor)
    standard = at_the_floor(ending.place, floor)
    part = canonical(ending.place.loadings(), standard)
    loadings[varies, : part.shape[1]] = part * size[varies, None]
    noise[varies] = standard * size[varies] ** 2
    heywood = np.zeros(d, dtype=bool)
    heywood[varies] = standard <= floor
    constants = d * LOG_2_PI + float(np.count_nonzero(~varies) * np.log(floor))
    constants += 2.0 * float(np.log(size[varies]).sum())
    last = -0.5 * (deviance(scatter, part, standard) + constants)
    trace = [min(-0.5 * (value + constants), last) for value in ending.trace[:-1]]
    gradient = 0.5 * float(np.linalg.norm(ending.place.point.gradient))
    return FactorSolution(
        loadings, noise, [*trace, last], len(ending.trace), ending.converged, heywood, gradient
    )


def standardised(covariance: Array | None, root: Array | None) -> tuple[Scatter, Array]:
    """The correlations of the features that vary, and the standard deviations of all (d,)."""
    if covariance is not None:
        unit = 1.0 / power_of_two_scale(np.sqrt(np.abs(covariance.diagonal())))
        scaled = covariance / unit / unit[:, None]
        deviation = np.sqrt(np.maximum(scaled.diagonal(), 0.0))
        varies = deviation > 0.0
        some = deviation[varies]
        matrix = scaled[np.ix_(varies, varies)] / some / some[:, None]
        matrix = 0.5 * (matrix + matrix.T)
        np.fill_diagonal(matrix, 1.0)
        return Covariance(matrix), deviation * unit
    assert root is not None, "expected a covariance or a root of one"
    m, d = root.shape
    unit = 1.0 / power_of_two_scale(np.abs(root).max(axis=0, initial=0.0))
    scaled = root / unit
    deviation = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
    varies = deviation > 0.0
    scaled = scaled[:, varies] / deviation[varies]
    if m >= d or (d <= DENSE and 2 * m > d):
        return Covariance(scaled.T @ scaled), deviation * unit
    return Root(scaled), deviation * unit


def best_ending(
    scatter: Scatter,
    q: int,
    floor: float,
    x: Array | None,
    starts: list[Array],
    tol: float,
    max_iter: int,
) -> Ending:
    """The best of searches: from log noise x or else from three places, and from `starts`, (d,)."""
    whole = len(scatter.variances) <= NEWTON

    def search(start: Array) -> Ending:
        task = Search(scatter, q, floor, whole)
        return task.run(task.at((), start), tol, max_iter)

    if x is not None:
        found = [search(x)]
    else:
        alone = np.zeros(len(scatter.variances))
        found = [
            search(after_em(scatter, q, partial_noise(scatter, q), PARTIAL)),
            search(after_em(scatter, q, alone, PLAIN)),
        ]
        if whole:
            found.append(search(alone + np.log(TENTH)))
    found += [search(after_em(scatter, q, start, PARTIAL)) for start in starts]
    best = found[0]
    for other in found[1:]:
        if other.place.value < best.place.value - TIE:
            best = other
    return best


def partial_noise(scatter: Scatter, q: int) -> Array:
    """Log of the share of each feature that the others leave unexplained, as factanal starts.

    ``(1 - q / 2d) / diag(S^-1)``; half of each where S is singular or has no matrix.
    """
    d = len(scatter.variances)
    if isinstance(scatter, Covariance) and d:
        values, vectors = np.linalg.eigh(scatter.matrix)
        if values[0] > WELL_CONDITIONED:
            return np.log((1.0 - 0.5 * q / d) / ((vectors**2) @ (1.0 / values)))
    return np.full(d, np.log(0.5))


def after_em(scatter: Scatter, q: int, x: Array, n_iter: int) -> Array:
    """Log noise after some iterations ``P = diag(S - L L')``: robust far from a maximum."""
    for _ in range(n_iter):
        shrunken = 1.0 - evaluate(scatter, x, q, False).gradient
        x = x + np.log(np.maximum(shrunken, LEAST_START))
    return np.maximum(x, np.log(LEAST_START))


def at_the_floor(place: Place, floor: float) -> Array:
    """Noise of all features (d,), `floor` where the maximum has none."""
    noise = np.full(len(place.edge.coefficients), floor)
    noise[place.edge.free] = np.maximum(np.exp(place.point.x), floor)
    return noise


def canonical(loadings: Array, noise: Array) -> Array:
    """Rotated to ``L' P^-1 L`` diagonal, decreasing; each column's largest entry positive."""
    loadings = loadings @ whiten(loadings, noise).rotation.T
    return loadings * signs(loadings)


def deviance(scatter: Scatter, loadings: Array, noise: Array) -> float:
    """``log det M + tr M^-1 C`` at the parameters themselves."""
    if isinstance(scatter, Root):
        w = whiten(loadings, noise)
        return w.log_det + float(squared_distances(w, scatter.root).sum())
    assert isinstance(scatter, Covariance)
    factor = cho_factor(loadings @ loadings.T + np.diag(noise), lower=True, check_finite=False)
    log_det = 2.0 * float(np.log(factor[0].diagonal()).sum())
    return log_det + float(np.trace(cho_solve(factor, scatter.matrix, check_finite=False)))

"""The responsibility map of known densities, its orbit, its Lyapunov function and its certificate.

n rows, K components, known densities F (n, K), mixing weights pi (K,) on the simplex, row weights w
(n,), pseudo-counts ``a = concentration - 1``. Log-likelihoods are means over rows, in nats. Arrays
may be NumPy's or of any namespace of the array-API standard; what comes back is of F's namespace
and device. Computations run in the log domain, in double precision where the device has it.
"""

from __future__ import annotations

import math
from typing import Any

from ._checks import check_n_iter, check_weights, log_of, read_densities
from ._densities import (
    UnexplainedRowError,
    log_full_gradient,
    next_log_weights,
)


def responsibility_map(
    F: Any,
    weights: Any,
    *,
    sample_weight: Any = None,
    concentration: Any = 1.0,
    log: bool = False,
) -> Any:
    """Apply the responsibility map once: one EM step for the mixing weights.

    ``R(pi)_k = (sum_n w_n pi_k F_nk / sum_j pi_j F_nj + a_k) / (sum w + sum a)``, the mean
    responsibility of each component (Saerens, Latinne and Decaestecker 2002, Neural Comput. 14).
    Without pseudo-counts ``l(R(pi)) - l(pi) >= KL(R(pi) || pi)`` for the log-likelihood l.

    Parameters
    ----------
    F : array of shape (n_samples, n_components)
        Densities of the rows under the components, or their logarithms with `log`. A constant
        factor in a row changes nothing.
    weights : array of shape (n_components,)
        Mixing weights, on the simplex. Zeros stay zero where there are no pseudo-counts.
    sample_weight : array of shape (n_samples,), default=None
    concentration : float or array of shape (n_components,), default=1.0
        Of a Dirichlet prior, at least 1: ``concentration - 1`` is added to the sum of
        responsibilities, so with it `sample_weight` counts rows.
    log : bool, default=False
        Whether F holds log-densities; -inf is a density of zero.

    Returns
    -------
    weights : array of shape (n_components,)

    Raises
    ------
    ValueError
        For negative, NaN or infinite densities, for a row that no component explains, or none of
        positive weight, for wrong shapes, and for weights off the simplex.
    TypeError
        For an F that is not a dense matrix of real numbers in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import responsibility_map
    >>> F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> responsibility_map(F, [0.5, 0.5]).round(4)
    array([0.6667, 0.3333])
    """
    data = read_densities("responsibility_map", F, log, sample_weight, concentration)
    start = log_of(data, check_weights(data, "weights", weights))
    return data.xp.exp(next_log_weights(data, start))


def responsibility_orbit(
    F: Any,
    n_iter: int,
    *,
    start: Any = None,
    sample_weight: Any = None,
    concentration: Any = 1.0,
    log: bool = False,
) -> Any:
    """Apply the responsibility map `n_iter` times and return all iterates.

    Weights are carried as logarithms, so one that falls below the range of numbers, and shows as
    zero, can rise again. If F has full column rank the orbit of a positive start converges to the
    only maximiser of the likelihood, at a linear rate; with collinear columns the limit depends on
    the start.

    Parameters
    ----------
    F, sample_weight, concentration, log
        As for `responsibility_map`.
    n_iter : int
        Number of applications, zero or more.
    start : array of shape (n_components,), default=None
        Where to start, on the simplex; None: uniform weights. Zeros stay zero where there are no
        pseudo-counts.

    Returns
    -------
    orbit : array of shape (n_iter + 1, n_components)
        The first row is the start.

    Raises
    ------
    ValueError, TypeError
        As `responsibility_map`.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import responsibility_orbit
    >>> F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> responsibility_orbit(F, 2)[:, 0].round(4)
    array([0.5   , 0.6667, 0.7659])
    """
    data = read_densities("responsibility_orbit", F, log, sample_weight, concentration)
    n_iter = check_n_iter(data, n_iter)
    orbit = [check_weights(data, "start", start)]
    log_weights = log_of(data, orbit[0])
    for _ in range(n_iter):
        log_weights = next_log_weights(data, log_weights)
        orbit.append(data.xp.exp(log_weights))
    return data.xp.stack(orbit)


def log_likelihood(F: Any, weights: Any, *, sample_weight: Any = None, log: bool = False) -> float:
    """Mean log-density of the rows, in nats: the function that the responsibility map raises.

    ``l(pi) = sum_n w_n log sum_k pi_k F_nk / sum_n w_n``, concave in pi; ``-l`` is a Lyapunov
    function of the map.

    Parameters
    ----------
    F, weights, sample_weight, log
        As for `responsibility_map`.

    Returns
    -------
    log_likelihood : float
        -inf where components of positive weight all exclude some row.

    Raises
    ------
    ValueError, TypeError
        As `responsibility_map`.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import log_likelihood
    >>> F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> round(log_likelihood(F, [0.5, 0.5]), 4)
    -0.6931
    """
    data = read_densities("log_likelihood", F, log, sample_weight)
    log_weights = log_of(data, check_weights(data, "weights", weights))
    xp = data.xp
    try:
        return math.fsum(
            float(xp.sum(xp.exp(b.log_share) * (b.shift + b.log_u)))
            for b in data.blocks(log_weights)
        )
    except UnexplainedRowError:
        return -math.inf


def optimality_gap(
    F: Any,
    weights: Any,
    *,
    sample_weight: Any = None,
    concentration: Any = 1.0,
    log: bool = False,
) -> float:
    """Bound how far weights are from the maximum, in nats: zero at a maximiser and only there.

    ``log max_k g_k`` with ``g_k = (sum_n w_n F_nk / (F pi)_n + a_k / pi_k) / (sum w + sum a)``. By
    Jensen's inequality no weights have an objective higher by more, whatever they are: the mean
    log-likelihood, or with pseudo-counts ``(sum_n w_n log (F pi)_n + sum_k a_k log pi_k) / (sum w
    + sum a)`` (Lindsay 1983, Ann. Statist. 11, for the likelihood).

    Parameters
    ----------
    F, weights, sample_weight, concentration, log
        As for `responsibility_map`.

    Returns
    -------
    gap : float
        Zero or more, up to rounding of about 1e-15; inf where the objective is -inf.

    Raises
    ------
    ValueError, TypeError
        As `responsibility_map`.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import optimality_gap
    >>> F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> round(optimality_gap(F, [0.5, 0.5]), 4)
    0.2877
    """
    data = read_densities("optimality_gap", F, log, sample_weight, concentration)
    log_weights = log_of(data, check_weights(data, "weights", weights))
    try:
        return float(data.xp.max(log_full_gradient(data, log_weights)))
    except UnexplainedRowError:
        return math.inf

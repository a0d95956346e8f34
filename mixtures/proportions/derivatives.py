"""Derivatives of mixing weights with respect to the densities that they were estimated from.

*Unrolled*: of the last of `n_iter` applications of the responsibility map, for training through a
few of them. *Implicit*: of the maximiser itself, for one linear system. Forward (jvp, a tangent of
F to a tangent of the weights) and reverse (vjp, a cotangent of the weights to a cotangent of F);
with ``log=True``, F, its tangent and its cotangent are those of log F. n rows, K components.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ._checks import (
    check_n_iter,
    check_tangent,
    check_vector,
    check_weights,
    log_of,
    read_densities,
)
from ._densities import RowResult
from ._implicit import at_maximiser, implicit_jvp, implicit_vjp
from ._unrolled import log_orbit, pull, push, report_overflow, unit


def responsibility_jvp(
    F: Any, start: Any, n_iter: int, tangent_F: Any, *, tangent_start: Any = None,
    sample_weight: Any = None, concentration: Any = 1.0, log: bool = False,
) -> Any:  # fmt: skip
    """Differentiate `n_iter` applications of the responsibility map along a tangent.

    Exact. Off the simplex the map is its own formula, in which the scale of the start cancels.

    Parameters
    ----------
    F, sample_weight, concentration, log
        As for `responsibility_map`.
    start : array of shape (n_components,)
        The first weights, on the simplex, zeros included; None: uniform.
    n_iter : int
    tangent_F : array of shape (n_samples, n_components) or None
    tangent_start : array of shape (n_components,), default=None
        Directions in which F (log F with `log`) and the start move; None: it does not.

    Returns
    -------
    tangent : array of shape (n_components,)
        Of the last iterate; its sum is zero if `n_iter` > 0.

    Warns
    -----
    RuntimeWarning
        Where a derivative is beyond the range of numbers: F below 1e-300 (pass logarithms), or a
        weight of zero for a component that explains a row far better than all others.

    Raises
    ------
    ValueError, TypeError
        As `responsibility_map`; also for tangents of another shape, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import responsibility_jvp
    >>> F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> tangent = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> responsibility_jvp(F, [0.5, 0.5], 1, tangent).round(4)
    array([ 0.0333, -0.0333])
    """
    data = read_densities("responsibility_jvp", F, log, sample_weight, concentration)
    xp, n_iter = data.xp, check_n_iter(data, n_iter)
    start = check_weights(data, "start", start)
    if tangent_F is not None:
        tangent_F = check_tangent(data, "tangent_F", tangent_F)
    tangent = xp.zeros_like(start)
    if tangent_start is not None:
        tangent = check_vector(data, "tangent_start", tangent_start)
    orbit = log_orbit(data, log_of(data, start), n_iter)
    tangent = tangent / unit(data, orbit[0])
    for here, there in pairwise(orbit):
        tangent = push(data, here, there, tangent, tangent_F)
    tangent = tangent * unit(data, orbit[-1])
    report_overflow(data, "tangent of the weights", [tangent])
    return tangent


def responsibility_vjp(
    F: Any, start: Any, n_iter: int, cotangent: Any, *,
    sample_weight: Any = None, concentration: Any = 1.0, log: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Pull a cotangent of the last weights back through `n_iter` responsibility maps.

    The adjoint of `responsibility_jvp`, exact: the gradient with respect to F and the start of a
    function whose gradient with respect to the last iterate is `cotangent`. It takes `n_iter`
    reads of F beyond those of the orbit and, of NumPy arrays, no (n, K) memory beyond its result.

    Parameters
    ----------
    F, sample_weight, concentration, log
        As for `responsibility_map`.
    start : array of shape (n_components,)
        The first weights, on the simplex, zeros included; None: uniform.
    n_iter : int
    cotangent : array of shape (n_components,)
        Of the last iterate.

    Returns
    -------
    cotangent_F : array of shape (n_samples, n_components)
        Of F, or of log F with `log`; float32 for a float32 F.
    cotangent_start : array of shape (n_components,)

    Warns
    -----
    RuntimeWarning
        As `responsibility_jvp`.

    Raises
    ------
    ValueError, TypeError
        As `responsibility_map`; also for a cotangent of another shape, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import responsibility_vjp
    >>> F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> cotangent_F, cotangent_start = responsibility_vjp(F, [0.5, 0.5], 1, [1.0, 0.0])
    >>> cotangent_F.round(4)
    array([[ 0.0333, -0.3   ],
           [ 0.0667, -0.2667],
           [ 0.2333, -0.1   ]])
    """
    data = read_densities("responsibility_vjp", F, log, sample_weight, concentration)
    n_iter = check_n_iter(data, n_iter)
    start = check_weights(data, "start", start)
    cotangent = check_vector(data, "cotangent", cotangent)
    orbit = log_orbit(data, log_of(data, start), n_iter)
    cotangent = cotangent * unit(data, orbit[-1])
    result = RowResult(data)
    for there, here in pairwise(reversed(orbit)):
        cotangent = pull(data, here, there, cotangent, result)
    cotangent = cotangent / unit(data, orbit[0])
    report_overflow(data, "cotangent", [cotangent, *result.parts])
    return result.joined(), cotangent


def proportions_jvp(
    F: Any, weights: Any, tangent_F: Any, *, tol: float = 1e-6,
    sample_weight: Any = None, concentration: Any = 1.0, log: bool = False,
) -> Any:  # fmt: skip
    """Differentiate the maximiser of the likelihood along a tangent of F, implicitly.

    One linear system in the components of positive weight, whatever found the weights; those at
    zero stay there. The result is as exact as `weights`: weights off by e change it by about
    e / lambda_min, the smallest eigenvalue of the information, so fit to a small tolerance.

    Parameters
    ----------
    F, sample_weight, concentration, log
        As for `responsibility_map`.
    weights : array of shape (n_components,)
        The maximiser. Weights below 1 - g_k, the slack of `optimality_gap`'s g (what EM leaves
        of a component that vanishes), count as zero.
    tangent_F : array of shape (n_samples, n_components)
        Direction in which F (log F with `log`) moves.
    tol : float, default=1e-6
        Largest optimality gap, in nats, of weights that are taken for a maximiser.

    Returns
    -------
    tangent : array of shape (n_components,)
        Of the maximiser; its sum is zero if `weights` are exact.

    Warns
    -----
    DegenerateDataWarning
        Where the maximiser has no derivative: because active components are collinear on these
        rows (then the minimum-norm solution, in which equal components share as under EM, is
        returned), or because the slack of a weight of zero is within 1e-6 of zero (strict
        complementarity fails; the weight is kept at zero).
    RuntimeWarning
        Where a derivative is beyond the range of numbers.

    Raises
    ------
    ValueError, TypeError
        As `responsibility_map`; also for weights that are no maximiser, and for tangents of another
        shape, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import proportions_jvp
    >>> F = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> tangent = np.array([[1.0, 0.0], [0.0, 0.0]])
    >>> proportions_jvp(F, [0.5, 0.5], tangent).round(4)
    array([ 0.5, -0.5])
    """
    data = read_densities("proportions_jvp", F, log, sample_weight, concentration)
    weights = check_weights(data, "weights", weights)
    tangent_F = check_tangent(data, "tangent_F", tangent_F)
    at = at_maximiser(data, weights, log_of(data, weights), tol)
    tangent = implicit_jvp(at, tangent_F)
    report_overflow(data, "tangent of the weights", [tangent])
    return tangent


def proportions_vjp(
    F: Any, weights: Any, cotangent: Any, *, tol: float = 1e-6,
    sample_weight: Any = None, concentration: Any = 1.0, log: bool = False,
) -> Any:  # fmt: skip
    """Pull a cotangent of the maximiser back to F, implicitly.

    The adjoint of `proportions_jvp`: the gradient with respect to F of a function whose gradient
    with respect to the maximiser is `cotangent`. By the implicit function theorem, with
    ``u = F pi``, ``H_jk = sum_n w_n F_nj F_nk / u_n^2`` on the active set (weights summing to one)
    and ``H z = cotangent``, it is ``w_n (z_k / u_n - pi_k (F z)_n / u_n^2)``.

    Parameters
    ----------
    F, sample_weight, concentration, log
        As for `responsibility_map`.
    weights, tol
        As for `proportions_jvp`.
    cotangent : array of shape (n_components,)
        Of the maximiser.

    Returns
    -------
    cotangent_F : array of shape (n_samples, n_components)
        Of F, or of log F with `log`; zero for components of weight zero; float32 for a float32 F.

    Warns
    -----
    DegenerateDataWarning, RuntimeWarning
        As `proportions_jvp`.

    Raises
    ------
    ValueError, TypeError
        As `proportions_jvp`.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.proportions import proportions_vjp
    >>> F = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> proportions_vjp(F, [0.5, 0.5], [1.0, 0.0]).round(4)
    array([[ 0.5, -1. ],
           [ 1. , -0.5]])
    """
    data = read_densities("proportions_vjp", F, log, sample_weight, concentration)
    weights = check_weights(data, "weights", weights)
    cotangent = check_vector(data, "cotangent", cotangent)
    at = at_maximiser(data, weights, log_of(data, weights), tol)
    result = RowResult(data)
    implicit_vjp(at, cotangent, result)
    report_overflow(data, "cotangent", result.parts)
    return result.joined()

"""Derivatives through a given number of applications of the responsibility map, exact.

In logarithms mu of the weights, with responsibilities S (n, K) and shares s (n,), one application
``mu+ = R(mu)`` has the differential

    dmu+_k = sum_n V_nk (dmu_k + dlogF_nk - c_n),   c_n = sum_j S_nj (dmu_j + dlogF_nj),

with ``V_nk = s_n S_nk / pi+_k``. So weights far below the range of numbers do no harm. A weight
that is exactly zero has no logarithm: its differential is that of the weight itself, and F / (F pi)
takes the place of S. With densities instead of their logarithms ``pi_k dF_nk / (F pi)_n`` takes the
place of ``S_nk dlogF_nk``, because F may be zero.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ._densities import Block, Densities, RowResult, next_log_weights

OVERFLOW: Any = {"over": "ignore", "invalid": "ignore"}
"""A derivative beyond the range of numbers becomes inf or NaN, which the callers report."""


def log_orbit(data: Densities, log_start: Any, n_iter: int) -> list[Any]:
    """Logarithms of all iterates, (K,) each."""
    orbit = [log_start]
    for _ in range(n_iter):
        orbit.append(next_log_weights(data, orbit[-1]))
    return orbit


def finite(xp: Any, log_weights: Any) -> Any:
    """Log-weights with 0 for -inf: the unit in which a weight of zero is measured."""
    return xp.where(log_weights > -math.inf, log_weights, xp.zeros_like(log_weights))


def scores(data: Densities, block: Block, log_weights: Any) -> Any:
    """What multiplies the differential of F's block, as logarithms: log S, or log(pi / u).

    The differential is then that of log F, or that of F over its row's largest density.
    """
    log_f = block.log_f if data.is_log else 0.0
    return log_f + (log_weights - block.log_u[:, None])


def in_units(data: Densities, block: Block, tangent: Any) -> Any:
    """The block of a tangent of F in the units of `scores`; or a cotangent, back into F's."""
    return tangent if data.is_log else tangent / data.xp.exp(block.shift)[:, None]


def push(data: Densities, here: Any, there: Any, tangent: Any, tangent_F: Any) -> Any:
    """The tangent (K,) of the next iterate; `here` and `there` are log-weights.

    Tangents are of log-weights, and of weights where these are zero.
    """
    xp = data.xp
    active = here > -math.inf
    # Components of weight zero that do not move are left out: 0 times overflow is no number.
    moving = active | (tangent != 0)
    unit = xp.where(moving, finite(xp, here), here)
    out = finite(xp, there)
    counts = xp.astype(active, data.dtype)
    result = xp.zeros_like(tangent)
    with np.errstate(**OVERFLOW):
        for block in data.blocks(here):
            log_s = block.log_f + (unit - block.log_u[:, None])
            log_v = log_s + (block.log_share[:, None] - out)
            mean = xp.sum(xp.exp(log_s) * tangent, axis=1)
            if tangent_F is not None:
                change = in_units(data, block, data.read(tangent_F, block.rows))
                slope = scores(data, block, here)
                mean = mean + xp.sum(xp.exp(slope) * change, axis=1)
                slope = slope + (block.log_share[:, None] - out)
                result = result + xp.sum(xp.exp(slope) * change, axis=0)
            result = result + xp.sum(xp.exp(log_v) * (tangent - counts * mean[:, None]), axis=0)
    return result


def pull(data: Densities, here: Any, there: Any, cotangent: Any, result: RowResult) -> Any:
    """The cotangent (K,) of an iterate from that of the next one; F's is added to `result`."""
    xp = data.xp
    active = here > -math.inf
    all_active = bool(xp.all(active))
    out = finite(xp, there)
    found = xp.zeros_like(cotangent)
    with np.errstate(**OVERFLOW):
        for index, block in enumerate(data.blocks(here)):
            log_s = block.log_f + (here - block.log_u[:, None])
            step = block.log_share[:, None] - out
            pulled = xp.exp(log_s + step) * cotangent
            mean = xp.sum(pulled, axis=1)[:, None]
            pulled = pulled - xp.exp(log_s) * mean
            found = found + xp.sum(pulled, axis=0)
            if not data.is_log:
                slope = scores(data, block, here)
                pulled = xp.exp(slope + step) * cotangent - xp.exp(slope) * mean
            result.add(index, in_units(data, block, pulled))
            if not all_active:
                found = found + _pull_to_zeros(data, block, here, there, cotangent, mean)
    return found


def _pull_to_zeros(
    data: Densities, block: Block, here: Any, there: Any, cotangent: Any, mean: Any
) -> Any:
    """What a block adds to the cotangent of weights that are zero; 0 for the others."""
    xp = data.xp
    active = here > -math.inf
    none, zeros = xp.full_like(here, -math.inf), xp.zeros_like(here)
    unit = xp.where(active, none, zeros)
    out = xp.where(active, zeros, finite(xp, there))
    ratios = xp.exp(block.log_f + (unit - block.log_u[:, None]))
    moved = xp.where(active, zeros, cotangent) * xp.exp(block.log_share[:, None] - out)
    return xp.sum(ratios * (moved - mean), axis=0)


def unit(data: Densities, log_weights: Any) -> Any:
    """What one unit of an internal tangent is in weights: the weight itself, or 1 if it is zero."""
    return data.xp.exp(finite(data.xp, log_weights))


def report_overflow(data: Densities, what: str, parts: list[Any]) -> None:
    """RuntimeWarning where numbers overflowed, which not every namespace says by itself."""
    xp = data.xp
    if not all(bool(xp.all(xp.isfinite(part))) for part in parts):
        warnings.warn(
            f"{data.name}: the {what} has entries beyond the range of numbers, or sums of such. "
            "Pass logarithms with log=True if densities are tiny; let no weight of zero belong to "
            "a component that explains a row far better than all others.",
            RuntimeWarning,
            stacklevel=3,
        )

"""What the curvature at the maximum says: identifiability, the rate of EM, standard errors.

With ``H_jk = mean_n F_nj F_nk / u_n^2`` over the active components and ``D = diag(weights)``:

- The Jacobian of the responsibility map is ``I - D H``, similar to ``I - D^1/2 H D^1/2``, so EM
  converges linearly at the rate ``1 - lambda_min`` of that matrix; a component that is not active
  dies at the rate g_k (Dempster, Laird and Rubin 1977, J. R. Statist. Soc. B 39, section 3).
- ``H weights = 1``, so the inverse of the curvature along the simplex is
  ``H^-1 - weights weights'`` and, over the total weight of the rows, the asymptotic covariance of
  the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..discriminants import Array
from .ascent import Ascent
from .source import DensitySource

NEARLY_ACTIVE = 1e-7
"""Components of no weight, whose gradient is so close to one, might share the weight of others."""

DEPENDENT = 1e-13
"""Smallest eigenvalue, for each component, of the curvature scaled to a unit diagonal, at which
columns are linearly dependent for floating-point numbers."""


class Information(NamedTuple):
    lambda_min: float
    rate: float
    covariance: Array  # (K, K), zero for components that are not active
    standard_errors: Array  # (K,)
    identifiable: bool


def _spectrum(H: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues and vectors of H scaled to a unit diagonal, and the scale."""
    diagonal = np.diagonal(H)
    seen = diagonal > np.finfo(float).tiny  # the others have no curvature: they are open directions
    scale = np.where(seen, 1.0 / np.sqrt(np.where(seen, diagonal, 1.0)), 0.0)
    values, vectors = np.linalg.eigh(H * np.outer(scale, scale))
    return values, vectors, scale


def information_at(source: DensitySource, ascent: Ascent, total_weight: float) -> Information:
    """The information at the maximum; `total_weight` is that of all rows, pseudo-rows included."""
    weights, gradient = ascent.weights, ascent.gradient
    live = ascent.live
    if source.pseudo_counts is not None:
        live = live | (source.pseudo_counts > 0)
    support, active = np.flatnonzero(weights), np.flatnonzero(live)
    near = np.flatnonzero(live | (gradient > 1.0 - NEARLY_ACTIVE))
    H = source.evaluate(support, weights[support], near, curvature=True).curvature
    covariance = np.zeros((len(weights), len(weights)))
    if not np.isfinite(H).all():  # some row is hardly explained: nothing can be said
        covariance[:] = np.nan
        return Information(np.nan, np.nan, covariance, np.diagonal(covariance).copy(), False)
    identifiable = bool(_spectrum(H)[0][0] > DEPENDENT * len(near))
    own = np.searchsorted(near, active)
    H, p = H[np.ix_(own, own)], weights[active]
    root = np.sqrt(p)
    spectrum = np.clip(np.linalg.eigvalsh(H * np.outer(root, root)), 0.0, 1.0)
    # Along directions that change no density EM stands still, at whatever rate.
    moving = spectrum[spectrum > DEPENDENT * len(p)]
    idle = np.delete(gradient, active)
    rate = max(1.0 - float(moving.min(initial=1.0)), float(idle.max(initial=0.0)))
    inside = (_inverse(H) - np.outer(p, p)) / total_weight
    covariance[np.ix_(active, active)] = inside
    errors = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    return Information(float(spectrum[0]), min(rate, 1.0), covariance, errors, identifiable)


def _inverse(H: Array) -> Array:
    """``H^-1``; infinite variances and undefined covariances where H leaves a direction open."""
    values, vectors, scale = _spectrum(H)
    open_ = values <= DEPENDENT * len(H)
    whitened = vectors[:, ~open_] * scale[:, None] / np.sqrt(values[~open_])
    inverse = whitened @ whitened.T
    lost = (np.abs(vectors[:, open_]) > 1e-6).any(axis=1)
    inverse[lost], inverse[:, lost] = np.nan, np.nan
    inverse[lost, lost] = np.inf
    return inverse

"""Derivatives of the maximiser itself, by the implicit function theorem.

On the components of positive weight the maximiser solves ``g_k(pi, F) = 1``. In coordinates
``y = sqrt(pi) dlog pi`` the differential solves the linear system

    B y = b / sqrt(pi),   B = D (S' diag(s) S + diag(a)) D,   D = diag(1 / sqrt(pi)),
    b_k = sum_n s_n S_nk (dlogF_nk - sum_j S_nj dlogF_nj),

with responsibilities S, shares s of rows and a of pseudo-counts. B's eigenvalues are between 0 and
1, and sqrt(pi) is an eigenvector of 1, orthogonal to the right-hand side: so ``sum dpi = 0`` by
itself.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..exceptions import DegenerateDataWarning
from ._densities import Densities, log_full_gradient
from ._unrolled import OVERFLOW, RowResult, in_units, scores

NEAR_ONE = 1e-6
"""Slack 1 - g_k of a zero weight from which on it is about to become positive."""

RANK = 1e-10
"""Eigenvalues of B, scaled to a unit diagonal, taken for zero: ten digits are lost there."""


class Maximiser(NamedTuple):
    """The linear system at a maximiser."""

    data: Densities  # of the active components
    weights: Any  # (s,), theirs
    log_weights: Any  # (s,)
    inverse: Any  # (s, s), the pseudo-inverse of B
    active: Any  # (K,), booleans
    position: Any  # (K,), where each component stands among the active ones; any for the others

    def placed(self, array: Any) -> Any:
        """An array whose last axis is that of all components, zero for those not active."""
        found = self.data.xp.take(array, self.position, axis=-1)
        return self.data.xp.where(self.active, found, self.data.xp.zeros_like(found))


def at_maximiser(data: Densities, weights: Any, log_weights: Any, tol: float) -> Maximiser:
    """Check that the weights maximise, find the active components, and solve for the others."""
    xp = data.xp
    log_g = log_full_gradient(data, log_weights)
    gap = float(xp.max(log_g))
    if not gap <= tol:
        raise ValueError(
            f"{data.name} expects weights that maximise the objective, but it can still rise by up "
            f"to {gap:.3g} nats (optimality_gap), which is more than tol={tol:g}. Fit to a smaller "
            "tolerance, or differentiate through a number of iterations with responsibility_jvp or "
            "responsibility_vjp."
        )
    slack = 0.0 - xp.expm1(log_g)
    active = (weights > 0) & ~(slack > xp.maximum(weights, xp.full_like(weights, NEAR_ONE)))
    _report_ties(data, weights, active, slack)
    index = xp.nonzero(active)[0]
    chosen = data.restricted(index)
    pi, mu = xp.take(weights, index), xp.take(log_weights, index)
    everyone = xp.arange(weights.shape[0], device=data.F.device)
    position = xp.argmax(xp.astype(index[:, None] == everyone[None, :], xp.int32), axis=0)
    return Maximiser(chosen, pi, mu, _pseudo_inverse(chosen, pi, mu), active, position)


def _report_ties(data: Densities, weights: Any, active: Any, slack: Any) -> None:
    """Warn of weights of zero that the smallest change of F may raise."""
    xp = data.xp
    tied = ~active & (slack <= NEAR_ONE)
    if bool(xp.any(tied)):
        k = int(xp.argmax(xp.astype(tied, xp.int32)))
        warnings.warn(
            f"{data.name}: component {k} has weight {float(weights[k]):g}, but 1 - g_{k} = "
            f"{float(slack[k]):.1g}: strict complementarity fails, so some changes of F make its "
            "weight positive and others leave it at zero, and the maximiser has no derivative. "
            "What is returned keeps the weight at zero.",
            DegenerateDataWarning,
            stacklevel=4,
        )


def _information(data: Densities, weights: Any, log_weights: Any) -> Any:
    """B (s, s)."""
    xp = data.xp
    B = xp.zeros((weights.shape[0],) * 2, dtype=data.dtype, device=data.F.device)
    for block in data.blocks(log_weights):
        half = block.log_f + 0.5 * log_weights + (0.5 * block.log_share - block.log_u)[:, None]
        half = xp.exp(half)
        B = B + half.T @ half
    if data.prior is None:
        return B
    return B + xp.eye(B.shape[0], dtype=B.dtype, device=B.device) * (data.prior / weights)


def _pseudo_inverse(data: Densities, weights: Any, log_weights: Any) -> Any:
    """That of B (s, s), which is of full rank if the maximiser is unique."""
    xp = data.xp
    B = _information(data, weights, log_weights)
    # A unit diagonal, so that a small weight is not taken for a lack of rank.
    scale = 1.0 / xp.sqrt(xp.linalg.diagonal(B))
    values, vectors = xp.linalg.eigh(scale[:, None] * B * scale)
    n_lost = int(xp.sum(xp.astype(values <= RANK, xp.int32)))
    kept = scale[:, None] * vectors[:, n_lost:] / xp.sqrt(values[n_lost:])
    inverse = kept @ kept.T
    if n_lost == 0:
        return inverse
    warnings.warn(
        f"{data.name}: {n_lost} of the {weights.shape[0]} components of positive weight are "
        f"combinations of others on these rows, to ten digits (smallest eigenvalue "
        f"{float(values[0]):.1g}), so many weights maximise the objective and none of them has a "
        "derivative. What is returned is the minimum-norm solution, which shares a change among "
        "equal components in proportion to their weights, as EM does. A concentration above 1 "
        "makes the maximiser unique.",
        DegenerateDataWarning,
        stacklevel=4,
    )
    null = xp.linalg.qr(scale[:, None] * vectors[:, :n_lost]).Q
    inverse = inverse - null @ (null.T @ inverse)
    return inverse - (inverse @ null) @ null.T


def implicit_jvp(at: Maximiser, tangent_F: Any) -> Any:
    """The tangent (K,) of the maximiser."""
    data, xp = at.data, at.data.xp
    b = xp.zeros_like(at.weights)
    with np.errstate(**OVERFLOW):
        for block in data.blocks(at.log_weights):
            change = in_units(data, block, data.read(tangent_F, block.rows))
            terms = xp.exp(scores(data, block, at.log_weights)) * change
            resp = xp.exp(block.log_f + (at.log_weights - block.log_u[:, None]))
            share = xp.exp(block.log_share)[:, None]
            b = b + xp.sum(share * (terms - resp * xp.sum(terms, axis=1)[:, None]), axis=0)
    root = xp.sqrt(at.weights)
    return at.placed(root * (at.inverse @ (b / root)))


def implicit_vjp(at: Maximiser, cotangent: Any, result: RowResult) -> None:
    """Add the cotangent of F, or log F, to `result`."""
    data, xp = at.data, at.data.xp
    root = xp.sqrt(at.weights)
    z = (at.inverse @ (root * data.take(cotangent))) / root
    with np.errstate(**OVERFLOW):
        for index, block in enumerate(data.blocks(at.log_weights)):
            resp = xp.exp(block.log_f + (at.log_weights - block.log_u[:, None]))
            pulled = xp.exp(scores(data, block, at.log_weights) + block.log_share[:, None])
            pulled = pulled * (z - (resp @ z)[:, None])
            result.add(index, at.placed(in_units(data, block, pulled)))

"""Responsibilities and log-densities of rows, given the weights, in the log domain.

Unlike a fit, which scales a row by its largest density, these must not lose a density that is small
beside one of a component without weight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..discriminants import Array
from .densities import blocks


def posterior(F: np.ndarray, weights: Array, log: bool) -> Iterator[tuple[slice, Array, Array]]:
    """Rows, their responsibilities (b, K) and log-densities (b,), nats, block by block.

    A row that only components of zero weight explain is shared among these as if they had equal,
    vanishing ones; its log-density is -inf.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    for rows in blocks(*F.shape):
        with np.errstate(divide="ignore"):
            A = F[rows].astype(np.float64) if log else np.log(F[rows].astype(np.float64))
        joint = A + log_weights
        excluded = joint.max(axis=1) == -np.inf
        joint[excluded] = A[excluded]
        largest = joint.max(axis=1, keepdims=True)
        np.exp(joint - largest, out=joint)
        total = joint.sum(axis=1, keepdims=True)
        joint /= total
        log_density = np.where(excluded, -np.inf, (largest + np.log(total))[:, 0])
        yield rows, joint, log_density

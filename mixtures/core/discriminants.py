"""Discriminants: everything the E-step must know of the parameters, as arrays.

Conventions of this file and of the kernels that read it: n rows, d features, k components.
Rows reach a kernel in the coordinates of their :class:`Frame`, ``z = (x - centre) * scale``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LINEAR, DIAGONAL, TRIANGULAR, BINARY, LOW_RANK = 0, 1, 2, 3, 4
"""The discriminant functions; there is one kernel for each.

``LINEAR``      ``bias_k + sum_j slopes[j, k] z_j``
``DIAGONAL``    ``bias_k - sum_j (slopes[j, k] z_j + offsets[j, k])**2``
``TRIANGULAR``  ``bias_k - sum_i (offsets[i, k] + sum_{j<=i} slopes[i(i+1)/2 + j, k] z_j)**2``
``BINARY``      ``bias_k + sum_j (slopes[j, k] where z_j = 1, offsets[j, k] where z_j = 0)``
``LOW_RANK``    ``bias_k - |y - U u|^2 - sum_i share_i u_i^2`` with ``u = U' y`` and
                ``y_j = slopes[k, j, 0] z_j + offsets[k, j]``; the directions U are the other
                columns of ``slopes[k]``, the shares what follows in ``offsets[k]``

BINARY is linear in bits, but adds and never multiplies: a slope or offset may be -inf, the
logarithm of a probability that is zero. The factor 1/2 of a Gaussian's
exponent is inside: slopes and offsets carry ``sqrt(1/2)``.
"""


class Frame(NamedTuple):
    """Coordinates in which the kernels see a row: ``z = (x - centre) * scale``.

    The scale is a power of two, so that a change of units by powers of two changes no bit of
    any result, and so that data of size 1e-150 or 1e150 can be squared.
    """

    centre: Array  # (d,)
    scale: Array  # (d,), powers of two

    @classmethod
    def identity(cls, n_features: int) -> Frame:
        return cls(np.zeros(n_features), np.ones(n_features))

    def to_frame(self, points: Array) -> Array:
        return (points - self.centre) * self.scale

    def from_frame(self, points: Array) -> Array:
        return points / self.scale + self.centre

    @property
    def log_jacobian(self) -> float:
        """``log |dz/dx|`` in nats: what a log-density in z gains on its way back to x."""
        return float(np.log(self.scale).sum())


class Discriminants(NamedTuple):
    """One value per row and component: ``log weight + log density``, up to a term of the row.

    Component-last layout, because the kernels broadcast one coefficient of several components
    against vectors of rows; LOW_RANK components have factors to fill a tile with, each its own.
    """

    kind: int  # LINEAR, DIAGONAL, TRIANGULAR, BINARY or LOW_RANK
    slopes: Array  # (d(d+1)/2, k) TRIANGULAR, (k, d, 1 + q) LOW_RANK, else (d, k), C order
    offsets: Array  # (d, k), C order; (0, k) for LINEAR, (k, d + q) for LOW_RANK
    bias: Array  # (k,), -inf for a component of weight zero
    reference: Array  # (k, d), the points about which first and second moments are taken


class Assignment(NamedTuple):
    """How discriminant values v become responsibilities.

    Soft: ``r_k = exp(beta (v_k - lse))``, normalised. Hard: one for the largest value, the lowest
    index winning ties (k-means, classification EM).
    """

    beta: float = 1.0  # inverse temperature; 1 is EM
    hard: bool = False


SOFT = Assignment()
HARD = Assignment(hard=True)

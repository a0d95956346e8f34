"""Sufficient statistics: everything the M-step must know of the rows, as sums."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .discriminants import Array

NONE, NORM, DIAGONAL, FULL, FACTORS = 0, 1, 2, 3, 4
"""Which second moments a family needs: none, of the norm, of each feature, of each pair; and
``FACTORS + q``, of each feature and of each with the coordinates u of LOW_RANK discriminants."""


def second_shape(moments: int, n_components: int, n_features: int) -> tuple[int, ...]:
    """Shape of `SufficientStatistics.second`."""
    k, d = n_components, n_features
    if moments >= FACTORS:
        return k, 1 + moments - FACTORS, d
    return ((k, 0), (k, 1), (k, d), (k, d, d))[moments]


class SufficientStatistics(NamedTuple):
    """Responsibility-weighted sums over rows; they add over disjoint sets of rows.

    With responsibilities r, row weights w and the discriminants' reference points m:
    moments are taken about m, the same for every block of a sweep, so that they add and nothing
    cancels (subtract before you square).
    """

    counts: Array  # (k,)    sum_i w_i r_ik
    first: Array  # (k, d)   sum_i w_i r_ik (z_i - m_k)
    second: Array  # see `second_shape`: sum_i w_i r_ik of |z_i - m_k|^2, its parts or its products
    log_likelihood: float  # sum_i w_i log sum_k exp v_ik (of the largest v_ik, when hard), nats

    @classmethod
    def zeros(cls, moments: int, n_components: int, n_features: int) -> SufficientStatistics:
        k, d = n_components, n_features
        return cls(np.zeros(k), np.zeros((k, d)), np.zeros(second_shape(moments, k, d)), 0.0)

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:  # type: ignore[override]
        return SufficientStatistics(
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            self.log_likelihood + other.log_likelihood,
        )

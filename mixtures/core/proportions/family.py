"""Known densities as a family: weights are all there is to estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..discriminants import LINEAR, Array, Discriminants
from ..family import AbstractFamily
from ..unconstrained import Simplex


class Weights(NamedTuple):
    """Parameters of a mixture of known densities."""

    weights: Array  # (K,), on the simplex


class KnownDensities(AbstractFamily[Weights]):
    """``log weight_k + log f_k(x)``: linear in the log-densities, whose coefficients are one."""

    unconstrained = {"weights": Simplex()}  # noqa: RUF012 - never changed

    def discriminants(self, params: Weights) -> Discriminants:
        with np.errstate(divide="ignore"):
            bias = np.log(params.weights)
        nothing = np.empty((0, len(bias)))
        return Discriminants(LINEAR, nothing, nothing, bias, np.empty((len(bias), 0)))

    def m_step(self, stats: Any, params: Weights) -> Weights:
        return Weights(stats.counts / stats.counts.sum())

    def guess(self, centres: Array) -> Weights:
        return Weights(np.full(len(centres), 1.0 / len(centres)))

    def sample(self, params: Weights, component: int, n: int, rng: Any) -> Array:
        raise TypeError(
            "Densities at some rows do not say how to draw others: sample from their models."
        )

    def n_parameters(self, params: Weights) -> int:
        return len(params.weights) - 1

    def base(self, source: Any) -> float:
        """What rows were divided by, in nats."""
        return float(source.total_offset)

"""From logits to densities and posteriors: what is added to the logits of the classes, (K,).

With logits A, the layer's prior mu on all of training and shares s of the classes there, in which
weights of classes count, the network has learnt ``A + mu = log(density s)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.discriminants import Array


class Shifts(NamedTuple):
    """Each is added to logits; -inf where training says nothing about a class."""

    density: Array  # to log-densities: mu - log s
    uniform: Array  # to posteriors under equal shares, as logarithms: mu less the logits' prior
    cost: Array  # what weights of classes add to any log-posterior

    @classmethod
    def of(cls, layer: Array, log_prior: Array, learnt: Array, cost: Array) -> Shifts:
        """From the layer's log-prior, the one that logits belong to, and the shares s."""
        known = learnt > 0
        density = np.full(len(learnt), -np.inf)
        density[known] = layer[known] - np.log(learnt[known])
        uniform = np.full(len(learnt), -np.inf)
        uniform[known] = layer[known] - log_prior[known] + cost[known]
        return cls(density, uniform, cost)

    @property
    def known(self) -> np.ndarray:
        """(K,), whether training had rows of a class that count."""
        return self.density > -np.inf

    def to(self, prior: Array) -> Array:
        """To posteriors under a prior (K,), as logarithms; classes that are not known have none."""
        shift = np.full(len(prior), -np.inf)
        some = self.known & (prior > 0)
        shift[some] = self.density[some] + self.cost[some] + np.log(prior[some])
        return shift

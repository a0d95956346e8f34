"""From logits to densities and posteriors: what is added to the logits of the classes, (K,).

With logits A, the layer's prior mu on all of training, shares t of the classes and weights w of
theirs in the loss, the network has learnt ``A + mu = log(density t w)``. Weights that say what
errors cost stay in posteriors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.discriminants import Array
from .class_weights import ClassWeights


class Shifts(NamedTuple):
    """Each is added to logits; -inf where training says nothing about a class."""

    density: Array  # to log-densities: mu - log w - log t
    train: Array  # to posteriors under t, as logarithms up to a number for each row
    uniform: Array  # to posteriors under equal shares: as before, less the layer's prior
    cost: Array  # log w where that is a cost, else 0

    @classmethod
    def of(
        cls, layer: Array, log_prior: Array, shares: Array, class_weights: ClassWeights | None
    ) -> Shifts:
        """From the layer's log-prior, the one that logits belong to, and shares in training."""
        none = np.zeros(len(shares))
        log_w = none if class_weights is None else class_weights.log_factors
        known = (shares > 0) & (log_w < np.inf)
        cost = none
        if class_weights is not None and class_weights.is_cost:
            cost = np.where(known, log_w, 0.0)
        density = np.full(len(shares), -np.inf)
        density[known] = layer[known] - log_w[known] - np.log(shares[known])
        train = layer + np.where(known, cost - log_w, 0.0)
        uniform = np.full(len(shares), -np.inf)
        uniform[known] = train[known] - log_prior[known]
        return cls(density, train, uniform, cost)

    @property
    def known(self) -> np.ndarray:
        """(K,), whether training had rows of a class that count."""
        return self.density > -np.inf

    def to(self, prior: Array) -> Array:
        """To posteriors under a prior (K,), zero for classes that are not known."""
        shift = np.full(len(prior), -np.inf)
        some = self.known & (prior > 0)
        shift[some] = self.density[some] + self.cost[some] + np.log(prior[some])
        return shift

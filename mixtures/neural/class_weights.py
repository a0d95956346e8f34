"""Weights of classes in the loss, and what they do to posteriors.

A loss with weights w is least for posteriors times w: the network learns the shares ``t w`` in
place of the shares t in training. 'balanced' weights, ``1 / t`` up to a constant, are a way of
training, and predictions take them off again: which shares they assume is said by `predict_prior`.
Weights in a dictionary say what errors cost, and predictions keep them. Densities never have them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ..core.discriminants import Array


class ClassWeights(NamedTuple):
    """Factors of the loss, one for each class."""

    factors: Array  # (K,), zero or more
    is_cost: bool  # whether predictions keep them

    @classmethod
    def read(
        cls, class_weight: Any, classes: np.ndarray, y: np.ndarray, weight: Array | None
    ) -> ClassWeights | None:
        """What the parameter means for labels y (n,) with row weights, or None for no weights.

        Raises
        ------
        ValueError
            For names that are no classes, and for weights that are negative, infinite or all zero.
        """
        if class_weight is None:
            return None
        is_cost = not isinstance(class_weight, str)
        unknown = [c for c in class_weight if c not in classes.tolist()] if is_cost else []
        if unknown:
            raise ValueError(
                f"class_weight should name classes in y, {classes.tolist()}, but it also names "
                f"{unknown}. Leave these out; classes that are not named weigh 1."
            )
        factors = np.asarray(
            compute_class_weight(class_weight, classes=classes, y=y, sample_weight=weight)
        )
        present = np.isin(classes, y)
        if not ((factors >= 0) & (factors < np.inf)).all() or not factors[present].any():
            raise ValueError(
                f"class_weight should be finite and zero or more, and positive for some class in "
                f"y, but it is {factors.tolist()} for the classes {classes.tolist()}."
            )
        return cls(factors, is_cost)

    def of_rows(self, labels: np.ndarray, weight: Array | None) -> Array:
        """(n,), what rows count in the loss."""
        own = self.factors[labels]
        return own if weight is None else own * weight

    @property
    def biases(self) -> Array:
        """(K,), where biases of the logits start: where the weights would take them.

        That is many epochs' way from zero if the weights differ much.
        """
        logs = np.log(np.where(self.factors > 0, self.factors, self._least()))
        return logs - logs.mean()

    @property
    def log_factors(self) -> Array:
        """(K,), +inf for classes that weigh nothing: nobody knows their density."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.factors)
        return np.where(self.factors > 0, logs, np.inf)

    def _least(self) -> float:
        return float(self.factors[self.factors > 0].min())

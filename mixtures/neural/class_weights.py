"""Weights of classes, and what they do to posteriors.

They multiply the weights of rows, in the loss and in the prior alike: the network learns the shares
``s``, proportional to ``t w``, in place of the shares t in training. 'balanced' weights, ``1 / t``
up to a constant, are a way of training, and predictions take them off again: which shares they
assume is said by `predict_prior`. Weights in a dictionary say what errors cost, and predictions
keep them. Densities never have them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from ..core.discriminants import Array
from ..core.validation import normalise_weights

TINY = 2.0**-300  # of weights that no count of rows reaches; beyond, sums are no numbers


class ClassWeights(NamedTuple):
    """One factor for each class."""

    factors: Array  # (K,), zero or more
    is_given: bool  # whether there are any; else all are one
    is_cost: bool  # whether predictions keep them

    @classmethod
    def read(
        cls, class_weight: Any, classes: np.ndarray, y: np.ndarray, weight: Array | None
    ) -> ClassWeights:
        """What the parameter means for labels y (n,) with row weights.

        Raises
        ------
        ValueError
            For names that are no classes, and for weights that are negative, infinite or all zero.
        """
        if class_weight is None:
            return cls(np.ones(len(classes)), False, False)
        is_cost = not isinstance(class_weight, str)
        unknown = [c for c in class_weight if c not in classes.tolist()] if is_cost else []
        if unknown:
            raise ValueError(
                f"class_weight should name classes in y, {classes.tolist()}, but it also names "
                f"{unknown}. Leave these out; classes that are not named weigh 1."
            )
        try:
            with np.errstate(divide="ignore", over="ignore"):
                factors = np.asarray(
                    compute_class_weight(class_weight, classes=classes, y=y, sample_weight=weight)
                )
        except (TypeError, ValueError):
            raise ValueError(
                f"class_weight should have a number for each class that it names, but got "
                f"{class_weight!r}."
            ) from None
        present = np.isin(classes, y)
        if not ((factors >= 0) & (factors < np.inf)).all() or not factors[present].any():
            raise ValueError(
                f"class_weight={class_weight!r} should mean weights that are finite and zero or "
                f"more, and positive for some class in y, but they are {factors.tolist()} for the "
                f"classes {classes.tolist()}, whose rows weigh "
                f"{np.bincount(np.searchsorted(classes, y), weight, len(classes)).tolist()}."
            )
        return cls(factors, True, is_cost)

    def of_rows(self, labels: np.ndarray, weight: Array | None, has_prior: bool) -> Array | None:
        """(n,), what rows count, or None where that is one for all.

        Without pseudo-rows weights have no unit, and are brought near one before they meet.
        """
        factors = self.factors
        if not has_prior:
            factors, weight = factors / factors.max(), normalise_weights(weight, False)
        if not self.is_given:
            own = weight
        elif weight is None:
            own = factors[labels]
        else:
            with np.errstate(over="ignore", under="ignore"):
                own = factors[labels] * weight
        if has_prior and own is not None and not TINY < own.max() < 1.0 / TINY:
            raise ValueError(
                f"prior_concentration counts pseudo-rows against rows, but the largest weight of a "
                f"row, with that of its class, is {own.max():g}. Divide sample_weight or "
                "class_weight by a constant, or use prior_concentration=1."
            )
        return own

    def learnt(self, counts: Array) -> Array:
        """(K,), counts of the classes times their weights, with the sum of the counts.

        So calls with other weights add up to counts of rows.
        """
        found = counts * (self.factors / self.factors.max())
        return found * (counts.sum() / found.sum())

    def first_biases(self, shares: Array, log_start: Array, n_iter: int) -> Array | float:
        """(K,), biases of the logits that a training with weights starts from.

        Logits that are the same b for all rows have the posterior ``start exp((C + 1) b)`` after C
        applications, up to a constant; it should be `shares`, those of the weighted rows. From zero
        that is many epochs' way if weights differ much. Zero, as published, where all are equal.
        """
        if np.ptp(self.factors) == 0.0:
            return 0.0
        known = (shares > 0) & (log_start > -np.inf)
        b = (np.log(shares[known]) - log_start[known]) / (n_iter + 1)
        biases = np.full(len(shares), b.min())
        biases[known] = b
        return biases - biases.mean()

    @property
    def log_cost(self) -> Array:
        """(K,), what predictions add to log-posteriors; 0 for classes that are not known."""
        if not self.is_cost:
            return np.zeros(len(self.factors))
        return np.log(np.where(self.factors > 0, self.factors, 1.0))

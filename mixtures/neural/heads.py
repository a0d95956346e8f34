"""What the output layer does with logits: three settings of one layer.

A head says which layer trains the network, from which prior it starts, and which prior the logits
belong to once the network is trained. n rows, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..core.discriminants import Array
from ..label_shift.shares import check_prior, class_vector
from .prior_gradients import PRIOR_GRADIENTS
from .responsible import ResponsibleSoftmax
from .starts import Carried, Start


class Head(ABC):
    """One value of the parameter `head`."""

    @abstractmethod
    def layer(self, estimator: Any, classes: np.ndarray) -> ResponsibleSoftmax:
        """The layer that the estimator's parameters describe."""

    @abstractmethod
    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        """Where its prior starts, given the shares of the classes in training."""

    def has_pseudo_rows(self, estimator: Any) -> bool:
        """Whether a Dirichlet prior counts rows, so that weights of rows have a unit."""
        return False

    def log_prior_of_logits(self, last: Array, shares: Array) -> Array:
        """The prior (K,) that turns exponentials of logits into posteriors, as logarithms.

        `last` is the layer's own, on all rows of training.
        """
        return last


class Softmax(Head):
    """A plain softmax: its logits have learnt the shares of the classes along with the rest."""

    def layer(self, estimator: Any, classes: np.ndarray) -> ResponsibleSoftmax:
        return ResponsibleSoftmax(0)

    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        return Start(np.ones(len(shares)))

    def log_prior_of_logits(self, last: Array, shares: Array) -> Array:
        with np.errstate(divide="ignore"):  # classes without rows
            return np.log(shares)


class Fixed(Head):
    """A given prior, which the logits need not learn: the balanced softmax of Ren et al. (2020)."""

    def layer(self, estimator: Any, classes: np.ndarray) -> ResponsibleSoftmax:
        return ResponsibleSoftmax(0)

    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        if isinstance(estimator.prior, str):
            return Start(shares)
        return Start(_positive("prior", estimator.prior, classes))


class Responsible(Head):
    """A prior estimated from each batch."""

    def has_pseudo_rows(self, estimator: Any) -> bool:
        return bool(np.any(np.asarray(estimator.prior_concentration) != 1.0))

    def layer(self, estimator: Any, classes: np.ndarray) -> ResponsibleSoftmax:
        given = estimator.prior_concentration
        given = np.full(classes.shape, given) if np.ndim(given) == 0 else given
        alpha = class_vector("prior_concentration", given, classes)
        gradient = estimator.prior_gradient
        if not alpha.min() >= 1.0:
            raise ValueError(
                f"prior_concentration should be at least 1 for every class, but got "
                f"{alpha.tolist()}. Below 1 the posterior of the prior is unbounded where a class "
                "vanishes; 1 adds nothing."
            )
        if PRIOR_GRADIENTS[gradient].needs_prior and not alpha.min() > 1.0:
            raise ValueError(
                f"prior_gradient={gradient!r} expects prior_concentration > 1 for every class, but "
                f"got {alpha.min():g}: without pseudo-rows the fixed point is on the boundary for "
                "most batches, where the loss is infinite. Use prior_concentration=2, or "
                "prior_gradient='exact' with a few applications."
            )
        return ResponsibleSoftmax(estimator.n_prior_iter, concentration=alpha, gradient=gradient)

    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        given = estimator.prior_start
        if not isinstance(given, str):
            return Start(_positive("prior_start", given, classes))
        makers = {
            "uniform": lambda: Start(np.ones(len(shares))),
            "empirical": lambda: Start(shares),
            "carry": lambda: Carried(np.ones(len(shares)), estimator.prior_momentum),
        }
        return makers[given]()


HEADS: dict[str, Head] = {"fixed": Fixed(), "responsible": Responsible(), "softmax": Softmax()}


def _positive(name: str, given: Any, classes: np.ndarray) -> Array:
    """Shares of the classes, all positive, or ValueError."""
    prior = check_prior(name, given, classes)
    if not prior.min() > 0:
        raise ValueError(
            f"{name} should be positive for every class, but it is zero for "
            f"{classes[prior == 0].tolist()}: the loss of a row of such a class is infinite. Leave "
            "the class out of the rows, or give it a small share."
        )
    return prior

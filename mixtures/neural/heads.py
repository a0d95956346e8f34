"""What the output layer does with logits: three settings of one layer.

A head says which layer trains the network, from which prior it starts, and which prior the logits
belong to once the network is trained. n rows, K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..core.discriminants import Array
from ..label_shift.shares import check_prior
from .responsible import ResponsibleSoftmax
from .starts import Carried, Start


class Head(ABC):
    """One value of the parameter `head`."""

    @abstractmethod
    def layer(self, estimator: Any) -> ResponsibleSoftmax:
        """The layer that the estimator's parameters describe."""

    @abstractmethod
    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        """Where its prior starts, given the shares of the classes in training."""

    @abstractmethod
    def prior_of_logits(self, last: Array, shares: Array) -> Array:
        """The prior (K,) that turns exponentials of logits into posteriors.

        `last` is the layer's own prior, on all rows of training.
        """


class Softmax(Head):
    """A plain softmax: its logits have learnt the shares of the classes along with the rest."""

    def layer(self, estimator: Any) -> ResponsibleSoftmax:
        return ResponsibleSoftmax(0)

    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        return Start(np.ones(len(shares)))

    def prior_of_logits(self, last: Array, shares: Array) -> Array:
        return shares


class Fixed(Head):
    """A given prior, which the logits need not learn: the balanced softmax of Ren et al. (2020)."""

    def layer(self, estimator: Any) -> ResponsibleSoftmax:
        return ResponsibleSoftmax(0)

    def start(self, estimator: Any, shares: Array, classes: np.ndarray) -> Start:
        if isinstance(estimator.prior, str):
            return Start(shares)
        return Start(_positive("prior", estimator.prior, classes))

    def prior_of_logits(self, last: Array, shares: Array) -> Array:
        return last


class Responsible(Head):
    """A prior estimated from each batch."""

    def layer(self, estimator: Any) -> ResponsibleSoftmax:
        return ResponsibleSoftmax(
            estimator.n_prior_iter,
            concentration=estimator.prior_concentration,
            gradient=estimator.prior_gradient,
        )

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

    def prior_of_logits(self, last: Array, shares: Array) -> Array:
        return last


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

"""Steps of stochastic gradient descent, and how their length changes.

An optimiser is a state that maps a gradient to a change of the parameters, both (p,).
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import Any, Self

from .backend import to_host
from .layers import namespace_of


class Optimiser(ABC):
    """Maps a gradient to a change of the parameters."""

    @abstractmethod
    def step(self, gradient: Any, rate: float) -> Any:
        """What to add to the parameters."""

    @abstractmethod
    def resumed(self, last: Optimiser, put: Any) -> Optimiser:
        """Go on with the state of another of the same kind, whose arrays `put` takes over."""

    def to_host(self) -> Self:
        """The same state in NumPy's arrays."""
        twin = copy.copy(self)
        twin.__dict__.update({name: to_host(value) for name, value in vars(self).items()})
        return twin


class Adam(Optimiser):
    """Steps of about the learning rate for each parameter (Kingma and Ba 2015).

    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``, and with both divided by
    ``1 - b^t``, ``-rate m / (sqrt(v) + epsilon)``.
    """

    def __init__(self, beta_1: float, beta_2: float, epsilon: float) -> None:
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.t = 0
        self.m: Any = 0.0
        self.v: Any = 0.0

    def step(self, gradient: Any, rate: float) -> Any:
        self.t += 1
        xp = namespace_of(gradient)
        self.m = self.beta_1 * self.m + (1.0 - self.beta_1) * gradient
        self.v = self.beta_2 * self.v + (1.0 - self.beta_2) * (gradient * gradient)
        scale = xp.sqrt(self.v)
        scale *= 1.0 / math.sqrt(1.0 - self.beta_2**self.t)
        scale += self.epsilon
        step = self.m * (-rate / (1.0 - self.beta_1**self.t))
        step /= scale
        return step

    def resumed(self, last: Optimiser, put: Any) -> Adam:
        if isinstance(last, Adam):
            self.t, self.m, self.v = last.t, put(last.m), put(last.v)
        return self


class Descent(Optimiser):
    """Gradient descent with momentum, Nesterov's (Sutskever et al. 2013) or the plain one."""

    def __init__(self, momentum: float, nesterov: bool) -> None:
        self.momentum, self.nesterov = momentum, nesterov
        self.velocity: Any = 0.0

    def step(self, gradient: Any, rate: float) -> Any:
        change = -rate * gradient
        self.velocity = self.momentum * self.velocity + change
        return self.momentum * self.velocity + change if self.nesterov else self.velocity

    def resumed(self, last: Optimiser, put: Any) -> Descent:
        if isinstance(last, Descent):
            self.velocity = put(last.velocity)
        return self


class Constant:
    """The same learning rate throughout."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def end_epoch(self, epoch: int) -> None:
        """Epochs count from one."""

    def stalled(self) -> bool:
        """The loss has stopped falling: whether a smaller rate is worth another try."""
        return False


class Step(Constant):
    """A rate that is multiplied by a factor after every `period` epochs."""

    def __init__(self, rate: float, factor: float, period: int) -> None:
        super().__init__(rate)
        self._first, self._factor, self._period = rate, factor, period

    def end_epoch(self, epoch: int) -> None:
        self.rate = self._first * self._factor ** (epoch // self._period)


class Adaptive(Constant):
    """A rate that is divided by five when the loss stops falling, until it is below 1e-6."""

    def stalled(self) -> bool:
        if self.rate <= 1e-6:
            return False
        self.rate /= 5.0
        return True


def optimiser_of(estimator: Any) -> Optimiser:
    """The one that the estimator's parameters describe."""
    makers = {
        "adam": lambda e: Adam(e.beta_1, e.beta_2, e.epsilon),
        "sgd": lambda e: Descent(e.momentum, e.nesterovs_momentum),
    }
    return makers[estimator.solver](estimator)


def schedule_of(estimator: Any) -> Constant:
    """The one that the estimator's parameters describe."""
    makers = {
        "constant": lambda e: Constant(e.learning_rate_init),
        "step": lambda e: Step(e.learning_rate_init, e.lr_drop_factor, e.lr_drop_period),
        "adaptive": lambda e: Adaptive(e.learning_rate_init),
    }
    return makers[estimator.learning_rate](estimator)

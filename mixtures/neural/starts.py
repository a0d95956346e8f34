"""Where the prior of a batch starts, as logarithms (K,)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.discriminants import Array

LEAST = math.log(1e-8)
"""Of a prior that is carried from batch to batch: a class that was nearly lost can come back."""


class Start:
    """The same prior for every batch.

    Priors are divided by their largest entry, so that a uniform one is exactly zero, and starts
    from it and from no prior at all are the same bits.
    """

    def __init__(self, prior: Array) -> None:
        with np.errstate(divide="ignore"):  # classes without rows
            log_prior = np.log(prior)
        self.log_prior = log_prior - log_prior.max()

    def observe(self, log_prior: Any) -> None:
        """Take note of the prior (K,) that a batch has ended with, a logarithm up to a number."""

    def resumed(self, last: Start) -> Start:
        """What takes over from the last call's, in its successor."""
        return self


class Carried(Start):
    """What the last batches ended with: ``m * start + (1 - m) * pi_C``, no class below 1e-8."""

    def __init__(self, prior: Array, momentum: float) -> None:
        super().__init__(prior)
        self.momentum = momentum

    def observe(self, log_prior: Any) -> None:
        old = np.exp(self.log_prior - _log_sum(self.log_prior))
        new = self.momentum * old + (1.0 - self.momentum) * np.exp(log_prior - _log_sum(log_prior))
        with np.errstate(divide="ignore"):
            log_new = np.maximum(np.log(new), LEAST)
        self.log_prior = log_new - log_new.max()

    def resumed(self, last: Start) -> Start:
        if isinstance(last, Carried):
            self.log_prior = last.log_prior
        return self


def _log_sum(values: Array) -> float:
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).sum()))

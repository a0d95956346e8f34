"""Training: epochs of batches, and when to stop.

One update on a batch is: rows -> logits -> log-posterior under the batch's prior -> loss, and the
way back through the same pairs of functions; then the optimiser's step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..core.discriminants import Array
from .backend import Backend, to_host
from .batches import Order, TrainingRows, cut
from .losses import CrossEntropy
from .network import Network
from .optimisers import Constant, Optimiser
from .responsible import ResponsibleSoftmax, make_batch
from .starts import Start


class EpochResult(NamedTuple):
    """What an epoch leaves behind."""

    loss: float  # nats per row, mean over the epoch's batches, penalty included
    prior: Array  # (K,), mean of the batches' priors


@dataclass(eq=False)
class Trainer:
    """A network under training: everything that an update changes, and what it is made with."""

    network: Network
    layer: ResponsibleSoftmax
    start: Start
    optimiser: Optimiser
    schedule: Constant
    backend: Backend
    alpha: float
    theta: Any  # (p,), parameters
    rows_seen: int = 0
    _decay: Any = field(init=False)

    def __post_init__(self) -> None:
        self.theta = self.backend.put(self.theta)
        self._decay = self.backend.put(self.alpha * self.network.is_weight())

    def epoch(self, rows: TrainingRows, order: Order, batches: list[slice]) -> EpochResult:
        """One update for each batch."""
        losses, weights, priors = [], [], []
        for index in order.epoch(batches):
            batch = rows.take(index)
            loss, log_prior = self.update(batch)
            count = batch.weight if batch.loss_weight is None else batch.loss_weight
            weights.append(len(index) if count is None else self.backend.xp.sum(count))
            losses.append(loss)
            priors.append(log_prior)
            self.rows_seen += len(index)
        total = np.array([float(w) for w in weights])
        loss = float(np.average([float(loss) for loss in losses], weights=total))
        return EpochResult(loss, np.mean(np.exp(priors), axis=0))

    def update(self, rows: TrainingRows) -> tuple[Any, Array]:
        """One step; returns the loss before it, and the logarithm of the batch's prior (K,)."""
        loss, gradient, log_prior = self.loss_and_gradient(rows)
        self.theta = self.theta + self.optimiser.step(gradient, self.schedule.rate)
        return loss, log_prior

    def loss_and_gradient(self, rows: TrainingRows) -> tuple[Any, Any, Array]:
        """The penalised loss of a batch, its gradient (p,), and the log-prior (K,)."""
        xp, entropy = self.backend.xp, CrossEntropy()
        logits, of_network = self.network.forward(self.network.unpack(self.theta), rows.X)
        batch = make_batch(xp, logits, rows.weight, self.layer.concentration - 1.0)
        start = self._on_device(self.start.log_prior, batch)
        log_posterior, of_layer = self.layer.apply(batch, start)
        weight = rows.weight if rows.loss_weight is None else rows.loss_weight
        loss, of_loss = entropy.forward(log_posterior, rows.labels, weight)
        cotangent, _ = entropy.backward(of_loss, 1.0)
        cotangent, _ = self.layer.backward(of_layer, cotangent)
        gradient = self.network.backward(of_network, cotangent)
        penalty = self._decay * self.theta
        log_prior = to_host(of_layer.log_prior)
        self.start.observe(log_prior)
        loss = loss + 0.5 * xp.sum(penalty * self.theta)
        return loss, gradient + penalty, log_prior

    def _on_device(self, log_prior: Array, batch: Any) -> Any:
        if self.backend.is_host:
            return log_prior
        xp, like = self.backend.xp, batch.share
        return xp.asarray(log_prior, dtype=like.dtype, device=like.device)


class Patience:
    """Counts the epochs in which the best value so far was not bettered by more than `tol`."""

    def __init__(self, tol: float, most: int) -> None:
        self.tol, self.most = tol, most
        self.best, self.count = float("inf"), 0

    def observe(self, value: float) -> bool:
        """Take note of a value to be made small; whether patience is at its end."""
        self.count = 0 if value < self.best - self.tol else self.count + 1
        self.best = min(self.best, value)
        return self.count > self.most

    def again(self) -> None:
        """Start counting anew."""
        self.count = 0


__all__ = ["EpochResult", "Patience", "Trainer", "cut"]

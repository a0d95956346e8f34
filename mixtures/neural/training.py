"""Training: epochs of batches, and when to stop.

One update on a batch is: rows -> logits -> log-posterior under the batch's prior -> loss, and the
way back through the same pairs of functions; then the optimiser's step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from ..core.discriminants import Array
from ._batch import batch_of, shares_of
from .backend import Backend, to_host
from .batches import Order, TrainingRows
from .losses import CrossEntropy
from .network import Network
from .optimisers import Constant, Optimiser
from .responsible import ResponsibleSoftmax
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
    _equal_shares: dict[int, tuple[Any, Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.theta = self.backend.put(self.theta)
        self._decay = self.backend.put(self.alpha * self.network.is_weight())

    def epoch(self, rows: TrainingRows, order: Order, batches: list[slice]) -> EpochResult:
        """One update for each batch."""
        losses, weights, log_priors = [], [], []
        for batch in order.epoch(rows, batches):
            loss, log_prior = self.update(batch)
            w = batch.weight
            weights.append(batch.n_rows if w is None else self.backend.xp.sum(w))
            losses.append(loss)
            log_priors.append(log_prior)
            self.rows_seen += batch.n_rows
        total = np.array([float(w) for w in weights])
        loss = float(np.average([float(loss) for loss in losses], weights=total))
        return EpochResult(loss, softmax(log_priors, axis=1).mean(axis=0))

    def update(self, rows: TrainingRows) -> tuple[Any, Array]:
        """One step; the loss before it, and the logarithm of the batch's prior, up to a number."""
        loss, gradient, log_prior = self.loss_and_gradient(rows)
        self.start.observe(log_prior)
        self.theta = self.theta + self.optimiser.step(gradient, self.schedule.rate)
        return loss, log_prior

    def loss_and_gradient(self, rows: TrainingRows) -> tuple[Any, Any, Array]:
        """The penalised loss of a batch, its gradient (p,), and the log-prior (K,) as above."""
        xp, entropy = self.backend.xp, CrossEntropy()
        logits, of_network = self.network.forward(self.network.unpack(self.theta), rows.X)
        share, pseudo = self._shares_of(rows, logits)
        start = self._on_device(self.start.log_prior, share)
        log_posterior, of_layer = self.layer.apply(batch_of(xp, logits, share, pseudo), start)
        loss, of_loss = entropy.apply(log_posterior, rows.labels, rows.weight)
        cotangent, _ = entropy.backward(of_loss, 1.0)
        cotangent, _ = self.layer.backward(of_layer, cotangent)
        gradient = self.network.backward(of_network, cotangent)
        penalty = self._decay * self.theta
        loss = loss + 0.5 * (penalty @ self.theta)
        gradient += penalty
        return loss, gradient, to_host(of_layer.path[-1, :])

    def penalty(self) -> float:
        """``alpha * sum(W^2) / 2``, part of the loss."""
        return 0.5 * float((self._decay * self.theta) @ self.theta)

    def _shares_of(self, rows: TrainingRows, logits: Any) -> tuple[Any, Any]:
        """Shares of the rows of a batch; without weights they depend on its size alone."""
        xp, pseudo = self.backend.xp, self.layer.concentration - 1.0
        if rows.weight is not None:
            return shares_of(xp, logits.device, logits.shape, rows.weight, pseudo)
        if rows.n_rows not in self._equal_shares:
            shares = shares_of(xp, logits.device, logits.shape, None, pseudo)
            self._equal_shares[rows.n_rows] = shares
        return self._equal_shares[rows.n_rows]

    def _on_device(self, log_prior: Array, like: Any) -> Any:
        if self.backend.is_host:
            return log_prior
        return self.backend.xp.asarray(log_prior, dtype=like.dtype, device=like.device)


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

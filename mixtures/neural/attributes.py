"""Everything that a training leaves behind in an estimator."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..core.discriminants import Array
from .batches import TrainingRows
from .class_weights import ClassWeights
from .fitting import Record
from .heads import Head
from .optimisers import Optimiser
from .shifts import Shifts
from .starts import Start
from .trained import batch_of_all, smallest_eigenvalue
from .training import Trainer

DECAY, ENOUGH = 0.9, 4096
"""What a call of `partial_fit` leaves of the rows of earlier calls, in the layer's prior, and how
many rows count in all: the prior of a small call says little, as does that of a network many steps
ago; 4096 rows leave a standard error of less than .008."""


class Memory(NamedTuple):
    """What `partial_fit` goes on from, besides the fitted attributes; never changed in place."""

    optimiser: Optimiser
    start: Start
    rng: np.random.RandomState
    counts: Array  # (K,), rows seen of each class, weighted
    learnt: Array  # (K,), the same with the weights of classes
    log_prior: Array  # (K,), the layer's, mean over calls
    mass: float  # what that mean counts, in rows; zero if it is no estimate


@dataclass(eq=False)
class Outcome:
    """A training, with what its attributes are made of."""

    head: Head
    trainer: Trainer
    rows: TrainingRows
    rows_in_batch: float
    classes: np.ndarray
    counts: Array  # (K,), of all calls, as those of Memory
    learnt: Array  # (K,)
    called: Array  # (K,), counts of this call alone
    class_weights: ClassWeights
    rng: np.random.RandomState
    last: Memory | None = None

    def attributes(self, record: Record, with_rate: bool = True) -> dict[str, Any]:
        """All fitted attributes; that of the map's rate takes another pass over the rows."""
        trainer = self.trainer
        layers = trainer.network.unpack(trainer.theta)
        batch = batch_of_all(trainer, self.rows, self.rows_in_batch)
        own = trainer.layer.prior_of(batch, trainer.start.log_prior)
        layer, mass = self._averaged(own)
        shares = self.learnt / self.learnt.sum()
        log_prior = self.head.log_prior_of_logits(layer, shares)
        found = {
            "classes_": self.classes,
            "coefs_": [W + 0.0 for W, _ in layers],  # copies
            "intercepts_": [b + 0.0 for _, b in layers],
            "class_prior_": self.counts / self.counts.sum(),
            "log_prior_": log_prior,
            "prior_": np.exp(log_prior),
            "prior_curve_": np.array(record.priors),
            "loss_curve_": [*record.losses],
            "loss_": record.losses[-1],
            "best_loss_": None if record.scores else min(record.losses),
            "validation_scores_": [*record.scores] or None,
            "best_validation_score_": max(record.scores, default=None),
            "n_iter_": record.n_epochs,
            "t_": trainer.rows_seen,
            "stop_reason_": record.reason,
            "n_layers_": len(layers) + 1,
            "n_outputs_": len(self.classes),
            "out_activation_": "softmax",
            "_activation": trainer.network.activation,
            "_shifts": Shifts.of(layer, log_prior, shares, self.class_weights.log_cost),
            "_memory": self._memory(layer, mass),
        }
        if with_rate:
            found["prior_lambda_min_"] = smallest_eigenvalue(batch, own)
        return found

    def _memory(self, log_prior: Array, mass: float) -> Memory:
        """A snapshot: training may go on."""
        optimiser, start = copy.copy(self.trainer.optimiser), copy.copy(self.trainer.start)
        rng = copy.deepcopy(self.rng)
        return Memory(optimiser, start, rng, self.counts, self.learnt, log_prior, mass)

    def _averaged(self, log_prior: Array) -> tuple[Array, float]:
        """The layer's prior (K,), averaged with that of earlier calls if it is an estimate."""
        if not self.trainer.layer.estimates:
            return log_prior, 0.0
        mass = float(self.called.sum())
        if self.last is None:
            return log_prior, mass
        old = max(min(DECAY * self.last.mass, ENOUGH - mass), 0.0)
        if old == 0.0:
            return log_prior, mass
        total = old + mass
        parts = self.last.log_prior + np.log(old / total), log_prior + np.log(mass / total)
        return np.logaddexp(*parts), total

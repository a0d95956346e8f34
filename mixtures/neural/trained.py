"""What is worked out once a network is trained: the prior that its logits belong to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.discriminants import Array
from .backend import to_host
from .batches import TrainingRows
from .heads import Head
from .inference import logits_of
from .responsible import SavedResponsible, batch_of, shares_of
from .shifts import Shifts
from .training import Trainer


def prior_on(
    head: Head, trainer: Trainer, rows: TrainingRows, learnt: Array, cost: Array, n_batches: int
) -> dict[str, Any]:
    """Fitted attributes about the prior, on all rows of training with the final network.

    And, as "saved", what the layer leaves behind.

    The layer is applied as to a batch, from the same start. Pseudo-rows are as many times more as
    there are batches, so that they have the share of the whole that they had in training. `learnt`
    (K,) are the shares of the rows, weights of classes included, which are in `cost` (K,) if
    predictions keep them.
    """
    layers = trainer.network.unpack(trainer.theta)
    logits = logits_of(trainer.network, layers, trainer.backend, rows.X)
    logits = np.asarray(to_host(logits), np.float64)
    w = None if rows.weight is None else np.asarray(to_host(rows.weight), np.float64)
    pseudo = n_batches * (trainer.layer.concentration - 1.0)
    batch = batch_of(np, logits, *shares_of(np, logits, w, pseudo))
    _, saved = trainer.layer.apply(batch, trainer.start.log_prior)
    log_prior = head.log_prior_of_logits(saved.log_prior, learnt)
    return {
        "log_prior_": log_prior,
        "prior_": np.exp(log_prior),
        "saved": saved,
        "_shifts": Shifts.of(saved.log_prior, log_prior, learnt, cost),
    }


def smallest_eigenvalue(saved: SavedResponsible) -> float:
    """Of ``M = diag(1 / pi) (S' diag(share) S + diag(pseudo))``, pi the prior that comes out.

    One less the rate at which the responsibility map converges here; zero says that classes cannot
    be told apart. M is similar to a symmetric matrix, whose eigenvalues are between 0 and 1.
    """
    batch = saved.batch
    half = np.exp(saved.log_posterior) * np.sqrt(batch.share)[:, None]
    H = half.T @ half
    pi = H.sum(axis=1) + batch.pseudo  # rows of S sum to one
    scale = 1.0 / np.sqrt(np.where(pi > 0, pi, 1.0))
    found = np.linalg.eigvalsh(scale[:, None] * (H + np.diag(batch.pseudo)) * scale)
    return float(min(max(found[0], 0.0), 1.0))

"""What is worked out once a network is trained: the prior that its logits belong to."""

from __future__ import annotations

import numpy as np

from ..core.discriminants import Array
from ._batch import shares_of
from ._blocks import BlockBatch
from .backend import to_host
from .batches import TrainingRows
from .inference import logits_of
from .training import Trainer

KEPT = 2**22
"""Logits that are kept rather than worked out anew for each application: 32 MiB."""


def batch_of_all(trainer: Trainer, rows: TrainingRows, rows_in_batch: float) -> BlockBatch:
    """All rows of training under the final network, as a batch.

    Pseudo-rows are as many times more as there are rows, compared with a batch in training, so that
    they have the share of the whole that they had there.
    """
    n, k = rows.n_rows, trainer.network.sizes[-1]
    layers = trainer.network.unpack(trainer.theta)

    def logits(some: slice) -> Array:
        X = rows.part(some).X
        found = to_host(logits_of(trainer.network, layers, trainer.backend, X))
        return np.asarray(found)

    block = logits
    if n * k <= KEPT:
        kept = logits(slice(0, n))

        def block(some: slice) -> Array:
            return kept[some]

    w = None if rows.weight is None else np.asarray(to_host(rows.weight), np.float64)
    pseudo = (n / rows_in_batch) * (trainer.layer.concentration - 1.0)
    return BlockBatch(block, *shares_of(np, "cpu", (n, k), w, pseudo))


def smallest_eigenvalue(batch: BlockBatch, log_prior: Array) -> float:
    """Of ``M = diag(1 / pi) H``, with the information H and the prior pi that comes out.

    One less the rate at which the responsibility map converges here; zero says that classes cannot
    be told apart. M is similar to a symmetric matrix, whose eigenvalues are between 0 and 1.
    """
    H = batch.information(log_prior)
    pi = H.sum(axis=1)  # rows of S sum to one, so this is the mean of S, and pseudo-rows
    some = pi > 0
    scale = 1.0 / np.sqrt(pi[some])
    found = np.linalg.eigvalsh(scale[:, None] * H[np.ix_(some, some)] * scale)
    return float(min(max(found[0], 0.0), 1.0))

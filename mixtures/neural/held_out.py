"""Rows held out of training, whose accuracy says when to stop."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from ..core.discriminants import Array
from .backend import to_host
from .fitting import Score
from .inference import logits_of
from .reading import TrainingData
from .training import Trainer


def split(
    data: TrainingData, fraction: float, rng: np.random.RandomState
) -> tuple[TrainingData, TrainingData]:
    """Rows to train on, and rows held out, with the same shares of the classes."""
    n, n_out = len(data.labels), ceil(fraction * len(data.labels))
    rows = np.unique_counts(data.labels).counts  # of classes that have any
    k = len(rows)
    if min(n_out, n - n_out) < k or rows.min() < 2:
        raise ValueError(
            f"early_stopping expects two rows of every class, and at least {k} rows on either "
            f"side, but validation_fraction={fraction:g} of {n} rows are {n_out}, and the rarest "
            f"class has {rows.min()}. Use another fraction, more rows, or early_stopping=False."
        )
    kept, out = train_test_split(
        np.arange(n), test_size=n_out, stratify=data.labels, random_state=rng
    )
    if len(np.unique(data.labels[kept])) < k:  # stratifying promises one row on one side
        raise ValueError(
            f"early_stopping expects rows of every class to train on, but validation_fraction="
            f"{fraction:g} holds out all {rows.min()} of the rarest. Use a smaller fraction, more "
            "rows, or early_stopping=False."
        )
    return data.take(np.sort(kept)), data.take(np.sort(out))


def score_on(held_out: TrainingData, trainer: Trainer) -> Score:
    """Weighted accuracy of posteriors under the prior of an epoch's batches."""
    rows = held_out.rows()

    def score(theta: Any, prior: Array) -> float:
        layers = trainer.network.unpack(theta)
        logits = to_host(logits_of(trainer.network, layers, trainer.backend, rows.X))
        with np.errstate(divide="ignore"):  # classes without rows
            best = (logits + np.log(prior)).argmax(axis=1)
        return float(np.average(best == held_out.labels, weights=held_out.weight))

    return score

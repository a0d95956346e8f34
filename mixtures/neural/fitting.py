"""The epochs of a fit: progress, validation, and the reason to stop."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..core.discriminants import Array
from .batches import Order, TrainingRows, cut
from .training import Patience, Trainer

Score = Callable[[Any, Array], float]
Monitor = Callable[["Record"], bool]


@dataclass(eq=False)
class Record:
    """What the epochs so far have shown."""

    losses: list[float] = field(default_factory=list)
    priors: list[Array] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)  # on rows held out
    reason: str = ""

    @property
    def n_epochs(self) -> int:
        return len(self.losses)


def run_epochs(
    estimator: Any, trainer: Trainer, rows: TrainingRows, rng: np.random.RandomState,
    score: Score | None, monitor: Monitor,
) -> Record:  # fmt: skip
    """Train until the loss, or the score on rows held out, stops improving, or epochs run out.

    `score` is a function of the parameters and the epoch's prior, of which the best epoch's
    parameters are restored, or None: then the loss on the training rows decides.

    Raises
    ------
    ValueError
        If the loss is no number any more.
    """
    batches = cut(rows.n_rows, estimator.batch_size, estimator.drop_last)
    order = Order(rows.n_rows, estimator.shuffle, rng)
    # A score is to be made large, and `tol` is then on the score.
    patience = Patience(estimator.tol, estimator.n_iter_no_change)
    record, best, kept = Record(), -np.inf, (trainer.theta, trainer.start)
    first_penalty = trainer.penalty()
    what = "training loss" if score is None else "validation score"
    for epoch in range(1, estimator.max_epochs + 1):
        append_epoch(record, trainer, rows, order, batches)
        trainer.schedule.end_epoch(epoch)
        if score is not None:
            record.scores.append(score(trainer.theta, record.priors[-1]))
            if record.scores[-1] > best:
                best, kept = record.scores[-1], (trainer.theta, copy.copy(trainer.start))
        value = record.losses[-1] if score is None else -record.scores[-1]
        stalled, asked = patience.observe(value), monitor(record)
        if stalled and trainer.schedule.stalled():
            patience.again()
            stalled = False
        if stalled or asked:
            asked = not stalled
            record.reason = (
                f"The {what} did not improve by more than tol={estimator.tol:g} for more than "
                f"{estimator.n_iter_no_change} epochs."
                if stalled
                else "A callback asked to stop."
            )
            break
    else:
        record.reason = f"max_epochs={estimator.max_epochs} was reached."
        asked = False
        _warn(
            f"{record.reason} The {what} was not given the time to fail to improve by more than "
            f"tol={estimator.tol:g} for {estimator.n_iter_no_change} epochs. Use more epochs, or a "
            "larger learning rate."
        )
    if asked:
        _warn(f"{record.reason} Training has ended after {record.n_epochs} epochs.")
    if score is not None:
        trainer.theta, trainer.start = kept
    _warn_if_diverged(record, trainer, first_penalty)
    return record


def append_epoch(
    record: Record, trainer: Trainer, rows: TrainingRows, order: Order, batches: list[slice]
) -> None:
    """One epoch, and what it showed."""
    with np.errstate(over="ignore", invalid="ignore"):  # reported here, once and for all
        result = trainer.epoch(rows, order, batches)
        finite = bool(trainer.backend.xp.all(trainer.backend.xp.isfinite(trainer.theta)))
    if not (np.isfinite(result.loss) and finite):
        raise ValueError(
            f"Training has diverged: in epoch {record.n_epochs + 1} the loss is {result.loss:g}, "
            f"with a learning rate of {trainer.schedule.rate:g}. Use a smaller learning_rate_init, "
            "or scale the features, with StandardScaler for instance."
        )
    record.losses.append(result.loss)
    record.priors.append(result.prior)


def _warn_if_diverged(record: Record, trainer: Trainer, first_penalty: float) -> None:
    """A loss that is far above that of equal posteriors with the weights training started from."""
    loss, guess = record.losses[-1], math.log(trainer.network.sizes[-1])
    if loss > 2.0 * guess + first_penalty:
        _warn(
            f"Training has ended with a loss of {loss:.3g} nats per row, where a guess has "
            f"{guess:.3g}: with a learning rate of {trainer.schedule.rate:g} it has diverged, or "
            "has just begun. Use a smaller learning_rate_init, more epochs, or scale the features, "
            "with StandardScaler for instance.",
            deeper=1,
        )


def _warn(message: str, deeper: int = 0) -> None:
    # From the user's call: fit, scikit-learn's wrapper, _fit, run_epochs, this.
    warnings.warn(message, ConvergenceWarning, stacklevel=6 + deeper)

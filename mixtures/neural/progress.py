"""What a fit of a network tells the world: scikit-learn callbacks and `verbose` messages.

The tasks of the callbacks are fit -> epoch.
"""

from __future__ import annotations

from typing import Any

from .._compat import has_callbacks
from .attributes import Outcome
from .fitting import Record


class EpochProgress:
    """Reports one fit; does nothing at all when nobody listens.

    Parameters
    ----------
    estimator : ResponsibleSoftmaxClassifier
    X, y, sample_weight : as passed to fit
        Handed on to callbacks.
    outcome : Outcome
        What fitted attributes are made of.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any,
        outcome: Outcome,
    ) -> None:  # fmt: skip
        self._verbose, self._outcome, self._context = estimator.verbose, outcome, None
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        if has_callbacks(estimator):
            self._context = estimator._init_callback_context(max_subtasks=estimator.max_epochs)
            self._context.call_on_fit_task_begin(**self._arguments)

    def epoch(self, record: Record) -> bool:
        """Report an epoch; whether a callback asks to stop."""
        if self._verbose:
            print(line_of(record))
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(**self._arguments)
        return bool(
            task.call_on_fit_task_end(
                **self._arguments,
                reconstruction_attributes=lambda: self._outcome.attributes(record, with_rate=False),
            )
        )

    def end(self, attributes: dict[str, Any]) -> None:
        """The fit is done and its attributes are in place."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                **self._arguments, reconstruction_attributes=lambda: attributes
            )


def line_of(record: Record) -> str:
    """What `verbose` prints of the last epoch."""
    score = f", validation score {record.scores[-1]:.4f}" if record.scores else ""
    return f"Epoch {record.n_epochs}: loss {record.losses[-1]:.6f}{score}"

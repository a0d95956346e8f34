"""What a fit tells the world while it runs: scikit-learn callbacks and `verbose` messages.

The task tree of the callbacks is fit -> start (one of `n_init`) -> iteration.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._compat import has_callbacks

if TYPE_CHECKING:
    from .em import Monitor, Point

Attributes = Callable[["Point"], dict[str, Any]]


class Progress:
    """Reports one fit; does nothing at all when nobody listens.

    Parameters
    ----------
    estimator : AbstractMixture
    X, y, sample_weight : as passed to fit
        Handed on to callbacks.
    n_starts : int
    """

    objective = "lower bound"  # what `verbose` calls it

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, n_starts: int) -> None:
        self.estimator = estimator
        self._context = None
        self._arguments = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        if has_callbacks(estimator):
            self._context = estimator._init_callback_context(max_subtasks=n_starts)
            self._context.call_on_fit_task_begin(**self._arguments)

    @contextmanager
    def start(self, number: int, attributes: Attributes) -> Iterator[Monitor | None]:
        """Report one start, also one that fails; yields the monitor for its EM loop, or None."""
        estimator, context = self.estimator, None
        if not estimator.verbose and self._context is None:
            yield None
            return
        if estimator.verbose:
            print(f"Initialization {number}")
        if self._context is not None:
            context = self._context.subcontext(
                task_name="start", max_subtasks=self._most_iterations()
            )
            context.call_on_fit_task_begin(**self._arguments)
        clock, last = time.perf_counter(), [float("-inf"), time.perf_counter()]
        reached: list[Point] = []

        def monitor(n_iter: int, point: Point) -> bool:
            self._print_iteration(n_iter, point, last)
            reached[:] = [point]
            return context is not None and self._iteration(context, point, attributes)

        outcome = "was interrupted."
        try:
            yield monitor
            outcome = f"ended with {self.objective} {last[0]:.5f}."
        except Exception as error:
            reached.clear()  # a start that fails leads to no model
            outcome = f"failed: {error}"
            raise
        finally:
            if estimator.verbose:
                spent = f" time lapse {time.perf_counter() - clock:.5f}s" * (estimator.verbose > 1)
                print(f"Initialization {number} {outcome}{spent}")
            if context is not None:
                context.call_on_fit_task_end(
                    **self._arguments,
                    reconstruction_attributes=(lambda: attributes(reached[0])) if reached else None,
                )

    def _most_iterations(self) -> int | None:
        """How many iterations a start can have, if that is known."""
        return self.estimator.max_iter

    def _iteration(self, context: Any, point: Point, attributes: Attributes) -> bool:
        """One iteration for the callbacks; whether one of them asks to stop."""
        task = context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(**self._arguments)
        return bool(
            task.call_on_fit_task_end(
                **self._arguments, reconstruction_attributes=lambda: attributes(point)
            )
        )

    def _print_iteration(self, n_iter: int, point: Point, last: list[float]) -> None:
        change, last[0] = point.objective - last[0], point.objective
        if self.estimator.verbose and n_iter % self.estimator.verbose_interval == 0:
            now = time.perf_counter()
            more = f"\t time lapse {now - last[1]:.5f}s\t ll change {change:.5f}"
            print(f"  Iteration {n_iter}" + more * (self.estimator.verbose > 1))
            last[1] = now

    def end(self) -> None:
        """The fit is done and its attributes are in place."""
        if self._context is not None:
            fitted = {n: v for n, v in vars(self.estimator).items() if n.endswith("_")}
            self._context.call_on_fit_task_end(
                **self._arguments, reconstruction_attributes=lambda: fitted
            )

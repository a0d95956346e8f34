"""Callbacks for `estimator.set_callbacks(...)`, in scikit-learn's protocol.

The tasks of a fit are "fit", within it a "start" for each of `n_init`, within it an "iteration"
for each EM map; of a network "fit", within it an "epoch" each. scikit-learn's own `ProgressBar`
works as well.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np


class IterationRecord(NamedTuple):
    """The state of a fit after one iteration."""

    start: int  # which of n_init, from 0
    iteration: int  # from 1
    lower_bound: float  # objective, nats per row
    smallest_weight: float  # of the mixing weights


class InertiaRecord(NamedTuple):
    """The state of a fit of k-means after one iteration."""

    start: int  # which of n_init, from 0
    iteration: int  # from 1
    inertia: float  # squared units of the data
    smallest_cluster: int  # rows


class EpochRecord(NamedTuple):
    """The state of a network after one epoch."""

    epoch: int  # from 1
    loss: float  # with its penalty, nats per row
    prior: np.ndarray  # (n_classes,), of the layer on all of training


class _Monitor(ABC):
    """Keeps a record of every iteration of every start."""

    records_: list[Any]
    _task = "iteration"

    def setup(self, estimator: Any, context: Any) -> None:
        """Forget the last fit."""
        self.records_ = []
        self._start, self._iteration = -1, 0

    def teardown(self, estimator: Any, context: Any) -> None:  # noqa: B027 - nothing to release
        """Keep the records."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Count starts."""
        if context.task_name == "start":
            self._start, self._iteration = self._start + 1, 0

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> bool:
        """Record an iteration; never asks to stop."""
        if context.task_name == self._task and fitted_estimator is not None:
            self._iteration += 1
            self.records_.append(self._record(fitted_estimator))
        return False

    @abstractmethod
    def _record(self, fitted: Any) -> Any:
        """The record of an iteration, from a copy fitted so far."""


class LikelihoodMonitor(_Monitor):
    """Keeps the objective and the smallest mixing weight of every iteration of every start.

    Attributes
    ----------
    records_ : list of IterationRecord
        Of the last fit.

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.callbacks import LikelihoodMonitor
    >>> from mixtures.datasets import load_faithful
    >>> monitor = LikelihoodMonitor()
    >>> gm = GaussianMixture(2, random_state=0).set_callbacks(monitor).fit(load_faithful().data)
    >>> len(monitor.records_) == gm.n_iter_
    True
    """

    records_: list[IterationRecord]

    def _record(self, fitted: Any) -> IterationRecord:
        objective, weight = float(fitted.lower_bound_), float(fitted.weights_.min())
        return IterationRecord(self._start, self._iteration, objective, weight)


class InertiaMonitor(_Monitor):
    """Keeps the inertia and the smallest cluster of every iteration of every start of `KMeans`.

    Each record takes another pass over the rows.

    Attributes
    ----------
    records_ : list of InertiaRecord
        Of the last fit.

    Examples
    --------
    >>> from mixtures import KMeans
    >>> from mixtures.callbacks import InertiaMonitor
    >>> from mixtures.datasets import load_faithful
    >>> monitor = InertiaMonitor()
    >>> km = KMeans(2, random_state=0).set_callbacks(monitor).fit(load_faithful().data)
    >>> len(monitor.records_) == km.n_iter_
    True
    >>> monitor.records_[-1].inertia == km.inertia_
    True
    """

    records_: list[InertiaRecord]

    def _record(self, fitted: Any) -> InertiaRecord:
        smallest = int(np.bincount(fitted.labels_, minlength=len(fitted.cluster_centers_)).min())
        return InertiaRecord(self._start, self._iteration, float(fitted.inertia_), smallest)


class EpochMonitor(_Monitor):
    """Keeps the loss and the layer's prior of every epoch of a network's fit.

    Each record takes another pass over the rows.

    Attributes
    ----------
    records_ : list of EpochRecord
        Of the last fit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mixtures import ResponsibleSoftmaxClassifier
    >>> from mixtures.callbacks import EpochMonitor
    >>> monitor = EpochMonitor()
    >>> model = ResponsibleSoftmaxClassifier(tol=1.0, random_state=0).set_callbacks(monitor)
    >>> model = model.fit(*load_iris(return_X_y=True))
    >>> len(monitor.records_) == model.n_iter_
    True
    """

    records_: list[EpochRecord]
    _task = "epoch"

    def _record(self, fitted: Any) -> EpochRecord:
        return EpochRecord(fitted.n_iter_, fitted.loss_, fitted.prior_)


class TimeLimit:
    """Stops a fit at the end of the first iteration after so many seconds.

    The fit then returns the best it has found, with a `ConvergenceWarning`; `stop_reason_` says
    that a callback asked for it.

    Parameters
    ----------
    seconds : float
        Of wall-clock time, from the beginning of the fit.

    Examples
    --------
    >>> import warnings
    >>> from mixtures import GaussianMixture
    >>> from mixtures.callbacks import TimeLimit
    >>> from mixtures.datasets import load_faithful
    >>> gm = GaussianMixture(2, tol=0, max_iter=10**6, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     gm = gm.set_callbacks(TimeLimit(0.05)).fit(load_faithful().data)
    >>> gm.stop_reason_
    'A callback asked to stop.'
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"TimeLimit expects seconds > 0, but got {seconds!r}.")
        self.seconds = seconds

    def setup(self, estimator: Any, context: Any) -> None:
        """Start the clock."""
        self._end = time.perf_counter() + self.seconds

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing to release."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing to do."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Whether time is up."""
        return context.task_name in ("iteration", "epoch") and time.perf_counter() > self._end

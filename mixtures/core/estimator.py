"""The scikit-learn side of every mixture, written once.

A model derives from :class:`AbstractMixture`, declares its constructor, and answers the few
questions under "what a model answers". Everything that is fitted is committed in one place, at the
end of `fit`: a fit that fails or is interrupted leaves the estimator as it was.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._compat import Interval, StrOptions, check_constraints
from ..exceptions import DegenerateDataWarning
from . import validation
from .acceleration import accelerator_of
from .discriminants import Array, Frame
from .em import AT_REST, EMProblem, EMResult, StopReason, run_em
from .family import AbstractFamily
from .frames import Totals, framed
from .inference import InferenceMixin
from .initialise import INITIALISERS, Start
from .ordering import OrderingMixin
from .progress import Progress
from .restarts import AllRestartsFailed, best_of
from .source import AbstractSource
from .transaction import all_or_nothing


class AbstractMixture(
    CallbackSupportMixin, InferenceMixin, OrderingMixin, DensityMixin, BaseEstimator
):
    """Base of all mixtures fitted by EM; see a model's class for its parameters."""

    _doc_link_module = "mixtures"
    # The documentation has no host yet; with an anchor for a link, notebooks show the docs of each
    # parameter as a tooltip, which they do not without one.
    _doc_link_template = "#{estimator_module}.{estimator_name}"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({"kmeans", "k-means++", "random", "random_from_data"})],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "acceleration": [StrOptions({"auto", "squarem", "anderson"}), None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "component_order": [StrOptions({"weights", "means"}), None],
    }

    # ---- what a model answers ----------------------------------------------------------------

    _params: ClassVar[Any]
    """The family's parameter tuple; fitted attributes are its fields with an underscore."""

    _centred: ClassVar[bool] = True
    """Whether the engine may shift and scale the data: location-scale families."""

    _initialisers: ClassVar[dict[str, Callable[[Start], Any]]] = INITIALISERS
    """What the values of `init_params` mean."""

    @abstractmethod
    def _family(self, source: Any, totals: Totals) -> AbstractFamily[Any]:
        """The family with its priors, bound to the frame of the rows to fit."""

    @abstractmethod
    def _fitted_family(self) -> tuple[AbstractFamily[Any], Any, Frame]:
        """Family, parameters and frame made from the fitted attributes alone, to predict with."""

    def _to_data_units(self, params: Any, frame: Frame) -> Any:
        """Parameters in the units of the data; the same where the frame is the identity."""
        return params

    def _framing(self, n_features: int) -> dict[str, bool]:
        """What `framed` should know of this model for d features: `common_scale`, `pairs`."""
        return {}

    def _given_start(self, n_features: int) -> dict[str, Array]:
        """The fields of the starting parameters that the user prescribes, validated."""
        return {}

    def _to_frame(self, params: Any, frame: Frame) -> Any:
        """Parameters in a frame's coordinates, given in data units."""
        return params

    # ---- fitting -----------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Estimate the parameters by EM, or by MAP-EM where priors are given.

        The best of `n_init` starts is kept. Each start iterates E- and M-steps until the objective
        changes by less than `tol`, and warns if that takes more than `max_iter` iterations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One row a sample; float32 or float64, any other numbers are converted.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; one of weight zero is as good as absent.

        Returns
        -------
        self : object
            The fitted mixture.
        """
        with all_or_nothing(self):
            self._fit(X, y, sample_weight)
        return self

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, then label each row: the same as ``fit(X).predict(X)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self.fit(X, y, sample_weight).predict(X)

    @with_callbacks
    def _fit(self, X: ArrayLike, y: Any, sample_weight: ArrayLike | None) -> None:
        check_constraints(self)
        warm = self.warm_start and hasattr(self, "converged_")
        rows, w = self._check_training_rows(X, sample_weight, warm)
        given = self._given_start(rows.shape[1])
        progress = Progress(self, X, y, sample_weight, n_starts=1 if warm else self.n_init)
        with self._source(rows, w) as (source, totals):
            family = self._family(source, totals)
            result, restarts = self._run(source, totals, family, given, warm, progress)
            doubts = family.doubts(result.params)
            params = self._ordered(result.params)
            dtype = validation.float_type(rows)
            attributes = self._attributes(result._replace(params=params), source, dtype)
        attributes["restarts_"] = restarts
        self._warn(result, doubts)
        self.__dict__.update(attributes)  # the one point at which a fit shows
        progress.end()

    def _check_training_rows(
        self, X: ArrayLike, sample_weight: ArrayLike | None, warm: bool
    ) -> tuple[Any, Array | None]:
        name = type(self).__name__
        validation.refuse_lazy_array(name, X)
        if warm:
            validation.check_same_size(len(self.weights_), self.n_components)
        rows = self._validated(X, reset=not warm, ensure_min_samples=2)
        w = validation.check_sample_weight(sample_weight, rows.shape[0])
        rows, w = validation.drop_weightless(rows, w)
        w = validation.normalise_weights(w, has_prior=self._has_prior())
        validation.check_enough_samples(rows.shape[0], self.n_components)
        return rows, w

    def _has_prior(self) -> bool:
        return self.prior is not None or self.weight_prior is not None

    @contextmanager
    def _source(
        self, X: Any, w: Array | None, *, merge: bool = True
    ) -> Iterator[tuple[Any, Totals]]:
        """Rows to fit, opened, and their totals; `merge`: equal rows may become one."""
        source, totals = framed(
            X, w, centred=self._centred, n_threads=self.n_threads, **self._framing(X.shape[1])
        )
        with source:
            yield source, totals

    def _run(
        self,
        source: AbstractSource,
        totals: Totals,
        family: AbstractFamily[Any],
        given: dict[str, Array],
        warm: bool,
        progress: Progress,
    ) -> tuple[EMResult, list[Any]]:
        """EM from every start, on local values only."""
        problem = EMProblem.of(source, family)
        rng = check_random_state(self.random_state)

        def one_start(number: int) -> EMResult:
            with progress.start(number, partial(self._attributes_at, source, problem)) as monitor:
                if warm:
                    params = self._to_frame(self._attribute_params(), source.frame)
                else:
                    params = self._initialise(source, totals, family, given, rng)
                return run_em(
                    problem,
                    params,
                    tol=self.tol,
                    max_iter=self.max_iter,
                    accelerate=accelerator_of(self.acceleration, self.tol),
                    monitor=monitor,
                )

        try:
            return best_of([partial(one_start, i) for i in range(1 if warm else self.n_init)])
        except AllRestartsFailed as error:
            raise ValueError(self._failure(str(error), validation.float_type(source.X))) from None

    def _warn(self, result: EMResult, doubts: str | None) -> None:
        """Say what a user should know about a fit that succeeded."""
        if doubts is not None:
            warnings.warn(doubts, DegenerateDataWarning, stacklevel=5)
        if result.reason not in AT_REST and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data. "
                f"It stopped at a lower bound of {result.objective:.6g} after {result.n_iter} "
                "iterations.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _initialise(
        self,
        source: AbstractSource,
        totals: Totals,
        family: AbstractFamily[Any],
        given: dict[str, Array],
        rng: Any,
    ) -> Any:
        """Parameters to start from: as `init_params` says, with the user's own put in."""
        if len(given) == len(self._params._fields):
            return self._to_frame(self._params(**given), source.frame)
        start = Start(source, totals, family, self.n_components, rng, self.n_threads)
        params = self._initialisers[self.init_params](start)
        if not given:
            return params
        return self._with_given(params, given, source.frame)

    def _with_given(self, params: Any, given: dict[str, Array], frame: Frame) -> Any:
        """Parameters in a frame, some of whose fields are prescribed, in data units."""
        return self._to_frame(self._to_data_units(params, frame)._replace(**given), frame)

    def _attributes_at(
        self, source: AbstractSource, problem: EMProblem[Any], point: Any
    ) -> dict[str, Any]:
        """Fitted attributes in the middle of a fit, for callbacks that ask for a fitted copy."""
        result = EMResult(point.params, point.objective, [point.objective], 0, StopReason.CALLBACK)
        return self._attributes(result, source, validation.float_type(source.X))

    def _attributes(self, result: EMResult, source: Any, dtype: Any) -> dict[str, Any]:
        """All fitted attributes of a result."""
        return self._fitted_attributes(result.params, source, dtype) | {
            "converged_": result.reason in AT_REST,
            "n_iter_": result.n_iter,
            "lower_bound_": result.objective,
            "lower_bounds_": result.trace[1:],
            "initial_lower_bound_": result.trace[0],
            "stop_reason_": result.reason.value,
        }

    def _fitted_attributes(self, params: Any, source: Any, dtype: Any) -> dict[str, Any]:
        """Fitted attributes that hold parameters, given in the frame of the rows fitted."""
        return self._parameter_attributes(self._to_data_units(params, source.frame), dtype)

    def _parameter_attributes(self, params: Any, dtype: Any) -> dict[str, Any]:
        """Fitted attributes that hold parameters, given in data units."""
        return {
            f"{name}_": np.asarray(value).astype(dtype, copy=False)
            for name, value in params._asdict().items()
        }

    def _attribute_params(self) -> Any:
        """The parameters in data units, as the fitted attributes have them, in float64."""
        names = self._params._fields
        return self._params(*(np.array(getattr(self, f"{n}_"), dtype=np.float64) for n in names))

    def _failure(self, reason: str, dtype: Any) -> str:
        """The sentence of the error when no start led to a model."""
        return f"Fitting the mixture model failed: {reason}. Try fewer components."

"""Dynamic responsibility: the mixing weights of components whose densities are known."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning

from .._compat import Interval, StrOptions, check_constraints
from ..core import validation
from ..core.discriminants import Array
from ..core.proportions.ascent import Ascent
from ..core.proportions.densities import some_rows
from ..core.proportions.information import information_at
from ..core.proportions.solvers import SOLVERS
from ..core.proportions.source import DensitySource
from ..core.transaction import all_or_nothing
from .inference import READERS, ResponsibilitiesMixin

MOST_ACTIVE = 100
"""Active components up to which their information is worked out without being asked for."""

NEXT_TO_NOTHING = 1e-200
"""Weights below are no start."""

_INFORMATION = ("lambda_min_", "rate_", "covariance_", "standard_errors_", "identifiable_")


class DynamicResponsibility(ResponsibilitiesMixin, DensityMixin, BaseEstimator):
    """Mixing weights that maximise the likelihood of rows with known component densities.

    Of a row n the densities ``F_nk = f_k(x_n)`` under K components are given; sought are the
    weights on the simplex that maximise

    ``l(weights) = sum_n w_n log(sum_k weights_k F_nk) / sum_n w_n``,

    a concave function. ``solver="em"`` iterates the responsibility map
    ``R(weights)_k = mean_n weights_k F_nk / sum_j weights_j F_nj``, along which l never falls; the
    default is a second-order method on few components at a time. Whatever the solver, the
    result is certified: no weights have a larger l than these by more than ``gap_``.

    Parameters
    ----------
    input : {"density", "log_density"}, default="density"
        What F holds: densities, or posterior probabilities of a classifier divided by its training
        priors; or their natural logarithms. Multiplying a row by a constant changes nothing.
    solver : {"auto", "em", "squarem", "sqp"}, default="auto"
        "em" iterates the responsibility map; "squarem" extrapolates it (Varadhan and Roland 2008,
        Scand. J. Statist. 35); "sqp" is Newton's method on working sets; "auto" chooses between
        the latter and accelerated EM, which is as good where components explain rows of their own.
    tol : float, default=1e-8
        The fit stops when ``gap_`` is at most this, in nats per row. Zero: "em" and "squarem" do
        `max_iter` iterations, the others as many as climb.
    max_iter : int, default=None
        Iterations on all rows at most; None: 10 000 of "em" and "squarem", of the others 200, or
        two for each component.
    start : array-like of shape (n_components,), default=None
        Weights to start from; None: equal ones. Zeros stay zero under "em" and "squarem"; the
        others need every component, and give all of them a thousandth of the weight first.
    concentration : float or array-like of shape (n_components,), default=1.0
        Of a Dirichlet prior on the weights, at least 1: ``concentration - 1`` pseudo-rows belong to
        a component from the outset, and l becomes the log-posterior per row and pseudo-row.
    store_orbit : bool, default=False
        Whether to keep the weights of all iterations.
    information : bool or "auto", default="auto"
        Whether to work out rates and standard errors; "auto": if at most 100 components are
        active. It takes ``n_samples * active**2`` multiplications.
    n_threads : int, default=None
        Threads to use; None: all that the process may. The result has the same bits for any.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    log_weights_ : ndarray of shape (n_components,)
        -inf for weights that are exactly zero.
    gap_ : float
        Nats per row by which any other weights can improve on these, at most:
        ``log max_k g_k`` with ``g_k = sum_n w_n (F_nk / sum_j weights_j F_nj) / sum_n w_n``.
    active_ : ndarray of shape (n_components,), bool
        Components of positive weight. Newton's method leaves the others exactly zero, EM tends to
        zero.
    objective_ : float
        l at the weights, in nats per row, the prior included.
    objective_path_ : ndarray
        l from the first to the last iteration on all rows; it never falls.
    orbit_ : ndarray of shape (n_iter_ + 1, n_components)
        The weights there, with ``store_orbit=True``.
    n_iter_ : int
    converged_ : bool
        Whether ``gap_ <= tol``.
    stop_reason_ : str
    lambda_min_ : float
        Smallest eigenvalue of ``M = diag(1 / weights) S'S / n`` among active components (those of
        more weight than slack ``1 - g_k``), S being the responsibilities: EM's error shrinks by
        ``1 - lambda_min_`` in an iteration.
    rate_ : float
        The rate at which EM converges linearly, components that die out included, and directions
        left out along which no density changes.
    covariance_ : ndarray of shape (n_components, n_components)
        Asymptotic covariance of the weights; zero for components that are not active.
    standard_errors_ : ndarray of shape (n_components,)
        The roots of its diagonal; infinite where columns are linearly dependent.
    identifiable_ : bool
        Whether the maximum is unique: whether components that are active, or could be,
        have linearly independent densities, which suffices. If not, how equal components share a
        weight may depend on `start`.
    n_features_in_ : int
        Number of components.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import DynamicResponsibility
    >>> F = np.array([[0.9, 0.1], [0.8, 0.1], [0.7, 0.2], [0.1, 0.6]])
    >>> model = DynamicResponsibility().fit(F)
    >>> model.weights_.round(3), model.gap_ <= 1e-8
    (array([0.848, 0.152]), True)
    """

    _doc_link_module = "mixtures"
    _doc_link_template = "#{estimator_module}.{estimator_name}"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "input": [StrOptions(set(READERS))],
        "solver": [StrOptions(set(SOLVERS))],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "start": ["array-like", None],
        "concentration": [Interval(Real, 1.0, None, closed="left"), "array-like"],
        "store_orbit": ["boolean"],
        "information": ["boolean", StrOptions({"auto"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self, *, input="density", solver="auto", tol=1e-8, max_iter=None, start=None,
        concentration=1.0, store_orbit=False, information="auto", n_threads=None,
    ):  # fmt: skip
        self.input, self.solver, self.tol, self.max_iter = input, solver, tol, max_iter
        self.start, self.concentration, self.store_orbit = start, concentration, store_orbit
        self.information, self.n_threads = information, n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self.input == "density"
        return tags

    # ---- fitting -----------------------------------------------------------------------------

    def fit(self, F: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the weights.

        Parameters
        ----------
        F : array-like of shape (n_samples, n_components)
            Densities of the rows under the components, or their logarithms. Float64 in Fortran
            order (one component after another in memory) is used as it is; anything else is copied.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For densities that are negative, infinite or NaN, and for rows that are zero under
            every component.
        """
        with all_or_nothing(self):
            check_constraints(self)
            rows = self._validated(F, reset=True)
            w = validation.check_sample_weight(sample_weight, len(rows))
            names = None
            if w is not None and not w.all():
                names = np.flatnonzero(w)
                rows, w = some_rows(rows, names), w[names]
            pseudo = self._pseudo_counts(rows.shape[1])
            with np.errstate(over="ignore"):
                total = float(len(rows) if w is None else w.sum())
            total += 0.0 if pseudo is None else float(pseudo.sum())
            w = validation.normalise_weights(w, has_prior=pseudo is not None)
            start = self._start(rows.shape[1])
            lines = READERS[self.input](rows, names)
            with DensitySource(lines, w, pseudo, n_threads=self.n_threads) as source:
                ascent = SOLVERS[self.solver](
                    source, start, self.tol, self.max_iter, self.store_orbit
                )
                attributes = self._attributes(source, ascent, total)
            self._clear()
            self.__dict__.update(attributes)
        if not self.converged_ and self.tol > 0 and self.max_iter != 0:
            advice = "Increase max_iter or tol"
            advice += "." if self.solver == "auto" else ", or use solver='auto'."
            warnings.warn(
                f"DynamicResponsibility stopped after {self.n_iter_} iterations with a gap of "
                f"{self.gap_:.3g} nats per row, not the {self.tol:g} asked for: "
                f"{self.stop_reason_} {advice}",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _pseudo_counts(self, K: int) -> Array | None:
        concentration = np.asarray(self.concentration, dtype=np.float64)
        if concentration.ndim:
            concentration = validation.check_shape("concentration", concentration, (K,))
        if not (np.isfinite(concentration).all() and concentration.min() >= 1.0):
            raise ValueError(
                f"concentration must be finite and at least 1, but got {concentration.min():g}: "
                "below, the posterior is unbounded at weights of zero. Pass 1.0 for no prior."
            )
        return np.full(K, concentration - 1.0) if concentration.max() > 1.0 else None

    def _start(self, K: int) -> Array:
        if self.start is None:
            return np.full(K, 1.0 / K)
        start = validation.check_weights(self.start, K, "start")
        for k in np.flatnonzero((start > 0) & (start < NEXT_TO_NOTHING)):
            raise ValueError(
                f"The parameter 'start' should be zero or at least {NEXT_TO_NOTHING:g}, but that "
                f"of component {k} is {start[k]:g}: densities times it are no numbers any more."
            )
        return start / start.sum()

    def _clear(self) -> None:
        """Forget what another fit may have left that this one does not set."""
        for name in ("orbit_", *_INFORMATION):
            self.__dict__.pop(name, None)

    def _attributes(
        self, source: DensitySource, ascent: Ascent, total_weight: float
    ) -> dict[str, Any]:
        offset = source.total_offset / source.total_weight
        with np.errstate(divide="ignore"):
            log_weights = np.log(ascent.weights)
        attributes: dict[str, Any] = {
            "weights_": ascent.weights,
            "log_weights_": log_weights,
            "gap_": ascent.gap,
            "active_": ascent.weights > 0,
            "objective_": float(ascent.path[-1] + offset),
            "objective_path_": np.array(ascent.path) + offset,
            "n_iter_": ascent.n_iter,
            "converged_": ascent.gap <= self.tol,
            "stop_reason_": ascent.reason.value,
        }
        if self.store_orbit:
            attributes["orbit_"] = np.array(ascent.orbit)
        wanted = self.information
        if wanted == "auto":
            wanted = np.count_nonzero(ascent.live) <= MOST_ACTIVE
        if wanted:
            found = information_at(source, ascent, total_weight)
            attributes |= {f"{name}_": value for name, value in found._asdict().items()}
        return attributes

    def __getattr__(self, name: str) -> Any:
        if name in _INFORMATION and "weights_" in self.__dict__:
            raise AttributeError(
                f"{name} was not worked out, as {int(self.active_.sum())} components are active: "
                "fit with information=True for it."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

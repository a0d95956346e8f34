"""Choosing a model by an information criterion: how many components, which covariances.

Conventions: n rows, d features, c candidates (points of the parameter grid). A criterion is a
number in nats times two that measures misfit plus complexity, with scikit-learn's sign: *lower is
better*. (mclust reports the negative of ours.)
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import ParameterGrid
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

Criterion = str | Callable[..., float]
Params = dict[str, Any]  # names of parameters and their values
HIGHER_IS_BETTER = frozenset({"score", "score_samples"})  # methods that are no criterion


class Trial(NamedTuple):
    """What became of one candidate."""

    estimator: Any  # fitted, or None where the fit failed
    value: float  # of the criterion; NaN where the fit failed
    seconds: float
    stop_reason: str
    error: Exception | None = None


def _best_has(method: str) -> Callable[[Any], bool]:
    """Whether the estimator that answers for the search has `method`, as an `available_if` test."""
    return lambda search: hasattr(getattr(search, "best_estimator_", search.estimator), method)


class InformationCriterionSearch(MetaEstimatorMixin, BaseEstimator):
    """Fit every candidate of a grid on all rows and keep the one whose criterion is lowest.

    The counterpart of `GridSearchCV` for likelihood models. A criterion such as
    ``BIC = -2 log L + p log n`` pays for the p parameters instead of holding rows back, so each
    candidate is fitted once, on everything, and the best one needs no refit.

    Parameters
    ----------
    estimator : object
        A mixture, or any estimator with a method named by `criterion`. It is cloned, never fitted.
    param_grid : dict of str to sequence, or list of such dicts
        Names of parameters and the values to try, as in `sklearn.model_selection.GridSearchCV`.
    criterion : str or callable, default='bic'
        The name of a method ``criterion(X) -> float`` of the fitted estimator ('bic', 'aic',
        'icl'), or a function ``criterion(estimator, X) -> float``; lower must be better. With
        weights, `sample_weight` is passed to it too.

    Attributes
    ----------
    best_estimator_ : object
        The fitted candidate whose criterion is lowest; the first one where several are equal.
    best_params_ : dict
        Its point of the grid.
    best_score_ : float
        Its criterion; lower is better.
    best_index_ : int
        Its row of `results_`.
    results_ : dict of str to array-like of length c
        One row a candidate, ready for a data frame: ``params``, ``param_<name>`` for each name in
        the grid, ``criterion``, ``rank`` (1 is best; failed ones come last), ``fit_time`` in
        seconds, ``n_iter`` (-1 if unknown), ``converged``, ``stop_reason``. A fit that failed
        is a row with a criterion of NaN, and its error is the stop reason.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only where X has column names.

    Raises
    ------
    AttributeError, TypeError, ValueError
        If `criterion` is the name of no method, neither name nor function, or the name of a score.
    Exception
        If every candidate fails: the first one's error, with a note that says so.

    See Also
    --------
    mixtures.plotting.InformationCriterionDisplay : Draws the criterion over the grid.

    Notes
    -----
    In-sample criteria compare fits to the same rows only. For BIC see Schwarz (1978); for ICL,
    which prefers components that separate, Biernacki, Celeux and Govaert (2000).

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.datasets import load_faithful
    >>> from mixtures.selection import InformationCriterionSearch
    >>> X = load_faithful().data
    >>> grid = {"n_components": [1, 2, 3], "covariance_type": ["full", "tied"]}
    >>> estimator = GaussianMixture(tol=1e-6, max_iter=1000, random_state=0)
    >>> search = InformationCriterionSearch(estimator, grid).fit(X)
    >>> search.best_params_
    {'covariance_type': 'tied', 'n_components': 3}
    >>> round(search.best_score_, 1)
    2314.3
    >>> search.predict([[2.0, 50.0], [4.5, 80.0]]).shape
    (2,)
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
        *,
        criterion: Criterion = "bic",
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.criterion = criterion

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit all candidates and keep the best.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Handed to the estimator as it comes.
        y : Ignored
        sample_weight : array-like of shape (n,), default=None
            Handed to the estimator's `fit` and to the criterion, where given.

        Returns
        -------
        self : object

        Warns
        -----
        FitFailedWarning
            If some candidates failed; `results_` says which and why.
        """
        criterion = self._criterion()
        extra = {} if sample_weight is None else {"sample_weight": sample_weight}
        candidates = list(ParameterGrid(self.param_grid))
        trials = [self._try(params, X, extra, criterion) for params in candidates]

        values = np.array([trial.value for trial in trials])
        failed = np.flatnonzero(np.isnan(values))
        if failed.size:
            self._report(candidates, trials, failed)
        # Fitted attributes appear here and only here: a search that was interrupted shows none.
        best = int(np.nanargmin(values))
        self.results_ = _results(candidates, trials, values)
        self.best_index_ = best
        self.best_params_ = candidates[best]
        self.best_score_ = float(values[best])
        self.best_estimator_ = trials[best].estimator
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(self.best_estimator_, name):
                setattr(self, name, getattr(self.best_estimator_, name))
        return self

    def table(
        self, rows: str = "n_components", columns: str | None = "covariance_type"
    ) -> tuple[list[Any], list[Any], np.ndarray]:
        """The criterion over two parameters of the grid, at the best of all others.

        Parameters
        ----------
        rows, columns : str
            Names of parameters. `columns` may be None or a name that the grid does not have: the
            table then has one column, labelled None.

        Returns
        -------
        row_labels, column_labels : list
            Values of the two parameters, in the order of their first appearance.
        values : ndarray of shape (n_row_labels, n_column_labels)
            NaN where no fit succeeded.
        """
        check_is_fitted(self)
        params = self.results_["params"]
        row_labels = list(dict.fromkeys(p.get(rows) for p in params))
        column_labels = list(dict.fromkeys(p.get(columns) for p in params))
        values = np.full((len(row_labels), len(column_labels)), np.nan)
        for p, value in zip(params, self.results_["criterion"], strict=True):
            at = row_labels.index(p.get(rows)), column_labels.index(p.get(columns))
            values[at] = np.fmin(values[at], value)  # fmin passes NaN over
        return row_labels, column_labels, values

    @available_if(_best_has("predict"))
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Label each row by the best estimator, (n,)."""
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    @available_if(_best_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Responsibilities under the best estimator, (n, k)."""
        check_is_fitted(self)
        return self.best_estimator_.predict_proba(X)

    @available_if(_best_has("score_samples"))
    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Log-density of each row under the best estimator, in nats, (n,)."""
        check_is_fitted(self)
        return self.best_estimator_.score_samples(X)

    @available_if(_best_has("score"))
    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-density of the rows under the best estimator, in nats per row."""
        check_is_fitted(self)
        extra = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.best_estimator_.score(X, y, **extra)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type, tags.input_tags = inner.estimator_type, inner.input_tags
        return tags

    def _criterion(self) -> Callable[..., float]:
        """The criterion as a function of a fitted estimator and X."""
        name = self.criterion
        if callable(name):
            return name
        error: type[Exception] = ValueError
        if not isinstance(name, str):
            error, problem = TypeError, "it is neither the name of a method nor a function"
        elif name in HIGHER_IS_BETTER:
            problem = "the search keeps the lowest, so lower must be better, but higher is"
        elif not hasattr(self.estimator, name):
            kind = type(self.estimator).__name__
            error, problem = AttributeError, f"a method {name}(X) is needed, but {kind} has none"
        else:
            return lambda estimator, X, **extra: getattr(estimator, name)(X, **extra)
        raise error(
            f"InformationCriterionSearch cannot use criterion={name!r}: {problem}; name another "
            "method, such as 'bic', or pass a function criterion(estimator, X)."
        )

    def _try(self, params: Params, X: Any, extra: Params, criterion: Callable[..., float]) -> Trial:
        """Fit one candidate; whatever it raises becomes its stop reason."""
        start = time.perf_counter()
        try:
            # Each candidate gets parameters of its own, so that a fit cannot change the grid.
            estimator = clone(self.estimator).set_params(**clone(params, safe=False))
            estimator.fit(X, **extra)
            seconds = time.perf_counter() - start
            value = float(criterion(estimator, X, **extra))
            if not np.isfinite(value):
                raise FloatingPointError(f"the criterion is {value}, so it ranks nothing")
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return Trial(None, np.nan, time.perf_counter() - start, reason, error)
        return Trial(estimator, value, seconds, _stop_reason(estimator))

    def _report(self, candidates: list[Params], trials: list[Trial], failed: np.ndarray) -> None:
        """Raise the first error if all candidates failed; warn if some did."""
        first, count = int(failed[0]), f"{failed.size} of {len(trials)} candidates of the search"
        error = trials[first].error
        if failed.size == len(trials) and error is not None:
            error.add_note(f"{count} failed; this is the first error, at {candidates[first]}.")
            raise error
        warnings.warn(
            f"{count} failed and have a criterion of NaN; results_['stop_reason'] says why. "
            f"For example, {candidates[first]} gave {trials[first].stop_reason}",
            FitFailedWarning,
            stacklevel=3,
        )


def _stop_reason(estimator: Any) -> str:
    known = {True: "The fit converged.", False: "The fit did not converge.", None: "Unknown."}
    return str(getattr(estimator, "stop_reason_", known[getattr(estimator, "converged_", None)]))


def _results(candidates: list[Params], trials: list[Trial], values: np.ndarray) -> dict[str, Any]:
    """The table of a search: a dict of columns of equal length."""
    columns: dict[str, Any] = {"params": candidates}
    fits = [trial.estimator for trial in trials]
    for name in dict.fromkeys(name for params in candidates for name in params):
        columns[f"param_{name}"] = [params.get(name) for params in candidates]
    # Equal values share a rank, as in a race; NaN sorts last.
    columns["criterion"] = values
    columns["rank"] = 1 + np.searchsorted(np.sort(values), values)
    columns["fit_time"] = np.array([trial.seconds for trial in trials])
    columns["n_iter"] = np.array([getattr(fit, "n_iter_", -1) for fit in fits])
    columns["converged"] = np.array([bool(getattr(fit, "converged_", False)) for fit in fits])
    columns["stop_reason"] = [trial.stop_reason for trial in trials]
    return columns

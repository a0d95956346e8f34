"""The estimator: scikit-learn's KMeans with what it lacks."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._compat import Interval, StrOptions, check_constraints
from ..core.labelling import check_points
from ..core.point_frame import frame_rows, open_points
from ..core.transaction import all_or_nothing
from .inference import CentresMixin
from .progress import KMeansProgress
from .seeds import SEEDINGS, check_centres, check_enough_rows
from .starts import Outcome, Starts, refuse_inexact
from .training import TrainingRows, refuse_infinite, refuse_unsquarable


class KMeans(CentresMixin, CallbackSupportMixin, BaseEstimator):
    """K-means clustering; a drop-in for scikit-learn's.

    Minimises the inertia ``sum_i w_i min_k |x_i - center_k|^2`` by Lloyd's iterations (Lloyd 1982):
    each row is assigned to its nearest center, and each center moves to the weighted mean of its
    rows. It is EM for equal spherical components in the limit of zero variance.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters, k.
    init : {'k-means++', 'random'}, callable or array-like of shape (n_clusters, n_features), \
default='k-means++'
        'k-means++' draws rows that are far from each other, the best of a few each time; 'random'
        draws distinct rows by their weight; a callable ``init(X, n_clusters, random_state=...)``
        returns centers in the units of X, which it gets read-only and without the rows of weight
        zero.
    n_init : 'auto' or int, default='auto'
        Number of starts; the best result is kept. 'auto' is 10 for 'random' and callables, else 1.
    max_iter : int, default=300
        Largest number of iterations of each start.
    tol : float, default=1e-4
        A start ends when the squared moves of all centers add up to at most `tol` times the mean
        of the features' (weighted) variances. With 0 it ends when no row changes its cluster.
    verbose : int, default=0
        1 prints the inertia of every iteration, which takes another pass over the rows; 2 also
        times.
    random_state : int, RandomState instance or None, default=None
        The same int gives the same bits, whatever the number of threads.
    copy_x : bool, default=True
        There for scikit-learn's signature: X is never changed, and never copied whole.
    algorithm : {'lloyd', 'elkan', 'exact'}, default='lloyd'
        'lloyd' passes over rows whose label cannot change once that pays, 'elkan' from the first
        iteration on, with the same result. 'exact' finds the best of all partitions by dynamic
        programming, of one dense feature only; starts and iterations are then ignored.
    local_search : bool, default=False
        Improve each result of Lloyd's iterations by swaps of centers and exchanges of rows, which
        count as iterations beyond `max_iter`; never ends at a larger inertia.
    n_threads : int, default=None
        None uses the cores that this process may use. Any number gives the same bits.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        float32 for float32 rows.
    labels_ : ndarray of shape (n_samples,), int32
        Nearest of `cluster_centers_` for each row, of equally near ones the first: always what
        ``predict`` says.
    inertia_ : float
        Weighted sum of squared distances to `cluster_centers_`, in squared units of the data.
    n_iter_ : int
        Iterations of the best start.
    inertias_ : list of float of length n_iter_
        The inertia after each iteration; it never rises, and ends at `inertia_`.
    initial_inertia_ : float
        The inertia before the first iteration.
    converged_ : bool
    stop_reason_ : str
        Why the iterations ended, as a sentence.
    restarts_ : list of Restart
        Inertia, iterations, reason and seconds of every start.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has column names.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, or there are fewer rows of positive weight than
        clusters.

    Notes
    -----
    Integer weights are as good as repeated rows and weights of zero as removed ones, seeding
    included, in any order of rows. Clusters that lose all rows get the row (with its copies) that
    is farthest from its center.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import KMeans
    >>> X = np.array([[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]])
    >>> km = KMeans(n_clusters=2, init=X[[0, 3]]).fit(X)
    >>> km.labels_
    array([0, 0, 0, 1, 1, 1], dtype=int32)
    >>> km.cluster_centers_
    array([[ 1.,  2.],
           [10.,  2.]])
    >>> km.inertia_, km.stop_reason_
    (16.0, 'The centres moved by less than tol.')
    """

    # As for mixtures: with an anchor for a link, notebooks show each parameter's docs.
    _doc_link_module = "mixtures"
    _doc_link_template = "#{estimator_module}.{estimator_name}"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(SEEDINGS)), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan", "exact"})],
        "local_search": ["boolean"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self, n_clusters=8, *, init="k-means++", n_init="auto", max_iter=300, tol=1e-4, verbose=0,
        random_state=None, copy_x=True, algorithm="lloyd", local_search=False, n_threads=None,
    ):  # fmt: skip
        self.n_clusters, self.init, self.n_init = n_clusters, init, n_init
        self.max_iter, self.tol, self.verbose = max_iter, tol, verbose
        self.random_state, self.copy_x, self.algorithm = random_state, copy_x, algorithm
        self.local_search, self.n_threads = local_search, n_threads

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the centers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            float32 or float64, any other numbers are converted; sparse formats become CSR.
        y : Ignored
            Present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; one of weight zero is as good as absent.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with all_or_nothing(self):
            self._fit(X, y, sample_weight)
        return self

    @with_callbacks
    def _fit(self, X: ArrayLike, y: Any, sample_weight: ArrayLike | None) -> None:
        check_constraints(self)
        training = TrainingRows.of(check_points(self, X, reset=True), sample_weight)
        check_enough_rows(training.rows.shape[0], self.n_clusters)
        init, n_init = self._starts(training)
        framed = frame_rows(training.rows, training.weight, self.n_threads)
        refuse_unsquarable(type(self).__name__, framed.deviation)
        progress = KMeansProgress(self, X, y, sample_weight, n_starts=n_init)
        rng = check_random_state(self.random_state)
        with open_points(training.rows, training.weight, framed.frame, self.n_threads) as points:
            starts = Starts(self, init, training, framed, points)
            fitted = partial(self._attributes, starts)
            best, restarts = starts.best_of(n_init, rng, progress, fitted)
        attributes = fitted(best)
        self._warn(attributes.pop("distinct"))
        attributes["restarts_"] = restarts
        self.__dict__.update(attributes)  # the one point at which a fit shows
        progress.end()

    def _starts(self, training: TrainingRows) -> tuple[Any, int]:
        """`init`, an array if it was array-like, and how many starts there are."""
        drawn = isinstance(self.init, str) or callable(self.init)
        rows, k = training.rows, self.n_clusters
        init = self.init if drawn else check_centres(self.init, k, rows.shape[1])
        if self.algorithm == "exact":
            refuse_inexact(rows)
            return init, 1
        if self.algorithm == "elkan" and k == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead.",
                RuntimeWarning,
                stacklevel=5,
            )
        if self.n_init == "auto":
            return init, 10 if callable(init) or (drawn and init == "random") else 1
        if not drawn and self.n_init != 1:
            warnings.warn(
                "Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={self.n_init}.",
                RuntimeWarning,
                stacklevel=5,
            )
            return init, 1
        return init, self.n_init

    def _attributes(self, starts: Starts, outcome: Outcome) -> dict[str, Any]:
        """All fitted attributes of an outcome, and "distinct", how many clusters have rows.

        Labels and inertia are those of the centres as they are returned, in their precision; the
        trace is what the iterations gained on the way there.
        """
        training = starts.training
        centres = starts.framed.frame.from_frame(outcome.centres)
        centres = centres.astype(training.rows.dtype, copy=False)
        labels, inertia, distinct = training.describe(centres, self.n_threads)
        inertia = refuse_infinite(inertia, type(self).__name__)
        end = outcome.trace[-1]
        trace = [inertia + max(starts.in_data_units(t - end), 0.0) for t in outcome.trace]
        return {
            "cluster_centers_": centres,
            "labels_": labels,
            "inertia_": inertia,
            "n_iter_": outcome.n_iter,
            "inertias_": trace[1:],
            "initial_inertia_": trace[0],
            "converged_": outcome.converged,
            "stop_reason_": outcome.reason,
            "distinct": distinct,
        }

    def _warn(self, distinct: int) -> None:
        """Say so where some clusters have no rows."""
        if distinct < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({distinct}) found smaller than n_clusters "
                f"({self.n_clusters}). Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=5,
            )

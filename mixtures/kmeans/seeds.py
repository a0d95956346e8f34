"""Where k-means starts: rows drawn by weight, or centres that the user gives."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import check_array, check_random_state

from ..core import validation
from ..core.discriminants import Array, Frame
from ..core.plusplus import Bins, pick, plusplus
from ..core.point_frame import LARGEST, Rows, frame_rows, open_points
from ..core.points import AbstractPoints
from ..core.sparse_points import canonical
from .training import TrainingRows, refuse_unsquarable


def kmeans_plusplus(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    x_squared_norms: ArrayLike | None = None,
    random_state: Any = None,
    n_local_trials: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to seed k-means with, by greedy k-means++.

    Each seed is the best of `n_local_trials` rows drawn with probability proportional to weight
    times squared distance to the nearest seed so far (Arthur and Vassilvitskii 2007). Integer
    weights are as good as repeated rows, and the order of rows does not matter.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    n_clusters : int
    sample_weight : array-like of shape (n_samples,), default=None
    x_squared_norms : array-like of shape (n_samples,), default=None
        Not needed.
    random_state : int, RandomState instance or None, default=None
    n_local_trials : int, default=None
        Candidates for each seed after the first; None is ``2 + int(log(n_clusters))``.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        The seeds, dense; repeated if there are fewer distinct rows.
    indices : ndarray of shape (n_clusters,), int
        ``centers`` are the rows ``X[indices]``.

    Raises
    ------
    ValueError
        For fewer rows of positive weight than clusters, or an argument not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import kmeans_plusplus
    >>> X = np.array([[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]])
    >>> centers, indices = kmeans_plusplus(X, n_clusters=2, random_state=0)
    >>> sorted(centers[:, 0].tolist())
    [1.0, 10.0]
    >>> bool((centers == X[indices]).all())
    True
    """
    _check_counts(n_clusters, n_local_trials)
    rows: Any = _validated(X)
    _check_norms(x_squared_norms, rows.shape[0])
    given = TrainingRows.of(rows, sample_weight)
    check_enough_rows(given.rows.shape[0], n_clusters)
    found = _draw(given, n_clusters, check_random_state(random_state), n_local_trials)
    integers = isinstance(X, np.ndarray) and X.dtype.kind in "iu"
    centres = (X if integers else rows)[found]
    return (centres.toarray() if issparse(centres) else centres), found


def _draw(
    given: TrainingRows, k: int, rng: np.random.RandomState, n_trials: int | None
) -> np.ndarray:
    framed = frame_rows(given.rows, given.weight, n_threads=None)
    refuse_unsquarable("kmeans_plusplus", framed.deviation)
    with open_points(given.rows, given.weight, framed.frame, n_threads=None) as points:
        found = plusplus(points, k, rng, n_trials)
    return found if given.kept is None else given.kept[found]


def _validated(X: Any) -> Any:
    validation.refuse_lazy_array("kmeans_plusplus", X)
    rows = check_array(X, accept_sparse="csr", dtype=validation.FLOATS)
    return canonical(rows) if issparse(rows) else rows


def _check_counts(n_clusters: Any, n_local_trials: Any) -> None:
    trials = 1 if n_local_trials is None else n_local_trials
    for name, value in {"n_clusters": n_clusters, "n_local_trials": trials}.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"kmeans_plusplus expects {name} to be an int >= 1, got {value!r}.")


def _check_norms(x_squared_norms: ArrayLike | None, n: int) -> None:
    """ValueError for norms of other rows; they are not used."""
    norms = None if x_squared_norms is None else np.asarray(x_squared_norms)
    if norms is not None and (norms.ndim == 0 or len(norms) != n):
        raise ValueError(
            f"The length of x_squared_norms, of shape {norms.shape}, should be equal to the length "
            f"of n_samples {n}. Leave it out: it is not needed."
        )


def check_enough_rows(n_rows: int, n_clusters: int) -> None:
    """ValueError where there are fewer rows than clusters."""
    if n_rows < n_clusters:
        raise ValueError(
            f"n_samples={n_rows} should be >= n_clusters={n_clusters}. Decrease n_clusters or pass "
            "more rows of positive weight."
        )


def random_rows(points: AbstractPoints, k: int, rng: np.random.RandomState) -> np.ndarray:
    """Indices (k,) of distinct rows, drawn one after the other by the weights of those left.

    Equal rows are one row of their summed weight. With fewer distinct rows than k, rows are
    repeated.
    """
    bins = Bins(points, rng)
    masses, taken = bins.masses.copy(), np.empty(0, np.uint64)
    found: list[int] = []
    while len(found) < k and masses.any():
        number = pick(np.cumsum(masses), rng)
        rows = bins.rows_of(number)
        hashes = points.hashes(rows, bins.salt)
        w = np.ones(len(rows)) if points.sample_weight is None else points.sample_weight[rows]
        chosen = pick(np.cumsum(np.where(np.isin(hashes, taken), 0.0, w)), rng)
        found.append(int(rows[chosen]))
        taken = np.append(taken, hashes[chosen])
        masses[number] = np.where(np.isin(hashes, taken), 0.0, w).sum()
    return np.array([found[i % len(found)] for i in range(k)])


SEEDINGS: dict[str, Callable[..., np.ndarray]] = {
    "k-means++": plusplus,
    "random": random_rows,
}
"""The strings that `init` can be."""


def starting_centres(
    init: Any, X: Rows, points: AbstractPoints, k: int, rng: np.random.RandomState
) -> Array:
    """Centres (k, d) to start from, in the frame of the points: as `init` says.

    init : str, a key of `SEEDINGS`; callable (X, n_clusters, random_state); or ndarray (k, d),
    both in the units of the data.
    """
    if isinstance(init, str):
        return points.rows(SEEDINGS[init](points, k, rng))
    if callable(init):
        init = check_centres(init(_guarded(X), k, random_state=rng), k, points.n_features)
    return into_frame(init, points.frame)


def _guarded(X: Rows) -> Rows:
    """Rows that nobody can change: the caller's own, read-only, or a copy of sparse ones."""
    if issparse(X):
        return X.copy()
    view = X.view()
    view.flags.writeable = False
    return view


def check_centres(centres: Any, k: int, n_features: int) -> Array:
    """Starting centres as float64 of shape (k, d), finite."""
    a = check_array(centres, dtype=np.float64, input_name="init")
    for axis, (size, what) in enumerate(
        [(k, "number of clusters"), (n_features, "number of features of the data")]
    ):
        if a.shape[axis] != size:
            raise ValueError(
                f"The shape of the initial centers {a.shape} does not match the {what} {size}. "
                f"Pass init of shape {(k, n_features)}."
            )
    return a


def into_frame(centres: Array, frame: Frame) -> Array:
    """Starting centres (k, d) in the rows' frame; ValueError if they are in another world."""
    with np.errstate(over="ignore"):
        z = frame.to_frame(centres)
    if not np.abs(z).max() <= LARGEST:
        row, feature = np.unravel_index(np.abs(z).argmax(), z.shape)
        raise ValueError(
            f"init expects centers whose squared distance to the rows is a floating-point number, "
            f"but feature {feature} of center {row} is {centres[row, feature]:.3g}, where the rows "
            f"vary by about {1.0 / frame.scale[0]:.3g}. Use rows of X for init."
        )
    return z

"""Random data sets whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from ._parameters import (
    Rng,
    check_means,
    check_n_samples,
    check_rng,
    check_weights,
    covariance_factors,
)

# Five classes in a row: three wide ones that hold nearly all rows, two narrow ones between them.
IMBALANCED_WEIGHTS = (0.31040853, 0.01576525, 0.32593302, 0.02895366, 0.31893954)
IMBALANCED_MEANS = ((-17.5, 2.0), (-9.0, 2.0), (0.0, 0.0), (9.0, 1.0), (17.5, 1.0))
IMBALANCED_VARIANCES = (
    (11.52961065, 0.60682161),
    (0.08969494, 0.44847468),
    (13.86825114, 0.72990795),
    (0.08969494, 0.44847468),
    (11.52961065, 0.60682161),
)

CRESCENT_WEIGHTS = (0.4, 0.15, 0.05, 0.4)
CRESCENT_CENTRES = (-4.0, -4.0 / 3.0, 4.0 / 3.0, 4.0)
CRESCENT_SIDES = (1.0, -1.0, 1.0, -1.0)  # opens downwards, upwards, ...
CRESCENT_RADIUS = 3.0
CRESCENT_OFFSET = 7.3


def make_mixture(
    n_samples: int = 100,
    *,
    means: ArrayLike,
    covariances: ArrayLike = 1.0,
    weights: ArrayLike | None = None,
    random_state: int | Rng | None = None,
    return_X_y: bool = True,
) -> Any:
    """Sample a Gaussian mixture with given parameters.

    Parameters
    ----------
    n_samples : int, default=100
        Number of rows.
    means : array-like of shape (k, d)
        Component means.
    covariances : array-like, default=1.0
        By shape: (k, d, d) full covariances; (k, d) variances of each feature; (k,) or a single
        number, one variance for all features.
    weights : array-like of shape (k,), optional
        Probabilities of the components, at least 0 and summing to 1. Default: all equal.
    random_state : int, RandomState, Generator or None
        Source of random numbers; an int gives the same bits each time.
    return_X_y : bool, default=True
        If False, return a Bunch that holds the true parameters as well.

    Returns
    -------
    (X, y) or Bunch
        X (n_samples, d) and the components y (n_samples,), 0..k-1; or a Bunch with `data`,
        `target`, `weights` (k,), `means` (k, d) and `covariances` (k, d, d).

    Examples
    --------
    >>> from mixtures.datasets import make_mixture
    >>> X, y = make_mixture(5, means=[[0, 0], [9, 9]], weights=[0.4, 0.6], random_state=0)
    >>> X.shape, y.tolist()
    ((5, 2), [1, 1, 1, 1, 1])
    """
    n_samples = check_n_samples(n_samples)
    centres = check_means(means)
    k, d = centres.shape
    factors = covariance_factors(covariances, k, d)
    proportions = check_weights(weights, k)
    rng = check_rng(random_state)
    y = draw_labels(n_samples, proportions, rng)
    X = centres[y] + np.einsum("nij,nj->ni", factors[y], rng.standard_normal((n_samples, d)))
    if return_X_y:
        return X, y
    full = factors @ factors.transpose(0, 2, 1)
    return Bunch(data=X, target=y, weights=proportions, means=centres, covariances=full)


def make_imbalanced_gaussians(
    n_samples: int = 2500,
    *,
    weights: ArrayLike | None = None,
    random_state: int | Rng | None = None,
    return_X_y: bool = True,
) -> Any:
    """Sample five Gaussian classes in the plane, two of them rare (1.6 % and 2.9 %).

    Classes 0, 2 and 4 are wide and common; 1 and 3 are narrow, rare and partly covered by their
    neighbours. A classifier that looks at accuracy alone may never predict the rare ones.

    Parameters
    ----------
    n_samples : int, default=2500
        Number of rows.
    weights : array-like of shape (5,), optional
        Other class probabilities; all equal makes a balanced test set.
    random_state : int, RandomState, Generator or None
        Source of random numbers; an int gives the same bits each time.
    return_X_y : bool, default=True
        If False, return a Bunch that holds the true parameters, as `make_mixture` does.

    Returns
    -------
    (X, y) or Bunch
        X (n_samples, 2) and the classes y (n_samples,), 0..4.

    References
    ----------
    Coatney, R. D. (2020). A Responsible Softmax Layer in Deep Learning. Dissertation, University
    of Arizona: the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.datasets import make_imbalanced_gaussians
    >>> X, y = make_imbalanced_gaussians(random_state=5489)
    >>> np.bincount(y).tolist()
    [757, 42, 831, 81, 789]
    """
    return make_mixture(
        n_samples,
        means=IMBALANCED_MEANS,
        covariances=IMBALANCED_VARIANCES,
        weights=IMBALANCED_WEIGHTS if weights is None else weights,
        random_state=random_state,
        return_X_y=return_X_y,
    )


def make_crescents(
    n_samples: int = 500,
    *,
    weights: ArrayLike | None = None,
    noise: float = 0.2,
    random_state: int | Rng | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sample four interlocking crescents in the plane: clusters that are not Gaussian.

    A crescent is an arc of a circle of radius 3, dense in the middle and thin at its ends, blurred
    vertically. Arcs open downwards and upwards in turn, so that the end of one reaches into the
    bay of the next.

    Parameters
    ----------
    n_samples : int, default=500
        Number of rows.
    weights : array-like of shape (4,), optional
        Class probabilities; default (0.4, 0.15, 0.05, 0.4).
    noise : float, default=0.2
        Standard deviation of the vertical blur.
    random_state : int, RandomState, Generator or None
        Source of random numbers; an int gives the same bits each time.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
    y : ndarray of shape (n_samples,)
        Classes 0..3 from left to right.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.datasets import make_crescents
    >>> X, y = make_crescents(random_state=5489)
    >>> np.bincount(y).tolist()
    [198, 87, 18, 197]
    """
    if not noise >= 0:
        raise ValueError(
            f"noise is a standard deviation and must be at least 0, but it is {noise}; "
            "use 0 for crescents without blur."
        )
    n_samples = check_n_samples(n_samples)
    proportions = check_weights(CRESCENT_WEIGHTS if weights is None else weights, 4)
    rng = check_rng(random_state)
    y = draw_labels(n_samples, proportions, rng)
    t, blur = rng.standard_normal((2, n_samples))
    r = CRESCENT_RADIUS
    # Inverse stereographic projection: a normal t on a line becomes a point of the circle through
    # the origin with radius r and centre (0, r); t near 0 is its far side, the crescent's middle.
    squared = r**2 + t**2
    across, up = 2 * r**2 * t / squared, 2 * r**3 / squared
    centre, side = np.array(CRESCENT_CENTRES)[y], np.array(CRESCENT_SIDES)[y]
    height = side * (up + r - CRESCENT_OFFSET - noise * blur)
    return np.column_stack([centre + across, height]), y


def draw_labels(n_samples: int, weights: np.ndarray, rng: Rng) -> np.ndarray:
    """Component of each row, (n_samples,), by inverting the cumulated weights."""
    cumulated = np.cumsum(weights)
    # The last sum is 1 up to rounding; make it 1 so that no uniform number lies beyond it.
    return np.searchsorted(cumulated / cumulated[-1], rng.random(n_samples), side="right")

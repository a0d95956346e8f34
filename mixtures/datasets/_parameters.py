"""Checks of what the makers are given; each error says what was expected, what came, what to do."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

Rng = np.random.Generator | np.random.RandomState


def check_rng(random_state: int | Rng | None) -> Rng:
    """A NumPy Generator as it is; anything else as scikit-learn understands it."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return check_random_state(random_state)


def check_n_samples(n_samples: int) -> int:
    """A number of rows, at least 1."""
    if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
        raise ValueError(
            f"n_samples must be an integer of at least 1, but it is {n_samples!r}; "
            "give the number of rows that you want."
        )
    return int(n_samples)


def check_means(means: ArrayLike) -> np.ndarray:
    """Means as a finite float64 array, (k, d)."""
    array = np.asarray(means, dtype=np.float64)
    if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            "means must be finite numbers in an array of shape (n_components, n_features), but "
            f"they are {array.tolist()}; for one feature write [[0.0], [5.0]], not [0.0, 5.0]."
        )
    return array


def check_weights(weights: ArrayLike | None, k: int) -> np.ndarray:
    """Weights as a float64 array, (k,); None means all equal."""
    if weights is None:
        return np.full(k, 1.0 / k)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (k,) or not (array >= 0).all() or not abs(array.sum() - 1.0) < 1e-6:
        raise ValueError(
            f"weights must be {k} numbers of at least 0 that sum to 1, but they are "
            f"{array.tolist()}; divide counts by their sum first."
        )
    return array / array.sum()


def covariance_factors(covariances: ArrayLike, k: int, d: int) -> np.ndarray:
    """Lower triangular L with L L^T = covariance, (k, d, d), whatever shape was given."""
    array = np.asarray(covariances, dtype=np.float64)
    if array.shape == (k, d, d):
        return full_factors(array)
    if array.shape == (k,):
        array = array[:, None]
    if array.shape not in {(), (k, 1), (k, d)}:
        raise ValueError(
            f"covariances must have the shape ({k}, {d}, {d}), ({k}, {d}), ({k},) or () for {k} "
            f"components and {d} features, but their shape is {array.shape}; "
            "repeat a shared covariance matrix once for each component."
        )
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise ValueError(
            f"covariances must be positive and finite where they are variances, but they are "
            f"{array.tolist()}; give each feature a variance above 0."
        )
    return np.sqrt(np.broadcast_to(array, (k, d)))[:, :, None] * np.eye(d)


def full_factors(covariances: np.ndarray) -> np.ndarray:
    """Cholesky factors of full covariance matrices, (k, d, d)."""
    try:
        factors = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        factors = np.full_like(covariances, np.nan)
    # cholesky reads one triangle only, so an asymmetric matrix shows in the product.
    if not np.allclose(factors @ factors.transpose(0, 2, 1), covariances):
        raise ValueError(
            "each covariance matrix must be symmetric and positive definite, but they are "
            f"{covariances.tolist()}; numpy.linalg.eigvalsh shows the eigenvalues to mend."
        )
    return factors

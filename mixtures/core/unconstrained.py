"""Coordinates without constraints, in which an extrapolated parameter is always a valid one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cache
from itertools import combinations

import numpy as np
from scipy.special import expit, logit

from .discriminants import Array

NEAR = math.log(100.0)
"""Coordinates beyond stand for probabilities and rates within 0.01 of the end of their range."""

FAR = 20.0
"""Coordinates beyond stand for probabilities within 2e-9 of an end of their range: they drift there
at a steady pace, and the log-odds of 1 - 1e-14 have two digits. Extrapolated, they spoil the rest:
with limits from 12 to 30, fits do not depend on the order of rows, with 36 they do."""


class Coordinates(ABC):
    """A one-to-one map between a constrained array and a vector of any real numbers."""

    @abstractmethod
    def pack(self, array: Array) -> Array: ...

    @abstractmethod
    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array: ...

    def size(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape)

    def ends(self, vector: Array) -> np.ndarray:
        """-1 or 1 where the lower or upper end of a coordinate's range is near, 0 elsewhere."""
        return np.zeros(len(vector), dtype=int)

    def lost(self, vector: Array) -> np.ndarray:
        """Whether a coordinate is so near an end of its range that its digits are rounding."""
        return ~np.isfinite(vector)

    def sums(self, shape: tuple[int, ...]) -> np.ndarray:
        """Which sum a coordinate belongs to (0, 1, ...), where adding one number to all of its own
        changes nothing; -1 for those that belong to none."""
        return np.full(self.size(shape), -1)

    def still(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Further directions (r, m) from a vector (m,) in which nothing changes."""
        return np.empty((0, self.size(shape)))


class Real(Coordinates):
    """Any real number: the identity."""

    def pack(self, array: Array) -> Array:
        return array.ravel()

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        return vector.reshape(shape).copy()


class Positive(Coordinates):
    """Positive numbers: their logarithm."""

    def pack(self, array: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(array).ravel()

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        return np.exp(vector).reshape(shape)

    def ends(self, vector: Array) -> np.ndarray:
        return -(vector < -NEAR).astype(int)

    def lost(self, vector: Array) -> np.ndarray:
        return ~(vector > -FAR) | (vector == np.inf)


class UnitInterval(Coordinates):
    """Probabilities: their log-odds, infinite at zero and one, and exact there."""

    def pack(self, array: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(logit(array)).ravel()

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        return np.asarray(expit(vector)).reshape(shape)

    def ends(self, vector: Array) -> np.ndarray:
        return (vector > NEAR).astype(int) - (vector < -NEAR)

    def lost(self, vector: Array) -> np.ndarray:
        return ~(np.abs(vector) < FAR)


class Simplex(Positive):
    """Weights that sum to one along the last axis: their logarithms, normalised on the way back."""

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        logs = vector.reshape(shape)
        weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def sums(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.repeat(np.arange(math.prod(shape[:-1])), shape[-1])


@cache
def _lower(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat positions in a (d, d) matrix of its lower triangle, and of its diagonal."""
    rows, columns = np.tril_indices(d)
    return rows * d + columns, np.arange(d) * (d + 1)


class PositiveDefinite(Coordinates):
    """Covariance matrices (..., d, d): the Cholesky factor, with the logarithm of its diagonal."""

    def size(self, shape: tuple[int, ...]) -> int:
        d = shape[-1]
        return math.prod(shape[:-2]) * d * (d + 1) // 2

    def pack(self, array: Array) -> Array:
        d = array.shape[-1]
        triangle, diagonal = _lower(d)
        lower = np.linalg.cholesky(array).reshape(-1, d * d)
        lower[:, diagonal] = np.log(lower[:, diagonal])
        packed: Array = lower[:, triangle].ravel()  # type: ignore[assignment]
        return packed

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        d = shape[-1]
        triangle, diagonal = _lower(d)
        lower = np.zeros((math.prod(shape[:-2]), d * d))
        lower[:, triangle] = vector.reshape(len(lower), -1)
        lower[:, diagonal] = np.exp(lower[:, diagonal])
        factors = lower.reshape(shape)
        return factors @ np.swapaxes(factors, -1, -2)


class Loadings(Real):
    """Loadings (k, d, q) of components: the identity."""

    def still(self, vector: Array, shape: tuple[int, ...]) -> Array:
        """Rotations of each component's loadings, a plane at a time."""
        loadings, found = vector.reshape(shape), []
        for c, own in enumerate(loadings):
            for a, b in combinations(range(shape[-1]), 2):
                turn = np.zeros(shape)
                turn[c, :, a], turn[c, :, b] = own[:, b], -own[:, a]
                found.append(turn.ravel())
        return np.array(found).reshape(-1, len(vector))


class LoadingsAndNoise(Coordinates):
    """Loadings and, in the last column, noise variances (k, d, 1 + q).

    The loadings as they are, and the logarithms of the noise: one a feature, or one for all.
    """

    def __init__(self, *, isotropic: bool) -> None:
        self.isotropic = isotropic

    def parts(self, shape: tuple[int, ...]) -> list[tuple[Coordinates, tuple[int, ...]]]:
        """The two, in the order in which they are packed, with their shapes."""
        k, d, columns = shape
        noise = (k,) if self.isotropic else (k, d)
        return [(Loadings(), (k, d, columns - 1)), (Positive(), noise)]

    def size(self, shape: tuple[int, ...]) -> int:
        return sum(math.prod(own) for _, own in self.parts(shape))

    def pack(self, array: Array) -> Array:
        noise = array[:, 0, -1] if self.isotropic else array[..., -1]
        return np.concatenate([array[..., :-1].ravel(), Positive().pack(noise)])

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        (_, loadings), (_, noise) = self.parts(shape)
        n = math.prod(noise)
        array = np.empty(shape)
        array[..., :-1] = vector[:-n].reshape(loadings)
        array[..., -1] = np.exp(vector[-n:]).reshape(shape[0], -1)
        return array

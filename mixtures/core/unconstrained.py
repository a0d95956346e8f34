"""Coordinates without constraints, in which an extrapolated parameter is always a valid one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cache

import numpy as np

from .discriminants import Array


class Coordinates(ABC):
    """A one-to-one map between a constrained array and a vector of any real numbers."""

    @abstractmethod
    def pack(self, array: Array) -> Array: ...

    @abstractmethod
    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array: ...

    def size(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape)


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


class Simplex(Positive):
    """Weights that sum to one: their logarithms, normalised on the way back."""

    def unpack(self, vector: Array, shape: tuple[int, ...]) -> Array:
        weights = np.exp(vector - vector.max())
        return (weights / weights.sum()).reshape(shape)


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

"""Rows in memory, as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from .discriminants import LINEAR, LOW_RANK, Array, Assignment, Discriminants, Frame
from .kernels import load
from .source import AbstractSource, Cut
from .statistics import SufficientStatistics

R = TypeVar("R")

PACKAGES = {LOW_RANK: "lowrank"}
"""Kinds of discriminants that kernels of their own serve, with the arguments of the usual ones."""


def _kernels(kind: int) -> Any:
    """The kernels of discriminants of a kind."""
    return load(PACKAGES.get(kind, ""))


def hash_rows(X: Array, salt: np.uint64) -> np.ndarray:
    """A 64-bit hash of each row (n,): the finaliser of splitmix64, feature by feature."""
    h = np.full(len(X), salt)
    for column in np.ascontiguousarray(X.T).view(np.uint64):
        h ^= column
        h ^= h >> np.uint64(30)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(27)
        h *= np.uint64(0x94D049BB133111EB)
        h ^= h >> np.uint64(31)
    return h


class ArraySource(AbstractSource):
    """Rows in memory (or memory-mapped): X (n, d), float32 or float64, any strides.

    They are never copied whole.
    """

    def __init__(
        self,
        X: np.ndarray,
        sample_weight: Array | None = None,
        *,
        frame: Frame | None = None,
        n_threads: int | None = 1,
    ) -> None:
        super().__init__(X, X.shape, sample_weight, frame=frame, n_threads=n_threads)
        self._kernels = load()
        self._contiguous = X.flags.c_contiguous
        self._handle = self._kernels.rows(X, sample_weight) if self._contiguous else None
        self._scratch: dict[Any, SimpleQueue[Any]] = {}

    def linear(self, slopes: Array, bias: Array, reference: Array) -> Discriminants:
        return Discriminants(
            LINEAR, np.ascontiguousarray(slopes), np.empty((0, len(bias))), bias, reference
        )

    def some(self, rows: np.ndarray, sample_weight: Array) -> ArraySource:
        return ArraySource(self.X[rows], sample_weight, frame=self.frame, n_threads=self._n_threads)

    def points(self, rows: np.ndarray) -> Array:
        return self.frame.to_frame(self.X[rows].astype(np.float64))

    def hashes(self, lo: int, hi: int, salt: np.uint64) -> np.ndarray:
        return hash_rows(self.X[lo:hi] * self.frame.scale + 0.0, salt)

    def groups(self) -> np.ndarray:
        return np.unique(self.X, axis=0, return_inverse=True)[1].ravel()

    def order(self, points: Array) -> np.ndarray:
        return np.lexsort(points.T[::-1])

    def each_block(
        self, k: int, space: Callable[[int, int], Any], run: Callable[..., R]
    ) -> Iterator[R]:
        """``run(handle, lo, hi, block, workspace)`` for every super-block, results in order.

        Rows lo..hi of the handle are the rows `block`, a slice, of the source; ``space(d, k)``
        makes the scratch memory of one thread.
        """
        cuts = self._cuts.get(k) or self._cut(k)
        threads = self._threads().n_threads if len(cuts) > 1 else 1
        spaces = self._scratch.get((space, k))
        if spaces is None:
            spaces = self._scratch[space, k] = SimpleQueue()
            for _ in range(threads):
                spaces.put(space(self.n_features, k))

        def work(block: Cut) -> R:
            own = spaces.get()
            try:
                return run(*self._rows(*block), slice(*block), own)
            finally:
                spaces.put(own)

        return map(work, cuts) if threads == 1 else self._threads().map(work, cuts)

    def _new_space(self, kind: int, moments: int, k: int) -> Any:
        return _kernels(kind).workspace(kind, moments, self.n_features, k)

    def _rows(self, lo: int, hi: int) -> tuple[Any, int, int]:
        """The kernels' handle for rows lo..hi, and their range in it."""
        if self._contiguous:
            return self._handle, lo, hi
        weight = None if self.sample_weight is None else self.sample_weight[lo:hi]
        return self._kernels.rows(np.ascontiguousarray(self.X[lo:hi]), weight), 0, hi - lo

    def _add_block(
        self,
        v: Discriminants,
        moments: int,
        assignment: Assignment,
        space: Any,
        sums: SufficientStatistics,
        block: Cut,
    ) -> float:
        handle, lo, hi = self._rows(*block)
        return _kernels(v.kind).accumulate(
            handle, lo, hi, self.frame.centre, self.frame.scale, v.kind, v.slopes, v.offsets,
            v.bias, v.reference, assignment.beta, assignment.hard, moments,
            sums.counts, sums.first, sums.second, space,
        )  # fmt: skip

    def _posterior_block(
        self,
        v: Discriminants,
        assignment: Assignment,
        space: Any,
        resp: Array,
        log_norm: Array,
        block: Cut,
    ) -> None:
        handle, lo, hi = self._rows(*block)
        _kernels(v.kind).posterior(
            handle, lo, hi, self.frame.centre, self.frame.scale, v.kind, v.slopes, v.offsets,
            v.bias, assignment.beta, assignment.hard, resp, log_norm, space,
        )  # fmt: skip

    def _add_values(self, v: Discriminants, space: Any, values: Array, block: Cut) -> None:
        handle, lo, hi = self._rows(*block)
        _kernels(v.kind).values(
            handle, lo, hi, self.frame.centre, self.frame.scale, v.kind, v.slopes, v.offsets,
            v.bias, values, space,
        )  # fmt: skip

    def _add_given(
        self,
        v: Discriminants,
        moments: int,
        space: Any,
        resp: Array,
        sums: SufficientStatistics,
        block: Cut,
    ) -> None:
        handle, lo, hi = self._rows(*block)
        coefficients = (v.slopes, v.offsets) if v.kind in PACKAGES else ()
        _kernels(v.kind).sums(
            handle, lo, hi, self.frame.centre, self.frame.scale, *coefficients, resp, v.reference,
            moments, sums.first, sums.second, space,
        )  # fmt: skip

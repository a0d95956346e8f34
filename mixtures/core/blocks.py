"""Where the rows live. A source answers one question: the sum of statistics over its rows.

Rows are cut into super-blocks by n, d and k alone. Each has its own accumulators, and partial sums
are merged in order, whoever computes them: a result has the same bits for any number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from .discriminants import SOFT, Array, Assignment, Discriminants, Frame
from .kernels import load
from .statistics import NONE, SufficientStatistics
from .threads import OrderedPool, resolve_n_threads

R = TypeVar("R")

FLOPS_PER_BLOCK = 1.5e7
"""Work of one super-block: about 0.3 ms, ten times what handing a task to a thread costs."""
MOST_BLOCKS = 64
LEAST_ROWS, ENOUGH_ROWS = 1024, 4096
"""Clearing and merging the sums of a super-block costs as much as 60 to 160 of its rows, so it has
at least so many, and enough of them where that leaves sixteen super-blocks to share out."""


def super_blocks(n_rows: int, n_features: int, n_components: int) -> list[tuple[int, int]]:
    """Row ranges ``(lo, hi)``, a function of the shapes alone."""
    flops_per_row = 2.0 * n_components * (n_features + 1) * (n_features + 2)
    rows = max(
        LEAST_ROWS,
        min(ENOUGH_ROWS, n_rows / 16),
        FLOPS_PER_BLOCK / flops_per_row,
        n_rows / MOST_BLOCKS,
    )
    rows = -(-int(rows) // 256) * 256
    return [(lo, min(lo + rows, n_rows)) for lo in range(0, n_rows, rows)]


class AbstractSource(ABC):
    """Rows with weights, seen through a frame."""

    n_rows: int
    n_features: int
    total_weight: float
    frame: Frame

    @abstractmethod
    def accumulate(
        self, discriminants: Discriminants, moments: int, assignment: Assignment = SOFT
    ) -> SufficientStatistics:
        """Sufficient statistics of all rows, in one pass over them."""

    @abstractmethod
    def posterior(
        self, discriminants: Discriminants, assignment: Assignment = SOFT
    ) -> tuple[Array, Array]:
        """Responsibilities (n, k) and log-normalisers (n,), in the frame's coordinates."""


class ArraySource(AbstractSource):
    """Rows in memory (or memory-mapped): X (n, d), float32 or float64, any strides.

    They are never copied whole.

    Use it as a context manager, so that its threads end with the fit.
    """

    def __init__(
        self,
        X: np.ndarray,
        sample_weight: Array | None = None,
        *,
        frame: Frame | None = None,
        n_threads: int | None = 1,
    ) -> None:
        self.X, self.sample_weight = X, sample_weight
        self.n_rows, self.n_features = X.shape
        self.total_weight = float(self.n_rows if sample_weight is None else sample_weight.sum())
        self.frame = Frame.identity(self.n_features) if frame is None else frame
        self._kernels = load()
        self._contiguous = X.flags.c_contiguous
        self._handle = self._kernels.rows(X, sample_weight) if self._contiguous else None
        self._n_threads = n_threads
        self._pool: OrderedPool | None = None
        self._workspaces: dict[tuple[int, int, int], SimpleQueue[Any]] = {}
        self._scratch: dict[Any, SimpleQueue[Any]] = {}
        self._cuts: dict[int, list[tuple[int, int]]] = {}

    def __enter__(self) -> ArraySource:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def accumulate(
        self, discriminants: Discriminants, moments: int, assignment: Assignment = SOFT
    ) -> SufficientStatistics:
        k = len(discriminants.bias)
        cuts = self._cuts.get(k) or self._cut(k)
        spaces = self._spaces(discriminants.kind, moments, k)
        total = SufficientStatistics.zeros(moments, k, self.n_features)
        if len(cuts) == 1 or self._threads().n_threads == 1:
            log_likelihood = 0.0  # kernels add each entry once: that is the merge below, in place
            for block in cuts:
                log_likelihood += self._add_block(
                    discriminants, moments, assignment, spaces, total, block
                )
            return SufficientStatistics(*total[:3], log_likelihood)
        run = partial(self._part, discriminants, moments, assignment, spaces)
        for part in self._threads().map(run, cuts):
            total = total + part
        return total

    def posterior(
        self, discriminants: Discriminants, assignment: Assignment = SOFT
    ) -> tuple[Array, Array]:
        k = len(discriminants.bias)
        resp, log_norm = np.empty((self.n_rows, k)), np.empty(self.n_rows)
        spaces = self._spaces(discriminants.kind, NONE, k)
        run = partial(self._posterior_block, discriminants, assignment, spaces, resp, log_norm)
        cuts = self._cuts.get(k) or self._cut(k)
        if len(cuts) == 1:
            run(cuts[0])
        else:
            for _ in self._threads().map(run, cuts):
                pass
        return resp, log_norm

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

        def work(block: tuple[int, int]) -> R:
            own = spaces.get()
            try:
                return run(*self._rows(*block), slice(*block), own)
            finally:
                spaces.put(own)

        return map(work, cuts) if threads == 1 else self._threads().map(work, cuts)

    def _cut(self, k: int) -> list[tuple[int, int]]:
        self._cuts[k] = super_blocks(self.n_rows, self.n_features, k)
        return self._cuts[k]

    def _threads(self) -> OrderedPool:
        if self._pool is None:
            self._pool = OrderedPool(resolve_n_threads(self._n_threads))
        return self._pool

    def _spaces(self, kind: int, moments: int, k: int) -> SimpleQueue[Any]:
        """A queue from which each running task borrows its scratch memory."""
        spaces = self._workspaces.get((kind, moments, k))
        if spaces is None:
            spaces = SimpleQueue()
            self._workspaces.clear()  # a fit uses one shape at a time; the last one's may be large
            self._workspaces[kind, moments, k] = spaces
            several = len(self._cuts.get(k) or self._cut(k)) > 1
            for _ in range(self._threads().n_threads if several else 1):
                spaces.put(self._kernels.workspace(kind, moments, self.n_features, k))
        return spaces

    def _rows(self, lo: int, hi: int) -> tuple[Any, int, int]:
        """The kernels' handle for rows lo..hi, and their range in it."""
        if self._contiguous:
            return self._handle, lo, hi
        weight = None if self.sample_weight is None else self.sample_weight[lo:hi]
        return self._kernels.rows(np.ascontiguousarray(self.X[lo:hi]), weight), 0, hi - lo

    def _part(
        self,
        v: Discriminants,
        moments: int,
        assignment: Assignment,
        spaces: SimpleQueue[Any],
        block: tuple[int, int],
    ) -> SufficientStatistics:
        """The statistics of one super-block."""
        part = SufficientStatistics.zeros(moments, len(v.bias), self.n_features)
        log_likelihood = self._add_block(v, moments, assignment, spaces, part, block)
        return SufficientStatistics(*part[:3], log_likelihood)

    def _add_block(
        self,
        v: Discriminants,
        moments: int,
        assignment: Assignment,
        spaces: SimpleQueue[Any],
        sums: SufficientStatistics,
        block: tuple[int, int],
    ) -> float:
        """Add one super-block's sums to the arrays of `sums`; its log-likelihood comes back."""
        handle, lo, hi = self._rows(*block)
        space = spaces.get()
        try:
            return self._kernels.accumulate(
                handle, lo, hi, self.frame.centre, self.frame.scale, v.kind, v.slopes, v.offsets,
                v.bias, v.reference, assignment.beta, assignment.hard, moments,
                sums.counts, sums.first, sums.second, space,
            )  # fmt: skip
        finally:
            spaces.put(space)

    def _posterior_block(
        self,
        v: Discriminants,
        assignment: Assignment,
        spaces: SimpleQueue[Any],
        resp: Array,
        log_norm: Array,
        block: tuple[int, int],
    ) -> None:
        handle, lo, hi = self._rows(*block)
        out = slice(*block)
        space = spaces.get()
        try:
            self._kernels.posterior(
                handle, lo, hi, self.frame.centre, self.frame.scale, v.kind, v.slopes, v.offsets,
                v.bias, assignment.beta, assignment.hard, resp[out], log_norm[out], space,
            )  # fmt: skip
        finally:
            spaces.put(space)

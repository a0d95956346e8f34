"""Where the rows live. A source answers one question: the sum of statistics over its rows.

Rows are cut into super-blocks by n, d and k alone. Each has its own accumulators, and partial sums
are merged in order, whoever computes them: a result has the same bits for any number of threads.

How rows are stored is the subclass's: as numbers (`blocks.ArraySource`), as bits
(`bits.BitSource`), as what differs from zero (`sparse_rows.CsrSource`), or as blocks of columns,
each in a source of its own (`product.ProductSource`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from queue import SimpleQueue
from typing import Any, Self

import numpy as np

from .discriminants import SOFT, Array, Assignment, Frame
from .statistics import NONE, SufficientStatistics
from .threads import OrderedPool, resolve_n_threads

FLOPS_PER_BLOCK = 1.5e7
"""Work of one super-block: about 0.3 ms, ten times what handing a task to a thread costs."""
MOST_BLOCKS = 64
LEAST_ROWS, ENOUGH_ROWS = 1024, 4096
"""Clearing and merging the sums of a super-block costs as much as 60 to 160 of its rows, so it has
at least so many, and enough of them where that leaves sixteen super-blocks to share out."""

Cut = tuple[int, int]  # rows lo <= i < hi


def super_blocks(n_rows: int, n_features: int, n_components: int) -> list[Cut]:
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
    """Rows with weights, seen through a frame: n rows of d features.

    Use it as a context manager, so that its threads end with the fit.

    Parameters
    ----------
    X : the rows, as the subclass wants them; ``X[lo:hi]`` are some of them
    shape : (n, d)
        d counts what discriminants see: of encoded rows, the columns of the code.
    sample_weight : ndarray of shape (n,), or None
    frame : Frame, or None for the identity
    n_threads : int, or None for what the process may use
    """

    def __init__(
        self,
        X: Any,
        shape: tuple[int, int],
        sample_weight: Array | None = None,
        *,
        frame: Frame | None = None,
        n_threads: int | None = 1,
    ) -> None:
        self.X, self.sample_weight = X, sample_weight
        self.n_rows, self.n_features = shape
        self.total_weight = float(self.n_rows if sample_weight is None else sample_weight.sum())
        self.frame = Frame.identity(self.n_features) if frame is None else frame
        self.coding: Any = None  # the rows before they were coded, if they were
        self._n_threads = n_threads
        self._pool: OrderedPool | None = None
        self._workspaces: dict[Any, SimpleQueue[Any]] = {}
        self._cuts: dict[int, list[Cut]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    # ---- what a kind of rows answers ---------------------------------------------------------

    @abstractmethod
    def linear(self, slopes: Array, bias: Array, reference: Array) -> Any:
        """Discriminants ``bias_k + sum_j slopes[j, k] z_j``: slopes (d, k), reference (k, d)."""

    @abstractmethod
    def some(self, rows: np.ndarray, sample_weight: Array) -> Self:
        """A source of some rows (m,), by index, with weights of their own (m,)."""

    @abstractmethod
    def points(self, rows: np.ndarray) -> Array:
        """Some rows (m,), by index, as numbers (m, d) in the frame."""

    @abstractmethod
    def hashes(self, lo: int, hi: int, salt: np.uint64) -> np.ndarray:
        """A 64-bit hash of each of the rows lo..hi, of its values alone."""

    @abstractmethod
    def groups(self) -> np.ndarray:
        """A number for each row (n,), the same for equal rows, from 0 on."""

    @abstractmethod
    def _new_space(self, kind: Any, moments: Any, k: int) -> Any:
        """Scratch memory of one thread."""

    @abstractmethod
    def _add_block(
        self, v: Any, moments: Any, assignment: Assignment, space: Any, sums: Any, block: Cut
    ) -> float:
        """Add the sums over a block to the arrays of `sums`; its log-likelihood comes back."""

    @abstractmethod
    def _posterior_block(
        self, v: Any, assignment: Assignment, space: Any, resp: Array, log_norm: Array, block: Cut
    ) -> None:
        """Write responsibilities (b, k) and log-normalisers (b,) of a block's b rows."""

    @abstractmethod
    def _add_values(self, v: Any, space: Any, values: Array, block: Cut) -> None:
        """Add a block's discriminant values to `values` (k, b), bias included."""

    @abstractmethod
    def _add_given(
        self, v: Any, moments: Any, space: Any, resp: Array, sums: Any, block: Cut
    ) -> None:
        """Add the moments under responsibilities times weights `resp` (k, b) to `sums`.

        About the reference of the discriminants v; counts are the caller's.
        """

    def _ready(self, discriminants: Any) -> Any:
        """Discriminants as the block functions want them, made once a sweep."""
        return discriminants

    def _zeros(self, moments: Any, k: int) -> Any:
        return SufficientStatistics.zeros(moments, k, self.n_features)

    def order(self, points: Array) -> np.ndarray | None:
        """How to order distinct rows that stand in the order of their hashes; None: like that."""
        return None

    # ---- sweeps ------------------------------------------------------------------------------

    def accumulate(
        self, discriminants: Any, moments: Any, assignment: Assignment = SOFT
    ) -> SufficientStatistics:
        """Sufficient statistics of all rows, in one pass over them."""
        k = len(discriminants.bias)
        cuts = self._cuts.get(k) or self._cut(k)
        spaces = self._spaces(discriminants.kind, moments, k)
        ready = self._ready(discriminants)
        total = self._zeros(moments, k)
        if len(cuts) == 1 or self._threads().n_threads == 1:
            log_likelihood = 0.0  # kernels add each entry once: that is the merge below, in place
            for block in cuts:
                log_likelihood += self._one(ready, moments, assignment, spaces, total, block)
            return total._replace(log_likelihood=log_likelihood)
        run = partial(self._part, ready, moments, assignment, spaces, k)
        for part in self._threads().map(run, cuts):
            total = total + part
        return total

    def posterior(self, discriminants: Any, assignment: Assignment = SOFT) -> tuple[Array, Array]:
        """Responsibilities (n, k) and log-normalisers (n,), in the frame's coordinates."""
        k = len(discriminants.bias)
        resp, log_norm = np.empty((self.n_rows, k)), np.empty(self.n_rows)
        spaces = self._spaces(discriminants.kind, self._no_moments(), k)
        ready = self._ready(discriminants)

        def run(block: Cut) -> None:
            out = slice(*block)
            space = spaces.get()
            try:
                self._posterior_block(ready, assignment, space, resp[out], log_norm[out], block)
            finally:
                spaces.put(space)

        self._each(run, self._cuts.get(k) or self._cut(k))
        return resp, log_norm

    def given(self, responsibilities: Array, reference: Array, moments: Any) -> Any:
        """Sufficient statistics under given responsibilities (n, k), about points (k, d)."""
        k = responsibilities.shape[1]
        v = self.linear(np.zeros((self.n_features, k)), np.zeros(k), reference)
        spaces, ready = self._spaces(v.kind, moments, k), self._ready(v)
        total, space = self._zeros(moments, k), spaces.get()
        for block in self._cuts.get(k) or self._cut(k):
            resp = responsibilities[slice(*block)].T
            if self.sample_weight is not None:
                resp = resp * self.sample_weight[slice(*block)]
            resp = np.ascontiguousarray(resp)
            total.counts[:] += resp.sum(axis=1)
            self._add_given(ready, moments, space, resp, total, block)
        spaces.put(space)
        return total

    def _no_moments(self) -> Any:
        return NONE

    def _each(self, run: Any, cuts: list[Cut]) -> None:
        if len(cuts) == 1:
            run(cuts[0])
        else:
            for _ in self._threads().map(run, cuts):
                pass

    def _part(
        self, v: Any, moments: Any, assignment: Assignment, spaces: SimpleQueue[Any], k: int,
        block: Cut,
    ) -> Any:  # fmt: skip
        """The statistics of one super-block."""
        part = self._zeros(moments, k)
        log_likelihood = self._one(v, moments, assignment, spaces, part, block)
        return part._replace(log_likelihood=log_likelihood)

    def _one(
        self, v: Any, moments: Any, assignment: Assignment, spaces: SimpleQueue[Any], sums: Any,
        block: Cut,
    ) -> float:  # fmt: skip
        """Add one super-block's sums to the arrays of `sums`; its log-likelihood comes back."""
        space = spaces.get()
        try:
            return self._add_block(v, moments, assignment, space, sums, block)
        finally:
            spaces.put(space)

    def _cut(self, k: int) -> list[Cut]:
        self._cuts[k] = super_blocks(self.n_rows, self.n_features, k)
        return self._cuts[k]

    def _threads(self) -> OrderedPool:
        if self._pool is None:
            self._pool = OrderedPool(resolve_n_threads(self._n_threads))
        return self._pool

    def _spaces(self, kind: Any, moments: Any, k: int) -> SimpleQueue[Any]:
        """A queue from which each running task borrows its scratch memory."""
        spaces = self._workspaces.get((kind, moments, k))
        if spaces is None:
            spaces = SimpleQueue()
            self._workspaces.clear()  # a fit uses one shape at a time; the last one's may be large
            self._workspaces[kind, moments, k] = spaces
            several = len(self._cuts.get(k) or self._cut(k)) > 1
            for _ in range(self._threads().n_threads if several else 1):
                spaces.put(self._new_space(kind, moments, k))
        return spaces

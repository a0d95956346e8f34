"""Rows of a CSR matrix as k-means sees them: no row is made dense but a few at a time.

A row costs what it stores: its products with the centres, and what it adds to their sums. The
sums of one centre are taken in the order of the rows, whoever takes them, so that results have the
same bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from scipy.sparse import csr_array, issparse

from .discriminants import Array, Frame
from .kernels import load
from .points import NO_MARGINS, AbstractPoints, Assigned, Labels
from .threads import OrderedPool, resolve_n_threads

R = TypeVar("R")

PRODUCTS_PER_BLOCK = 4e6
"""Work of one super-block: about 0.3 ms, ten times what handing a task to a thread costs."""
LEAST_ROWS, MOST_BLOCKS = 256, 64
ENTRIES = 2**18  # stored numbers that are checked at a time
FEW = 4096  # relabelled rows that are not worth a second thread
NO_DISTANCES = np.empty(0)


class SparsePoints(AbstractPoints):
    """Rows of a CSR matrix X (n, d), float32 or float64, with indices of 32 or 64 bits.

    Numbers stored in parts or out of order, and stored zeros, are cleared up on a copy. Use it as a
    context manager, so that its threads end with the fit.

    Parameters
    ----------
    X : CSR array or matrix of shape (n, d)
    sample_weight : ndarray of shape (n,), or None
    frame : Frame
        Centred at zero, with one scale for all features.
    n_threads : int, or None for what the process may use

    Raises
    ------
    ValueError
        For another format, indices beyond the features, or another frame.
    """

    def __init__(
        self, X: Any, sample_weight: Array | None = None, *, frame: Frame, n_threads: int | None = 1
    ) -> None:
        if np.any(frame.centre) or np.ptp(frame.scale) > 0:
            raise ValueError(
                "Sparse rows expect a frame centred at zero with one scale for all features, but "
                f"centres go up to {np.abs(frame.centre).max()} and scales from "
                f"{frame.scale.min()} to {frame.scale.max()}. Centring would fill the matrix."
            )
        self.X, self.frame, self.sample_weight = canonical(X), frame, sample_weight
        self.n_rows, self.n_features = X.shape
        self.total_weight = float(self.n_rows if sample_weight is None else sample_weight.sum())
        self._kernels = load("sparse")
        self._handle = self._kernels.bind(self.X, sample_weight, float(frame.scale[0]))
        self._n_threads = n_threads
        self._pool: OrderedPool | None = None

    def __enter__(self) -> SparsePoints:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def assign(self, centres, labels, margins=NO_MARGINS, shrinkage=None):
        k = len(centres)
        shrinkage = np.zeros(k) if shrinkage is None else shrinkage
        about, before = self._kernels.prepare(centres), labels.copy()

        def run(lo, hi, space):
            return self._kernels.assign(
                self._handle, lo, hi, about, labels[lo:hi], margins[lo:hi], shrinkage, space
            )

        changed, gain = 0, 0.0
        for one in self._each_block(k, run):
            changed, gain = changed + one[0], gain + one[1]
        return Assigned(changed, gain, self._totals(before, labels, k, changed))

    def summarise(self, centres, labels):
        about, nowhere = self._kernels.prepare(centres), np.full(self.n_rows, -1, np.int32)

        def run(lo, hi, _):
            return self._kernels.inertia(self._handle, lo, hi, about, labels[lo:hi], NO_DISTANCES)

        inertia = sum(self._each_block(len(centres), run), 0.0)
        return inertia, self._totals(nowhere, labels, len(centres), self.n_rows)

    def potentials(self, candidates, closest):
        about = self._kernels.prepare(candidates)

        def run(lo, hi, space):
            part = np.zeros(len(candidates))
            self._kernels.potentials(self._handle, lo, hi, about, closest[lo:hi], part, space)
            return part

        return sum(self._each_block(len(candidates), run), np.zeros(len(candidates)))

    def squared_distances(self, centres, labels):
        about, out = self._kernels.prepare(centres), np.empty(self.n_rows)

        def run(lo, hi, _):
            self._kernels.inertia(self._handle, lo, hi, about, labels[lo:hi], out[lo:hi])

        for _ in self._each_block(len(centres), run):
            pass
        return out

    def hashes(self, indices, salt):
        if isinstance(indices, slice):
            indices = np.arange(*indices.indices(self.n_rows))
        return self._kernels.hashes(self._handle, np.asarray(indices, np.int64), salt)

    def rows(self, indices):
        return self.frame.to_frame(self.X[indices].astype(np.float64).toarray())

    def _each_block(self, k: int, run: Callable[[int, int, Any], R]) -> Iterator[R]:
        """``run(lo, hi, workspace)`` for every super-block, results in order."""
        cuts = row_blocks(self.n_rows, self.X.nnz, k)
        threads = self._threads().n_threads if len(cuts) > 1 else 1
        spaces: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            spaces.put(self._kernels.workspace(self._handle, k))

        def work(block: tuple[int, int]) -> R:
            own = spaces.get()
            try:
                return run(*block, own)
            finally:
                spaces.put(own)

        return map(work, cuts) if threads == 1 else self._threads().map(work, cuts)

    def _threads(self) -> OrderedPool:
        if self._pool is None:
            self._pool = OrderedPool(resolve_n_threads(self._n_threads))
        return self._pool

    def _totals(self, before: Labels, after: Labels, k: int, changed: int) -> Array:
        """What the totals gain by rows that change their label; each thread has its own centres."""
        totals = np.zeros((k, self.n_features + 2))
        groups = min(k, self._threads().n_threads) if changed > FEW else min(changed, 1)
        cuts = np.linspace(0, k, groups + 1).astype(int).tolist()

        def run(group: tuple[int, int]) -> None:
            self._kernels.tally(self._handle, before, after, *group, totals)

        for _ in self._threads().map(run, pairwise(cuts)):
            pass
        return totals


def row_blocks(n_rows: int, n_stored: int, k: int) -> list[tuple[int, int]]:
    """Row ranges ``(lo, hi)``, a function of the shapes alone."""
    products_per_row = (k + 8.0) * (n_stored / n_rows + 8.0)
    rows = int(max(LEAST_ROWS, PRODUCTS_PER_BLOCK / products_per_row, n_rows / MOST_BLOCKS)) + 1
    return [(lo, min(lo + rows, n_rows)) for lo in range(0, n_rows, rows)]


def canonical(X: Any) -> Any:
    """A CSR array whose rows have sorted features, none twice, and no zeros.

    It shares the arrays of X where it can, and never changes them. What SciPy remembers of them
    may be out of date, so they are looked at.
    """
    if not (issparse(X) and X.format == "csr"):
        kind = f"{X.format} format" if issparse(X) else type(X).__name__
        raise ValueError(f"Sparse rows are expected in CSR format, got {kind}. Pass X.tocsr().")
    stored = int(X.indptr[-1])
    lengths = np.diff(X.indptr)
    if X.indptr[0] != 0 or lengths.min(initial=0) < 0 or stored > min(len(X.data), len(X.indices)):
        raise ValueError(
            f"The indptr of X is expected to ascend from 0 to at most {len(X.data)}, the number of "
            f"stored values, but it goes from {X.indptr[0]} to {stored} in steps of "
            f"{lengths.min(initial=0)} to {lengths.max(initial=0)}. Build the matrix anew."
        )
    rows = csr_array(X.shape, dtype=X.dtype)
    rows.data, rows.indices, rows.indptr = X.data[:stored], X.indices[:stored], X.indptr
    if rows.dtype not in (np.float32, np.float64):
        rows.data = rows.data.astype(np.float64)
    if not _is_canonical(rows):
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def _is_canonical(X: Any) -> bool:
    """Whether features ascend in each row and no zero is stored; ValueError for features beyond."""
    clean = True
    for lo in range(0, X.nnz, ENTRIES):
        here = X.indices[lo : lo + ENTRIES + 1]  # one more, for the step to the next chunk
        if not 0 <= here.min() <= here.max() < X.shape[1]:
            raise ValueError(
                f"The column indices of X are expected between 0 and {X.shape[1] - 1}, but go from "
                f"{here.min()} to {here.max()}. Build the matrix anew from valid indices."
            )
        down = lo + 1 + np.flatnonzero(here[1:] <= here[:-1])  # only where another row begins
        clean = clean and bool((X.indptr[np.searchsorted(X.indptr, down)] == down).all())
        clean = clean and bool(X.data[lo : lo + ENTRIES].all())
    return clean

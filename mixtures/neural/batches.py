"""Training rows, and how an epoch cuts them into batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from .backend import Backend

GATHERED = 2**17
"""Numbers copied at a time, 1 MiB: they are still in the cache when their batch comes."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows, labels and weights, on the device where a fit computes."""

    backend: Backend
    X: Any  # (n, d), dense or CSR
    labels: Any  # (n,), int64, numbers of classes
    weight: Any  # (n,), what a row counts, or None: all one

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0])

    def take(self, index: np.ndarray) -> TrainingRows:
        """Some rows, in the given order."""
        xp, at = self.backend.xp, self.backend.put_indices(index)

        def chosen(array: Any) -> Any:
            return None if array is None else xp.take(array, at, axis=0)

        X = self.X[index] if sparse.issparse(self.X) else chosen(self.X)
        return TrainingRows(self.backend, X, chosen(self.labels), chosen(self.weight))

    def part(self, rows: slice) -> TrainingRows:
        """Consecutive rows."""
        weight = None if self.weight is None else self.weight[rows]
        return TrainingRows(self.backend, self.X[rows, :], self.labels[rows], weight)


def cut(n_rows: int, batch_size: int | str, drop_last: bool) -> list[slice]:
    """Positions of the batches of an epoch of `n_rows` rows.

    As few as can be of at most `batch_size` rows, all of one size or one more: a last batch of a
    few rows would say little of the shares of the classes. With `drop_last` all have exactly
    `batch_size` rows, and what is left over has none; with fewer rows than that there is one batch.
    """
    size = min(200, n_rows) if isinstance(batch_size, str) else min(int(batch_size), n_rows)
    if drop_last:
        return [slice(at, at + size) for at in range(0, n_rows - size + 1, size)]
    count = -(-n_rows // size)
    ends = [n_rows * i // count for i in range(count + 1)]
    return [slice(lo, hi) for lo, hi in pairwise(ends)]


class Order:
    """In which order epochs see the rows."""

    def __init__(self, n_rows: int, shuffle: bool | str, rng: np.random.RandomState) -> None:
        self._n_rows, self._every_epoch, self._rng = n_rows, shuffle is True, rng
        once = shuffle is not False and not self._every_epoch
        self._fixed = rng.permutation(n_rows) if once else np.arange(n_rows)

    def epoch(self, rows: TrainingRows, batches: list[slice]) -> Iterator[TrainingRows]:
        """The rows of each batch, gathered for several batches at a time."""
        order = self._rng.permutation(self._n_rows) if self._every_epoch else self._fixed
        most = max(1, GATHERED // max(1, rows.X.shape[1] * (batches[0].stop - batches[0].start)))
        for first in range(0, len(batches), most):
            some = batches[first : first + most]
            start = some[0].start
            gathered = rows.take(order[start : some[-1].stop])
            for batch in some:
                yield gathered.part(slice(batch.start - start, batch.stop - start))

"""Distinct rows: equal rows as one row of their summed weight, in an order that knows no rows."""

from __future__ import annotations

import numpy as np

from .points import AbstractPoints

CHUNK = 65536  # rows whose hashes exist at a time
BLOCK = 2**20  # numbers in a block of rows of which copies are made


def step_for(numbers: int) -> int:
    """How many rows of so many numbers each make a block."""
    return max(1, BLOCK // numbers)


class DistinctRows:
    """Distinct rows in the order of a hash of their values, and where their copies are.

    ``order[starts[g] : starts[g + 1]]`` are the copies of distinct row g, the first of which is
    ``first[g]``; `weight` is their summed weight. Repeated and permuted rows change none of it but
    indices.
    """

    def __init__(self, points: AbstractPoints, rng: np.random.RandomState) -> None:
        salt = int(np.frombuffer(rng.bytes(8), dtype=np.uint64)[0])
        n = points.n_rows
        hashes = np.empty(n, np.uint64)
        for lo in range(0, n, CHUNK):
            hashes[lo : lo + CHUNK] = points.hashes(slice(lo, lo + CHUNK), salt)
        self.order = np.argsort(hashes, kind="stable")
        ranked = hashes[self.order]
        begins = np.r_[True, ranked[1:] != ranked[:-1]]
        again = np.flatnonzero(~begins)
        step = step_for(points.n_features)
        for lo in range(0, len(again), step):  # equal hashes, hence equal rows, but by accident
            here = again[lo : lo + step]
            one, other = points.rows(self.order[here]), points.rows(self.order[here - 1])
            begins[here] = (one != other).any(axis=1)
        self.starts = np.flatnonzero(np.r_[begins, True])
        self.first = self.order[self.starts[:-1]]
        w = points.sample_weight
        if w is None:
            self.weight = np.diff(self.starts).astype(np.float64)
        else:
            self.weight = np.add.reduceat(w[self.order].astype(np.float64), self.starts[:-1])

    def copies(self, number: int) -> np.ndarray:
        return self.order[self.starts[number] : self.starts[number + 1]]

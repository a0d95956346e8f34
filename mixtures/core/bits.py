"""Rows of bits: yes and no, one of several categories, or not known.

Four bits share a byte, so that a row costs d / 4 bytes and an E-step no multiplication. Equal rows
are one row of their summed weight, where that saves enough: a million questionnaires of ten
questions hold at most 1024 different rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from .coded import CodedSource
from .discriminants import BINARY, Array, Discriminants
from .kernels import load

CELLS = 2**19  # answers that are checked, coded or hashed at a time
MERGED_ROWS = 65536  # rows among which equal ones are looked for at a time
PROBED = 4096  # rows that tell whether equal ones are worth looking for
MERGED_SHARE = 0.7
"""Distinct rows, of those probed, up to which merging pays: sorting the rows' hashes costs as much
as three to six E-steps, of which a fit has dozens."""


def step_for(n_features: int) -> int:
    """How many rows of so many answers are taken at a time."""
    return max(64, CELLS // n_features)


def pack(n_rows: int, n_bits: int, code: Callable[[slice], np.ndarray]) -> np.ndarray:
    """Nibbles (n, ceil(d / 4)) of rows of d bits; ``code(rows)`` gives those of a slice, (b, d)."""
    nibbles = np.zeros((n_rows, -(-n_bits // 4)), np.uint8)
    step = step_for(n_bits)
    for lo in range(0, n_rows, step):
        here = slice(lo, min(lo + step, n_rows))
        both = np.packbits(code(here), axis=1, bitorder="little")
        nibbles[here, 0::2] = both & 15
        nibbles[here, 1::2] = (both >> 4)[:, : nibbles.shape[1] // 2]
    return nibbles


class HashCollision(ArithmeticError):
    """Different rows have one hash: so it is with one pair of rows in 2**64."""


class BitSource(CodedSource):
    """Rows of bits, with weights.

    Parameters
    ----------
    nibbles : ndarray of shape (n, ceil(d / 4)), uint8
        See `pack`.
    n_features : int
        d, the number of bits.
    sample_weight : ndarray of shape (n,), or None
    unit : ndarray of shape (d,), or None
        Differences of bits that count as equal when a start looks for clusters; None: all one.
    merge : bool
        Whether equal rows may become one, which no sum over rows can tell.
    n_threads : int, or None for what the process may use
    """

    def __init__(
        self,
        nibbles: np.ndarray,
        n_features: int,
        sample_weight: Array | None = None,
        *,
        unit: Array | None = None,
        merge: bool = False,
        n_threads: int | None = 1,
    ) -> None:
        self._tables: tuple[np.uint64, np.ndarray] | None = None
        self.n_features = n_features
        if merge:
            with suppress(HashCollision):
                nibbles, sample_weight = self._merged(nibbles, sample_weight)
        kernels = load("bits")
        handle = kernels.bind(nibbles, n_features, sample_weight)
        shape = len(nibbles), n_features
        super().__init__(nibbles, shape, sample_weight, kernels, handle, unit, n_threads)

    def linear(self, slopes: Array, bias: Array, reference: Array) -> Discriminants:
        return Discriminants(
            BINARY, np.ascontiguousarray(slopes), np.zeros(slopes.shape), bias, reference
        )

    def some(self, rows: np.ndarray, sample_weight: Array) -> BitSource:
        d, unit = self.n_features, self.unit
        return BitSource(self.X[rows], d, sample_weight, unit=unit, n_threads=self._n_threads)

    def points(self, rows: np.ndarray) -> Array:
        bits = (self.X[rows][:, :, None] >> np.arange(4, dtype=np.uint8)) & 1
        return bits.reshape(len(rows), -1)[:, : self.n_features].astype(np.float64)

    def hashes(self, lo: int, hi: int, salt: np.uint64) -> np.ndarray:
        return self._hash(self.X[lo:hi], salt)

    def groups(self) -> np.ndarray:
        hashes = np.concatenate([self.hashes(*cut, np.uint64(0)) for cut in self._cut(1)])
        return np.unique(hashes, return_inverse=True)[1]

    def _hash(self, nibbles: np.ndarray, salt: np.uint64) -> np.ndarray:
        """A hash of each row, the one that its bits have as numbers; see `kernels.kmeans`."""
        splitmix = load("kmeans").splitmix
        if self._tables is None or self._tables[0] != salt:
            one = np.array([1.0]).view(np.uint64)[0]
            with np.errstate(over="ignore"):
                factor = splitmix(salt + np.arange(4 * nibbles.shape[1], dtype=np.uint64))
                term = (factor | np.uint64(1)) * (one ^ (one >> np.uint64(32)))
                mask = ((np.arange(16)[:, None] >> np.arange(4)) & 1).astype(np.uint64)
                self._tables = salt, (term.reshape(-1, 1, 4) * mask).sum(axis=2, dtype=np.uint64)
        total = np.full(len(nibbles), salt)
        with np.errstate(over="ignore"):
            for column, table in zip(nibbles.T, self._tables[1], strict=True):
                total += table[column]
            return splitmix(total)

    def _merged(
        self, nibbles: np.ndarray, sample_weight: Array | None
    ) -> tuple[np.ndarray, Array | None]:
        """Distinct rows in the order of their hashes, with their weights, if there are few."""
        salt, n = np.uint64(0), len(nibbles)
        some = self._hash(nibbles[:: max(1, n // PROBED)], salt)
        if len(np.unique(some)) > MERGED_SHARE * len(some):
            return nibbles, sample_weight
        hashes, rows, weights = np.empty(0, np.uint64), nibbles[:0], np.empty(0)
        for lo in range(0, n, MERGED_ROWS):
            here = nibbles[lo : lo + MERGED_ROWS]
            own = None if sample_weight is None else sample_weight[lo : lo + MERGED_ROWS]
            new, first, group = _distinct(self._hash(here, salt), here)
            counts = np.bincount(group, own)
            both = np.concatenate([rows, here[first]])
            hashes, kept, group = _distinct(np.concatenate([hashes, new]), both)
            rows = both[kept]
            weights = np.bincount(group, np.concatenate([weights, counts])).astype(np.float64)
            if len(rows) > MERGED_SHARE * n:
                return nibbles, sample_weight
        return rows, weights


def _distinct(hashes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct hashes in order, the first row of each, and which of them each row has."""
    found, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    if (rows[first][group] != rows).any():
        raise HashCollision
    return found, first, group

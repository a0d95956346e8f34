"""Known densities as the open functions read them: checked once, then block by block, as logs.

Written in the array-API standard, so that NumPy, torch and others take one path and nothing is
copied from one to another. n rows, K components; a *share* is a row's weight divided by the sum of
all weights and pseudo-counts, so that shares and pseudo-counts together sum to one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .._compat import array_namespace

HOST_BLOCK, DEVICE_BLOCK = 2**15, 2**22
"""Numbers in a block of rows: NumPy's temporaries stay in the cache; a device wants more work."""


class UnexplainedRowError(ValueError):
    """Every component with a positive weight excludes a row, so its mixture density is zero."""


class Block(NamedTuple):
    """Some rows, under given weights pi."""

    rows: slice
    log_f: Any  # (b, K), log F less `shift`
    shift: Any  # (b,), the largest log F among components of positive weight
    log_u: Any  # (b,), log sum_k pi_k F_k less `shift`
    log_share: Any  # (b,)


@dataclass(frozen=True, eq=False)
class Densities:
    """F or log F (n, K) in its own namespace, with shares of rows and pseudo-counts."""

    name: str  # the function that reads them, for messages
    xp: Any
    F: Any
    is_log: bool
    dtype: Any  # of the computations
    log_share: Any  # (n,)
    prior: Any  # (K,), pseudo-counts as shares, or None
    weightless: bool  # whether some share is zero
    columns: Any = None  # indices of the components that are read; None for all

    @property
    def n_components(self) -> int:
        return int((self.F.shape if self.columns is None else self.columns.shape)[-1])

    def slices(self) -> Iterator[slice]:
        n, k = self.F.shape
        size = HOST_BLOCK if isinstance(self.F, np.ndarray) else DEVICE_BLOCK
        step = max(1, size // k)
        for start in range(0, n, step):
            yield slice(start, min(n, start + step))

    def take(self, array: Any, axis: int = -1) -> Any:
        """The components that are read, of an array over all of them."""
        return array if self.columns is None else self.xp.take(array, self.columns, axis=axis)

    def restricted(self, columns: Any) -> Densities:
        """The same rows without the other components."""
        prior = None if self.prior is None else self.xp.take(self.prior, columns)
        return replace(self, columns=columns, prior=prior)

    def read(self, array: Any, rows: slice) -> Any:
        """A block of an (n, K) array such as F, in the precision of the computations."""
        return self.xp.astype(self.take(array[rows, :]), self.dtype, copy=False)

    def vector(self, array: Any) -> Any:
        """An array of this namespace, on F's device, in the precision of the computations."""
        return self.xp.astype(self.ours(array), self.dtype, copy=False)

    def ours(self, array: Any) -> Any:
        """An array of this namespace, on F's device, of its own type if it is one already."""
        try:
            if array_namespace(array) is self.xp and array.device == self.F.device:
                return array
        except TypeError:  # lists and numbers
            pass
        return self.xp.asarray(array, dtype=self.dtype, device=self.F.device)

    def blocks(self, log_weights: Any) -> Iterator[Block]:
        """The rows under weights; one that these exclude is an UnexplainedRowError."""
        xp = self.xp
        off = log_weights == -math.inf
        # Shifts come from components that count: others may be larger by thousands of nats.
        hidden = xp.where(off, log_weights, xp.zeros_like(log_weights))
        some_off = bool(xp.any(off))
        for rows in self.slices():
            log_f, log_share = self._log(rows), self.log_share[rows]
            shift = xp.max(log_f + hidden if some_off else log_f, axis=1)
            self._refuse_unexplained(rows, shift)
            log_f = log_f - shift[:, None]
            log_u = log_sum_exp(xp, log_f + log_weights, axis=1)
            yield Block(rows, log_f, shift, log_u, log_share)

    def _log(self, rows: slice) -> Any:
        block = self.read(self.F, rows)
        if not self.is_log:
            with np.errstate(divide="ignore"):  # log 0 = -inf is meant
                block = self.xp.log(block)
        if self.weightless:  # rows that do not count become harmless ones
            counts = (self.log_share[rows] > -math.inf)[:, None]
            block = self.xp.where(counts, block, self.xp.zeros_like(block))
        return block

    def _refuse_unexplained(self, rows: slice, shift: Any) -> None:
        excluded = shift == -math.inf
        if bool(self.xp.any(excluded)):
            raise UnexplainedRowError(
                f"{self.name} expects weights under which every row has a positive density, but "
                f"all components that explain row {rows.start + first(self.xp, excluded)} have "
                "weight zero. Give one of them a positive weight."
            )


def first(xp: Any, mask: Any) -> int:
    """Index of the first True of a vector."""
    return int(xp.argmax(xp.astype(mask, xp.int32)))


def log_sum_exp(xp: Any, x: Any, axis: int) -> Any:
    """``log sum exp x`` along an axis; -inf where all are -inf."""
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(top == -math.inf, xp.zeros_like(top), top)
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant
        return xp.log(xp.sum(xp.exp(x - top), axis=axis)) + xp.squeeze(top, axis=axis)


def log_gradient(data: Densities, log_weights: Any) -> Any:
    """``log g`` (K,) of the likelihood alone: ``g_k = sum_n share_n F_nk / (F pi)_n``."""
    xp = data.xp
    parts = [
        log_sum_exp(xp, b.log_f - (b.log_u - b.log_share)[:, None], axis=0)
        for b in data.blocks(log_weights)
    ]
    return log_sum_exp(xp, xp.stack(parts), axis=0) if len(parts) > 1 else parts[0]


def log_prior_term(data: Densities, log_weights: Any) -> Any:
    """``log(a_k / pi_k)`` with pseudo-counts a as shares: -inf where a_k = 0, whatever pi_k."""
    none = data.xp.full_like(data.prior, -math.inf)
    with np.errstate(divide="ignore", invalid="ignore"):  # the entries that `where` drops
        return data.xp.where(data.prior > 0, data.xp.log(data.prior) - log_weights, none)


def log_full_gradient(data: Densities, log_weights: Any) -> Any:
    """``log g`` (K,) with pseudo-counts: all zero at an inner maximum, nowhere above at any."""
    found = log_gradient(data, log_weights)
    if data.prior is None:
        return found
    return data.xp.logaddexp(found, log_prior_term(data, log_weights))


def next_log_weights(data: Densities, log_weights: Any) -> Any:
    """One application of the responsibility map, ``pi_k g_k`` plus pseudo-counts, as logs."""
    found = log_weights + log_gradient(data, log_weights)
    if data.prior is None:
        return found
    zeros = data.xp.zeros_like(found)
    return data.xp.logaddexp(found, log_prior_term(data, zeros))


class RowResult:
    """(n, K) numbers summed up block by block: NumPy's in one array, others joined at the end."""

    def __init__(self, data: Densities) -> None:
        xp, F = data.xp, data.F
        self._xp = xp
        dtype = F.dtype if xp.isdtype(F.dtype, "real floating") else data.dtype
        # Views of one array for NumPy. Others need not have views, nor be writeable.
        self._whole = np.zeros(F.shape, dtype) if isinstance(F, np.ndarray) else None
        self.parts = [
            xp.zeros((s.stop - s.start, F.shape[1]), dtype=dtype, device=F.device)
            if self._whole is None
            else self._whole[s]
            for s in data.slices()
        ]

    def add(self, index: int, block: Any) -> None:
        """Add to the rows of block `index`."""
        self.parts[index] += self._xp.astype(block, self.parts[index].dtype, copy=False)

    def joined(self) -> Any:
        if self._whole is not None:
            return self._whole
        return self.parts[0] if len(self.parts) == 1 else self._xp.concat(self.parts)

"""Rows whose columns are of several kinds, each kind in a source of its own.

Given the component, the kinds are independent: a row's value is the sum of what its parts have.
So the parts add up values, these become responsibilities once, and under them each part takes its
own sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .clustering import standardised
from .discriminants import Array, Assignment
from .expectation import expectation, moments_of
from .frames import Totals
from .kernels import load
from .source import AbstractSource, Cut

STRIP = 4096
"""Rows whose values exist at a time: k of them a row, whatever the size of a super-block."""

FOLD = np.uint64(0x9E3779B97F4A7C15)  # odd: no two parts of a hash can cancel by a swap


class ProductFrame(NamedTuple):
    """The frames of the parts, side by side."""

    parts: tuple[Any, ...]

    @property
    def scale(self) -> Array:
        return np.concatenate([part.scale for part in self.parts])

    @property
    def log_jacobian(self) -> float:
        return float(sum(part.log_jacobian for part in self.parts))


class ProductDiscriminants(NamedTuple):
    """``bias_k`` plus the sum of what the discriminants of the parts have for their columns."""

    parts: tuple[Any, ...]  # for each part of the source its own; their biases count as well
    bias: Array  # (k,), the logarithms of the mixing weights

    @property
    def kind(self) -> tuple[Any, ...]:
        return tuple(part.kind for part in self.parts)

    @property
    def reference(self) -> tuple[Any, ...]:
        return tuple(part.reference for part in self.parts)


class ProductStatistics(NamedTuple):
    """Sums over rows of all parts, under the same responsibilities."""

    counts: Array  # (k,), the same array as in the parts
    parts: tuple[Any, ...]
    log_likelihood: float

    def __add__(self, other: ProductStatistics) -> ProductStatistics:  # type: ignore[override]
        counts = self.counts + other.counts
        pairs = zip(self.parts, other.parts, strict=True)
        parts = tuple((mine + theirs)._replace(counts=counts) for mine, theirs in pairs)
        return ProductStatistics(counts, parts, self.log_likelihood + other.log_likelihood)

    def absorb(self, other: Any) -> None:
        """Add the arrays of other statistics to those of this one, in place, each once."""
        self.counts[:] += other.counts
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            mine.first[:] += theirs.first
            mine.second[:] += theirs.second


class Space(NamedTuple):
    """Scratch memory of one thread."""

    parts: list[Any]
    values: Array  # (k * STRIP,)
    log_norm: Array  # (STRIP,)


@moments_of.register
def _(v: ProductDiscriminants) -> tuple[Any, ...]:
    return tuple(moments_of(part) for part in v.parts)


@expectation.register
def _(v: ProductDiscriminants, stats: ProductStatistics, reference: tuple[Any, ...]) -> float:
    some = stats.counts > 0  # a component without rows has a bias of -inf
    parts = zip(v.parts, stats.parts, reference, strict=True)
    return float(stats.counts[some] @ v.bias[some]) + sum(expectation(*part) for part in parts)


class ProductTotals(NamedTuple):
    """Totals of the parts, and what a start needs of all columns together; see `Totals`.

    Columns are compared in units of their own. Correlations within a part are its family's affair,
    those between parts nobody measures.
    """

    weight: float
    mean: Array  # (d,)
    unit: Array  # (d,), the standard deviation, unless the part has another one
    parts: tuple[Totals, ...]

    @classmethod
    def of(cls, parts: Sequence[Totals]) -> ProductTotals:
        metrics = [standardised(part) for part in parts]
        unit = [1.0 / (m if m.ndim == 1 else np.diagonal(m)) for m in metrics]
        mean = np.concatenate([part.mean for part in parts])
        return cls(parts[0].weight, mean, np.concatenate(unit), tuple(parts))


class ProductSource(AbstractSource):
    """The same rows in several sources, each of which has some of the columns.

    Parameters
    ----------
    parts : sequence of AbstractSource
        All of n rows in the same order, none merged.
    X : the rows, as the estimator has them
    sample_weight : ndarray of shape (n,), or None
    n_threads : int, or None for what the process may use
    """

    def __init__(
        self,
        parts: Sequence[AbstractSource],
        X: Any,
        sample_weight: Array | None = None,
        *,
        n_threads: int | None = 1,
    ) -> None:
        self.parts = tuple(parts)
        ends = np.cumsum([part.n_features for part in parts]).tolist()
        starts = [0, *ends[:-1]]
        self.columns = tuple(slice(lo, hi) for lo, hi in zip(starts, ends, strict=True))
        shape = parts[0].n_rows, ends[-1]
        frame: Any = ProductFrame(tuple(part.frame for part in parts))
        super().__init__(X, shape, sample_weight, frame=frame, n_threads=n_threads)
        self.coding = X

    def __exit__(self, *error: object) -> None:
        for part in self.parts:
            part.__exit__(*error)
        super().__exit__(*error)

    def linear(self, slopes: Array, bias: Array, reference: Array) -> ProductDiscriminants:
        none = np.zeros(len(bias))
        parts = [
            part.linear(slopes[own], none, np.ascontiguousarray(reference[:, own]))
            for part, own in zip(self.parts, self.columns, strict=True)
        ]
        return ProductDiscriminants(tuple(parts), bias)

    def some(self, rows: np.ndarray, sample_weight: Array) -> ProductSource:
        parts = [part.some(rows, sample_weight) for part in self.parts]
        return ProductSource(parts, self.X[rows], sample_weight, n_threads=self._n_threads)

    def points(self, rows: np.ndarray) -> Array:
        return np.hstack([part.points(rows) for part in self.parts])

    def hashes(self, lo: int, hi: int, salt: np.uint64) -> np.ndarray:
        first, *others = (part.hashes(lo, hi, salt) for part in self.parts)
        splitmix = load("kmeans").splitmix
        with np.errstate(over="ignore"):
            for other in others:
                first = splitmix(first * FOLD + other)
        return first

    def groups(self) -> np.ndarray:
        own = np.stack([part.groups() for part in self.parts], axis=1)
        return np.unique(own, axis=0, return_inverse=True)[1].ravel()

    def order(self, points: Array) -> np.ndarray | None:
        pairs = zip(self.parts, self.columns, strict=True)
        if any(part.order(points[:, own]) is None for part, own in pairs):
            return None
        return np.lexsort(points.T[::-1])

    def _no_moments(self) -> tuple[Any, ...]:
        return tuple(part._no_moments() for part in self.parts)

    def _new_space(self, kind: Any, moments: Any, k: int) -> Space:
        each = zip(self.parts, kind, moments, strict=True)
        own = [part._new_space(of, sums, k) for part, of, sums in each]
        size = min(STRIP, self.n_rows)
        return Space(own, np.empty(k * size), np.empty(size))

    def _ready(self, discriminants: ProductDiscriminants) -> ProductDiscriminants:
        each = zip(self.parts, discriminants.parts, strict=True)
        return discriminants._replace(parts=tuple(part._ready(own) for part, own in each))

    def _zeros(self, moments: Any, k: int) -> ProductStatistics:
        counts = np.zeros(k)
        each = zip(self.parts, moments, strict=True)
        parts = [part._zeros(own, k)._replace(counts=counts) for part, own in each]
        return ProductStatistics(counts, tuple(parts), 0.0)

    def _add_block(
        self,
        v: ProductDiscriminants,
        moments: Any,
        assignment: Assignment,
        space: Space,
        sums: ProductStatistics,
        block: Cut,
    ) -> float:
        own, log_likelihood = self._zeros(moments, len(v.bias)), 0.0
        for strip in _strips(block):
            w = None if self.sample_weight is None else self.sample_weight[slice(*strip)]
            resp, log_norm = self._values(v, space, strip)
            log_likelihood += load().normalise(resp, w, *assignment, log_norm)
            own.counts[:] += resp.sum(axis=1)
            self._add_given(v, moments, space, resp, own, strip)
        sums.absorb(own)
        return log_likelihood

    def _posterior_block(
        self,
        v: ProductDiscriminants,
        assignment: Assignment,
        space: Space,
        resp: Array,
        log_norm: Array,
        block: Cut,
    ) -> None:
        for lo, hi in _strips(block):
            values, norm = self._values(v, space, (lo, hi))
            load().normalise(values, None, *assignment, norm)
            here = slice(lo - block[0], hi - block[0])
            resp[here], log_norm[here] = values.T, norm

    def _values(self, v: ProductDiscriminants, space: Space, strip: Cut) -> tuple[Array, Array]:
        """Values (k, b) of a strip's rows, and room for their log-normalisers (b,)."""
        k, size = len(v.bias), strip[1] - strip[0]
        values = space.values[: k * size].reshape(k, size)
        values[:] = 0.0
        self._add_values(v, space, values, strip)
        return values, space.log_norm[:size]

    def _add_values(self, v: ProductDiscriminants, space: Space, values: Array, block: Cut) -> None:
        values += v.bias[:, None]
        for part, own, scratch in zip(self.parts, v.parts, space.parts, strict=True):
            part._add_values(own, scratch, values, block)

    def _add_given(
        self,
        v: ProductDiscriminants,
        moments: Any,
        space: Space,
        resp: Array,
        sums: ProductStatistics,
        block: Cut,
    ) -> None:
        each = zip(self.parts, v.parts, moments, space.parts, sums.parts, strict=True)
        for part, own, which, scratch, out in each:
            part._add_given(own, which, scratch, resp, out, block)


def _strips(block: Cut) -> Iterator[Cut]:
    """A block's rows, `STRIP` at a time."""
    for lo in range(block[0], block[1], STRIP):
        yield lo, min(lo + STRIP, block[1])

"""The E-step of ``x = mean + L z + e`` on rows with gaps: the posterior of z given the numbers.

Of row i with the observed features o: ``z | x_o ~ N(M^-1 L_o' P_o^-1 (x_o - mean_o), M^-1)`` with
``M = I + L_o' P_o^-1 L_o``, and ``log N(x_o | mean_o, L_o L_o' + P_o)`` is a sum of squares, of the
residuals and of z (Tipping and Bishop 1999, J. R. Statist. Soc. B 61; a gap takes its
feature out of every sum). Rows with the same gaps share M.

Arrays have the rows last: d features, q factors, b rows of a block, u patterns of gaps in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from ..core.discriminants import Array
from ..core.low_rank import LOG_2_PI

SHARP = 1e4
"""``|l_j|^2 / p_j`` beyond which a feature's loadings enter M by an orthogonal decomposition:
summing their products would lose as many digits of what the other features say."""

REFINEMENTS = 2  # each leaves 1e-4 or less of an error, with noise of 1e-12 of a feature's variance

WORK = 2**18
"""Numbers in the matrices of a block of rows, so that they stay in the level-2 cache."""


class LatentParams(NamedTuple):
    """Parameters of ``x = mean + loadings z + e`` with z ~ N(0, I) and e ~ N(0, diag(noise))."""

    mean: Array  # (d,)
    loadings: Array  # (d, q)
    noise: Array  # (d,), positive


class Block(NamedTuple):
    """Some rows, and the patterns of gaps among them."""

    values: Array  # (d, b), any finite number in a gap
    mask: Array  # (d, b), one where a number was observed, zero in a gap
    patterns: Array  # (d, u), the different columns of mask
    pattern: np.ndarray  # (b,), that of each row

    def of_rows(self, by_pattern: Array) -> Array:
        """What is known of patterns (..., u), for each row (..., b)."""
        return by_pattern if self.patterns is self.mask else by_pattern[..., self.pattern]


class GappyRows:
    """Rows (n, d) with NaN, sorted by pattern so that a block of them has few.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    n_factors : int
        q, which decides with d how many rows make a block.
    """

    def __init__(self, X: Array, n_factors: int) -> None:
        observed = ~np.isnan(X)
        patterns = np.unique(np.packbits(observed, axis=1), axis=0, return_inverse=True)[1].ravel()
        self.order = np.argsort(patterns, kind="stable")
        """Which row of X stands where."""
        self._pattern = patterns[self.order]
        self.observed = np.ascontiguousarray(observed[self.order].T)
        self.values = np.ascontiguousarray(X[self.order].T)
        self.values[~self.observed] = 0.0
        d, n = self.values.shape
        size = max(256, min(2048, WORK // (d + n_factors**2)))
        self.cuts = [(lo, min(lo + size, n)) for lo in range(0, n, size)]

    def block(self, lo: int, hi: int) -> Block:
        """Rows lo..hi in the sorted order."""
        mask = self.observed[:, lo:hi].astype(np.float64)
        new = np.diff(self._pattern[lo:hi], prepend=-1) != 0
        if new.all():
            return Block(self.values[:, lo:hi], mask, mask, np.arange(hi - lo))
        return Block(self.values[:, lo:hi], mask, mask[:, new], np.cumsum(new) - 1)

    def blocks(self) -> Iterator[tuple[np.ndarray, Block]]:
        """The rows' numbers in X, and the rows, block by block."""
        for lo, hi in self.cuts:
            yield self.order[lo:hi], self.block(lo, hi)


@cache
def lower_triangle(q: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the t = q (q + 1) / 2 pairs of factors."""
    return np.tril_indices(q)


def pairs(table: Array) -> Array:
    """Products (t, b) of the pairs of lines of (q, b)."""
    rows, columns = lower_triangle(len(table))
    products: Array = table[rows] * table[columns]
    return products


def symmetric(triangle: Array, q: int) -> Array:
    """Pairs (..., t) as symmetric matrices (..., q, q)."""
    rows, columns = lower_triangle(q)
    whole = np.empty((*triangle.shape[:-1], q, q))
    whole[..., rows, columns] = triangle
    whole[..., columns, rows] = triangle
    return whole


class Prepared(NamedTuple):
    """What a sweep needs of the parameters, made once."""

    params: LatentParams
    weighted: Array  # (q, d), L' P^-1
    products: Array  # (t, d), of P^-1/2 L, zero for sharp features
    sharp: np.ndarray  # (h,), features whose strength exceeds SHARP, the strongest first
    edges: Array  # (h, q), their rows of P^-1/2 L
    log_noise: Array  # (d,)


def prepare(params: LatentParams) -> Prepared:
    """Constants of a sweep; the noise must be positive."""
    scaled = params.loadings / np.sqrt(params.noise)[:, None]
    strength = (scaled**2).sum(axis=1)
    order = np.argsort(-strength, kind="stable")
    sharp = order[: int((strength > SHARP).sum())]
    products = pairs(scaled.T)
    products[:, sharp] = 0.0
    weighted = (params.loadings / params.noise[:, None]).T
    return Prepared(params, weighted, products, sharp, scaled[sharp], np.log(params.noise))


class Posterior(NamedTuple):
    """What the observed numbers of a block say of z."""

    means: Array  # (q, b)
    halves: Array  # (q, q, u), lower triangular T with T' T = M^-1
    residuals: Array  # (d, b), of the observed numbers about mean + L z; zero in gaps
    log_density: Array  # (b,), nats; zero for a row without numbers


def posterior(v: Prepared, block: Block) -> Posterior:
    """The E-step of a block."""
    halves, log_det = _halves(v, block.patterns)
    by_row = block.of_rows(halves)
    loadings, noise = v.params.loadings, v.params.noise
    away = (block.values - v.params.mean[:, None]) * block.mask
    z = _shrunk(by_row, v.weighted @ away)
    residuals = away - block.mask * (loadings @ z)
    for _ in range(REFINEMENTS if len(v.sharp) else 0):  # the corrected semi-normal equations
        z += _shrunk(by_row, v.weighted @ residuals - z)
        residuals = away - block.mask * (loadings @ z)
    volume = block.of_rows(log_det + (v.log_noise + LOG_2_PI) @ block.patterns)
    distance = (1.0 / noise) @ residuals**2 + (z * z).sum(axis=0)
    return Posterior(z, halves, residuals, -0.5 * (volume + distance))


def covariances(halves: Array) -> Array:
    """Lower triangles (t, u) of ``T' T``."""
    q = len(halves)
    rows = [np.einsum("ku,kju->ju", halves[i:, i], halves[i:, : i + 1]) for i in range(q)]
    return np.concatenate(rows)


def leverages(v: Prepared, halves: Array) -> Array:
    """``l_j' M^-1 l_j / p_j`` (h, u) of the sharp features, without differences of large numbers.

    It is the share of the noise in which a feature's own number decides z; M^-1 has lost it where
    it is the difference of numbers 1e12 times as large.
    """
    rows = np.tensordot(v.edges, halves, axes=(1, 1))  # (h, q, u), l_j' T' / sqrt(p_j)
    return np.einsum("hku,hku->hu", rows, rows)


def _shrunk(halves: Array, b: Array) -> Array:
    """``M^-1 b`` (q, b) from the halves of each row."""
    return np.einsum("kju,ku->ju", halves, np.einsum("kju,ju->ku", halves, b))


def _halves(v: Prepared, patterns: Array) -> tuple[Array, Array]:
    """T (q, q, u) with ``T' T = M^-1``, and ``log det M`` (u,)."""
    q, u = len(v.weighted), patterns.shape[1]
    gram = np.zeros((q, q, u))
    gram[lower_triangle(q)] = v.products @ patterns
    gram[np.arange(q), np.arange(q)] += 1.0
    lower = _cholesky(gram)
    if len(v.sharp):
        stacked = np.concatenate(
            [patterns[v.sharp].T[:, :, None] * v.edges, lower.transpose(2, 1, 0)], axis=1
        )
        upper: Array = np.linalg.qr(stacked, mode="r")  # type: ignore[assignment]
        lower = np.ascontiguousarray(upper.transpose(2, 1, 0))
    diagonal = np.abs(lower[np.arange(q), np.arange(q)])
    return _inverse(lower), 2.0 * np.log(diagonal).sum(axis=0)


def _cholesky(A: Array) -> Array:
    """Lower Cholesky factors of u matrices (q, q, u), of which the lower triangles are read.

    One operation works on all matrices: for q = 10 six times as fast as LAPACK on one by one.
    """
    F = np.zeros_like(A)
    for j in range(len(A)):
        column = A[j:, j] - np.einsum("iku,ku->iu", F[j:, :j], F[j, :j])
        F[j:, j] = column / np.sqrt(column[0])
    return F


def _inverse(F: Array) -> Array:
    """Inverses of u lower triangular matrices (q, q, u)."""
    T = np.zeros_like(F)
    for i in range(len(F)):
        T[i, :i] = -np.einsum("ku,kju->ju", F[i, :i], T[:i, :i]) / F[i, i]
        T[i, i] = 1.0 / F[i, i]
    return T

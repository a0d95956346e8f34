"""What EM under gaps must know of the rows, as sums, and the source that takes them.

n rows, d features, q factors, t = q (q + 1) / 2 pairs of them; of h features the loadings are
sharp (`_patterns.SHARP`).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Self, cast

import numpy as np

from ..core.discriminants import Array
from ..core.threads import OrderedPool, resolve_n_threads
from ._patterns import GappyRows, Prepared, covariances, leverages, pairs, posterior


class LatentStatistics(NamedTuple):
    """Sums over the rows i, those of a feature j over the rows that have it; they add.

    All are about the current parameters: z_i and C_i are posterior mean and covariance, and
    ``r_ij = x_ij - mean_j - l_j' z_i``, so that nothing cancels where the noise is small.
    """

    counts: Array  # (1,), sum_i w_i
    log_likelihood: float  # nats
    latent: Array  # (1 + q + t,), sum_i w_i of 1, z, z z' + C
    moments: Array  # (d, 1 + q + t), sum_i w_i of 1, z, z z'
    spread: Array  # (d, t), sum_i w_i C
    cross: Array  # (d, 1 + q), sum_i w_i r (1, z)
    squares: Array  # (d,), sum_i w_i r^2
    leverage: Array  # (h,), sum_i w_i l_j' C l_j / p_j of the sharp features

    def __add__(self, other: LatentStatistics) -> LatentStatistics:  # type: ignore[override]
        sums: Any = (one + two for one, two in zip(self, cast(Any, other), strict=True))
        return LatentStatistics(*sums)


class ObservedSource:
    """Rows with gaps and weights, which answer with the statistics of an E-step.

    Blocks are cut by shapes and gaps alone and merged in order: the same bits for any number of
    threads. Use it as a context manager, so that its threads end with the fit.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Each row has at least one number.
    sample_weight : ndarray of shape (n,)
        Positive.
    n_factors : int
    n_threads : int, or None for what the process may use
    """

    def __init__(
        self, X: Array, sample_weight: Array, n_factors: int, n_threads: int | None = 1
    ) -> None:
        self._rows = GappyRows(X, n_factors)
        self._w = sample_weight[self._rows.order]
        self.total_weight = float(self._w.sum())
        self._pool = OrderedPool(resolve_n_threads(n_threads))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def accumulate(self, discriminants: Prepared, moments: Any = None) -> LatentStatistics:
        """The sums over all rows, in one pass over them."""
        parts = self._pool.map(partial(self._part, discriminants), self._rows.cuts)
        total = next(parts)
        for part in parts:
            total = total + part
        return total

    def _part(self, v: Prepared, cut: tuple[int, int]) -> LatentStatistics:
        """The sums over one block."""
        block, w = self._rows.block(*cut), self._w[slice(*cut)]
        post = posterior(v, block)
        z, q = post.means, len(post.means)
        table = np.concatenate([np.ones((1, len(w))), z, pairs(z)]) * w
        of_pattern = np.bincount(block.pattern, w)
        spread = covariances(post.halves) * of_pattern
        latent = table.sum(axis=1)
        latent[1 + q :] += spread.sum(axis=1)
        return LatentStatistics(
            counts=np.array([w.sum()]),
            log_likelihood=float(post.log_density @ w),
            latent=latent,
            moments=block.mask @ table.T,
            spread=block.patterns @ spread.T,
            cross=post.residuals @ table[: 1 + q].T,
            squares=(post.residuals**2) @ w,
            leverage=(leverages(v, post.halves) * block.patterns[v.sharp]) @ of_pattern,
        )

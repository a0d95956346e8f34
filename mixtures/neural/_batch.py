"""The responsibility map of one batch of logits, by whatever its arrays are computed with.

n rows, K classes; priors are logarithms (K,), mu, which may be -inf and need no normalisation.
NumPy's logits go to the compiled kernel; others take the array-API functions that
:mod:`mixtures.proportions` is made of. Both are the same map, and laws say so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..core import kernels
from ..proportions._densities import Densities, log_sum_exp
from ..proportions._unrolled import RowResult, log_orbit, pull
from .backend import wide_type


class PriorMap(ABC):
    """The map of rows with shares (n,), and of pseudo-rows (K,), that sum to one together."""

    def __init__(self, xp: Any, share: Any, pseudo: Any) -> None:
        self.xp, self.share, self.pseudo = xp, share, pseudo

    @property
    def device(self) -> Any:
        return self.share.device

    @abstractmethod
    def forward(self, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        """Priors (n_iter + 1, K), and the log-posterior (n, K) under the last, if it is kept."""

    @abstractmethod
    def information(self, log_prior: Any) -> Any:
        """``H = S' diag(share) S + diag(pseudo)`` (K, K) with the posterior S under a prior."""

    def solve(self, log_prior: Any, b: Any) -> Any:
        """``inv(H) b`` (K,), with the `information` H.

        H is scaled to a unit diagonal first: classes may be as rare as they like.
        """
        xp, H = self.xp, self.information(log_prior)
        scale = 1.0 / xp.sqrt(xp.linalg.diagonal(H))[:, None]
        return (scale * xp.linalg.solve(scale * H * scale.T, scale * b[:, None]))[:, 0]


class Batch(PriorMap):
    """Logits (n, K) in one piece, through which a cotangent can be pulled back."""

    def __init__(self, xp: Any, logits: Any, share: Any, pseudo: Any) -> None:
        super().__init__(xp, share, pseudo)
        self.logits = logits

    @abstractmethod
    def backward(
        self, here: Any, there: Any, last: Any, cotangent: Any, given: Any = None
    ) -> tuple[Any, Any]:
        """Pull a cotangent (n, K) of the log-posterior back through m applications of the map.

        `here` and `there` (m, K) are what these were applied to, and what came out; the posterior
        is that under `last` (K,), whose cotangent goes back through them, unless one is `given`.
        Returns the cotangents of the logits (n, K) and of the first prior (K,).
        """

    def information(self, log_prior: Any) -> Any:
        xp = self.xp
        half = xp.exp(self.forward(log_prior, 0)[1]) * xp.sqrt(self.share)[:, None]
        H = half.T @ half
        return H + xp.eye(H.shape[0], dtype=H.dtype, device=self.device) * self.pseudo


class HostBatch(Batch):
    """Logits of NumPy."""

    def __init__(self, xp: Any, logits: Any, share: Any, pseudo: Any) -> None:
        super().__init__(xp, logits, share, pseudo)
        self._kernels = kernels.load("responsible")

    def forward(self, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        return self._kernels.forward(self.logits, self.share, self.pseudo, log_start, n_iter)

    def backward(
        self, here: Any, there: Any, last: Any, cotangent: Any, given: Any = None
    ) -> tuple[Any, Any]:
        return self._kernels.backward(self.logits, self.share, here, there, last, cotangent, given)


class DeviceBatch(Batch):
    """Logits of any namespace of the array-API standard; double precision where there is one."""

    def __init__(self, xp: Any, logits: Any, share: Any, pseudo: Any) -> None:
        super().__init__(xp, logits, share, pseudo)
        weightless = bool(xp.any(share == 0))
        prior = pseudo if bool(xp.any(pseudo > 0)) else None
        with np.errstate(divide="ignore"):  # rows of weight zero
            log_share = xp.log(share)
        self._data = Densities(
            "ResponsibleSoftmax", xp, logits, True, share.dtype, log_share, prior, weightless
        )

    def forward(self, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        xp, data = self._data.xp, self._data
        path = log_orbit(data, log_start, n_iter)
        return xp.stack(path), self._log_posterior(path[-1])

    def _log_posterior(self, log_prior: Any) -> Any:
        xp = self.xp
        values = xp.astype(self.logits, self._data.dtype, copy=False) + log_prior
        return values - log_sum_exp(xp, values, axis=1)[:, None]

    def backward(
        self, here: Any, there: Any, last: Any, cotangent: Any, given: Any = None
    ) -> tuple[Any, Any]:
        xp, data = self._data.xp, self._data
        cotangent = xp.astype(cotangent, data.dtype, copy=False)
        mass = xp.sum(cotangent, axis=1)[:, None]
        own = cotangent - xp.exp(self._log_posterior(last)) * mass
        v = xp.sum(own, axis=0) if given is None else given
        result = RowResult(data)
        for step in reversed(range(here.shape[0])):
            v = pull(data, here[step, :], there[step, :], v, result)
        return own + result.joined(), v


def shares_of(xp: Any, device: Any, shape: tuple[int, int], w: Any, pseudo: Any) -> tuple[Any, Any]:
    """What rows (n,) and pseudo-rows (K,) count, shares that sum to one together.

    For logits of a shape (n, K), row weights (n,) or None for ones, and pseudo-rows, a number or
    (K,); in double precision where the device has it.
    """
    n, k = shape
    dtype = np.float64 if xp is np else wide_type(xp, device)
    pseudo = xp.asarray(pseudo, dtype=dtype, device=device) + xp.zeros(
        k, dtype=dtype, device=device
    )
    if w is None:
        w = xp.ones(n, dtype=dtype, device=device)
    w = xp.astype(w, dtype, copy=False)
    largest = xp.maximum(xp.max(w), xp.max(pseudo))  # of numbers whose sum may have none
    w, pseudo = w / largest, pseudo / largest
    total = xp.sum(w) + xp.sum(pseudo)
    return w / total, pseudo / total


def batch_of(xp: Any, logits: Any, share: Any, pseudo: Any) -> Batch:
    """Logits (n, K) and shares, as the responsibility map takes them."""
    kind = HostBatch if isinstance(logits, np.ndarray) else DeviceBatch
    return kind(xp, logits, share, pseudo)

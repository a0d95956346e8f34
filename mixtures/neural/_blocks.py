"""The responsibility map of many rows, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ..core.discriminants import Array
from ._batch import HostBatch, PriorMap

NUMBERS_IN_BLOCK = 2**18
"""Of logits: 2 MiB in double precision, whatever the number of rows."""


class BlockBatch(PriorMap):
    """A batch of NumPy's logits that is never in memory as a whole in double precision.

    Parameters
    ----------
    logits : callable
        Logits (b, K) of a slice of the rows.
    share, pseudo : as for `PriorMap`
    """

    def __init__(self, logits: Callable[[slice], Array], share: Array, pseudo: Array) -> None:
        super().__init__(np, share, pseudo)
        self._logits = logits

    def _parts(self) -> Iterator[HostBatch]:
        n, step = len(self.share), max(1, NUMBERS_IN_BLOCK // len(self.pseudo))
        for at in range(0, n, step):
            rows = slice(at, min(at + step, n))
            nothing = np.zeros_like(self.pseudo)
            yield HostBatch(np, self._logits(rows), self.share[rows], nothing)

    def forward(self, log_start: Any, n_iter: int) -> tuple[Any, Any]:
        """The priors alone; posteriors would have a number for each row and class."""
        path = [np.asarray(log_start, np.float64)]
        with np.errstate(divide="ignore"):  # log 0 = -inf is meant
            log_pseudo = np.log(self.pseudo)
        for _ in range(n_iter):
            found = [part.forward(path[-1], 1)[0][1] for part in self._parts()]
            path.append(np.logaddexp(logsumexp(found, axis=0), log_pseudo))
        return np.array(path), None

    def information(self, log_prior: Any) -> Any:
        H = np.diag(self.pseudo)
        for part in self._parts():
            H = H + part.information(log_prior)
        return H

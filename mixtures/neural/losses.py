"""The loss of a batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .layers import namespace_of


class CrossEntropy:
    """Mean negative log-posterior of the labels, in nats: ``-sum_n w_n log Y_n,y_n / sum w``.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.neural import CrossEntropy
    >>> loss, saved = CrossEntropy().forward(np.log([[0.5, 0.5], [0.2, 0.8]]), np.array([0, 1]))
    >>> print(round(float(loss), 4))
    0.4581
    >>> CrossEntropy().backward(saved, 1.0)[0]
    array([[-0.5, -0. ],
           [-0. , -0.5]])
    """

    def forward(self, log_posterior: Any, labels: Any, weight: Any = None) -> tuple[Any, Any]:
        """The loss, an array without axes, and what `backward` needs.

        Parameters
        ----------
        log_posterior : array of shape (n_samples, n_classes)
            In nats; -inf where a class is impossible.
        labels : array of shape (n_samples,)
            Numbers of classes, integers from 0.
        weight : array of shape (n_samples,), default=None
            Zero or more, and not NaN; rows of weight zero add nothing, whatever they say.

        Raises
        ------
        ValueError
            For labels that are no numbers of classes, and for bad weights.
        """
        xp, (n, k) = namespace_of(log_posterior), log_posterior.shape
        labels = labels if hasattr(labels, "dtype") else np.asarray(labels)
        known = tuple(labels.shape) == (n,) and xp.isdtype(labels.dtype, "integral")
        if not n or not known or int(xp.min(labels)) < 0 or int(xp.max(labels)) >= k:
            raise ValueError(
                f"CrossEntropy expects {n} labels, one for each row and one row at least, as "
                f"integers from 0 to {k - 1}, but got {labels}."
            )
        if weight is not None and (
            tuple(weight.shape) != (n,) or not bool(xp.all((weight >= 0) & (weight < math.inf)))
        ):
            raise ValueError(
                f"CrossEntropy expects {n} weights of zero or more, one for each row, but got "
                f"{weight}."
            )
        return self.apply(log_posterior, labels, weight)

    def apply(self, log_posterior: Any, labels: Any, weight: Any) -> tuple[Any, Any]:
        """`forward` for labels that are known to be in order."""
        xp = namespace_of(log_posterior)
        n, k = log_posterior.shape
        hit = labels[:, None] == xp.arange(k, dtype=labels.dtype, device=labels.device)
        share: Any = 1.0 / n
        counted = hit
        if weight is not None:
            total = xp.sum(weight)  # zero in a batch of rows that weigh nothing
            share = (weight / xp.where(total > 0, total, xp.ones_like(total)))[:, None]
            share = xp.astype(share, log_posterior.dtype, copy=False)
            counted = hit & (share > 0)
        # What does not count may be -inf, and would be NaN times zero.
        own = xp.where(counted, log_posterior, xp.zeros_like(log_posterior[:1, :1]))
        loss = -xp.sum(own) * share if weight is None else -xp.sum(own * share)
        return loss, (xp.astype(hit, log_posterior.dtype), share)

    def backward(self, saved: Any, cotangent: Any) -> tuple[Any, dict[str, Any]]:
        """The cotangent (n, K) of the log-posterior from that of the loss, a number."""
        hit, share = saved
        return hit * (-cotangent * share), {}

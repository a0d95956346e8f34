"""The loss of a batch."""

from __future__ import annotations

from typing import Any

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
        """The loss, an array without axes, of log-posteriors (n, K), labels (n,) from 0, w (n,)."""
        xp = namespace_of(log_posterior)
        n, k = log_posterior.shape
        hit = labels[:, None] == xp.arange(k, dtype=labels.dtype, device=labels.device)
        share: Any = 1.0 / n
        if weight is not None:
            total = xp.sum(weight)  # zero in a batch of classes that weigh nothing
            share = (weight / xp.where(total > 0, total, xp.ones_like(total)))[:, None]
            share = xp.astype(share, log_posterior.dtype, copy=False)
        # What is not asked for may be -inf, and would be NaN times zero.
        own = xp.where(hit, log_posterior, xp.zeros_like(log_posterior[:1, :1]))
        loss = -xp.sum(own) * share if weight is None else -xp.sum(own * share)
        return loss, (xp.astype(hit, log_posterior.dtype), share)

    def backward(self, saved: Any, cotangent: Any) -> tuple[Any, dict[str, Any]]:
        """The cotangent (n, K) of the log-posterior from that of the loss, a number."""
        hit, share = saved
        return hit * (-cotangent * share), {}

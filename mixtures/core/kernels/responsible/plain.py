"""The responsible softmax in NumPy: the oracle of the tests, and what runs without numba.

Conventions of this package: n rows, K classes; logits A (n, K); ``share`` (n,) and ``pseudo`` (K,)
are what rows and pseudo-rows count, which together sum to one; a prior is a vector of logarithms
(K,), which may be -inf, and need not be normalised.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, logsumexp


def forward(logits, share, pseudo, log_start, n_iter):
    """Apply the responsibility map ``R`` to the prior `n_iter` times, and the last prior to rows.

    ``mu+_k = log(sum_n share_n softmax(A_n + mu)_k + pseudo_k)``. Returns the priors
    (n_iter + 1, K) and the log-posterior ``log_softmax(A + mu)`` (n, K) under the last one.
    """
    logits = np.asarray(logits, np.float64)
    path = [np.asarray(log_start, np.float64)]
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant
        log_share, log_pseudo = np.log(share), np.log(pseudo)
        for _ in range(n_iter):
            terms = log_softmax(logits + path[-1], axis=1) + log_share[:, None]
            path.append(np.logaddexp(logsumexp(terms, axis=0), log_pseudo))
        return np.array(path), log_softmax(logits + path[-1], axis=1)


def backward(logits, share, here, there, last, cotangent, given=None):
    """Pull a cotangent (n, K) of the log-posterior back through the priors that led to it.

    `here` and `there` (m, K): what m applications of the map were applied to, and what came out,
    the last application last; the posterior is that under `last` (K,). What goes back through them
    is the cotangent of `last`, or the one that is `given` (K,). Returns the cotangents of the
    logits (n, K) and of the first prior (K,), of `last` itself if m is zero.
    """
    logits, cotangent = np.asarray(logits, np.float64), np.asarray(cotangent, np.float64)
    posterior = np.exp(log_softmax(logits + last, axis=1))
    pulled = cotangent - posterior * cotangent.sum(axis=1, keepdims=True)
    v = pulled.sum(axis=0) if given is None else np.asarray(given, np.float64)
    with np.errstate(divide="ignore"):  # rows of weight zero
        log_share = np.log(share)[:, None]
    for mu, mu_next in zip(here[::-1], there[::-1], strict=True):
        log_s = log_softmax(logits + mu, axis=1)
        # Columns of the differential's weights sum to one, less what pseudo-rows have of a class.
        out = np.where(mu_next > -np.inf, mu_next, 0.0)
        g = v * np.exp(log_s + (log_share - out))
        g -= np.exp(log_s) * g.sum(axis=1, keepdims=True)
        pulled += g
        v = g.sum(axis=0)
    return pulled, v

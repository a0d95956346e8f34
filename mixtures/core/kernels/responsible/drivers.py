"""Layer 3: the responsibility map and its derivative on a batch, strip by strip.

Responsibilities are those of the mixtures' E-step, by its own micro-kernel: logits are values of
components, and the prior is added to them.
"""

from __future__ import annotations

import numpy as np

from ..assignment import SOFT, responsibilities
from ..microkernel import WIDTH as W
from ..microkernel import address
from ..steps import inline

STRIP = 256  # rows at a time: their values stay in the cache
LD = STRIP + 8  # lines of a strip, apart by no power of two


@inline
def _respond(logits, first, size, mu, strip, one, norm, total):
    """Responsibilities of `size` rows under a prior, and zeros, to the lines of a strip."""
    k = logits.shape[1]
    padded = (size + W - 1) // W * W
    for c in range(k):
        for s in range(size):
            strip[c * LD + s] = logits[first + s, c] + mu[c]
        for s in range(size, padded):
            strip[c * LD + s] = 0.0
    responsibilities(
        SOFT, address(strip), LD, k, padded, 1.0, address(one), address(norm), address(total)
    )


def forward(
    logits,  # IN, (n, k)
    share,  # IN, (n,)
    pseudo,  # IN, (k,)
    path,  # IN-OUT, (m + 1, k): the first prior is given
    log_posterior,  # OUT, (n, k)
):  # fmt: skip
    """Apply the map m times, and the last prior to the rows; return the least share of a class.

    Classes that are excluded, whose prior is -inf, do not count for that.
    """
    n, k = logits.shape
    strip, one, norm = np.empty(k * LD), np.ones(STRIP), np.empty(STRIP)
    sums, total, least = np.empty(k), np.zeros(W), np.inf
    for c in range(len(path) - 1):
        sums[:] = pseudo
        for first in range(0, n, STRIP):
            size = min(STRIP, n - first)
            _respond(logits, first, size, path[c], strip, one, norm, total)
            for j in range(k):
                lanes = np.zeros(W)
                for s in range(0, size - size % W, W):
                    for lane in range(W):
                        lanes[lane] += strip[j * LD + s + lane] * share[first + s + lane]
                for s in range(size - size % W, size):
                    lanes[0] += strip[j * LD + s] * share[first + s]
                sums[j] += lanes.sum()
        for j in range(k):
            path[c + 1, j] = np.log(sums[j])
            if path[c, j] > -np.inf and not sums[j] >= least:
                least = sums[j]
    last = path[len(path) - 1]
    for first in range(0, n, STRIP):
        size = min(STRIP, n - first)
        _respond(logits, first, size, last, strip, one, norm, total)
        for s in range(size):
            for j in range(k):
                log_posterior[first + s, j] = logits[first + s, j] + last[j] - norm[s]
    return least


def backward(
    logits,  # IN, (n, k)
    share,  # IN, (n,)
    here, there,  # IN, (m, k)
    last,  # IN, (k,)
    cotangent,  # IN, (n, k)
    given,  # IN, (k,), the cotangent of `last` to go on with, or (0,) for its own
    least,  # IN
    pulled,  # OUT, (n, k)
    v,  # OUT, (k,), cotangent of the first prior
):  # fmt: skip
    """Pull a cotangent back; return whether every share of a class was `least` or more.

    The softmax: ``d_nk = c_nk - S_nk sum_j c_nj``. An application of the map, with responsibilities
    S and ``q = v / pi+``: ``d_nk = share_n S_nk (q_k - sum_j S_nj q_j)``.
    """
    n, k = logits.shape
    strip, one, norm = np.empty(k * LD), np.ones(STRIP), np.empty(STRIP)
    q, mean, total = np.zeros(k), np.empty(STRIP), np.zeros(W)
    for first in range(0, n, STRIP):
        size = min(STRIP, n - first)
        _respond(logits, first, size, last, strip, one, norm, total)
        for s in range(size):
            mass = 0.0
            for j in range(k):
                mass += cotangent[first + s, j]
            for j in range(k):
                d = cotangent[first + s, j] - strip[j * LD + s] * mass
                pulled[first + s, j] = d
                q[j] += d
    for j in range(k):
        v[j] = given[j] if len(given) else q[j]
    fine = True
    for step in range(len(here) - 1, -1, -1):
        for j in range(k):
            q[j] = 0.0
            if there[step, j] != -np.inf:
                pi = np.exp(there[step, j])
                fine = fine and pi >= least
                q[j] = v[j] / pi
            v[j] = 0.0
        for first in range(0, n, STRIP):
            size = min(STRIP, n - first)
            _respond(logits, first, size, here[step], strip, one, norm, total)
            mean[:size] = 0.0
            for j in range(k):
                for s in range(size):
                    mean[s] += strip[j * LD + s] * q[j]
            for j in range(k):
                added = 0.0
                for s in range(size):
                    d = share[first + s] * (strip[j * LD + s] * (q[j] - mean[s]))
                    pulled[first + s, j] += d
                    added += d
                v[j] += added
    return fine

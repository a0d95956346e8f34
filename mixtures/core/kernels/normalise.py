"""Layer 3: values of several sources, added up, to responsibilities."""

from __future__ import annotations

import numpy as np

from .assignment import HARD, SOFT, TEMPERED, responsibilities
from .microkernel import WIDTH as W
from .microkernel import address
from .steps import inline

STRIP = 256  # rows at a time: their values stay in the cache


@inline
def take_given(resp, first, size, padded, k, values, ld):
    """Columns first.. of resp (k, m), `size` of them and zeros, as the values of a block."""
    for c in range(k):
        for s in range(size):
            values[c * ld + s] = resp[c, first + s]
        for s in range(size, padded):
            values[c * ld + s] = 0.0


@inline
def add_values(values, ld, k, size, out, first):
    """A block's values to columns first.. of out (k, m)."""
    for c in range(k):
        for s in range(size):
            out[c, first + s] += values[c * ld + s]


def normalise(
    value,  # IN-OUT, (k, n)
    weight,  # IN, (n,), or (0,): all one
    beta, hard,  # IN, see `Assignment`
    log_norm,  # OUT, (n,)
):  # fmt: skip
    """Values to responsibilities times weights, in place; return the sum of w log-norm."""
    k, n = value.shape
    ld = STRIP + 8
    strip, w, norm = np.empty(k * ld), np.ones(STRIP), np.empty(STRIP)
    total = np.zeros(W)
    mode = SOFT
    if hard:
        mode = HARD
    elif beta != 1.0:
        mode = TEMPERED
    for start in range(0, n, STRIP):
        size = min(STRIP, n - start)
        padded = (size + W - 1) // W * W
        for c in range(k):
            for s in range(size):
                strip[c * ld + s] = value[c, start + s]
            for s in range(size, padded):
                strip[c * ld + s] = 0.0
        if len(weight):
            for s in range(size):
                w[s] = weight[start + s]
        for s in range(size, padded):
            w[s] = 0.0
        responsibilities(
            mode, address(strip), ld, k, padded, beta, address(w), address(norm), address(total)
        )
        for s in range(size):
            log_norm[start + s] = norm[s]
        for c in range(k):
            for s in range(size):
                value[c, start + s] = strip[c * ld + s]
    return total.sum()

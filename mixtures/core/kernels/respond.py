"""Layer 3 for rows in a code of their own: from a block's values to what a sweep is for."""

from __future__ import annotations

from .assignment import BULK, HARD, SOFT, TEMPERED, responsibilities
from .microkernel import WIDTH as W
from .microkernel import address
from .steps import inline

SUMS, POSTERIOR, VALUES, GIVEN = 0, 1, 2, 3  # what a sweep is for


@inline
def mode_of(beta, hard):
    """The assignment, see `Assignment`, as the variant of the kernel."""
    mode = SOFT
    if hard:
        mode = HARD
    elif beta != 1.0:
        mode = TEMPERED
    return mode


@inline
def respond(
    task, mode, beta,  # IN
    turned, k, size,  # IN-OUT, (line, most), values of `size` rows to responsibilities
    weight, row,  # IN, (n,) or (0,), and the block's first row in it
    w, norm, total,  # IN-OUT, scratch (most,), (most,) and the sum of w log-norm by lanes (W,)
    resp, log_norm, here,  # OUT, of POSTERIOR and VALUES, and where in them the block begins
):  # fmt: skip
    """Responsibilities of a block, written to `resp` for POSTERIOR; its values added for VALUES."""
    padded, weighted = (size + W - 1) // W * W, len(weight) > 0 and task == SUMS
    if task == VALUES:
        for c in range(k):
            for s in range(size):
                resp[c, here + s] += turned[c, s]
    else:
        if mode == SOFT and size == padded and task == SUMS and not weighted:
            mode = BULK
        else:
            for s in range(padded):
                w[s] = 0.0
                if s < size:
                    w[s] = 1.0
                    if weighted:
                        w[s] = weight[row + s]
        responsibilities(
            mode, address(turned), turned.shape[1], k, padded, beta, address(w), address(norm),
            address(total),
        )  # fmt: skip
        if task == POSTERIOR:
            for s in range(size):
                log_norm[here + s] = norm[s]
                for c in range(k):
                    resp[here + s, c] = turned[c, s]

"""The compiled E-step of low-rank covariances: namesakes of `plain.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import compiled as usual
from ..assignment import HARD, SOFT, TEMPERED
from ..build import compiled
from ..microkernel import WIDTH as W
from ..respond import GIVEN, POSTERIOR, SUMS, VALUES
from ..scratch import aligned, up
from ..tiles import VECTORS
from .drivers import sweep as _sweep_source
from .plain import FACTORS

CACHE = 640 * 1024
"""Bytes of a block, by features and by rows, with its coordinates: the level-2 cache has more."""
MOST_ROWS = 256

WELL_CONDITIONED = 1e-4
"""Least share of a direction's square that counts, ``1 / (1 + s^2)``, above which what the factors
leave is computed as a difference: it loses about 2e-16 times the inverse."""

_MATRIX, _CUBE = "float64[:, ::1]", "float64[:, :, ::1]"
_sweep = compiled(
    _sweep_source,
    f"float64(int64[::1], float64[::1], int64, int64, float64[::1], float64[::1], {_CUBE}, "
    f"{_MATRIX}, float64[::1], {_MATRIX}, boolean, float64, boolean, int64, int64, float64[::1], "
    f"{_MATRIX}, {_CUBE}, {_MATRIX}, float64[::1], "
    f"Tuple(({_MATRIX}, {_MATRIX}, {_MATRIX}, float64[::1], float64[::1], float64[::1], "
    f"float64[::1], float64[::1], {_MATRIX}, {_MATRIX}, {_CUBE}, int64[::1], float64[::1], "
    f"{_MATRIX}, float64[::1])))",
)
_NO_VECTOR, _NO_MATRIX, _NO_CUBE = np.empty(0), np.empty((0, 0)), np.empty((0, 0, 0))


def _aligned(*shape: int) -> np.ndarray:
    return aligned(int(np.prod(shape))).reshape(shape)


def _scratch(k: int, d: int, q: int) -> tuple[np.ndarray, ...]:
    """Scratch memory for k components of d features and q factors."""
    stride, strip = up(d, W), VECTORS * W
    rows = CACHE // (8 * (2 * stride + k * (q + 1))) // strip * strip
    block = min(max(rows, strip), MOST_ROWS)
    ld = block + 8  # not a power of two: lines of Z must not compete for the same cache sets
    return (
        _aligned(stride, ld), _aligned(block, stride), _aligned(k, ld), aligned(k * q * ld),
        aligned(ld), aligned(ld), aligned(ld), aligned(W), _aligned(2, stride),
        _aligned(k, stride), _aligned(k, q + 2, stride), np.zeros(block, np.int64),
        aligned(block), _aligned(block, q), aligned((2 * strip + 1) * stride),
    )  # fmt: skip


class Workspace:
    """Scratch memory of one thread, for these kernels and for the usual ones."""

    def __init__(self, kind: int, moments: int, d: int, k: int) -> None:
        self._shape, self._arrays = (-1, -1, -1), ()
        few = moments < FACTORS
        self.usual = usual.workspace(kind, moments, d, k) if few else None

    def arrays(self, k: int, d: int, q: int) -> tuple[np.ndarray, ...]:
        if self._shape != (k, d, q):
            self._shape, self._arrays = (k, d, q), _scratch(k, d, q)
        return self._arrays


def workspace(kind, moments, n_features, n_components):
    """Scratch memory for one thread; see `plain.workspace`."""
    return Workspace(kind, moments, n_features, n_components)


def accumulate(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, reference,
    beta, hard, moments, counts, first, second, workspace,
):  # fmt: skip
    """Add the statistics of rows lo..hi; return the sum of w log-norm; see `plain.accumulate`."""
    if moments >= FACTORS:
        out = counts, first, second, _NO_MATRIX, _NO_VECTOR
        return _call(
            handle, lo, hi, centre, scale, slopes, offsets, bias, reference, beta, hard, SUMS, out,
            workspace,
        )  # fmt: skip
    resp, log_norm = np.zeros((len(bias), hi - lo)), np.empty(hi - lo)
    values(handle, lo, hi, centre, scale, kind, slopes, offsets, bias, resp, workspace)
    weight = None if handle.sample_weight is None else handle.sample_weight[lo:hi]
    total = usual.normalise(resp, weight, beta, hard, log_norm)
    counts += resp.sum(axis=1)
    usual.sums(
        handle, lo, hi, centre, scale, resp, reference, moments, first, second, workspace.usual
    )
    return total


def posterior(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, beta, hard, resp, log_norm,
    workspace,
):  # fmt: skip
    """Write responsibilities and log-normalisers of rows lo..hi; see `plain.posterior`."""
    if not resp.shape == (hi - lo, len(bias)) or not log_norm.shape == (hi - lo,):
        raise ValueError(f"Shapes differ: {hi - lo} rows, {resp.shape}, {log_norm.shape}.")
    out = _NO_VECTOR, _NO_MATRIX, _NO_CUBE, resp, log_norm
    _call(
        handle, lo, hi, centre, scale, slopes, offsets, bias, None, beta, hard, POSTERIOR, out,
        workspace,
    )  # fmt: skip


def values(handle, lo, hi, centre, scale, kind, slopes, offsets, bias, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo); see `plain.values`."""
    if not out.shape == (len(bias), hi - lo):
        raise ValueError(f"Shapes differ: {hi - lo} rows, {len(bias)} components, {out.shape}.")
    _call(
        handle, lo, hi, centre, scale, slopes, offsets, bias, None, 1.0, False, VALUES,
        (_NO_VECTOR, _NO_MATRIX, _NO_CUBE, out, _NO_VECTOR), workspace,
    )  # fmt: skip


def sums(
    handle, lo, hi, centre, scale, slopes, offsets, resp, reference, moments, first, second,
    workspace,
):  # fmt: skip
    """Add the moments of rows lo..hi under given responsibilities; see `plain.sums`."""
    if moments < FACTORS:
        usual.sums(
            handle, lo, hi, centre, scale, resp, reference, moments, first, second, workspace.usual
        )
        return
    if not resp.shape == (len(slopes), hi - lo):
        raise ValueError(f"Shapes differ: {hi - lo} rows, {resp.shape}, {slopes.shape}.")
    out = _NO_VECTOR, first, second, resp, _NO_VECTOR
    bias = np.zeros(len(slopes))
    _call(
        handle, lo, hi, centre, scale, slopes, offsets, bias, reference, 1.0, False, GIVEN, out,
        workspace,
    )  # fmt: skip


def _call(
    handle, lo, hi, centre, scale, slopes, offsets, bias, reference, beta, hard, task, out,
    workspace,
) -> Any:  # fmt: skip
    """One sweep. Parameters in another order or type, or read-only, are copied first."""
    n, (k, d, line) = len(handle.X), slopes.shape
    q = line - 1
    if reference is None:
        reference = np.zeros((k, d))
    fits = offsets.shape == (k, d + q) and bias.shape == (k,) and reference.shape == (k, d)
    if not (0 <= lo <= hi <= n and handle.X.shape[1] == d and fits):
        raise ValueError(
            f"Rows {lo} to {hi} of {handle.X.shape} do not fit slopes of shape {slopes.shape}, "
            f"offsets of shape {offsets.shape} and references of shape {reference.shape}."
        )
    if task in (SUMS, GIVEN) and not (out[1].shape == (k, d) and out[2].shape == (k, q + 1, d)):
        raise ValueError(f"Shapes differ: {slopes.shape}, {out[1].shape}, {out[2].shape}.")
    weight = handle.sample_weight
    weight = _NO_VECTOR if weight is None else np.require(weight, np.float64, ["C", "W", "A"])
    exact = bool(q) and not offsets[:, d:].min() > WELL_CONDITIONED
    mode = HARD if hard else SOFT if beta == 1.0 else TEMPERED
    arrays = [
        np.require(a, np.float64, ["C", "W", "A"])
        for a in (centre, scale, slopes, offsets, bias, reference)
    ]
    space = workspace.arrays(k, d, q)
    return _sweep(
        handle.table, weight, lo, hi, *arrays, exact, beta, hard, mode, task, *out, space
    )  # fmt: skip

"""The compiled E-step: the public face of this package, namesake of `plain.py`.

Importing this module compiles the kernels or loads them from numba's cache. The wrappers are
thin, because a sweep over a small data set takes a few microseconds itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .build import compiled
from .gaussian import full_m_step as _full_m_step_source
from .gaussian import triangular_discriminants as _triangular_source
from .normalise import normalise as _normalise_source
from .scratch import Workspace
from .steps import GIVEN, POSTERIOR, VALUES
from .sweep import AUTOMATIC
from .sweep import sweep as _sweep_source

Array = NDArray[np.float64]

_path = AUTOMATIC  # tests and benchmarks set DENSE or STABLE

_sweep = compiled(
    _sweep_source,
    "float64(int64[::1], int64, int64, float64[::1], float64[::1], int64, float64[:, ::1], "
    "float64[:, ::1], float64[::1], float64[:, ::1], float64, boolean, int64, int64, float64[::1], "
    "float64[:, ::1], float64[::1], float64[:, ::1], float64[::1], float64[::1], int64[::1])",
)
_triangular = compiled(
    _triangular_source,
    "int64(float64[::1], float64[:, ::1], float64[:, :, ::1], float64[:, ::1], float64[:, ::1], "
    "float64[::1])",
)
_normalise = compiled(
    _normalise_source, "float64(float64[:, ::1], float64[::1], float64, boolean, float64[::1])"
)
_full_m_step = compiled(
    _full_m_step_source,
    "void(float64[::1], float64[:, ::1], float64[:, :, ::1], float64[:, ::1], float64, "
    "float64[::1], float64[:, ::1], float64, float64[::1], float64[:, ::1], float64[:, :, ::1])",
)

_NO_VECTOR = np.empty(0)
_NO_MATRIX = np.empty((0, 0))


class Rows(NamedTuple):
    """Rows bound to the kernels: their address as data, and the arrays that keep it valid."""

    X: NDArray[Any]
    sample_weight: NDArray[Any] | None
    table: NDArray[np.int64]


def _plain_memory(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself when a kernel can read it by address, else a float64 copy."""
    if (
        array.dtype in (np.float32, np.float64)
        and array.flags.c_contiguous
        and array.dtype.isnative
    ):
        return array
    return np.ascontiguousarray(array, dtype=np.float64)


def rows(X: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> Rows:
    """Bind rows to the kernels once per fit; see `plain.rows`."""
    X = _plain_memory(X)
    table = np.zeros(5, np.int64)
    table[:3] = len(X), X.ctypes.data, X.itemsize
    if sample_weight is not None:
        sample_weight = _plain_memory(sample_weight)
        if sample_weight.shape != (len(X),):
            raise ValueError(f"{len(X)} rows, but row weights of shape {sample_weight.shape}.")
        table[3:] = sample_weight.ctypes.data, sample_weight.itemsize
    return Rows(X, sample_weight, table)


def workspace(kind: int, moments: int, n_features: int, n_components: int) -> Workspace:
    """Scratch memory for one thread, for calls with these moments; any kind of discriminant."""
    return Workspace(moments, n_features, n_components)


def _standard(*inputs: Any) -> list[Any]:
    """Copies of arrays in another order or type, or read-only, as the one signature wants them."""
    return [np.require(a, np.float64, ["C", "W", "A"]) if np.ndim(a) else a for a in inputs]


def accumulate(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, reference,
    beta, hard, moments, counts, first, second, workspace,
):  # fmt: skip
    """Add the statistics of rows lo..hi; return sum w log-norm; see `plain.accumulate`."""
    if workspace.moments != moments:
        raise ValueError(f"The workspace is for moments {workspace.moments}, not {moments}.")
    if not counts.shape == bias.shape or not first.shape == reference.shape == workspace.shape:
        raise ValueError(f"Shapes differ: {counts.shape}, {first.shape}, {workspace.shape}.")
    out = counts, first, second.reshape(-1), _NO_MATRIX, _NO_VECTOR
    return _call(
        handle, lo, hi, centre, scale, kind, slopes, offsets, bias, reference, beta, hard,
        moments, out, workspace,
    )  # fmt: skip


def posterior(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, beta, hard, resp, log_norm,
    workspace,
):  # fmt: skip
    """Write responsibilities and log-normalisers of rows lo..hi; see `plain.posterior`."""
    if not resp.shape == (hi - lo, len(bias)) or not log_norm.shape == (hi - lo,):
        raise ValueError(f"Shapes differ: {hi - lo} rows, {resp.shape}, {log_norm.shape}.")
    out = _NO_VECTOR, _NO_MATRIX, _NO_VECTOR, resp, log_norm
    _call(
        handle, lo, hi, centre, scale, kind, slopes, offsets, bias, _NO_MATRIX, beta, hard,
        POSTERIOR, out, workspace,
    )  # fmt: skip


def values(handle, lo, hi, centre, scale, kind, slopes, offsets, bias, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo); see `plain.values`."""
    if not out.shape == (len(bias), hi - lo):
        raise ValueError(f"Shapes differ: {hi - lo} rows, {len(bias)} components, {out.shape}.")
    _call(
        handle, lo, hi, centre, scale, kind, slopes, offsets, bias, _NO_MATRIX, 1.0, False,
        VALUES, (_NO_VECTOR, _NO_MATRIX, _NO_VECTOR, out, _NO_VECTOR), workspace,
    )  # fmt: skip


def sums(handle, lo, hi, centre, scale, resp, reference, moments, first, second, workspace):
    """Add the moments of rows lo..hi under given responsibilities; see `plain.sums`."""
    k = len(resp)
    if workspace.moments != moments or not resp.shape == (k, hi - lo):
        raise ValueError(f"Shapes differ: {hi - lo} rows, {resp.shape}, moments {moments}.")
    if not first.shape == reference.shape == workspace.shape:
        raise ValueError(f"Shapes differ: {first.shape}, {reference.shape}, {workspace.shape}.")
    out = np.zeros(k), first, second.reshape(-1), resp, _NO_VECTOR
    _call(
        handle, lo, hi, centre, scale, GIVEN, _NO_MATRIX, _NO_MATRIX, np.zeros(k), reference,
        1.0, False, moments, out, workspace,
    )  # fmt: skip


def normalise(value, weight, beta, hard, log_norm):
    """Values (k, b) to responsibilities times weights, in place; see `plain.normalise`."""
    size = value.shape[1]
    weight = _NO_VECTOR if weight is None else np.require(weight, np.float64, ["C", "W", "A"])
    if len(weight) not in (0, size) or len(log_norm) != size:
        raise ValueError(f"Shapes differ: values {value.shape}, log-norms {log_norm.shape}.")
    return _normalise(value, weight, beta, hard, log_norm)


def _call(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, reference, beta, hard,
    moments, out, workspace,
):  # fmt: skip
    """One sweep. Parameters in another order or type, or read-only, are copied first."""
    # Kernels trust addresses, so what would make them leave an array is refused here.
    n, d = handle.X.shape
    if not 0 <= lo <= hi <= n or workspace.shape != (len(bias), d):
        raise ValueError(
            f"Rows {lo} to {hi} of {(n, d)} with {len(bias)} components do not fit a workspace "
            f"for {workspace.shape[0]} components of {workspace.shape[1]} features."
        )
    table = handle.table
    rest = beta, hard, moments, _path, *out, workspace.buffer, workspace.plan
    try:
        return _sweep(
            table, lo, hi, centre, scale, kind, slopes, offsets, bias, reference, *rest
        )  # fmt: skip
    except TypeError:
        centre, scale, slopes, offsets, bias, reference = _standard(
            centre, scale, slopes, offsets, bias, reference
        )
        return _sweep(
            table, lo, hi, centre, scale, kind, slopes, offsets, bias, reference, *rest
        )  # fmt: skip


def triangular_discriminants(weights, means, covariances, slopes, offsets, bias):
    """Full Gaussians to TRIANGULAR discriminants; see `plain.triangular_discriminants`."""
    try:
        return _triangular(weights, means, covariances, slopes, offsets, bias)
    except TypeError:
        return _triangular(*_standard(weights, means, covariances), slopes, offsets, bias)


def full_m_step(counts, first, second, reference, kappa, prior_mean, prior_scatter, prior_dof,
                ridge, means, covariances):  # fmt: skip
    """Means and covariances from statistics about `reference`; see `plain.full_m_step`."""
    inputs = counts, first, second, reference, kappa, prior_mean, prior_scatter, prior_dof, ridge
    try:
        _full_m_step(*inputs, means, covariances)
    except TypeError:
        _full_m_step(*_standard(*inputs), means, covariances)

"""Known densities as they come, checked and made ready: one line per component, scaled by rows.

The responsibilities of a row depend on the ratios of its densities alone, so a row may be divided
by anything positive; the logarithm of that, the row's *offset*, is added back to log-likelihoods.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..discriminants import Array
from ..kernels import load

PLAIN = 1e-60, 1e60
"""Mean densities of rows between these are used as they come: products of two of them, and of one
with the reciprocal of another, are normal numbers."""

VANISHING = 1e-290
"""Densities below, relative to the row's largest, are zero: they would be slow subnormal ones, and
no sum of fewer than 1e270 of them shows."""

BLOCK_BYTES = 2**20


class Lines(NamedTuple):
    """Densities ready for the kernels."""

    densities: Array  # (K, n), C order
    offset: Array | None  # (n,), log of what rows were divided by; None: nothing
    background: Array  # (n,), the mean density of each row, scaled alike


def blocks(n_rows: int, n_components: int) -> list[slice]:
    """Rows worked on at a time."""
    step = max(64, BLOCK_BYTES // (8 * n_components) // 64 * 64)
    return [slice(lo, lo + step) for lo in range(0, n_rows, step)]


def some_rows(F: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows of (n, K), by index, stored as lines of float64, so that they are copied once."""
    lines = np.empty((F.shape[1], len(rows)))
    for block in blocks(len(rows), F.shape[1]):
        lines[:, block] = F[rows[block]].T
    return lines.T


def from_densities(F: np.ndarray, names: np.ndarray | None = None) -> Lines:
    """Densities (n, K) as lines; copied only if they are not lines already, or far from one.

    `names` are the numbers (n,) under which errors speak of the rows; None: 0 to n - 1.

    Raises
    ------
    ValueError
        For a density that is negative, infinite or NaN, and for a row of zeros.
    """
    n, K = F.shape
    whole = F.T
    if not (F.dtype == np.float64 and whole.flags.c_contiguous):
        whole = np.empty((K, n))
        for rows in blocks(n, K):
            whole[:, rows] = F[rows].T
    kernels = load("proportions")
    handle = kernels.bind(whole)
    least, background = kernels.survey(handle, 0, n), handle[1]
    low, high = float(background.min()), float(background.max())  # NaN if any density is
    if not (least >= 0 and low > 0 and high < np.inf):
        refuse_densities(F, names)  # or they are so small that their mean is not a normal number
    if PLAIN[0] < low and high < PLAIN[1]:
        return Lines(whole, None, background)
    return _scaled(whole, copy=whole.base is not None and np.shares_memory(whole, F))


def _scaled(whole: Array, copy: bool) -> Lines:
    """Lines whose rows are divided by powers of two near their largest density."""
    K, n = whole.shape
    lines, offset, background = np.empty_like(whole) if copy else whole, np.empty(n), np.empty(n)
    for rows in blocks(n, K):
        block = whole[:, rows]
        exponent = np.frexp(block.max(axis=0))[1]
        scaled = np.ldexp(block, -exponent)
        scaled[scaled < VANISHING] = 0.0
        lines[:, rows], offset[rows] = scaled, exponent * np.log(2.0)
        background[rows] = scaled.mean(axis=0)
    return Lines(lines, offset, background)


def from_log_densities(A: np.ndarray, names: np.ndarray | None = None) -> Lines:
    """Log-densities (n, K), nats, as lines of densities relative to the row's largest.

    Raises
    ------
    ValueError
        For a log-density that is NaN or +inf, and for a row of -inf.
    """
    n, K = A.shape
    lines, offset, background = np.empty((K, n)), np.empty(n), np.empty(n)
    kernels = load("proportions")
    for rows in blocks(n, K):
        lines[:, rows] = A[rows].T
        kernels.exponentials(lines, rows.start, min(rows.stop, n), offset, background)
    if not np.isfinite(offset).all():
        refuse_log_densities(A, names)
    return Lines(lines, offset, background)


def refuse_densities(F: Any, names: np.ndarray | None = None) -> None:
    """ValueError for the first density that is none, and for the first row of zeros."""
    for rows in blocks(*F.shape):
        block = np.asarray(F[rows], dtype=np.float64)
        bad = ~((block >= 0) & (block < np.inf))
        if bad.any():
            i, k = np.argwhere(bad)[0]
            where = f"row {_name(names, rows.start + i)} under component {k}"
            if block[i, k] < 0:
                raise ValueError(
                    f"Negative values in data: densities are >= 0, but that of {where} is "
                    f"{block[i, k]:g}. For log-densities, pass input='log_density'."
                )
            what = "NaN" if np.isnan(block[i, k]) else "infinity"
            raise ValueError(
                f"Densities must be finite numbers, but that of {where} is {what}. If it "
                "overflowed, pass logarithms and input='log_density'; else correct it or drop "
                "the row."
            )
        none = ~block.any(axis=1)
        if none.any():
            _refuse_row(_name(names, rows.start + int(np.argmax(none))), "0")


def refuse_log_densities(A: Any, names: np.ndarray | None = None) -> None:
    """ValueError for the first log-density that is none, and for the first row of -inf."""
    for rows in blocks(*A.shape):
        block = np.asarray(A[rows], dtype=np.float64)
        bad = ~(block < np.inf)
        if bad.any():
            i, k = np.argwhere(bad)[0]
            what = "NaN" if np.isnan(block[i, k]) else "infinity"
            raise ValueError(
                f"Log-densities must be numbers or -inf, but that of row "
                f"{_name(names, rows.start + i)} under component {k} is {what}. Correct it, or "
                "drop the row."
            )
        none = (block == -np.inf).all(axis=1)
        if none.any():
            _refuse_row(_name(names, rows.start + int(np.argmax(none))), "-inf")


def _name(names: np.ndarray | None, row: int) -> int:
    return int(row if names is None else names[row])


def _refuse_row(row: int, value: str) -> None:
    raise ValueError(
        f"Row {row} is {value} under every component: no mixture of them explains it. Drop the "
        "row, or add a component whose density is positive there."
    )

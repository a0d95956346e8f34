"""The compiled kernels of k-means: namesakes of `plain.py`, each compiled when it is first used."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numba import types

from ..build import compiled
from ..compiled import rows
from .assign import assign as _assign_source
from .distances import distances as _distances_source
from .plain import splitmix
from .potential import SeedingWorkspace
from .potential import potentials as _potentials_source
from .scratch import AssignmentWorkspace
from .summarise import hashes as _hashes_source
from .summarise import place as _place_source
from .summarise import summarise as _summarise_source

__all__ = [
    "assign",
    "assignment_workspace",
    "distances",
    "hashes",
    "place",
    "potentials",
    "rows",
    "seeding_workspace",
    "summarise",
]

FAR = 2.0**50
"""Coordinate of a centre, in the frame, from which on its square may be no float: then every row is
decided by its squared distances."""
_RANGE = "int64[::1], int64, int64, float64[::1], float64[::1], float64[:, ::1]"


@cache
def _assign() -> Any:
    return compiled(
        _assign_source,
        f"Tuple((int64, float64))({_RANGE}, int32[::1], float32[::1], float64[::1], float64, "
        "float64[:, ::1], float64[::1], float32[::1], int32[::1], int64[::1], int64[::1])",
    )


@cache
def _summarise() -> Any:
    return compiled(
        _summarise_source,
        f"float64({_RANGE}, int32[::1], float64[:, ::1], float64[::1], float32[::1], int64[::1])",
    )


@cache
def _potentials() -> Any:
    return compiled(
        _potentials_source,
        f"void({_RANGE}, float32[::1], float64[::1], float64[::1], int64[::1])",
    )


@cache
def _distances(dtype: str) -> Any:
    return compiled(
        _distances_source,
        f"void({_RANGE}, float64, {dtype}[:, ::1], float64[::1], float32[::1], int64[::1])",
    )


@cache
def _hashes(dtype: str) -> Any:
    X = types.Array(getattr(types, dtype), 2, "A", readonly=True)
    integers = types.Array(types.uint64, 1, "C")
    return compiled(_hashes_source, types.void(X, types.uint64, types.float64, integers, integers))


@cache
def _place(dtype: str) -> Any:
    return compiled(_place_source, f"void(int64[::1], int64, int64[::1], {dtype}[::1])")


def _fits(
    handle: Any, lo: int, hi: int, points: np.ndarray, per_row: np.ndarray, space: Any
) -> None:
    """ValueError where a kernel, which trusts addresses, would leave an array."""
    n, d = handle.X.shape
    k = len(points)
    if not 0 <= lo <= hi <= n or points.shape != (k, d) or space.shape != (k, d):
        raise ValueError(
            f"Rows {lo} to {hi} of {(n, d)} and {points.shape} centres do not fit a workspace for "
            f"{space.shape[0]} centres of {space.shape[1]} features."
        )
    if len(per_row) != hi - lo:
        raise ValueError(f"{hi - lo} rows, but {len(per_row)} labels or distances.")


def assign(handle, lo, hi, centre, scale, centres, labels, margins, shrinkage, totals, workspace):
    """Label rows by the nearest centre; see `plain.assign`."""
    _fits(handle, lo, hi, centres, labels, workspace)
    space = workspace
    if labels.size and not (labels.min() >= -1 and labels.max() < len(centres)):
        raise ValueError("Labels must lie between -1 and k - 1.")
    bound = space.slack if np.abs(centres).max() < FAR else np.inf
    return _assign()(
        handle.table, lo, hi, centre, scale, centres, labels, margins, shrinkage, bound, totals,
        space.buffer, space.single, space.words, space.bits, space.plan,
    )  # fmt: skip


def summarise(handle, lo, hi, centre, scale, centres, labels, totals, workspace):
    """Sums and inertia of labelled rows; see `plain.summarise`."""
    _fits(handle, lo, hi, centres, labels, workspace)
    space = workspace
    return _summarise()(
        handle.table, lo, hi, centre, scale, centres, labels, totals, space.buffer, space.single,
        space.plan,
    )  # fmt: skip


def distances(handle, lo, hi, centre, scale, centres, unit, out, workspace):
    """Distances of rows to all centres; see `plain.distances`."""
    _fits(handle, lo, hi, centres, out, workspace)
    if out.shape[1] != len(centres):
        raise ValueError(f"{len(centres)} centres, but {out.shape[1]} columns of distances.")
    space = workspace
    _distances(str(out.dtype))(
        handle.table, lo, hi, centre, scale, centres, unit, out, space.buffer, space.single,
        space.plan,
    )  # fmt: skip


def potentials(handle, lo, hi, centre, scale, candidates, closest, sums, workspace):
    """Price candidates for the next seed; see `plain.potentials`."""
    _fits(handle, lo, hi, candidates, closest, workspace)
    space = workspace
    _potentials()(
        handle.table, lo, hi, centre, scale, candidates, closest, sums, space.buffer, space.plan
    )  # fmt: skip


@lru_cache(maxsize=8)
def _multipliers(salt: int, d: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        return splitmix(np.uint64(salt) + np.arange(d, dtype=np.uint64)) | np.uint64(1)


def hashes(X, salt, scale):
    """A 64-bit hash of each row; see `plain.hashes`."""
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    out = np.empty(len(X), np.uint64)
    _hashes(str(X.dtype))(X, np.uint64(salt), scale, _multipliers(salt, X.shape[1]), out)
    return out


def place(numbers, offset, free, members):
    """Put rows where their bins have room; see `plain.place`."""
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(free):
        raise ValueError(f"Bins must lie between 0 and {len(free) - 1}.")
    _place(str(members.dtype))(numbers, offset, free, members)


assignment_workspace = AssignmentWorkspace
seeding_workspace = SeedingWorkspace

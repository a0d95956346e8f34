"""The solvers by name."""

from __future__ import annotations

from collections.abc import Callable

from ..acceleration import NoAcceleration, accelerator_of
from ..discriminants import Array
from .ascent import Ascent, iterate
from .solver import maximise
from .source import DensitySource

THIN = 1e-12
"""Weights below are no start for Newton's method."""

Solver = Callable[[DensitySource, Array, float, int | None, bool], Ascent]


def _em(
    source: DensitySource, start: Array, tol: float, max_iter: int | None, store_orbit: bool
) -> Ascent:
    return iterate(source, start, tol, _or(max_iter, 10_000), NoAcceleration, store_orbit)


def _squarem(
    source: DensitySource, start: Array, tol: float, max_iter: int | None, store_orbit: bool
) -> Ascent:
    maker = accelerator_of("squarem", 1.0)
    return iterate(source, start, tol, _or(max_iter, 10_000), maker, store_orbit)


def _sqp(
    source: DensitySource, start: Array, tol: float, max_iter: int | None, store_orbit: bool
) -> Ascent:
    most = _or(max_iter, _steps(source))
    return maximise(source, _interior(start), tol, most, store_orbit, try_em=False)


def _auto(
    source: DensitySource, start: Array, tol: float, max_iter: int | None, store_orbit: bool
) -> Ascent:
    most = _or(max_iter, _steps(source))
    return maximise(source, _interior(start), tol, most, store_orbit, try_em=True)


def _or(max_iter: int | None, default: int) -> int:
    return default if max_iter is None else max_iter


def _steps(source: DensitySource) -> int:
    """Steps that are plenty: some for each component that may come to have weight."""
    return max(200, 2 * source.n_components)


def _interior(start: Array) -> Array:
    """A start from which every component can be reached: all share a thousandth."""
    share = 1e-3 if start.min() < THIN else 0.0
    return (1.0 - share) * start + share / len(start)


SOLVERS: dict[str, Solver] = {"auto": _auto, "em": _em, "squarem": _squarem, "sqp": _sqp}

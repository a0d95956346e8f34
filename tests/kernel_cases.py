"""Cases that the kernel tests share, and how results are compared.

Tolerances. A discriminant is a sum of d terms, so a row's log-norm is off by at most about
(d + 4) eps times the size of its largest terms, and its responsibilities by as much relatively;
`slack` bounds that by the largest term of any row, and allows eight such errors (two codes,
either order of summation, either order of shift and square). Sums over rows inherit the bound,
relative to the sum of the terms' absolute values.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mixtures.core import kernels
from mixtures.core.kernels import compiled, plain

LINEAR, DIAGONAL, TRIANGULAR = KINDS = 0, 1, 2
NONE, NORM, DIAGONALS, FULL = MOMENTS = 0, 1, 2, 3
AUTOMATIC, DENSE, STABLE = PATHS = -1, 0, 1
EPS = float(np.finfo(float).eps)
ROOT = Path(kernels.__file__).parents[3]


class Case(NamedTuple):
    X: np.ndarray
    sample_weight: np.ndarray | None
    centre: np.ndarray
    scale: np.ndarray
    kind: int
    slopes: np.ndarray
    offsets: np.ndarray
    bias: np.ndarray
    reference: np.ndarray

    @property
    def parameters(self) -> tuple:
        return self[4:8]


def make(kind, n, d, k, *, dtype=float, weighted=False, spread=1.0, seed=0) -> Case:
    """Rows around k means; discriminants of components near them, each with its own shape."""
    rng = np.random.default_rng([seed, n, d, k])
    means = spread * rng.normal(size=(k, d))
    X = (rng.normal(size=(n, d)) + means[rng.integers(k, size=n)]).astype(dtype)
    weight = rng.random(n).astype(dtype) if weighted else None
    centre, scale = 0.1 * rng.normal(size=d), 2.0 ** rng.integers(-1, 2, size=d)
    reference = (means - centre) * scale + 0.1 * rng.normal(size=(k, d))
    bias = np.log(rng.dirichlet(np.ones(k)))
    if kind == LINEAR:
        slopes, offsets = rng.normal(size=(d, k)), np.empty((0, k))
    elif kind == DIAGONAL:
        slopes = 0.5 + rng.random((d, k))
        offsets = -slopes * reference.T
    else:
        lower = np.tril(0.4 / np.sqrt(d) * rng.normal(size=(k, d, d)), -1)
        lower += (0.7 + 0.3 * rng.random((k, d)))[:, :, None] * np.eye(d)
        rows, columns = np.tril_indices(d)
        slopes = lower[:, rows, columns].T
        offsets = -np.einsum("kij,kj->ik", lower, reference)
    as_c = np.ascontiguousarray
    return Case(X, weight, centre, scale, kind, as_c(slopes), as_c(offsets), bias, as_c(reference))


class Result(NamedTuple):
    total: float
    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray


def second_shape(moments, k, d):
    return {NONE: (k, 0), NORM: (k, 1), DIAGONALS: (k, d), FULL: (k, d, d)}[moments]


def sums(module, case, moments, lo=0, hi=None, beta=1.0, hard=False, path=AUTOMATIC, scratch=None):
    (k, d), hi = case.reference.shape, len(case.X) if hi is None else hi
    out = np.zeros(k), np.zeros((k, d)), np.zeros(second_shape(moments, k, d))
    scratch = scratch or module.workspace(case.kind, moments, d, k)
    handle = module.rows(case.X, case.sample_weight)
    before, compiled._path = compiled._path, path
    try:
        total = module.accumulate(
            handle, lo, hi, case.centre, case.scale, *case.parameters, case.reference,
            beta, hard, moments, *out, scratch,
        )  # fmt: skip
    finally:
        compiled._path = before
    return Result(total, *out)


def posterior(module, case, lo=0, hi=None, beta=1.0, hard=False, scratch=None):
    (k, d), hi = case.reference.shape, len(case.X) if hi is None else hi
    resp, log_norm = np.full((hi - lo, k), 7.0), np.full(hi - lo, 7.0)
    scratch = scratch or module.workspace(case.kind, NONE, d, k)
    module.posterior(
        module.rows(case.X, case.sample_weight), lo, hi, case.centre, case.scale,
        *case.parameters, beta, hard, resp, log_norm, scratch,
    )  # fmt: skip
    return resp, log_norm


def in_frame(case: Case) -> np.ndarray:
    return (case.X.astype(float) - case.centre) * case.scale


def slack(case: Case) -> float:
    """Relative error of responsibilities that rounding may cause; see the top of the file."""
    d = case.X.shape[1]
    _, log_norm = posterior(plain, case)
    largest = np.abs(case.bias[np.isfinite(case.bias)]).max() + np.abs(log_norm).max()
    if case.kind == LINEAR:
        largest += (np.abs(in_frame(case)) @ np.abs(case.slopes)).max()
    return 8 * (d + 4) * EPS * (1 + largest)


def assert_same(case: Case, expected: Result, actual: Result) -> None:
    tolerance = slack(case)
    weight = np.ones(len(case.X)) if case.sample_weight is None else case.sample_weight
    far = np.abs(in_frame(case)).max(initial=1) + np.abs(case.reference).max()
    mass = weight.sum(dtype=float)
    for name, power in (("total", 0), ("counts", 0), ("first", 1), ("second", 2)):
        a, b = getattr(expected, name), getattr(actual, name)
        size = mass * far**power * (case.X.shape[1] if name == "second" else 1)
        if name == "total":
            size += abs(a)
        assert np.all(np.abs(a - b) <= tolerance * size), (name, np.abs(a - b).max() / size)

"""The compiled kernels against exact sums, and exp and log against exact values."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from mixtures.core.kernels import compiled, plain
from mixtures.core.kernels.microkernel import WIDTH, micro_kernel

from .kernel_cases import (
    AUTOMATIC,
    DENSE,
    DIAGONAL,
    DIAGONALS,
    EPS,
    FULL,
    NORM,
    PATHS,
    STABLE,
    TRIANGULAR,
    Case,
    assert_same,
    make,
    posterior,
    sums,
)


def far_apart(kind: int, distance: float) -> Case:
    """Two unit components, their centres `distance` from the frame's centre in every feature."""
    case = make(kind, 3000, 3, 2, seed=1)
    reference = np.array([[distance] * 3, [-distance] * 3])
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3000, 3)) + reference[rng.integers(2, size=3000)]
    half = np.sqrt(0.5)
    if kind == DIAGONAL:
        slopes = half * np.ones((3, 2))
    else:
        rows, columns = np.tril_indices(3)
        slopes = half * np.repeat((rows == columns)[:, None], 2, axis=1)
    bias = np.log(np.full(2, 0.5))
    return case._replace(
        X=X, centre=np.zeros(3), scale=np.ones(3), slopes=slopes.astype(float),
        offsets=-half * reference.T.copy(), bias=bias, reference=reference,
    )  # fmt: skip


def exact_second(case: Case, moments: int) -> np.ndarray:
    """Sums of products about the reference in extended precision, responsibilities given."""
    resp, _ = posterior(compiled, case)
    out = []
    for k, m in enumerate(case.reference):
        y = case.X.astype(np.longdouble) - m
        r = resp[:, k].astype(np.longdouble)
        if moments == FULL:
            out.append((y[:, :, None] * y[:, None, :] * r[:, None, None]).sum(axis=0))
        elif moments == DIAGONALS:
            out.append((y * y * r[:, None]).sum(axis=0))
        else:
            out.append([(y * y * r[:, None]).sum()])
    return np.array(out, dtype=float)


@pytest.mark.parametrize("distance", [0.0, 5.0, 30.0, 1e3, 1e5, 1e7])
@pytest.mark.parametrize("moments", [NORM, DIAGONALS, FULL])
@pytest.mark.parametrize("kind", [DIAGONAL, TRIANGULAR])
def test_far_components_cancel_nothing(kind, moments, distance):
    """The dense path loses about eps distance^2; the choice of path must keep that below 1e-11."""
    case = far_apart(kind, distance)
    exact = exact_second(case, moments)
    size = np.abs(exact).max()
    for path, tolerance in (
        (STABLE, 1e-14),
        (DENSE, 1e-14 + 32 * EPS * distance**2),
        (AUTOMATIC, 1e-11),
    ):
        error = np.abs(sums(compiled, case, moments, path=path).second - exact).max() / size
        assert error <= tolerance, (path, error)


@pytest.mark.parametrize("spread, path", [(0.3, DENSE), (5.0, STABLE)])
def test_many_features_take_the_path_that_skips_more(spread, path):
    case = make(TRIANGULAR, 1000, 20, 6, spread=spread)
    expected = sums(compiled, case, FULL, path=path)
    assert np.array_equal(sums(compiled, case, FULL).second, expected.second)
    assert_same(case, sums(plain, case, FULL), expected)


def test_row_weights_of_any_size_leave_the_same_statistics():
    """The queue drops negligible responsibilities, not small weights."""
    case = make(TRIANGULAR, 200, 4, 3, weighted=True)
    whole = sums(compiled, case, FULL, path=STABLE)
    small = case._replace(sample_weight=case.sample_weight * 2.0**-100)
    for a, b in zip(whole, sums(compiled, small, FULL, path=STABLE), strict=True):
        np.testing.assert_allclose(b * 2.0**100, a, rtol=8 * EPS)


def test_counts_include_every_row_however_small_its_responsibility():
    case = far_apart(DIAGONAL, 4.0)
    resp, _ = posterior(compiled, case)
    assert (resp < 1e-18).any()
    for path in PATHS:
        counts = sums(compiled, case, FULL, path=path).counts
        np.testing.assert_allclose(counts, resp.sum(axis=0), rtol=3000 * EPS)


@micro_kernel([0, 1])
def apply(e, variant: int, x: Doubles, n: Count, out: Doubles):  # noqa: F821
    def block(t, _):
        e.store((e.log if variant else e.exp)(e.load(x, t)), out, t)
        return []

    e.loop(n, [], block, step=e.width)


@njit
def _apply(variant, x, out):
    apply(variant, x.ctypes.data, x.size, out.ctypes.data)


def evaluate(variant, x):
    padded = np.zeros(-(-len(x) // WIDTH) * WIDTH)
    padded[: len(x)] = x
    out = np.empty_like(padded)
    _apply(variant, padded, out)
    return out[: len(x)]


def ulps(actual, exact):
    return np.abs(actual - exact) / np.spacing(np.abs(exact.astype(float)))


def test_exp_is_within_its_bound():
    """1.1 ulp: 1/2 for the last rounding, 1/4 each for the reduced argument and the sum below it,
    a tenth for the rest. And |x|/3: log 2 in 53 bits is off by 0.105 eps, |x|/log 2 times."""
    rng = np.random.default_rng(0)
    x = np.concatenate([-(10 ** rng.uniform(-8, 2.8, 50_000)), np.linspace(-708, 1, 50_001)])
    x = x[x >= -708]
    assert np.all(ulps(evaluate(0, x), np.exp(x.astype(np.longdouble))) < 1.1 + np.abs(x) / 3)


def test_exp_of_special_values():
    x = np.array([0.0, -0.0, -708.01, -745.0, -1e300, -np.inf, np.nan, -708.0])
    assert np.array_equal(evaluate(0, x)[:6], [1, 1, 0, 0, 0, 0])
    assert np.isnan(evaluate(0, x)[6])
    assert evaluate(0, x)[7] > 0


def test_log_is_within_one_ulp():
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [10 ** rng.uniform(-300, 300, 50_000), rng.uniform(0.5, 2, 50_000), 1 + 1e-9 * np.arange(9)]
    )
    exact = np.log(x.astype(np.longdouble))
    where = exact != 0
    assert ulps(evaluate(1, x)[where], exact[where]).max() < 1.0
    assert np.array_equal(evaluate(1, np.array([1.0, 0.0, np.inf])), [0, -np.inf, np.inf])
    assert np.isnan(evaluate(1, np.array([np.nan])))

"""The compiled sums over known densities equal their NumPy twins, and memory stays their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.core.kernels.proportions import compiled, plain

TWINS = plain, compiled
NOTHING = np.empty((0, 0))


def problem(K, n, seed, weighted):
    rng = np.random.default_rng(seed)
    F = rng.random((K, n)) * np.exp(20 * rng.normal(size=n))
    F[rng.random((K, n)) < 0.2] = 0.0
    F[0] += 1e-3 * F.mean(axis=0) + 1e-9  # every row is explained
    return F, rng.random(n) if weighted else None


def bound(F, weight):
    handles = [twin.bind(F, weight) for twin in TWINS]
    least = [
        twin.survey(handle, 0, F.shape[1]) for twin, handle in zip(TWINS, handles, strict=True)
    ]
    assert least == [F.min()] * 2
    np.testing.assert_allclose(handles[0][1], handles[1][1], rtol=1e-13)
    return handles


@given(
    K=st.integers(1, 40), n=st.integers(1, 90), seed=st.integers(0, 999), weighted=st.booleans(),
    curved=st.booleans(), part=st.booleans(), data=st.data(),
)  # fmt: skip
def test_a_pass_equals_its_twin(K, n, seed, weighted, curved, part, data):
    F, weight = problem(K, n, seed, weighted)
    handles = bound(F, weight)
    rng = np.random.default_rng(seed)
    lo = 8 * data.draw(st.integers(0, (n - 1) // 8)) if part else 0
    support = rng.permutation(K + 1)[: rng.integers(1, K + 2)]
    support = np.union1d(support, [0])
    columns = rng.permutation(K + 1)[: rng.integers(1, K + 2)]
    p = rng.random(len(support)) + 0.01
    ends = []
    for twin, handle in zip(TWINS, handles, strict=True):
        gradient = np.ones(len(columns))
        curvature = np.ones((len(columns),) * 2) if curved else NOTHING
        value = twin.sweep(handle, lo, n, support, p, columns, gradient, curvature)
        ends.append((value, gradient, curvature))
    scale = 1.0 + abs(ends[0][0])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13 * scale)


@pytest.mark.parametrize("n", [8, 13, 2000, 5003])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_row_without_density_makes_the_value_minus_infinity(n, weighted):
    F, weight = problem(3, n, 0, weighted)
    F[0, n // 2] = 0.0
    for twin, handle in zip(TWINS, bound(F, weight), strict=True):
        value = twin.sweep(
            handle, 0, n, np.array([0]), np.ones(1), np.arange(3), np.zeros(3), NOTHING
        )
        assert value == -np.inf


def test_the_log_likelihood_has_all_digits_whatever_the_scale():
    """One logarithm serves many rows: mantissas are multiplied, exponents are added."""
    for exponent in (-190, 0, 190):
        F = np.random.default_rng(1).random((4, 4099)) * 10.0**exponent
        handle = compiled.bind(F)
        every, p = np.arange(4), np.full(4, 0.25)
        value = compiled.sweep(handle, 0, 4099, every, p, every, np.zeros(4), NOTHING)
        np.testing.assert_allclose(value, np.log(F.mean(axis=0)).sum(), rtol=1e-13)


@pytest.mark.parametrize(("K", "n"), [(1, 1), (3, 8), (5, 100), (7, 1003)])
def test_exponentials_equal_their_twin(K, n):
    rng = np.random.default_rng(K)
    A = 300.0 * rng.normal(size=(K, n))
    A[rng.random((K, n)) < 0.3] = -np.inf
    A[0] = np.where(np.isneginf(A).all(axis=0), 0.0, A[0])
    ends = []
    for twin in TWINS:
        lines, largest, mean = A.copy(), np.empty(n), np.empty(n)
        twin.exponentials(lines, 0, n, largest, mean)
        ends.append((lines, largest, mean))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-300)
    assert (ends[0][0].max(axis=0) == 1.0).all()


def test_the_largest_log_density_of_a_row_shows_nan_and_infinity():
    A = np.zeros((3, 21))
    A[1, 4], A[2, 20] = np.nan, np.inf
    A[:, 9] = -np.inf
    for twin in TWINS:
        largest = np.empty(21)
        twin.exponentials(A.copy(), 0, 21, largest, np.empty(21))
        assert np.isnan(largest[4])
        assert largest[20] == np.inf
        assert largest[9] == -np.inf
        assert np.isfinite(np.delete(largest, [4, 9, 20])).all()


def test_read_only_densities_are_not_copied():
    F = np.random.default_rng(0).random((3, 100))
    F.flags.writeable = False
    assert np.shares_memory(compiled.bind(F)[0], F)


@pytest.mark.parametrize(
    "change",
    [{"lo": -1}, {"hi": 101}, {"support": [4]}, {"columns": [-1]}, {"p": np.ones(2)}],
    ids=str,
)
def test_what_would_leave_an_array_is_refused(change):
    handle = compiled.bind(np.ones((3, 100)))
    given_ = {"lo": 0, "hi": 100, "support": [0], "p": np.ones(1), "columns": [0]} | change
    with pytest.raises(ValueError, match=r"expected|within"):
        compiled.sweep(handle, *given_.values(), np.zeros(1), NOTHING)
    with pytest.raises(ValueError, match="expected"):
        compiled.bind(np.ones((3, 100)), np.ones(99))

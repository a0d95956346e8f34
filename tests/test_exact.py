"""Exact k-means in one dimension, against rational arithmetic, enumeration and local search."""

from __future__ import annotations

import itertools
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.core import exact
from mixtures.core.exact import optimal_partition
from mixtures.core.exchange import improve
from mixtures.core.kernels.interval import compiled, plain, twofold
from mixtures.core.lloyd import run_lloyd
from mixtures.core.point_frame import frame_rows, open_points

TWINS = pytest.mark.parametrize("kernel", [plain, compiled], ids=["plain", "compiled"])


def scatter(values, weights):
    """``sum w (x - mean)^2`` as a fraction."""
    pairs = [(Fraction(float(x)), Fraction(float(w))) for x, w in zip(values, weights, strict=True)]
    total = sum(w for _, w in pairs)
    mean = sum(w * x for x, w in pairs) / total
    return sum(w * (x - mean) ** 2 for x, w in pairs)


def least_inertia(values, weights, k):
    """The optimum by O(n^2 k) dynamic programming in rational arithmetic."""
    order = np.argsort(values)
    x, w = values[order], weights[order]
    n = len(x)
    cost = {(j, i): scatter(x[j:i], w[j:i]) for i in range(1, n + 1) for j in range(i)}
    least = [Fraction(0), *(cost[0, i] for i in range(1, n + 1))]
    for _ in range(1, min(k, n)):
        least = [
            Fraction(0),
            *(min(cost[0, i], *(least[j] + cost[j, i] for j in range(i))) for i in range(1, n + 1)),
        ]
    return least[n]


def inertia_of(values, weights, centres):
    """Of the partition that the centres make, about its own means, as a fraction."""
    nearest = [
        min(
            range(len(centres)), key=lambda c: abs(Fraction(float(x)) - Fraction(float(centres[c])))
        )
        for x in values
    ]
    nearest = np.array(nearest)
    for c in set(nearest.tolist()):
        assert values[nearest == c].min() <= centres[c] <= values[nearest == c].max()
    return sum(scatter(values[nearest == c], weights[nearest == c]) for c in set(nearest.tolist()))


def excess(values, weights, k):
    """How far the result is from the optimum: in shares of it, and of W R^2."""
    centres = optimal_partition(values, weights, k)
    assert centres.shape == (k,) and (centres == np.sort(centres)).all()
    least, found = least_inertia(values, weights, k), inertia_of(values, weights, centres)
    size = (
        sum(Fraction(float(w)) for w in weights)
        * (Fraction(float(values.max())) - Fraction(float(values.min()))) ** 2
    )
    assert found >= least
    return (
        float((found - least) / least) if least else float(found > 0),
        float((found - least) / size) if size else 0.0,
    )


KINDS = {
    "normal": lambda r, n: r.normal(size=n),
    "offset": lambda r, n: 1e8 + r.normal(size=n),
    "groups": lambda r, n: np.where(r.random(n) < 0.5, 0.0, 1e6) + 1e-6 * r.normal(size=n),
    "lattice": lambda r, n: r.integers(0, 6, n).astype(float),
    "even": lambda r, n: np.arange(n, dtype=float),
    "huge": lambda r, n: 1e150 * r.normal(size=n),
    "largest": lambda r, n: np.finfo(float).max * r.uniform(-1.0, 1.0, n),
    "tiny": lambda r, n: 1e-300 * r.normal(size=n),
    "heavy": lambda r, n: r.standard_cauchy(n) ** 5,
}


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 10), k=st.integers(1, 6), unit=st.booleans())
def test_the_optimum_of_rational_arithmetic_is_found(kind, seed, n, k, unit):
    r = np.random.default_rng(seed)
    values = KINDS[kind](r, n)
    weights = np.ones(n) if unit else np.exp(3.0 * r.normal(size=n))
    relative, absolute = excess(values, weights, k)
    assert relative < 1e-13 or absolute < 1e-29


@TWINS
@pytest.mark.parametrize("kind", ["normal", "offset", "groups", "lattice", "heavy"])
def test_more_values_than_a_chunk_of_rows_in_rational_arithmetic(kind, kernel, monkeypatch):
    """Small chunks, so that each range of the tree is cut into several."""
    monkeypatch.setattr(plain, "CHUNK", 7)
    monkeypatch.setattr(exact, "CHUNK", 5)
    monkeypatch.setattr(exact, "load", lambda part: kernel)
    r = np.random.default_rng(0)
    values, weights = KINDS[kind](r, 40), r.integers(1, 4, 40).astype(float)
    for k in (2, 3, 5, 8):
        relative, absolute = excess(values, weights, k)
        assert relative < 1e-13 or absolute < 1e-29


@given(
    values=st.lists(st.integers(-20, 20), min_size=1, max_size=6),
    weights=st.lists(st.integers(1, 3), min_size=6, max_size=6),
    k=st.integers(1, 3),
)
def test_no_partition_is_better(values, weights, k):
    """All partitions are tried, not only those into intervals."""
    x, w = np.array(values, float), np.array(weights[: len(values)], float)
    least = min(
        sum(scatter(x[labels == c], w[labels == c]) for c in set(labels.tolist()))
        for labels in map(np.array, itertools.product(range(k), repeat=len(x)))
    )
    assert inertia_of(x, w, optimal_partition(x, w, k)) == least


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 300, 3000])
def test_the_twins_agree_to_the_bit(kind, n, monkeypatch):
    r = np.random.default_rng(n)
    values, weights = KINDS[kind](r, n), r.uniform(0.5, 2.0, n)
    centres = []
    for kernel in (plain, compiled):
        monkeypatch.setattr(exact, "load", lambda part, kernel=kernel: kernel)
        centres.append([optimal_partition(values, weights, k).tobytes() for k in (1, 2, 5, 9)])
    assert centres[0] == centres[1]


@pytest.mark.parametrize("kind", ["normal", "lattice", "groups"])
def test_integer_weights_are_repetition_in_any_order_to_the_bit(kind):
    r = np.random.default_rng(1)
    values, weights = KINDS[kind](r, 500), r.integers(0, 4, 500).astype(float)
    repeated = np.repeat(values, weights.astype(int))
    expected = optimal_partition(values, weights, 4).tobytes()
    shuffled = r.permutation(repeated)
    assert optimal_partition(repeated, None, 4).tobytes() == expected
    assert optimal_partition(shuffled, np.ones(len(shuffled)), 4).tobytes() == expected
    kept = weights > 0
    assert optimal_partition(values[kept], weights[kept], 4).tobytes() == expected
    assert optimal_partition(values, None, 4).tobytes() != expected


def test_the_order_of_equal_values_of_other_weights_changes_no_bit():
    r = np.random.default_rng(2)
    values, weights = r.integers(0, 9, 400).astype(float), r.uniform(size=400)
    order = r.permutation(400)
    expected = optimal_partition(values, weights, 3).tobytes()
    assert optimal_partition(values[order], weights[order], 3).tobytes() == expected


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_values_and_weights_have_no_unit(size):
    r = np.random.default_rng(3)
    values, weights = r.normal(size=200), r.uniform(1.0, 2.0, 200)
    power = np.ldexp(1.0, int(np.log2(size)))
    expected = optimal_partition(values, weights, 4)
    assert (optimal_partition(values, weights * power, 4) == expected).all()
    assert (optimal_partition(values * power, weights, 4) == expected * power).all()


def test_two_tight_groups_far_apart_are_both_cut_right():
    """Doubles would see nothing of the groups' inner scatter: 1e-12 beside 1e12."""
    left = 1e-6 * np.array([-3.0, -2.9, -1.0, -0.9, 2.0, 2.1])
    right = 1e6 + 1e-6 * np.array([0.0, 100.0, 101.0])
    centres = optimal_partition(np.r_[left, right], None, 5)
    np.testing.assert_allclose(centres[:3], 1e-6 * np.array([-2.95, -0.95, 2.05]), rtol=1e-12)
    np.testing.assert_array_equal(centres[3:], [right[0], right[1:].mean()])


@pytest.mark.parametrize("k", [3, 4, 9])
def test_with_too_few_distinct_values_each_is_a_centre_and_the_largest_is_repeated(k):
    values = np.array([2.0, -1.0, 2.0, 7.0, -1.0])
    expected = [-1.0, 2.0, *[7.0] * (k - 2)]
    np.testing.assert_array_equal(optimal_partition(values, None, k), expected)


def test_signed_zeros_are_one_value():
    np.testing.assert_array_equal(optimal_partition(np.array([0.0, -0.0, 1.0]), None, 2), [0, 1])


def test_one_cluster_is_the_mean():
    r = np.random.default_rng(4)
    values, weights = 1e8 + r.normal(size=1000), r.uniform(size=1000)
    (centre,) = optimal_partition(values, weights, 1)
    assert centre == pytest.approx(1e8 + np.average(values - 1e8, weights=weights), rel=1e-15)


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match="expects a positive weight, but all 3 are zero"):
        optimal_partition(np.arange(3.0), np.zeros(3), 2)


@pytest.mark.parametrize("heavy, light", [(1e20, 1.0), (1e200, 1.0), (1e300, 1e-100)])
def test_a_weight_beyond_all_others(heavy, light):
    values, weights = np.array([0.0, 1.0, 5.0, 6.0, 8.0]), np.array([heavy, *[light] * 4])
    for k in (2, 3, 4):
        assert excess(values, weights, k)[1] < 1e-29
        assert len(set(optimal_partition(values, weights, k))) == k  # each among its own values


@given(seed=st.integers(0, 10**6), k=st.integers(1, 8))
def test_no_local_search_is_better(seed, k):
    r = np.random.default_rng(seed)
    X = np.round(r.standard_t(2, size=(60, 1)), 1)
    w = r.integers(1, 4, 60).astype(float)
    with open_points(X, w, frame_rows(X, w, 1).frame, 1) as points:
        seeds = points.rows(r.choice(60, k, replace=False))
        plain_lloyd = run_lloyd(points, seeds, tol=0.0, max_iter=300)
        searched = improve(points, plain_lloyd, np.random.RandomState(seed))
        best = optimal_partition(points.rows(slice(None))[:, 0], w, k)
        labels = np.full(60, -1, np.int32)
        points.assign(best[:, None], labels)
        inertia, _ = points.summarise(best[:, None], labels)
    assert inertia <= searched.inertia * (1 + 1e-12) + 1e-24


@TWINS
def test_memory_is_below_a_hundred_bytes_a_value(kernel, monkeypatch):
    monkeypatch.setattr(exact, "load", lambda part: kernel)
    monkeypatch.setattr(exact, "CHUNK", 4096)
    monkeypatch.setattr(plain, "CHUNK", 4096)
    values = np.random.default_rng(5).normal(size=100_000)
    optimal_partition(values[:100], None, 3)
    tracemalloc.start()
    optimal_partition(values, None, 6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * len(values) if kernel is compiled else peak < 130 * len(values)


@given(
    numbers=st.lists(
        st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30) | st.just(0.0), min_size=4, max_size=4
    )
)
def test_twofold_numbers_have_a_hundred_bits(numbers):
    a, b, c, d = numbers
    ah, al = twofold.two_sum(a, b)
    assert Fraction(ah) + Fraction(al) == Fraction(a) + Fraction(b)
    ph, pl = twofold.two_product(c, d)
    assert Fraction(ph) + Fraction(pl) == Fraction(c) * Fraction(d)
    one, other = Fraction(ah) + Fraction(al), Fraction(ph) + Fraction(pl)
    bound = (abs(one) + abs(other)) / 2**102
    for operation, expected in ((twofold.plus, one + other), (twofold.minus, one - other)):
        high, low = operation(ah, al, ph, pl)
        assert abs(Fraction(high) + Fraction(low) - expected) <= bound
    high, low = twofold.times(c, ah, al)
    assert abs(Fraction(high) + Fraction(low) - Fraction(c) * one) <= abs(c) * abs(one) / 2**100


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_in_double_precision_never_exceed_the_cost(kind):
    r = np.random.default_rng(6)
    for weights in (np.ones(300), np.exp(9.0 * r.normal(size=300))):
        values, mass = exact._distinct(KINDS[kind](r, 300), weights)
        exponent = int(np.frexp(np.abs(values).max())[1])
        _, prefix = exact._prefix_sums(values, exponent, mass)
        j, i = np.triu_indices(len(values) + 1, 1)
        last = np.zeros(len(values) + 1)
        bound = plain._bound(prefix, last, plain.rounding(prefix), j, i)
        assert (bound <= twofold.cost(prefix[:, i], prefix[:, j])).all()


def test_bounds_leave_little_to_price_exactly():
    r = np.random.default_rng(7)
    values, mass = exact._distinct(r.normal(size=300), r.uniform(0.5, 2.0, 300))
    _, prefix = exact._prefix_sums(values, 3, mass)
    j, i = np.triu_indices(len(values) + 1, 2)
    bound = plain._bound(prefix, np.zeros(len(values) + 1), plain.rounding(prefix), j, i)
    np.testing.assert_allclose(bound, twofold.cost(prefix[:, i], prefix[:, j]), rtol=0.01)

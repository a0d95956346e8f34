"""Lloyd's iterations: the laws they keep, whatever way is taken to the same labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.core.blocks import ArraySource
from mixtures.core.discriminants import HARD, Frame
from mixtures.core.lloyd import LloydStop, run_lloyd, shrinkage
from mixtures.core.points import DensePoints
from mixtures.core.seeding import nearest
from mixtures.core.statistics import NONE

from .registry import gaussian_rows


def points(X, sample_weight=None, n_threads=1, frame=None):
    return DensePoints(ArraySource(X, sample_weight, n_threads=n_threads, frame=frame))


def direct_inertia(X, sample_weight, centres):
    squared = ((X[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
    return float(squared.sum() if sample_weight is None else squared @ sample_weight)


def same(one, other):
    for a, b in zip(one[:2], other[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert one[2:] == other[2:]


@pytest.mark.parametrize(("n", "d", "k"), [(6000, 20, 60), (3000, 2, 5), (2000, 300, 8)])
def test_neither_margins_nor_threads_change_a_bit(n, d, k):
    X, _ = gaussian_rows(n, d, 0, k)
    X = X / 5.0
    runs = [
        run_lloyd(points(X, n_threads=t), X[:k], tol=0, max_iter=40, bounded=bounded)
        for bounded in (False, True, None)
        for t in (1, 2, 3)
    ]
    for other in runs[1:]:
        same(runs[0], other)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 9), st.booleans(), st.booleans())
def test_the_trace_is_the_inertia_and_never_rises(seed, d, k, weighted, grid):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rng.integers(k, 80), d)) * 10.0 ** rng.integers(-3, 4)
    if grid:  # repeated rows and ties
        X = np.round(X / X.std())
    w = rng.integers(1, 5, len(X)).astype(float) if weighted else None
    start = X[rng.integers(len(X), size=k)]
    seen = [direct_inertia(X, w, start)]

    def monitor(n_iter, centres, labels):
        seen.append(direct_inertia(X, w, centres))
        return False

    found = run_lloyd(points(X, w), start, tol=0, max_iter=50, monitor=monitor)
    size = max(seen[0], 1e-300)
    np.testing.assert_allclose(found.trace, seen, rtol=0, atol=1e-12 * size)
    assert (np.diff(found.trace) <= 0).all()
    assert found.trace[-1] == found.inertia
    assert len(found.trace) == found.n_iter + 1
    squared = ((X[:, None] - found.centres) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found.labels, squared.argmin(axis=1))


def test_a_tiny_inertia_beside_a_large_scatter_is_exact():
    rng = np.random.default_rng(0)
    groups = 1e6 * rng.normal(size=(3, 2))
    X = groups[rng.integers(3, size=300)] + 1e-3 * rng.normal(size=(300, 2))
    start = X[[np.argmin(((X - g) ** 2).sum(axis=1)) for g in groups]]
    found = run_lloyd(points(X), start, tol=0, max_iter=50)
    assert found.trace[-1] == pytest.approx(direct_inertia(X, None, found.centres), rel=1e-12)
    assert found.trace[0] == pytest.approx(direct_inertia(X, None, start), rel=1e-6)


def test_an_iteration_is_the_engines_hard_sweep():
    X, _ = gaussian_rows(3000, 5, 1, 7)
    start = X[:7]
    with ArraySource(X) as source:
        stats = source.accumulate(
            nearest(source, start, np.eye(5), np.zeros_like(start)), NONE, HARD
        )
        moved = run_lloyd(DensePoints(source), start, tol=0, max_iter=1).centres
    np.testing.assert_allclose(moved, stats.first / stats.counts[:, None], rtol=1e-12, atol=1e-12)


def test_empty_clusters_are_given_the_farthest_rows():
    X = np.array([[0.0], [0.1], [10.0], [10.1], [50.0], [50.0]])
    found = run_lloyd(points(X), np.array([[0.0], [10.0], [1e3]]), tol=0, max_iter=20)
    assert sorted(found.centres.ravel()) == pytest.approx([0.05, 10.05, 50.0])
    assert (np.diff(found.trace) <= 0).all()
    repeated = run_lloyd(
        points(X[:5], np.array([1.0, 1, 1, 1, 2])),
        np.array([[0.0], [10.0], [1e3]]), tol=0, max_iter=20,
    )  # fmt: skip
    np.testing.assert_array_equal(repeated.centres, found.centres)
    assert repeated.trace == pytest.approx(found.trace, rel=1e-14, abs=1e-10)


def test_clusters_stay_empty_where_every_row_is_its_own_centre():
    X = np.array([[1.0, 2.0], [3.0, 4.0]] * 5)
    found = run_lloyd(points(X), np.array([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]), tol=0, max_iter=9)
    assert found.inertia == 0.0 and set(found.labels) == {0, 1}
    np.testing.assert_array_equal(found.centres[2], [9.0, 9.0])


def test_a_row_of_huge_weight_that_leaves_takes_its_rounding_along():
    X = np.array([[0.0], [1.0], [2.0], [40.0]])
    w = np.array([1e-3, 1e-3, 1e-3, 1e15])
    found = run_lloyd(points(X, w), np.array([[30.0], [60.0]]), tol=0, max_iter=50)
    assert sorted(found.centres.ravel()) == pytest.approx([1.0, 40.0], rel=1e-12)
    assert len(found.trace) == found.n_iter + 1 and (np.diff(found.trace) <= 0).all()


def test_why_it_stopped_is_told():
    X, _ = gaussian_rows(500, 3, 2, 4)
    start, scatter = X[:4], float(((X - X.mean(axis=0)) ** 2).sum())
    assert run_lloyd(points(X), start, tol=0, max_iter=99).reason is LloydStop.SETTLED
    assert run_lloyd(points(X), start, tol=scatter, max_iter=99).reason is LloydStop.CONVERGED
    assert run_lloyd(points(X), start, tol=0, max_iter=1).reason is LloydStop.MAX_ITER
    stop = run_lloyd(points(X), start, tol=0, max_iter=99, monitor=lambda i, *_: i == 2)
    assert stop.reason is LloydStop.CALLBACK and stop.n_iter == 2


def test_margins_shrink_by_the_own_and_the_fastest_other_move():
    np.testing.assert_allclose(shrinkage(np.array([1.0, 5.0, 2.0])), [6.0, 7.0, 7.0], rtol=1e-8)
    np.testing.assert_array_equal(shrinkage(np.array([3.0])), [0.0])


def test_the_frame_changes_nothing_but_the_units():
    X, _ = gaussian_rows(800, 3, 3, 4)
    plain = run_lloyd(points(X), X[:4], tol=0, max_iter=99)
    frame = Frame(np.full(3, 0.5), np.full(3, 0.25))
    framed = run_lloyd(points(X, frame=frame), frame.to_frame(X[:4]), tol=0, max_iter=99)
    np.testing.assert_allclose(frame.from_frame(framed.centres), plain.centres, rtol=1e-12)
    assert framed.inertia * 16 == pytest.approx(plain.inertia, rel=1e-12)


def test_a_relocated_centre_is_not_at_rest():
    """The clusters that share a far row's new centre go on, however little the others move."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    X[1000:] += 20.0
    start = np.array([X[:1000].mean(axis=0), X[1000:].mean(axis=0), [1e3, 1e3]])
    found = run_lloyd(points(X), start, tol=1e-4 * X.var(axis=0).mean(), max_iter=99)
    assert found.n_iter > 3 and np.bincount(found.labels).min() > 300


def test_totals_survive_a_row_of_nearly_all_weight():
    X, w = np.array([[0.0], [1.0], [2.0], [10.0]]), np.array([1.0, 1.0, 1.0, 1e17])
    found = run_lloyd(points(X, w), np.array([[1.0], [1.0]]), tol=0, max_iter=50)
    assert sorted(found.centres.ravel()) == pytest.approx([1.0, 10.0], rel=1e-12)
    assert np.isfinite(found.trace).all() and found.inertia == pytest.approx(2.0)


def test_many_rows_equally_far_from_an_empty_cluster():
    X = np.tile([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0]], (5000, 1))
    found = run_lloyd(points(X), np.array([[0.0, 0.0], [1e3, 1e3]]), tol=0, max_iter=9)
    np.testing.assert_array_equal(np.sort(np.bincount(found.labels)), [5000, 10000])

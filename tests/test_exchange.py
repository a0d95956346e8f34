"""The local search after Lloyd's iterations: never worse, exact in its weights, at rest."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from mixtures.core.exchange import improve
from mixtures.core.lloyd import LloydStop, run_lloyd
from mixtures.core.plusplus import plusplus
from mixtures.core.point_frame import frame_rows, open_points


@contextmanager
def points_of(X, w=None, n_threads=1):
    with open_points(X, w, frame_rows(X, w, n_threads).frame, n_threads) as points:
        yield points


def lloyd_from(points, rows, *, tol=0.0, max_iter=300):
    """Lloyd's iterations from seeds (k, d) in the units of the data."""
    return run_lloyd(points, points.frame.to_frame(rows), tol=tol, max_iter=max_iter)


def blobs(seed=0, n=300, d=3, k=6, lattice=False, noise=1.0):
    r = np.random.default_rng(seed)
    X = 4.0 * r.normal(size=(k, d))[r.integers(0, k, n)] + noise * r.normal(size=(n, d))
    return np.round(X) if lattice else X


def grid(side, rows, spread, seed=0):
    centres = np.array([(i, j) for i in range(side) for j in range(side)], float)
    noise = spread * np.random.default_rng(seed).normal(size=(side**2, rows, 2))
    return (centres[:, None] + noise).reshape(-1, 2), centres


def squares(Z, centres):
    return ((Z[:, None] - centres) ** 2).sum(axis=2)


def check(points, run, start):
    """What holds for every result."""
    squared, each = squares(points.rows(slice(None)), run.centres), np.arange(points.n_rows)
    w = np.ones(points.n_rows) if points.sample_weight is None else points.sample_weight
    own = squared[each, run.labels]
    size = squared.max()
    assert (own <= squared.min(axis=1) + 1e-13 * size).all()
    assert run.inertia == pytest.approx(w @ own, rel=1e-12, abs=1e-13 * size * w.sum())
    assert run.inertia <= start.inertia
    assert run.trace[-1] == run.inertia
    assert run.trace[: len(start.trace) - 1] == start.trace[:-1]
    assert (np.diff(run.trace[len(start.trace) - 1 :]) <= 0).all()
    assert len(run.trace) - run.n_iter == len(start.trace) - start.n_iter


def wants_to_move(Z, w, labels):
    """By how much the best move of a distinct row lowers the inertia: each one is tried."""
    rows, number = np.unique(Z, axis=0, return_inverse=True)
    number = number.reshape(-1)

    def inertia(labels):
        total = 0.0
        for c in np.unique(labels):
            z, u = Z[labels == c], w[labels == c]
            total += u @ ((z - np.average(z, axis=0, weights=u)) ** 2).sum(axis=1)
        return total

    before, largest = inertia(labels), 0.0
    for g in range(len(rows)):
        for c in np.unique(labels):
            moved = np.where(number == g, c, labels)
            largest = max(largest, before - inertia(moved))
    return largest / before if before else 0.0


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    d=st.integers(1, 4),
    k=st.integers(1, 9),
    lattice=st.booleans(),
    weighted=st.booleans(),
    max_iter=st.sampled_from([1, 3, 300]),
)
def test_never_worse_than_lloyd_from_the_same_seeds(seed, n, d, k, lattice, weighted, max_iter):
    X, r = blobs(seed, n, d, lattice=lattice), np.random.default_rng(seed)
    w = np.exp(2.0 * r.normal(size=n)) if weighted else None
    with points_of(X, w) as points:
        start = lloyd_from(points, X[r.integers(0, n, k)], max_iter=max_iter)
        before = start.labels.copy(), list(start.trace)
        run = improve(points, start, np.random.RandomState(seed), n_swaps=6)
        check(points, run, start)
    assert (start.labels == before[0]).all() and start.trace == before[1]  # values in, values out
    assert run.reason is LloydStop.SETTLED


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_single_exchange_lowers_the_inertia_of_the_result(seed, lattice, weighted):
    X, r = blobs(seed, 40, 2, k=3, lattice=lattice, noise=3.0), np.random.default_rng(seed)
    w = r.integers(1, 5, 40).astype(float) if weighted else np.ones(40)
    with points_of(X, w) as points:
        start = lloyd_from(points, np.unique(X, axis=0)[:5])
        run = improve(points, start, np.random.RandomState(0), n_swaps=0)
        assert wants_to_move(points.rows(slice(None)), w, run.labels) < 1e-9


def test_lloyd_alone_does_leave_exchanges():
    """So that the law above cannot pass by Lloyd's iterations."""
    left = 0
    for seed in range(5):
        X = blobs(seed, 40, 2, k=3, noise=3.0)
        with points_of(X) as points:
            start = lloyd_from(points, np.unique(X, axis=0)[:5])
            left += wants_to_move(points.rows(slice(None)), np.ones(40), start.labels) > 1e-9
    assert left >= 2


def test_an_exchange_that_lloyd_does_not_see():
    """{0, 1.9} and {3}: 1.9 is nearer to 0.95, but its going takes 1.9 from the inertia."""
    X = np.array([[0.0], [1.9], [3.0]])
    with points_of(X) as points:
        start = lloyd_from(points, np.array([[0.9], [3.0]]))
        run = improve(points, start, np.random.RandomState(0), n_swaps=0)
        scale = points.frame.scale[0]
    assert start.labels.tolist() == [0, 0, 1] and run.labels.tolist() == [0, 1, 1]
    assert start.inertia / scale**2 == pytest.approx(1.9**2 / 2)
    assert run.inertia / scale**2 == pytest.approx(1.1**2 / 2)


def test_a_swap_mends_what_exchanges_cannot():
    """Two centres in one blob and one between two: both neighbourhoods of a row are no help."""
    X, centres = grid(3, 30, 0.05)
    seeds = np.vstack([X[:2], centres[[1, 2, 3, 4, 5, 6]], centres[[7, 8]].mean(axis=0)])
    with points_of(X) as points:
        best = lloyd_from(points, centres)
        start = lloyd_from(points, seeds)
        exchanged = improve(points, start, np.random.RandomState(0), n_swaps=0)
        swapped = improve(points, start, np.random.RandomState(0))
    assert start.inertia > 2.0 * best.inertia and exchanged.inertia > 2.0 * best.inertia
    assert swapped.inertia == pytest.approx(best.inertia, rel=1e-12)
    assert len(swapped.trace) > len(start.trace)


def test_better_on_average_than_lloyd_after_greedy_seeding():
    X, _ = grid(5, 20, 0.2)
    gains = []
    with points_of(X) as points:
        for seed in range(8):
            rng = np.random.RandomState(seed)
            seeds = points.rows(plusplus(points, 25, rng))
            start = run_lloyd(points, seeds, tol=0.0, max_iter=300)
            gains.append(1.0 - improve(points, start, rng).inertia / start.inertia)
    assert min(gains) >= 0.0 and np.mean(gains) > 0.02


def fitted(X, w, seeds, n_swaps=8, n_threads=1):
    with points_of(X, w, n_threads) as points:
        start = lloyd_from(points, seeds, max_iter=5)
        run = improve(points, start, np.random.RandomState(3), n_swaps=n_swaps)
        centres = points.frame.from_frame(run.centres)
        return run, centres, run.inertia / points.frame.scale[0] ** 2


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_integer_weights_are_repeated_rows(seed, lattice):
    """900 rows or 2000: the draw of a swap knows neither their number nor their order."""
    X, r = blobs(seed, 900, 2, lattice=lattice, noise=2.0), np.random.default_rng(seed)
    w = r.integers(1, 4, 900)
    one, centres, inertia = fitted(X, w.astype(float), X[:12])
    again, other, same = fitted(np.repeat(X, w, axis=0), None, X[:12])
    np.testing.assert_array_equal(again.labels, np.repeat(one.labels, w))
    np.testing.assert_allclose(other, centres, rtol=1e-9, atol=1e-9)
    assert same == pytest.approx(inertia, rel=1e-11)
    assert again.n_iter == one.n_iter
    assert fitted(X, None, X[:12])[2] != pytest.approx(inertia / 2, rel=1e-5)  # weights do matter


@pytest.mark.parametrize("lattice", [False, True])
def test_the_order_of_rows_does_not_matter(lattice):
    X, r = blobs(1, 700, 2, lattice=lattice, noise=2.0), np.random.default_rng(1)
    w, order = r.uniform(0.5, 2.0, 700), r.permutation(700)
    one, centres, inertia = fitted(X, w, X[:12])
    again, other, same = fitted(X[order], w[order], X[:12])
    np.testing.assert_array_equal(again.labels, one.labels[order])
    np.testing.assert_allclose(other, centres, rtol=1e-9, atol=1e-9)
    assert same == pytest.approx(inertia, rel=1e-11) and again.n_iter == one.n_iter


def test_the_same_bits_for_any_number_of_threads():
    X = blobs(2, 6000, 2, noise=2.0)
    one, other = fitted(X, None, X[:12]), fitted(X, None, X[:12], n_threads=3)
    assert one[1].tobytes() == other[1].tobytes() and one[0].trace == other[0].trace


def test_all_copies_of_a_row_move_together():
    X = np.repeat(blobs(4, 60, 2, lattice=True, noise=2.0), 3, axis=0)
    run = fitted(X, None, np.unique(X, axis=0)[:8])[0]
    assert (run.labels.reshape(60, 3) == run.labels[::3, None]).all()


@pytest.mark.parametrize("k", [1, 4, 7])
def test_fewer_distinct_rows_than_centres(k):
    X = np.repeat(np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 2.0], [5.0, 3.0]]), 4, axis=0)
    with points_of(X) as points:
        start = lloyd_from(points, X[np.arange(k)])
        run = improve(points, start, np.random.RandomState(0))
        check(points, run, start)
    if k >= 4:
        assert run.inertia == 0.0


def test_rows_that_are_all_equal():
    X = np.full((20, 3), 7.0)
    with points_of(X) as points:
        start = lloyd_from(points, X[:3])
        run = improve(points, start, np.random.RandomState(0))
    assert run.inertia == 0.0 and np.isfinite(run.centres).all()


@pytest.mark.parametrize("scale, shift", [(1e-150, 0.0), (1e150, 0.0), (1.0, 1e8)])
def test_extreme_units_and_offsets(scale, shift):
    """The order in which rows are drawn and looked at is another one, the laws are the same."""
    X = blobs(6, 200, 2, noise=2.0) * scale + shift
    with points_of(X) as points:
        start = lloyd_from(points, X[:9])
        run = improve(points, start, np.random.RandomState(0))
        check(points, run, start)
        assert wants_to_move(points.rows(slice(None)), np.ones(200), run.labels) < 1e-9
    assert run.inertia < start.inertia


def test_weights_of_all_sizes_end():
    X, r = blobs(7, 100, 2, noise=2.0), np.random.default_rng(7)
    w = 10.0 ** r.uniform(-25, 25, 100)
    with points_of(X, w) as points:
        start = lloyd_from(points, X[:6])
        run = improve(points, start, np.random.RandomState(0))
        check(points, run, start)
    assert run.reason is LloydStop.SETTLED


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize("n_swaps", [0, 9])
def test_a_monitor_sees_each_entry_and_can_stop(stop, n_swaps):
    X, _ = grid(4, 30, 0.3)
    seen, rng = [], np.random.RandomState(0)

    def monitor(iteration, centres, labels):
        seen.append(iteration)
        return len(seen) == stop

    with points_of(X) as points:
        start = lloyd_from(points, X[:16], max_iter=2)
        run = improve(points, start, rng, n_swaps=n_swaps, monitor=monitor)
        check(points, run, start)
    assert run.reason is LloydStop.CALLBACK
    assert seen == list(range(start.n_iter + 1, run.n_iter + 1)) and len(seen) == stop


def test_a_sweep_that_was_the_last_leaves_rows_with_their_nearest_centres():
    X = blobs(5, 2000, 2, noise=3.0)
    with points_of(X) as points:
        start = lloyd_from(points, X[:40], max_iter=1)._replace(reason=LloydStop.SETTLED)
        stop = {"n_swaps": 0, "monitor": lambda *_: True}
        check(points, improve(points, start, np.random.RandomState(0), **stop), start)


def test_sparse_rows_are_searched_as_dense_ones():
    X = np.maximum(blobs(8, 300, 5, lattice=True) - 3.0, 0.0)
    with points_of(csr_array(X)) as points:
        start = lloyd_from(points, X[:9])
        run = improve(points, start, np.random.RandomState(0))
        check(points, run, start)
        assert wants_to_move(points.rows(slice(None)), np.ones(300), run.labels) < 1e-9
    assert run.inertia < start.inertia

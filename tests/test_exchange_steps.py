"""The steps of the local search, one by one: draws, moves and bounds."""

from __future__ import annotations

import numpy as np

from mixtures.core import exchange
from mixtures.core.distinct import DistinctRows
from mixtures.core.exchange import improve
from mixtures.core.lloyd import LloydStop

from .test_exchange import blobs, check, lloyd_from, points_of, squares


def test_bounds_pass_over_no_row_that_would_move(monkeypatch):
    X = blobs(5, 2000, 2, noise=3.0)
    with points_of(X) as points:
        start = lloyd_from(points, X[:40], max_iter=1)._replace(reason=LloydStop.SETTLED)
        counts, found = [], exchange._Exchange._candidates

        def counted(self):
            candidates = found(self)
            counts.append(len(candidates))
            return candidates

        monkeypatch.setattr(exchange._Exchange, "_candidates", counted)
        run = improve(points, start, np.random.RandomState(0), n_swaps=0)
        monkeypatch.setattr(exchange._Exchange, "_candidates", lambda self: np.arange(2000))
        unbounded = improve(points, start, np.random.RandomState(0), n_swaps=0)
        check(points, run, start)
    assert run.trace == unbounded.trace and len(run.trace) > len(start.trace) + 5
    assert counts[0] == 2000 and counts[-1] < 500  # they are of use


def test_rows_are_drawn_by_weight_times_squared_distance(monkeypatch):
    drawn = []
    monkeypatch.setattr(exchange, "pick", lambda total, rng: drawn.append(total) or 0)
    X, w = blobs(3, 50, 2), np.random.default_rng(3).uniform(1.0, 9.0, 50)
    with points_of(X, w) as points:
        start = lloyd_from(points, X[:4])
        improve(points, start, np.random.RandomState(0), n_swaps=1)
        expected = w * squares(points.rows(slice(None)), start.centres).min(axis=1)
    np.testing.assert_allclose(np.sort(np.diff(drawn[0], prepend=0.0)), np.sort(expected))


def test_means_follow_each_row_that_moves(monkeypatch):
    X, found, shifts = blobs(5, 500, 2, noise=3.0), exchange.means, []

    def measured(totals, centres):
        new = found(totals, centres)
        shifts.append(np.abs(new - centres).max())
        return new

    with points_of(X) as points:
        start = lloyd_from(points, X[:40], max_iter=1)._replace(reason=LloydStop.SETTLED)
        monkeypatch.setattr(exchange, "means", measured)
        run = improve(points, start, np.random.RandomState(0), n_swaps=0)
    assert len(run.trace) > len(start.trace) + 2 and max(shifts[1:]) < 1e-12 < shifts[0]


def test_a_row_alone_stays_though_rounding_leaves_weight_beside_it():
    X = np.array([[0.0], [0.5], [5.0]])
    with points_of(X) as points:
        start = lloyd_from(points, X[[0, 2]])
        state = exchange._Exchange(points, DistinctRows(points, np.random.RandomState(0)), start)
        (alone,) = np.flatnonzero(state.distinct.first == 2)
        state.totals[1, -2] += 1e-3
        state.centres[1] += 1e3
        assert not state._move(int(alone), points.rows([2])[0])
        state.rows[1] = 2  # it is this that holds it
        assert state._move(int(alone), points.rows([2])[0])


def test_lloyd_moves_the_many_rows_before_exchanges_move_the_few(monkeypatch):
    X, move, moved = blobs(5, 2000, 2, noise=3.0), exchange._Exchange._move, []
    monkeypatch.setattr(exchange._Exchange, "_move", lambda *a: moved.append(1) or move(*a))
    counts = []
    with points_of(X) as points:
        start = lloyd_from(points, X[:40], max_iter=1)
        for reason in (LloydStop.SETTLED, LloydStop.MAX_ITER):
            moved.clear()
            improve(points, start._replace(reason=reason), np.random.RandomState(0), n_swaps=0)
            counts.append(len(moved))
    assert counts[1] < counts[0] / 2

"""The quadratic programme and the climb on a working set, against SciPy and enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.core.proportions.densities import from_densities
from mixtures.core.proportions.newton import Climb, _taught
from mixtures.core.proportions.quadratic import step_of
from mixtures.core.proportions.source import DensitySource


def model(H, slope, p, y):
    return slope @ (y - p) - 0.5 * (y - p) @ H @ (y - p)


def best_by_enumeration(H, slope, p):
    """The best non-negative point among those that are free on some columns and zero elsewhere."""
    m, b, best = len(p), slope + H @ p, np.zeros(len(p))
    for size in range(1, m + 1):
        for free in map(list, combinations(range(m), size)):
            y = np.zeros(m)
            y[free] = np.linalg.lstsq(H[np.ix_(free, free)], b[free], rcond=None)[0]
            if y.min() >= 0 and model(H, slope, p, y) > model(H, slope, p, best):
                best = y
    return best


@given(m=st.integers(1, 6), rank=st.integers(1, 8), seed=st.integers(0, 9999))
def test_the_step_is_the_best_of_the_model(m, rank, seed):
    """H from positive numbers, as curvatures of log-likelihoods are; possibly singular."""
    rng = np.random.default_rng(seed)
    G = rng.random((rank, m)) * 10.0 ** rng.integers(-3, 4, size=m)
    H, p = G.T @ G, rng.random(m) * (rng.random(m) < 0.6)
    slope = G.T @ rng.normal(size=rank)  # in the range of H, as gradients there are
    y = step_of(H, slope, p)
    assert y.min() >= 0
    best = model(H, slope, p, best_by_enumeration(H, slope, p))
    reach = model(H, slope, p, y)
    assert reach >= best - 1e-7 * max(1.0, abs(best))


def test_a_column_of_no_curvature_stays_empty():
    H = np.diag([1.0, 0.0])
    np.testing.assert_allclose(step_of(H, np.array([0.5, 0.0]), np.array([0.5, 0.5])), [1.0, 0.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_curvature_that_is_no_number_moves_nothing(bad):
    p = np.array([0.5, 0.5])
    np.testing.assert_array_equal(step_of(np.array([[1.0, bad], [bad, 1.0]]), p, p), p)


def test_equal_columns_are_moved_least():
    H = np.ones((2, 2))
    y = step_of(H, np.array([0.2, 0.2]), np.array([0.3, 0.5]))
    np.testing.assert_allclose(y, [0.4, 0.6], atol=1e-4)


@given(seed=st.integers(0, 999), K=st.integers(2, 8), n=st.integers(2, 60))
def test_every_step_climbs_and_the_end_is_optimal(seed, K, n):
    rng = np.random.default_rng(seed)
    F = rng.random((n, K)) ** 4 * (rng.random((n, K)) < 0.7) + 1e-4 * rng.random((n, K))
    every = np.arange(K)
    with DensitySource(from_densities(F)) as source:
        climb = Climb(lambda p, h: source.evaluate_on(every, p, h), np.full(K, 1 / K), 1e-10)
        climb.run(200)
    values = np.array([place.at.value for place in climb.places])
    assert (np.diff(values) >= -1e-14).all()
    assert climb.places[-1].gap <= 1e-10
    for place in climb.places:
        assert place.p.min() >= 0
        assert place.p.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_taught_curvature_gives_the_change_it_was_taught():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 5))
    H, move = A @ A.T, rng.normal(size=5)
    change = (H + np.diag(rng.random(5))) @ move
    new = _taught(H, move, change)
    np.testing.assert_allclose(new @ move, change)
    np.testing.assert_allclose(new, new.T)
    assert np.linalg.eigvalsh(new)[0] > 0
    np.testing.assert_array_equal(_taught(H, move, -change), H)

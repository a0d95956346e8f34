"""Greedy k-means++ over all rows: what may change the seeds, and what may not."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures.core import plusplus as module
from mixtures.core.blocks import ArraySource
from mixtures.core.plusplus import pick, plusplus
from mixtures.core.points import DensePoints

from .registry import gaussian_rows


def seeds(X, k, seed=0, sample_weight=None, **options):
    with ArraySource(X, sample_weight, n_threads=options.pop("n_threads", 1)) as source:
        return X[plusplus(DensePoints(source), k, np.random.RandomState(seed), **options)]


@pytest.mark.parametrize("seed", range(5))
def test_repetition_permutation_and_weights_are_one(seed):
    rng = np.random.default_rng(seed)
    X, _ = gaussian_rows(700, 3, seed, 6)
    counts = rng.integers(0, 5, len(X))
    repeated = np.repeat(X, counts, axis=0)
    expected = seeds(repeated, 9, seed)
    np.testing.assert_array_equal(seeds(rng.permutation(repeated), 9, seed), expected)
    kept = counts > 0
    weighted = seeds(X[kept], 9, seed, counts[kept].astype(float))
    np.testing.assert_array_equal(weighted, expected)
    np.testing.assert_array_equal(seeds(X[kept], 9, seed, counts[kept] * 0.3), expected)


def test_threads_change_no_bit():
    X, _ = gaussian_rows(9000, 12, 0, 6)
    for n_threads in (2, 3):
        found = seeds(X, 20, n_threads=n_threads)
        np.testing.assert_array_equal(found, seeds(X, 20))


def test_draws_follow_weight_times_squared_distance():
    """Second seeds of one trial, given the first, against their exact probabilities."""
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    w = np.array([2.0, 1.0, 0.5, 1.0])
    counts = np.zeros((4, 4))
    for seed in range(2000):
        with ArraySource(X, w) as source:
            i, j = plusplus(DensePoints(source), 2, np.random.RandomState(seed), n_trials=1)
        counts[i, j] += 1
    mass = w * (X - X.T) ** 2
    expected = 2000 * (w / w.sum())[:, None] * mass / mass.sum(axis=1, keepdims=True)
    chi2 = ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    assert chi2 < 35  # 11 degrees of freedom: one in 4000


def test_masses_out_of_date_are_corrected():
    """Draws by masses that are never measured again, or always, find seeds as good."""
    X, _ = gaussian_rows(60, 2, 0, 3)
    picked = {}
    for stale in (0.0, module.STALE, 2.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "STALE", stale)
            found = np.array([seeds(X, 3, s, n_trials=1)[2] for s in range(300)])
        picked[stale] = found.mean(axis=0)
    for stale in (0.0, 2.0):
        error = 4 * X.std(axis=0) * np.sqrt(2 / 300)
        assert (np.abs(picked[stale] - picked[module.STALE]) < error).all()


def test_seeds_are_spread_as_scikit_learns_are():
    cluster = pytest.importorskip("sklearn.cluster")
    X, _ = gaussian_rows(3000, 4, 5, 12)

    def potential(S):
        return ((X[:, None] - S) ** 2).sum(axis=2).min(axis=1).sum()

    ours = [potential(seeds(X, 12, s)) for s in range(20)]
    theirs = [potential(cluster.kmeans_plusplus(X, 12, random_state=s)[0]) for s in range(20)]
    assert abs(np.mean(ours) - np.mean(theirs)) < 3 * np.std(ours + theirs) / np.sqrt(10)


def test_fewer_distinct_rows_than_seeds_are_repeated():
    X = np.repeat(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 5.0]]), 7, axis=0)
    assert len(np.unique(seeds(X, 5)[:3], axis=0)) == 3


def test_a_seed_may_take_nearly_all_mass():
    """One far row among many: once it is a seed, masses fall by twenty orders of magnitude."""
    X = np.r_[np.zeros((500, 1)), 1e-6 * np.arange(1.0, 6.0)[:, None], [[1e6]]]
    found = np.sort(seeds(X, 4, 1).ravel())
    assert found[-1] == 1e6 and len(np.unique(found)) == 4


def test_distances_beyond_single_precision_end():
    far = np.array([[0.0], [1.0], [2.0], [3.0], [1e25]])
    assert len(np.unique(seeds(far, 3, 0, np.array([1.0, 1, 1, 1, 1e-60])))) == 3
    near = np.array([[-1.0], [1.0], [0.0], [1e-25]])
    for seed in range(30):
        assert len(np.unique(seeds(near, 4, seed))) >= 3


def test_a_pick_has_mass():
    cumulative = np.array([0.0, 0.0, 2.0, 2.0, 3.0, 3.0])
    rng = np.random.RandomState(0)
    assert {pick(cumulative, rng) for _ in range(200)} == {2, 4}

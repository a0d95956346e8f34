"""The default start finds what anybody can see: separated blobs, wherever and however they lie.

Blobs 10 standard deviations apart overlap by 1e-6: a start that misses them is a defect, not bad
luck. Each case is fitted from several seeds and all of them must be right.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from mixtures import GaussianMixture, PoissonMixture

from .registry import COVARIANCES, gaussian_rows

SEEDS = range(5)


def blobs(layout, k, d, seed):
    """100 k rows (100 k, d) of k blobs of unit variance, 10 apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=100 * k)
    centres = {
        "on a line": 10.0 * np.arange(k)[:, None] * np.eye(1, d),
        "on a diagonal": 10.0 * np.arange(k)[:, None] * np.ones(d) / np.sqrt(d),
        "at the corners": 10.0 * np.eye(k, d),
        "anywhere": 10.0 * rng.permutation(np.stack(np.divmod(np.arange(k), 2), 1) @ np.eye(2, d)),
    }[layout]
    return centres[labels] + rng.normal(size=(100 * k, d)), labels


@pytest.mark.parametrize("d", [2, 5, 10])
@pytest.mark.parametrize("layout", ["on a line", "on a diagonal", "anywhere"])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_separated_blobs_are_found(covariance_type, layout, d):
    """scikit-learn's default start finds all of these."""
    scores = []
    for seed in SEEDS:
        X, labels = blobs(layout, 3, d, seed)
        model = GaussianMixture(3, covariance_type=covariance_type, random_state=seed)
        scores.append(adjusted_rand_score(labels, model.fit_predict(X)))
    assert min(scores) > 0.99, np.round(scores, 2)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_one_blob_a_corner(covariance_type):
    for seed in SEEDS:
        X, labels = blobs("at the corners", 4, 5, seed)
        model = GaussianMixture(4, covariance_type=covariance_type, random_state=seed)
        assert adjusted_rand_score(labels, model.fit_predict(X)) > 0.99


@pytest.mark.parametrize("units", [[1.0, 1e-6], [1e6, 1.0], [1.0, 1e3]])
def test_units_of_the_features_do_not_hide_them(units):
    """k-means on raw data sees only the feature of largest unit."""
    for seed in SEEDS:
        X, labels = blobs("at the corners", 2, 2, seed)
        model = GaussianMixture(2, random_state=seed).fit(X * units)
        assert adjusted_rand_score(labels, model.predict(X * units)) > 0.99


def test_iris():
    """The best-known three components: -180.2 nats from any of scikit-learn's seeds."""
    X = load_iris().data
    found = [GaussianMixture(3, random_state=seed, max_iter=1000).fit(X).score(X) for seed in SEEDS]
    assert min(found) * len(X) > -181


def test_separated_counts_are_found():
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        labels = rng.integers(3, size=300)
        X = rng.poisson(np.array([[2.0] * 4, [30.0] * 4, [90.0] * 4])[labels]).astype(float)
        model = PoissonMixture(3, random_state=seed)
        assert adjusted_rand_score(labels, model.fit_predict(X)) > 0.99


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data", "random"])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_every_start_is_a_model(covariance_type, init):
    """max_iter=0 returns it: weights on the simplex, means in the data, densities finite."""
    X = gaussian_rows(200, 3, 0)[0]
    model = GaussianMixture(
        3, covariance_type=covariance_type, init_params=init, max_iter=0, random_state=0
    ).fit(X)
    assert model.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert (model.means_ >= X.min(axis=0)).all()
    assert (model.means_ <= X.max(axis=0)).all()
    assert np.isfinite(model.score(X))
    assert model.lower_bound_ == pytest.approx(model.score(X), rel=1e-12)


def test_many_rows_are_sampled_and_all_are_used():
    """k-means runs on a sample of 5 000 distinct rows; every row then counts in the start."""
    X, labels = blobs("at the corners", 3, 3, 0)
    X = np.vstack([X + 0.01 * shift for shift in np.random.default_rng(0).normal(size=(100, 1, 3))])
    assert len(X) == 30_000
    model = GaussianMixture(3, random_state=0, max_iter=0).fit(X)
    assert adjusted_rand_score(np.tile(labels, 100), model.predict(X)) > 0.99
    share = np.sort(np.bincount(labels)) / len(labels)
    np.testing.assert_allclose(np.sort(model.weights_), share, atol=1e-3)

"""k-means is EM for equal spherical components of unit variance under hard assignment."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import GaussianMixture, KMeans
from mixtures.core.discriminants import HARD

from .registry import gaussian_rows


def spherical(X, means):
    """A mixture of equal weights and unit variances about `means`, before its first iteration."""
    k = len(means)
    return GaussianMixture(
        k, covariance_type="spherical", reg_covar=0.0, tol=0.0, acceleration=None,
        weights_init=np.full(k, 1 / k), means_init=means, precisions_init=np.ones(k),
    )  # fmt: skip


def hard_iteration(X, means, sample_weight=None):
    """One classification-EM iteration: new means, and the classification log-likelihood."""
    mixture = spherical(X, means)
    with mixture._source(X, sample_weight) as (source, totals):
        family = mixture._family(source, totals)
        given = mixture._given_start(X.shape[1])
        params = mixture._to_frame(mixture._params(**given), source.frame)
        stats = source.accumulate(family.discriminants(params), family.moments, HARD)
        moved = mixture._to_data_units(family.m_step(stats, params), source.frame)
        jacobian = source.total_weight * source.frame.log_jacobian
        return moved.means, stats.log_likelihood + jacobian


@pytest.mark.parametrize("weighted", [False, True])
def test_every_iteration_is_that_of_the_hard_mixture(weighted):
    X, _ = gaussian_rows(900, 3, 0, 5)
    w = np.random.default_rng(0).integers(1, 4, 900).astype(float) if weighted else None
    mass = 900.0 if w is None else w.sum()
    means = start = X[:5]
    for n_iter in range(1, 8):
        means, log_likelihood = hard_iteration(X, means, w)
        km = KMeans(5, init=start, n_init=1, max_iter=n_iter, tol=0).fit(X, sample_weight=w)
        np.testing.assert_allclose(km.cluster_centers_, means, rtol=1e-10, atol=1e-10)
        inertia = [km.initial_inertia_, *km.inertias_][n_iter - 1]
        constant = mass * (np.log(5) + 1.5 * np.log(2 * np.pi))
        assert log_likelihood == pytest.approx(-0.5 * inertia - constant, rel=1e-12)


def test_labels_are_the_hard_mixtures():
    X, _ = gaussian_rows(600, 4, 1, 4)
    km = KMeans(4, random_state=0).fit(X)
    mixture = spherical(X, km.cluster_centers_).set_params(max_iter=0).fit(X)
    mixture.weights_, mixture.means_ = np.full(4, 0.25), km.cluster_centers_
    mixture.covariances_ = np.ones(4)
    np.testing.assert_array_equal(mixture.predict(X), km.labels_)

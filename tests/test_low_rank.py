"""Low-rank covariances in mixtures: what they equal, what changes nothing, what EM climbs."""

from __future__ import annotations

import tracemalloc
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.metrics import adjusted_rand_score

from mixtures import GaussianMixture
from mixtures.core import low_rank
from mixtures.core.certificate import Verdict
from mixtures.covariance import GaussianParams, LowRank
from mixtures.covariance import low_rank as structures
from mixtures.priors import NormalInverseWishart

from .draws import factor_rows, gaussian_rows
from .registry import problem

NOISES = ("isotropic", "diagonal")


def some_params(k=3, d=6, q=2, seed=0, isotropic=False):
    rng = np.random.default_rng(seed)
    covariances = rng.standard_normal((k, d, q + 1))
    covariances[..., -1] = rng.uniform(0.2, 2.0, (k, 1) if isotropic else (k, d))
    return GaussianParams(rng.dirichlet(np.ones(k)), rng.standard_normal((k, d)), covariances)


# ---- what the structure says is what dense matrices say ----------------------------------------


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(5, 9))
@settings(max_examples=20, deadline=None)
def test_algebra_without_matrices(seed, q, d):
    params, ridge = some_params(2, d, q, seed), np.linspace(0.1, 1.0, d)
    structure = LowRank(q, "diagonal")
    dense = structure.dense(params)
    w = low_rank.whiten(params.covariances[0, :, :-1], params.covariances[0, :, -1])
    inverse = np.linalg.inv(dense[0])
    away = np.random.default_rng(seed).standard_normal((5, d))
    expected = stats.multivariate_normal(np.zeros(d), dense[0]).logpdf(away)
    np.testing.assert_allclose(low_rank.log_densities(w, away), expected, rtol=1e-10)
    np.testing.assert_allclose(low_rank.precision(w), inverse, rtol=1e-9, atol=1e-10)
    L = params.covariances[0, :, :-1]
    np.testing.assert_allclose(low_rank.posterior_means(w, away), away @ inverse @ L, atol=1e-9)
    posterior = np.eye(q) - L.T @ inverse @ L
    np.testing.assert_allclose(low_rank.posterior_covariance(w), posterior, atol=1e-9)
    np.testing.assert_allclose(low_rank.trace(w, dense[1]), np.trace(inverse @ dense[1]))
    np.testing.assert_allclose(structure.variances(params), [np.diag(S) for S in dense])
    traces = [np.trace(np.linalg.solve(S, np.diag(ridge))) for S in dense]
    np.testing.assert_allclose(structure.traces(params, ridge), traces, rtol=1e-9)
    prior = NormalInverseWishart(np.ones(d), 0.7, d + 3.0, np.eye(d) + 0.2).resolve(
        2, np.zeros(d), np.eye(d)
    )
    full = GaussianMixture()._structure.log_prior(params._replace(covariances=dense), prior)
    assert structure.log_prior(params, prior) == pytest.approx(full, rel=1e-10)


def test_rotated_loadings_are_the_same_component():
    params = some_params()
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
    turned = params.covariances.copy()
    turned[..., :-1] = turned[..., :-1] @ turn
    X = np.random.default_rng(1).standard_normal((50, 6))
    structure, values = LowRank(2, "diagonal"), []
    for covariances in (params.covariances, turned):
        own = params._replace(covariances=covariances)
        covariance = structure.dense(own)
        np.testing.assert_allclose(covariance, structure.dense(params), atol=1e-12)
        v = structure.discriminants(own)
        y = X[:, None] * v.slopes[None, ..., 0] + v.offsets[None, :, :6]
        values.append(np.einsum("nkj,kjq->nkq", y, v.slopes[..., 1:]) ** 2 @ np.ones(2))
    np.testing.assert_allclose(*values, rtol=1e-10)


# ---- special cases -----------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("k", [1, 3])
def test_of_rank_d_less_one_it_is_a_full_matrix(noise, k):
    X = gaussian_rows(400, 4, 0)[0]
    options = {"tol": 1e-11, "max_iter": 3000, "reg_covar": 0.0, "random_state": 0}
    full = GaussianMixture(k, **options).fit(X)
    fitted = GaussianMixture(k, covariance_type=LowRank(3, noise), **options).fit(X)
    assert fitted.lower_bound_ == pytest.approx(full.lower_bound_, abs=1e-7)
    dense = fitted._structure.dense(fitted._attribute_params())
    np.testing.assert_allclose(dense, full.covariances_, rtol=0, atol=2e-3)
    if noise == "isotropic":
        assert fitted.n_parameters() == full.n_parameters()


def test_one_component_of_isotropic_noise_has_a_closed_form():
    X, _ = factor_rows(k=1)
    fitted = GaussianMixture(1, covariance_type=LowRank(2), reg_covar=0.0, tol=1e-13).fit(X)
    values = np.linalg.eigvalsh(np.cov(X.T, bias=True))
    np.testing.assert_allclose(fitted.noise_variances_, [values[:-2].mean()], rtol=1e-9)
    strengths = np.linalg.svd(fitted.loadings_[0], compute_uv=False)
    np.testing.assert_allclose(strengths**2, values[:-3:-1] - values[:-2].mean(), rtol=1e-8)


@pytest.mark.parametrize("noise", NOISES)
def test_one_em_step_by_hand(noise):
    """Parameter-expanded EM for one component, with the factors' moments written out."""
    X, _ = factor_rows(200, 6, k=1)
    estimator = GaussianMixture(1, covariance_type=LowRank(2, noise), reg_covar=0.0)
    with problem(estimator, X) as (em, start):
        point = em.evaluate(em.evaluate(start).image)
        old, new = (
            estimator._to_data_units(p, em.source.frame) for p in (point.params, point.image)
        )
    L, p = old.covariances[0, :, :-1], old.covariances[0, :, -1]
    away = X - old.means[0]
    M = np.linalg.inv(np.eye(2) + (L.T / p) @ L)
    z = away @ (L.T / p).T @ M
    y = X - X.mean(axis=0)
    z = z - z.mean(axis=0)
    Szz, Sxz = M + z.T @ z / 200, y.T @ z / 200
    free = Sxz @ np.linalg.inv(Szz)  # regression on the factors, of any covariance
    residual = (y**2).mean(axis=0) - (free * Sxz).sum(axis=1)
    residual = np.full(6, residual.mean()) if noise == "isotropic" else residual
    np.testing.assert_allclose(new.means[0], X.mean(axis=0))
    np.testing.assert_allclose(new.covariances[0, :, -1], residual, rtol=1e-9)
    found = new.covariances[0, :, :-1]
    np.testing.assert_allclose(found @ found.T, free @ Szz @ free.T, rtol=1e-8, atol=1e-9)


# ---- what EM climbs ----------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10_000),
    noise=st.sampled_from(NOISES),
    rank=st.integers(1, 4),
    k=st.integers(1, 3),
    prior=st.booleans(),
    acceleration=st.sampled_from([None, "auto"]),
    reg_covar=st.sampled_from([0.0, 1e-6, 0.1]),
)
@settings(max_examples=40, deadline=None)
def test_the_objective_never_falls(seed, noise, rank, k, prior, acceleration, reg_covar):
    X, _ = factor_rows(120, 6, k=2, q=2, seed=seed, apart=1.0)
    fitted = GaussianMixture(
        k, covariance_type=LowRank(rank, noise), tol=1e-9, max_iter=60, reg_covar=reg_covar,
        acceleration=acceleration, random_state=0, prior=NormalInverseWishart() if prior else None,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fitted.fit(X)
    trace = [fitted.initial_lower_bound_, *fitted.lower_bounds_]
    assert min(b - a for a, b in pairwise(trace)) >= -1e-10


@pytest.mark.parametrize("noise", NOISES)
def test_a_fit_with_factors_to_rotate_is_a_maximum(noise):
    """Rotations of the loadings are taken out, or every fit would be on a ridge."""
    X, _ = factor_rows(600, 7, k=1, q=2)
    options = {"tol": 1e-13, "max_iter": 5000, "reg_covar": 0.0}
    fitted = GaussianMixture(1, covariance_type=LowRank(2, noise), **options).fit(X)
    found = fitted.certificate(X)
    assert found.verdict is Verdict.MAXIMUM, str(found)
    assert found.gain < 1e-4


def test_the_score_is_the_dense_one():
    X, _ = factor_rows()
    fitted = GaussianMixture(2, covariance_type=LowRank(2, "diagonal"), random_state=0).fit(X)
    dense = fitted._structure.dense(fitted._attribute_params())
    each = [
        np.log(w) + stats.multivariate_normal(m, S).logpdf(X)
        for w, m, S in zip(fitted.weights_, fitted.means_, dense, strict=True)
    ]
    np.testing.assert_allclose(fitted.score_samples(X), logsumexp(each, axis=0), rtol=1e-10)
    draws, _ = fitted.sample(40_000, random_state=0)
    own = np.cov(draws.T)
    mean = fitted.weights_ @ fitted.means_
    between = fitted.means_ - mean
    total = np.einsum("k,kij->ij", fitted.weights_, dense) + (fitted.weights_ * between.T) @ between
    np.testing.assert_allclose(own, total, rtol=0, atol=0.05 * np.abs(total).max())


# ---- many features -----------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISES)
def test_starts_with_many_features_lead_to_the_same(noise, monkeypatch):
    X, labels = factor_rows(500, 12, k=3, q=2, apart=4.0)
    options = {"tol": 1e-10, "max_iter": 3000, "random_state": 0}
    usual = GaussianMixture(3, covariance_type=LowRank(2, noise), **options).fit(X)
    monkeypatch.setattr(structures, "WIDE", 5)
    wide = GaussianMixture(3, covariance_type=LowRank(2, noise), **options).fit(X)
    assert wide.lower_bound_ == pytest.approx(usual.lower_bound_, abs=1e-6)
    assert wide.initial_lower_bound_ != usual.initial_lower_bound_
    assert len({tuple(pair) for pair in zip(labels, wide.predict(X), strict=True)}) == 3


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data", "random"])
def test_memory_is_linear_in_the_features(init):
    d, k, q = 3000, 2, 2
    X, labels = factor_rows(150, d, k, q)
    estimator = GaussianMixture(
        k, covariance_type=LowRank(q, "diagonal"), random_state=0, init_params=init, max_iter=5
    )
    estimator.set_params(tol=1e6).fit(X)  # compile
    tracemalloc.start()
    estimator.fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.8 * 8 * d * d  # less than one matrix of d by d numbers
    if init == "kmeans":
        assert len({*zip(labels, estimator.predict(X), strict=True)}) == 2


def test_a_prior_with_many_features(monkeypatch):
    monkeypatch.setattr(structures, "WIDE", 5)
    X, _ = factor_rows(200, 8)
    fitted = GaussianMixture(
        2, covariance_type=LowRank(2), prior=NormalInverseWishart(), random_state=0, tol=1e-8
    ).fit(X)
    assert np.diff(fitted.lower_bounds_).min() >= -1e-10


@pytest.mark.parametrize("d", [10, 260])
def test_components_that_cross_are_found(d):
    """Factors longer than the means are apart: k-means cuts them, EM from random seeds may not."""
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        labels, loadings = rng.integers(3, size=600), 3 * rng.standard_normal((3, d, 2))
        X = np.einsum("njq,nq->nj", loadings[labels], rng.standard_normal((600, 2)))
        X += 1.5 * rng.standard_normal((3, d))[labels] + 0.3 * rng.standard_normal((600, d))
        mixture = GaussianMixture(3, covariance_type=LowRank(2, "diagonal"), random_state=0)
        found.append(adjusted_rand_score(labels, mixture.fit_predict(X)))
    assert sorted(found)[1] > 0.95  # most of them


@pytest.mark.parametrize("strength", [1.0, 90.0, 110.0, 1e5, 1e8])
def test_precision_is_the_inverse_whatever_the_strength(strength):
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((6, 2))
    noise = np.full(6, 1.0)
    noise[0] = (loadings[0] ** 2).sum() / strength**2  # nearly an exact function of the factors
    S = low_rank.covariance(loadings, noise)
    found = low_rank.precision(low_rank.whiten(loadings, noise))
    np.testing.assert_allclose(found @ S, np.eye(6), atol=1e-7 if strength > 1e6 else 1e-10)


def test_noise_at_its_end_is_a_boundary():
    """A Heywood case in a mixture: nothing is left to know of noise that is zero."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5))
    X[:, 1] += 2 * X[:, 0]
    X[:, 2] -= X[:, 0]
    options = {"reg_covar": 0.0, "tol": 1e-13, "max_iter": 5000, "acceleration": "squarem"}
    fitted = GaussianMixture(1, covariance_type="factor", **options).fit(X)
    assert fitted.noise_variances_.min() < 1e-6
    found = fitted.certificate(X)
    assert found.verdict is Verdict.BOUNDARY_MAXIMUM, str(found)
    assert found.n_idle == 0 and found.n_boundary == 1

"""One EM step of the library is one EM step of the double loops in `naive.py`.

Tolerances: an M-step divides sums of n products of magnitude up to max|x - m|^2 by counts; n = 60
rows and conditions of about 100 leave 1e-11 of the largest entry far above rounding (60 eps
condition = 1e-12) and far below any wrong term (at least 1e-3 here).
"""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import GaussianMixture, PoissonMixture
from mixtures.priors import Dirichlet, Gamma, NormalInverseWishart

from . import naive
from .registry import COVARIANCES, MODELS, count_rows, gaussian_rows, names, problem

RTOL = 1e-11
N, D, K = 60, 3, 3


def gaussian_start(covariance_type: str, seed: int = 0):
    """Weights, means and precisions to start from, in scikit-learn's shapes."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(K, D, D))
    matrices = a @ a.transpose(0, 2, 1) + 2.0 * np.eye(D)
    precisions = {
        "full": 0.02 * matrices,
        "tied": 0.02 * matrices[0],
        "diag": rng.uniform(0.02, 0.1, (K, D)),
        "spherical": rng.uniform(0.02, 0.1, K),
    }[covariance_type]
    weights = np.array([0.5, 0.3, 0.2])
    return weights, 3.0 * rng.normal(size=(K, D)), precisions


def inverse(precisions, covariance_type):
    dense = naive.dense(precisions, covariance_type, K, D)
    return np.array([np.linalg.inv(p) for p in dense])


def one_step(covariance_type, **options):
    weights, means, precisions = gaussian_start(covariance_type)
    model = GaussianMixture(
        K,
        covariance_type=covariance_type,
        weights_init=weights,
        means_init=means,
        precisions_init=precisions,
        max_iter=1,
        **options,
    )
    X = gaussian_rows(N, D, seed=1)[0]
    resp, log_density = naive.e_step(
        naive.gaussian_log_joint(X, weights, means, inverse(precisions, covariance_type))
    )
    return model, X, resp, log_density


def fit_once(model, X):
    with pytest.warns(UserWarning, match="did not converge"):
        return model.fit(X)


def assert_params(model, weights, means, covariances):
    for name, expected in (("weights", weights), ("means", means), ("covariances", covariances)):
        atol = RTOL * np.abs(expected).max()
        found = getattr(model, f"{name}_")
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
@pytest.mark.parametrize("reg_covar", [0.0, 0.25])
def test_gaussian_step(covariance_type, reg_covar):
    model, X, resp, log_density = one_step(covariance_type, reg_covar=reg_covar)
    fit_once(model, X)
    # All variances of these rows exceed one, where the ridge is reg_covar itself.
    assert_params(model, *naive.gaussian_m_step(X, resp, covariance_type, ridge=reg_covar))
    assert model.initial_lower_bound_ == pytest.approx(log_density.mean(), rel=RTOL)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
@pytest.mark.parametrize("mean_precision", [0.0, 0.7])
def test_gaussian_map_step(covariance_type, mean_precision):
    psi = np.array([[2.0, 0.4, 0.1], [0.4, 1.5, -0.2], [0.1, -0.2, 3.0]])
    centre = np.array([1.0, -2.0, 0.5])
    prior = NormalInverseWishart(centre, mean_precision, 6.5, psi)
    model, X, resp, _ = one_step(
        covariance_type, reg_covar=0.0, prior=prior, weight_prior=Dirichlet(3.5)
    )
    fit_once(model, X)
    twin = naive.NIW(centre, mean_precision, 6.5, psi)
    expected = naive.gaussian_m_step(X, resp, covariance_type, prior=twin, concentration=3.5)
    assert_params(model, *expected)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_objective_is_likelihood_plus_log_prior(covariance_type):
    psi = np.diag([2.0, 1.5, 3.0])
    prior = NormalInverseWishart(np.zeros(D), 0.7, 6.5, psi)
    model, X, _, log_density = one_step(covariance_type, prior=prior, weight_prior=Dirichlet(2.0))
    fit_once(model, X)
    weights, means, precisions = gaussian_start(covariance_type)
    covariances = {"full": np.linalg.inv, "tied": np.linalg.inv}.get(
        covariance_type, np.reciprocal
    )(precisions)
    twin = naive.NIW(np.zeros(D), 0.7, 6.5, psi)
    log_prior = naive.log_niw(means, covariances, covariance_type, twin)
    log_prior += naive.stats.dirichlet(np.full(K, 2.0)).logpdf(weights)
    expected = log_density.mean() + log_prior / N
    assert model.initial_lower_bound_ == pytest.approx(expected, rel=RTOL)


@pytest.mark.parametrize("prior", [Gamma(), Gamma(2.5, 0.5)], ids=["flat", "gamma"])
def test_poisson_step(prior):
    X = count_rows(N, D, seed=1)[0]
    model = PoissonMixture(K, prior=prior, weight_prior=Dirichlet(2.0), random_state=0)
    with problem(model, X) as (em, start):
        point = em.evaluate(start)
    resp, log_density = naive.e_step(naive.poisson_log_joint(X, start.weights, start.rates))
    rates = naive.poisson_m_step(X, resp, prior.shape, prior.rate)
    np.testing.assert_allclose(point.image.rates, rates, rtol=RTOL)
    np.testing.assert_allclose(point.image.weights, naive.weights_step(resp, 2.0), rtol=RTOL)
    log_prior = naive.stats.dirichlet(np.full(K, 2.0)).logpdf(start.weights)
    if prior.rate:
        log_prior += naive.stats.gamma(prior.shape, scale=1 / prior.rate).logpdf(start.rates).sum()
    assert point.objective == pytest.approx(log_density.mean() + log_prior / N, rel=RTOL)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_predictions(model):
    X = model.rows(N, D)
    fitted = model.make(K, tol=1e-2).fit(X)
    resp, log_density = naive.e_step(model.twin(X, fitted._attribute_params()))
    # Log-joints of size up to 1e3 are exact to about 1e-13; exp makes that relative. The fit may
    # have components with condition 1e3.
    np.testing.assert_allclose(fitted.predict_proba(X), resp, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(fitted.score_samples(X), log_density, rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(fitted.predict(X), resp.argmax(axis=1))
    assert fitted.score(X) == pytest.approx(log_density.mean(), rel=1e-12)
    log_n = np.log(N)
    p = fitted.n_parameters()
    assert fitted.bic(X) == pytest.approx(-2 * log_density.sum() + p * log_n, rel=1e-12)
    assert fitted.aic(X) == pytest.approx(-2 * log_density.sum() + 2 * p, rel=1e-12)
    entropy = -sum(r * np.log(r) for r in resp.ravel() if r > 0)
    assert fitted.icl(X) == pytest.approx(fitted.bic(X) + 2 * entropy, rel=1e-12)

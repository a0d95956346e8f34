"""Priors are pseudo-data: flat ones change nothing, heavy ones decide everything.

One component has closed-form posteriors (Gelman et al. 2013, section 3.6; Murphy 2012, section
4.6.3), which the fit must equal to rounding: 1e-12.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mixtures import GaussianMixture, PoissonMixture
from mixtures.priors import Dirichlet, Gamma, NormalInverseWishart

from . import naive
from .registry import (
    COVARIANCES,
    MODELS,
    close,
    count_rows,
    gaussian_rows,
    names,
    parameters,
    refused,
    same_bits,
)

RTOL = 1e-12
FLAT = {"weight_prior": Dirichlet(1.0)}


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_flat_weight_prior_is_maximum_likelihood(model):
    X = model.rows(200)
    same_bits(model.make().fit(X), model.make(weight_prior=Dirichlet(1.0)).fit(X))
    same_bits(model.make().fit(X), model.make(weight_prior=Dirichlet([1.0] * 3)).fit(X))


def test_flat_gamma_is_maximum_likelihood():
    X = count_rows(200, 3, 0)[0]
    same_bits(
        PoissonMixture(3, random_state=0).fit(X),
        PoissonMixture(3, random_state=0, prior=Gamma(1.0, 0.0)).fit(X),
    )


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_heavy_weight_prior_is_its_mode(model):
    """With 1e12 pseudo-rows, 200 rows move the weights by less than 200 / 1e12."""
    alpha = 1.0 + 1e12 * np.array([0.5, 0.3, 0.2])
    fitted = model.make(weight_prior=Dirichlet(alpha)).fit(model.rows(200))
    np.testing.assert_allclose(fitted.weights_, [0.5, 0.3, 0.2], atol=3e-10)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_weights_have_a_closed_form_where_labels_are_certain(model):
    """(n_k + alpha_k - 1) / (n + sum(alpha) - k) for blobs whose overlap is below 1e-12."""
    if model.outlier < 1e4:
        pytest.skip("no rows of this model are so far apart")
    sizes = np.array([10, 20, 30])
    labels = np.repeat([0, 1, 2], sizes)
    X = np.abs(gaussian_rows(60, 3, 0, k=1)[0]).round() + 1e4 * np.eye(3)[labels]
    for alpha in (np.full(3, 2.5), np.array([4.0, 2.0, 1.5])):
        fitted = model.make(weight_prior=Dirichlet(alpha)).fit(X)
        own = fitted.predict(X[[0, 10, 30]])  # which component a blob gets is the start's choice
        expected = (sizes + alpha[own] - 1) / (60 + alpha.sum() - 3)
        np.testing.assert_allclose(fitted.weights_[own], expected, rtol=1e-11)


def test_heavy_gamma_prior_is_its_mode():
    X = count_rows(200, 3, 0)[0]
    fitted = PoissonMixture(2, prior=Gamma(1 + 7e12, 1e12), random_state=0).fit(X)
    np.testing.assert_allclose(fitted.rates_, 7.0, rtol=1e-9)


DIAGONAL_MODE = {"full": lambda d: d + 2.0, "tied": lambda d: d + 1.0 + 3, "diag": lambda d: 3.0}


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_heavy_niw_prior_is_its_mode(covariance_type):
    """Means at m0 and covariances at scale / (nu + what the structure adds), to n / nu."""
    d, dof = 2, 1e12
    psi = dof * np.diag([2.0, 3.0])
    prior = NormalInverseWishart([1.0, -1.0], 1e12, dof, psi)
    fitted = GaussianMixture(
        3, covariance_type=covariance_type, prior=prior, random_state=0, reg_covar=0.0
    ).fit(gaussian_rows(200, d, 0)[0])
    np.testing.assert_allclose(fitted.means_, [[1.0, -1.0]] * 3, atol=1e-8)
    dense = naive.dense(fitted.covariances_, covariance_type, 3, d)
    # Spherical components see the mean of the scale's diagonal, once for all d features.
    expected = 2.5 * np.eye(d) if covariance_type == "spherical" else np.diag([2.0, 3.0])
    for matrix in dense:
        np.testing.assert_allclose(matrix, expected, atol=1e-7)


def one_component(covariance_type, prior, X):
    return GaussianMixture(1, covariance_type=covariance_type, prior=prior, reg_covar=0.0).fit(X)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_one_gaussian_has_a_closed_form(covariance_type):
    X = gaussian_rows(50, 2, 1)[0]
    n, d, c, dof = 50, 2, 0.8, 6.0
    centre, psi = np.array([1.0, 2.0]), np.array([[3.0, 0.5], [0.5, 2.0]])
    fitted = one_component(covariance_type, NormalInverseWishart(centre, c, dof, psi), X)
    mean = X.mean(axis=0)
    away = mean - centre
    S = (X - mean).T @ (X - mean) + c * n / (c + n) * np.outer(away, away)
    expected = {
        "full": ((S + psi) / (n + dof + d + 2))[None],
        "tied": (S + psi) / (n + dof + d + 2),
        "diag": (np.diag(S + psi) / (n + dof + 3))[None],
        "spherical": [(np.trace(S) + np.diag(psi).mean()) / (d * n + dof + 2 + d)],
    }[covariance_type]
    np.testing.assert_allclose(fitted.means_[0], (n * mean + c * centre) / (n + c), rtol=RTOL)
    np.testing.assert_allclose(fitted.covariances_, expected, rtol=RTOL)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_maximum_likelihood_of_one_gaussian(covariance_type):
    X = gaussian_rows(50, 2, 1)[0]
    fitted = one_component(covariance_type, None, X)
    S = np.cov(X.T, bias=True)
    expected = {
        "full": S[None],
        "tied": S,
        "diag": np.diag(S)[None],
        "spherical": [np.diag(S).mean()],
    }[covariance_type]
    np.testing.assert_allclose(fitted.means_[0], X.mean(axis=0), rtol=RTOL)
    np.testing.assert_allclose(fitted.covariances_, expected, rtol=RTOL)


def test_one_poisson_has_a_closed_form():
    X = count_rows(50, 2, 1)[0]
    fitted = PoissonMixture(1, prior=Gamma(3.0, 2.0)).fit(X)
    np.testing.assert_allclose(fitted.rates_[0], (X.sum(axis=0) + 2.0) / 52.0, rtol=RTOL)
    log_prior = stats.gamma(3.0, scale=0.5).logpdf(fitted.rates_).sum()
    assert fitted.lower_bound_ == pytest.approx(fitted.score(X) + log_prior / 50, rel=RTOL)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_default_hyperparameters_are_mclusts(covariance_type):
    """Mean of the data, 0.01 rows, d + 2, cov(n - 1) / K^(2/d) (Fraley and Raftery 2007)."""
    X = gaussian_rows(120, 2, 2)[0]
    options = {"covariance_type": covariance_type, "random_state": 0}
    one = GaussianMixture(2, prior=NormalInverseWishart(), **options).fit(X)
    scale = np.cov(X.T) / 2 ** (2 / 2)
    prior = NormalInverseWishart(X.mean(axis=0), 0.01, 4.0, scale)
    close(one, GaussianMixture(2, prior=prior, **options).fit(X), 1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_a_proper_prior_needs_no_ridge(covariance_type):
    """A component of one row has a posterior mode, though its likelihood is unbounded."""
    X = np.vstack([gaussian_rows(60, 2, 3)[0], [[500.0, 500.0]]])
    fitted = GaussianMixture(
        4,
        covariance_type=covariance_type,
        reg_covar=0.0,
        prior=NormalInverseWishart(),
        random_state=0,
    ).fit(X)
    assert np.isfinite(fitted.lower_bound_)
    assert fitted.score(X) < 50


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_prior_matters(model):
    """So that the laws above cannot pass by ignoring priors."""
    X = model.rows(60)
    flat = parameters(model.make().fit(X))
    for name, options in model.priors.items():
        if name != "flat":
            informed = parameters(model.make(**options).fit(X))
            assert max(np.abs(flat[p] - informed[p]).max() for p in flat) > 1e-4, name


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_a_prior_in_data_units(covariance_type):
    """Changing the units of data and prior together shifts the objective by the log-Jacobian."""
    X = gaussian_rows(100, 2, 4)[0]
    centre, psi, unit = np.array([1.0, 2.0]), np.array([[3.0, 0.5], [0.5, 2.0]]), 1000.0
    options = {"covariance_type": covariance_type, "random_state": 0, "reg_covar": 0.0}
    priors = (
        NormalInverseWishart(centre, 0.5, 6.0, psi),
        NormalInverseWishart(centre * unit, 0.5, 6.0, psi * unit**2),
    )
    one = GaussianMixture(2, prior=priors[0], **options).fit(X)
    other = GaussianMixture(2, prior=priors[1], **options).fit(X * unit)
    np.testing.assert_allclose(other.means_ / unit, one.means_, rtol=1e-9)
    twin = naive.NIW(centre * unit, 0.5, 6.0, psi * unit**2)
    log_prior = naive.log_niw(other.means_, other.covariances_, covariance_type, twin)
    expected = other.score(X * unit) + log_prior / 100
    assert other.lower_bound_ == pytest.approx(expected, rel=RTOL)


@pytest.mark.parametrize(
    ("make", "fragments"),
    [
        (lambda: Dirichlet(0.5), ["Dirichlet expects", ">= 1", "0.5", "use 1 for a flat prior"]),
        (lambda: Dirichlet([1.0, np.nan]), ["finite", "nan"]),
        (lambda: Gamma(0.5), ["Gamma expects shape", "0.5", "Use 1"]),
        (lambda: Gamma(1.0, -1.0), ["Gamma expects rate", "-1.0", "Use 0"]),
        (lambda: NormalInverseWishart(mean_precision=-1), ["mean_precision", "-1", "Use 0"]),
    ],
)
def test_a_prior_checks_itself_when_built(make, fragments):
    with refused(ValueError, fragments):
        make()


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"weight_prior": Dirichlet([1.0, 2.0])}, ["each of the 3", "got 2", "Pass 3"]),
        ({"prior": NormalInverseWishart(mean=[0.0])}, ["mean to have 2", "(1,)"]),
        ({"prior": NormalInverseWishart(degrees_of_freedom=0.5)}, ["> n_features - 1 = 1", "0.5"]),
        ({"prior": NormalInverseWishart(scale=[[1.0, 2.0], [0.0, 1.0]])}, ["symmetric"]),
        ({"prior": NormalInverseWishart(scale=-1.0)}, ["positive semi-definite", "-1"]),
    ],
)
def test_a_prior_that_does_not_fit_the_data_is_refused(options, fragments):
    with refused(ValueError, fragments):
        GaussianMixture(3, **options).fit(gaussian_rows(50, 2, 0)[0])


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_the_objective_of_an_improper_prior_has_no_unit(covariance_type):
    """Without a normaliser too: in other units it changes by the change of units alone."""
    X = gaussian_rows(80, 2, 2)[0]
    options = {"covariance_type": covariance_type, "random_state": 0, "reg_covar": 0.0}
    prior = NormalInverseWishart(X.mean(axis=0), 0.5, 5.0, 0.0)
    scaled = NormalInverseWishart(4 * X.mean(axis=0), 0.5, 5.0, 0.0)
    one = GaussianMixture(1, prior=prior, **options).fit(X)
    other = GaussianMixture(1, prior=scaled, **options).fit(4 * X)
    k, d = 1, 2
    covariances = {
        "full": k * d * (5 + d + 1),
        "tied": d * (5 + d + 1),
        "diag": k * d * 7,
        "spherical": k * 7,
    }
    powers = covariances[covariance_type] + k * d  # of the kernel's determinants, and of the means
    change = np.log(4.0) * (d + powers / len(X))
    assert one.lower_bound_ - other.lower_bound_ == pytest.approx(change, rel=1e-9)

"""A fitted model is a density: it integrates to one, agrees with scipy and mpmath, samples."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy import stats

from mixtures import GaussianMixture, PoissonMixture

from . import naive
from .registry import (
    COVARIANCES,
    GAUSSIANS,
    LOW_RANKS,
    MODELS,
    count_rows,
    gaussian_rows,
    names,
    points,
)


def dense(fitted):
    k, d = fitted.means_.shape
    return naive.dense(fitted.covariances_, fitted.covariance_type, k, d)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_gaussian_integrates_to_one_in_1d(covariance_type):
    X = gaussian_rows(200, 1, 0)[0]
    fitted = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    spread = 12 * np.sqrt(dense(fitted).max())  # 12 standard deviations: 1e-33 lies outside
    grid = np.linspace(fitted.means_.min() - spread, fitted.means_.max() + spread, 200_001)
    density = np.exp(fitted.score_samples(grid[:, None]))
    # The trapezium rule is exact to rounding for smooth functions that vanish at both ends.
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_gaussian_integrates_to_one_in_2d(covariance_type):
    X = gaussian_rows(300, 2, 1)[0]
    fitted = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    spread = 9 * np.sqrt(dense(fitted).max())
    axes = [
        np.linspace(fitted.means_[:, j].min() - spread, fitted.means_[:, j].max() + spread, 700)
        for j in range(2)
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = np.exp(fitted.score_samples(grid.reshape(-1, 2)).reshape(700, 700))
    total = np.trapezoid(np.trapezoid(density, axes[1]), axes[0])
    assert total == pytest.approx(1.0, abs=1e-6)


def test_poisson_sums_to_one():
    fitted = PoissonMixture(2, random_state=0).fit(count_rows(200, 2, 1)[0])
    counts = np.arange(120.0)  # the rates are below 20: the rest is below 1e-40
    grid = np.stack(np.meshgrid(counts, counts, indexing="ij"), axis=-1).reshape(-1, 2)
    assert np.exp(fitted.score_samples(grid)).sum() == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_scipy_densities(model, d):
    if d == 1 and model.options["covariance_type"] in LOW_RANKS:
        pytest.skip("has a factor and so at least two features")
    X = model.rows(100, d)
    fitted = model.make().fit(X)
    far = 30.0 * np.random.default_rng(0).normal(size=(100, d))
    total = sum(
        w * stats.multivariate_normal(m, S).pdf(far)
        for w, m, S in zip(fitted.weights_, fitted.means_, dense(fitted), strict=True)
    )
    ok = total > 1e-290  # below, scipy's density underflows, not ours
    log_density = fitted.score_samples(far)
    # Condition numbers of up to 1e3 multiply the rounding of a quadratic form of size up to 700.
    np.testing.assert_allclose(log_density[ok], np.log(total[ok]), rtol=1e-11, atol=1e-12)
    assert np.isfinite(log_density).all()


def log_likelihood_in_50_digits(X, weights, means, covariances):
    """Mean log-likelihood by mpmath, from the parameters' exact binary values."""
    with mpmath.workdps(50):
        components = []
        for w, m, S in zip(weights, means, covariances, strict=True):
            matrix = mpmath.matrix(S.tolist())
            norm = mpmath.mpf(w) / mpmath.sqrt((2 * mpmath.pi) ** len(m) * mpmath.det(matrix))
            components.append((norm, mpmath.matrix(m.tolist()), matrix**-1))
        total = mpmath.mpf(0)
        for x in X:
            row = mpmath.matrix(x.tolist())
            density = mpmath.mpf(0)
            for norm, mean, precision in components:
                z = row - mean
                density += norm * mpmath.exp(-(z.T * precision * z)[0] / 2)
            total += mpmath.log(density)
        return float(total / len(X))


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_mpmath_log_likelihood(covariance_type, shift):
    """Also far from zero, where expanding the square would lose twelve digits."""
    X = gaussian_rows(100, 3, 2)[0] + shift
    fitted = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    exact = log_likelihood_in_50_digits(X, fitted.weights_, fitted.means_, dense(fitted))
    # The log-likelihood is about -7; a quadratic form of condition 1e3 is exact to 1e-13.
    assert fitted.score(X) == pytest.approx(exact, rel=1e-12)
    # At the shift, `means_` in data units are rounded to 1e-10, the fit itself is not.
    assert fitted.lower_bound_ == pytest.approx(exact, rel=1e-12 if shift == 0 else 1e-9)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_sample_then_fit_recovers(model):
    """Sampling error is sd / sqrt(n_k): five of these bound means and weights."""
    d = model.separable - 1
    truth = model.make(2).fit(model.draw(300, d, 3, k=2)[0])
    n = 40_000
    X, labels = truth.sample(n, random_state=1)
    assert X.shape == (n, d)
    counts = np.bincount(labels, minlength=2)
    np.testing.assert_allclose(counts / n, truth.weights_, atol=5 * 0.5 / np.sqrt(n))
    centres, coded = truth._attribute_params()[1], points(truth, X)
    for k in range(2):
        rows = coded[labels == k]
        np.testing.assert_allclose(
            rows.mean(axis=0), centres[k], atol=5 * rows.std() / np.sqrt(len(rows))
        )
    again = model.make(2, tol=1e-6, max_iter=1000).fit(X).align_to(truth)
    found = again._attribute_params()[1]
    # Overlap makes estimates up to twice as uncertain as with known labels.
    np.testing.assert_allclose(found, centres, atol=10 * coded.std() / np.sqrt(n))
    np.testing.assert_allclose(again.weights_, truth.weights_, atol=0.05)
    assert again.score(X) >= truth.score(X) - 1e-9


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_samples_repeat_with_a_seed(model):
    fitted = model.make(random_state=5).fit(model.rows(100))
    np.testing.assert_array_equal(fitted.sample(20)[0], fitted.sample(20)[0])
    np.testing.assert_array_equal(
        fitted.sample(20, random_state=1)[0], fitted.sample(20, random_state=1)[0]
    )
    assert (fitted.sample(20, random_state=1)[0] != fitted.sample(20)[0]).any()
    with pytest.raises(ValueError, match="Invalid value for 'n_samples': 0"):
        fitted.sample(0)


@pytest.mark.parametrize(
    ("covariance_type", "expected"),
    [("full", 3 * 6 + 9 + 2), ("tied", 6 + 9 + 2), ("diag", 9 + 9 + 2), ("spherical", 3 + 9 + 2)],
)
def test_number_of_parameters(covariance_type, expected):
    X = gaussian_rows(100, 3, 0)[0]
    fitted = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    assert fitted.n_parameters() == expected


def test_number_of_poisson_parameters():
    assert PoissonMixture(3, random_state=0).fit(count_rows(50, 4, 0)[0]).n_parameters() == 14

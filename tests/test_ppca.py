"""ProbabilisticPCA against scikit-learn's PCA, plain formulas, and itself by other ways."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from mixtures import ProbabilisticPCA
from mixtures.exceptions import DegenerateDataWarning
from mixtures.factor import principal
from mixtures.factor.krylov import leading_pairs
from mixtures.factor.principal import cheapest, principal_axes

SOLVERS = ("covariance", "gram", "randomized")


def rows(n=200, d=8, seed=0, rank=3, noise=0.5):
    """Rows with `rank` strong directions, away from the origin."""
    rng = np.random.default_rng(seed)
    strong = rng.normal(size=(n, rank)) @ (3.0 * rng.normal(size=(rank, d)))
    return strong + noise * rng.normal(size=(n, d)) + 10.0 * rng.normal(size=d)


def plain_score(model, X):
    return multivariate_normal(model.mean_, model.get_covariance()).logpdf(X).mean()


@pytest.mark.parametrize("shape", [(200, 8), (30, 50), (50, 50)])
@pytest.mark.parametrize("solver", SOLVERS)
def test_axes_and_scores_are_those_of_scikit_learn(shape, solver):
    X, q, n = rows(*shape), 3, shape[0]
    peer = PCA(q, svd_solver="full").fit(X)
    ours = ProbabilisticPCA(q, noise="zero", svd_solver=solver, random_state=0).fit(X)
    np.testing.assert_allclose(ours.components_, peer.components_, atol=1e-11)
    np.testing.assert_allclose(ours.mean_, peer.mean_, rtol=1e-13)
    variances = peer.explained_variance_ * (n - 1) / n
    np.testing.assert_allclose(ours.explained_variance_, variances, rtol=1e-12)
    np.testing.assert_allclose(ours.singular_values_, peer.singular_values_, rtol=1e-12)
    ratio = peer.explained_variance_ratio_
    np.testing.assert_allclose(ours.explained_variance_ratio_, ratio, rtol=1e-12)
    scores = peer.transform(X)
    np.testing.assert_allclose(ours.transform(X), scores, atol=1e-10)
    back = peer.inverse_transform(scores)
    np.testing.assert_allclose(ours.inverse_transform(ours.transform(X)), back, atol=1e-10)
    assert ours.svd_solver_ == solver and ours.n_components_ == q and ours.n_samples_ == n


@pytest.mark.parametrize("shape", [(200, 8), (30, 50)])
def test_solvers_agree_on_the_model(shape):
    X = rows(*shape)
    fits = [ProbabilisticPCA(3, svd_solver=s, random_state=1).fit(X) for s in SOLVERS]
    for other in fits[1:]:
        np.testing.assert_allclose(other.loadings_, fits[0].loadings_, atol=1e-10)
        np.testing.assert_allclose(other.noise_variance_, fits[0].noise_variance_, rtol=1e-12)
        np.testing.assert_allclose(other.log_likelihood_, fits[0].log_likelihood_, rtol=1e-12)


def test_the_result_of_the_randomised_solver_is_not_random():
    X = rows(120, 90, noise=2.0)
    fits = [ProbabilisticPCA(4, svd_solver="randomized", random_state=s).fit(X) for s in range(3)]
    for other in fits[1:]:
        np.testing.assert_allclose(other.components_, fits[0].components_, atol=1e-9)
        np.testing.assert_allclose(other.noise_variance_, fits[0].noise_variance_, rtol=1e-13)


def test_the_randomised_solver_restarts_until_the_residual_is_small():
    """Eigenvalues that hardly differ need more vectors than a basis has room for."""
    d, q = 400, 3
    values = 1.0 + np.linspace(1.0, 0.0, d) ** 2
    found = leading_pairs(
        lambda V: values[:, None] * V,
        d,
        q,
        tol=1e-11,
        max_products=500,
        rng=np.random.RandomState(0),
    )
    assert found.n_products > 9 and found.residual <= 1e-11
    np.testing.assert_allclose(found.values, values[:q], rtol=1e-14)
    np.testing.assert_allclose(np.abs(found.vectors[:q]), np.eye(q), atol=1e-7)


def test_an_operator_of_low_rank_ends_the_iteration():
    values = np.r_[3.0, 1.0, np.zeros(48)]
    found = leading_pairs(
        lambda V: values[:, None] * V, 50, 4, tol=0.0, max_products=50, rng=np.random.RandomState(0)
    )
    assert found.n_products < 50
    np.testing.assert_allclose(found.values, [3.0, 1.0, 0.0, 0.0], atol=1e-14)


def test_too_few_products_are_reported():
    X = rows(120, 90, noise=5.0)
    model = ProbabilisticPCA(4, svd_solver="randomized", iterated_power=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"after 2 products .* Increase iterated_power"):
        model.fit(X)
    assert model.n_iter_ == 2


def test_the_solver_with_the_least_work():
    assert cheapest(100_000, 200, 10) == "covariance"
    assert cheapest(50, 20_000, 10) == "gram"
    assert cheapest(20_000, 20_000, 10) == "randomized"
    assert cheapest(20_000, 20_000, None) == "covariance"
    assert ProbabilisticPCA(2).fit(rows(20, 60)).svd_solver_ == "gram"
    assert ProbabilisticPCA(2).fit(rows(200, 8)).svd_solver_ == "covariance"


@pytest.mark.parametrize("load", [load_digits, load_breast_cancer])
def test_the_likelihood_is_at_least_that_of_scikit_learn(load):
    """Its variances have the divisor n - 1, the maximum's have n."""
    X = load().data
    for q in (1, 5, 10):
        ours, peer = ProbabilisticPCA(q).fit(X), PCA(q).fit(X)
        np.testing.assert_allclose(ours.score(X), ours.log_likelihood_, rtol=1e-9)
        assert ours.log_likelihood_ > peer.score(X)
        n = len(X)
        np.testing.assert_allclose(
            ours.noise_variance_, peer.noise_variance_ * (n - 1) / n, rtol=1e-9
        )


def test_densities_and_factors_are_the_plain_formulas():
    X, fresh = rows(), rows(40, seed=1)
    model = ProbabilisticPCA(3).fit(X)
    covariance = X.T @ X / len(X) - np.outer(X.mean(0), X.mean(0))
    values, vectors = np.linalg.eigh(covariance)
    noise = values[:-3].mean()
    W = vectors[:, :-4:-1] * np.sqrt(values[:-4:-1] - noise)
    np.testing.assert_allclose(model.noise_variance_, noise, rtol=1e-9)
    np.testing.assert_allclose(model.loadings_ @ model.loadings_.T, W @ W.T, atol=1e-9)
    normal = multivariate_normal(model.mean_, W @ W.T + noise * np.eye(8))
    np.testing.assert_allclose(model.score_samples(fresh), normal.logpdf(fresh), rtol=1e-9)
    np.testing.assert_allclose(model.get_covariance(), normal.cov, atol=1e-9)
    np.testing.assert_allclose(model.get_precision() @ normal.cov, np.eye(8), atol=1e-9)
    L = model.loadings_
    M = L.T @ L + noise * np.eye(3)
    factors = np.linalg.solve(M, L.T @ (fresh - model.mean_).T).T
    np.testing.assert_allclose(model.transform(fresh), factors, atol=1e-11)
    np.testing.assert_allclose(model.posterior_covariance_, noise * np.linalg.inv(M), atol=1e-12)
    back = model.inverse_transform(factors)
    np.testing.assert_allclose(back, factors @ L.T + model.mean_, rtol=1e-13)
    # the nearest point of the principal subspace, as the class documents
    nearest = model.mean_ + (L @ np.linalg.solve(L.T @ L, M @ factors.T)).T
    scores = PCA(3).fit(X)
    np.testing.assert_allclose(nearest, scores.inverse_transform(scores.transform(fresh)))


def test_how_many_components():
    X = rows()
    peer = PCA().fit(X)
    for share in (0.5, 0.9, 0.99, 0.999):
        model = ProbabilisticPCA(share).fit(X)
        expected = PCA(share, svd_solver="full").fit(X).n_components_
        assert model.n_components_ == min(expected, 7)
    assert ProbabilisticPCA().fit(X).n_components_ == 7  # one is left for the noise
    model = ProbabilisticPCA(noise="zero").fit(X)
    assert model.n_components_ == 8 and model.noise_variance_ == 0.0
    np.testing.assert_allclose(model.transform(X), peer.transform(X), atol=1e-10)
    few = rows(6, 20, rank=20)  # five directions with variance, of which the noise needs one
    assert ProbabilisticPCA().fit(few).n_components_ == 4
    assert ProbabilisticPCA(noise="zero").fit(few).n_components_ == 5
    spherical = ProbabilisticPCA(0).fit(X)
    np.testing.assert_allclose(spherical.noise_variance_, X.var(axis=0).mean(), rtol=1e-12)
    assert spherical.transform(X).shape == (200, 0)
    np.testing.assert_allclose(spherical.score(X), plain_score(spherical, X), rtol=1e-12)
    line = ProbabilisticPCA().fit(X[:, :1])
    np.testing.assert_allclose(line.score(X[:, :1]), line.log_likelihood_, rtol=1e-12)


def test_all_directions_without_noise_have_the_full_density():
    X = rows()
    model = ProbabilisticPCA(noise="zero").fit(X)
    full = multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True))
    np.testing.assert_allclose(model.score_samples(X), full.logpdf(X), rtol=1e-9)
    np.testing.assert_allclose(model.log_likelihood_, full.logpdf(X).mean(), rtol=1e-10)
    np.testing.assert_allclose(model.get_covariance(), full.cov, rtol=1e-9)
    assert model.n_parameters() == 8 + 36
    np.testing.assert_allclose(ProbabilisticPCA(7).fit(X).score(X), model.score(X), rtol=1e-12)


def test_no_variance_left_for_the_noise():
    X = rows(4, 10)
    with pytest.warns(
        DegenerateDataWarning, match="Only 3 of 10 directions have variance"
    ) as caught:
        model = ProbabilisticPCA(4).fit(X)
    assert caught[0].filename == __file__
    expected = 1e-12 * model.explained_variance_[0]
    np.testing.assert_allclose(model.noise_variance_, expected, rtol=1e-12)
    assert np.isfinite(model.transform(X)).all() and np.isfinite(model.score(X))
    with pytest.warns(DegenerateDataWarning, match="equal"):
        flat = ProbabilisticPCA(2, noise="zero").fit(np.ones((5, 3)))
    assert not flat.explained_variance_ratio_.any() and np.isfinite(flat.components_).all()
    np.testing.assert_array_equal(flat.transform(np.ones((2, 3))), np.zeros((2, 2)))


def test_precision_of_float32_rows():
    X = rows()
    double, single = ProbabilisticPCA(3).fit(X), ProbabilisticPCA(3).fit(X.astype(np.float32))
    for name in ("components_", "loadings_", "mean_", "explained_variance_"):
        assert getattr(single, name).dtype == np.float32
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), rtol=1e-4)
    np.testing.assert_allclose(single.log_likelihood_, double.log_likelihood_, rtol=1e-6)
    assert single.transform(X.astype(np.float32)).dtype == np.float32
    assert single.inverse_transform(np.ones((1, 3), np.float32)).dtype == np.float32


def test_samples_have_the_covariance():
    model = ProbabilisticPCA(2, random_state=3).fit(rows(d=4))
    drawn = model.sample(50_000)
    scale = np.sqrt(np.diag(model.get_covariance()))
    error = (np.cov(drawn.T) - model.get_covariance()) / scale / scale[:, None]
    assert np.abs(error).max() < 0.03
    np.testing.assert_allclose(drawn.mean(axis=0), model.mean_, atol=0.05 * scale.max())
    np.testing.assert_array_equal(model.sample(3, 1), model.sample(3, 1))


@pytest.mark.parametrize("shape", [(30_000, 20), (10, 50)])
def test_any_number_of_threads(shape):
    X = rows(*shape)
    one = ProbabilisticPCA(2, n_threads=1).fit(X)
    for n_threads in (2, 3):
        other = ProbabilisticPCA(2, n_threads=n_threads).fit(X)
        np.testing.assert_array_equal(one.components_, other.components_)
        assert one.noise_variance_ == other.noise_variance_


def test_blocks_of_rows_change_nothing(monkeypatch):
    X = rows(40, 60)
    whole = [principal_axes(X, None, 3, solver=s, random_state=0) for s in SOLVERS[1:]]
    monkeypatch.setattr(principal.CentredRows, "cuts", lambda self: [(0, 7), (7, 8), (8, 40)])
    for solver, expected in zip(SOLVERS[1:], whole, strict=True):
        found = principal_axes(X, None, 3, solver=solver, random_state=0)
        np.testing.assert_allclose(found.axes, expected.axes, atol=1e-11)
        np.testing.assert_allclose(found.rest, expected.rest, rtol=1e-12)


def test_an_earlier_fit_leaves_nothing_behind():
    X = rows()
    gappy = X.copy()
    gappy[::3, 2] = np.nan
    model = ProbabilisticPCA(2, tol=1e-8).fit(gappy)
    assert model.svd_solver_ == "em" and model.log_likelihoods_[-1] == model.log_likelihood_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X)
    assert not hasattr(model, "log_likelihoods_") and model.svd_solver_ == "covariance"

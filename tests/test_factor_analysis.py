"""FactorAnalysis: the maximum, against scikit-learn and plain formulas; its laws and reports."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, multivariate_normal
from sklearn.datasets import load_digits
from sklearn.decomposition import FactorAnalysis as Peer
from sklearn.exceptions import ConvergenceWarning

from mixtures import FactorAnalysis
from mixtures.core.low_rank import log_densities, whiten
from mixtures.exceptions import HeywoodWarning, IdentifiabilityWarning

ROTATIONS = ("varimax", "quartimax", "promax", "oblimin")
seeds = st.integers(0, 2**31 - 1)
few = settings(max_examples=15, deadline=None)


def rows(n=400, d=8, q=2, seed=0):
    """Rows of a factor model, far from Heywood cases, features in units of their own."""
    rng = np.random.default_rng(seed)
    main = np.arange(d)[:, None] % q == np.arange(q)
    loadings = np.where(main, rng.uniform(0.8, 1.2, (d, q)), rng.uniform(-0.4, 0.4, (d, q)))
    X = rng.normal(size=(n, q)) @ loadings.T + rng.uniform(0.6, 1.2, d) * rng.normal(size=(n, d))
    return X * 2.0 ** rng.integers(-3, 4, d) + 5.0 * rng.normal(size=d)


def test_the_maximum_is_that_of_scikit_learn_converged():
    X = rows()
    peer = Peer(2, tol=1e-12, max_iter=100_000, svd_method="lapack").fit(X)
    ours = FactorAnalysis(2).fit(X)
    assert ours.converged_ and ours.stop_reason_.startswith("No step")
    assert ours.n_iter_ == len(ours.loglike_) < peer.n_iter_
    assert ours.score(X) >= peer.score(X) - 1e-13
    np.testing.assert_allclose(ours.loglike_[-1], peer.loglike_[-1], rtol=1e-10)
    np.testing.assert_allclose(ours.loglike_[-1], 400 * ours.score(X), rtol=1e-12)
    assert (np.diff(ours.loglike_) >= -1e-9).all()
    np.testing.assert_allclose(ours.noise_variance_, peer.noise_variance_, rtol=1e-5)
    signs = np.sign((ours.components_ * peer.components_).sum(axis=1))[:, None]
    np.testing.assert_allclose(ours.components_, signs * peer.components_, atol=1e-4)
    np.testing.assert_allclose(ours.transform(X), peer.transform(X) * signs.T, atol=1e-4)
    np.testing.assert_allclose(ours.get_covariance(), peer.get_covariance(), rtol=1e-4)
    np.testing.assert_allclose(ours.score(X), peer.score(X), rtol=1e-10)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_rotations_of_scikit_learn_and_oblique_ones(rotation):
    X = rows(seed=1)
    plain, turned = FactorAnalysis(2).fit(X), FactorAnalysis(2, rotation=rotation).fit(X)
    L, Phi = turned.components_, turned.factor_covariance_
    np.testing.assert_allclose(np.diag(Phi), 1.0, rtol=1e-12)
    model = L.T @ Phi @ L + np.diag(turned.noise_variance_)
    np.testing.assert_allclose(model, plain.get_covariance(), rtol=1e-9)
    np.testing.assert_allclose(turned.get_covariance(), model, rtol=1e-9)
    np.testing.assert_allclose(turned.get_precision() @ model, np.eye(8), atol=1e-8)
    np.testing.assert_allclose(turned.score(X), plain.score(X), rtol=1e-12)
    # posterior of correlated factors, z ~ N(0, Phi)
    gain = Phi @ L @ np.linalg.inv(model)
    np.testing.assert_allclose(turned.transform(X), (X - X.mean(axis=0)) @ gain.T, atol=1e-9)
    posterior = Phi - gain @ L.T @ Phi
    np.testing.assert_allclose(turned.posterior_covariance_, posterior, atol=1e-10)
    # at the maximum, what is known of the factors and what is not make up their covariance
    Z = turned.transform(X)
    np.testing.assert_allclose(np.cov(Z.T, bias=True) + posterior, Phi, atol=1e-6)
    same = plain.inverse_transform(plain.transform(X))
    np.testing.assert_allclose(turned.inverse_transform(Z), same, rtol=1e-7)
    oblique = rotation in ("promax", "oblimin")
    assert oblique == (np.abs(Phi - np.eye(2)).max() > 1e-3)
    if not oblique:
        peer = Peer(2, tol=1e-10, max_iter=20_000, svd_method="lapack", rotation=rotation).fit(X)
        match = np.abs(L @ peer.components_.T).argmax(axis=1)
        theirs = peer.components_[match]
        signs = np.sign((L * theirs).sum(axis=1))[:, None]
        np.testing.assert_allclose(L, signs * theirs, atol=5e-3)


def test_one_factor_has_no_rotation():
    X = rows()
    one, other = FactorAnalysis(1).fit(X), FactorAnalysis(1, rotation="oblimin").fit(X)
    np.testing.assert_array_equal(one.components_, other.components_)
    np.testing.assert_array_equal(other.factor_covariance_, [[1.0]])


def test_densities_and_factors_are_the_plain_formulas():
    X, fresh = rows(), rows(30)
    model = FactorAnalysis(2).fit(X)
    L, P = model.components_, model.noise_variance_
    S = L.T @ L + np.diag(P)
    normal = multivariate_normal(X.mean(axis=0), S)
    np.testing.assert_allclose(model.score_samples(fresh), normal.logpdf(fresh), rtol=1e-10)
    M = np.eye(2) + (L / P) @ L.T
    factors = np.linalg.solve(M, (L / P) @ (fresh - model.mean_).T).T
    np.testing.assert_allclose(model.transform(fresh), factors, atol=1e-10)
    np.testing.assert_allclose(model.posterior_covariance_, np.linalg.inv(M), atol=1e-12)
    back = factors @ L + model.mean_
    np.testing.assert_allclose(model.inverse_transform(factors), back, rtol=1e-12)
    canonical = (L / P) @ L.T
    np.testing.assert_allclose(canonical, np.diag(np.diag(canonical)), atol=1e-8)
    np.testing.assert_allclose(model.uniquenesses_, P / X.var(axis=0), rtol=1e-12)
    assert model.n_parameters() == 8 + 8 * 2 + 8 - 1
    total = 400 * model.log_likelihood_
    np.testing.assert_allclose(model.bic(X), 31 * np.log(400) - 2 * total, rtol=1e-11)


@given(seeds, st.floats(1e-4, 0.3))
@few
def test_no_other_parameters_are_more_likely(seed, size):
    X = rows(seed=seed % 50)
    rng, best = np.random.default_rng(seed), FactorAnalysis(2).fit(X)
    for _ in range(5):
        L = best.components_ * np.exp(size * rng.normal(size=(2, 8)))
        P = best.noise_variance_ * np.exp(size * rng.normal(size=8))
        value = log_densities(whiten(L.T, P), X - best.mean_).mean()
        assert value <= best.log_likelihood_ + 1e-12


@given(seeds)
@few
def test_units_of_features_do_not_matter(seed):
    X = rows(seed=seed % 50)
    unit = 2.0 ** np.random.default_rng(seed).integers(-300, 300, 8)
    one, other = FactorAnalysis(2).fit(X), FactorAnalysis(2).fit(X * unit)
    np.testing.assert_array_equal(other.uniquenesses_, one.uniquenesses_)
    np.testing.assert_array_equal(other.components_, one.components_ * unit)
    assert other.n_iter_ == one.n_iter_ and other.goodness_of_fit_ == one.goodness_of_fit_
    expected = one.log_likelihood_ - np.log(unit).sum()
    np.testing.assert_allclose(other.log_likelihood_, expected, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(other.transform(X * unit), one.transform(X), atol=1e-12)


@given(seeds)
@few
def test_weights_are_repetitions(seed):
    X, w = rows(60), np.random.default_rng(seed).integers(0, 4, 60)
    w[:20] += 1
    repeated = np.repeat(X, w, axis=0)
    one, other = FactorAnalysis(1).fit(X, sample_weight=w), FactorAnalysis(1).fit(repeated)
    np.testing.assert_allclose(one.components_, other.components_, rtol=1e-6)
    np.testing.assert_allclose(one.loglike_[-1], other.loglike_[-1], rtol=1e-11)
    np.testing.assert_allclose(one.goodness_of_fit_, other.goodness_of_fit_, rtol=1e-6)
    zero = FactorAnalysis(1).fit(np.vstack([X, 1e9 * X[:3]]), sample_weight=np.r_[w, 0, 0, 0])
    np.testing.assert_array_equal(zero.components_, one.components_)


def test_the_test_of_fit():
    X = rows()
    model = FactorAnalysis(2).fit(X)
    S, n, d, q = model.get_covariance(), 400, 8, 2
    C = np.cov(X.T, bias=True)
    gap = np.linalg.slogdet(S)[1] - np.linalg.slogdet(C)[1]
    statistic = (n - 1 - (2 * d + 5) / 6 - 2 * q / 3) * gap
    test = model.goodness_of_fit_
    np.testing.assert_allclose(test, (statistic, 13, chi2.sf(statistic, 13)), rtol=1e-5)
    assert test.p_value > 0.01  # the model is true
    assert FactorAnalysis(1).fit(X).goodness_of_fit_.p_value < 1e-6
    assert FactorAnalysis(1).fit(X[:, ::3]).goodness_of_fit_ is None  # no degrees of freedom
    assert FactorAnalysis(1).fit(rows(30, 40)).goodness_of_fit_ is None  # singular


def heywood_rows():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    X = z[:, None] * [1.0, 0.8, 0.7, 0.9] + rng.normal(size=(200, 4)) * [0.0, 0.6, 0.7, 0.4]
    return X + 3.0


def test_a_heywood_case_is_reported_by_name():
    pandas = pytest.importorskip("pandas")
    X = heywood_rows()
    with pytest.warns(HeywoodWarning, match=r"of feature 0 .* Use fewer") as caught:
        model = FactorAnalysis(1).fit(X)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(model.heywood_, [True, False, False, False])
    np.testing.assert_allclose(model.noise_variance_[0], 1e-12 * X[:, 0].var(), rtol=1e-9)
    assert model.converged_ and np.isfinite(model.score(X))
    with pytest.warns(HeywoodWarning, match="of feature 'height'"):
        FactorAnalysis(1).fit(pandas.DataFrame(X, columns=["height", "b", "c", "d"]))


@pytest.mark.filterwarnings("ignore::mixtures.exceptions.HeywoodWarning")
def test_too_many_factors_are_reported_with_both_numbers():
    X = rows(d=5)
    message = "3 factors .* 5 features .* take 17 parameters, .* has 15 numbers"
    with pytest.warns(IdentifiabilityWarning, match=message):
        FactorAnalysis(3).fit(X)
    with pytest.warns(IdentifiabilityWarning, match="take 20 parameters"):
        model = FactorAnalysis().fit(X)
    assert model.components_.shape == (5, 5) and model.n_parameters() == 5 + 15
    full = multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True)).logpdf(X).mean()
    np.testing.assert_allclose(model.score(X), full, rtol=1e-6)


def test_constant_features():
    X = load_digits().data
    peer, ours = Peer(3, svd_method="lapack").fit(X), FactorAnalysis(3).fit(X)
    constant = np.ptp(X, axis=0) == 0
    assert constant.sum() == 3 and not ours.components_[:, constant].any()
    np.testing.assert_array_equal(ours.noise_variance_[constant], 1e-12)
    np.testing.assert_array_equal(ours.uniquenesses_[constant], 1.0)
    assert not ours.heywood_.any() and ours.goodness_of_fit_.dof == ((61 - 3) ** 2 - 61 - 3) // 2
    assert peer.score(X) <= ours.score(X)
    np.testing.assert_allclose(ours.score(X), ours.log_likelihood_, rtol=1e-12)


def test_a_constant_feature_is_left_out():
    """Whatever its value, and in all units, its noise is that of scikit-learn."""
    X = rows()
    alone = FactorAnalysis(2).fit(X)
    for value in (0.0, 1e-5, 1000.1):
        model = FactorAnalysis(2).fit(np.insert(X, 3, value, axis=1))
        assert model.noise_variance_[3] == 1e-12 and not model.components_[:, 3].any()
        assert model.mean_[3] == value
        point = -0.5 * (np.log(2 * np.pi) + np.log(1e-12))
        np.testing.assert_allclose(model.log_likelihood_, alone.log_likelihood_ + point)
        scored = model.score(np.insert(X, 3, value, axis=1))
        np.testing.assert_allclose(scored, model.log_likelihood_, rtol=1e-12)
        assert model.goodness_of_fit_.dof == alone.goodness_of_fit_.dof


def test_few_rows_of_many_features():
    X = rows(40, 60)
    few_rows = FactorAnalysis(2).fit(X)
    many = FactorAnalysis(2).fit(np.repeat(X, 2, axis=0))  # the same covariance, by the other way
    np.testing.assert_allclose(few_rows.noise_variance_, many.noise_variance_, rtol=1e-6)
    np.testing.assert_allclose(few_rows.log_likelihood_, many.log_likelihood_, rtol=1e-11)
    np.testing.assert_allclose(few_rows.score(X), few_rows.log_likelihood_, rtol=1e-11)
    w = np.random.default_rng(0).integers(1, 4, 40)
    weighted, many = (
        FactorAnalysis(2).fit(X, sample_weight=w),
        FactorAnalysis(2).fit(np.repeat(X, w, axis=0)),
    )
    np.testing.assert_allclose(weighted.noise_variance_, many.noise_variance_, rtol=1e-5)


def test_where_it_starts_and_when_it_stops():
    X = rows()
    best = FactorAnalysis(2).fit(X)
    again = FactorAnalysis(2, noise_variance_init=best.noise_variance_).fit(X)
    assert again.n_iter_ < best.n_iter_
    np.testing.assert_allclose(again.loglike_[-1], best.loglike_[-1], rtol=1e-13)
    with pytest.warns(ConvergenceWarning, match="did not converge in 1 iteration"):
        short = FactorAnalysis(2, max_iter=1, noise_variance_init=np.ones(8)).fit(X)
    assert not short.converged_ and short.stop_reason_.startswith("max_iter")
    for name in ({"svd_method": "lapack"}, {"iterated_power": 7}, {"copy": False}):
        same = FactorAnalysis(2, **name).fit(X)  # without effect
        np.testing.assert_array_equal(same.components_, best.components_)


def test_rows_with_gaps():
    X = rows()
    closed = FactorAnalysis(2).fit(X)
    almost = np.vstack([X, np.full((1, 8), np.nan)])
    model = FactorAnalysis(2, tol=1e-9, max_iter=20_000).fit(almost)
    np.testing.assert_allclose(model.loglike_[-1], closed.loglike_[-1], rtol=1e-9)
    np.testing.assert_allclose(model.score(almost), model.log_likelihood_, rtol=1e-10)
    np.testing.assert_allclose(model.uniquenesses_, closed.uniquenesses_, atol=1e-3)
    gappy = X.copy()
    gappy[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    for rotation in (None, "oblimin"):
        model = FactorAnalysis(2, tol=1e-5, rotation=rotation).fit(gappy)
        assert (np.diff(model.loglike_) >= -1e-9).all() and model.goodness_of_fit_ is None
        assert model.loglike_[-1] - model.loglike_[-2] < 1e-5 * len(gappy)  # nats per row
        np.testing.assert_allclose(model.score(gappy), model.log_likelihood_, rtol=1e-10)
        complete = np.where(np.isnan(gappy), X, gappy)
        both = model.transform(np.vstack([complete[:5], gappy[:5]]))  # in one block, and apart
        np.testing.assert_allclose(both[:5], model.transform(complete[:5]), atol=1e-10)
    error = np.abs(model.impute(gappy) - X)[np.isnan(gappy)].mean()
    assert error < 0.9 * np.abs(X.mean(axis=0) - X)[np.isnan(gappy)].mean()


def test_any_number_of_threads_and_float32():
    X = rows(30_000)
    one = FactorAnalysis(2, n_threads=1).fit(X)
    np.testing.assert_array_equal(
        FactorAnalysis(2, n_threads=3).fit(X).components_, one.components_
    )
    single = FactorAnalysis(2).fit(X.astype(np.float32))
    assert single.components_.dtype == single.noise_variance_.dtype == np.float32
    np.testing.assert_allclose(single.components_, one.components_, rtol=1e-3, atol=1e-4)


def test_samples_have_the_covariance():
    model = FactorAnalysis(2, rotation="promax", random_state=0).fit(rows())
    drawn, scale = model.sample(50_000), np.sqrt(np.diag(model.get_covariance()))
    error = (np.cov(drawn.T) - model.get_covariance()) / scale / scale[:, None]
    assert np.abs(error).max() < 0.03


def test_loadings_are_components_transposed():
    model = FactorAnalysis(2, rotation="promax").fit(rows())
    np.testing.assert_array_equal(model.loadings_, model.components_.T)
    assert not hasattr(FactorAnalysis(2), "loadings_")

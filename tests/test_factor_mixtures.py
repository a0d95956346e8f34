"""Mixtures of PPCA and of factor analysers: their factors, and what they are a mixture of."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures import (
    FactorAnalysis,
    GaussianMixture,
    MixtureOfFactorAnalyzers,
    MixtureOfPPCA,
    ProbabilisticPCA,
)
from mixtures.covariance import LowRank
from mixtures.selection import InformationCriterionSearch

from .draws import factor_rows

FACES = (MixtureOfPPCA, MixtureOfFactorAnalyzers)
CHECKED = [
    *(Face() for Face in FACES),
    *(Face(2, random_state=0) for Face in FACES),
    MixtureOfFactorAnalyzers(2, n_factors=1, acceleration="squarem", random_state=0),
]


@pytest.mark.filterwarnings("ignore::mixtures.exceptions.DegenerateDataWarning")
@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def fitted(Face, **options):
    X, _ = factor_rows(300, 7)
    return X, Face(2, n_factors=2, random_state=0, **options).fit(X)


@pytest.mark.parametrize("Face", FACES)
def test_it_is_a_gaussian_mixture(Face):
    X, mixture = fitted(Face)
    covariance_type = LowRank(2, Face._noise)
    other = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    for name in ("weights_", "means_", "covariances_", "loadings_", "noise_variances_"):
        np.testing.assert_array_equal(getattr(mixture, name), getattr(other, name))
    assert mixture.bic(X) == other.bic(X)
    np.testing.assert_array_equal(mixture.predict(X), other.predict(X))


@pytest.mark.parametrize("Face", FACES)
def test_factors_are_those_of_the_conditional_normal(Face):
    X, mixture = fitted(Face)
    covariances, Z = mixture.get_covariance(), mixture.transform(X)
    assert Z.shape == (300, 4)
    fits = []
    for c, (L, S) in enumerate(zip(mixture.loadings_, covariances, strict=True)):
        inverse = np.linalg.inv(S)
        z = (X - mixture.means_[c]) @ inverse @ L
        np.testing.assert_allclose(Z[:, 2 * c : 2 * c + 2], z, atol=1e-9)
        np.testing.assert_allclose(mixture.factors(X, c), z, atol=1e-9)
        np.testing.assert_allclose(
            mixture.posterior_covariances_[c], np.eye(2) - L.T @ inverse @ L, atol=1e-9
        )
        fits.append(mixture.means_[c] + z @ L.T)
        np.testing.assert_allclose(mixture.inverse_transform(z, component=c), fits[-1])
    mean = np.einsum("nk,knd->nd", mixture.predict_proba(X), fits)
    np.testing.assert_allclose(mixture.reconstruct(X), mean, atol=1e-9)


@pytest.mark.parametrize("Face", FACES)
def test_loadings_are_written_one_way(Face):
    _, mixture = fitted(Face)
    noise = np.broadcast_to(mixture.noise_variances_.reshape(2, -1), (2, 7))
    for L, p in zip(mixture.loadings_, noise, strict=True):
        gram = (L.T / p) @ L
        np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-9 * gram.max())
        assert gram[0, 0] >= gram[1, 1]
        assert (L[np.abs(L).argmax(axis=0), [0, 1]] > 0).all()


def test_one_component_is_the_plain_model():
    X, _ = factor_rows(400, 8, k=1)
    options = {"tol": 1e-14, "max_iter": 20_000, "reg_covar": 0.0, "acceleration": "squarem"}
    one = MixtureOfPPCA(1, n_factors=2, **options).fit(X)
    plain = ProbabilisticPCA(2).fit(X)
    assert one.score(X) == pytest.approx(plain.score(X), abs=1e-10)
    np.testing.assert_allclose(one.get_covariance()[0], plain.get_covariance(), atol=1e-6)
    np.testing.assert_allclose(np.abs(one.transform(X)), np.abs(plain.transform(X)), atol=1e-5)
    one = MixtureOfFactorAnalyzers(1, n_factors=2, **options).fit(X)
    plain = FactorAnalysis(2).fit(X)
    assert one.score(X) == pytest.approx(plain.score(X), abs=1e-9)
    np.testing.assert_allclose(one.get_covariance()[0], plain.get_covariance(), atol=1e-4)
    assert one.n_parameters() == plain.n_parameters()
    assert one.bic(X) == pytest.approx(plain.bic(X), abs=1e-5)


def test_as_a_transformer():
    X, labels = factor_rows(300, 7)
    pipeline = make_pipeline(MixtureOfPPCA(2, n_factors=2, random_state=0), LogisticRegression())
    assert pipeline.fit(X, labels).score(X, labels) > 0.9
    search = GridSearchCV(MixtureOfPPCA(2, random_state=0), {"n_factors": [1, 2, 4]}, cv=3)
    assert search.fit(X).best_params_ == {"n_factors": 2}
    lowest = InformationCriterionSearch(
        MixtureOfFactorAnalyzers(random_state=0), {"n_components": [1, 2], "n_factors": [1, 2, 3]}
    ).fit(X)
    assert lowest.best_params_ == {"n_components": 2, "n_factors": 2}
    frame = clone(pipeline[0]).set_output(transform="pandas").fit(X).transform(X)
    assert list(frame) == [f"mixtureofppca{i}" for i in range(4)]


@pytest.mark.parametrize("Face", FACES)
def test_float32_and_pickles(Face):
    X, mixture = fitted(Face)
    single = X.astype(np.float32)
    again = clone(mixture).fit(single)
    for found in (again.transform(single), again.reconstruct(single), again.loadings_):
        assert found.dtype == np.float32
    loaded = pickle.loads(pickle.dumps(mixture))
    np.testing.assert_array_equal(loaded.transform(X), mixture.transform(X))


def test_refusals():
    X, mixture = fitted(MixtureOfPPCA)
    with pytest.raises(ValueError, match=r"has components 0 to 1, but got component=2"):
        mixture.factors(X, 2)
    with pytest.raises(ValueError, match=r"factors of one component, .* 2\), but got \(300, 4\)"):
        mixture.inverse_transform(mixture.transform(X), component=0)
    with pytest.raises(ValueError, match=r"expects the component whose factors X has, .* 0 to 1"):
        mixture.inverse_transform(mixture.factors(X, 0))
    with pytest.raises(ValueError, match=r"but got component=True"):
        mixture.factors(X, True)
    with pytest.raises(ValueError, match=r"more features than factors, but n_factors=7 and X has"):
        MixtureOfPPCA(2, n_factors=7).fit(X)
    with pytest.raises(ValueError, match=r"'n_factors' parameter .* must be an int"):
        MixtureOfPPCA(2, n_factors=0).fit(X)
    changed = clone(mixture).set_params(warm_start=True).fit(X).set_params(n_factors=1)
    with pytest.raises(ValueError, match=r"was fitted with n_factors=2, but it is now 1"):
        changed.fit(X)

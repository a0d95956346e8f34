"""ProbabilisticPCA and FactorAnalysis as scikit-learn's citizens: checks, pipelines, searches."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import FactorAnalysis as PeerAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

import mixtures
from mixtures import FactorAnalysis, ProbabilisticPCA

from .test_factor_analysis import rows

MODELS = [ProbabilisticPCA(2), ProbabilisticPCA(2, noise="zero"), FactorAnalysis(2)]
ESTIMATORS = [
    ProbabilisticPCA(),
    ProbabilisticPCA(1, n_threads=2),
    ProbabilisticPCA(0.9),
    ProbabilisticPCA(1, svd_solver="gram"),
    ProbabilisticPCA(1, svd_solver="randomized", random_state=0),
    ProbabilisticPCA(noise="zero"),
    ProbabilisticPCA(2, noise="zero", svd_solver="gram"),
    FactorAnalysis(),
    FactorAnalysis(1, n_threads=2),
    FactorAnalysis(2, rotation="varimax"),
    FactorAnalysis(2, rotation="oblimin"),
]


def expected_failures(estimator):
    """As many factors as features are not determined: rounding decides, on some machines."""
    if isinstance(estimator, FactorAnalysis) and estimator.n_components is None:
        return {"check_sample_weight_equivalence_on_dense_data": "not identified"}
    return {}


# The checks fit a few rows of noise in a few dimensions: these warnings are right.
@pytest.mark.filterwarnings("ignore::mixtures.exceptions.HeywoodWarning")
@pytest.mark.filterwarnings("ignore::mixtures.exceptions.IdentifiabilityWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures, xfail_strict=False)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_clone_pickle_and_refit(model):
    X = rows()
    fitted = clone(model).fit(X)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(X), fitted.transform(X))
    twin = clone(fitted)
    assert not hasattr(twin, "components_") and twin.get_params() == fitted.get_params()
    np.testing.assert_array_equal(twin.fit(X).components_, fitted.components_)
    np.testing.assert_array_equal(twin.fit_transform(X), fitted.transform(X))
    np.testing.assert_array_equal(fitted.fit(X[:100]).components_, twin.fit(X[:100]).components_)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_names_in_and_out(model):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rows(), columns=list("abcdefgh"))
    fitted = clone(model).set_output(transform="pandas").fit(table)
    prefix = type(model).__name__.lower()
    assert fitted.get_feature_names_out().tolist() == [f"{prefix}0", f"{prefix}1"]
    out = fitted.transform(table)
    assert list(out.columns) == [f"{prefix}0", f"{prefix}1"] and out.index.equals(table.index)
    assert fitted.feature_names_in_.tolist() == list("abcdefgh")
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.transform(table[list("hgfedcba")])
    plain = clone(model).fit(rows())
    np.testing.assert_array_equal(out.to_numpy(), plain.transform(rows()))


def test_pipelines():
    X = rows()
    y = X[:, 0] > np.median(X[:, 0])
    for model in MODELS:
        pipe = make_pipeline(StandardScaler(), clone(model), LogisticRegression())
        assert cross_val_score(pipe, X, y, cv=3).mean() > 0.7
    union = make_union(*[clone(m) for m in (MODELS[0], MODELS[2])]).fit(X)
    assert union.transform(X).shape == (400, 4)
    scaled = make_pipeline(StandardScaler(), FactorAnalysis(2)).fit(X)
    # factors do not depend on units, but for their signs
    both = np.abs(scaled.transform(X)), np.abs(FactorAnalysis(2).fit(X).transform(X))
    np.testing.assert_allclose(*both, atol=1e-5)


def test_the_number_of_factors_can_be_searched():
    X = rows(n=600, d=9, q=3)
    grid = {"n_components": [0, 1, 2, 3]}
    search = GridSearchCV(FactorAnalysis(), grid, cv=3).fit(X)
    assert search.best_params_ == {"n_components": 3}
    search = GridSearchCV(ProbabilisticPCA(), grid, cv=3).fit(X / X.std(axis=0))
    assert search.best_params_ == {"n_components": 3}
    scores = cross_val_score(FactorAnalysis(3), X, cv=3)
    peers = cross_val_score(PeerAnalysis(3, tol=1e-8, max_iter=10_000), X, cv=3)
    np.testing.assert_allclose(scores, peers, rtol=1e-5)
    criteria = [FactorAnalysis(q).fit(X).bic(X) for q in range(4)]
    assert int(np.argmin(criteria)) == 3


def test_constructors_are_those_of_scikit_learn():
    peer = PeerAnalysis(3, rotation="varimax", max_iter=77).get_params()
    assert peer.keys() <= FactorAnalysis(**peer).get_params().keys()
    assert FactorAnalysis(**peer).fit(rows(d=9, q=3)).components_.shape == (3, 9)


def test_without_density_there_is_no_score():
    """So that a search or a pipeline sees what there is."""
    X = rows()
    fitted = ProbabilisticPCA(2, noise="zero").fit(X)
    for method in ("score", "score_samples", "sample", "aic", "bic"):
        assert not hasattr(fitted, method)
        assert hasattr(ProbabilisticPCA(noise="zero").fit(X), method)
        assert hasattr(ProbabilisticPCA(2).fit(X), method)
    assert not ProbabilisticPCA(noise="zero").__sklearn_tags__().input_tags.allow_nan
    assert ProbabilisticPCA().__sklearn_tags__().input_tags.allow_nan
    # what was fitted counts, not what has been set since
    fitted.set_params(noise="isotropic")
    np.testing.assert_allclose(fitted.transform(X).var(axis=0), fitted.explained_variance_)


def test_html_representation_has_parameter_docs():
    for model in (ProbabilisticPCA(), FactorAnalysis()):
        assert estimator_html_repr(model).count('class="param-doc-description') >= 8


def test_public_names():
    assert {"FactorAnalysis", "ProbabilisticPCA"} <= set(mixtures.__all__)

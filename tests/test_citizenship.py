"""scikit-learn citizenship: its own checks, clone, pickle, pipelines, searches, representations."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures import GaussianMixture

from .registry import (
    ESTIMATORS,
    MODELS,
    expected_failures,
    gaussian_rows,
    names,
    parameters,
    same_bits,
)


# Some checks fit 15 rows of 30 features: a warning is right there, and only that one is let through
# (scikit-learn's own suite ignores every UserWarning around its checks). The one check that is
# skipped, check_array_api_input, needs SCIPY_ARRAY_API=1: see the next test.
@pytest.mark.filterwarnings("ignore::mixtures.exceptions.DegenerateDataWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


ARRAY_API = """
import warnings
from mixtures.exceptions import DegenerateDataWarning
warnings.simplefilter("error")
warnings.simplefilter("ignore", DegenerateDataWarning)
from sklearn.utils.estimator_checks import check_estimator
from tests.registry import ESTIMATORS, expected_failures
options = {"on_fail": None, "on_skip": None}
results = [
    r
    for e in ESTIMATORS[::5]
    for r in check_estimator(e, expected_failed_checks=expected_failures(e), **options)
]
fine = ("passed", "xfail")
print([(r["check_name"], str(r["exception"])) for r in results if r["status"] not in fine])
"""


@pytest.mark.slow
def test_scikit_learn_checks_with_array_dispatch():
    """SCIPY_ARRAY_API is read when scipy is imported: another process."""
    done = subprocess.run(
        [sys.executable, "-c", ARRAY_API],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_clone_and_refit(model):
    X = model.rows(200)
    for prior in model.priors.values():
        fitted = model.make(**prior).fit(X)
        twin = clone(fitted)
        assert not hasattr(twin, "weights_")
        assert repr(twin) == repr(fitted)
        same_bits(fitted, twin.fit(X))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_pickle(model):
    X = model.rows(200)
    for prior in model.priors.values():
        fitted = model.make(**prior).fit(X)
        copy = pickle.loads(pickle.dumps(fitted))
        same_bits(fitted, copy)
        np.testing.assert_array_equal(fitted.predict_proba(X), copy.predict_proba(X))
        assert copy.stop_reason_ == fitted.stop_reason_


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_fit_changes_no_constructor_argument(model):
    for prior in model.priors.values():
        estimator = model.make(**prior)
        before = {name: (id(v), repr(v)) for name, v in estimator.get_params().items()}
        estimator.fit(model.rows(100))
        after = {name: (id(v), repr(v)) for name, v in estimator.get_params().items()}
        assert before == after


def test_starting_arrays_are_not_changed():
    X = gaussian_rows(100, 2, 0)[0]
    given = {"weights_init": np.array([0.5, 0.5]), "means_init": X[:2].copy()}
    copies = {name: array.copy() for name, array in given.items()}
    GaussianMixture(2, **given).fit(X)
    for name, array in given.items():
        np.testing.assert_array_equal(array, copies[name])


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_pipeline(model):
    X = model.rows(200)
    step = FunctionTransformer(lambda X: X[:, :2])
    pipeline = make_pipeline(step, model.make()).fit(X)
    alone = model.make().fit(X[:, :2])
    np.testing.assert_array_equal(pipeline.predict(X), alone.predict(X[:, :2]))
    assert pipeline.score(X) == alone.score(X[:, :2])


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_grid_search_over_components(model):
    """The held-out log-likelihood finds the three components (no ground truth is passed)."""
    X = model.draw(900, model.separable, 21)[0]
    estimator = model.make(n_init=3, max_iter=500)
    search = GridSearchCV(estimator, {"n_components": [1, 2, 3]}, cv=3).fit(X)
    assert search.best_params_ == {"n_components": 3}
    assert search.best_score_ == pytest.approx(search.best_estimator_.score(X), abs=0.2)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_grid_search_with_weights(model):
    """Metadata routing: the weights reach fit and score; all rows of one blob weightless."""
    X, labels = model.draw(900, model.separable, 21)
    w = (labels > 0).astype(float)
    with config_context(enable_metadata_routing=True):
        estimator = model.make(n_init=3, max_iter=500)
        estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(estimator, {"n_components": [1, 2]}, cv=3).fit(X, sample_weight=w)
        pipeline = make_pipeline(FunctionTransformer(), estimator)
        nested = GridSearchCV(pipeline, {"verbose": [False]}, cv=3).fit(X, sample_weight=w)
    assert search.best_params_ == {"n_components": 2}
    direct = clone(search.best_estimator_).fit(X[labels > 0])
    assert search.best_score_ == pytest.approx(direct.score(X[labels > 0]), abs=0.2)
    assert np.isfinite(nested.best_score_)


def test_cross_val_score_is_the_held_out_log_likelihood():
    X = gaussian_rows(300, 2, 0)[0]
    folds = [(range(150), range(150, 300))]
    scores = cross_val_score(GaussianMixture(2, random_state=0), X, cv=folds)
    expected = GaussianMixture(2, random_state=0).fit(X[:150]).score(X[150:])
    assert scores[0] == expected


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_html_representation_has_parameter_docs(model):
    """scikit-learn shows a parameter's docs as a tooltip, if there is a documentation link."""
    html = estimator_html_repr(model.make().fit(model.rows(100)))
    assert "n_components" in html
    assert "weights_" in html
    assert html.count('class="param-doc-description') >= 3


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_data_frames(model, library):
    frames = pytest.importorskip(library)
    X = model.rows(100)
    columns = ["a", "b", "c"]
    table = frames.DataFrame(dict(zip(columns, X.T, strict=True)))
    fitted = model.make().fit(table)
    np.testing.assert_array_equal(fitted.feature_names_in_, columns)
    assert fitted.n_features_in_ == 3
    same_bits(fitted, model.make().fit(X))
    np.testing.assert_array_equal(fitted.predict(table), model.make().fit(X).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)
    assert not hasattr(fitted.fit(X), "feature_names_in_")


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_fit_predict_is_fit_then_predict(model):
    X = model.rows(300)
    w = np.random.default_rng(0).exponential(size=300)
    np.testing.assert_array_equal(
        model.make().fit_predict(X, sample_weight=w),
        model.make().fit(X, sample_weight=w).predict(X),
    )


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_predictions_change_nothing(model):
    X = model.rows(100)
    fitted = model.make().fit(X)
    before = {name: repr(value) for name, value in vars(fitted).items()}
    for method in ("predict", "predict_proba", "score_samples", "score", "bic", "aic", "icl"):
        getattr(fitted, method)(X)
    fitted.sample(5)
    assert {name: repr(value) for name, value in vars(fitted).items()} == before
    assert set(parameters(fitted)) <= set(vars(fitted))


def test_scaled_pipeline_is_affine_equivariant():
    """StandardScaler in front of full covariances changes the units and nothing else."""
    X, labels = gaussian_rows(300, 3, 5)
    X = X + 30.0 * np.eye(3)[labels]
    options = {"n_components": 3, "random_state": 0, "reg_covar": 0.0}
    plain = GaussianMixture(**options).fit(X)
    scaled = make_pipeline(StandardScaler(), GaussianMixture(**options)).fit(X)
    shift = np.log(X.std(axis=0)).sum()
    assert scaled.score(X) - shift == pytest.approx(plain.score(X), rel=1e-9)

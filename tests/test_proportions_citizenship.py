"""DynamicResponsibility as scikit-learn's citizen: checks, clone, pickle, frames, sources."""

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
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import mixtures
from mixtures import DynamicResponsibility

from .proportions_cases import SOLVERS, normals
from .registry import SOURCES

ESTIMATORS = [
    DynamicResponsibility(),
    DynamicResponsibility(input="log_density"),
    DynamicResponsibility(solver="squarem", concentration=2.0, n_threads=2),
    DynamicResponsibility(solver="sqp", store_orbit=True, information=True),
    # Pure noise leaves EM creeping, and a warning is an error here.
    DynamicResponsibility(solver="em", tol=1e-3),
]


def expected_failures(estimator):
    """Checks that fit rows of zeros, once their least entry is subtracted to make them positive.

    No weights explain a row that is zero under every component; it is refused, as it must be.
    """
    if estimator.input == "log_density":
        return {}
    names = ("estimators_dtypes", "fit2d_1feature", *(f"sample_weights_{s}" for s in WEIGHTED))
    return {f"check_{name}": "fits a row of zeros" for name in names}


WEIGHTED = ("pandas_series", "not_an_array")


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


ARRAY_API = """
import warnings
warnings.simplefilter("error")
from sklearn.utils.estimator_checks import check_estimator
from tests.test_proportions_citizenship import ESTIMATORS, expected_failures
options = {"on_fail": None, "on_skip": None}
results = [
    r
    for e in ESTIMATORS[:2]
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


def same(one, other):
    """Two fits with the same attributes, bit for bit."""
    first, second = (
        {name: value for name, value in vars(m).items() if name.endswith("_")} for m in (one, other)
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_tags_say_that_densities_are_positive_and_logarithms_are_not():
    assert get_tags(DynamicResponsibility()).input_tags.positive_only
    assert not get_tags(DynamicResponsibility(input="log_density")).input_tags.positive_only
    assert not get_tags(DynamicResponsibility()).input_tags.sparse


def test_it_is_public():
    from mixtures.proportions import DynamicResponsibility as own

    assert own is mixtures.DynamicResponsibility
    assert "DynamicResponsibility" in mixtures.__all__


@pytest.mark.parametrize("solver", SOLVERS)
def test_clone_pickle_and_refit(solver):
    F = normals(100, 3, 0)
    start = np.array([0.2, 0.3, 0.5])
    model = DynamicResponsibility(solver=solver, store_orbit=True, start=start, concentration=1.5)
    fitted = model.fit(F)
    twin, copy = clone(fitted), pickle.loads(pickle.dumps(fitted))
    assert not hasattr(twin, "weights_")
    assert repr(twin) == repr(fitted)
    same(fitted, copy)
    same(fitted, twin.fit(F))
    np.testing.assert_array_equal(copy.predict_proba(F), fitted.predict_proba(F))
    # Without the option the orbit of the fit before is gone.
    assert not hasattr(fitted.set_params(store_orbit=False).fit(F), "orbit_")


def test_parameters():
    model = DynamicResponsibility()
    assert model.get_params() == {
        "input": "density",
        "solver": "auto",
        "tol": 1e-8,
        "max_iter": None,
        "start": None,
        "concentration": 1.0,
        "store_orbit": False,
        "information": "auto",
        "n_threads": None,
    }
    assert repr(model) == "DynamicResponsibility()"
    assert repr(model.set_params(solver="em")) == "DynamicResponsibility(solver='em')"
    with pytest.raises(TypeError):
        DynamicResponsibility("log_density")
    before = {name: (id(v), repr(v)) for name, v in model.get_params().items()}
    model.fit(normals(20, 2, 0))
    assert before == {name: (id(v), repr(v)) for name, v in model.get_params().items()}


def test_predictions_change_nothing():
    F = normals(50, 3, 1)
    model = DynamicResponsibility().fit(F)
    before = {name: repr(value) for name, value in vars(model).items()}
    for method in ("predict", "predict_proba", "score_samples", "score"):
        getattr(model, method)(F)
    assert {name: repr(value) for name, value in vars(model).items()} == before


def test_html_representation_has_parameter_docs():
    html = estimator_html_repr(DynamicResponsibility().fit(normals(20, 2, 0)))
    assert "concentration" in html
    assert html.count('class="param-doc-description') >= 3


def densities(X):
    """What a pipeline may compute before: here of four normals with known means."""
    return np.exp(-0.5 * (X[:, :1] - np.array([-2.0, 0.0, 2.0, 5.0])) ** 2)


def test_pipeline_and_search():
    X = np.random.default_rng(0).normal(size=(200, 1)) * 2.0
    pipeline = make_pipeline(FunctionTransformer(densities), DynamicResponsibility()).fit(X)
    alone = DynamicResponsibility().fit(densities(X))
    np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(densities(X)))
    grid = {"dynamicresponsibility__concentration": [1.0, 5.0, 1e6]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X)
    assert search.best_params_["dynamicresponsibility__concentration"] in (1.0, 5.0)
    scores = cross_val_score(alone, densities(X), cv=4)
    assert np.isfinite(scores).all()


def test_metadata_routing():
    """Weights reach fit and score: rows without weight might as well be absent."""
    F = normals(300, 3, 2)
    w = np.r_[np.zeros(100), np.ones(200)]
    folds = [(np.arange(0, 300, 2), np.arange(1, 300, 2))]
    with config_context(enable_metadata_routing=True):
        model = DynamicResponsibility().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"concentration": [1.0]}, cv=folds).fit(F, sample_weight=w)
    here = DynamicResponsibility().fit(F[100::2])
    expected = here.score(F[101::2])
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library):
    frames = pytest.importorskip(library)
    F, columns = normals(100, 3, 3), ["small", "middle", "large"]
    table = frames.DataFrame(dict(zip(columns, F.T, strict=True)))
    fitted, plain = DynamicResponsibility().fit(table), DynamicResponsibility().fit(F)
    np.testing.assert_allclose(fitted.weights_, plain.weights_, atol=1e-6)
    np.testing.assert_array_equal(fitted.feature_names_in_, columns)
    np.testing.assert_allclose(
        fitted.predict_proba(table), plain.predict_proba(F), rtol=0, atol=1e-6
    )
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table[["middle", "small", "large"]])
    assert not hasattr(fitted.fit(F), "feature_names_in_")
    assert fitted.n_features_in_ == 3


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_sources(name, log):
    F = normals(200, 3, 4)
    kind, F = ("log_density", np.log(F)) if log else ("density", F)
    before = SOURCES[name](F)
    fitted = DynamicResponsibility(input=kind, tol=1e-10).fit(before)
    plain = DynamicResponsibility(input=kind, tol=1e-10).fit(F)
    np.testing.assert_allclose(fitted.weights_, plain.weights_, atol=1e-8)
    assert fitted.objective_ == pytest.approx(plain.objective_, abs=1e-12)
    np.testing.assert_array_equal(np.asarray(before, dtype=float), F)
    np.testing.assert_allclose(
        fitted.predict_proba(before), plain.predict_proba(F), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("name", ["fortran", "strided", "read-only", "memmap"])
def test_float32_sources(name):
    F = normals(200, 3, 4).astype(np.float32)
    plain = DynamicResponsibility(tol=1e-10).fit(F)
    fitted = DynamicResponsibility(tol=1e-10).fit(SOURCES[name](F))
    np.testing.assert_allclose(fitted.weights_, plain.weights_, atol=1e-8)
    np.testing.assert_allclose(
        fitted.predict_proba(SOURCES[name](F)), plain.predict_proba(F), rtol=0, atol=1e-7
    )


def test_responsibilities_over_their_weights_are_densities():
    """They are, up to a factor of the row, which means nothing: so the maximum is the same."""
    F = normals(400, 3, 5)
    fitted = DynamicResponsibility(tol=1e-11).fit(F)
    for weights in (fitted.weights_, np.array([0.2, 0.7, 0.1])):
        shares = F * weights / (F @ weights)[:, np.newaxis]
        again = DynamicResponsibility(tol=1e-11).fit(shares / weights)
        np.testing.assert_allclose(again.weights_, fitted.weights_, atol=1e-6)

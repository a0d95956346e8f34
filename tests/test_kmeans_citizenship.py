"""KMeans as scikit-learn's citizen: checks, pipelines, searches, callbacks, threads, sources."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures import KMeans
from mixtures.callbacks import TimeLimit
from mixtures.core.source import super_blocks

from .registry import SOURCES, gaussian_rows
from .test_callbacks import Recorder
from .test_kmeans import naive_inertia, same
from .test_lifecycle import Interrupter, state

ESTIMATORS = [
    KMeans(),
    KMeans(2, init="random", random_state=0, n_threads=2),
    KMeans(3, algorithm="elkan", n_init=2, tol=0.0, local_search=True, random_state=0),
]


# Some checks ask for one cluster, or have fewer distinct rows than clusters: warnings are right.
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.filterwarnings("ignore:algorithm='elkan' doesn't make sense")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: {}, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


ARRAY_API = """
import warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="Number of distinct clusters")
from sklearn.utils.estimator_checks import check_estimator
from mixtures import KMeans
results = check_estimator(KMeans(random_state=0), on_fail=None, on_skip=None)
print([(r["check_name"], str(r["exception"])) for r in results if r["status"] != "passed"])
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


def rows(n=200, d=3, seed=0, k=4):
    return gaussian_rows(n, d, seed, k)[0]


def test_clone_pickle_and_refit():
    X = rows()
    fitted = KMeans(4, random_state=0).fit(X)
    twin, copy = clone(fitted), pickle.loads(pickle.dumps(fitted))
    assert not hasattr(twin, "labels_")
    same(fitted, copy)
    same(fitted, twin.fit(X))
    np.testing.assert_array_equal(copy.transform(X), fitted.transform(X))
    assert copy.restarts_ == fitted.restarts_
    assert twin.set_params(n_clusters=2).fit(X).cluster_centers_.shape == (2, 3)


def test_fit_and_predictions_change_nothing_that_is_given():
    X, init = rows(), rows()[:4].copy()
    X.setflags(write=False)
    model = KMeans(4, init=init, copy_x=False)
    before = {name: (id(v), repr(v)) for name, v in model.get_params().items()}
    model.fit(X)
    assert before == {name: (id(v), repr(v)) for name, v in model.get_params().items()}
    np.testing.assert_array_equal(init, rows()[:4])
    fitted = {name: repr(value) for name, value in vars(model).items()}
    for method in ("predict", "transform", "score"):
        getattr(model, method)(X)
    assert {name: repr(value) for name, value in vars(model).items()} == fitted


def test_pipeline_and_search():
    X = rows(300)
    pipeline = make_pipeline(StandardScaler(), KMeans(4, random_state=0)).fit(X)
    scaled = StandardScaler().fit_transform(X)
    alone = KMeans(4, random_state=0).fit(scaled)
    np.testing.assert_array_equal(pipeline.predict(X), alone.labels_)
    np.testing.assert_array_equal(pipeline.transform(X), alone.transform(scaled))
    assert pipeline.get_feature_names_out().tolist() == [f"kmeans{i}" for i in range(4)]
    search = GridSearchCV(pipeline, {"kmeans__n_clusters": [1, 2, 5]}, cv=3).fit(X)
    assert search.best_params_ == {"kmeans__n_clusters": 5}  # the held-out inertia falls with k


def test_metadata_routing():
    """Weights reach fit and score: the third of the rows without weight might as well be absent."""
    X = rows(300)
    w = np.r_[np.zeros(100), np.ones(200)]
    folds = [(np.arange(0, 300, 2), np.arange(1, 300, 2))]
    with config_context(enable_metadata_routing=True):
        km = KMeans(random_state=0).set_fit_request(sample_weight=True)
        km.set_score_request(sample_weight=True)
        search = GridSearchCV(km, {"n_clusters": [2, 3]}, cv=folds).fit(X, sample_weight=w)
    here = KMeans(3, random_state=0).fit(X[100::2])
    assert search.cv_results_["mean_test_score"][1] == here.score(X[101::2])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library):
    frames = pytest.importorskip(library)
    X, columns = rows(100), ["a", "b", "c"]
    table = frames.DataFrame(dict(zip(columns, X.T, strict=True)))
    fitted = KMeans(4, random_state=0).set_output(transform=library).fit(table)
    same(fitted, KMeans(4, random_state=0).fit(X))
    np.testing.assert_array_equal(fitted.feature_names_in_, columns)
    for out in (fitted.transform(table), fitted.fit_transform(table)):
        assert isinstance(out, frames.DataFrame)
        assert list(out.columns) == [f"kmeans{i}" for i in range(4)]
        assert list(out.columns) == fitted.get_feature_names_out().tolist()
        np.testing.assert_array_equal(out, KMeans(4, random_state=0).fit_transform(X))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table[["b", "a", "c"]])
    assert not hasattr(fitted.fit(X), "feature_names_in_")


def test_html_representation_has_parameter_docs():
    html = estimator_html_repr(KMeans(2, random_state=0).fit(rows()))
    assert "n_clusters" in html
    assert html.count('class="param-doc-description') >= 3


# ---- callbacks, verbose, interruption -----------------------------------------------------------


def test_the_tasks_of_a_fit_and_the_copies_handed_out():
    """Their scores are the trace, and the fit is not disturbed."""
    X, recorder = rows(), Recorder()
    fitted = KMeans(4, random_state=0).set_callbacks(recorder).fit(X)
    assert recorder.begun[:2] == ["fit", "start"] or len(recorder.begun) == fitted.n_iter_ + 2
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.begun.count("iteration") == fitted.n_iter_
    assert [-score for score in recorder.scores] == pytest.approx(fitted.inertias_, rel=1e-12)
    same(KMeans(4, random_state=0).fit(X), fitted)
    recorder = Recorder()
    fitted = KMeans(4, init="random", random_state=0).set_callbacks(recorder).fit(X)
    assert recorder.begun.count("start") == len(fitted.restarts_) == 10
    assert recorder.begun.count("iteration") == sum(r.n_iter for r in fitted.restarts_)
    assert recorder.torn_down == 1


def test_a_callback_can_stop_the_fit():
    X = rows(400, k=12)
    fitted = KMeans(12, init="random", random_state=0, tol=0.0)
    fitted.set_callbacks(Recorder(stop_after=2)).fit(X)
    assert (fitted.n_iter_, fitted.converged_, len(fitted.restarts_)) == (2, False, 1)
    assert fitted.stop_reason_ == "A callback asked to stop."
    assert fitted.inertia_ == pytest.approx(naive_inertia(X, fitted.cluster_centers_))
    stopped = KMeans(12, random_state=0).set_callbacks(TimeLimit(1e-9)).fit(X)
    assert stopped.n_iter_ == 1


def test_in_a_search_with_a_progress_bar(capsys):
    pytest.importorskip("rich")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GridSearchCV(KMeans(random_state=0), {"n_clusters": [2, 3]}, cv=2).set_callbacks(
            ProgressBar()
        ).fit(rows())
        for options in ({}, {"local_search": True, "max_iter": 1}):
            KMeans(6, random_state=0, **options).set_callbacks(ProgressBar()).fit(rows())


def test_each_step_of_a_local_search_is_an_iteration():
    X, recorder = rows(400, 2, k=12), Recorder()
    fitted = KMeans(12, local_search=True, max_iter=3, random_state=0).set_callbacks(recorder)
    fitted.fit(X)
    assert recorder.begun.count("iteration") == fitted.n_iter_ > 3
    assert [-score for score in recorder.scores] == pytest.approx(fitted.inertias_, rel=1e-9)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_an_interrupted_fit_leaves_what_was_there(error):
    X = rows(400, k=12)
    new = KMeans(12, random_state=0, tol=0.0).set_callbacks(Interrupter(error))
    before = state(new)
    with pytest.raises(error):
        new.fit(X)
    assert state(new) == before
    old = KMeans(3, random_state=0).fit(rows(100, 2))
    before, labels = state(old), old.predict(rows(100, 2))
    old.set_params(n_clusters=12, tol=0.0).set_callbacks(Interrupter(error))
    with pytest.raises(error):
        old.fit(X)
    after = state(old)
    assert {**after, "n_clusters": 3, "tol": 1e-4} == before
    np.testing.assert_array_equal(old.predict(rows(100, 2)), labels)


def test_verbose_prints_the_trace(capsys):
    X = rows()
    KMeans(4, random_state=0).fit(X)
    assert capsys.readouterr().out == ""
    fitted = KMeans(4, random_state=0, verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == fitted.n_iter_ + 2
    assert lines[0] == "Initialization 0"
    assert lines[1].startswith("  Iteration 1\t inertia ")
    assert float(lines[-2].split()[-1]) == pytest.approx(fitted.inertia_, rel=1e-4)
    assert lines[-1].startswith("Initialization 0 ended with inertia ")
    KMeans(4, random_state=0, verbose=2).fit(X)
    assert "time lapse" in capsys.readouterr().out


# ---- where rows live, who works on them ---------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_sources(name):
    X = gaussian_rows(200, 3, 0)[0]
    before = SOURCES[name](X)
    fitted = KMeans(4, random_state=0, copy_x=False).fit(before)
    same(KMeans(4, random_state=0).fit(X), fitted)
    np.testing.assert_array_equal(np.asarray(before, dtype=float), X)
    np.testing.assert_array_equal(fitted.predict(before), fitted.labels_)
    np.testing.assert_allclose(fitted.transform(before), fitted.transform(X), rtol=0)


@pytest.mark.parametrize("name", ["fortran", "strided", "read-only", "memmap"])
def test_float32_sources(name):
    X = gaussian_rows(200, 3, 0)[0].astype(np.float32)
    one, other = KMeans(4, random_state=0).fit(X), KMeans(4, random_state=0).fit(SOURCES[name](X))
    assert one.cluster_centers_.dtype == np.float32
    same(one, other)


@pytest.mark.parametrize("weighted", [False, True])
def test_any_number_of_threads(weighted):
    X = gaussian_rows(30_000, 12, 0, k=6)[0]
    w = np.random.default_rng(0).exponential(size=len(X)) if weighted else None
    assert len(super_blocks(*X.shape, 6)) >= 4
    one = KMeans(6, random_state=0, n_threads=1, max_iter=5).fit(X, sample_weight=w)
    for n_threads in (2, 3, None):
        options = {"random_state": 0, "max_iter": 5, "n_threads": n_threads}
        other = KMeans(6, **options).fit(X, sample_weight=w)
        same(one, other)
        np.testing.assert_array_equal(one.predict(X), other.predict(X))
        assert one.score(X, sample_weight=w) == other.score(X, sample_weight=w)

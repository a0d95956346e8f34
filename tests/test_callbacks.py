"""scikit-learn 1.9 callbacks: fit -> start -> iteration, early stop, nested in a search."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV

from .registry import MODELS, names, same_bits


class Recorder:
    """Counts tasks by name and asks a fitted copy for its score."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.begun, self.ended, self.scores, self.torn_down = [], [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, metadata=None, fitted_estimator=None):
        self.ended.append(context.task_name)
        if context.task_name != "iteration":
            return False
        self.scores.append(fitted_estimator.score(X))
        return self.stop_after is not None and len(self.scores) >= self.stop_after


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_task_tree(model):
    X, recorder = model.rows(200), Recorder()
    fitted = model.make(n_init=2).set_callbacks(recorder).fit(X)
    assert recorder.torn_down == 1
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.begun.count("start") == 2
    assert recorder.begun.count("iteration") == sum(r.n_iter for r in fitted.restarts_)
    assert len(recorder.begun) - recorder.begun.count("iteration") == 3  # the fit, two starts


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_the_copy_handed_out_is_fitted(model):
    """Its score is the objective of the iteration (flat prior), and the fit is not disturbed."""
    X, recorder = model.rows(200), Recorder()
    fitted = model.make().set_callbacks(recorder).fit(X)
    assert recorder.scores == pytest.approx(fitted.lower_bounds_, rel=1e-10)
    same_bits(model.make().fit(X), fitted)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_callback_can_stop_the_fit(model):
    X, recorder = model.rows(200), Recorder(stop_after=2)
    with pytest.warns(UserWarning, match="did not converge"):
        fitted = model.make(n_init=3, tol=1e-9).set_callbacks(recorder).fit(X)
    assert fitted.stop_reason_ == "A callback asked to stop."
    assert fitted.n_iter_ == 2
    assert not fitted.converged_
    assert recorder.torn_down == 1
    assert len(fitted.restarts_) == 1


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_clone_keeps_callbacks(model):
    recorder = Recorder()
    clone(model.make().set_callbacks(recorder)).fit(model.rows(100))
    assert recorder.torn_down == 1


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_progress_bar(model, capsys):
    pytest.importorskip("rich")
    fitted = model.make(n_init=2).set_callbacks(ProgressBar()).fit(model.rows(200))
    assert type(fitted).__name__ in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar_nested_in_a_search(n_jobs, capsys):
    pytest.importorskip("rich")
    model = MODELS[0]
    search = GridSearchCV(model.make(), {"n_components": [1, 2]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar()).fit(model.rows(200))
    assert "GridSearchCV" in capsys.readouterr().out
    plain = GridSearchCV(model.make(), {"n_components": [1, 2]}, cv=2).fit(model.rows(200))
    assert search.best_params_ == plain.best_params_
    same_bits(search.best_estimator_, plain.best_estimator_)


@pytest.mark.parametrize("verbose", [1, 2])
def test_verbose(verbose, capsys):
    model = MODELS[0]
    X = model.rows(200)
    loud = model.make(verbose=verbose, verbose_interval=1, n_init=2).fit(X)
    out = capsys.readouterr().out
    assert "Initialization 0" in out
    assert "Initialization 1" in out
    assert out.count("  Iteration") == sum(r.n_iter for r in loud.restarts_)
    assert ("time lapse" in out) == (verbose == 2)
    same_bits(loud, model.make(n_init=2).fit(X))
    assert capsys.readouterr().out == ""

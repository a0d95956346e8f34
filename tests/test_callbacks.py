"""scikit-learn 1.9 callbacks: fit -> start -> iteration, early stop, nested in a search."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from mixtures import GaussianMixture
from mixtures.callbacks import LikelihoodMonitor
from mixtures.exceptions import DegenerateDataWarning

from .registry import MODELS, gaussian_rows, names, same_bits


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


# A component of its own for the last four rows, which are equal: its likelihood is unbounded.
EQUAL_ROWS = np.vstack([gaussian_rows(40, 2, 3, k=2)[0], [[30.0, 30.0]] * 4])


class Nesting(Recorder):
    """Keeps the tasks that are open, and the model that each start led to."""

    def __init__(self):
        super().__init__()
        self.open, self.models = [], []

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.open.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, metadata=None, fitted_estimator=None):
        assert self.open.pop() == context.task_name
        if context.task_name == "start":
            self.models.append(fitted_estimator)


def with_failed_starts(**options):
    """A mixture of which some starts collapse on `EQUAL_ROWS`, and which of them did."""
    options |= {"reg_covar": 0.0, "n_init": 4, "init_params": "random_from_data", "max_iter": 500}
    for seed in range(20):
        model = GaussianMixture(2, random_state=seed, **options)
        try:
            restarts = model.fit(EQUAL_ROWS).restarts_
        except ValueError:
            continue
        failed = [bool(np.isnan(restart.objective)) for restart in restarts]
        if any(failed):
            return clone(model), failed
    pytest.fail("no seed had good and bad starts")


def test_a_start_that_fails_ends_its_task():
    """Its task ends before the next begins, and shows no model: there is none."""
    model, failed = with_failed_starts()
    nesting = Nesting()
    model.set_callbacks(nesting).fit(EQUAL_ROWS)
    assert nesting.open == []
    assert [fitted is None for fitted in nesting.models] == failed


def test_a_start_that_fails_says_so(capsys):
    model, failed = with_failed_starts()
    model.set_params(verbose=1).fit(EQUAL_ROWS)
    out = capsys.readouterr().out
    for number, has_failed in enumerate(failed):
        assert f"Initialization {number}\n" in out
        assert (f"Initialization {number} failed: component " in out) == has_failed
        assert (f"Initialization {number} ended with lower bound " in out) != has_failed


def test_an_interrupt_ends_the_task_of_its_start(capsys):
    def interrupt(*arguments, **_):
        raise KeyboardInterrupt

    model, nesting = MODELS[0].make(verbose=1), Nesting()
    model._initialise = interrupt
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(nesting).fit(MODELS[0].rows(200))
    assert nesting.open == ["fit"]
    assert "Initialization 0 was interrupted." in capsys.readouterr().out


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


@pytest.mark.parametrize("seed", range(5))
def test_iterations_of_a_path_that_is_left_stay_within_the_task(seed):
    """A large ridge makes EM start over; the callbacks see all of it, at most max_iter in all."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 2)) * [1, 0.3] + rng.integers(0, 2, (80, 1)) * 3
    monitor = LikelihoodMonitor()
    model = GaussianMixture(3, reg_covar=0.01, max_iter=30, tol=1e-5, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateDataWarning)
        model.set_callbacks(monitor).fit(X)
    assert model.n_iter_ <= len(monitor.records_) <= 30
    assert monitor.records_[-1].lower_bound == model.lower_bound_

"""What a fit tells while it runs, and that whoever listens may stop it at any time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from mixtures.callbacks import TimeLimit
from mixtures.neural.optimisers import Adam

from .neural_cases import NETS, copies, draw, fit, net, same_bits, weights

X, Y = draw()


class Recorder:
    """Keeps the tasks, and the score of the network after each epoch; stops or fails if asked."""

    def __init__(self, stop_after=None, error=None):
        self.stop_after, self.error = stop_after, error
        self.begun, self.ended, self.open, self.models, self.torn_down = [], [], [], [], 0

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.begun.append(context.task_name)
        self.open.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        assert self.open.pop() == context.task_name
        self.ended.append(context.task_name)
        if context.task_name != "epoch":
            return False
        self.models.append((fitted_estimator.score(X, y), fitted_estimator))
        due = self.stop_after is not None and len(self.models) >= self.stop_after
        if due and self.error is not None:
            raise self.error
        return due


@pytest.mark.parametrize("case", NETS)
def test_the_tasks_are_a_fit_of_epochs(case):
    recorder = Recorder()
    model = fit(net(**NETS[case]).set_callbacks(recorder), X, Y)
    assert recorder.begun == ["fit"] + ["epoch"] * model.n_iter_
    assert recorder.ended == ["epoch"] * model.n_iter_ + ["fit"]
    assert recorder.open == [] and recorder.torn_down == 1
    same_bits(model, fit(net(**NETS[case]), X, Y))  # listening changes nothing


@pytest.mark.parametrize("case", ["softmax", "responsible", "carried", "pseudo-rows"])
def test_the_copy_handed_out_is_the_network_of_its_epoch(case):
    recorder = Recorder()
    fit(net(**NETS[case], shuffle="once").set_callbacks(recorder), X, Y)
    for epochs, (score, copy) in enumerate(recorder.models, start=1):
        alone = fit(net(**NETS[case], shuffle="once", max_epochs=epochs), X, Y)
        same_bits(copy, alone)
        assert score == alone.score(X, Y)
        np.testing.assert_array_equal(copy.predict_proba(X), alone.predict_proba(X))


def test_a_callback_can_stop_the_fit():
    recorder = Recorder(stop_after=2)
    model = fit(net(max_epochs=50).set_callbacks(recorder), X, Y)
    assert model.n_iter_ == len(model.loss_curve_) == 2 and recorder.torn_down == 1
    assert recorder.ended == ["epoch", "epoch", "fit"]
    same_bits(model, fit(net(max_epochs=2), X, Y))


def test_a_time_limit():
    model = fit(net(max_epochs=10**7, tol=0.0).set_callbacks(TimeLimit(0.05)), X, Y)
    assert 1 <= model.n_iter_ < 10**7
    assert fit(net(max_epochs=3).set_callbacks(TimeLimit(1000.0)), X, Y).n_iter_ == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("full disk")])
@pytest.mark.parametrize("case", ["responsible", "carried", "logistic, sgd"])
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(case, error):
    model = net(**NETS[case]).set_callbacks(Recorder(2, error))
    with pytest.raises(type(error)):
        fit(model, X, Y)
    assert not any(name.endswith("_") for name in vars(model) if not name.startswith("_"))
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert model._skl_callbacks[0].torn_down == 1
    for warm in (False, True):
        model = fit(net(**NETS[case], warm_start=warm), X, Y)
        twin, before, proba = fit(clone(model), X, Y), copies(model), model.predict_proba(X)
        state = {n: v for n, v in vars(model).items() if n.endswith("_")}
        with pytest.raises(type(error)):
            fit(model.set_callbacks(Recorder(2, error)), X[:100], Y[:100])
        for a, b in zip(weights(model), before, strict=True):
            np.testing.assert_array_equal(a, b)  # no array was written to
        assert all(getattr(model, name) is value for name, value in state.items())
        np.testing.assert_array_equal(model.predict_proba(X), proba)
        model.set_callbacks()
        same_bits(model.partial_fit(X, Y), twin.partial_fit(X, Y))  # nor the optimiser's
        same_bits(fit(model, X, Y), fit(twin, X, Y))


def test_an_interrupted_epoch_of_partial_fit(monkeypatch):
    """Whatever stops it half way, in the middle of a batch."""
    model = net(shuffle=False).partial_fit(X, Y, classes=[0, 1, 2])
    twin = net(shuffle=False).partial_fit(X, Y, classes=[0, 1, 2])
    calls = []

    def interrupt(*arguments, **options):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(*arguments, **options)

    step = Adam.step
    monkeypatch.setattr(Adam, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, Y)
    monkeypatch.undo()
    same_bits(model, twin)
    same_bits(model.partial_fit(X, Y), twin.partial_fit(X, Y))


def test_clone_keeps_callbacks():
    recorder = Recorder()
    fit(clone(net().set_callbacks(recorder)), X, Y)
    assert recorder.torn_down == 1


def test_progress_bar(capsys):
    pytest.importorskip("rich")
    loud = fit(net().set_callbacks(ProgressBar()), X, Y)
    out = capsys.readouterr().out
    assert "ResponsibleSoftmaxClassifier" in out and "100%" in out
    same_bits(loud, fit(net(), X, Y))


def test_progress_bar_of_a_fit_that_stops_early(capsys):
    pytest.importorskip("rich")
    options = {"max_epochs": 500, "tol": 1e-2, "n_iter_no_change": 1, "learning_rate_init": 0.05}
    net(**options).set_callbacks(ProgressBar()).fit(X, Y)
    assert "100%" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nested_in_a_search(n_jobs, capsys):
    pytest.importorskip("rich")
    grid = {"head": ["softmax", "fixed"]}
    search = GridSearchCV(net(), grid, cv=2, n_jobs=n_jobs).set_callbacks(ProgressBar())
    fit(search, X, Y)
    assert "GridSearchCV" in capsys.readouterr().out
    plain = fit(GridSearchCV(net(), grid, cv=2), X, Y)
    assert search.best_params_ == plain.best_params_
    same_bits(search.best_estimator_, plain.best_estimator_)


def test_verbose(capsys):
    loud = fit(net(verbose=True), X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert sum("poch" in line for line in lines) == loud.n_iter_
    for line, loss in zip((x for x in lines if "poch" in x), loud.loss_curve_, strict=True):
        assert f"{loss:.6f}" in line
    same_bits(loud, fit(net(), X, Y))
    assert capsys.readouterr().out == ""
    held = fit(net(verbose=True, early_stopping=True), X, Y)
    out = capsys.readouterr().out
    assert all(f"{score:.3f}" in out for score in held.validation_scores_)

"""All or nothing: a fit commits at its end, an interrupted or failed one leaves what was there."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from mixtures import GaussianMixture

from .registry import MODELS, gaussian_rows, names, same_bits


class Interrupter:
    """Raises in the third iteration."""

    def __init__(self, error):
        self.error, self.seen = error, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.seen += context.task_name == "iteration"
        if self.seen == 3:
            raise self.error


def state(estimator):
    # The callbacks' own list is scikit-learn's affair.
    return {k: v for k, v in vars(estimator).items() if not k.startswith("_")}


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_an_interrupted_first_fit_leaves_it_unfitted(model, error):
    estimator = model.make(tol=1e-12).set_callbacks(Interrupter(error))
    before = state(estimator)
    with pytest.raises(error):
        estimator.fit(model.rows(200))
    assert state(estimator) == before
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)
    with pytest.raises(NotFittedError):
        estimator.predict(model.rows(5))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_an_interrupted_refit_leaves_the_old_fit(model, error):
    X = model.rows(200)
    estimator = model.make().fit(X)
    expected, before = estimator.predict_proba(X), state(estimator)
    estimator.set_params(tol=1e-12).set_callbacks(Interrupter(error))
    with pytest.raises(error):
        estimator.fit(model.rows(300, 4, seed=9))
    after = state(estimator)
    assert after.pop("tol") == 1e-12
    assert before.pop("tol") != 1e-12
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_failed_refit_leaves_the_old_fit(model):
    X = model.rows(200)
    estimator = model.make().fit(X)
    expected = estimator.predict_proba(X)
    for bad in (np.full((20, 3), np.nan), np.ones((2, 3)), np.ones((10, 3), complex), np.ones(5)):
        with pytest.raises(ValueError, match=r"NaN|missing|n_components|[Cc]omplex|2D"):
            estimator.fit(bad)
        np.testing.assert_array_equal(estimator.predict_proba(X), expected)
    assert estimator.n_features_in_ == 3


def test_a_collapsed_refit_leaves_the_old_fit():
    X = gaussian_rows(100, 2, 0)[0]
    estimator = GaussianMixture(3, random_state=0, reg_covar=0.0).fit(X)
    expected = estimator.predict_proba(X)
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        estimator.fit(np.repeat(np.eye(3), 5, axis=0))
    assert estimator.n_features_in_ == 2
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this platform")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_signal_interrupts_a_sweep(n_threads):
    """Ctrl-C during a long fit: raised soon, no thread left behind, nothing fitted."""
    X = gaussian_rows(50_000, 12, 0)[0]
    estimator = GaussianMixture(
        20, tol=0.0, max_iter=10**6, init_params="random_from_data", n_threads=n_threads
    )
    GaussianMixture(20, random_state=0, max_iter=0).fit(X[:1000])  # kernels are loaded
    threads = threading.active_count()

    def interrupt(*_):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
    assert threading.active_count() == threads
    assert not hasattr(estimator, "weights_")


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_warm_start_continues(model):
    """Two halves make a whole: the path is the same, iteration by iteration."""
    X = model.rows(300)
    options = {"acceleration": None, "tol": 0.0, **model.exact}
    with pytest.warns(UserWarning, match="did not converge"):
        whole = model.make(max_iter=10, **options).fit(X)
    with pytest.warns(UserWarning, match="did not converge"):
        halves = model.make(max_iter=4, warm_start=True, **options).fit(X)
    first = list(halves.lower_bounds_)
    with pytest.warns(UserWarning, match="did not converge"):
        halves.set_params(max_iter=6).fit(X)
    # Parameters pass through data units between the halves: rounding, amplified by EM.
    np.testing.assert_allclose(first + halves.lower_bounds_, whole.lower_bounds_, rtol=1e-12)
    assert halves.initial_lower_bound_ == pytest.approx(first[-1], rel=1e-13)
    assert len(halves.restarts_) == 1


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_warm_start_begins_with_an_ordinary_fit(model):
    X = model.rows(300)
    same_bits(model.make().fit(X), model.make(warm_start=True).fit(X))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_warm_start_on_other_rows(model):
    fitted = model.make(warm_start=True).fit(model.rows(300))
    other = model.rows(300, seed=0)[:150]
    before = fitted.score(other)
    fitted.fit(other)
    assert fitted.initial_lower_bound_ == pytest.approx(before, rel=1e-12)
    assert fitted.lower_bound_ >= before


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_without_warm_start_the_past_is_forgotten(model):
    X = model.rows(300)
    estimator = model.make().fit(model.rows(100, 4, seed=5))
    same_bits(model.make().fit(X), estimator.fit(X))
    assert estimator.n_features_in_ == 3


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_random_state_object_moves_on(model):
    """An int repeats itself; an object's next fit draws anew, from the same stream for all."""
    X = model.rows(300)
    same_bits(
        model.make(init_params="random", random_state=np.random.RandomState(3)).fit(X),
        model.make(init_params="random", random_state=3).fit(X),
    )


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_the_best_start_is_kept(model):
    X = model.rows(300, seed=6)
    fitted = model.make(4, n_init=5, init_params="random_from_data", max_iter=500).fit(X)
    assert len(fitted.restarts_) == 5
    objectives = [restart.objective for restart in fitted.restarts_]
    assert fitted.lower_bound_ == max(objectives)
    assert len(set(objectives)) > 1  # the starts do differ
    best = fitted.restarts_[int(np.argmax(objectives))]
    assert best.n_iter == fitted.n_iter_
    assert best.reason == fitted.stop_reason_
    assert all(restart.seconds > 0 for restart in fitted.restarts_)
    assert all(restart.objective == restart.objective for restart in fitted.restarts_)

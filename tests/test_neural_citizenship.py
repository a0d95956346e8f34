"""ResponsibleSoftmaxClassifier as scikit-learn's citizen: checks, pipelines, searches, copies."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures import ResponsibleSoftmaxClassifier

from .neural_cases import LEARNT, NETS, copies, draw, fit, net, same_bits, weights

not_converged = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)  # few epochs are enough here


def quick(**options):
    """Learns what the checks ask for, in few epochs."""
    fast = {"learning_rate_init": 0.03, "max_epochs": 25, "random_state": 0}
    return ResponsibleSoftmaxClassifier(**{**fast, **options})


ESTIMATORS = [
    ResponsibleSoftmaxClassifier(),
    quick(head="softmax", predict_prior="train"),
    quick(head="softmax", activation="relu", hidden_layer_sizes=(10, 5), drop_last=True),
    quick(head="fixed", activation="logistic", solver="sgd", learning_rate_init=0.3),
    quick(n_prior_iter=3, prior_gradient="stop", activation="relu", shuffle="once"),
    quick(n_prior_iter=2, prior_gradient="neumann", prior_start="empirical", batch_size=30),
    quick(prior_gradient="implicit", prior_concentration=2.0, hidden_layer_sizes=(), max_epochs=60),
    quick(prior_start="carry", prior_momentum=0.5, predict_prior="train", learning_rate="step"),
    quick(prior_start="empirical", activation="identity", n_prior_iter=0, alpha=0.0),
    quick(solver="sgd", learning_rate="adaptive", learning_rate_init=0.2, momentum=0.5),
]


@not_converged
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: {}, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_no_check_is_left_out():
    for estimator in ESTIMATORS:
        tags = estimator.__sklearn_tags__()
        assert tags.input_tags.sparse and not tags.input_tags.allow_nan
        assert tags.estimator_type == "classifier" and not tags._skip_test
        assert not tags.non_deterministic and not tags.no_validation


@pytest.mark.parametrize("case", NETS)
def test_copies_are_the_same_to_the_last_bit(case):
    X, y = draw()
    model = fit(net(**NETS[case]), X, y)
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        same_bits(model, twin)
        for method in ("predict_proba", "decision_function", "log_density_ratio"):
            np.testing.assert_array_equal(getattr(twin, method)(X), getattr(model, method)(X))
        assert twin.get_params().keys() == model.get_params().keys()
    twin = clone(model)
    assert not any(hasattr(twin, name) for name in ("coefs_", "classes_", "n_features_in_"))
    same_bits(fit(twin, X, y), model)  # the same seed
    same_bits(fit(model, X, y), twin)  # a second fit is a first one
    other = fit(clone(model).set_params(random_state=1), X, y)
    assert not np.array_equal(other.coefs_[0], model.coefs_[0])


@pytest.mark.parametrize("case", NETS)
def test_copies_go_on_alike(case):
    """The optimiser's state, the carried prior and the random draws are part of a copy."""
    X, y = draw()
    options = {**NETS[case], "early_stopping": False, "prior_gradient": "exact"}
    model = net(**options).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    before = copies(model)
    model.partial_fit(X[:70], y[:70])
    for twin in twins:
        for a, b in zip(weights(twin), before, strict=True):
            np.testing.assert_array_equal(a, b)  # nothing is shared
        same_bits(twin.partial_fit(X[:70], y[:70]), model)


def test_a_random_generator_is_drawn_from():
    X, y = draw()
    models = [fit(net(random_state=np.random.RandomState(0)), X, y) for _ in range(2)]
    same_bits(*models)
    again = fit(models[0], X, y)  # the generator went on
    assert not np.array_equal(again.coefs_[0], models[1].coefs_[0])


def test_pipelines_searches_and_cross_validation():
    X, y = draw(240)
    X = X * [100.0, 0.01] + 7.0
    steps = make_pipeline(StandardScaler(), quick(max_epochs=10))
    name = "responsiblesoftmaxclassifier"
    grid = {
        f"{name}__head": ["softmax", "responsible", "fixed"],
        f"{name}__n_prior_iter": [0, 2],
        f"{name}__hidden_layer_sizes": [(4,), (5, 3)],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = GridSearchCV(steps, grid, cv=2).fit(X, y)
        proba = cross_val_predict(steps, X, y, cv=3, method="predict_proba")
        scores = cross_val_score(steps, X, y, cv=3)
        adapted = GridSearchCV(steps, {f"{name}__predict_prior": ["train", [0.1, 0.1, 0.8]]}, cv=2)
        adapted.fit(X, y)
    assert set(search.best_params_) == set(grid)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert scores.mean() > 0.6
    assert adapted.best_params_[f"{name}__predict_prior"] == "train"
    inner = search.best_estimator_[-1]
    assert len(inner.coefs_) == len(inner.hidden_layer_sizes) + 1


@not_converged
def test_inside_other_estimators():
    X, y = draw(240)
    model = quick(max_epochs=10)
    calibrated = CalibratedClassifierCV(model, cv=2).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    assert OneVsRestClassifier(model).fit(X, y).score(X, y) > 0.6


LABELS = {
    "strings": np.array(["ash", "birch", "cedar"]),
    "objects": np.array(["ash", "birch", "cedar"], dtype=object),
    "floats": np.array([-1.0, 0.0, 2.0]),
    "far integers": np.array([-7, 3, 10**12]),
    "unsigned": np.array([1, 2, 200], dtype=np.uint8),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels(kind):
    X, y = draw()
    names = LABELS[kind]
    plain, named = fit(net(), X, y), fit(net(), X, names[y])
    same_bits(plain, named)
    assert named.classes_.tolist() == names.tolist() and named.classes_.dtype == names.dtype
    assert named.predict(X).dtype == names.dtype
    np.testing.assert_array_equal(named.predict(X), names[plain.predict(X)])
    assert named.score(X, names[y]) == plain.score(X, y)
    lists = fit(net(), X.tolist(), names[y].tolist())
    np.testing.assert_array_equal(lists.predict_proba(X.tolist()), plain.predict_proba(X))


def test_yes_and_no():
    X, y = draw()
    plain, named = fit(net(), X, (y > 0).astype(int)), fit(net(), X, y > 0)
    same_bits(plain, named)
    assert named.predict(X).dtype == bool and named.predict_proba(X).shape == (150, 2)
    assert named.decision_function(X).shape == (150,)
    np.testing.assert_array_equal(named.decision_function(X) > 0, named.predict(X))


def test_feature_names():
    pandas = pytest.importorskip("pandas")
    X, y = draw()
    table = pandas.DataFrame(X, columns=["width", "height"], index=np.arange(150)[::-1])
    labels = pandas.Series(y, index=table.index, name="tree")
    named, plain = fit(net(), table, labels), fit(net(), X, y)
    same_bits(named, plain)
    assert named.feature_names_in_.tolist() == ["width", "height"]
    np.testing.assert_array_equal(named.predict_proba(table), plain.predict_proba(X))
    for method in (named.predict, named.estimate_prior, named.adapt, named.log_density_ratio):
        with pytest.raises(ValueError, match="feature names should match"):
            method(table[["height", "width"]])
    assert not hasattr(fit(named, X, y), "feature_names_in_")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", ["softmax", "responsible", "identity, early stopping"])
def test_sparse_rows(case, dtype):
    X, y = draw()
    X = np.where(np.abs(X) < 1.0, 0.0, X).astype(dtype)
    dense = fit(net(**NETS[case]), X, y)
    tol = 1e-10 if dtype is np.float64 else 1e-4
    for make in (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        model = fit(net(**NETS[case]), make(X), y)
        for a, b in zip(weights(model), weights(dense), strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, b, rtol=tol, atol=tol)
        np.testing.assert_allclose(
            model.predict_proba(make(X)), dense.predict_proba(X), rtol=tol, atol=tol
        )
        np.testing.assert_allclose(
            model.adapt(make(X)).predict_prior, dense.adapt(X).predict_prior, atol=max(tol, 1e-6)
        )
    wide = sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_array_equal(model.predict(wide), model.predict(sparse.csr_array(X)))


@pytest.mark.parametrize("case", NETS)
def test_single_precision_stays(case):
    X, y = draw()
    double = fit(net(**NETS[case]), X, y)
    single = fit(net(**NETS[case]), X.astype(np.float32), y)
    assert all(w.dtype == np.float32 for w in weights(single))
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        found = getattr(single, method)(X.astype(np.float32))
        assert found.dtype == np.float32, method
        np.testing.assert_allclose(found, getattr(double, method)(X), rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(single.prior_.sum(), 1.0, rtol=1e-6)
    for kind in (np.int64, np.int32, np.uint8, bool):
        coded = (np.abs(X) * 2).astype(kind)
        model = fit(net(**NETS[case]), coded, y)
        assert all(w.dtype == np.float64 for w in weights(model))
        same_bits(model, fit(net(**NETS[case]), coded.astype(np.float64), y))


def test_the_same_numbers_however_they_lie():
    X, y = draw()
    model, wide = fit(net(), X, y), np.zeros((300, 6))
    wide[::2, 1::3] = X
    frozen = X.copy()
    frozen.setflags(write=False)
    for rows in (np.asfortranarray(X), wide[::2, 1::3], frozen, X.astype(">f8"), X.astype(object)):
        same_bits(fit(net(), rows, y), model)
        np.testing.assert_array_equal(model.predict_proba(rows), model.predict_proba(X))


def test_fitted_attributes_are_of_the_form_that_is_promised():
    X, y = draw()
    model = fit(net(hidden_layer_sizes=(6, 4)), X, y)
    assert [W.shape for W in model.coefs_] == [(2, 6), (6, 4), (4, 3)]
    assert [b.shape for b in model.intercepts_] == [(6,), (4,), (3,)]
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (4, 3, "softmax")
    assert (model.n_features_in_, model.n_iter_, model.t_) == (2, 4, 600)
    assert len(model.loss_curve_) == 4 and model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.prior_curve_.shape == (4, 3)
    np.testing.assert_allclose(model.prior_curve_.sum(axis=1), 1.0)
    assert not hasattr(model, "prior_estimate_")
    assert {n for n in vars(model) if n.endswith("_") and not n.startswith("_")} >= set(LEARNT)
    bare = fit(net(hidden_layer_sizes=()), X, y)
    assert [W.shape for W in bare.coefs_] == [(2, 3)] and bare.n_layers_ == 2
    same_bits(fit(net(hidden_layer_sizes=6), X, y), fit(net(hidden_layer_sizes=[6]), X, y))


def test_metadata_routing():
    X, y = draw()
    w = np.random.default_rng(0).uniform(0.5, 2.0, 150)
    with config_context(enable_metadata_routing=True):
        model = net().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [1e-4]}, cv=2)
        fit(search, X, y, sample_weight=w)
    same_bits(search.best_estimator_, fit(net(alpha=1e-4), X, y, sample_weight=w))


def test_html_representation_has_parameter_docs():
    html = estimator_html_repr(ResponsibleSoftmaxClassifier())
    assert html.count('class="param-doc-description') >= 20

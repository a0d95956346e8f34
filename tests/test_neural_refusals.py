"""Wrong input to a network is refused by name: what was expected, what came, what to do."""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from mixtures import ResponsibleSoftmaxClassifier

from .neural_cases import draw, fit, net
from .registry import refused

X, Y = draw(60)
K3 = "(3,)"


def with_value(value):
    rows = X.copy()
    rows[3, 1] = value
    return rows


DATA = {
    "NaN": (with_value(np.nan), Y, ["Input X contains NaN", "ResponsibleSoftmaxClassifier"]),
    "infinity": (with_value(np.inf), Y, ["Input X contains infinity"]),
    "minus infinity": (with_value(-np.inf), Y, ["Input X contains infinity"]),
    "sparse NaN": (sparse.csr_array(with_value(np.nan)), Y, ["Input X contains NaN"]),
    "complex": (X + 0j, Y, ["Complex data not supported"]),
    "words": (np.full((60, 2), "one"), Y, ["could not convert", "one"]),
    "one-dimensional": (X[:, 0], Y, ["Expected 2D array", "reshape"]),
    "three-dimensional": (X[None], Y, ["dim 3"]),
    "no rows": (X[:0], Y[:0], ["0 sample(s)"]),
    "no features": (X[:, :0], Y, ["0 feature(s)"]),
    "fewer labels than rows": (X, Y[:-1], ["inconsistent numbers of samples", "60", "59"]),
    "no labels": (X, None, ["requires y"]),
    "one class": (X, np.ones(60), ["two classes or more", "one class", "[1.0]"]),
    "NaN for a label": (X, np.where(Y == 1, np.nan, Y), ["Input y contains NaN"]),
    "numbers for labels": (X, X[:, 0], ["Unknown label type", "continuous"]),
    "two labels a row": (X, np.stack([Y, Y], axis=1), ["y", "(60, 2)"]),
}


@pytest.mark.parametrize("case", DATA)
def test_data(case):
    rows, labels, fragments = DATA[case]
    model = net()
    with refused(ValueError, fragments):
        model.fit(rows, labels)
    assert not any(name.endswith("_") and not name.startswith("_") for name in vars(model))
    if case != "one class":  # one call may well have rows of one class alone
        with refused(ValueError, fragments[:1]):
            net().partial_fit(rows, labels, classes=[0, 1, 2])
    fitted = fit(net(), X, Y)
    before = fitted.predict_proba(X)
    with refused(ValueError, fragments):
        fitted.fit(rows, labels)
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


def test_dask_is_not_pulled_into_memory():
    class DaskLike:
        shape, ndim = (60, 2), 2

        def __dask_graph__(self):
            return {}

        def __array__(self, dtype=None, copy=None):
            raise AssertionError("it was computed")

    with refused(TypeError, ["dask", ".compute()"]):
        net().fit(DaskLike(), Y)


STRINGS = {
    "activation": ("softplus", ["'tanh'", "'relu'", "'logistic'", "'identity'"]),
    "head": ("reponsible", ["'responsible'", "'softmax'", "'fixed'"]),
    "prior_start": ("unifrom", ["'uniform'", "'empirical'", "'carry'"]),
    "prior": ("uniform", ["'empirical'"]),
    "prior_gradient": ("full", ["'exact'", "'stop'", "'implicit'", "'neumann'"]),
    "predict_prior": ("test", ["'uniform'", "'train'"]),
    "solver": ("lbfgs", ["'adam'", "'sgd'"]),
    "batch_size": ("all", ["'auto'"]),
    "learning_rate": ("invscaling", ["'constant'", "'step'", "'adaptive'"]),
    "class_weight": ("balance", ["'balanced'"]),
    "device": ("tpu", ["'cuda'"]),
}


@pytest.mark.parametrize("name", STRINGS)
def test_misspelt_strings(name):
    value, choices = STRINGS[name]
    with refused(ValueError, [f"'{name}'", repr(value), *choices]):
        net(**{name: value}).fit(X, Y)


NUMBERS = {
    "hidden_layer_sizes": [0, (5, 0), (-1,), (2.5,), "six", None],
    "n_prior_iter": [-1, 1.5, None, "one"],
    "prior_momentum": [-0.1, 1.5],
    "prior_concentration": [0.5, 0.0, -1.0, np.nan],
    "alpha": [-1e-4, np.nan],
    "batch_size": [0, -5, 10.5],
    "learning_rate_init": [0.0, -1e-3, np.inf, np.nan],
    "lr_drop_factor": [0.0, -0.5, 1.5],
    "lr_drop_period": [0, 1.5],
    "beta_1": [-0.1, 1.0],
    "beta_2": [-0.1, 1.0],
    "epsilon": [0.0, -1e-8],
    "momentum": [-0.1, 1.1],
    "max_epochs": [0, -1, 2.5],
    "tol": [-1e-3],
    "n_iter_no_change": [0, -1],
    "validation_fraction": [0.0, 1.0, -0.1],
    "shuffle": ["twice", 3],
    "random_state": ["seed"],
}


@pytest.mark.parametrize("name, value", [(n, v) for n, values in NUMBERS.items() for v in values])
def test_numbers_out_of_range(name, value):
    with refused((ValueError, TypeError), [name, str(value)]):
        net(**{name: value}).fit(X, Y)


VECTORS = {
    "of another length": ([0.5, 0.5], [K3, "(2,)", "[0, 1, 2]"]),
    "of two axes": ([[0.2, 0.3, 0.5]], [K3, "(1, 3)"]),
    "not summing to one": ([0.5, 0.5, 0.5], ["sum to one", "1.5", "Divide"]),
    "zero": ([0.5, 0.5, 0.0], ["positive", "zero for [2]"]),
    "negative": ([1.2, -0.4, 0.2], ["positive", "-0.4"]),
    "NaN": ([0.5, 0.5, np.nan], ["finite", "nan"]),
    "words": (["a", "b", "c"], ["numbers"]),
}
ZERO_IS_FINE = ("predict_prior",)  # a class that new rows do not have


@pytest.mark.parametrize("case", VECTORS)
@pytest.mark.parametrize("name", ["prior", "prior_start", "predict_prior"])
def test_priors(name, case):
    value, fragments = VECTORS[case]
    if case == "zero" and name in ZERO_IS_FINE:
        proba = fit(net(predict_prior=value), X, Y).predict_proba(X)
        assert not np.isnan(proba).any() and (proba[:, 2] == 0.0).all()
        return
    head = "fixed" if name == "prior" else "responsible"
    with refused(ValueError, [name, *fragments]):
        fit(net(head=head, **{name: value}), X, Y)
    if name == "predict_prior":
        model = fit(net(), X, Y)
        with refused(ValueError, ["prior", *fragments]):
            model.predict_proba(X, prior=value)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            with refused(ValueError, [name, *fragments]):
                getattr(model.set_params(predict_prior=value), method)(X)


def test_a_prior_of_an_unknown_name_at_prediction():
    with refused(ValueError, ["prior", "'uniform'", "'train'", "'test'"]):
        fit(net(), X, Y).predict_proba(X, prior="test")


@pytest.mark.parametrize("value, fragments", [
    ([1.0, 2.0], ["prior_concentration", K3, "(2,)"]),
    ([1.0, 2.0, 0.5], ["prior_concentration", "1", "0.5"]),
    ([1.0, 2.0, np.nan], ["prior_concentration", "finite", "nan"]),
])  # fmt: skip
def test_concentrations(value, fragments):
    with refused(ValueError, fragments):
        net(prior_concentration=value).fit(X, Y)


@pytest.mark.parametrize("concentration", [1.0, [1.0, 2.0, 2.0]])
def test_a_fixed_point_needs_pseudo_rows(concentration):
    """On the boundary the map's fixed point has no derivative."""
    with refused(ValueError, ["prior_gradient='implicit'", "prior_concentration", "> 1"]):
        net(prior_gradient="implicit", prior_concentration=concentration).fit(X, Y)
    for head in ("softmax", "fixed"):  # where there is no map there is nothing to refuse
        fit(net(head=head, prior_gradient="implicit", prior_concentration=concentration), X, Y)


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed")
def test_a_gpu_that_is_not_there():
    with refused(ImportError, ["device='cuda'", "CuPy", "pip install", "device=None"]):
        net(device="cuda").fit(X, Y)
    assert not hasattr(net(device="cuda"), "coefs_")


def test_sparse_rows_on_a_gpu():
    with refused((ValueError, ImportError), ["device='cuda'"]):
        net(device="cuda").fit(sparse.csr_array(X), Y)


def test_a_validation_set_that_is_too_small():
    with refused(ValueError, ["validation"]):
        net(early_stopping=True, validation_fraction=0.01).fit(X, Y)
    with refused(ValueError, ["early_stopping", "partial_fit"]):
        net(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])


METHODS = (
    "predict", "predict_proba", "predict_log_proba", "decision_function", "log_density_ratio",
    "estimate_prior", "predict_proba_adapted", "adapt",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_rows_to_ask_about(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(net(), method)(X)
    fitted = fit(net(), X, Y)
    for rows, fragments in (
        (X[:, :1], ["1 features", "expecting 2 features"]),
        (with_value(np.nan), ["NaN"]),
        (with_value(np.inf), ["infinity"]),
        (X[:0], ["0 sample(s)"]),
        (X[0], ["Expected 2D array"]),
    ):
        with refused(ValueError, fragments):
            getattr(fitted, method)(rows)


def outcome(model):
    """What a fit refuses to go on with, or None."""
    try:
        model.fit(X, Y)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("activation", ["relu", "identity", "tanh"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("head", ["softmax", "responsible", "fixed"])
def test_a_learning_rate_that_diverges(head, solver, activation):
    """It ends in an error, a warning or finite numbers, never in NaN without a word."""
    model = net(
        head=head, solver=solver, activation=activation, learning_rate_init=1e6, max_epochs=60,
        hidden_layer_sizes=(20, 20),
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        error = outcome(model)
    if error is not None:
        assert "learning_rate_init" in error and not hasattr(model, "coefs_")
        return
    assert all(np.isfinite(W).all() for W in (*model.coefs_, *model.intercepts_))
    assert np.isfinite(model.predict_proba(X)).all() and np.isfinite(model.loss_curve_).all()
    assert all(w.category is ConvergenceWarning for w in said), [str(w.message) for w in said]
    assert said or model.loss_ < 10.0


def test_a_fit_that_diverges_says_so():
    model = net(
        solver="sgd", activation="relu", learning_rate_init=1e6, hidden_layer_sizes=(20, 20)
    )
    before = fit(net(), X, Y).predict_proba(X)
    fitted = fit(net(), X, Y).set_params(**model.get_params())
    with refused(ValueError, ["learning_rate_init", "1e+06", "epoch"]):
        fitted.fit(X, Y)
    np.testing.assert_array_equal(fitted.set_params(**net().get_params()).predict_proba(X), before)


def test_arguments_are_by_name():
    with pytest.raises(TypeError, match="positional"):
        ResponsibleSoftmaxClassifier((5,), "relu")

"""Wrong input is refused by name: what was expected, what came, what to do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from mixtures import GaussianMixture, PoissonMixture
from mixtures.priors import Dirichlet

from .registry import MODELS, count_rows, gaussian_rows, names, refused

GOOD = np.abs(gaussian_rows(30, 2, 2)[0]).round()


def good(model, d=2):
    """Rows of numbers that a model takes."""
    return np.abs(np.nan_to_num(model.rows(30, d, 2))).round()


class DaskLike:
    """What dask arrays and frames have in common; computing it would be the error."""

    shape, ndim = (30, 2), 2

    def __dask_graph__(self):
        return {}

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("it was computed")


def with_value(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


CASES = {
    "NaN": (lambda X: with_value(X, np.nan), ValueError, ["NaN"]),
    "infinity": (lambda X: with_value(X, np.inf), ValueError, ["infinity"]),
    "minus infinity": (lambda X: with_value(X, -np.inf), ValueError, ["infinity"]),
    "complex": (lambda X: X + 0j, ValueError, ["Complex data not supported"]),
    "strings": (lambda X: np.full((30, 2), "one"), ValueError, ["could not convert", "one"]),
    "sparse": (sparse.csr_array, TypeError, ["parse", "dense"]),
    "dask": (
        lambda X: DaskLike(),
        TypeError,
        ["expects rows in memory", "dask DaskLike", ".compute()"],
    ),
    "one-dimensional": (lambda X: X[:, 0], ValueError, ["Expected 2D array", "reshape"]),
    "three-dimensional": (lambda X: X[None], ValueError, ["dim 3"]),
    "a scalar": (lambda X: 3.0, ValueError, ["Expected 2D array"]),
    "no rows": (lambda X: X[:0], ValueError, ["0 sample(s)"]),
    "one row": (lambda X: X[:1], ValueError, ["1 sample"]),
    "no features": (lambda X: X[:, :0], ValueError, ["0 feature(s)"]),
    "fewer rows than components": (
        lambda X: X[:2],
        ValueError,
        ["n_components = 3", "n_samples = 2", "Decrease n_components"],
    ),
}
ROWS = {name: (make(GOOD), *row) for name, (make, *row) in CASES.items()}
REFUSED = [(model, case) for model in MODELS for case in CASES if case not in model.accepts]


@pytest.mark.parametrize(("model", "case"), REFUSED, ids=names)
def test_rows_to_fit(model, case):
    make, error, fragments = CASES[case]
    estimator = model.make(3)
    with refused(error, fragments):
        estimator.fit(make(good(model)))
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize(
    "case", ["NaN", "infinity", "complex", "strings", "sparse", "dask", "one-dimensional"]
)
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "score_samples", "score", "bic", "icl"]
)
def test_rows_to_predict(case, method):
    make, error, fragments = CASES[case]
    for model in MODELS:
        if case not in model.accepts:
            fitted = model.make(2).fit(good(model))
            with refused(error, fragments):
                getattr(fitted, method)(make(good(model)))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_another_number_of_features(model):
    fitted = model.make(2).fit(good(model))
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 2 features"):
        fitted.predict(np.ones((4, 3)))


WEIGHTS = {
    "negative": (np.r_[-1.0, np.ones(29)], ["sample_weight", "weight 0 is -1"]),
    "all zero": (np.zeros(30), ["eights", "zero", "Pass None"]),
    "NaN": (np.r_[np.nan, np.ones(29)], ["sample_weight", "weight 0 is nan", "Replace"]),
    "infinite": (np.r_[np.ones(29), np.inf], ["sample_weight", "weight 29 is inf"]),
    "too few": (np.ones(29), ["sample_weight.shape == (29,), expected (30,)"]),
    "a matrix": (np.ones((30, 1)), ["sample_weight.shape == (30, 1), expected (30,)"]),
    "strings": (["heavy"] * 30, ["sample_weight", "numbers", "heavy"]),
    "complex": (np.ones(30) * 1j, ["sample_weight"]),
    "a negative number": (-1.0, ["sample_weight", "-1"]),
}


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("method", ["fit", "score", "bic", "aic", "icl", "fit_predict"])
@pytest.mark.parametrize("model", [MODELS[0], MODELS[-1]], ids=names)
def test_weights(model, method, case):
    w, fragments = WEIGHTS[case]
    fitted = model.make(2).fit(good(model))
    with refused(ValueError, fragments):
        getattr(fitted, method)(good(model), sample_weight=w)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_fewer_weighted_rows_than_components(model):
    w = np.zeros(30)
    w[:2] = 1.0
    with pytest.raises(ValueError, match=r"n_components = 3, n_samples = 2.*positive weight"):
        model.make(3).fit(good(model), sample_weight=w)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_changed_n_components_under_warm_start(model):
    fitted = model.make(3, warm_start=True).fit(model.rows(100))
    fitted.n_components = 2
    with refused(
        ValueError, ("fit of 3 components", "now 2", "Set n_components back", "warm_start=False")
    ):
        fitted.fit(model.rows(100))
    assert fitted.set_params(warm_start=False).fit(model.rows(100)).weights_.shape == (2,)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_changed_number_of_features_under_warm_start(model):
    fitted = model.make(3, warm_start=True).fit(model.rows(100))
    with pytest.raises(ValueError, match="features"):
        fitted.fit(model.rows(100, 2))
    assert fitted.n_features_in_ == 3


OPTIONS = {
    "n_components": [0, -1, 1.5, "two", None],
    "tol": [-1e-3, "small", None],
    "max_iter": [-1, 1.5],
    "n_init": [0, 2.5],
    "init_params": ["bad", None],
    "warm_start": ["yes"],
    "acceleration": ["fast", 3],
    "n_threads": [0, -1, 1.5],
    "component_order": ["size"],
    "prior": ["niw", 3.0],
    "weight_prior": [1.0],
    "random_state": ["seed"],
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("model", [MODELS[0], MODELS[-1]], ids=names)
def test_options(model, name):
    for value in OPTIONS[name]:
        estimator = model.make(2).set_params(**{name: value})
        whose = f"'{name}' parameter of {type(estimator).__name__} must be"
        with refused(ValueError, [whose, f"Got {value!r} instead"]):
            estimator.fit(good(model))


@pytest.mark.parametrize(
    ("name", "value"),
    [("covariance_type", "round"), ("covariance_type", None), ("reg_covar", -1e-6)],
)
def test_gaussian_options(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of GaussianMixture must be"):
        GaussianMixture(2, **{name: value}).fit(GOOD)


def test_negative_counts():
    X = count_rows(20, 2, 0)[0]
    X[4, 1] = -2.0
    with refused(ValueError, ("counts >= 0", "-2", "GaussianMixture")):
        PoissonMixture(2).fit(X)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_align_to_another_model(model):
    X = good(model)
    fitted = model.make(2).fit(X)
    stranger = GaussianMixture if model.estimator is PoissonMixture else PoissonMixture
    renamed = model.make(3).fit(X).set_params(n_components=2)
    wider = model.make(2).fit(good(model, 3))
    before = {k: np.copy(v) for k, v in vars(fitted).items() if isinstance(v, np.ndarray)}
    for other in (model.make(3).fit(X), renamed, wider, stranger(2).fit(X)):
        with pytest.raises(ValueError, match=r"align_to expects a fitted .* same shapes"):
            fitted.align_to(other)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(fitted, name), value)


def test_changed_covariance_type_after_a_fit():
    """(k, d) variances look like a (d, d) matrix where k is d: it must not pass for one."""
    fitted = GaussianMixture(2, covariance_type="diag", warm_start=True).fit(GOOD)
    fitted.set_params(covariance_type="tied")
    for use in (fitted.predict, fitted.score, fitted.fit):
        with refused(
            ValueError, ["fitted with covariance_type='diag'", "now 'tied'", "set it back"]
        ):
            use(GOOD)
    assert fitted.set_params(warm_start=False).fit(GOOD).covariances_.shape == (2, 2)


def test_sorting_components_that_have_a_prior_each():
    model = GaussianMixture(2, weight_prior=Dirichlet([1.0, 9.0]), component_order="weights")
    with refused(ValueError, ["component_order", "each its own concentration", "Use one number"]):
        model.fit(GOOD)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_integers_beyond_double_precision(model):
    """int64 near 2**62 lose their last digits in float64: said once, not silently accepted."""
    if model.exact:
        X = 4096 * model.rows(100, 2).round().astype(np.int64) + 2**61
        with pytest.warns(UserWarning, match="2\\*\\*53"):
            model.make(2).fit(X)

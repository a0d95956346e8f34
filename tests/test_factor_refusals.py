"""ProbabilisticPCA and FactorAnalysis refuse wrong input by name, and stay as they were."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from mixtures import FactorAnalysis, ProbabilisticPCA

from .registry import refused
from .test_factor_analysis import rows

X = rows(60)
MODELS = [ProbabilisticPCA(1), ProbabilisticPCA(1, noise="zero"), FactorAnalysis(1)]


def with_value(value, column=slice(2, 3)):
    bad = X.copy()
    bad[3, column] = value
    return bad


class DaskLike:
    shape, ndim = (60, 8), 2

    def __dask_graph__(self):
        return {}

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("it was computed")


CASES = {
    "infinity": (with_value(np.inf), ValueError, ["infinity"]),
    "complex": (X + 0j, ValueError, ["Complex data not supported"]),
    "strings": (np.full((60, 8), "one"), ValueError, ["could not convert", "one"]),
    "sparse": (sparse.csr_array(X), TypeError, ["parse", "dense"]),
    "dask": (DaskLike(), TypeError, ["expects rows in memory", ".compute()"]),
    "one-dimensional": (X[:, 0], ValueError, ["Expected 2D array", "reshape"]),
    "no rows": (X[:0], ValueError, ["0 sample(s)"]),
    "no features": (X[:, :0], ValueError, ["0 feature(s)"]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_rows(model, case):
    bad, error, fragments = CASES[case]
    model.fit(X)
    before = dict(vars(model))
    with refused(error, fragments):
        model.fit(bad)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    for method in ("transform", "score_samples", "impute"):
        if hasattr(model, method):
            with refused(error, fragments):
                getattr(model, method)(bad)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_too_few_rows_and_other_widths(model):
    with refused(ValueError, ["1 sample"]):
        model.fit(X[:1])
    with refused(ValueError, ["two rows of positive weight", "n_samples = 1", "Pass more"]):
        model.fit(X, sample_weight=np.r_[1.0, np.zeros(59)])
    with refused(ValueError, ["sample_weight.shape == (3,), expected (60,)"]):
        model.fit(X, sample_weight=np.ones(3))
    with refused(ValueError, ["weight 2 is -1"]):
        model.fit(X, sample_weight=np.r_[1.0, 1.0, -1.0, np.ones(57)])
    model.fit(X)
    with refused(ValueError, ["X has 3 features", "is expecting 8"]):
        model.transform(X[:, :3])
    with refused(ValueError, ["X has 3 features", "inverse_transform", "expecting 1"]):
        model.inverse_transform(np.ones((2, 3)))


@pytest.mark.parametrize("method", ["transform", "score", "sample", "get_covariance", "impute"])
@pytest.mark.parametrize("make", [ProbabilisticPCA, FactorAnalysis])
def test_before_a_fit(make, method):
    arguments = [] if method in {"sample", "get_covariance"} else [X]
    with pytest.raises(NotFittedError):
        getattr(make(1), method)(*arguments)


PARAMETERS = [
    (ProbabilisticPCA(-1), ["n_components", "-1"]),
    (ProbabilisticPCA(1.5), ["n_components", "1.5"]),
    (ProbabilisticPCA(8), ["n_components=8", "min(n_samples, n_features - 1)=7", "Use fewer"]),
    (ProbabilisticPCA(9, noise="zero"), ["n_components=9", "min(n_samples, n_features)=8"]),
    (ProbabilisticPCA(svd_solver="randomized"), ["to be an int", "None", "svd_solver='auto'"]),
    (ProbabilisticPCA(noise="none"), ["noise", "'none'"]),
    (ProbabilisticPCA(svd_solver="full"), ["svd_solver", "'full'"]),
    (ProbabilisticPCA(iterated_power=0), ["iterated_power", "0"]),
    (ProbabilisticPCA(n_threads=0), ["n_threads", "0"]),
    (FactorAnalysis(9), ["n_components=9", "n_features = 8", "Use fewer"]),
    (FactorAnalysis(rotation="equamax"), ["rotation", "equamax", "oblimin"]),
    (FactorAnalysis(svd_method="arpack"), ["svd_method", "arpack"]),
    (FactorAnalysis(iterated_power=-1), ["iterated_power", "-1"]),
    (FactorAnalysis(copy="no"), ["copy", "no"]),
    (FactorAnalysis(max_iter=0), ["max_iter", "0"]),
    (FactorAnalysis(tol=-1.0), ["tol", "-1"]),
    (FactorAnalysis(1, noise_variance_init=[1.0]), ["noise_variance_init", "(8,)", "(1,)"]),
    (FactorAnalysis(1, noise_variance_init=np.r_[np.ones(7), 0.0]), ["positive", "feature 7"]),
]


@pytest.mark.parametrize(("model", "fragments"), PARAMETERS, ids=lambda p: repr(p)[:60])
def test_parameters(model, fragments):
    with refused(ValueError, fragments):
        model.fit(X)
    assert not hasattr(model, "n_features_in_")


def test_no_density():
    model = ProbabilisticPCA(2, noise="zero").fit(X)
    for method in ("score", "score_samples", "bic", "sample"):
        with refused(AttributeError, [repr(method), "2 directions of 8", "noise='isotropic'"]):
            getattr(model, method)
    with refused(ValueError, ["singular", "noise='isotropic'"]):
        model.get_precision()
    assert model.get_covariance().shape == (8, 8)
    with refused(ValueError, ["all rows of positive weight are equal", "noise='zero'"]):
        ProbabilisticPCA(1).fit(np.full((5, 3), 0.1))


def test_missing_numbers():
    with refused(ValueError, ["NaN"]):
        ProbabilisticPCA(2, noise="zero").fit(with_value(np.nan))
    empty = X.copy()
    empty[:, 4] = np.nan
    for model in (ProbabilisticPCA(1), FactorAnalysis(1)):
        with refused(ValueError, ["feature 4", "NaN alone", "Drop it"]):
            model.fit(empty)
        fitted = model.fit(X)
        assert np.isfinite(fitted.impute(empty)).all()  # once fitted, it is filled
        with refused(ValueError, ["n_draws", "0"]):
            fitted.sample_missing(empty, 0)
    for model in MODELS:  # nothing to fill
        np.testing.assert_array_equal(model.fit(X).impute(X), X)
        np.testing.assert_array_equal(model.sample_missing(X, 2), [X, X])
    late = np.where(np.arange(60)[:, None] < 5, X, empty)
    with refused(ValueError, ["feature 4", "positive weight"]):
        FactorAnalysis(1).fit(late, sample_weight=np.arange(60) >= 5)
    init = FactorAnalysis(1, noise_variance_init=np.ones(8))
    with refused(ValueError, ["noise_variance_init", "missing", "Pass None"]):
        init.fit(with_value(np.nan))


@pytest.mark.parametrize("model", [ProbabilisticPCA(1), FactorAnalysis(1)], ids=repr)
def test_numbers_at_the_edge(model):
    model.fit(X)
    far = np.vstack([X[:1], X[:1] + 1e200])
    values = model.score_samples(far)
    assert values[1] == -np.inf
    np.testing.assert_array_equal(values[:1], model.score_samples(X[:1]))
    with refused(ValueError, ["'n_samples': 0"]):
        model.sample(0)
    with refused(ValueError, ["variance is a floating-point number", "Multiply"]):
        model.fit(X * 1e-180)
    with pytest.warns(UserWarning, match="integers beyond 2"):
        model.fit((1000 * X).astype(np.int64) + 2**54)

"""scikit-learn's GaussianMixture from the same start: same numbers, same path, same end.

Data have variances above one, where our ridge is `reg_covar` itself, as in scikit-learn (below, it
is relative). Both codes sum n products in another order: relative 1e-10 leaves EM room to
amplify rounding a thousandfold.
"""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs

from mixtures import GaussianMixture

from .registry import COVARIANCES, gaussian_rows, refused

RTOL = 1e-10
ARRAYS = ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"]


def start(X, covariance_type, k, seed=0):
    """Parameters to start both from."""
    rng = np.random.default_rng(seed)
    d = X.shape[1]
    precision = np.linalg.inv(np.cov(X.T).reshape(d, d))
    return {
        "weights_init": np.full(k, 1.0 / k),
        "means_init": X[rng.choice(len(X), k, replace=False)],
        "precisions_init": {
            "full": np.array([precision] * k),
            "tied": precision,
            "diag": np.array([np.diag(precision)] * k),
            "spherical": np.full(k, np.diag(precision).mean()),
        }[covariance_type],
    }


def both(covariance_type, *, n=500, d=3, k=3, seed=0, **options):
    X = gaussian_rows(n, d, seed)[0]
    assert X.var(axis=0).min() > 1
    options = {**start(X, covariance_type, k, seed), **options}
    options |= {"n_components": k, "covariance_type": covariance_type, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**options).fit(X), Theirs(**options).fit(X), X


def assert_equal_fits(ours, theirs, X, rtol=RTOL):
    for name in ARRAYS:
        mine, reference = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == reference.shape
        assert mine.dtype == reference.dtype
        scale = np.abs(reference).max()
        np.testing.assert_allclose(mine, reference, rtol=0, atol=rtol * scale, err_msg=name)
    proba = theirs.predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), proba, rtol=0, atol=10 * rtol)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=10 * rtol)
    for name in ("score", "bic", "aic"):
        assert getattr(ours, name)(X) == pytest.approx(getattr(theirs, name)(X), rel=rtol)


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 0.5])
@pytest.mark.parametrize("max_iter", [1, 10, 100])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_same_iterations(covariance_type, max_iter, reg_covar):
    """The law holds as long as their bound rises: a large ridge makes it fall, ours never does.

    Ours then climbs the likelihood of rows blurred by the ridge, with the same M-step. With one
    covariance for all the blur cancels in the responsibilities, and the fits are equal again.
    """
    ours, theirs, X = both(covariance_type, tol=0.0, max_iter=max_iter, reg_covar=reg_covar)
    if np.diff([*theirs.lower_bounds_, theirs.score(X)]).min() < -1e-12:
        assert reg_covar == 0.5
        trace = [ours.initial_lower_bound_, *ours.lower_bounds_]
        assert np.diff(trace).min() >= -1e-12 * abs(ours.lower_bound_)
        if max_iter == 100:  # the maps of the path that was left are among them
            assert ours.score(X) == pytest.approx(theirs.score(X), abs=5e-3)
        if covariance_type == "tied" and ours.n_iter_ == theirs.n_iter_:
            assert_equal_fits(ours, theirs, X)
    elif ours.n_iter_ == theirs.n_iter_:
        assert_equal_fits(ours, theirs, X)
        # Their bounds are those of the parameters one M-step earlier.
        stale = [ours.initial_lower_bound_, *ours.lower_bounds_[:-1]]
        np.testing.assert_allclose(stale, theirs.lower_bounds_, rtol=RTOL)
    else:  # at rest: the objective stopped moving (theirs may go on in its last digits)
        assert ours.converged_
        assert ours.lower_bound_ >= theirs.lower_bound_ - 1e-12 * abs(theirs.lower_bound_)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("d", [1, 2, 6])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_same_stop_at_default_settings(covariance_type, d, seed):
    ours, theirs, X = both(covariance_type, d=d, seed=seed, max_iter=500)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    assert_equal_fits(ours, theirs, X)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_same_warning_when_iterations_run_out(covariance_type):
    X = gaussian_rows(300, 3, 0)[0]
    options = start(X, covariance_type, 4) | {"n_components": 4, "covariance_type": covariance_type}
    texts = []
    for model in (GaussianMixture, Theirs):
        with pytest.warns(ConvergenceWarning) as caught:
            model(max_iter=2, **options).fit(X)
        texts.append(str(caught[0].message))
    assert texts[0].startswith(texts[1].rstrip("."))


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_no_iterations_return_the_start(covariance_type):
    """max_iter=0: the given parameters, no warning, n_iter_ = 0."""
    X = gaussian_rows(300, 3, 0)[0]
    given = start(X, covariance_type, 3)
    options = given | {"n_components": 3, "covariance_type": covariance_type, "max_iter": 0}
    ours = GaussianMixture(**options).fit(X)
    np.testing.assert_allclose(ours.means_, given["means_init"], rtol=1e-14)
    np.testing.assert_allclose(ours.precisions_, given["precisions_init"], rtol=1e-11)
    assert ours.n_iter_ == 0
    assert not ours.converged_
    assert ours.lower_bounds_ == []
    assert "max_iter is 0" in ours.stop_reason_


def parameters_of(model):
    return inspect.signature(model.__init__).parameters


def test_constructor_is_a_superset():
    ours, theirs = parameters_of(GaussianMixture), parameters_of(Theirs)
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name
    assert list(ours)[: len(theirs)] == list(theirs)


def test_methods_are_a_superset():
    theirs = {name for name in dir(Theirs) if not name.startswith("_")}
    assert theirs <= {name for name in dir(GaussianMixture) if not name.startswith("_")}
    for name in theirs:
        ours, reference = getattr(GaussianMixture, name), getattr(Theirs, name)
        if inspect.isfunction(reference):
            names = list(inspect.signature(ours).parameters)
            expected = list(inspect.signature(reference).parameters)
            assert names[: len(expected)] == expected, name


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_fitted_attributes_are_a_superset(covariance_type, dtype):
    X = gaussian_rows(300, 3, 0)[0].astype(dtype)
    options = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    ours, theirs = GaussianMixture(**options).fit(X), Theirs(**options).fit(X)
    for name, reference in vars(theirs).items():
        if not name.endswith("_") or name.startswith("_"):
            continue
        mine = getattr(ours, name)
        assert np.shape(mine) == np.shape(reference) or name == "lower_bounds_", name
        if isinstance(reference, np.ndarray):
            assert mine.dtype == reference.dtype, name
        elif name != "lower_bounds_":
            assert isinstance(mine, (type(reference), float)), name


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_default_start_is_as_good(covariance_type):
    """Our k-means differs; over ten data sets its mean optimum is not below theirs by 0.01 nats."""
    gains = []
    for seed in range(10):
        X = gaussian_rows(300, 3, seed, k=4)[0]
        options = {"n_components": 4, "covariance_type": covariance_type, "random_state": 0}
        options |= {"max_iter": 500}
        gains.append(GaussianMixture(**options).fit(X).score(X) - Theirs(**options).fit(X).score(X))
    assert np.mean(gains) > -0.01


@pytest.mark.parametrize("name", ["weights_init", "means_init", "precisions_init"])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_partial_starts(covariance_type, name):
    """One of the three is given; the others come from `init_params`."""
    X = gaussian_rows(300, 3, 1)[0]
    given = {name: start(X, covariance_type, 3)[name]}
    ours = GaussianMixture(
        3, covariance_type=covariance_type, max_iter=0, random_state=0, **given
    ).fit(X)
    attribute = name.replace("_init", "_")
    np.testing.assert_allclose(getattr(ours, attribute), given[name], rtol=1e-11)
    plain = GaussianMixture(3, covariance_type=covariance_type, max_iter=0, random_state=0).fit(X)
    for other in {"weights_", "means_", "precisions_"} - {attribute}:
        np.testing.assert_allclose(getattr(ours, other), getattr(plain, other), rtol=1e-11)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"weights_init": [0.5, 0.5]}, "The parameter 'weights' should have the shape of (3,)"),
        ({"weights_init": [2.0, -0.5, -0.5]}, "'weights' should be in the range [0, 1]"),
        ({"weights_init": [0.5, 0.5, 0.5]}, "The parameter 'weights' should be normalized"),
        ({"means_init": np.zeros((3, 2))}, "The parameter 'means' should have the shape of (3, 3)"),
        ({"precisions_init": np.zeros((3, 2))}, "precision' should have the shape of (3, 3, 3)"),
        ({"precisions_init": -np.array([np.eye(3)] * 3)}, "'full precision' should be symmetric"),
    ],
)
def test_same_error_texts(options, text):
    X = gaussian_rows(100, 3, 0)[0]
    for model in (GaussianMixture, Theirs):
        with refused(ValueError, [text]):
            model(3, **options).fit(X)

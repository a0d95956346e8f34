"""The failure cases of other libraries (tried there: NaN, ARI 0, or a crash), and ours."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from mixtures import GaussianMixture, PoissonMixture
from mixtures.exceptions import DegenerateDataWarning

from .registry import COVARIANCES, GAUSSIANS, MODELS, gaussian_rows, names


def blobs(n=300, d=3, seed=0):
    """Three separated blobs of unit variance (n, d), and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    return rng.normal(size=(n, d)) + 12.0 * np.eye(3, d)[labels], labels


def fit(covariance_type, X, *, warns=False, k=3, **options):
    model = GaussianMixture(k, covariance_type=covariance_type, random_state=0, **options)
    if warns:
        with pytest.warns(DegenerateDataWarning):
            model.fit(X)
    else:
        model.fit(X)
    for values in (model.weights_, model.means_, model.covariances_, model.precisions_):
        assert np.isfinite(values).all()
    assert model.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.lower_bounds_).all()
    slack = 1e-9 * np.abs(X).max()
    assert (model.means_ >= X.min(axis=0) - slack).all()
    assert (model.means_ <= X.max(axis=0) + slack).all()
    return model


@pytest.mark.parametrize("value", [0.0, 0.1, -1e8 / 3, 1e12])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_constant_feature(covariance_type, value):
    X, labels = blobs()
    X = np.column_stack([X, np.full(len(X), value)])
    # A spherical component has one variance for all features: no direction without any.
    model = fit(covariance_type, X, warns=covariance_type != "spherical")
    np.testing.assert_allclose(model.means_[:, 3], value, rtol=1e-15)
    assert adjusted_rand_score(labels, model.predict(X)) > 0.95


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("value", [0.0, 1.0, -3.7e5])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_all_rows_equal(covariance_type, value, k):
    """scikit-learn: means 1, 0, 0 and weights 1, 0, 0, converged, for rows of ones."""
    X = np.full((20, 2), value)
    model = fit(covariance_type, X, warns=True, k=k)
    np.testing.assert_allclose(model.means_, value, rtol=1e-15)
    assert model.predict(X).shape == (20,)
    assert np.isfinite(model.score(X))


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_three_distinct_rows(covariance_type):
    X = np.repeat([[0.0, 0.0], [5.0, 1.0], [0.0, 9.0]], 100, axis=0)
    model = fit(covariance_type, X, warns=True)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 100), model.predict(X)) == 1.0


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_collinear_features(covariance_type):
    X, labels = blobs()
    X = np.column_stack([X, X @ [1.0, -2.0, 0.5]])
    model = fit(covariance_type, X, warns=covariance_type in ("full", "tied"))
    assert adjusted_rand_score(labels, model.predict(X)) > 0.95


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_more_features_than_rows(covariance_type):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 25)
    X = rng.normal(size=(50, 200)) + 3.0 * labels[:, None]
    model = fit(covariance_type, X, k=2, warns=covariance_type in ("full", "tied"))
    assert adjusted_rand_score(labels, model.predict(X)) == 1.0


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_an_outlier_at_1e8(covariance_type):
    """Finite and sane; k-means gives the outlier a component of its own, as documented."""
    X, _ = blobs()
    X[7] = 1e8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # a component of one row, rightly
        model = fit(covariance_type, X, max_iter=1000)
    assert model.predict(X)[7] not in np.delete(model.predict(X), 7)


@pytest.mark.parametrize("unit", [1e-100, 1e-5, 1.0, 1e5, 1e100])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_blobs_are_found_in_any_unit(covariance_type, unit):
    X, labels = blobs()
    model = fit(covariance_type, X * unit)
    assert adjusted_rand_score(labels, model.predict(X * unit)) > 0.99


@pytest.mark.parametrize("offset", [1e4, 1e8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_blobs_are_found_far_from_zero(covariance_type, dtype, offset):
    if dtype == np.float32 and offset == 1e8:
        pytest.skip("float32 holds multiples of 8 there: the blobs are gone before we see them")
    X, labels = blobs()
    X = (X + offset).astype(dtype)
    assert adjusted_rand_score(labels, fit(covariance_type, X).predict(X)) > 0.99


@pytest.mark.parametrize("far", [1e20, 1e153, 1e160, 1e200, 1e307, -1e160])
@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_predictions_far_away(model, far):
    """scikit-learn's are NaN at 1e160, with warnings; the log-density there is -inf."""
    fitted = model.make().fit(model.rows(200))
    rows = np.array([[far, far, far], [far, 0.0, 0.0], [0.0, 0.0, far], [0.0, 0.0, 0.0]])
    proba = fitted.predict_proba(rows)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    log_density = fitted.score_samples(rows)
    assert not np.isnan(log_density).any()
    assert (log_density[:3] < -1e30).all()
    assert np.isfinite(log_density[3])


@pytest.mark.parametrize("far", [1e20, 1e140, 1e160, 1e200, 1e300])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_the_widest_component_owns_what_is_far_away(covariance_type, far):
    """Out there the quadratic terms decide: the component nearest in Mahalanobis distance."""
    precision = {
        "full": np.array([np.eye(2), 0.25 * np.eye(2)]),
        "diag": np.array([[1.0, 1.0], [0.25, 0.25]]),
        "spherical": np.array([1.0, 0.25]),
    }[covariance_type]
    model = GaussianMixture(
        2,
        covariance_type=covariance_type,
        weights_init=[0.9, 0.1],
        means_init=[[0.0, 0.0], [8.0, 8.0]],
        precisions_init=precision,
        max_iter=0,
    ).fit(gaussian_rows(50, 2, 0)[0])
    for direction in ([1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [0.0, 1.0]):
        assert model.predict(far * np.array([direction]))[0] == 1


def test_a_tied_model_splits_what_is_far_away_by_direction():
    model = GaussianMixture(
        2,
        covariance_type="tied",
        weights_init=[0.5, 0.5],
        means_init=[[-1.0, 0.0], [1.0, 0.0]],
        precisions_init=np.eye(2),
        max_iter=0,
    ).fit(gaussian_rows(50, 2, 0)[0])
    for far in (1e3, 1e20, 1e100, 1e160, 1e200):
        np.testing.assert_array_equal(model.predict([[far, 0.0], [-far, 0.0]]), [1, 0])


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_no_hidden_warning_on_ordinary_rows(model):
    """The autouse fixture makes 0/0, 1/0 and overflow errors; this makes the point explicit."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        fitted = model.make().fit(model.rows(500))
        fitted.predict(model.rows(500, seed=5))
        fitted.bic(model.rows(500))


def test_int8_near_its_limits():
    """Never square before converting."""
    X, labels = blobs()
    X = np.clip((X * 8).round(), -128, 127).astype(np.int8)
    model = fit("full", X, k=3)
    assert adjusted_rand_score(labels, model.predict(X)) > 0.9


def test_large_counts():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    X = rng.poisson(np.array([1e6, 1.5e6])[labels][:, None] * np.ones((1, 3))).astype(float)
    model = PoissonMixture(2, random_state=0).fit(X)
    assert adjusted_rand_score(labels, model.predict(X)) == 1.0
    X[0] = 1e15
    assert np.isfinite(PoissonMixture(2, random_state=0).fit(X).lower_bound_)


def test_one_feature_one_component_one_iteration():
    X = np.array([[1.0], [2.0], [4.0]])
    model = GaussianMixture(1, reg_covar=0.0).fit(X)
    assert model.means_[0, 0] == pytest.approx(7 / 3, rel=1e-15)
    assert model.covariances_[0, 0, 0] == pytest.approx(14 / 9, rel=1e-14)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_the_same_rows_twice(model):
    """Every row twice is the same fit: log-likelihood per row, path and parameters."""
    X = model.rows(150)
    one, two = model.make().fit(X), model.make().fit(np.vstack([X, X]))
    np.testing.assert_allclose(two.lower_bounds_, one.lower_bounds_, rtol=1e-11)
    assert two.bic(X) == pytest.approx(one.bic(X), rel=1e-10)

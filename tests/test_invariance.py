"""What must not matter: the order of rows, features and components, units, and where zero is.

Permutations change the order of sums; EM passes rounding on, multiplied by up to
1 / (1 - rate) < 1e3 for these rows: 1e-10. Scaling by powers of two changes no bit at all.
"""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import GaussianMixture
from mixtures.priors import Dirichlet

from .registry import (
    CONFIGURATIONS,
    COVARIANCES,
    GAUSSIANS,
    MODELS,
    close,
    gaussian_rows,
    names,
    parameters,
    problem,
)

RTOL = 1e-10
INITS = ["kmeans", "k-means++", "random_from_data", "random"]


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_rows_in_another_order(model, prior, init):
    X = model.rows(150, seed=8)
    order = np.random.default_rng(0).permutation(150)
    options = {"init_params": init, "max_iter": 500, **model.priors[prior]}
    one, other = model.make(**options).fit(X), model.make(**options).fit(X[order])
    close(one, other, RTOL)
    assert one.n_iter_ == other.n_iter_


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_components_in_another_order(model, prior):
    """EM from relabelled parameters is EM relabelled."""
    order = np.array([2, 0, 1])
    X = model.rows(150, seed=8)
    estimator = model.make(**model.priors[prior])
    with problem(estimator, X) as (em, start):
        one, other = em.evaluate(start), em.evaluate(estimator._permuted(start, order))
        expected = estimator._permuted(one.image, order)
    assert other.objective == pytest.approx(one.objective, rel=1e-13)
    for a, b in zip(expected, other.image, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-12 * np.abs(a).max())


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_component_order_is_canonical(model):
    X = model.rows(300, seed=9)
    plain = model.make().fit(X)
    by_weight = model.make(component_order="weights").fit(X)
    by_mean = model.make(component_order="means").fit(X)
    assert (np.diff(by_weight.weights_) <= 0).all()
    centres = by_mean._attribute_params()[1]
    assert (np.diff(centres[:, 0]) >= 0).all()
    for fitted in (by_weight, by_mean):
        assert fitted.score(X) == pytest.approx(plain.score(X), rel=1e-13)
        assert fitted.lower_bounds_ == plain.lower_bounds_


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_align_to_undoes_relabelling(model):
    X = model.rows(300, seed=9)
    one = model.make(component_order="weights").fit(X)
    other = model.make(component_order="means").fit(X).align_to(one)
    theirs = parameters(other)
    for name, array in parameters(one).items():
        np.testing.assert_array_equal(array, theirs[name])
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("k", [-500, -300, -20, 1, 400, 500])
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_units_by_powers_of_two_change_no_bit(model, init, k):
    X = model.rows(150, seed=10)
    scale = 2.0**k
    one = model.make(init_params=init, reg_covar=0.0).fit(X)
    other = model.make(init_params=init, reg_covar=0.0).fit(X * scale)
    np.testing.assert_array_equal(other.weights_, one.weights_)
    np.testing.assert_array_equal(other.means_ / scale, one.means_)
    theirs = one._structure.rescale(one.covariances_, np.full(X.shape[1], scale))
    np.testing.assert_array_equal(other.covariances_, theirs)
    np.testing.assert_array_equal(other.predict_proba(X * scale), one.predict_proba(X))
    assert other.n_iter_ == one.n_iter_


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_units_of_single_features_change_no_bit(covariance_type):
    X = gaussian_rows(150, 3, seed=10)[0]
    units = np.array([2.0**-40, 1.0, 2.0**25])
    options = {"covariance_type": covariance_type, "reg_covar": 0.0, "random_state": 0}
    one = GaussianMixture(3, **options).fit(X)
    other = GaussianMixture(3, **options).fit(X * units)
    np.testing.assert_array_equal(other.means_ / units, one.means_)
    np.testing.assert_array_equal(other.predict(X * units), one.predict(X))


@pytest.mark.parametrize("shift", [1e4, 1e8, -1e8])
@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_shift(model, shift):
    """Adding 1e8 rounds the rows to 1.5e-8, and that is all that may change."""
    X = model.rows(150, seed=11)
    moved = X + shift
    one, other = model.make().fit(moved - shift), model.make().fit(moved)
    atol = 1e-16 * abs(shift) + 1e-9
    np.testing.assert_allclose(other.means_ - shift, one.means_, rtol=0, atol=atol)
    np.testing.assert_allclose(other.covariances_, one.covariances_, rtol=1e-8, atol=1e-9)
    # The attributes hold means to 1.5e-8, which moves a log-density by about as much.
    proba = one.predict_proba(moved - shift)
    np.testing.assert_allclose(other.predict_proba(moved), proba, atol=1e-6)
    assert other.lower_bound_ == pytest.approx(one.lower_bound_, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-150, 1e-60, 1e-5, 1e5, 1e60, 1e150])
@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_units(model, unit):
    """Any unit, default ridge: the same labels (scikit-learn's have ARI 0 below 1e-5)."""
    X = model.rows(150, seed=11)
    one, other = model.make().fit(X), model.make().fit(X * unit)
    # The default ridge is 1e-6 in absolute units where variances exceed one, so that the two fits
    # differ by about 1e-6 relatively.
    np.testing.assert_allclose(other.means_ / unit, one.means_, rtol=0, atol=1e-3)
    assert (other.predict(X * unit) == one.predict(X)).mean() > 0.99
    assert np.isfinite(other.score(X * unit))


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e155, 1e200, 1e300])
@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_units_whose_square_is_no_number_are_refused_by_name(model, unit):
    """Fitted attributes could not hold the covariances (scikit-learn's score is then NaN)."""
    with pytest.raises(ValueError, match=r"standard deviation of about .* Multiply the data by"):
        model.make().fit(model.rows(150, seed=11) * unit)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_affine_maps(covariance_type):
    """Rotations and shears move the fit along; the default start too (k-means on whitened data).

    The draws depend on the coordinates through the canonical order of the rows; for blobs this
    far apart every start ends in the same optimum, up to what tol = 1e-12 leaves.
    """
    X, labels = gaussian_rows(200, 3, seed=12)
    X = X + 40.0 * np.eye(3)[labels]
    A = np.array([[2.0, 0.3, 0.1], [-1.0, 1.0, 0.0], [0.5, 0.2, 3.0]])
    options = {"covariance_type": covariance_type, "reg_covar": 0.0, "tol": 1e-12}
    one = GaussianMixture(3, random_state=0, **options).fit(X)
    other = GaussianMixture(3, random_state=0, **options).fit(X @ A.T)
    jacobian = np.log(abs(np.linalg.det(A)))
    assert other.lower_bound_ + jacobian == pytest.approx(one.lower_bound_, abs=1e-9)
    order = [np.abs(other.means_ - m @ A.T).sum(axis=1).argmin() for m in one.means_]
    np.testing.assert_allclose(other.means_[order], one.means_ @ A.T, rtol=0, atol=1e-5)


@pytest.mark.parametrize("covariance_type", ["tied", "full"])
def test_tied_is_full_with_one_component(covariance_type):
    X = gaussian_rows(100, 3, seed=13)[0]
    full = GaussianMixture(1).fit(X)
    tied = GaussianMixture(1, covariance_type="tied").fit(X)
    np.testing.assert_allclose(tied.covariances_, full.covariances_[0], rtol=1e-12)
    assert tied.lower_bound_ == pytest.approx(full.lower_bound_, rel=1e-13)


def test_structures_coincide_in_one_dimension():
    X = gaussian_rows(200, 1, seed=14)[0]
    fits = [
        GaussianMixture(3, covariance_type=c, random_state=0, weight_prior=Dirichlet(1.5)).fit(X)
        for c in COVARIANCES
        if c != "tied"
    ]
    for other in fits[1:]:
        np.testing.assert_allclose(other.means_, fits[0].means_, rtol=RTOL)
        np.testing.assert_allclose(
            other.covariances_.ravel(), fits[0].covariances_.ravel(), rtol=RTOL
        )
        assert other.n_iter_ == fits[0].n_iter_

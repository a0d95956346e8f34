"""The objective never falls: the whole trace, for any data, weights, priors and accelerator.

Rounding: the objective is a mean of n log-densities of size up to |L|; a pass sums them with a
relative error of about 1e-14 and the condition of the covariances adds two digits, so a fall of
1e-12 max(1, |L|) is none. (scikit-learn's own trace falls: 17 of 299 steps in one of our runs.)
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning

from mixtures import GaussianMixture, PoissonMixture
from mixtures.exceptions import DegenerateDataWarning

from .registry import (
    CONFIGURATIONS,
    COVARIANCES,
    GAUSSIAN_PRIORS,
    POISSON_PRIORS,
    gaussian_rows,
    names,
)

ROUNDING = 1e-12
ACCELERATIONS = ["auto", None, "squarem", "anderson"]
REFUSALS = "ill-defined empirical covariance", "whose variance is a floating-point number"
SPECIALS = [0.0, 1.0, -1.0, 1e-310, 5e-324, 1e150, -1e155, 1e8, 1e-150, 3.0]


def assert_never_falls(fitted) -> None:
    trace = np.array([fitted.initial_lower_bound_, *fitted.lower_bounds_])
    assert np.isfinite(trace).all()
    falls = trace[:-1] - trace[1:]
    assert (falls <= ROUNDING * np.maximum(1.0, np.abs(trace[:-1]))).all(), trace
    assert len(fitted.lower_bounds_) == fitted.n_iter_
    assert fitted.lower_bounds_[-1] == fitted.lower_bound_


def fit_or_refuse(model, X, w=None):
    """The fit, or None where the library says that the data admit no model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few iterations are what we ask for
        warnings.simplefilter("ignore", DegenerateDataWarning)  # hypothesis finds such data
        try:
            return model.fit(X, sample_weight=w)
        except ValueError as error:
            if not any(text in str(error) for text in REFUSALS):
                raise
            return None


def assert_sane(fitted, X) -> None:
    """Finite, weights on the simplex, means in the range of the data, probabilities."""
    assert fitted.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert (fitted.weights_ >= 0).all()
    centres = fitted.means_ if hasattr(fitted, "means_") else fitted.rates_
    lo, hi = X.min(axis=0), X.max(axis=0)
    slack = 1e-9 * (np.abs(lo) + np.abs(hi))
    assert ((centres >= lo - slack) & (centres <= hi + slack)).all()
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_on_overlapping_rows(model, prior, reg_covar, acceleration):
    if reg_covar and not model.exact:
        pytest.skip("no ridge in this model")
    options = {"reg_covar": reg_covar} if model.exact else {}
    fitted = model.make(
        4, acceleration=acceleration, tol=1e-9, max_iter=60, **options, **model.priors[prior]
    )
    if fit_or_refuse(fitted, model.rows(200, 2, seed=5)) is not None:
        assert_never_falls(fitted)


ROUNDED = st.floats(-4, 4).map(lambda v: round(v, 1))


@st.composite
def tables(draw, elements=ROUNDED):
    """Small tables that hypothesis can shrink: few distinct values, hence many duplicates."""
    n, d = draw(st.integers(6, 30)), draw(st.integers(1, 3))
    return draw(hnp.arrays(np.float64, (n, d), elements=elements, fill=st.nothing()))


@st.composite
def rough_blobs(draw):
    """Overlapping blobs with what real tables have: rounding, constants, outliers, odd units."""
    n, d = draw(st.integers(10, 120)), draw(st.integers(1, 4))
    X = gaussian_rows(n, d, seed=draw(st.integers(0, 10**6)))[0]
    if draw(st.booleans()):
        X = X.round(draw(st.integers(-1, 1)))
    trouble = draw(st.sampled_from(["none", "constant", "collinear", "outlier", "offset"]))
    if trouble == "constant":
        X[:, 0] = draw(st.sampled_from(SPECIALS))
    elif trouble == "collinear":
        X[:, -1] = X[:, 0]
    elif trouble == "outlier":
        X[draw(st.integers(0, n - 1))] = 1e8
    elif trouble == "offset":
        X += 1e8
    return X * draw(st.sampled_from([1.0, 1.0, 1e-5, 1e-140, 1e140, 1e8]))


ANYTHING = st.one_of(
    rough_blobs(), rough_blobs(), rough_blobs(), tables(), tables(st.sampled_from(SPECIALS))
)


@given(
    X=ANYTHING,
    covariance_type=st.sampled_from(COVARIANCES),
    prior=st.sampled_from(sorted(GAUSSIAN_PRIORS)),
    reg_covar=st.sampled_from([1e-6, 0.0, 10.0]),
    acceleration=st.sampled_from(ACCELERATIONS),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    k=st.sampled_from([3, 2, 4, 1]),
    seed=st.integers(0, 5),
    weighted=st.booleans(),
)
@settings(max_examples=400)
def test_gaussian_on_anything(
    X, covariance_type, prior, reg_covar, acceleration, init, k, seed, weighted
):
    model = GaussianMixture(
        k,
        covariance_type=covariance_type,
        reg_covar=reg_covar,
        acceleration=acceleration,
        init_params=init,
        random_state=seed,
        tol=1e-6,
        max_iter=60,
        **GAUSSIAN_PRIORS[prior],
    )
    w = np.random.default_rng(seed).integers(0, 5, len(X)) + (np.arange(len(X)) < k)
    fitted = fit_or_refuse(model, X, w if weighted else None)
    if fitted is not None:
        assert_never_falls(fitted)
        assert_sane(fitted, X)
    elif reg_covar > 0:
        spread = np.ptp(X, axis=0)
        squarable = spread.max() < 1e150 and spread[spread > 0].min(initial=1.0) > 1e-150
        size = np.abs(X).max()  # a constant whose square is no number is refused by name, too
        representable = squarable and (size == 0 or 1e-150 < size < 1e150)
        assert not representable, "a fit with a ridge must not fail"


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_gaussian_on_long_paths(covariance_type):
    """Overlapping blobs take hundreds of iterations, where rounding has its best chances."""
    rng = np.random.default_rng(0)
    for seed in range(60):
        n, d, k = rng.integers(30, 400), rng.integers(1, 6), rng.integers(1, 7)
        X = gaussian_rows(n, d, seed)[0] * 10.0 ** rng.integers(-6, 7) + rng.choice([0, 1e4])
        model = GaussianMixture(
            k,
            covariance_type=covariance_type,
            reg_covar=rng.choice([0.0, 1e-6, 1e-2, 5.0]),
            acceleration=ACCELERATIONS[seed % 4],
            init_params=rng.choice(["kmeans", "random_from_data"]),
            random_state=seed,
            tol=1e-11,
            max_iter=400,
            **GAUSSIAN_PRIORS[rng.choice(sorted(GAUSSIAN_PRIORS))],
        )
        w = rng.exponential(size=n) if seed % 2 else None
        if fit_or_refuse(model, X, w) is not None:
            assert_never_falls(model)
            assert_sane(model, X)


COUNTS = st.one_of(st.integers(0, 5), st.sampled_from([0, 0, 1000, 10**6])).map(float)


@given(
    X=tables(COUNTS),
    prior=st.sampled_from(sorted(POISSON_PRIORS)),
    acceleration=st.sampled_from(ACCELERATIONS),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    k=st.integers(1, 4),
    seed=st.integers(0, 5),
)
@settings(max_examples=200)
def test_poisson_on_anything(X, prior, acceleration, init, k, seed):
    model = PoissonMixture(
        k,
        acceleration=acceleration,
        init_params=init,
        random_state=seed,
        tol=1e-6,
        max_iter=30,
        **POISSON_PRIORS[prior],
    )
    fitted = fit_or_refuse(model, X)
    assert_never_falls(fitted)
    if prior != "gamma":  # a prior may pull rates out of the data's range
        assert_sane(fitted, X)


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_acceleration_never_ends_lower(model, prior):
    """From the same start, an accelerated fit reaches plain EM's optimum or better.

    Both stop where a step gains less than tol = 1e-10; EM with a rate up to 0.99 can have a
    hundred times that left, hence 1e-8 nats per row.
    """
    X = model.rows(400, 2, seed=2)
    options = {"tol": 1e-10, "max_iter": 5000, **model.priors[prior]}
    plain = fit_or_refuse(model.make(acceleration=None, **options), X)
    for acceleration in ("auto", "squarem", "anderson"):
        fast = fit_or_refuse(model.make(acceleration=acceleration, **options), X)
        assert fast.lower_bound_ >= plain.lower_bound_ - 1e-8
        assert fast.n_iter_ <= max(plain.n_iter_, 30)

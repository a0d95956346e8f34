"""How fast EM comes in, and how uncertain the weights are: the curvature at the maximum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures import DynamicResponsibility

from .proportions_cases import SOLVERS, Problem, Twin, normals

INFORMATION = ("lambda_min_", "rate_", "standard_errors_", "covariance_", "identifiable_")


def slope(problem: Problem, n_iter: int, limit: np.ndarray) -> float:
    """Of ``log |pi_n - pi*|`` against n, where it is straight and rounding is far below."""
    orbit = problem.run(n_iter, solver="em", store_orbit=True).orbit_
    a = np.linalg.norm(orbit - limit, axis=1)
    straight = np.flatnonzero((a < 3e-7) & (a > 3e-10))
    assert len(straight) >= 2, a
    first, last = straight[0], straight[-1]
    return float(np.log(a[last] / a[first]) / (last - first))


def eigenvalues(problem: Problem, pi: np.ndarray) -> np.ndarray:
    """Of M = diag(pi) G'WG on the components with weight, ascending; their largest is one."""
    some = pi > 0
    root = np.sqrt(pi[some])
    return np.linalg.eigvalsh(Twin(problem).hessian(pi)[np.ix_(some, some)] * np.outer(root, root))


@pytest.mark.parametrize("alpha", [1.0, 3.0])
@pytest.mark.parametrize("distance", [0.8, 1.5, 2.5, 4.0])
def test_the_orbit_comes_in_at_the_rate_of_its_jacobian(distance, alpha):
    """log |pi_n - pi*| falls by log(1 - lambda_min(M)) a step, to one part in a thousand."""
    problem = Problem(normals(800, 3, 1, distance, weights=[0.3, 0.3, 0.4]), concentration=alpha)
    best = problem.fit(tol=1e-13)
    assert best.active_.all()
    assert best.lambda_min_ == pytest.approx(eigenvalues(problem, best.weights_)[0], rel=1e-9)
    assert best.rate_ == pytest.approx(1.0 - best.lambda_min_, rel=1e-12)
    measured = slope(problem, 3000, best.weights_)
    assert measured == pytest.approx(np.log(best.rate_), rel=1e-3)
    if alpha == 1.0:
        # It has been said that the slope is -1 / sigma_max(F): but the map has no scale of F.
        assert abs(measured + 1.0 / np.linalg.svd(problem.F)[1].max()) > 1e-3


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=30)
def test_eigenvalues_are_between_zero_and_one(seed, k):
    problem = Problem(normals(200, k, seed, 1.5))
    fitted = problem.fit(tol=1e-11)
    values = eigenvalues(problem, fitted.weights_)
    assert values[-1] == pytest.approx(1.0, abs=1e-9)
    assert fitted.lambda_min_ == pytest.approx(values[0], rel=1e-6, abs=1e-12)
    g = Twin(problem).gradient(fitted.weights_).astype(float)
    slowest = max(1.0 - values[0], g[~fitted.active_].max(initial=0.0))
    assert fitted.rate_ == pytest.approx(slowest, rel=1e-6, abs=1e-9)


def test_a_component_that_is_out_sets_the_rate_where_it_is_slowest():
    """Weights of no use decay by their own g_k < 1 each step."""
    F = normals(400, 2, 2, 4.0)
    # A third component slightly worse than the mixture that is fitted, everywhere.
    best = Problem(F).fit(tol=1e-13)
    problem = Problem(np.column_stack([F, 0.97 * F @ best.weights_]))
    fitted = problem.fit(tol=1e-13)
    np.testing.assert_array_equal(fitted.active_, [True, True, False])
    assert 1.0 - fitted.lambda_min_ < 0.9
    assert fitted.rate_ == pytest.approx(0.97, abs=1e-9)
    assert slope(problem, 2000, fitted.weights_) == pytest.approx(np.log(0.97), rel=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("excess", [0.5, 0.9, 0.99])
def test_information_is_that_of_the_maximum_whoever_found_it(solver, excess):
    """EM never brings a weight to exactly zero: one that dies out must not pass for a ridge."""
    F = normals(400, 2, 2, 4.0)
    exact = Problem(F).fit(tol=1e-13)
    problem = Problem(np.column_stack([F, excess * F @ exact.weights_]))
    fitted = problem.fit(solver=solver, tol=1e-9)
    assert fitted.weights_[2] < 1e-5
    assert fitted.lambda_min_ == pytest.approx(exact.lambda_min_, rel=1e-2)
    assert fitted.rate_ == pytest.approx(max(excess, exact.rate_), rel=1e-3)
    np.testing.assert_allclose(fitted.standard_errors_[:2], exact.standard_errors_, rtol=1e-2)
    assert fitted.standard_errors_[2] <= 1e-4
    assert fitted.identifiable_


# ---- uncertainty -------------------------------------------------------------------------------


def bordered(problem: Problem, pi: np.ndarray, total: float) -> np.ndarray:
    """Covariance of the weights that are not zero: a corner of an inverse (Silvey 1975, ch. 4)."""
    some = np.flatnonzero(pi > 0)
    m = len(some)
    matrix = np.ones((m + 1, m + 1))
    matrix[:m, :m] = total * Twin(problem).hessian(pi)[np.ix_(some, some)]
    matrix[m, m] = 0.0
    covariance = np.zeros((len(pi), len(pi)))
    covariance[np.ix_(some, some)] = np.linalg.inv(matrix)[:m, :m]
    return covariance


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_standard_errors_are_those_of_the_bordered_hessian(solver, alpha):
    F = normals(300, 4, 3)
    w = np.random.default_rng(1).uniform(0.5, 2.0, 300)
    problem = Problem(F, w=w, concentration=alpha)
    fitted = problem.fit(solver=solver, tol=1e-12)
    expected = bordered(problem, fitted.weights_, w.sum() + 4 * (alpha - 1.0))
    np.testing.assert_allclose(fitted.covariance_, expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fitted.standard_errors_**2, np.diag(expected), rtol=1e-8)
    np.testing.assert_allclose(fitted.covariance_.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_array_equal(fitted.covariance_, fitted.covariance_.T)


def test_counts_have_the_standard_errors_of_a_multinomial():
    counts = np.array([10, 30, 60])
    fitted = DynamicResponsibility().fit(np.eye(3)[np.repeat(np.arange(3), counts)])
    p = counts / 100
    np.testing.assert_allclose(fitted.standard_errors_, np.sqrt(p * (1 - p) / 100), rtol=1e-10)


def test_standard_errors_are_what_repeated_samples_vary_by():
    truth, n = np.array([0.5, 0.3, 0.2]), 1000
    weights, errors = [], []
    for seed in range(1000, 1400):
        fitted = Problem(normals(n, 3, seed, 2.0, weights=truth)).fit()
        weights.append(fitted.weights_)
        errors.append(fitted.standard_errors_)
    # 400 samples tell a standard deviation to one part in 28.
    np.testing.assert_allclose(np.std(weights, axis=0), np.mean(errors, axis=0), rtol=0.1)
    z = (np.array(weights) - truth) / np.array(errors)
    assert abs((np.abs(z) < 1.96).mean() - 0.95) < 0.03
    np.testing.assert_allclose(np.mean(weights, axis=0), truth, atol=4 * np.mean(errors) / 20)


def test_inactive_components_have_no_error_and_no_covariance():
    F = normals(400, 2, 2, 4.0)
    worse = 0.5 * F.mean(axis=1)
    fitted = Problem(np.column_stack([F, worse])).fit()
    alone = Problem(F).fit()
    assert not fitted.active_[2]
    np.testing.assert_allclose(fitted.covariance_[:2, :2], alone.covariance_, rtol=1e-4)
    assert fitted.standard_errors_[2] == 0.0
    assert not fitted.covariance_[2].any()
    assert not fitted.covariance_[:, 2].any()


# ---- when it is computed -----------------------------------------------------------------------


def test_information_can_be_left_out():
    F = normals(100, 3, 4)
    fitted = DynamicResponsibility(information=False).fit(F)
    for name in INFORMATION:
        assert not hasattr(fitted, name)
    fitted.set_params(information=True).fit(F)
    assert all(hasattr(fitted, name) for name in INFORMATION)
    assert not hasattr(fitted.set_params(information=False).fit(F), "rate_")


def test_automatic_information_is_for_a_hundred_active_components():
    labels = np.repeat(np.arange(101), 2)
    some = DynamicResponsibility().fit(np.eye(101)[labels][:200])
    assert some.active_.sum() == 100
    assert some.identifiable_
    many = DynamicResponsibility().fit(np.eye(101)[labels])
    assert many.active_.sum() == 101
    for name in INFORMATION:
        assert not hasattr(many, name)
    assert DynamicResponsibility(information=True).fit(np.eye(101)[labels]).identifiable_


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_the_data_cannot_tell_apart_is_said(solver):
    F = normals(200, 3, 5)
    assert Problem(F).fit(solver=solver).identifiable_ is True
    twice = Problem(F[:, [0, 1, 1, 2]]).fit(solver=solver)
    assert twice.identifiable_ is False
    assert twice.lambda_min_ == pytest.approx(0.0, abs=1e-12)
    once = Problem(F).fit(solver=solver)
    # What is not told apart is told together: the sum of the twins is the weight of the one.
    total = twice.weights_[[1, 2]].sum()
    np.testing.assert_allclose(
        [twice.weights_[0], total, twice.weights_[3]], once.weights_, atol=1e-4
    )

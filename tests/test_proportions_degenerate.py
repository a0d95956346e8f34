"""Densities that break naive solvers: few rows, equal columns, zeros, and numbers of any size.

Every fit must certify its point: ``l* - l <= gap_ <= 1e-8``, confirmed by the twin's own gap.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mixtures import DynamicResponsibility

from .proportions_cases import FAMILIES, SOLVERS, Problem, Twin, draw, normals

TOL = 1e-8


def certified(problem: Problem, **options) -> DynamicResponsibility:
    """The fit, which is where it says it is."""
    fitted = problem.fit(**options)
    assert fitted.converged_
    assert fitted.gap_ <= TOL
    assert Twin(problem).gap(fitted.weights_) <= TOL * (1 + 1e-6) + 1e-13
    assert (fitted.weights_ >= 0).all()
    assert abs(fitted.weights_.sum() - 1.0) <= 1e-14
    for name in ("objective_", "lambda_min_", "rate_", "standard_errors_", "covariance_"):
        value = getattr(fitted, name, 0.0)  # information is left out for many components
        assert not np.isnan(value).any() or not fitted.identifiable_, name
    assert np.isfinite(fitted.objective_path_).all()
    if fitted.solver in ("sqp", "auto"):  # what only decays is zero, not 1e-50
        dust = fitted.active_ & (fitted.weights_ < 1e-10)
        assert (Twin(problem).gradient(fitted.weights_)[dust] > 0.999).all()
    proba = fitted.predict_proba(problem.F)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-13)
    return fitted


@settings(max_examples=150)
@given(
    st.sampled_from(list(FAMILIES)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.integers(1, 60),
    st.sampled_from([None, "exponential", "integers"]),
    st.sampled_from([1.0, 1.0, 1.5, 30.0]),
)
def test_any_problem_is_solved_and_certified(family, seed, n, k, kind, alpha):
    problem, rng = draw(family, seed, n, k), np.random.default_rng(seed)
    w = {
        None: None,
        "exponential": rng.exponential(size=n) + 1e-3,
        "integers": np.r_[1, rng.integers(0, 9, n - 1)].astype(float),
    }[kind]
    certified(problem.but(w=w, concentration=alpha))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("value", [0.7, 5e-324, 1e300])
def test_one_component(solver, value):
    fitted = certified(Problem(np.full((9, 1), value)), solver=solver)
    assert fitted.weights_.tolist() == [1.0]
    assert fitted.gap_ == pytest.approx(0.0, abs=1e-15)
    assert fitted.rate_ == pytest.approx(0.0, abs=1e-15)
    assert fitted.standard_errors_.tolist() == pytest.approx([0.0], abs=1e-9)
    assert fitted.objective_ == pytest.approx(np.log(value), rel=1e-14)
    assert fitted.identifiable_


@pytest.mark.parametrize("k", [2, 7, 300])
def test_one_row_is_the_component_that_explains_it_best(k):
    F = np.random.default_rng(k).exponential(size=(1, k))
    fitted = certified(Problem(F))
    assert fitted.weights_[F.argmax()] == pytest.approx(1.0, abs=1e-6)
    assert fitted.objective_ == pytest.approx(np.log(F.max()), abs=TOL)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n, k", [(5, 300), (40, 300), (2, 2), (30, 30)])
def test_fewer_rows_than_components(family, n, k):
    fitted = certified(draw(family, 1, n, k), information=True)
    if (fitted.weights_ > 1e-6).sum() > n:  # below, EM may be on its way to zero
        assert not fitted.identifiable_


@pytest.mark.parametrize("n, k", [(1, 4), (50, 2), (50, 40)])
def test_all_densities_equal(n, k):
    fitted = certified(Problem(np.full((n, k), 3.0)))
    assert fitted.gap_ == pytest.approx(0.0, abs=1e-14)
    assert fitted.objective_ == pytest.approx(np.log(3.0))
    assert fitted.identifiable_ == (fitted.active_.sum() == 1)


def test_rank_one_takes_the_largest():
    F = np.outer(np.arange(1, 20), [1.0, 3.0, 2.0])
    fitted = certified(Problem(F))
    assert fitted.weights_[1] == pytest.approx(1.0, abs=1e-6)


def test_a_rare_component_of_one_row_in_twenty_thousand():
    """Nothing but row 12345 has a density under the last component, and that row has no other."""
    F = np.zeros((20_000, 6))
    F[:, :5] = normals(20_000, 5, 1)
    F[12_345] = np.eye(6)[5]
    fitted = certified(Problem(F))
    assert fitted.weights_[5] == pytest.approx(1 / 20_000, rel=1e-3)
    assert fitted.standard_errors_[5] == pytest.approx(1 / 20_000, rel=1e-2)
    F[12_345, :5] = 1e-9  # nor does it matter that others could explain the row, hardly
    certified(Problem(F))


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-310])
def test_densities_of_any_size(scale):
    """Where nothing is lost to subnormal numbers the fit is that of densities about one."""
    F = normals(200, 4, 2) + 0.1
    usual, other = certified(Problem(F)), certified(Problem(F * scale))
    # 1e-310 has eleven digits left.
    tolerance = 1e-10 if scale < 1e-308 else 1e-12
    assert other.objective_ - np.log(scale) == pytest.approx(usual.objective_, abs=tolerance)
    np.testing.assert_allclose(other.weights_, usual.weights_, atol=1e-6)


def test_columns_of_any_size():
    F = normals(200, 4, 2) * [1e-300, 1.0, 1e-100, 1e300]
    np.testing.assert_array_equal(certified(Problem(F)).active_, [False, False, False, True])
    # The prior holds the others: (a_k) / (n + sum a) is all that they have.
    fitted = certified(Problem(F, concentration=3.0))
    np.testing.assert_allclose(fitted.weights_, np.array([2, 2, 2, 202]) / 208, rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_logarithms_from_minus_to_plus_ten_thousand(solver):
    rng = np.random.default_rng(3)
    A = rng.uniform(-1e4, 1e4, (500, 8))
    A[rng.random(A.shape) < 0.5] = -np.inf
    A[:, 0] = np.where(np.isneginf(A).all(axis=1), -1e4, A[:, 0])
    fitted = certified(Problem(A, log=True), solver=solver)
    # All but ties go to the largest: such weights are counts.
    counts = np.bincount(A.argmax(axis=1), minlength=8) / 500
    np.testing.assert_allclose(fitted.weights_, counts, atol=1e-2)
    shifted = certified(Problem(A - 1e8, log=True), solver=solver)
    assert shifted.objective_ + 1e8 == pytest.approx(fitted.objective_, abs=1e-6)


def test_a_component_that_explains_nothing():
    F = np.column_stack([normals(100, 2, 4), np.zeros(100)])
    fitted = certified(Problem(F))
    assert fitted.weights_[2] == 0.0
    with np.errstate(divide="ignore"):
        logs = certified(Problem(np.log(F), log=True))
    assert logs.weights_[2] == 0.0
    assert (fitted.predict_proba(F)[:, 2] == 0.0).all()


def test_zeros_of_a_decreasing_density():
    """Uniform densities on (0, theta]: the answer is Grenander's, a step function of few steps."""
    problem = draw("monotone", 5, 5000, 50)
    assert (problem.F == 0.0).mean() > 0.1
    fitted = certified(problem)
    assert fitted.active_.sum() < 50


def test_near_duplicates_share():
    x = norm.rvs(size=3000, random_state=6) + np.repeat([-2.0, 2.0], 1500)
    means = np.array([-2.0, -2.0 + 1e-7, 2.0, 2.0 + 1e-7])
    fitted = certified(Problem(norm.pdf(x[:, None], means)))
    pairs = fitted.weights_.reshape(2, 2).sum(axis=1)
    np.testing.assert_allclose(
        pairs, Problem(norm.pdf(x[:, None], [-2.0, 2.0])).fit().weights_, atol=1e-4
    )


def test_many_components_and_many_zeros_in_the_answer():
    x = 2.0 * norm.rvs(size=2000, random_state=7)
    scales = np.sqrt(1.0 + np.concatenate([[0.0], np.geomspace(0.1, 20.0, 299)]) ** 2)
    fitted = certified(Problem(norm.logpdf(x[:, None], scale=scales), log=True))
    assert 1 <= fitted.active_.sum() < 60
    assert fitted.identifiable_ in (True, False)


@pytest.mark.parametrize("solver", ["sqp", "auto"])
def test_zeros_of_the_start_that_make_a_row_impossible(solver):
    F = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    fitted = certified(Problem(F), solver=solver, start=np.array([1.0, 0.0]))
    np.testing.assert_allclose(fitted.weights_, 0.5, atol=1e-6)

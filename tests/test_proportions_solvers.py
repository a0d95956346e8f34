"""What each solver does on the way, and cases whose answer can be written down."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr
from sklearn.exceptions import ConvergenceWarning

from mixtures import DynamicResponsibility

from .proportions_cases import SOLVERS, Problem, Twin, normals

OTHERS = ("squarem", "sqp", "auto")


def two_kinds_of_rows(a: int, b: int) -> tuple[np.ndarray, float]:
    """a rows of densities (1, 1/2) and b rows of (1/2, 1); the first weight at the maximum.

    ``l' = a / (1 + p) - b / (2 - p)`` vanishes at ``p = (2 a - b) / (a + b)``.
    """
    F = np.repeat([[1.0, 0.5], [0.5, 1.0]], [a, b], axis=0)
    return F, float(np.clip((2 * a - b) / (a + b), 0.0, 1.0))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("a, b", [(3, 4), (5, 5), (7, 4), (9, 1), (1, 6)])
def test_two_components_by_hand(solver, a, b):
    """Also at the edge: for a >= 2 b the first component explains all rows best."""
    F, p = two_kinds_of_rows(a, b)
    fitted = DynamicResponsibility(solver=solver, tol=1e-10).fit(F)
    best = np.log(F @ [p, 1.0 - p]).mean()
    assert abs(fitted.objective_ - best) <= 1e-10
    np.testing.assert_allclose(fitted.weights_, [p, 1.0 - p], atol=3e-5)
    start = 0.5 * np.ones(2)
    g = np.array([a * 4 / 3 + b * 2 / 3, a * 2 / 3 + b * 4 / 3]) / (a + b)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        nowhere = DynamicResponsibility(solver="em", max_iter=0, start=start).fit(F)
    assert nowhere.gap_ == pytest.approx(np.log(g.max()), abs=1e-15)
    np.testing.assert_array_equal(nowhere.weights_, start)


def test_exact_zeros_are_found():
    F, _ = two_kinds_of_rows(9, 1)
    fitted = DynamicResponsibility().fit(F)
    np.testing.assert_array_equal(fitted.active_, [True, False])
    assert fitted.weights_.tolist() == [1.0, 0.0]
    assert fitted.log_weights_[1] == -np.inf
    # The component that is out decays by its g_k each time: (9 / 2 + 2) / 10.
    assert fitted.rate_ == pytest.approx(0.65, abs=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_of_one_component_each_are_counted(solver):
    labels = np.repeat(np.arange(4), [1, 2, 3, 14])
    fitted = DynamicResponsibility(solver=solver).fit(np.eye(4)[labels])
    np.testing.assert_allclose(fitted.weights_, np.array([1, 2, 3, 14]) / 20, atol=1e-14)
    assert fitted.lambda_min_ == pytest.approx(1.0, abs=1e-12)
    assert fitted.rate_ == pytest.approx(0.0, abs=1e-12)
    assert fitted.gap_ <= 1e-13


# ---- the orbit ---------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 3.0]), st.booleans())
def test_em_walks_the_orbit_of_the_responsibility_map(seed, alpha, log):
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 50), rng.integers(1, 6)
    F, start, w = rng.exponential(size=(n, k)), rng.dirichlet(np.ones(k)), rng.uniform(1, 5, n)
    problem = Problem(np.log(F) if log else F, log, w=w, concentration=alpha)
    fitted = problem.run(10, solver="em", store_orbit=True, start=start)
    twin, pi = Twin(problem), start
    assert fitted.orbit_.shape == (fitted.n_iter_ + 1, k)
    np.testing.assert_allclose(fitted.orbit_[0], start, rtol=1e-15)
    np.testing.assert_array_equal(fitted.orbit_[-1], fitted.weights_)
    for here, objective in zip(fitted.orbit_, fitted.objective_path_, strict=True):
        np.testing.assert_allclose(here, pi.astype(float), rtol=1e-11, atol=1e-300)
        assert objective == pytest.approx(twin.objective(pi), rel=1e-12, abs=1e-12)
        pi = twin.step(pi)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 2.0]))
def test_each_step_gains_at_least_its_divergence(seed, alpha):
    """``l(R(pi)) - l(pi) >= KL(R(pi) || pi)``, the Lyapunov lemma in its sharp form."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 50), rng.integers(1, 7)
    A = rng.normal(size=(n, k)) * 10 ** rng.uniform(-1, 2)
    fitted = Problem(A, log=True, concentration=alpha).run(15, solver="em", store_orbit=True)
    with np.errstate(divide="ignore", under="ignore"):
        divergence = rel_entr(fitted.orbit_[1:], fitted.orbit_[:-1]).sum(axis=1)
    gains = np.diff(fitted.objective_path_)
    assert (gains >= divergence - 1e-12).all()


@pytest.mark.parametrize("solver", OTHERS)
def test_other_solvers_keep_their_points_too(solver):
    problem = Problem(normals(300, 4, 3))
    fitted = problem.fit(solver=solver, store_orbit=True)
    assert fitted.orbit_.shape == (fitted.n_iter_ + 1, 4)
    np.testing.assert_array_equal(fitted.orbit_[-1], fitted.weights_)
    np.testing.assert_allclose(fitted.orbit_.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    assert not hasattr(problem.fit(solver=solver), "orbit_")


def test_faster_solvers_take_fewer_steps():
    problem = Problem(normals(2000, 4, 4, distance=1.0))
    steps = {s: problem.fit(solver=s, tol=1e-7, max_iter=10**5).n_iter_ for s in SOLVERS}
    assert steps["squarem"] < steps["em"] / 3
    assert steps["sqp"] < steps["squarem"]
    assert steps["em"] > 100


# ---- stopping ----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_stopping_at_the_certificate(solver):
    problem = Problem(normals(500, 5, 5, distance=1.5))
    for tol in (1e-2, 1e-5, 1e-9):
        fitted = problem.fit(solver=solver, tol=tol, max_iter=10**5)
        assert fitted.converged_
        assert fitted.gap_ <= tol
        assert len(fitted.stop_reason_.split()) > 3
        assert fitted.stop_reason_.endswith(".")


@pytest.mark.parametrize("solver", SOLVERS)
def test_too_few_iterations_are_said(solver):
    problem = Problem(normals(500, 5, 5, distance=0.5))
    with pytest.warns(ConvergenceWarning, match=r"gap|certificate"):
        fitted = problem.fit(solver=solver, max_iter=1, tol=1e-12)
    assert not fitted.converged_
    assert fitted.n_iter_ == 1
    assert fitted.gap_ > 1e-12
    exact = problem.but(F=problem.F).run(7, solver="em")
    assert exact.n_iter_ == 7


def test_a_start_at_the_maximum_stays_there():
    problem = Problem(normals(400, 3, 6))
    best = problem.fit(tol=1e-12).weights_
    for solver in SOLVERS:
        fitted = problem.fit(solver=solver, start=best)
        assert fitted.n_iter_ <= 1
        np.testing.assert_allclose(fitted.weights_, best, atol=1e-7)


@pytest.mark.parametrize("solver", ["em", "squarem"])
def test_zeros_of_the_start_stay_where_steps_are_products(solver):
    F, start = normals(400, 3, 6), np.array([0.5, 0.0, 0.5])
    kept = Problem(F).run(50, solver=solver, start=start)
    alone = Problem(F[:, [0, 2]]).fit(solver=solver, tol=1e-10)
    assert kept.weights_[1] == 0.0
    assert kept.objective_ == pytest.approx(alone.objective_, abs=1e-8)
    # The certificate is about all components, so it says that this is not the maximum.
    assert kept.gap_ > 1e-3
    assert not kept.converged_


@pytest.mark.parametrize("solver", ["sqp", "auto"])
def test_zeros_of_the_start_do_not_bind_newton(solver):
    F = normals(400, 3, 6)
    for start in ([0.5, 0.0, 0.5], [0.0, 0.0, 1.0]):
        fitted = Problem(F).fit(solver=solver, start=np.array(start))
        assert fitted.converged_
        np.testing.assert_allclose(fitted.weights_, Problem(F).fit().weights_, atol=1e-4)


# ---- prior -------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("a", [0.5, np.array([0.0, 3.0, 0.25, 40.0])])
def test_a_dirichlet_prior_is_pseudo_rows(solver, a):
    """``a_k log pi_k`` is the log-likelihood of a_k rows that only component k explains."""
    F = normals(100, 4, 7)
    w = np.random.default_rng(0).uniform(0.5, 2.0, 100)
    fitted = Problem(F, w=w, concentration=1.0 + a).fit(solver=solver, tol=1e-11)
    extra = np.broadcast_to(a, 4)
    some = extra > 0
    rows = Problem(np.vstack([F, np.eye(4)[some]]), w=np.concatenate([w, extra[some]]))
    other = rows.fit(solver=solver, tol=1e-11)
    assert fitted.objective_ == pytest.approx(other.objective_, abs=1e-11)
    np.testing.assert_allclose(fitted.weights_, other.weights_, atol=1e-5)
    np.testing.assert_allclose(fitted.covariance_, other.covariance_, rtol=1e-3, atol=1e-9)
    assert fitted.lambda_min_ == pytest.approx(other.lambda_min_, rel=1e-4)
    assert (fitted.weights_[some] > 0).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_dirichlet_prior_against_map_em(solver):
    """``pi_k <- (sum_n w_n r_nk + a_k) / (sum_n w_n + sum_k a_k)``, ten thousand times."""
    F, a, pi = normals(60, 3, 8), np.array([1.0, 0.0, 7.0]), np.full(3, 1 / 3)
    for _ in range(10_000):
        joint = pi * F
        counts = (joint / joint.sum(axis=1, keepdims=True)).sum(axis=0)
        pi = (counts + a) / (60 + a.sum())
    fitted = Problem(F, concentration=1.0 + a).fit(solver=solver, tol=1e-12)
    np.testing.assert_allclose(fitted.weights_, pi, atol=1e-6)
    overwhelming = Problem(F, concentration=1e9).fit(solver=solver)
    np.testing.assert_allclose(overwhelming.weights_, 1 / 3, atol=1e-6)

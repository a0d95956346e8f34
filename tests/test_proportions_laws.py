"""Laws of `DynamicResponsibility` that hold for any densities, whichever solver found the weights.

The objective is a mean over rows, so its rounding is a few units in the last place of its size.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures import DynamicResponsibility

from .proportions_cases import FAMILIES, SOLVERS, Problem, Twin, draw, maximum, normals

ROUNDING = 1e-13
SEEDS = st.integers(0, 2**32 - 1)
SOLVER = st.sampled_from(SOLVERS)
FEW = {"n": st.integers(1, 60), "k": st.integers(1, 8)}
ANY = st.builds(draw, st.sampled_from(list(FAMILIES)), SEEDS, **FEW)
"""Small problems of all families, harmless and nasty."""

TAME = st.builds(
    lambda seed, n, k: Problem(normals(n, k, seed)), SEEDS, st.integers(40, 120), st.integers(1, 5)
)
"""Overlapping normals: any solver finds the maximum to many digits."""


def weighted(problem: Problem, seed: int) -> Problem:
    """The same densities, rows of weights between zero and ten."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.0, 10.0, len(problem.F)) * (rng.random(len(problem.F)) < 0.8)
    w[rng.integers(len(w))] = 1.0
    return problem.but(w=w)


def assert_same(one: DynamicResponsibility, other: DynamicResponsibility, order=None, by=0.0):
    """Equal maxima and, where the maximum is one point, equal weights."""
    order = slice(None) if order is None else order
    assert one.objective_ + by == pytest.approx(other.objective_, rel=1e-12, abs=1e-10)
    if one.identifiable_ and one.lambda_min_ > 1e-3:
        np.testing.assert_allclose(one.weights_[order], other.weights_, rtol=0, atol=1e-6)


# ---- what every fit promises -------------------------------------------------------------------


@given(ANY, SOLVER, st.integers(0, 30), st.sampled_from([1.0, 1.5]), SEEDS)
def test_the_path_never_falls_and_the_point_is_on_the_simplex(problem, solver, n_iter, alpha, seed):
    problem = weighted(problem, seed).but(concentration=alpha)
    fitted = problem.run(n_iter, solver=solver)
    path = fitted.objective_path_
    assert np.isfinite(path).all()
    assert (np.diff(path) >= -ROUNDING * np.maximum(1.0, np.abs(path[:-1]))).all(), path
    assert path[-1] == fitted.objective_
    assert fitted.objective_ == pytest.approx(
        Twin(problem).objective(fitted.weights_), rel=1e-13, abs=1e-13
    )
    assert fitted.weights_.shape == (problem.F.shape[1],)
    assert (fitted.weights_ >= 0).all()
    assert abs(fitted.weights_.sum() - 1.0) <= 1e-14
    np.testing.assert_array_equal(fitted.active_, fitted.weights_ > 0)
    np.testing.assert_allclose(
        np.exp(fitted.log_weights_[fitted.active_]), fitted.weights_[fitted.active_], rtol=1e-12
    )
    assert (fitted.n_iter_ <= n_iter) or solver != "em"


@given(ANY, SOLVER, st.integers(0, 30), st.sampled_from([1.0, 1.5]), SEEDS)
def test_the_certificate_is_right_and_bounds_the_distance_to_the_maximum(
    problem, solver, n_iter, alpha, seed
):
    """``l* - l <= log max_k g_k`` at any point, converged or not (Jensen's inequality)."""
    problem = weighted(problem, seed).but(concentration=alpha)
    fitted, twin = problem.run(n_iter, solver=solver), Twin(problem)
    own = twin.gap(fitted.weights_)
    assert fitted.gap_ == pytest.approx(own, rel=1e-9, abs=1e-12)
    best = twin.objective(twin.maximiser())
    assert best - fitted.objective_ <= fitted.gap_ + 4e-13 * max(1.0, abs(best))


@given(ANY)
def test_predictions_are_the_definition(problem):
    fitted, twin = problem.fit(), Twin(problem)
    joint = twin.G * fitted.weights_
    proba = fitted.predict_proba(problem.F)
    np.testing.assert_allclose(proba, joint / joint.sum(axis=1, keepdims=True), atol=1e-13)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    # A label may differ from the twin's where two components are equally probable.
    labels = fitted.predict(problem.F)
    np.testing.assert_array_equal(proba[np.arange(len(labels)), labels], proba.max(axis=1))
    samples = fitted.score_samples(problem.F)
    assert samples.shape == (len(problem.F),)
    assert fitted.score(problem.F) == pytest.approx(samples.mean(), rel=1e-12, abs=1e-12)
    assert fitted.score(problem.F) == pytest.approx(fitted.objective_, rel=1e-12, abs=1e-12)
    w = np.random.default_rng(0).uniform(size=len(samples))
    weighted_mean = np.average(samples, weights=w)
    assert fitted.score(problem.F, sample_weight=w) == pytest.approx(weighted_mean, rel=1e-12)


# ---- what must not matter ----------------------------------------------------------------------


@given(TAME, SOLVER, SEEDS)
def test_scaling_rows_shifts_the_objective_and_nothing_else(problem, solver, seed):
    factors = 10.0 ** np.random.default_rng(seed).uniform(-30, 30, len(problem.F))
    one = problem.fit(solver=solver, tol=1e-10)
    scaled = problem.but(F=problem.F * factors[:, None]).fit(solver=solver, tol=1e-10)
    assert_same(one, scaled, by=np.log(factors).mean())


@given(TAME, SOLVER, SEEDS, st.sampled_from([1.0, 2.5]))
def test_components_and_rows_have_no_order(problem, solver, seed, alpha):
    rng = np.random.default_rng(seed)
    n, k = problem.F.shape
    w, a = rng.uniform(0.1, 3.0, n), rng.uniform(1.0, alpha, k)
    rows, columns = rng.permutation(n), rng.permutation(k)
    one = problem.but(w=w, concentration=a).fit(solver=solver, tol=1e-10)
    moved = Problem(problem.F[rows][:, columns], w=w[rows], concentration=a[columns])
    other = moved.fit(solver=solver, tol=1e-10)
    assert_same(one, other, columns)
    # Errors of 1e-10 in the objective are up to 1e-5 in where a flat maximum lies.
    for name in ("lambda_min_", "rate_"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-3, abs=1e-6)
    np.testing.assert_array_equal(one.predict_proba(problem.F).shape, (n, k))


@given(TAME, SOLVER, SEEDS, st.sampled_from([1.0, 2.5]))
def test_weights_are_repetitions_and_no_weight_is_no_row(problem, solver, seed, alpha):
    counts = np.random.default_rng(seed).integers(0, 4, len(problem.F))
    counts[0] = 1
    options = {"solver": solver, "tol": 1e-10}
    by_weight = problem.but(w=counts.astype(float), concentration=alpha).fit(**options)
    repeated = problem.but(F=np.repeat(problem.F, counts, axis=0), concentration=alpha)
    by_rows = repeated.fit(**options)
    assert_same(by_weight, by_rows)
    np.testing.assert_allclose(by_weight.covariance_, by_rows.covariance_, rtol=1e-3, atol=1e-9)
    if alpha == 1.0:  # against pseudo-counts weights are counts; else they have no unit
        assert_same(by_weight, problem.but(w=1e3 * counts).fit(**options))


@given(TAME, SOLVER)
def test_logarithms_of_densities_are_densities(problem, solver):
    logs = Problem(np.log(problem.F), log=True)
    one, other = problem.fit(solver=solver, tol=1e-10), logs.fit(solver=solver, tol=1e-10)
    assert_same(one, other)
    np.testing.assert_allclose(
        one.predict_proba(problem.F), other.predict_proba(logs.F), rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        one.score_samples(problem.F), other.score_samples(logs.F), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("log", [False, True])
def test_where_numbers_lie_and_how_wide_they_are(solver, log):
    """The numbers are exact in float32, so all of these are one matrix."""
    F = normals(500, 4, 1).astype(np.float32).astype(np.float64)
    F = np.log(F).astype(np.float32).astype(np.float64) if log else F
    one = Problem(F, log).fit(solver=solver, tol=1e-10)
    wide = np.zeros((1000, 8))
    wide[::2, ::2] = F
    for same in (np.asfortranarray(F), F.astype(np.float32), wide[::2, ::2], F[::-1][::-1]):
        other = Problem(same, log).fit(solver=solver, tol=1e-10)
        assert_same(one, other)
        np.testing.assert_allclose(
            other.predict_proba(same), one.predict_proba(F), rtol=0, atol=1e-6
        )
        assert other.weights_.dtype == np.float64


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_number_of_threads_to_the_bit(solver, order):
    F = np.asarray(normals(60_000, 12, 2, distance=1.5), order=order)
    w = np.random.default_rng(0).exponential(size=len(F))
    options = {"solver": solver, "store_orbit": True}
    fits = [Problem(F, w=w).run(12, n_threads=n, **options) for n in (1, 2, 3, None)]
    for other in fits[1:]:
        for name in ("weights_", "objective_path_", "orbit_", "gap_", "covariance_", "rate_"):
            np.testing.assert_array_equal(getattr(other, name), getattr(fits[0], name), name)
        np.testing.assert_array_equal(other.predict_proba(F[:999]), fits[0].predict_proba(F[:999]))
        assert other.score(F) == fits[0].score(F)


@settings(max_examples=30)
@given(TAME, SOLVER, SEEDS)
def test_the_start_does_not_matter(problem, solver, seed):
    k = problem.F.shape[1]
    start = 0.9 * np.random.default_rng(seed).dirichlet(np.ones(k)) + 0.1 / k
    one = problem.fit(solver=solver, tol=1e-10)
    other = problem.fit(solver=solver, tol=1e-10, start=start / start.sum())
    assert_same(one, other)


@given(TAME, st.sampled_from([1.0, 1.5, 4.0]), SEEDS)
def test_all_solvers_end_at_the_maximum(problem, alpha, seed):
    problem = weighted(problem, seed).but(concentration=alpha)
    best = maximum(problem)
    for solver in SOLVERS:
        fitted = problem.fit(solver=solver, tol=1e-10)
        assert fitted.converged_
        assert fitted.gap_ <= 1e-10
        assert abs(fitted.objective_ - best) <= 1.2e-10

"""Laws of the responsibility map, its orbit, the log-likelihood and the optimality gap.

The naive formulas of the docstrings, in linear NumPy, are the oracle; mpmath where these overflow.
"""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from mixtures.proportions import _densities
from mixtures.proportions.functions import (
    log_likelihood,
    optimality_gap,
    responsibility_map,
    responsibility_orbit,
)

from .registry import refused


def naive_map(F, p, w=None, a=0.0):
    w = np.ones(len(F)) if w is None else w
    a = np.broadcast_to(a, p.shape)
    return (w @ (p * F / (F @ p)[:, None]) + a) / (w.sum() + a.sum())


def naive_objective(F, p, w=None, a=0.0):
    w = np.ones(len(F)) if w is None else w
    a = np.broadcast_to(a, p.shape)
    some = a > 0
    return (w @ np.log(F @ p) + a[some] @ np.log(p[some])) / (w.sum() + a.sum())


@st.composite
def problems(draw, spread=20.0):
    """Log-densities, each row of which some component explains, weights (also zero), row weights.

    The first component has a positive weight and excludes no row.
    """
    n, k = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    some = st.floats(-spread, spread)
    log_f = draw(hnp.arrays(np.float64, (n, k), elements=st.one_of(some, some, st.just(-np.inf))))
    log_f[:, 0] = draw(hnp.arrays(np.float64, n, elements=some))
    p = draw(hnp.arrays(np.float64, k, elements=st.one_of(st.just(0.0), st.floats(1e-6, 1.0))))
    p[0] = draw(st.floats(0.01, 1.0))
    w = draw(hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 0.25, 1.0, 3.0])))
    w[0] = 1.0
    return log_f, p / p.sum(), w


ALPHAS = st.one_of(st.just(1.0), st.sampled_from([1.5, 3.0, 20.0]))


def kl(p, q):
    some = p > 0
    return p[some] @ np.log(p[some] / q[some])


@given(problems(), ALPHAS)
def test_the_map_is_the_formula(problem, alpha):
    log_f, p, w = problem
    expected = naive_map(np.exp(log_f), p, w, alpha - 1)
    for F, log in ((log_f, True), (np.exp(log_f), False)):
        found = responsibility_map(F, p, sample_weight=w, concentration=alpha, log=log)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
        assert abs(found.sum() - 1) <= 1e-13


@given(problems())
def test_the_likelihood_rises_by_at_least_the_divergence(problem):
    log_f, p, w = problem
    q = responsibility_map(log_f, p, sample_weight=w, log=True)
    before, after = (log_likelihood(log_f, s, sample_weight=w, log=True) for s in (p, q))
    assert after - before >= kl(q, p) - 1e-12
    assert (q[p == 0] == 0).all()


@given(problems(), ALPHAS, st.integers(0, 2**31))
def test_the_gap_bounds_what_any_weights_gain(problem, alpha, seed):
    log_f, p, w = problem
    rng = np.random.default_rng(seed)
    if alpha > 1:
        p = 0.9 * p + 0.1 / len(p)
    gap = optimality_gap(log_f, p, sample_weight=w, concentration=alpha, log=True)
    here = naive_objective(np.exp(log_f), p, w, alpha - 1)
    assert gap >= -1e-14
    for size in (0.1, 1.0):
        q = rng.dirichlet(np.full(len(p), size)) + 1e-9
        assert naive_objective(np.exp(log_f), q / q.sum(), w, alpha - 1) - here <= gap + 1e-12
    best = responsibility_orbit(log_f, 60, sample_weight=w, concentration=alpha, log=True)[-1]
    assert naive_objective(np.exp(log_f), best, w, alpha - 1) - here <= gap + 1e-12


@given(problems(), ALPHAS)
def test_a_prior_is_rows_that_one_component_explains(problem, alpha):
    log_f, p, w = problem
    p = 0.9 * p + 0.1 / len(p)
    k = len(p)
    with np.errstate(divide="ignore"):
        rows = np.vstack([log_f, np.log(np.eye(k))])
    weights = np.r_[w, np.full(k, alpha - 1)]
    for function in (responsibility_map, optimality_gap):
        np.testing.assert_allclose(
            function(log_f, p, sample_weight=w, concentration=alpha, log=True),
            function(rows, p, sample_weight=weights, log=True),
            rtol=1e-12,
            atol=1e-14,
        )


@given(problems(), st.integers(0, 2**31))
def test_scaling_and_order_of_rows_and_components_change_nothing(problem, seed):
    log_f, p, w = problem
    rng = np.random.default_rng(seed)
    F, scale = np.exp(log_f), 2.0 ** rng.integers(-400, 400, len(log_f))[:, None]
    rows, columns = rng.permutation(len(F)), rng.permutation(len(p))
    here = responsibility_map(F, p, sample_weight=w)
    scaled = responsibility_map(F * scale, p, sample_weight=w)
    np.testing.assert_allclose(scaled, here, rtol=1e-11)
    moved = responsibility_map(F[rows][:, columns], p[columns], sample_weight=w[rows])
    np.testing.assert_allclose(moved, here[columns], rtol=1e-13)
    gap = optimality_gap(F, p, sample_weight=w)
    assert optimality_gap(F * scale, p, sample_weight=w) == pytest.approx(gap, abs=1e-11)
    shift = (w @ np.log(scale[:, 0])) / w.sum()
    l = log_likelihood(F, p, sample_weight=w)  # noqa: E741 - the likelihood's usual name
    assert log_likelihood(F * scale, p, sample_weight=w) == pytest.approx(l + shift, abs=1e-10)


@given(problems(), st.sampled_from([1.0, 2.5]))
def test_weights_are_repetition(problem, alpha):
    log_f, p, w = problem
    p = p if alpha == 1 else 0.9 * p + 0.1 / len(p)
    counts = (4 * w).astype(int)
    repeated = np.repeat(log_f, counts, axis=0)
    for function in (responsibility_map, optimality_gap):
        options = {"concentration": alpha, "log": True}
        found = function(log_f, p, sample_weight=counts, **options)
        np.testing.assert_allclose(found, function(repeated, p, **options), rtol=1e-12, atol=1e-14)
    found = log_likelihood(log_f, p, sample_weight=counts * 1e300, log=True)
    assert found == pytest.approx(log_likelihood(repeated, p, log=True), abs=1e-12)


def test_rows_of_weight_zero_may_be_unexplained():
    F = np.array([[0.5, 0.2], [0.0, 0.0], [0.1, 0.9]])
    w = np.array([1.0, 0.0, 2.0])
    for function in (responsibility_map, log_likelihood, optimality_gap):
        found = function(F, [0.3, 0.7], sample_weight=w)
        expected = function(F[::2], [0.3, 0.7], sample_weight=w[::2])
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_orbit_repeats_the_map():
    F = np.random.default_rng(0).gamma(1.0, size=(30, 4))
    orbit = responsibility_orbit(F, 5, concentration=[1, 2, 3, 1])
    assert orbit.shape == (6, 4) and (orbit[0] == 0.25).all()
    for here, there in pairwise(orbit):
        np.testing.assert_allclose(
            responsibility_map(F, here, concentration=[1, 2, 3, 1]), there, rtol=1e-14
        )
    start = [0.0, 0.5, 0.5, 0.0]
    assert (responsibility_orbit(F, 0, start=start) == [start]).all()
    assert (responsibility_orbit(F, 9, start=start)[:, 0] == 0).all()


def test_a_weight_below_the_range_of_numbers_can_rise_again():
    """The last component shrinks at first, and is the best for its row once others have grown."""
    F = np.hstack([np.full((10, 1), 100.0), 1e4 * np.eye(10)])
    F[9, 10] = 150.0
    start = np.r_[0.91, np.full(9, 0.01), 5e-324]
    orbit = responsibility_orbit(F, 2500, start=start)
    assert orbit[1, -1] == 0.0 and orbit[-1, -1] > 0.09


@pytest.mark.parametrize("zero", [False, True])
def test_ranges_of_thousands_of_nats(zero):
    rng = np.random.default_rng(1)
    A = rng.uniform(-1e4, 1e4, (6, 3))
    A[0, 1] = A[3, 2] = -np.inf
    p = np.array([0.0, 0.25, 0.75]) if zero else np.array([0.5, 1e-300, 0.5])
    mp = mpmath.mp.clone()
    mp.dps = 60
    f = [[mp.exp(mp.mpf(v)) for v in row] for row in A]
    u = [mp.fdot(zip(row, map(mp.mpf, p), strict=True)) for row in f]
    g = [mp.fsum(f[n][k] / u[n] for n in range(6)) / 6 for k in range(3)]
    found = responsibility_map(A, p, log=True)
    np.testing.assert_allclose(found, [float(p[k] * g[k]) for k in range(3)], rtol=1e-11)
    assert optimality_gap(A, p, log=True) == pytest.approx(float(mp.log(max(g))), rel=1e-12)
    expected = float(mp.fsum(map(mp.log, u)) / 6)
    assert log_likelihood(A, p, log=True) == pytest.approx(expected, rel=1e-13)


def test_weights_that_exclude_a_row():
    F = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert log_likelihood(F, [1.0, 0.0]) == -np.inf
    assert optimality_gap(F, [1.0, 0.0]) == np.inf
    assert optimality_gap([[1.0, 2.0]], [0.0, 1.0], concentration=2.0) == np.inf
    assert optimality_gap([[1.0, 2.0]], [0.0, 1.0], concentration=[1.0, 2.0]) < np.inf
    with refused(ValueError, ["row 1", "weight zero", "positive weight"]):
        responsibility_map(F, [1.0, 0.0])


def test_blocks_of_rows(monkeypatch):
    rng = np.random.default_rng(2)
    F, p = rng.gamma(0.3, size=(50, 3)), np.array([0.2, 0.3, 0.5])
    functions = (responsibility_map, log_likelihood, optimality_gap)
    whole = [function(F, p) for function in functions]
    monkeypatch.setattr(_densities, "HOST_BLOCK", 21)
    for function, expected in zip(functions, whole, strict=True):
        np.testing.assert_allclose(function(np.asfortranarray(F), p), expected, rtol=1e-14)
    F[33, 2] = 0.0
    F[33, :2] = 1.0
    with refused(ValueError, ["row 33", "weight zero"]):
        responsibility_map(1.0 - F.clip(0, 1), [0.5, 0.5, 0.0])
    for value, fragments in ((0.0, ["row 33", "zero"]), (-1.0, ["row 33, component 0", "-1"])):
        F[33] = value
        with refused(ValueError, fragments):
            responsibility_map(F, p)


def test_memory_is_that_of_a_block():
    F = np.random.default_rng(3).random((100_000, 10))
    tracemalloc.start()
    responsibility_orbit(F, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < F.nbytes / 2  # of which the most are a few numbers a row


def test_lists_integers_and_float32():
    F = np.array([[1, 0], [3, 1], [2, 2]])
    expected = responsibility_map(F.astype(float), [0.5, 0.5])
    for same in (F, F.tolist(), F.astype(np.float32), F.astype(np.uint8)):
        np.testing.assert_array_equal(responsibility_map(same, [0.5, 0.5]), expected)
    np.testing.assert_allclose(responsibility_map(F > 0, [0.5, 0.5]), [2 / 3, 1 / 3])


GOOD = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]])
HALVES = [0.5, 0.5]


def changed(value, row=2, column=1):
    F = GOOD.copy()
    F[row, column] = value
    return F


REFUSED = {
    "negative": ((changed(-0.5), HALVES), {}, ["row 2, component 1", "-0.5", "log=True"]),
    "NaN": ((changed(np.nan), HALVES), {}, ["row 2, component 1", "nan"]),
    "infinite": ((changed(np.inf), HALVES), {}, ["row 2, component 1", "inf", "log=True"]),
    "log NaN": ((changed(np.nan), HALVES), {"log": True}, ["row 2, component 1", "nan"]),
    "log +inf": ((changed(np.inf), HALVES), {"log": True}, ["row 2", "below +inf"]),
    "zero row": ((changed([0, 0], 1, [0, 1]), HALVES), {}, ["row 1", "zero", "Remove", "log=True"]),
    "log zero row": (
        (changed([-np.inf] * 2, 1, [0, 1]), HALVES),
        {"log": True},
        ["row 1", "-inf", "Remove"],
    ),
    "one-dimensional": ((GOOD[0], HALVES), {}, ["(n_samples, n_components)", "(2,)"]),
    "no rows": ((GOOD[:0], HALVES), {}, ["(0, 2)"]),
    "too many weights": ((GOOD, [0.2, 0.3, 0.5]), {}, ["weights", "(2,)", "(3,)"]),
    "NaN weight": ((GOOD, [np.nan, 0.5]), {}, ["weights", "entry 0 is nan"]),
    "negative weight": ((GOOD, [-0.5, 1.5]), {}, ["weights", "-0.5"]),
    "weights off the simplex": ((GOOD, [0.5, 0.6]), {}, ["weights", "1.1", "Divide"]),
    "row weights": ((GOOD, HALVES), {"sample_weight": [1.0, -1.0, 1.0]}, ["weight 1 is -1"]),
    "few row weights": ((GOOD, HALVES), {"sample_weight": [1.0]}, ["(1,)", "(3,)"]),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("function", [responsibility_map, log_likelihood, optimality_gap])
def test_refusals(function, case):
    arguments, options, fragments = REFUSED[case]
    with refused(ValueError, fragments):
        function(*arguments, **options)


def test_more_refusals():
    for F in (sparse.csr_array(GOOD), GOOD + 0j, [["a", "b"]]):
        with refused(TypeError, ["responsibility_map", "real numbers"]):
            responsibility_map(F, HALVES)
    for alpha, fragments in ((0.5, ["0.5", "at least 1"]), ([1.0] * 3, ["(3,)", "(2,)"])):
        with refused(ValueError, ["concentration", *fragments]):
            responsibility_map(GOOD, HALVES, concentration=alpha)
    for n_iter in (-1, 1.5, True):
        with refused(ValueError, ["n_iter", repr(n_iter)]):
            responsibility_orbit(GOOD, n_iter)
    with refused(ValueError, ["start", "0.9"]):
        responsibility_orbit(GOOD, 1, start=[0.5, 0.4])

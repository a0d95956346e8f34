"""Derivatives of mixing weights: exact, adjoint to each other, honest where there are none.

The oracle is the complex step: the naive formula of the map, in complex NumPy, at F + 1e-30 i dF.
"""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.exceptions import DegenerateDataWarning
from mixtures.proportions.derivatives import (
    proportions_jvp,
    proportions_vjp,
    responsibility_jvp,
    responsibility_vjp,
)

STEP = 1e-30


def naive_orbit_end(X, start, n_iter, w, a, log):
    """The last of n_iter iterates, for real or complex X and start."""
    F, p = np.exp(X) if log else X, start
    a = np.broadcast_to(a, start.shape)
    for _ in range(n_iter):
        p = (w @ (p * F / (F @ p)[:, None]) + a) / (w.sum() + a.sum())
    return p


def complex_step(function, *arguments_and_tangents):
    """The derivative of a function of arrays along tangents."""
    moved = [x + 1j * STEP * dx for x, dx in arguments_and_tangents]
    return function(*moved).imag / STEP


def relative(found, expected):
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-4)


class Case:
    """A problem, with directions in which everything moves."""

    def __init__(self, seed, n=12, k=4, log=False, alpha=1.0, zeros=False, spread=1.5):
        rng = np.random.default_rng(seed)
        self.X = spread * rng.normal(size=(n, k)) + (np.arange(n)[:, None] % k == np.arange(k))
        if not log:
            self.X = np.exp(self.X)
            self.X[:, 1:][rng.random((n, k - 1)) < 0.1] = 0.0
        self.start = rng.dirichlet(np.ones(k))
        if zeros and k > 1:
            self.start[k // 2] = 0.0
            self.start /= self.start.sum()
        self.w = rng.choice([0.0, 0.5, 1.0, 2.0], n)
        self.w[:3] = 1.0
        self.dX, self.dstart = rng.normal(size=(n, k)), rng.normal(size=k)
        self.cotangent = rng.normal(size=k)
        self.a = alpha - 1.0
        self.options = {"sample_weight": self.w, "concentration": alpha, "log": log}

    def end(self, n_iter):
        """The n_iter-th iterate as a function of X and the start."""
        log = self.options["log"]
        return lambda X, start: naive_orbit_end(X, start, n_iter, self.w, self.a, log)

    def maximiser(self, n_iter=20_000):
        """By plain iterations; what is far below every other weight has vanished."""
        p = self.end(n_iter)(self.X, np.full(len(self.start), 1.0 / len(self.start)))
        p = np.where(p < 1e-12, 0.0, p)
        return self.end(500)(self.X, p / p.sum())


CASES = st.builds(
    Case,
    seed=st.integers(0, 2**31),
    n=st.integers(3, 12),
    k=st.integers(1, 5),
    log=st.booleans(),
    alpha=st.sampled_from([1.0, 1.5, 4.0]),
    zeros=st.booleans(),
    spread=st.sampled_from([0.1, 1.5, 8.0]),
)


@given(CASES, st.integers(0, 8))
def test_through_the_map_against_complex_step(case, n_iter):
    expected = complex_step(case.end(n_iter), (case.X, case.dX), (case.start, case.dstart))
    options = case.options
    found = responsibility_jvp(
        case.X, case.start, n_iter, case.dX, tangent_start=case.dstart, **options
    )
    assert relative(found, expected) <= 1e-10
    if n_iter:
        assert abs(found.sum()) <= 1e-12 * np.abs(found).max() + 1e-14
    back, back_start = responsibility_vjp(case.X, case.start, n_iter, case.cotangent, **options)
    terms = np.r_[(back * case.dX).ravel(), back_start * case.dstart]
    assert abs(case.cotangent @ found - terms.sum()) <= 1e-12 * np.abs(terms).sum() + 1e-300
    assert (back[case.w == 0] == 0).all()


def test_every_entry_of_the_gradient():
    for log in (False, True):
        case = Case(3, n=5, k=3, log=log, zeros=True)
        back, back_start = responsibility_vjp(case.X, case.start, 4, case.cotangent, **case.options)
        end, none = case.end(4), np.zeros(3)
        for index in np.ndindex(case.X.shape):
            unit = np.zeros(case.X.shape)
            unit[index] = 1.0
            slope = complex_step(end, (case.X, unit), (case.start, none)) @ case.cotangent
            assert back[index] == pytest.approx(slope, rel=1e-10, abs=1e-14)
        for k in range(3):
            step = (case.X, 0.0 * case.X), (case.start, np.eye(3)[k])
            slope = complex_step(end, *step) @ case.cotangent
            assert back_start[k] == pytest.approx(slope, rel=1e-10, abs=1e-14)


def test_one_tangent_at_a_time():
    case = Case(4)
    arguments = case.X, case.start, 3
    together = responsibility_jvp(*arguments, case.dX, tangent_start=case.dstart, **case.options)
    of_f = responsibility_jvp(*arguments, case.dX, **case.options)
    of_start = responsibility_jvp(*arguments, None, tangent_start=case.dstart, **case.options)
    np.testing.assert_allclose(of_f + of_start, together, rtol=1e-13)
    uniform = responsibility_jvp(case.X, None, 3, case.dX, **case.options)
    quarter = responsibility_jvp(case.X, [0.25] * 4, 3, case.dX, **case.options)
    np.testing.assert_array_equal(uniform, quarter)


@pytest.mark.parametrize("n_iter", [1, 3])
def test_ranges_of_thousands_of_nats(n_iter):
    """By mpmath differences, 200 digits; some weights fall far below the range of numbers."""
    rng = np.random.default_rng(5)
    A, dA = rng.uniform(-1e4, 1e4, (5, 3)), rng.normal(size=(5, 3))
    A[:3, 0] += 2e4  # three rows of one component; ties make the derivative large
    A[4] = [10.0, 10.5, 11.0]
    A[0, 1] = -np.inf
    mp = mpmath.mp.clone()
    mp.dps = 200

    def end(t):
        f = [[mp.exp(mp.mpf(a) + t * mp.mpf(d)) for a, d in zip(*r)] for r in zip(A, dA)]  # noqa: B905
        p = [mp.mpf(1) / 3] * 3
        for _ in range(n_iter):
            u = [mp.fdot(row, p) for row in f]
            p = [p[k] * mp.fsum(f[n][k] / u[n] for n in range(5)) / 5 for k in range(3)]
        return mp.matrix(p)

    h = mp.mpf(10) ** -80
    expected = np.array([float(v) for v in (end(h) - end(-h)) / (2 * h)])
    found = responsibility_jvp(A, None, n_iter, dA, log=True)
    assert relative(found, expected) <= 1e-10
    back, _ = responsibility_vjp(A, None, n_iter, [1.0, 0.0, -2.0], log=True)
    assert (back * dA).sum() == pytest.approx(found @ [1.0, 0.0, -2.0], rel=1e-11)


def test_overflow_is_said():
    """A component of weight zero that explains a row e^2000 times better than the others."""
    A = np.array([[0.0, 2000.0], [0.0, 0.0]])
    with pytest.warns(RuntimeWarning, match=r"beyond the range of numbers.*log=True"):
        back, back_start = responsibility_vjp(A, [1.0, 0.0], 1, [0.0, 1.0], log=True)
    assert np.isinf(back_start[1]) and np.isfinite(back).all()
    with warnings.catch_warnings():  # an unmoved zero does no harm
        warnings.simplefilter("error")
        assert (responsibility_jvp(A, [1.0, 0.0], 2, np.ones((2, 2)), log=True) == 0).all()
    with pytest.warns(RuntimeWarning, match="beyond the range of numbers"):
        responsibility_jvp(A, [1.0, 0.0], 1, None, tangent_start=[-1.0, 1.0], log=True)


def test_zeros_beside_weights_below_the_range_of_numbers():
    """Component 1 falls to e^-2000 in one step; component 2 has weight zero."""
    A = np.array([[0.0, -2000.0, 1.0], [0.0, -2010.0, -1.0]])
    arguments, v = (A, [0.5, 0.5, 0.0], 2), np.array([1.0, 2.0, -1.0])
    back, back_start = responsibility_vjp(*arguments, v, log=True)
    found = responsibility_jvp(*arguments, A, tangent_start=np.array([0.0, 1.0, 0.5]), log=True)
    assert np.isfinite(back).all() and back_start[2] != 0.0
    assert (back * A).sum() + back_start @ [0.0, 1.0, 0.5] == pytest.approx(v @ found, rel=1e-12)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("alpha", [1.0, 2.5])
@pytest.mark.parametrize(("seed", "inside"), [(1, False), (2, True), (3, False), (7, True)])
def test_at_the_maximiser_against_complex_step(seed, inside, alpha, log):
    """Iterated until the complex part has converged too."""
    case = Case(seed, n=15, log=log, alpha=alpha)
    p = case.maximiser()
    assert (p > 0).all() == (inside or alpha > 1)
    expected = complex_step(case.end(8000), (case.X, case.dX), (p, 0.0 * p))
    found = proportions_jvp(case.X, p, case.dX, **case.options)
    assert relative(found, expected) <= 1e-10
    assert abs(found.sum()) <= 1e-13 * np.abs(found).max()
    back = proportions_vjp(case.X, p, case.cotangent, **case.options)
    terms = back * case.dX
    assert abs(terms.sum() - case.cotangent @ found) <= 1e-12 * np.abs(terms).sum()
    assert (back[:, p == 0] == 0).all() and (back[case.w == 0] == 0).all()


def newton(X, p, w):
    """The zero of ``g(p) = 1`` near p, for real or complex X."""
    for _ in range(8):
        G = X / (X @ p)[:, None]
        H = (w[:, None] * G).T @ G / w.sum()
        p = p + np.linalg.solve(H, w @ G / w.sum() - 1.0)
    return p


@pytest.mark.parametrize(("closeness", "last"), [(1e-1, 0.3), (1e-2, 0.3), (0.3, 1e-11)])
def test_nearly_collinear_components_and_tiny_weights(closeness, last):
    """Plain iterations would take millions; Newton's method in complex numbers is the oracle."""
    rng = np.random.default_rng(6)
    n = 400
    F = rng.gamma(2.0, size=(n, 3))
    F[:, 2] = F[:, 1] * (1.0 + closeness * rng.normal(size=n).clip(-3, 3))
    truth = np.array([0.4, 0.6 - last, last])
    w = rng.dirichlet(np.ones(n))
    target = w @ (F / (F @ truth)[:, None])
    F = F / target  # g = 1 at the truth: it is the maximiser
    p = truth * target / (truth @ target)
    p = newton(F, p, w)
    dF, v = rng.normal(size=F.shape), rng.normal(size=3)
    expected = complex_step(lambda X: newton(X, p, w), (F, dF))
    found = proportions_jvp(F, p, dF, sample_weight=w)
    assert relative(found, expected) <= 1e-10
    back = proportions_vjp(F, p, v, sample_weight=w)
    assert (back * dF).sum() == pytest.approx(v @ expected, rel=1e-10)


def test_two_rows_by_hand():
    """F = [[1, s], [t, 1]]: g_1 = g_2 = 1 is linear; its solution is differentiated by mpmath."""
    s, t = 0.3, 0.45

    def first_weight(s, t):  # u_1, u_2 solve (1 / u_1 + t / u_2) / 2 = (s / u_1 + 1 / u_2) / 2 = 1
        u1, u2 = (1 - s * t) / (2 * (1 - t)), (1 - s * t) / (2 * (1 - s))
        return (u1 - s * u2) / (1 - s * t)

    p1 = first_weight(s, t)
    F, p = np.array([[1.0, s], [t, 1.0]]), np.array([p1, 1.0 - p1])
    by_s = float(mpmath.diff(first_weight, (s, t), (1, 0)))
    by_t = float(mpmath.diff(first_weight, (s, t), (0, 1)))
    gradient = proportions_vjp(F, p, [1.0, 0.0])
    assert gradient[0, 1] == pytest.approx(by_s, rel=1e-10)
    assert gradient[1, 0] == pytest.approx(by_t, rel=1e-10)
    np.testing.assert_allclose((gradient * F).sum(axis=1), 0.0, atol=1e-15)  # rows have no scale


def test_what_em_leaves_of_a_vanishing_component_counts_as_zero():
    case = Case(1, n=15)
    exact = case.maximiser()
    assert (exact == 0).sum() == 1
    left = case.end(1500)(case.X, np.full(4, 0.25))
    assert 0 < left[exact == 0][0] < 1e-7
    expected = proportions_jvp(case.X, exact, case.dX, **case.options)
    found = proportions_jvp(case.X, left, case.dX, **case.options)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert found[exact == 0] == 0.0


def with_duplicate(case, first, second):
    """The case with component 0 twice, its weight divided."""
    p = case.maximiser()
    X, dX = (np.c_[M, M[:, 0]] for M in (case.X, case.dX))
    return X, dX, np.r_[p[0] * first, p[1:], p[0] * second]


def test_equal_components_share_a_change_as_em_does():
    case = Case(2, n=15)
    X, dX, p = with_duplicate(case, 0.25, 0.75)
    expected = complex_step(case.end(8000), (X, dX), (p, 0.0 * p))
    with pytest.warns(DegenerateDataWarning, match="1 of the 5 components.*minimum-norm"):
        found = proportions_jvp(X, p, dX, **case.options)
    assert relative(found, expected) <= 1e-10
    rng = np.random.default_rng(0)
    dX, v = rng.normal(size=X.shape), rng.normal(size=5)
    with pytest.warns(DegenerateDataWarning):
        forward = v @ proportions_jvp(X, p, dX, **case.options)
    with pytest.warns(DegenerateDataWarning):
        back = proportions_vjp(X, p, v, **case.options)
    assert (back * dX).sum() == pytest.approx(forward, rel=1e-10)
    prior = Case(2, n=15, alpha=2.0)  # makes the maximiser unique
    X = np.c_[prior.X, prior.X[:, 0]]
    prior.options["concentration"] = [1.5, 2, 2, 2, 1.5]
    prior.a = np.array([0.5, 1, 1, 1, 0.5])
    p = prior.end(5000)(X, np.full(5, 0.2))
    expected = complex_step(prior.end(5000), (X, dX), (p, 0.0 * p))
    assert relative(proportions_jvp(X, p, dX, **prior.options), expected) <= 1e-10


def test_a_zero_weight_that_is_about_to_rise_is_reported():
    X, dX, p = with_duplicate(Case(2, n=15), 1.0, 0.0)
    options = Case(2, n=15).options
    with pytest.warns(DegenerateDataWarning, match="component 4 .* strict complementarity"):
        found = proportions_jvp(X, p, dX, **options)
    expected = proportions_jvp(X[:, :4], p[:4], dX[:, :4], **options)
    np.testing.assert_allclose(found, np.r_[expected, 0.0], rtol=1e-12)
    with pytest.warns(DegenerateDataWarning, match="strict complementarity"):
        proportions_vjp(X, p, np.ones(5), **options)

"""Proportions beside SciPy's general optimisers, and beside Newton's method in 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mixtures import DynamicResponsibility

# ---- SciPy --------------------------------------------------------------------------------------


def negative_log_likelihood(weights, F, w):
    """Mean over rows, in nats, and its gradient."""
    density = F @ weights
    return -(w @ np.log(density)) / w.sum(), -((w / density) @ F) / w.sum()


def by_slsqp(F, w):
    k = F.shape[1]
    found = minimize(
        negative_log_likelihood,
        np.full(k, 1 / k),
        args=(F, w),
        jac=True,
        method="SLSQP",
        bounds=[(1e-12, 1.0)] * k,  # at zero a row may have no density
        constraints={"type": "eq", "fun": lambda x: x.sum() - 1.0, "jac": lambda x: np.ones(k)},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return found.x / found.x.sum()


def by_lbfgsb(F, w):
    """Without the constraint, on l less the sum of weights, which is one at the maximum."""
    k = F.shape[1]

    def penalised(x):
        value, gradient = negative_log_likelihood(x, F, w)
        return value + x.sum(), gradient + 1.0

    options = {"ftol": 0.0, "gtol": 1e-10, "maxiter": 5000}
    bounds = [(1e-12, None)] * k
    start = np.full(k, 1 / k)
    found = minimize(penalised, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return found.x / found.x.sum()


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([by_slsqp, by_lbfgsb]))
@settings(max_examples=30)
def test_scipy_ends_at_the_same_likelihood(seed, k, optimiser):
    """Neither may be above ours by more than our gap, nor below by more than it can resolve."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(k, 200))
    F, w = rng.exponential(size=(n, k)), rng.integers(0, 4, n) + 0.5
    F[rng.random((n, k)) < 0.3] = 0.0
    F[np.arange(n), rng.integers(k, size=n)] += 0.1
    fitted = DynamicResponsibility(tol=1e-12).fit(F, sample_weight=w)
    theirs = optimiser(F, w)
    above = fitted.objective_ + negative_log_likelihood(theirs, F, w)[0]
    assert -1e-12 - 1e-14 <= above <= 1e-10
    if fitted.lambda_min_ > 1e-3:
        np.testing.assert_allclose(fitted.weights_, theirs, rtol=0, atol=1e-6)


# ---- 50 digits ----------------------------------------------------------------------------------


def exact_maximum(F, w, guess):
    """The maximum to 50 digits by Newton's method among the components of positive `guess`.

    F (n, k) holds mpmath's numbers. With ``u = F p`` sought is ``g_k = sum_n w_n F_nk / u_n = 1``
    for the components in use (w sums to one; then so does p); the derivative of g_k by p_j is
    ``-sum_n w_n F_nk F_nj / u_n^2``. Proven here are the conditions of a maximum: p > 0 in use and
    g_k <= 1 elsewhere. Returns p and the log-likelihood.
    """
    n, k = F.rows, F.cols
    used = [c for c in range(k) if guess[c] > 0]
    p = mpmath.matrix([mpmath.mpf(float(guess[c])) for c in used])
    part = mpmath.matrix(n, len(used))
    for i in range(n):
        for j, c in enumerate(used):
            part[i, j] = F[i, c]
    for _ in range(12):
        u = part * p
        q = mpmath.matrix(n, len(used))
        for i in range(n):
            for j in range(len(used)):
                q[i, j] = part[i, j] / u[i]
        g = q.T * w
        weighted = q.copy()
        for i in range(n):
            for j in range(len(used)):
                weighted[i, j] *= w[i]
        p += mpmath.lu_solve(weighted.T * q, g - mpmath.ones(len(used), 1))
        if mpmath.norm(g - mpmath.ones(len(used), 1), mpmath.inf) < mpmath.mpf(10) ** -40:
            break
    else:
        raise AssertionError("Newton's method does not converge from this guess.")
    u = part * p
    pull = F.T * mpmath.matrix([w[i] / u[i] for i in range(n)])
    assert min(p) > 0
    assert all(pull[c] < 1 + mpmath.mpf(10) ** -35 for c in range(k))
    exact = [mpmath.mpf(0)] * k
    for j, c in enumerate(used):
        exact[c] = p[j]
    return exact, mpmath.fsum(w[i] * mpmath.log(u[i]) for i in range(n))


def in_mpmath(F, w, log, extra):
    """F, or exp(F), with pseudo-rows of one component each; weights that sum to one."""
    k = F.shape[1]
    number = (
        (lambda x: mpmath.exp(mpmath.mpf(float(x)))) if log else (lambda x: mpmath.mpf(float(x)))
    )
    rows = [[number(x) for x in row] for row in F]
    rows += [[mpmath.mpf(c == j) for j in range(k)] for c in range(k) if extra[c] > 0]
    shares = [mpmath.mpf(float(x)) for x in [*w, *extra[extra > 0]]]
    total = mpmath.fsum(shares)
    return mpmath.matrix(rows), mpmath.matrix([x / total for x in shares])


def draw(name):
    """F or log F, weights of rows, and the concentration of a prior."""
    rng = np.random.default_rng(sum(map(ord, name)))
    n, k = 40, 5
    w, concentration = np.ones(n), np.ones(k)
    x = rng.normal(size=n) * rng.choice([1.0, 3.0], n)
    if name in ("normal means", "weighted", "prior"):
        variances = 1.0 + np.array([0.0, 0.5, 1.0, 2.0, 8.0]) ** 2
        F = np.exp(-0.5 * x[:, None] ** 2 / variances) / np.sqrt(variances)
        w = rng.exponential(size=n) if name == "weighted" else w
        concentration += np.array([1.0, 0.0, 0.5, 0.0, 2.0]) if name == "prior" else 0.0
    elif name == "zeros":
        ends = np.abs(x).max() * np.arange(1, k + 1) / k
        F = (np.abs(x)[:, None] <= ends) / ends
    elif name == "posteriors":
        F = rng.dirichlet(np.full(k, 0.3), n)
    else:  # thousands of nats between rows and between components
        F = rng.uniform(-1e4, 1e4, (n, 1)) - rng.uniform(0.0, 5.0, (n, k)) ** 4
        F[rng.random((n, k)) < 0.2] = -np.inf
        F[:, 2] = np.maximum(F[:, 2], -2e4)
    return F, w, concentration


@pytest.mark.parametrize("solver", ["auto", "sqp"])
@pytest.mark.parametrize(
    "name", ["normal means", "weighted", "prior", "zeros", "posteriors", "log densities"]
)
def test_fifty_digits(name, solver):
    F, w, concentration = draw(name)
    log = name == "log densities"
    fitted = DynamicResponsibility(
        input="log_density" if log else "density",
        solver=solver,
        tol=1e-13,
        concentration=concentration,
    ).fit(F, sample_weight=w)
    with mpmath.workdps(50):
        rows, shares = in_mpmath(F, w, log, concentration - 1.0)
        exact, best = exact_maximum(rows, shares, fitted.weights_)
        own = [mpmath.mpf(float(x)) for x in fitted.weights_]
        u = rows * mpmath.matrix([x / mpmath.fsum(own) for x in own])
        value = mpmath.fsum(s * mpmath.log(v) for s, v in zip(shares, u, strict=True))
        below = float(best - value)
        exact, best = [float(x) for x in exact], float(best)
    assert 0.0 <= below <= fitted.gap_ + 1e-15
    assert fitted.objective_ == pytest.approx(best, rel=1e-14, abs=1e-14)
    np.testing.assert_allclose(fitted.weights_, exact, rtol=0, atol=1e-12)

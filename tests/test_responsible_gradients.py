"""Gradients through the responsible softmax: exact where they say so, whoever is asked.

The slides that proposed the layer name two ways to a gradient, automatic differentiation and direct
calculation. Here the direct calculation is held against a complex step, dual numbers, the products
of `mixtures.proportions`, and the automatic differentiation of PyTorch and JAX.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.proportions import responsibility_jvp, responsibility_orbit, responsibility_vjp

from .responsible_cases import (
    SCALES,
    classifier,
    complex_step,
    draw,
    log_softmax,
    naive_map,
    relative,
)

CASES = st.builds(
    draw,
    st.integers(0, 2**31),
    n=st.integers(1, 14),
    K=st.integers(2, 6),
    n_iter=st.sampled_from([0, 1, 2, 3, 5, 9]),
    scale=st.sampled_from(SCALES),
    weighted=st.booleans(),
    start=st.booleans(),
    alpha=st.sampled_from([1.0, 1.5, 4.0]),
    shift=st.sampled_from([0.0, 50.0]),
)


@given(CASES)
def test_the_unrolled_gradient_against_complex_step(case):
    """Of the logits and of the start, for an arbitrary cotangent of the log-posterior."""
    found, found_start = case.both()
    expected, expected_start = case.slopes()
    bound = 1e-12 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)
    np.testing.assert_allclose(found_start, expected_start, rtol=0, atol=bound)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_iter", [1, 4, 17, 50])
def test_the_gradient_of_cross_entropy_through_many_applications(n_iter, scale):
    for seed, alpha in ((0, 1.0), (1, [1.0, 1.3, 2.0, 1.0])):
        case = classifier(seed, n_iter=n_iter, scale=scale, alpha=alpha)
        found, found_start = case.both()
        expected, expected_start = case.slopes()
        assert relative(found, expected) <= 1e-12
        bound = 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(found_start, expected_start, rtol=0, atol=bound)


@pytest.mark.parametrize("gradient", ["exact", "stop", "neumann"])
@pytest.mark.parametrize("scale", SCALES)
def test_single_precision(scale, gradient):
    """The logits are those of both, so that only the computation differs."""
    case = classifier(5, n=40, n_iter=3, scale=scale, alpha=1.2)
    single = case.but(A=case.A.astype(np.float32), cotangent=case.cotangent.astype(np.float32))
    double = case.but(A=single.A.astype(float), cotangent=single.cotangent.astype(float))
    for found, expected in zip(single.both(gradient), double.both(gradient), strict=True):
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(double.both(gradient)[0]).max()
    assert single.both(gradient)[0].dtype == np.float32


# ---- the other gradients, each by the formula that defines it -----------------------------------


@given(CASES)
def test_stop_is_the_gradient_with_the_prior_held_constant(case):
    held = case.prior()
    (expected,) = complex_step(lambda A: case.loss(A, held), case.A)
    found, found_start = case.both("stop")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    if case.n_iter:
        assert (found_start == 0.0).all()
    else:  # nothing is between the start and the posterior that could stop a gradient
        np.testing.assert_array_equal(found_start, case.both()[1])


def truncated_series(case):
    """``sum_j (Dr')^j v`` for j < C, with Dr as a matrix, all at the last prior."""
    last = case.prior()
    own, v = complex_step(case.loss, case.A, last)
    by_A, by_mu = [], []
    for k in range(len(last)):
        slopes = complex_step(
            lambda A, mu, k=k: naive_map(A, mu, case.w, case.pseudo_counts)[..., k], case.A, last
        )
        by_A.append(slopes[0])
        by_mu.append(slopes[1])
    total = np.zeros_like(v)
    for _ in range(case.n_iter):
        total += v
        v = v @ np.array(by_mu)
    return own + np.tensordot(total, np.array(by_A), 1), v


@given(CASES)
def test_neumann_is_the_truncated_series(case):
    expected, expected_start = truncated_series(case)
    found, found_start = case.both("neumann")
    bound = 1e-11 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)
    np.testing.assert_allclose(found_start, expected_start, rtol=0, atol=bound)


def test_the_gradients_differ_where_the_prior_moves():
    """So that none of them can stand in for another."""
    for n_iter in (1, 3):
        case = classifier(2, n_iter=n_iter, start=True)
        exact, stop, neumann = (case.both(name)[0] for name in ("exact", "stop", "neumann"))
        assert relative(stop, exact) > 1e-2
        assert relative(neumann, exact) > 1e-3


# ---- the same by others --------------------------------------------------------------------------


PARTNERS = [
    classifier(7, n=9, K=4, n_iter=3, weighted=False),
    classifier(8, n=9, K=3, n_iter=1, weighted=True, alpha=1.7),
    draw(9, n=15, K=5, n_iter=6, scale=3.0, alpha=[1.0, 1.5, 2.0, 1.0, 1.0]),
    draw(10, n=5, K=2, n_iter=0),
]
EVERY = pytest.mark.parametrize("case", PARTNERS, ids=["plain", "prior", "uneven", "none"])


def in_weights(case):
    """The start on the simplex, and the options of `mixtures.proportions`."""
    start = np.exp(log_softmax(case.mu_0))
    options = {"sample_weight": case.w, "concentration": case.concentration, "log": True}
    return start, options


@EVERY
def test_the_reverse_mode_product_of_the_weights(case):
    """The layer is a softmax around the map, which `responsibility_vjp` differentiates."""
    start, options = in_weights(case)
    weights = responsibility_orbit(case.A, case.n_iter, start=start, **options)[-1]
    own, v = complex_step(case.loss, case.A, np.log(weights))
    through, by_start = responsibility_vjp(case.A, start, case.n_iter, v / weights, **options)
    found, found_start = case.both()
    assert relative(found, own + through) <= 1e-12
    # That of the logarithm of a start that may have any sum.
    expected = start * (by_start - start @ by_start)
    np.testing.assert_allclose(found_start, expected, rtol=0, atol=1e-12 * np.abs(found).max())


@EVERY
def test_the_forward_mode_product_of_the_weights(case):
    rng = np.random.default_rng(0)
    dA, dstart = rng.normal(size=case.A.shape), rng.normal(size=case.A.shape[1])
    start, options = in_weights(case)
    weights = responsibility_orbit(case.A, case.n_iter, start=start, **options)[-1]
    tangent = start * (dstart - start @ dstart)
    moved = responsibility_jvp(case.A, start, case.n_iter, dA, tangent_start=tangent, **options)
    change = dA + moved / weights
    posterior = np.exp(case.posterior().astype(float))
    change -= (posterior * change).sum(axis=1)[:, None]
    found, found_start = case.both()
    terms = np.r_[(found * dA).ravel(), found_start * dstart]
    assert abs(terms.sum() - (case.cotangent * change).sum()) <= 1e-12 * np.abs(terms).sum()


class Dual:
    """A value and its slope along one direction: forward-mode differentiation in a few lines."""

    def __init__(self, value, slope):
        self.value, self.slope = value, slope

    def __add__(self, other):
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other):
        return Dual(self.value - other.value, self.slope - other.slope)

    def __mul__(self, number):
        return Dual(self.value * number, self.slope * number)

    def exp(self):
        return Dual(np.exp(self.value), np.exp(self.value) * self.slope)

    def log(self):
        return Dual(np.log(self.value), self.slope / self.value)

    def sum(self, axis):
        return Dual(*(x.sum(axis=axis, keepdims=True) for x in (self.value, self.slope)))


@EVERY
def test_dual_numbers(case):
    """Small logits, so that exponentials need no care."""
    rng = np.random.default_rng(1)
    n, K = case.A.shape
    dA, dstart = rng.normal(size=(n, K)), rng.normal(size=(1, K))
    A, mu = Dual(case.A, dA), Dual(case.mu_0[None, :], dstart)
    w = np.ones((n, 1)) if case.w is None else case.w[:, None]
    a = Dual(np.broadcast_to(case.pseudo_counts, (1, K)), 0.0)
    for _ in range(case.n_iter):
        joint = A + mu
        responsibilities = (joint - joint.exp().sum(1).log()).exp()
        mu = ((responsibilities * w).sum(0) + a).log()
    joint = A + mu
    slope = (joint - joint.exp().sum(1).log()).slope
    found, found_start = case.both()
    terms = np.r_[(found * dA).ravel(), found_start * dstart[0]]
    assert abs(terms.sum() - (case.cotangent * slope).sum()) <= 1e-12 * np.abs(terms).sum()


def differentiated(case, xp, log_sum_exp):
    """The loss as PyTorch or JAX would have it written, from logits and start."""
    w = np.ones(len(case.A)) if case.w is None else case.w
    counts = w > 0
    log_w = xp.asarray(np.log(w[counts]))[:, None]
    a = np.broadcast_to(case.pseudo_counts, case.mu_0.shape)
    log_a = xp.asarray(np.log(np.where(a > 0, a, 1e-300)))
    counts, cotangent = xp.asarray(np.flatnonzero(counts)), xp.asarray(case.cotangent)

    def loss(A, mu):
        for _ in range(case.n_iter):
            joint = A[counts] + mu
            joint = joint - log_sum_exp(joint, 1)[:, None] + log_w
            mu = xp.logaddexp(log_sum_exp(joint, 0), log_a)
        joint = A + mu
        return ((joint - log_sum_exp(joint, 1)[:, None]) * cotangent).sum()

    return loss


@EVERY
def test_pytorch(case):
    torch = pytest.importorskip("torch")
    A, mu = (torch.asarray(x).requires_grad_() for x in (case.A, case.mu_0))
    loss = differentiated(case, torch, torch.logsumexp)
    expected, expected_start = torch.autograd.grad(loss(A, mu), (A, mu))
    found, found_start = case.both()
    assert relative(found, expected.numpy()) <= 1e-12
    bound = 1e-12 * np.abs(found).max()
    np.testing.assert_allclose(found_start, expected_start.numpy(), rtol=0, atol=bound)


def gradients_by_jax(case):
    import jax

    with jax.enable_x64(True):
        loss = differentiated(case, jax.numpy, jax.scipy.special.logsumexp)
        gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))
        return [np.asarray(x) for x in gradient(case.A, case.mu_0)]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax():
    """In a process of its own: one that has imported JAX must not fork, as other tests do."""
    case = PARTNERS[2]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        expected, expected_start = pool.submit(gradients_by_jax, case).result()
    assert expected.dtype == np.float64
    found, found_start = case.both()
    assert relative(found, expected) <= 1e-12
    bound = 1e-12 * np.abs(found).max()
    np.testing.assert_allclose(found_start, expected_start, rtol=0, atol=bound)


def test_a_layer_of_pytorch():
    """PyTorch's own check of gradients, by finite differences, on the layer as its function."""
    torch = pytest.importorskip("torch")
    layer = PARTNERS[0].layer()

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, logits, log_start):
            output, ctx.saved = layer.forward(logits, log_start)
            return output

        @staticmethod
        def backward(ctx, cotangent):
            back, gradients = layer.backward(ctx.saved, cotangent)
            return back, gradients["log_start"]

    case = PARTNERS[0]
    arguments = (torch.asarray(x).requires_grad_() for x in (case.A, case.mu_0))
    assert torch.autograd.gradcheck(Function.apply, tuple(arguments))

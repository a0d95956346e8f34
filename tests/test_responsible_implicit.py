"""The responsible softmax at the fixed point of its map, with pseudo-rows, and its gradient.

The oracle is the map itself, iterated until the imaginary parts of a complex step have converged.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.proportions import proportions_vjp, responsibility_orbit

from .responsible_cases import (
    STEP,
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
    n=st.integers(1, 12),
    K=st.integers(2, 5),
    n_iter=st.sampled_from([0, 3]),
    scale=st.sampled_from([0.1, 1.0, 5.0, 25.0]),
    weighted=st.booleans(),
    start=st.booleans(),
    alpha=st.sampled_from([1.5, 2.0, 4.0]),
    shift=st.sampled_from([0.0, 50.0]),
)


def limit(case, A, mu):
    """The map iterated from mu until nothing changes any more, real part or imaginary."""
    for _ in range(20_000):
        last, mu = mu, naive_map(A, mu, case.w, case.pseudo_counts)
        change, slope = mu - last, (mu.imag / STEP if np.iscomplexobj(mu) else np.zeros(1))
        moved = np.abs(np.imag(change)).max() / STEP
        if np.abs(change.real).max() <= 1e-15 and moved <= 1e-14 * np.abs(slope).max():
            return mu
    raise AssertionError("the oracle has not converged")


def slopes_of_the_limit(case):
    """The fixed point, and the gradient of the loss through the iterations."""
    mu = limit(case, case.A, np.zeros(case.A.shape[1]))
    (slopes,) = complex_step(
        lambda A: case.loss(A, log_softmax(limit(case, A, mu))), case.A, kind=float
    )
    return mu, slopes


@settings(max_examples=30)
@given(CASES)
def test_against_complex_step_through_the_iterated_map(case):
    mu, expected = slopes_of_the_limit(case)
    output, prior = case.forward("implicit")
    np.testing.assert_allclose(prior, mu, rtol=0, atol=1e-10)
    posterior = case.posterior(case.A, mu)
    np.testing.assert_allclose(output, posterior, rtol=1e-13, atol=1e-10)
    found, found_start = case.both("implicit")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert (found_start == 0.0).all()  # the fixed point knows of no start


@pytest.mark.parametrize("n", [3, 40, 1000])
def test_many_applications_end_there(n):
    """The fixed point is the limit of what the exact gradient unrolls."""
    case = classifier(1, n, 4, 2000 if n < 1000 else 400, scale=1.5, alpha=[1.5, 2.0, 3.0, 1.2])
    for found, expected in zip(case.forward("implicit"), case.forward(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert relative(case.both("implicit")[0], case.both()[0]) <= 1e-10
    np.testing.assert_allclose(case.both()[1], 0.0, atol=1e-12)


def test_the_reverse_mode_product_of_the_weights():
    """The layer is a softmax around a maximiser, which `proportions_vjp` differentiates."""
    case = classifier(2, 40, 5, scale=2.0, alpha=1.8)
    _, prior = case.forward("implicit")
    weights = np.exp(prior)
    own, v = complex_step(case.loss, case.A, prior)
    through = proportions_vjp(
        case.A, weights, v / weights, sample_weight=case.w, concentration=1.8, log=True, tol=1e-10
    )
    assert relative(case.both("implicit")[0], own + through) <= 1e-10


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from([1, 2, 7, 200]), st.sampled_from([1.01, 1.5, 30.0]))
def test_neither_the_start_nor_the_number_of_applications_matters(seed, n, alpha):
    case = draw(seed, n, 4, 0, scale=3.0, alpha=alpha)
    far = case.but(n_iter=9, start=np.array([0.0, -300.0, 5.0, -40.0]))
    for one, other in zip(far.forward("implicit"), case.forward("implicit"), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9)
    assert relative(far.both("implicit")[0], case.both("implicit")[0]) <= 1e-9


def near_copies(closeness):
    """Two classes that hardly differ, so that the map takes for ever."""
    rng = np.random.default_rng(4)
    A = 2.0 * rng.normal(size=(300, 4))
    A[:, 3] = A[:, 2] + closeness * rng.normal(size=300)
    return classifier(4, 300, 4, 0, weighted=False, alpha=1.01).but(A=A)


@pytest.mark.parametrize("closeness", [0.1, 1e-2, 0.0])
def test_classes_that_hardly_differ(closeness):
    """The oracle is Newton's method on ``R(mu) = mu``, in complex numbers."""
    case = near_copies(closeness)

    def newton(A, mu):
        (n, K), a = case.A.shape, case.pseudo_counts
        one = np.eye(K)
        for _ in range(40):
            S = np.exp(log_softmax(A + mu[..., None, :]))
            after = naive_map(A, mu, a=a)
            counts = (n + K * a) * np.exp(after)[..., :, None]
            slopes = (S.sum(axis=-2)[..., None] * one - np.swapaxes(S, -1, -2) @ S) / counts
            mu = mu + np.linalg.solve(one - slopes, (after - mu)[..., None])[..., 0]
        return mu

    mu = newton(case.A, case.forward("implicit")[1])
    np.testing.assert_allclose(case.forward("implicit")[1], log_softmax(mu), rtol=0, atol=1e-9)
    rng = np.random.default_rng(0)
    dA = rng.normal(size=case.A.shape)

    def along(t):
        A = case.A + t[..., None] * dA
        return case.loss(A, log_softmax(newton(A, mu + 0.0 * t)))

    (slope,) = complex_step(along, np.zeros(1), kind=float)
    terms = case.both("implicit")[0] * dA
    assert abs(terms.sum() - slope[0]) <= 1e-10 * np.abs(terms).sum()


@pytest.mark.parametrize("n", [10, 1000])
def test_two_equal_classes_share_equally(n):
    """By symmetry, though the map hardly moves: one application takes 1e-7 of the way."""
    A = np.zeros((n, 2)) + np.random.default_rng(0).normal(size=(n, 1))
    case = draw(0, n, 2, weighted=False, alpha=1.0 + 1e-7 * n)
    _, prior = case.but(A=A, start=np.array([0.0, 3.0])).forward("implicit")
    np.testing.assert_allclose(prior, np.log(0.5), rtol=0, atol=1e-8)


def test_rows_that_exclude_a_class_at_the_fixed_point():
    case = draw(3, 12, 3, alpha=1.5)
    case.A[2, 1] = case.A[5, 0] = -np.inf
    case.cotangent[np.isneginf(case.A)] = 0.0
    finite = case.but(A=np.maximum(case.A, -1e4))
    for found, expected in zip(case.both("implicit"), finite.both("implicit"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)
    orbit = responsibility_orbit(case.A, 3000, sample_weight=case.w, concentration=1.5, log=True)
    np.testing.assert_allclose(np.exp(case.forward("implicit")[1]), orbit[-1], rtol=1e-9)

"""Laws of the responsible softmax that hold for any logits, weights, starts and pseudo-rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.neural import ResponsibleSoftmax
from mixtures.proportions import responsibility_orbit

from .responsible_cases import SCALES, WIDE, draw, log_softmax, log_sum_exp

GRADIENTS = st.sampled_from(["exact", "stop", "neumann"])
ANY = st.builds(
    draw,
    st.integers(0, 2**31),
    n=st.integers(1, 40),
    K=st.integers(1, 8),
    n_iter=st.integers(0, 6),
    scale=st.sampled_from(SCALES),
    weighted=st.booleans(),
    start=st.booleans(),
    alpha=st.sampled_from([1.0, 1.5, 4.0]),
    shift=st.sampled_from([0.0, 1.0, 300.0]),
)


def everything(case, gradient="exact"):
    """What the layer says of a case: two outputs, two gradients."""
    return *case.forward(gradient), *case.both(gradient)


def assert_same(found, expected, case, factor=1.0):
    """Equal, but for rounding of the logits, which an application of the map may magnify."""
    size = np.abs(case.A).max() + np.abs(case.mu_0).max() + 10.0
    rounding = 1e-15 * size * (1 + case.n_iter) * factor
    for one, other in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=20 * rounding)
    largest = np.abs(expected[2]).max() + 1e-3
    for one, other in zip(found[2:], expected[2:], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=20 * rounding * largest)


def log_likelihood(case, mu):
    """``sum_n w_n log sum_k exp(A_nk + mu_k) / sum w``."""
    rows = log_sum_exp(case.A.astype(WIDE) + mu, 1)[:, 0]
    return float(np.average(rows, weights=case.w))


@given(ANY)
def test_an_application_raises_the_likelihood_by_the_divergence_at_least(case):
    """``l(R(pi)) - l(pi) >= KL(R(pi) || pi)``: what makes the likelihood a Lyapunov function."""
    mu = log_softmax(case.mu_0)
    for _ in range(4):
        _, after = case.but(n_iter=1, start=mu, concentration=1.0).forward()
        divergence = np.exp(after) @ (after - mu)
        rise = log_likelihood(case, after) - log_likelihood(case, mu)
        assert rise - divergence >= -1e-12
        assert divergence >= -1e-14
        mu = after


@given(ANY, GRADIENTS)
def test_priors_and_posteriors_sum_to_one(case, gradient):
    output, prior = case.forward(gradient)
    assert abs(np.exp(prior).sum() - 1.0) <= 1e-14
    np.testing.assert_allclose(np.exp(output).sum(axis=1), 1.0, rtol=0, atol=1e-13)
    assert output.shape == case.A.shape and prior.shape == case.A.shape[1:]


@given(ANY, GRADIENTS)
def test_cotangents_sum_to_zero_where_nothing_changes(case, gradient):
    """A constant added to a row of logits, or to the start, changes nothing."""
    found, found_start = case.both(gradient)
    rounding = 1e-13 * (np.abs(found).max() + np.abs(case.cotangent).max())
    np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=rounding * found.shape[1])
    assert abs(found_start.sum()) <= rounding * found.size


@given(ANY, GRADIENTS, st.sampled_from([1e-3, 1.0, 1e3]))
def test_shifts_of_rows_and_of_the_start_change_nothing(case, gradient, size):
    rng = np.random.default_rng(0)
    shifts = size * rng.normal(size=(len(case.A), 1))
    moved = case.but(A=case.A + shifts, start=case.mu_0 + size * rng.normal())
    assert_same(everything(moved, gradient), everything(case, gradient), moved, 10.0)


@given(ANY, GRADIENTS)
def test_order_of_rows_and_of_classes_does_not_matter(case, gradient):
    rng = np.random.default_rng(1)
    n, K = case.A.shape
    rows, classes = rng.permutation(n), rng.permutation(K)
    alpha = 1.0 + np.arange(K) % 3 * (np.asarray(case.concentration) - 1.0)
    case = case.but(concentration=alpha)
    moved = case.but(
        A=case.A[rows][:, classes],
        w=None if case.w is None else case.w[rows],
        start=None if case.start is None else case.start[classes],
        concentration=alpha[classes],
        cotangent=case.cotangent[rows][:, classes],
    )
    output, prior, back, back_start = everything(case, gradient)
    expected = output[rows][:, classes], prior[classes], back[rows][:, classes]
    assert_same(everything(moved, gradient), (*expected, back_start[classes]), case)


@given(ANY, GRADIENTS)
def test_repeated_rows_equal_weights(case, gradient):
    """Pseudo-rows as well: a weight counts rows. Copies of a row share its gradient."""
    copies = 1 + np.arange(len(case.A)) % 3
    weighted = case.but(w=copies.astype(float), cotangent=case.cotangent * copies[:, None])
    index = np.repeat(np.arange(len(case.A)), copies)
    repeated = case.but(A=case.A[index], w=None, cotangent=case.cotangent[index])
    output, prior, back, back_start = everything(repeated, gradient)
    first = np.cumsum(copies) - copies
    expected = output[first], prior, np.add.reduceat(back, first), back_start
    assert_same(everything(weighted, gradient), expected, case)


@given(ANY, GRADIENTS)
def test_rows_of_weight_zero_say_nothing_of_the_prior(case, gradient):
    """They have a posterior all the same, and a gradient if that is asked for."""
    w = np.ones(len(case.A)) if case.w is None else case.w
    wild = np.full((2, case.A.shape[1]), 700.0) * [[1.0], [-1.0]]
    more = case.but(
        A=np.vstack([case.A, wild * np.arange(case.A.shape[1])]),
        w=np.r_[w, 0.0, 0.0],
        cotangent=np.vstack([case.cotangent, np.zeros((2, case.A.shape[1]))]),
    )
    output, prior, back, back_start = everything(more, gradient)
    assert (back[-2:] == 0.0).all()
    assert_same((output[:-2], prior, back[:-2], back_start), everything(case, gradient), case)
    found, expected = output[-2:], log_softmax(more.A[-2:] + prior)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11)


@given(ANY, GRADIENTS, st.sampled_from([1e-300, 1e-5, 1e290]))
def test_without_pseudo_rows_weights_have_no_unit(case, gradient, unit):
    case = case.but(concentration=1.0)
    w = np.ones(len(case.A)) if case.w is None else case.w
    assert_same(everything(case.but(w=w * unit), gradient), everything(case, gradient), case)


@given(ANY, GRADIENTS)
def test_no_application_is_a_plain_softmax(case, gradient):
    case = case.but(n_iter=0)
    output, prior = case.forward(gradient)
    np.testing.assert_allclose(prior, log_softmax(case.mu_0), rtol=0, atol=1e-14)
    expected = log_softmax(case.A.astype(WIDE) + case.mu_0).astype(float)
    np.testing.assert_allclose(output, expected, rtol=1e-14, atol=1e-12)
    found, found_start = case.both(gradient)
    v = case.cotangent
    plain = v - np.exp(expected) * v.sum(axis=1, keepdims=True)
    bound = 1e-13 * np.abs(v).max()
    np.testing.assert_allclose(found, plain, rtol=0, atol=10 * bound)
    np.testing.assert_allclose(found_start, plain.sum(axis=0), rtol=0, atol=bound * len(v) * 10)


@given(ANY)
def test_a_flat_start_is_no_start_bit_for_bit(case):
    flat = np.zeros(case.A.shape[1])
    for one, other in zip(
        everything(case.but(start=None)), everything(case.but(start=flat)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@given(ANY)
def test_all_gradients_are_one_where_no_prior_moves(case):
    case = case.but(n_iter=0)
    for gradient in ("stop", "neumann"):
        for one, other in zip(case.both(gradient), case.both(), strict=True):
            np.testing.assert_array_equal(one, other)


@given(ANY)
def test_the_orbit_is_that_of_dynamic_responsibility(case):
    """One responsibility map in the library, not two."""
    start = np.exp(log_softmax(case.mu_0))
    orbit = responsibility_orbit(
        case.A, case.n_iter, start=start, sample_weight=case.w,
        concentration=case.concentration, log=True,
    )  # fmt: skip
    for n_iter in range(case.n_iter + 1):
        _, prior = case.but(n_iter=n_iter).forward()
        np.testing.assert_allclose(np.exp(prior), orbit[n_iter], rtol=1e-11, atol=1e-13)


@given(ANY, st.integers(0, 6))
def test_applications_can_be_interrupted(case, first):
    first = min(first, case.n_iter)
    _, middle = case.but(n_iter=first).forward()
    later = case.but(n_iter=case.n_iter - first, start=middle)
    for one, other in zip(later.forward(), case.forward(), strict=True):
        size = np.abs(case.A).max() + 10.0
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13 * size)


@given(ANY, st.sampled_from(["exact", "implicit"]))
def test_many_pseudo_rows_are_the_prior(case, gradient):
    """A concentration without bound gives the mean of its Dirichlet distribution."""
    share = 1.0 + np.arange(case.A.shape[1])
    share /= share.sum()
    many = case.but(concentration=1.0 + 1e14 * share, n_iter=max(case.n_iter, 1))
    _, prior = many.forward(gradient)
    np.testing.assert_allclose(np.exp(prior), share, rtol=1e-9)
    held, _ = case.but(n_iter=0, start=np.log(share)).both()
    found, _ = many.both(gradient)
    np.testing.assert_allclose(found, held, rtol=0, atol=1e-9 * np.abs(held).max() + 1e-12)


@given(ANY)
def test_more_applications_explain_the_batch_better(case):
    case = case.but(concentration=1.0)
    values = [log_likelihood(case, case.but(n_iter=c).forward()[1]) for c in range(6)]
    assert (np.diff(values) >= -1e-12).all()


@pytest.mark.parametrize("gradient", ["exact", "stop", "neumann", "implicit"])
def test_values_in_values_out(gradient):
    """Two calls give the same bits, and nothing that was passed changes."""
    case = draw(4, n=13, K=3, alpha=1.5)
    before = [x.copy() for x in (case.A, case.start, case.w, case.cotangent)]
    layer = ResponsibleSoftmax(case.n_iter, concentration=1.5, gradient=gradient)
    output, saved = layer.forward(case.A, case.start, case.w)
    first = layer.backward(saved, case.cotangent)
    layer.forward(2.0 * case.A)
    second = layer.backward(saved, case.cotangent)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1]["log_start"], second[1]["log_start"])
    np.testing.assert_array_equal(output, layer.forward(case.A, case.start, case.w)[0])
    for x, y in zip(before, (case.A, case.start, case.w, case.cotangent), strict=True):
        np.testing.assert_array_equal(x, y)

"""The compiled responsible softmax equals its NumPy twin, and stays within its arrays."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from mixtures.core.kernels.responsible import compiled, drivers, plain

from .responsible_cases import EXTREMES

TWINS = plain, compiled


def shares(rng, n, K, weighted, pseudo):
    """What rows and pseudo-rows count."""
    w = rng.choice([0.0, 0.5, 2.0], n) if weighted else np.ones(n)
    w[rng.integers(n)] = 1.0
    a = rng.choice([0.0, 0.5, 3.0], K) if pseudo else np.zeros(K)
    total = w.sum() + a.sum()
    return w / total, a / total


def run(twin, problem, n_iter, cotangent, given):
    """Everything that the kernels say of a batch."""
    A, share, pseudo, start = problem
    path, log_posterior = twin.forward(A, share, pseudo, start, n_iter)
    arguments = A, share, path[:-1], path[1:], path[-1], cotangent
    return path, log_posterior, *twin.backward(*arguments, given)


def assert_twins(problem, n_iter, seed=0, turned=False):
    rng = np.random.default_rng(seed)
    n, K = problem[0].shape
    cotangent = rng.normal(size=(n, K))
    given = rng.normal(size=K) if turned else None
    expected = run(plain, problem, n_iter, cotangent, given)
    found = run(compiled, problem, n_iter, cotangent, given)
    size = np.abs(problem[0]).max() + 10.0
    for one, other in zip(found[:2], expected[:2], strict=True):
        assert one.dtype == np.float64 and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-14 * size * (1 + n_iter))
    bound = 1e-14 * size * (1 + n_iter) * np.abs(expected[2]).max()
    for one, other in zip(found[2:], expected[2:], strict=True):
        assert one.dtype == np.float64 and one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=bound)


@given(
    seed=st.integers(0, 2**31), n=st.integers(1, 60), K=st.integers(1, 40),
    n_iter=st.integers(0, 5), scale=st.sampled_from([0.01, 1.0, 30.0]),
    weighted=st.booleans(), pseudo=st.booleans(), turned=st.booleans(),
)  # fmt: skip
def test_the_twins_agree(seed, n, K, n_iter, scale, weighted, pseudo, turned):
    rng = np.random.default_rng(seed)
    A, start = scale * rng.normal(size=(n, K)), rng.normal(size=K)
    assert_twins((A, *shares(rng, n, K, weighted, pseudo), start), n_iter, seed, turned)


@settings(max_examples=100)
@given(
    kind=st.sampled_from(list(EXTREMES)), seed=st.integers(0, 2**31), n=st.integers(1, 30),
    K=st.integers(1, 9), n_iter=st.sampled_from([0, 1, 3, 40]), pseudo=st.booleans(),
)  # fmt: skip
def test_the_twins_agree_on_extremes(kind, seed, n, K, n_iter, pseudo):
    """Below the range of numbers the compiled kernel hands over to logarithms."""
    rng = np.random.default_rng(seed)
    A = EXTREMES[kind](rng, n, K)
    assert_twins((A, *shares(rng, n, K, True, pseudo), np.zeros(K)), n_iter, seed)


@pytest.mark.parametrize("below", [280.0, 290.0, 300.0, 650.0, 700.0, 740.0, 5000.0])
def test_a_class_around_the_end_of_the_range_of_numbers(below):
    """Some digits of e^-708 are flushed, all of e^-745: neither may show."""
    rng = np.random.default_rng(1)
    for n_iter in (1, 2, 3):
        for n in (1, 9):
            A = 3.0 * rng.normal(size=(n, 4)) - below * (np.arange(4) == 2)
            problem = A, np.full(n, 1.0 / n), np.zeros(4), np.zeros(4)
            ends = [run(twin, problem, n_iter, np.eye(n, 4, 1), None) for twin in TWINS]
            # Cotangents are sums of terms of the size of the posterior, which may cancel.
            rounding = 1e-14 * np.exp(log_softmax(A, axis=1))
            for one, other, scale in zip(*ends, (0.0, 0.0, rounding, rounding.sum(0)), strict=True):
                assert np.isfinite(one).all()
                assert (np.abs(one - other) <= 1e-12 * np.abs(other) + scale + 1e-300).all()


@pytest.mark.parametrize("n_iter", [1, 4])
def test_excluded_classes_and_rows(n_iter):
    """-inf in the start, in logits, in both; classes that pseudo-rows bring back."""
    rng = np.random.default_rng(2)
    A = rng.normal(size=(11, 5))
    A[3, [0, 4]] = A[7, 1] = -np.inf
    start = np.array([0.0, 1.0, -np.inf, 0.0, 0.5])
    for pseudo in (np.zeros(5), np.array([0.0, 0.1, 0.0, 0.0, 0.0]), np.full(5, 0.02)):
        share = np.full(11, (1.0 - pseudo.sum()) / 11)
        cotangent = rng.normal(size=(11, 5))
        ends = [run(twin, (A, share, pseudo, start), n_iter, cotangent, None) for twin in TWINS]
        for one, other in zip(*ends, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    lost = A.copy()
    lost[:, 1] = -np.inf  # a class that no row can be of
    problem = lost, np.full(11, 1 / 11), np.zeros(5), np.zeros(5)
    cotangent = np.where(np.isneginf(lost), 0.0, 1.0 + np.arange(5))
    for one, other in zip(
        *(run(twin, problem, n_iter, cotangent, None) for twin in TWINS), strict=True
    ):
        assert not np.isnan(one).any()
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n", [drivers.STRIP + d for d in (-1, 0, 1, 7, 8)] + [5 * drivers.STRIP])
@pytest.mark.parametrize("K", [1, 3, 17])
def test_strips_of_rows_meet(n, K):
    rng = np.random.default_rng(n)
    problem = rng.normal(size=(n, K)), *shares(rng, n, K, True, True), rng.normal(size=K)
    assert_twins(problem, 2, turned=True)


@pytest.mark.parametrize("K", [64, 257, 300])
def test_many_classes(K):
    rng = np.random.default_rng(K)
    problem = 5.0 * rng.normal(size=(30, K)), *shares(rng, 30, K, True, True), np.zeros(K)
    assert_twins(problem, 3)


def guarded(array, value):
    """A contiguous view of the array with numbers before and behind it."""
    around = np.full(array.size + 64, value)
    inside = around[32:-32].reshape(array.shape)
    inside[...] = array
    return inside, around


@pytest.mark.parametrize(("n", "K"), [(1, 1), (7, 3), (9, 2), (255, 5), (257, 3)])
def test_nothing_around_the_arrays_is_read(n, K):
    """NaN beside every input does not show, and no input changes."""
    rng = np.random.default_rng(n)
    problem = rng.normal(size=(n, K)), *shares(rng, n, K, True, True), rng.normal(size=K)
    cotangent, given = rng.normal(size=(n, K)), rng.normal(size=K)
    expected = run(compiled, problem, 3, cotangent, given)
    pairs = [guarded(x, np.nan) for x in (*problem, cotangent, given)]
    inputs = [inside for inside, _ in pairs]
    before = [around.copy() for _, around in pairs]
    found = run(compiled, tuple(inputs[:4]), 3, inputs[4], inputs[5])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    for (_, around), old in zip(pairs, before, strict=True):
        np.testing.assert_array_equal(around, old)


def test_outputs_are_written_within_their_bounds():
    n, K, n_iter = 13, 3, 2
    rng = np.random.default_rng(0)
    A, (share, pseudo) = rng.normal(size=(n, K)), shares(rng, n, K, True, True)
    outputs = {"path": (n_iter + 1, K), "log_posterior": (n, K), "pulled": (n, K), "v": (K,)}
    made = {name: guarded(np.zeros(shape), 7.0) for name, shape in outputs.items()}
    path, log_posterior, pulled, v = (made[name][0] for name in outputs)
    compiled._forward(A, share, pseudo, path, log_posterior)
    compiled._backward(A, share, path[:-1], path[1:], path[-1], A, np.empty(0), 1e-290, pulled, v)
    for inside, around in made.values():
        assert (around[:32] == 7.0).all() and (around[-32:] == 7.0).all()
        assert np.isfinite(inside).all()


def test_the_bits_of_a_row_do_not_depend_on_the_others_place():
    """A batch is the same numbers twice, and a strip's last rows are like its first."""
    rng = np.random.default_rng(6)
    A, start = rng.normal(size=(40, 4)), rng.normal(size=4)
    share, pseudo = np.full(40, 1 / 40), np.zeros(4)
    ends = [compiled.forward(A, share, pseudo, start, 3) for _ in range(2)]
    np.testing.assert_array_equal(ends[0][0], ends[1][0])
    _, alone = compiled.forward(A[39:], share[39:], pseudo, start, 0)
    _, together = compiled.forward(A, share, pseudo, start, 0)
    np.testing.assert_array_equal(alone[0], together[39])


def test_namesakes():
    for name in ("forward", "backward"):
        signatures = [inspect.signature(getattr(twin, name)) for twin in TWINS]
        assert signatures[0] == signatures[1]

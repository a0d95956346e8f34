"""The parts of a network, each a pair of a forward and a backward function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from mixtures.neural import ACTIVATIONS, CrossEntropy, Dense

from .responsible_cases import NAIVE, STEP, complex_step


@pytest.mark.parametrize("name", NAIVE)
def test_activations(name):
    rng = np.random.default_rng(0)
    Z, dH = rng.normal(size=(2, 8, 5)) * [[[10.0]], [[1.0]]]
    H, saved = ACTIVATIONS[name].forward(Z)
    dZ, none = ACTIVATIONS[name].backward(saved, dH)
    np.testing.assert_allclose(H, NAIVE[name](Z), rtol=1e-14)
    slopes = NAIVE[name](Z + 1j * STEP).imag / STEP
    np.testing.assert_allclose(dZ, slopes * dH, rtol=1e-9, atol=1e-15)
    assert none == {} and set(ACTIVATIONS) == set(NAIVE)


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_far_out(name, dtype):
    Z = np.array([[-1e5, -800.0, -90.0, -0.0, 0.0, 90.0, 800.0, 1e5]], dtype=dtype)
    H, saved = ACTIVATIONS[name].forward(Z)
    dZ, _ = ACTIVATIONS[name].backward(saved, np.ones_like(Z))
    assert H.dtype == dZ.dtype == dtype
    ends = {"identity": (-1e5, 1e5), "relu": (0, 1e5), "logistic": (0, 1), "tanh": (-1, 1)}[name]
    assert tuple(H[0, [0, -1]]) == ends
    slope = {"identity": (1, 1), "relu": (0, 1), "logistic": (0, 0), "tanh": (0, 0)}[name]
    assert tuple(dZ[0, [0, -1]]) == slope
    at_zero = {"identity": (0, 1), "relu": (0, 0), "logistic": (0.5, 0.25), "tanh": (0, 1)}[name]
    for zero in (3, 4):
        assert (H[0, zero], dZ[0, zero]) == at_zero


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_dense(kind):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(7, 4)) * (rng.random((7, 4)) < 0.6)
    W, b, dZ = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(7, 3))
    Z, saved = Dense().forward(kind(X), W, b)
    np.testing.assert_allclose(Z, X @ W + b, rtol=1e-13)
    dX, gradients = Dense().backward(saved, dZ)
    expected = complex_step(
        lambda X, W, b: ((X @ W + b[..., None, :]) * dZ).sum(axis=(-2, -1)), X, W, b
    )
    for found, slope in zip((dX, *gradients.values()), expected, strict=True):
        np.testing.assert_allclose(found, slope, rtol=1e-12, atol=1e-14)
    assert list(gradients) == ["weights", "biases"]


@given(
    st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 6), st.booleans(),
    st.sampled_from([1.0, -0.3]),
)  # fmt: skip
def test_cross_entropy(seed, n, K, weighted, upstream):
    rng = np.random.default_rng(seed)
    log_posterior = np.log(rng.dirichlet(np.full(K, 0.5), n) + 1e-300)
    labels = rng.integers(K, size=n)
    w = rng.choice([0.0, 1.0, 2.5], n) if weighted else np.ones(n)
    w[rng.integers(n)] = 1.0
    loss, saved = CrossEntropy().forward(log_posterior, labels, w if weighted else None)
    own = -np.array([row[label] for row, label in zip(log_posterior, labels, strict=True)])
    assert float(loss) == pytest.approx(np.average(own, weights=w), rel=1e-13)
    found, none = CrossEntropy().backward(saved, upstream)
    expected = -upstream * w[:, None] / w.sum() * (labels[:, None] == np.arange(K))
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=0)
    assert none == {}


@pytest.mark.parametrize("units", [(300, 5), (300, 100), (20, 5)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_gradients_of_weights_either_way_round(units, kind):
    """From a wide layer to few units the product is turned round."""
    rng = np.random.default_rng(1)
    X, W, dZ = (rng.normal(size=s) for s in ((12, units[0]), units, (12, units[1])))
    _, saved = Dense().forward(kind(X), W, np.zeros(units[1]))
    _, gradients = Dense().backward(saved, dZ, inputs=False)
    np.testing.assert_allclose(gradients["weights"], X.T @ dZ, rtol=1e-12, atol=1e-12)
    assert gradients["weights"].shape == units and gradients["biases"].shape == units[1:]

"""What is worked out on all rows in the end: the same as in one piece, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mixtures import ResponsibleSoftmaxClassifier
from mixtures.neural import _blocks
from mixtures.neural._batch import HostBatch
from mixtures.neural._blocks import BlockBatch
from mixtures.neural.prior_gradients import PRIOR_GRADIENTS

from .neural_cases import draw, fit, net

RNG = np.random.default_rng(4)
A = RNG.normal(size=(700, 4)) * 3.0


def batches(pseudo, monkeypatch, rows=64):
    """The same batch in one piece and in blocks."""
    monkeypatch.setattr(_blocks, "NUMBERS_IN_BLOCK", rows * 4)
    w = RNG.uniform(0.1, 2.0, 700)
    total = w.sum() + 4 * pseudo
    share, extra = w / total, np.full(4, pseudo / total)
    return HostBatch(np, A, share, extra), BlockBatch(A.__getitem__, share, extra)


@pytest.mark.parametrize("pseudo", [0.0, 3.0])
@pytest.mark.parametrize("n_iter", [0, 1, 6])
def test_blocks_are_the_whole(n_iter, pseudo, monkeypatch):
    whole, blocks = batches(pseudo, monkeypatch)
    start = np.array([0.0, -1.0, 0.5, -700.0])
    path, _ = whole.forward(start, n_iter)
    np.testing.assert_allclose(blocks.forward(start, n_iter)[0], path, rtol=1e-13, atol=1e-13)
    H = whole.information(path[-1])
    np.testing.assert_allclose(blocks.information(path[-1]), H, rtol=1e-12, atol=1e-15)


def test_fixed_points_of_blocks(monkeypatch):
    whole, blocks = batches(3.0, monkeypatch)
    rule = PRIOR_GRADIENTS["implicit"]
    expected = rule.forward(whole, np.zeros(4), 1)[0][-1]
    np.testing.assert_allclose(rule.forward(blocks, np.zeros(4), 1)[0][-1], expected, rtol=1e-12)


@pytest.mark.parametrize("kept", [0, 2**22])
def test_kept_logits_and_those_worked_out_anew(kept, monkeypatch):
    from mixtures.neural import trained

    X, y = draw()
    one = fit(net(n_prior_iter=3), X, y)
    monkeypatch.setattr(trained, "KEPT", kept)
    monkeypatch.setattr(_blocks, "NUMBERS_IN_BLOCK", 3 * 40)
    other = fit(net(n_prior_iter=3), X, y)
    np.testing.assert_allclose(other.log_prior_, one.log_prior_, rtol=1e-12)
    np.testing.assert_allclose(other.prior_lambda_min_, one.prior_lambda_min_, rtol=1e-9)


def test_memory_of_a_fit_does_not_grow_with_rows_times_classes():
    n, k = 60_000, 100
    X = RNG.normal(size=(n, 3)).astype(np.float32)
    y = RNG.integers(0, k, n)
    model = ResponsibleSoftmaxClassifier((4,), max_epochs=1, batch_size=5000, random_state=0)
    with pytest.warns(Warning, match="max_epochs"):
        fit_on = model.fit(X[:6000], y[:6000])  # compiles, imports
    tracemalloc.start()
    with pytest.warns(Warning, match="max_epochs"):
        fit_on.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * n * k * 8  # 48 MB

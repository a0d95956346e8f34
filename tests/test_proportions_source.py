"""Rows of known densities are a source like any other, and its shortcuts change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.core.blocks import ArraySource
from mixtures.core.discriminants import HARD, LINEAR, SOFT, Discriminants
from mixtures.core.proportions.densities import from_densities, from_log_densities
from mixtures.core.proportions.family import KnownDensities, Weights
from mixtures.core.proportions.posterior import posterior
from mixtures.core.proportions.source import DensitySource
from mixtures.core.statistics import NONE


def drawn(n, K, seed):
    rng = np.random.default_rng(seed)
    return rng.random((n, K)) + 1e-3, rng.dirichlet(np.ones(K)), rng.random(n) + 0.1


@given(n=st.integers(1, 60), K=st.integers(1, 9), seed=st.integers(0, 999))
def test_an_e_step_is_that_of_a_linear_discriminant_with_identity_features(n, K, seed):
    F, p, w = drawn(n, K, seed)
    identity = Discriminants(LINEAR, np.eye(K), np.empty((0, K)), np.log(p), np.zeros((K, K)))
    own = KnownDensities().discriminants(Weights(p))
    with ArraySource(np.log(F), w) as logs, DensitySource(from_densities(F), w) as densities:
        one, other = logs.accumulate(identity, NONE), densities.accumulate(own, NONE)
        np.testing.assert_allclose(other.counts, one.counts, rtol=1e-12)
        assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12, abs=1e-12)
        for a, b in zip(logs.posterior(identity), densities.posterior(own), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-13)


@given(n=st.integers(1, 60), K=st.integers(1, 6), seed=st.integers(0, 99), prior=st.booleans())
def test_derivatives_are_those_of_the_mean_log_likelihood(n, K, seed, prior):
    F, p, w = drawn(n, K, seed)
    a = np.random.default_rng(seed).random(K) if prior else np.zeros(K)
    rows, weights = np.vstack([F, np.eye(K)]), np.append(w, a) / (w.sum() + a.sum())
    Q = rows / (rows @ p)[:, None]
    every = np.arange(K)
    with DensitySource(from_densities(F), w, a) as source:
        at = source.evaluate(every, p, every, curvature=True)
    assert at.value == pytest.approx(weights @ np.log(rows @ p), rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(at.gradient, weights @ Q, rtol=1e-11)
    np.testing.assert_allclose(at.curvature, (Q * weights[:, None]).T @ Q, rtol=1e-11)


def test_the_mean_line_is_a_mixture_with_equal_weights():
    F, _, w = drawn(50, 5, 0)
    every = np.arange(5)
    for a in (None, np.arange(5.0)):
        with DensitySource(from_densities(F), w, a) as source:
            one = source.evaluate(np.array([5]), np.ones(1), np.arange(6), curvature=True)
            other = source.evaluate(every, np.full(5, 0.2), np.arange(6), curvature=True)
        for x, y in zip(one, other, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-12)


@pytest.mark.parametrize("curvature", [False, True])
def test_bits_do_not_depend_on_threads(curvature):
    F, p, w = drawn(70_001, 9, 0)
    every, ends = np.arange(9), []
    for n_threads in (1, 2, 3):
        with DensitySource(from_densities(F), w, n_threads=n_threads) as source:
            source._cuts[9] = [(lo, min(lo + 9984, 70_001)) for lo in range(0, 70_001, 9984)]
            ends.append(source.evaluate(every, p, every, curvature))
    for other in ends[1:]:
        for x, y in zip(ends[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_part_of_the_rows_has_whole_runs_with_their_weights():
    F, _, w = drawn(1000, 4, 0)
    with DensitySource(from_densities(F), w, np.ones(4)) as source:
        part = source.every(5)
    assert part.n_rows == 200
    where = [int(np.flatnonzero(w == x)[0]) for x in part.sample_weight]
    np.testing.assert_array_equal(part.lines.densities, F[where].T)
    np.testing.assert_array_equal(part.lines.background, source.lines.background[where])
    np.testing.assert_allclose(part.pseudo_counts, part.sample_weight.sum() / w.sum())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lines_are_the_columns_and_are_copied_only_if_need_be(order, dtype):
    F = np.asarray(drawn(300, 4, 0)[0], dtype, order=order)
    lines = from_densities(F)
    np.testing.assert_array_equal(lines.densities, F.T)
    assert lines.densities.flags.c_contiguous
    assert np.shares_memory(lines.densities, F) == (order == "F" and dtype == np.float64)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_rows_far_from_one_are_scaled_and_say_by_how_much(scale):
    F = np.asfortranarray(drawn(100, 4, 0)[0])
    F[::2] *= scale
    before = F.copy()
    lines = from_densities(F)
    np.testing.assert_array_equal(F, before)
    np.testing.assert_allclose(lines.densities * np.exp(lines.offset / 2) ** 2, F.T, rtol=1e-12)
    logs = from_log_densities(np.log(F))
    ratio = lines.densities / lines.densities.max(axis=0)
    np.testing.assert_allclose(logs.densities, ratio, rtol=1e-10)


def test_predictions_are_those_of_the_e_step():
    F, p, _ = drawn(300, 5, 0)
    with DensitySource(from_densities(F)) as source:
        resp, log_density = source.posterior(KnownDensities().discriminants(Weights(p)))
    for X, log in ((F, False), (np.log(F), True)):
        for rows, own, density in posterior(X, p, log):
            np.testing.assert_allclose(own, resp[rows], rtol=1e-12)
            np.testing.assert_allclose(density, log_density[rows], rtol=1e-12)


def test_responsibilities_that_are_not_soft_are_refused():
    F, p, _ = drawn(30, 3, 0)
    own = KnownDensities().discriminants(Weights(p))
    with DensitySource(from_densities(F)) as source:
        for assignment in (HARD, SOFT._replace(beta=0.5)):
            with pytest.raises(ValueError, match="soft responsibilities only"):
                source.accumulate(own, NONE, assignment)
            with pytest.raises(ValueError, match="soft responsibilities only"):
                source.posterior(own, assignment)


def test_some_rows_are_a_source_of_their_own():
    """What seeds and products of sources ask of any source."""
    F, p, w = drawn(40, 4, 0)
    F[7] = F[3]
    rows, every = np.array([3, 5, 30]), np.arange(4)
    with DensitySource(from_densities(F), w) as source:
        some = source.some(rows, w[rows])
        np.testing.assert_allclose(source.points(rows), np.log(F[rows]))
        hashes, groups = source.hashes(0, 40, np.uint64(1)), source.groups()
        given_ = source.given(F, np.empty((4, 0)), NONE)
        values = np.zeros((4, 40))
        source._add_values(p, None, values, (0, 40))
    np.testing.assert_allclose(values, np.log(F * p).T)
    np.testing.assert_allclose(given_.counts, w @ F)
    assert hashes[7] == hashes[3]
    assert len(set(hashes)) == len(set(groups)) == 39
    at = some.evaluate(every, p, every)
    assert at.value == pytest.approx(np.average(np.log(F[rows] @ p), weights=w[rows]))

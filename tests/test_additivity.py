"""Statistics are sums over rows: they add over any cut of the rows, and no bit depends on threads.

Sums of n terms in any order differ by at most n eps times the sum of the absolute terms; the
bound used is that with the sum of the parts' absolute values, n = 700.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.core.statistics import SufficientStatistics

from .registry import CONFIGURATIONS, GAUSSIANS, MODELS, names, opened, problem, rows_of

N = 700
BOUND = N * np.finfo(float).eps


def sums(em, params, rows, w=None):
    """Statistics of validated rows in the frame of the EM problem."""
    sweep = em.family.sweep(params)
    with opened(rows, em.source.frame, w) as source:
        return source.accumulate(sweep.discriminants, sweep.moments)


def assert_equal_sums(one: SufficientStatistics, other: SufficientStatistics, size) -> None:
    for a, b, c in zip(one, other, size, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=BOUND * max(float(np.max(c, initial=0)), 1.0))


def magnitude(em, params, rows):
    """Sums of absolute values, from single rows."""
    parts = [sums(em, params, rows[i : i + 1]) for i in range(rows.shape[0])]
    return [sum(np.abs(p[j]) for p in parts) for j in range(4)]


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_parts_add_up(model, prior):
    X = model.rows(N)
    with problem(model.make(**model.priors[prior]), X) as (em, params):
        rows = rows_of(em.source)
        whole, size = sums(em, params, rows), magnitude(em, params, rows)
        for cuts in ([350], [1, 699], [7, 8, 300, 512, 513]):
            ends = zip([0, *cuts], [*cuts, N], strict=True)
            parts = [sums(em, params, rows[lo:hi]) for lo, hi in ends]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            assert_equal_sums(whole, total, size)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_zeros_are_neutral(model):
    X = model.rows(50)
    with problem(model.make(), X) as (em, params):
        part = sums(em, params, rows_of(em.source))
        moments = em.family.sweep(params).moments
        zero = SufficientStatistics.zeros(moments, 3, em.source.n_features)
        for a, b in zip(part + zero, part, strict=True):
            np.testing.assert_array_equal(a, b)


@given(seed=st.integers(0, 999), cut=st.integers(1, 199), row=st.sampled_from(MODELS))
def test_weighted_parts_add_up(seed, cut, row):
    X = row.rows(200, seed=seed)
    w = np.random.default_rng(seed).exponential(size=200)
    with problem(row.make(), X, w) as (em, params):
        rows = rows_of(em.source)
        whole = sums(em, params, rows, w)
        total = sums(em, params, rows[:cut], w[:cut]) + sums(em, params, rows[cut:], w[cut:])
        assert_equal_sums(
            whole, total, [np.abs(a) + np.abs(b) for a, b in zip(whole, total, strict=True)]
        )


@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_counts_and_responsibilities_agree(model):
    """The sweep of a fit (which may leave terms out) and the posterior see the same densities."""
    X = model.rows(N)
    with problem(model.make(), X) as (em, params):
        sweep = em.family.sweep(params)
        stats = em.source.accumulate(sweep.discriminants, sweep.moments)
        resp, log_norm = em.source.posterior(em.family.discriminants(params))
    np.testing.assert_allclose(stats.counts, resp.sum(axis=0), rtol=0, atol=BOUND * N)
    total = stats.log_likelihood + sweep.omitted
    np.testing.assert_allclose(total, log_norm.sum(), rtol=BOUND * 10)

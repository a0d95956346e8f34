"""The engine's side of mixed rows: sources and families put together from several."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from scipy.special import logsumexp

from mixtures.core.clustering import Clusters
from mixtures.core.discriminants import HARD
from mixtures.core.em import EMProblem
from mixtures.core.expectation import expectation
from mixtures.core.gradient import gradient_of
from mixtures.core.initialise import Start
from mixtures.core.product_start import PART_INITIALISERS, widened
from mixtures.priors import Dirichlet

from .mixed_cases import PRIORS, all_blocks, mixed, mixed_rows


@contextmanager
def problem(X, w=None, **options):
    """The EM problem of `mixed` for these rows, and the parameters it starts from."""
    model = mixed(3, **options)
    rows = model._validated(X, reset=True)
    with model._source(rows, w) as (source, totals):
        family = model._family(source, totals)
        start = Start(source, totals, family, 3, np.random.RandomState(0))
        yield EMProblem.of(source, family), PART_INITIALISERS["kmeans"](start)


def priors(**options):
    return {"blocks": all_blocks(**PRIORS), "weight_prior": Dirichlet(1.5), **options}


def test_a_sweep_is_the_sum_of_the_parts():
    """Values add up; under the common responsibilities each part has the sums of its own."""
    X, _ = mixed_rows(400, 0)
    w = np.random.default_rng(0).exponential(size=len(X))
    with problem(X, w) as (em, params):
        v = em.family.discriminants(params)
        values = np.tile(v.bias, (len(X), 1))
        for part, own in zip(em.source.parts, v.parts, strict=True):
            resp, log_norm = part.posterior(own)
            values += np.log(resp) + log_norm[:, None]
        log_norm = logsumexp(values, axis=1)
        resp = np.exp(values - log_norm[:, None])
        found = em.source.posterior(v)
        np.testing.assert_allclose(found[0], resp, atol=1e-12)
        np.testing.assert_allclose(found[1], log_norm, rtol=1e-12)
        stats = em.source.accumulate(v, em.family.moments)
        assert stats.log_likelihood == pytest.approx(w @ log_norm, rel=1e-12)
        np.testing.assert_allclose(stats.counts, w @ resp, rtol=1e-12)
        each = zip(em.source.parts, v.parts, em.family.moments, stats.parts, strict=True)
        for part, own, moments, sums in each:
            expected = part.given(resp, own.reference, moments)
            np.testing.assert_allclose(sums.counts, expected.counts, rtol=1e-12)
            np.testing.assert_allclose(sums.first, expected.first, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(sums.second, expected.second, rtol=1e-9, atol=1e-9)


def test_hard_assignment():
    X, _ = mixed_rows(100, 1)
    with problem(X) as (em, params):
        v = em.family.discriminants(params)
        soft, _ = em.source.posterior(v)
        hard, best = em.source.posterior(v, HARD)
        np.testing.assert_array_equal(hard, np.eye(3)[soft.argmax(axis=1)])
        stats = em.source.accumulate(v, em.family.moments, HARD)
        assert stats.log_likelihood == pytest.approx(best.sum(), rel=1e-12)


def test_statistics_add_up():
    X, _ = mixed_rows(90, 2)
    with problem(X) as (em, params):
        sweep = em.family.sweep(params)
        whole = em.source.accumulate(sweep.discriminants, sweep.moments)
        parts = []
        for rows in (np.arange(40), np.arange(40, 90)):
            with em.source.some(rows, np.ones(len(rows))) as some:
                parts.append(some.accumulate(sweep.discriminants, sweep.moments))
        total = parts[0] + parts[1]
        np.testing.assert_allclose(total.counts, whole.counts, rtol=1e-12)
        for one, other in zip(total.parts, whole.parts, strict=True):
            assert one.counts is total.counts
            np.testing.assert_allclose(one.first, other.first, rtol=1e-9, atol=1e-9)
        assert total.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)


def test_expectation_of_discriminants_is_a_sum_over_rows():
    X, _ = mixed_rows(80, 3)
    with problem(X) as (em, params):
        v = em.family.discriminants(params)
        resp, log_norm = em.source.posterior(v)
        stats = em.source.accumulate(v, (3, 0, 0, 0))
        values = np.log(resp) + log_norm[:, None]
        expected = expectation(v, stats, v.reference)
        assert expected == pytest.approx((resp * values).sum(), rel=1e-10)


def test_pack_and_unpack():
    X, _ = mixed_rows(100, 4)
    with problem(X) as (em, params):
        vector = em.family.pack(params)
        again = em.family.unpack(vector, params)
        np.testing.assert_allclose(again.weights, params.weights, rtol=1e-12)
        for one, other in zip(again.parts, params.parts, strict=True):
            np.testing.assert_array_equal(one.weights, 1.0)
            for a, b in zip(one, other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        sizes = [c.size(shape) for c, shape in em.family.coordinates(params)]
        assert sum(sizes) == len(vector)


def test_gradient_is_that_of_the_objective():
    """By the blocks' formulas; a Gaussian block has none, and then there is none."""
    X, _ = mixed_rows(100, 5)
    blocks = all_blocks(**PRIORS)
    with problem(X, **priors()) as (em, params):
        sweep = em.family.sweep(params)
        stats = em.source.accumulate(sweep.discriminants, sweep.moments)
        assert em.family.gradient(stats, params) is None
    with problem(X, **priors(blocks=blocks[1:], remainder="drop")) as (em, params):
        x = em.family.pack(params)
        found = gradient_of(em, params, x)(x)
        total = em.source.total_weight

        def objective(y):
            return total * em.evaluate(em.family.unpack(y, params)).objective

        for i in range(len(x)):
            step = np.zeros(len(x))
            step[i] = 1e-5
            slope = (objective(x + step) - objective(x - step)) / 2e-5
            assert found[i] == pytest.approx(slope, abs=1e-4)


def test_equal_rows_are_one():
    """Hashes, groups and samples of distinct rows see all parts of a row."""
    X, _ = mixed_rows(60, 6)
    X[:, 5:7] = np.minimum(X[:, 5:7], 2)
    X = np.nan_to_num(X)
    with problem(X, blocks=all_blocks()[1:], remainder="drop") as (em, _):
        X = X[:, 2:]
        distinct = len(np.unique(X, axis=0))
        hashes = em.source.hashes(0, len(X), np.uint64(7))
        groups = em.source.groups()
        assert len(set(hashes.tolist())) == len(set(groups.tolist())) == distinct < len(X)
        for one, other in ((hashes, groups), (groups, hashes)):
            pairs = set(zip(one.tolist(), other.tolist(), strict=True))
            assert len(pairs) == distinct


def test_columns_of_equal_hash_do_not_cancel():
    """Two blocks with each other's columns have other hashes."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (30, 2)).astype(float)
    blocks = [("a", all_blocks()[1][1], [0]), ("b", all_blocks()[1][1], [1])]
    with problem(X, blocks=blocks) as (em, _):
        hashes = em.source.hashes(0, 30, np.uint64(3))
        assert len(set(hashes.tolist())) == 4


def test_widened_clusters_ignore_the_other_columns():
    centres, metric = np.array([[0.0], [4.0]]), np.array([2.0])
    wide = widened(Clusters(centres, metric), slice(1, 2), np.array([5.0, 6.0, 7.0]))
    np.testing.assert_array_equal(wide.centres, [[5.0, 0.0, 7.0], [5.0, 4.0, 7.0]])
    np.testing.assert_array_equal(wide.metric, [0.0, 2.0, 0.0])


def test_the_start_looks_at_each_block():
    """Clusters that only one block shows, in a crowd of columns without any."""
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=400)
    size = rng.normal(size=(400, 2)) @ np.array([[1.0, 0.95], [0.0, 0.3]])
    size[:, 1] += 3.0 * labels
    noise = rng.normal(size=(400, 6)) * 5.0
    X = np.hstack([size, noise])
    blocks = [
        ("size", all_blocks()[0][1], [0, 1]),
        ("noise", all_blocks()[0][1].__class__(covariance_type="diag"), slice(2, 8)),
    ]
    found = mixed(3, blocks).fit_predict(X)
    agree = sum(np.bincount(labels[found == c], minlength=3).max() for c in range(3))
    assert agree > 0.95 * len(X)

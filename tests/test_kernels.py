"""The compiled kernels against their plain twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mixtures.core.kernels import compiled, plain

from .kernel_cases import (
    DENSE,
    DIAGONAL,
    DIAGONALS,
    EPS,
    FULL,
    KINDS,
    MOMENTS,
    NONE,
    PATHS,
    STABLE,
    TRIANGULAR,
    Result,
    assert_same,
    make,
    posterior,
    slack,
    sums,
)

# -- compiled against plain ---------------------------------------------------------------------

SHAPES = [(1, 1, 1), (7, 2, 3), (255, 3, 5), (256, 4, 2), (257, 8, 7), (1000, 5, 13), (600, 12, 20)]


@pytest.mark.parametrize("shape", [*SHAPES, (300, 70, 3)], ids=str)
@pytest.mark.parametrize("moments", MOMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_statistics_equal_the_plain_ones(kind, moments, shape):
    for dtype in (np.float64, np.float32):
        for weighted in (False, True):
            case = make(kind, *shape, dtype=dtype, weighted=weighted)
            for beta, hard in ((1.0, False), (0.4, False), (1.0, True)):
                expected = sums(plain, case, moments, beta=beta, hard=hard)
                for path in PATHS:
                    actual = sums(compiled, case, moments, beta=beta, hard=hard, path=path)
                    assert_same(case, expected, actual)


@pytest.mark.parametrize("k", range(1, 21))
@pytest.mark.parametrize("kind", KINDS)
def test_every_tile_height(kind, k):
    case = make(kind, 70, 3, k)
    for moments in (DIAGONALS, FULL):
        expected = sums(plain, case, moments)
        for path in PATHS:
            assert_same(case, expected, sums(compiled, case, moments, path=path))


@pytest.mark.parametrize("d", [*range(1, 18), 33, 64, 65, 70])
@pytest.mark.parametrize("kind", KINDS)
def test_every_width_of_row(kind, d):
    for dtype in (np.float64, np.float32):
        case = make(kind, 61, d, 4, dtype=dtype)
        for path in PATHS:
            assert_same(case, sums(plain, case, FULL), sums(compiled, case, FULL, path=path))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_posterior_equals_the_plain_one(kind, shape):
    for dtype in (np.float64, np.float32):
        case = make(kind, *shape, dtype=dtype)
        for beta, hard in ((1.0, False), (0.4, False), (1.0, True)):
            for a, b in zip(
                posterior(plain, case, beta=beta, hard=hard),
                posterior(compiled, case, beta=beta, hard=hard),
                strict=True,
            ):
                np.testing.assert_allclose(a, b, rtol=slack(case), atol=slack(case))


def test_statistics_are_added_to_what_is_there():
    case = make(TRIANGULAR, 100, 3, 2)
    out = np.ones(2), np.ones((2, 3)), np.ones((2, 3, 3))
    compiled.accumulate(
        compiled.rows(case.X), 0, 100, case.centre, case.scale, *case.parameters, case.reference,
        1.0, False, FULL, *out, compiled.workspace(TRIANGULAR, FULL, 3, 2),
    )  # fmt: skip
    once = sums(compiled, case, FULL)
    for grown, fresh in zip(out, once[1:], strict=True):
        np.testing.assert_allclose(grown, 1 + fresh, rtol=4 * EPS)


@pytest.mark.parametrize("path", [DENSE, STABLE])
@pytest.mark.parametrize("kind", KINDS)
def test_ranges_add_up(kind, path):
    case = make(kind, 1000, 6, 5, weighted=True)
    whole = sums(compiled, case, FULL, path=path)
    scratch = compiled.workspace(kind, FULL, 6, 5)
    cuts = [0, 0, 1, 8, 300, 300, 555, 999, 1000]
    parts = [
        sums(compiled, case, FULL, lo, hi, path=path, scratch=scratch)
        for lo, hi in itertools.pairwise(cuts)
    ]
    assert_same(case, whole, Result(*(sum(part) for part in zip(*parts, strict=True))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 2, 3, 8, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_know_its_neighbours(kind, d, dtype):
    case = make(kind, 531, d, 5, dtype=dtype)
    for beta, hard in ((1.0, False), (0.4, False), (1.0, True)):
        resp, log_norm = posterior(compiled, case, beta=beta, hard=hard)
        for lo, hi in ((0, 1), (3, 18), (255, 258), (530, 531), (100, 531)):
            part = posterior(compiled, case, lo, hi, beta=beta, hard=hard)
            assert np.array_equal(part[0], resp[lo:hi]) and np.array_equal(part[1], log_norm[lo:hi])
        alone = posterior(compiled, case._replace(X=case.X[77:80].copy()), beta=beta, hard=hard)
        assert np.array_equal(alone[0], resp[77:80])


# -- extreme values -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_of_weight_zero_gets_nothing(kind):
    case = make(kind, 300, 3, 4)
    case.bias[1] = -np.inf
    for beta, hard in ((1.0, False), (0.4, False), (1.0, True)):
        resp, log_norm = posterior(compiled, case, beta=beta, hard=hard)
        assert np.all(resp[:, 1] == 0) and np.isfinite(log_norm).all()
        for path in PATHS:
            result = sums(compiled, case, FULL, beta=beta, hard=hard, path=path)
            assert result.counts[1] == 0 and np.all(result.second[1] == 0)
            assert_same(case, sums(plain, case, FULL, beta=beta, hard=hard), result)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_a_row_that_no_component_explains_makes_no_nan(path, weighted):
    """1e200 squared is infinite: all values of that row are -inf."""
    case = make(DIAGONAL, 64, 2, 3, weighted=weighted)
    case.X[5] = 1e200
    usual = case._replace(X=np.delete(case.X, 5, 0))
    if weighted:
        usual = usual._replace(sample_weight=np.delete(case.sample_weight, 5))
    result = sums(compiled, case, DIAGONALS, path=path)
    assert result.total == -np.inf
    np.testing.assert_allclose(result.counts, sums(plain, usual, DIAGONALS).counts, rtol=1e-12)
    resp, log_norm = posterior(compiled, case)
    assert np.all(resp[5] == 0) and log_norm[5] == -np.inf


def test_a_row_of_weight_zero_counts_nothing_even_where_its_density_is_zero():
    case = make(DIAGONAL, 64, 2, 3, weighted=True)
    case.X[5], case.sample_weight[5] = 1e200, 0.0
    assert np.isfinite(sums(compiled, case, NONE).total)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_nan_is_not_hidden(kind, hard):
    case = make(kind, 64, 3, 3)
    case.X[5, 1] = np.nan
    assert np.isnan(sums(compiled, case, NONE, hard=hard).total)
    assert np.isnan(posterior(compiled, case, hard=hard)[1][5])
    assert np.isfinite(np.delete(posterior(compiled, case, hard=hard)[1], 5)).all()


def test_ties_go_to_the_lowest_index():
    case = make(DIAGONAL, 40, 2, 5)
    for parameter in case.parameters[1:]:
        parameter[...] = parameter[..., :1]
    assert np.all(posterior(compiled, case, hard=True)[0][:, 0] == 1)


# -- parameters ---------------------------------------------------------------------------------


def spd(k, d, seed=0):
    A = np.random.default_rng(seed).normal(size=(k, d, d + 3))
    return A @ A.transpose(0, 2, 1) / d


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("d", [1, 2, 5, 30])
def test_triangular_discriminants_equal_the_plain_ones(d, shared):
    k = 4
    rng = np.random.default_rng(d)
    weights = np.array([0.5, 0.2, 0.0, 0.3])
    means, covariances = rng.normal(size=(k, d)), spd(1 if shared else k, d)
    results = []
    for module in (plain, compiled):
        out = np.zeros((d * (d + 1) // 2, k)), np.zeros((d, k)), np.zeros(k)
        assert module.triangular_discriminants(weights, means, covariances, *out) == 0
        results.append(out)
    condition = np.linalg.cond(covariances).max()
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13 * condition, atol=1e-14 * condition)
    assert results[1][2][2] == -np.inf


@pytest.mark.parametrize("bad", ["indefinite", "zero", "nan", "inf", "corner"])
def test_a_covariance_that_is_not_positive_definite_is_named(bad):
    covariances = spd(3, 3)
    if bad == "corner":
        covariances[1, 2, 0] = np.nan
    else:
        covariances[1] = {"indefinite": -np.eye(3), "zero": 0, "nan": np.nan, "inf": np.inf}[bad]
    for module in (plain, compiled):
        out = np.zeros((6, 3)), np.zeros((3, 3)), np.zeros(3)
        with np.errstate(invalid="ignore"):
            status = module.triangular_discriminants(
                np.full(3, 1 / 3), np.zeros((3, 3)), covariances, *out
            )
        assert status == 2


@pytest.mark.parametrize("kappa", [0.0, 0.7])
def test_full_m_step_equals_the_plain_one(kappa):
    k, d = 3, 4
    rng = np.random.default_rng(0)
    counts = np.array([5.0, 0.0, 2.0])
    first, reference = rng.normal(size=(k, d)), rng.normal(size=(k, d))
    prior = rng.normal(size=d), spd(1, d)[0] * kappa, 3.0 * kappa
    results = []
    for module in (plain, compiled):
        means, covariances = np.full((k, d), 9.0), np.full((k, d, d), 9.0)
        module.full_m_step(
            counts, first, spd(k, d), reference, kappa, *prior, np.full(d, 1e-6), means, covariances
        )
        results.append((means, covariances))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    if kappa == 0:
        assert np.all(results[1][0][1] == 9.0) and np.all(results[1][1][1] == 9.0)


def test_parameters_of_any_memory_are_accepted():
    k, d = 3, 2
    covariances = np.broadcast_to(spd(1, d), (k, d, d))
    out = np.zeros((3, k)), np.zeros((d, k)), np.zeros(k)
    weights, means = np.broadcast_to(1 / 3, k), np.zeros((d, k)).T
    assert compiled.triangular_discriminants(weights, means, covariances, *out) == 0
    mean, covariance = np.empty((k, d)), np.empty((k, d, d))
    zeros = np.broadcast_to(0.0, (d, d))
    compiled.full_m_step(
        np.ones(k), means, covariances, means, 0.0, zeros[0], zeros, 0, zeros[0], mean, covariance
    )
    np.testing.assert_array_equal(covariance, covariances)

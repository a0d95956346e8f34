"""Certificates at the ends of the range: parameters at zero, and components without rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mixtures import GaussianMixture, PoissonMixture
from mixtures.core.certificate import Verdict, _layout, certify
from mixtures.core.em import run_em
from mixtures.core.family import AbstractFamily
from mixtures.core.unconstrained import Real, Simplex, UnitInterval
from mixtures.covariance import GaussianParams
from mixtures.poisson import PoissonParams
from mixtures.priors import Gamma

from .registry import count_rows, gaussian_rows, problem
from .test_certificate import certificate


def counts_with_zeros():
    """Rows of two kinds, each without events in a feature of its own."""
    rng = np.random.default_rng(3)
    X = rng.poisson(6.0, (100, 3)).astype(float)
    X[:50, 0] = X[50:, 1] = 0.0
    return X


def test_a_rate_at_zero_is_a_maximum_on_the_boundary():
    found, params = certificate(PoissonMixture(2), counts_with_zeros(), tol=1e-10)
    assert (params.rates < 1e-3).sum() == 2
    assert found.verdict is Verdict.BOUNDARY_MAXIMUM
    assert (found.n_boundary, found.n_free) == (2, 5)
    assert "if 2 parameters left the end of the range; for the 5 free directions" in str(found)


def test_a_prior_keeps_rates_from_the_boundary():
    estimator = PoissonMixture(2, prior=Gamma(2.0, 1.0))
    found, _ = certificate(estimator, counts_with_zeros())
    assert found.verdict is Verdict.MAXIMUM
    assert (found.n_boundary, found.n_free) == (0, 7)


@pytest.mark.parametrize("rate", [0.0, 1e-14, 1e-9])
def test_a_rate_that_should_leave_zero(rate):
    """EM never moves an exact zero; that one is no maximum is seen from its slope."""
    X = np.random.default_rng(0).poisson(np.repeat([0.5, 8.0], 50))[:, None].astype(float)
    params = PoissonParams(np.array([0.5, 0.5]), np.array([[rate], [8.0]]))
    with problem(PoissonMixture(2), X) as (em, _):
        if rate == 0:
            params = run_em(em, params, tol=1e-13, max_iter=2000).params
            assert params.rates[0, 0] < 1e-290  # rounding of exp(-708), which stands for zero
        found = certify(em, params)
    assert found.verdict is Verdict.NOT_STATIONARY
    if rate == 0:
        assert found.gain == np.inf
        assert found.direction[2] == 1.0
        assert "if a parameter left the end of its range" in str(found)


def third_component(rates):
    return PoissonParams(
        np.array([0.4, 0.6, 0.0]), np.array([[1.0, 4.0], [9.0, 3.0], rates], dtype=float)
    )


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [([5.0, 5.0], Verdict.NOT_STATIONARY), ([500.0, 500.0], Verdict.FLAT)],
)
def test_a_component_without_rows(rates, verdict):
    """Whether it should have some depends on where it lies; far away its rates do not matter."""
    X = count_rows(200, 2, 5)[0]
    found, params = certificate(PoissonMixture(3), X, third_component(rates))
    assert params.weights[2] == 0
    assert found.verdict is verdict
    assert (found.n_boundary, found.n_idle, found.n_free) == (1, 2, 5)
    if verdict is Verdict.FLAT:
        assert "say nothing about 2 parameters, of components without rows" in str(found)
    else:
        assert found.direction[2] == 1.0


def test_a_gaussian_component_without_rows():
    """The same by differences, which have fewer digits near the boundary."""
    X = gaussian_rows(200, 1, 0)[0]
    with problem(GaussianMixture(2, reg_covar=0.0), X) as (em, start):
        two = run_em(em, start, tol=1e-13, max_iter=5000).params
    for mean, verdict in ((two.means.mean(), None), (1e3, Verdict.FLAT)):
        params = GaussianParams(
            np.r_[two.weights, 0.0],
            np.r_[two.means, [[mean]]],
            np.r_[two.covariances, two.covariances[:1]],
        )
        with problem(GaussianMixture(3, reg_covar=0.0), X) as (em, _):
            counts = em.evaluate(params._replace(weights=np.r_[two.weights, 1e-9])).stats.counts
            found = certify(em, params)
        rises = counts[2] > 1e-9 * len(X)  # the slope of a weight at zero, Lindsay's gradient
        assert found.verdict is (Verdict.NOT_STATIONARY if rises else Verdict.FLAT)
        assert verdict in (None, found.verdict)


def test_nothing_is_free():
    found, _ = certificate(PoissonMixture(1), np.zeros((5, 2)))
    assert found.verdict is Verdict.BOUNDARY_MAXIMUM
    assert (found.n_free, found.n_boundary, found.gain) == (0, 2, 0.0)
    assert found.smallest_eigenvalue == np.inf


def test_layout_of_several_fields():
    """Every sum has a number of its own, in the order in which the family packs."""

    class Params(NamedTuple):
        weights: np.ndarray = np.array([1.0, 0.0])
        means: np.ndarray = np.zeros((2, 1))
        categories: np.ndarray = np.full((2, 2), 0.5)
        answers: np.ndarray = np.zeros((1, 1))

    class Family:
        coordinates = AbstractFamily.coordinates
        unconstrained = {  # noqa: RUF012
            "weights": Simplex(),
            "means": Real(),
            "categories": Simplex(),
            "answers": UnitInterval(),
        }

    class Problem:
        family = Family()

    x = np.r_[0.0, -9.0, -9.0, 9.0, np.log(0.5 * np.ones(4)), 9.0]
    ends, sums, still = _layout(Problem, Params(), x)
    np.testing.assert_array_equal(ends, [0, -1, 0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(sums, [0, 0, -1, -1, 1, 1, 2, 2, -1])
    assert still.shape == (0, 9)

"""LowRank as a parameter: of searches, by short names, in blocks of columns; what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mixtures import GaussianMixture, MixedMixture
from mixtures.core.discriminants import HARD
from mixtures.covariance import LowRank
from mixtures.selection import InformationCriterionSearch

from .draws import factor_rows
from .registry import problem


def test_rank_is_a_parameter_of_a_search():
    X, _ = factor_rows(400, 8, k=2, q=2)
    estimator = GaussianMixture(2, covariance_type=LowRank(1, "diagonal"), random_state=0)
    grid = {"covariance_type__rank": [1, 2, 3]}
    search = InformationCriterionSearch(estimator, grid).fit(X)
    assert search.best_params_ == {"covariance_type__rank": 2}
    cv = GridSearchCV(estimator, grid, cv=3).fit(X)
    assert cv.best_params_["covariance_type__rank"] in (2, 3)
    assert estimator.covariance_type == LowRank(1, "diagonal")  # candidates were copies
    copy = clone(estimator)
    assert copy.covariance_type == estimator.covariance_type
    assert copy.covariance_type is not estimator.covariance_type
    assert repr(copy.covariance_type) == "LowRank(rank=1, noise='diagonal')"
    assert LowRank(1) != LowRank(2) and LowRank(1) != "ppca"
    assert len({LowRank(1), LowRank(1), LowRank(2)}) == 2


@pytest.mark.parametrize("name", ["ppca", "factor"])
def test_shorthands_have_one_factor(name):
    X, _ = factor_rows()
    noise = {"ppca": "isotropic", "factor": "diagonal"}[name]
    short = GaussianMixture(2, covariance_type=name, random_state=0).fit(X)
    long = GaussianMixture(2, covariance_type=LowRank(1, noise), random_state=0).fit(X)
    np.testing.assert_array_equal(short.covariances_, long.covariances_)
    assert short.loadings_.shape == (2, 8, 1)
    assert short.noise_variances_.shape == ((2,) if name == "ppca" else (2, 8))


def test_warm_start_and_float32():
    X, _ = factor_rows()
    first = GaussianMixture(2, covariance_type=LowRank(2), warm_start=True, random_state=0).fit(X)
    before = first.lower_bound_
    assert first.fit(X).lower_bound_ >= before - 1e-12
    single = GaussianMixture(2, covariance_type=LowRank(2), random_state=0).fit(X.astype("f4"))
    assert single.covariances_.dtype == single.loadings_.dtype == np.float32
    assert single.score(X) == pytest.approx(before, abs=1e-3)


def test_as_a_block_of_columns():
    X, _ = factor_rows(300, 8)
    blocks = [("numbers", GaussianMixture(covariance_type=LowRank(2, "diagonal")), slice(0, 8))]
    mixed = MixedMixture(2, blocks=blocks, random_state=0, tol=1e-10, max_iter=2000).fit(X)
    alone = GaussianMixture(
        2, covariance_type=LowRank(2, "diagonal"), random_state=0, tol=1e-10, max_iter=2000
    ).fit(X)
    assert mixed.lower_bound_ == pytest.approx(alone.lower_bound_, abs=1e-7)


def test_hard_assignment_has_the_same_moments():
    X, _ = factor_rows(300, 6)
    estimator = GaussianMixture(2, covariance_type=LowRank(2, "diagonal"), random_state=0)
    with problem(estimator, X) as (em, start):
        sweep = em.family.sweep(start)
        stats_ = em.source.accumulate(sweep.discriminants, sweep.moments, HARD)
        resp, _ = em.source.posterior(sweep.discriminants, HARD)
        given_ = em.source.given(resp, sweep.discriminants.reference, 2)
    np.testing.assert_allclose(stats_.counts, given_.counts)
    np.testing.assert_allclose(stats_.second[:, 0], given_.second, rtol=1e-10)


@pytest.mark.parametrize("rank", [0, -1, 1.5, True, "2", None])
def test_ranks_that_are_none(rank):
    with pytest.raises(ValueError, match=r"LowRank expects rank to be .* but got"):
        LowRank(rank)


def test_refusals():
    X, _ = factor_rows(50, 4)
    with pytest.raises(ValueError, match=r"LowRank expects noise to be one of .* 'full'"):
        LowRank(1, "full")
    with pytest.raises(ValueError, match=r"more features than factors, but X has 4 feature"):
        GaussianMixture(2, covariance_type=LowRank(4)).fit(X)
    given_one = GaussianMixture(2, covariance_type="ppca", precisions_init=np.ones((2, 4, 2)))
    with pytest.raises(ValueError, match=r"expect precisions_init=None, but got an array"):
        given_one.fit(X)
    with pytest.raises(ValueError, match=r"X has 1 feature\(s\). Use covariance_type='full'"):
        GaussianMixture(2, covariance_type="ppca").fit(X[:, :1])
    structure = LowRank(2)
    for change in ({"rank": 0}, {"noise": "no"}, {"rank": 3, "other": 1}):
        with pytest.raises(ValueError, match=r"expects rank|expects noise|Invalid parameter"):
            structure.set_params(**change)
        assert structure == LowRank(2)
    structure = LowRank(1)
    for method in (structure.precisions, structure.precisions_cholesky, structure.from_factors):
        with pytest.raises(ValueError, match="have loadings and noise variances"):
            method(np.ones((1, 4, 2)))


def test_a_rank_changed_after_the_fit():
    """The fitted model keeps its own: another one's parameter may be the same object."""
    X, _ = factor_rows()
    shared = LowRank(1)
    first = GaussianMixture(2, covariance_type=shared, warm_start=True, random_state=0).fit(X)
    GaussianMixture(3, covariance_type=shared).set_params(covariance_type__rank=2)
    assert shared.rank == 2
    for answer in (first.fit, first.bic, first.predict):
        with pytest.raises(ValueError, match=r"fitted with covariance_type=LowRank\(rank=1"):
            answer(X)
    noise = LowRank(1).set_params(noise="diagonal")
    assert not (noise.isotropic or noise.common_scale or noise.coordinates.isotropic)

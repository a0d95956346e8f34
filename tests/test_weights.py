"""A weight of w is w equal rows, a weight of zero is no row: through seeding, EM and criteria.

Repetition changes the order of sums, so it holds to rounding: EM amplifies a rounding error by at
most its own slowness, 1 / (1 - rate), which is below 1e3 for these rows, hence 1e-10. A removed
row must change no bit.
"""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import GaussianMixture

from .registry import CONFIGURATIONS, MODELS, close, names, same_bits

RTOL = 1e-10
INITS = ["kmeans", "k-means++", "random_from_data", "random"]


def weighted_rows(model, n=120, seed=3):
    X = model.rows(n, seed=seed)
    return X, np.random.default_rng(seed).integers(0, 4, size=n).astype(float)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_integer_weights_are_repeated_rows(model, prior, init):
    X, w = weighted_rows(model)
    repeated = np.repeat(X, w.astype(int), axis=0)
    estimator = model.make(init_params=init, max_iter=500, **model.priors[prior])
    one = estimator.fit(X, sample_weight=w)
    trace, params = one.lower_bounds_, {k: v for k, v in vars(one).items() if k.endswith("_")}
    other = model.make(init_params=init, max_iter=500, **model.priors[prior]).fit(repeated)
    assert len(trace) == other.n_iter_ == params["n_iter_"]  # the stopping rule sees the same
    np.testing.assert_allclose(other.lower_bounds_, trace, rtol=RTOL)
    close(one, other, RTOL)
    assert one.score(X, sample_weight=w) == pytest.approx(other.score(repeated), rel=RTOL)
    for criterion in ("bic", "aic", "icl"):
        weighted = getattr(one, criterion)(X, sample_weight=w)
        assert weighted == pytest.approx(getattr(other, criterion)(repeated), rel=RTOL)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_zero_weights_are_removed_rows_to_the_bit(model, prior, init):
    X, w = weighted_rows(model)
    options = {"init_params": init, "max_iter": 500, **model.priors[prior]}
    one = model.make(**options).fit(X, sample_weight=w)
    same_bits(one, model.make(**options).fit(X[w > 0], sample_weight=w[w > 0]))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_a_weightless_outlier_is_not_seen(model):
    X = np.vstack([model.rows(100), np.full((1, 3), model.outlier)])
    w = np.r_[np.ones(100), 0.0]
    same_bits(
        model.make().fit(X, sample_weight=w),
        model.make().fit(X[:-1], sample_weight=w[:-1]),
    )


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_unit_weights_are_no_weights(model):
    X = model.rows(200)
    for w in (np.ones(200), 1.0, [1] * 200):
        close(model.make().fit(X), model.make().fit(X, sample_weight=w), RTOL)


@pytest.mark.parametrize("power", [-30, 7, 100])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_weights_have_no_unit_without_a_prior(model, power):
    X = model.rows(200)
    w = np.random.default_rng(0).uniform(0.5, 2.0, 200)
    one = model.make(**model.exact).fit(X, sample_weight=w)
    same_bits(one, model.make(**model.exact).fit(X, sample_weight=np.ldexp(w, power)))


@pytest.mark.parametrize("size", [1e300, 1e-300, 5e-324, 1e308])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_weights_of_extreme_size(model, size):
    X = model.rows(100)
    one = model.make().fit(X)
    close(one, model.make().fit(X, sample_weight=np.full(100, size)), RTOL)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_weights_do_matter(model):
    """So that the laws above cannot pass by ignoring weights."""
    X = model.rows(100)
    w = np.where(X[:, 0] > np.nanmean(X[:, 0]), 10.0, 1.0)
    weighted, plain = model.make().fit(X, sample_weight=w), model.make().fit(X)
    assert abs(weighted.lower_bound_ - plain.lower_bound_) > 1e-3


def test_a_weightless_row_counts_in_no_score():
    X = MODELS[0].rows(50)
    fitted = GaussianMixture(2, random_state=0).fit(X)
    far, w = np.vstack([X, np.full(3, 1e300)]), np.r_[np.ones(50), 0.0]
    for name in ("score", "aic", "bic", "icl"):
        assert getattr(fitted, name)(far, sample_weight=w) == pytest.approx(
            getattr(fitted, name)(X), rel=1e-12
        )

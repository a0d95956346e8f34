"""float32 rows: computed in float64, rounded at the end, usable ever after."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import GaussianMixture

from .registry import COVARIANCES


@pytest.mark.parametrize("covariance_type", COVARIANCES)
@pytest.mark.parametrize("seed", range(5))
def test_a_fit_that_succeeds_can_predict(covariance_type, seed):
    """Covariances of correlation 0.99999996 are not positive definite any more once rounded."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(500, 1))
    X = np.hstack([z, z + 3e-4 * rng.normal(size=(500, 1))]) * 50 + 1000
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=seed)
    model.fit(X.astype(np.float32))
    assert model.covariances_.dtype == model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert np.isfinite(model.score(X.astype(np.float32)))


def test_sums_are_float64():
    """The criteria of 200 000 float32 rows are off by their rounding, not by that of their sum."""
    X = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)
    model = GaussianMixture(1).fit(X)
    # Parameters differ by float32 rounding between the fits, hence not between the scores.
    assert model.bic(X) == pytest.approx(model.bic(X.astype(np.float64)), rel=1e-12)
    assert model.score_samples(X).dtype == np.float32

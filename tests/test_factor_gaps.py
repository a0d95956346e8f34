"""Models of rows with gaps say what those of complete rows say: limits, warnings, counts."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import FactorAnalysis, ProbabilisticPCA
from mixtures.exceptions import DegenerateDataWarning, HeywoodWarning, IdentifiabilityWarning

from .draws import factor_rows

X, _ = factor_rows(200, 8, k=1, noise=1.0)


def with_gap(X):
    gappy = X.copy()
    gappy[0, 0] = np.nan
    return gappy


def with_gaps(X, share=0.1):
    gappy = X.copy()
    gappy[np.random.default_rng(0).random(X.shape) < share] = np.nan
    return gappy


def test_the_parameter_decides_about_gaps_not_the_last_fit():
    fitted = ProbabilisticPCA(2).fit(X).set_params(noise="zero")
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(with_gaps(X))
    again = ProbabilisticPCA(2, noise="zero").fit(X).set_params(noise="isotropic")
    fresh = ProbabilisticPCA(2).fit(with_gaps(X))
    assert again.fit(with_gaps(X)).noise_variance_ == fresh.noise_variance_


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0])
@pytest.mark.parametrize("rows", [X, with_gaps(X)], ids=["complete", "gaps"])
def test_the_size_of_weights_does_not_end_the_fit(rows, scale):
    plain = FactorAnalysis(2).fit(rows)
    weighted = FactorAnalysis(2).fit(rows, sample_weight=np.full(200, scale))
    np.testing.assert_allclose(weighted.noise_variance_, plain.noise_variance_, rtol=1e-6)


def test_constant_features_are_as_in_complete_rows():
    rows = X.copy()
    rows[:, 3] = 1000.0
    whole, gappy = FactorAnalysis(2).fit(rows), FactorAnalysis(2).fit(with_gap(rows))
    for model in (whole, gappy):
        assert model.noise_variance_[3] == 1e-12 and model.mean_[3] == 1000.0
        assert model.uniquenesses_[3] == 1.0 and not model.components_[:, 3].any()
    assert gappy.log_likelihood_ == pytest.approx(gappy.score(with_gap(rows)), rel=1e-12)
    assert gappy.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=0.1)
    assert ProbabilisticPCA().fit(rows).n_components_ == 6
    assert ProbabilisticPCA().fit(with_gap(rows)).n_components_ == 6
    zeros = with_gap(np.zeros((5, 3)))
    model = FactorAnalysis(0).fit(zeros)
    assert model.score(zeros) == pytest.approx(model.log_likelihood_)
    with pytest.raises(ValueError, match="expects rows that differ"):
        ProbabilisticPCA(1).fit(zeros)


def test_noise_without_limit_is_said():
    rows = np.column_stack([X[:, :3], X[:, 0]])
    for own in (rows, with_gap(rows)):
        with pytest.warns(DegenerateDataWarning, match="unbounded as the noise vanishes"):
            ProbabilisticPCA(3).fit(own)


def test_heywood_cases_are_found():
    rng = np.random.RandomState(1)
    rows = rng.randn(200, 2) @ rng.randn(2, 6) + 0.5 * rng.randn(200, 6)
    rows = np.delete(rows, 3, axis=1)
    for own in (rows, with_gap(rows)):
        with pytest.warns(HeywoodWarning, match="feature 0"):
            model = FactorAnalysis(2).fit(own)
        np.testing.assert_array_equal(model.heywood_, [True, False, False, False, False])
        assert (np.diff(model.loglike_) >= -1e-8).all()
        assert model.score(own) == pytest.approx(model.log_likelihood_, rel=1e-10)
        assert len(model.loglike_) == model.n_iter_


def test_more_factors_than_features_that_vary():
    rows = np.column_stack([X[:, 0], np.ones((200, 3))])
    for own in (rows, with_gap(rows)):
        with pytest.warns(IdentifiabilityWarning, match=r"1 features .* 2 parameters"):
            model = FactorAnalysis(3).fit(own)
        assert model.components_.shape == (3, 4)
    with pytest.warns(DegenerateDataWarning):
        assert ProbabilisticPCA(0.9).fit(rows).n_components_ == 1

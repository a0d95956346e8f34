"""The objective of a mixture of blocks never falls: any rows, blocks, priors and weights."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures import BernoulliMixture, CategoricalMixture, GaussianMixture, PoissonMixture
from mixtures.priors import Beta, Dirichlet, Gamma, NormalInverseWishart

from .mixed_cases import mixed, parameters
from .test_monotone import assert_never_falls

NIW = NormalInverseWishart(mean_precision=0.5)
REFUSALS = "Fitting the mixture model failed", "at least one known"


@st.composite
def kinds(draw):
    """A block's name, its estimator, and rows that suit it (n, d), from few values."""
    n = draw(st.shared(st.integers(6, 40), key="n"))
    d = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    kind = draw(st.sampled_from(["size", "answers", "counts", "groups"]))
    if kind == "size":
        covariance = draw(st.sampled_from(["full", "tied", "diag", "spherical"]))
        options = {"reg_covar": draw(st.sampled_from([1e-6, 1.0])), "covariance_type": covariance}
        prior = draw(st.sampled_from([None, NIW]))
        rows = rng.normal(size=(n, d)).round(draw(st.integers(0, 2)))
        return GaussianMixture(prior=prior, **options), rows * draw(st.sampled_from([1.0, 1e6]))
    if kind == "counts":
        prior = draw(st.sampled_from([None, Gamma(2.0, 0.5)]))
        return PoissonMixture(prior=prior), rng.poisson(draw(st.sampled_from([0.2, 50])), (n, d))
    rows = rng.integers(0, 2 + 2 * (kind == "groups"), (n, d)).astype(float)
    rows[rng.random((n, d)) < draw(st.sampled_from([0.0, 0.3]))] = np.nan
    if kind == "answers":
        return BernoulliMixture(prior=draw(st.sampled_from([None, Beta(2.0, 1.5)]))), rows
    return CategoricalMixture(prior=draw(st.sampled_from([None, Dirichlet(1.5)]))), rows


@given(
    parts=st.lists(kinds(), min_size=1, max_size=4),
    k=st.integers(1, 4),
    acceleration=st.sampled_from(["auto", None, "squarem", "anderson"]),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    weight_prior=st.sampled_from([None, Dirichlet(2.5)]),
    weighted=st.booleans(),
)
@settings(max_examples=100)
def test_on_anything(parts, k, acceleration, init, weight_prior, weighted):
    blocks, start = [], 0
    for i, (estimator, rows) in enumerate(parts):
        blocks.append((f"b{i}", estimator, slice(start, start + rows.shape[1])))
        start += rows.shape[1]
    X = np.hstack([rows for _, rows in parts])
    options = {"acceleration": acceleration, "init_params": init, "weight_prior": weight_prior}
    model = mixed(k, blocks, tol=1e-7, max_iter=40, **options)
    w = np.arange(len(X)) % 4 + (np.arange(len(X)) < k) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations are what we ask for
        try:
            fitted = model.fit(X, sample_weight=w)
        except ValueError as error:
            if not any(text in str(error) for text in REFUSALS):
                raise
            return
    assert_never_falls(fitted)
    assert fitted.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert all(np.isfinite(array).all() for array in parameters(fitted).values())
    proba = fitted.predict_proba(X if w is None else X[w > 0])  # others may have new categories
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    rows, labels = fitted.sample(5, random_state=0)
    assert rows.shape == (5, X.shape[1])
    assert labels.max() < k

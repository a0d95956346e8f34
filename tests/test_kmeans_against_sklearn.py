"""The same start leads where scikit-learn's Lloyd leads: labels, centres, inertia, iterations.

Rows are well-behaved: no ties, no cluster runs empty, and float64 centres agree to rounding.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import sklearn.cluster
from scipy import sparse

from mixtures import KMeans, kmeans_plusplus

from .registry import gaussian_rows

THEIRS = sklearn.cluster.KMeans

SHAPES = [(60, 1, 2), (300, 2, 3), (500, 3, 7), (800, 16, 12), (200, 50, 4), (5000, 4, 9)]


def agree(ours, theirs, X, rtol=1e-12):
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.labels_.dtype == theirs.labels_.dtype == np.int32
    assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype == X.dtype
    atol = rtol * float(abs(theirs.cluster_centers_).max())
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=0, atol=atol)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=rtol)
    assert ours.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("algorithm", ["lloyd", "elkan"])
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_same_start_same_end(n, d, k, algorithm):
    X = gaussian_rows(n, d, seed=n + d, k=k)[0]
    options = {"init": X[:k], "algorithm": algorithm}
    ours, theirs = KMeans(k, **options).fit(X), THEIRS(k, **options).fit(X)
    agree(ours, theirs, X)
    Y = gaussian_rows(50, d, seed=1, k=k)[0]
    np.testing.assert_array_equal(ours.predict(Y), theirs.predict(Y))
    np.testing.assert_allclose(ours.transform(Y), theirs.transform(Y), rtol=1e-10)
    assert ours.score(Y) == pytest.approx(theirs.score(Y), rel=1e-12)
    np.testing.assert_array_equal(ours.get_feature_names_out(), theirs.get_feature_names_out())


@pytest.mark.parametrize("max_iter", [1, 2, 3, 300])
@pytest.mark.parametrize("tol", [0.0, 1e-6, 1e-4, 1e-2, 1.0])
def test_same_stop(tol, max_iter):
    X = gaussian_rows(600, 3, seed=5, k=6)[0] @ np.diag([1.0, 10.0, 0.1])
    options = {"init": X[:6], "tol": tol, "max_iter": max_iter}
    agree(KMeans(6, **options).fit(X), THEIRS(6, **options).fit(X), X)


@pytest.mark.parametrize("max_iter", [1, 2, 300])
def test_same_weights(max_iter):
    X = gaussian_rows(400, 3, seed=2, k=5)[0]
    w = np.random.default_rng(0).exponential(size=400)
    # Our variances are weighted, so that weights are repetition; hence no tolerance here.
    options = {"init": X[:5], "tol": 0.0, "max_iter": max_iter}
    ours = KMeans(5, **options).fit(X, sample_weight=w)
    theirs = THEIRS(5, **options).fit(X, sample_weight=w)
    agree(ours, theirs, X)
    assert ours.score(X, sample_weight=w) == pytest.approx(theirs.score(X, sample_weight=w))


def test_same_float32():
    X = gaussian_rows(500, 3, seed=8, k=4)[0].astype(np.float32)
    init = X[:4]
    ours, theirs = KMeans(4, init=init).fit(X), THEIRS(4, init=init).fit(X)
    agree(ours, theirs, X, rtol=2e-6)
    assert ours.transform(X).dtype == theirs.transform(X).dtype == np.float32
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [int, np.int8, bool, np.float16])
def test_other_numbers_become_float64_and_float16_does_too(dtype):
    X = (gaussian_rows(200, 2, seed=1, k=3)[0].round() % 20).astype(dtype)
    init = np.unique(X, axis=0)[:2]
    ours, theirs = KMeans(2, init=init).fit(X), THEIRS(2, init=init).fit(X)
    assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype == np.float64
    assert ours.inertia_ == pytest.approx(theirs.inertia_)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_sparse(make, dtype):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((300, 40)) < 0.2, rng.normal(size=(300, 40)), 0.0).astype(dtype)
    dense[:100, :5] += 4.0
    dense[100:200, 7:9] -= 5.0
    X, init = make(dense), dense[[0, 100, 200]]
    ours, theirs = KMeans(3, init=init).fit(X), THEIRS(3, init=init).fit(X)
    rtol = 1e-12 if dtype == np.float64 else 2e-6
    agree(ours, theirs, dense, rtol)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-4)
    assert ours.transform(X).dtype == dtype


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_random_starts_are_as_good(init):
    """Medians over seeds: another draw, the same distribution."""
    X = gaussian_rows(400, 2, seed=4, k=8)[0]
    runs = {
        kind: [kind(8, init=init, n_init=1, random_state=s).fit(X).inertia_ for s in range(40)]
        for kind in (KMeans, THEIRS)
    }
    assert np.median(runs[KMeans]) < 1.15 * np.median(runs[THEIRS])
    assert np.min(runs[KMeans]) == pytest.approx(np.min(runs[THEIRS]), rel=1e-2)


def parameters(function):
    found = inspect.signature(function).parameters.values()
    return {p.name: (p.default, p.kind) for p in found}


def test_signatures():
    theirs, ours = parameters(THEIRS.__init__), parameters(KMeans.__init__)
    assert theirs.items() <= ours.items()
    assert list(ours)[: len(theirs)] == list(theirs)
    for method in ("fit", "fit_predict", "fit_transform", "predict", "transform", "score"):
        assert list(parameters(getattr(KMeans, method))) == list(
            parameters(getattr(THEIRS, method))
        )
    plusplus = sklearn.cluster.kmeans_plusplus
    assert parameters(kmeans_plusplus) == parameters(plusplus)


def test_tags():
    ours, theirs = KMeans().__sklearn_tags__(), THEIRS().__sklearn_tags__()
    assert ours.estimator_type == theirs.estimator_type == "clusterer"
    assert ours.input_tags == theirs.input_tags
    assert ours.transformer_tags.preserves_dtype == ["float64", "float32"]


def test_all_that_theirs_has_ours_has():
    X = gaussian_rows(50, 2, seed=0)[0]
    theirs = THEIRS(2).fit(X)
    public = {n for n in (*dir(theirs), *vars(theirs)) if not n.startswith("_")}
    ours = KMeans(2).fit(X)
    assert public <= {*dir(ours), *vars(ours)}

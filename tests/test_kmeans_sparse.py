"""k-means of sparse rows is that of the same rows made dense, whatever the format."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from mixtures import KMeans, kmeans_plusplus
from mixtures.core.point_frame import frame_centres, frame_rows

from .test_kmeans import close, naive_inertia, same

FORMATS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "coo_matrix": sparse.coo_matrix,
    "lil_array": sparse.lil_array,
}
INITS = ["k-means++", "random"]


def dense_rows(n=240, d=30, k=4, seed=0):
    """Rows (n, d) of k clusters, three quarters zeros; small multiples of 1/64, no row empty."""
    rng = np.random.default_rng(seed)
    kept = rng.random((k, d))[np.arange(n) % k] * rng.random((n, d)) > 0.35
    X = np.where(kept, (64 * rng.exponential(size=(n, d))).round() / 64, 0.0)
    X[:, 0] += 1.0
    return X


def with_index(X, dtype):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
    return X


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name):
    X = dense_rows()
    Z = FORMATS[name](X)
    fitted = KMeans(4, init=X[:4]).fit(Z)
    dense = KMeans(4, init=X[:4]).fit(X)
    close(dense, fitted)
    np.testing.assert_array_equal(dense.labels_, fitted.labels_)
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(Z))
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(Z))
    np.testing.assert_allclose(fitted.transform(X), fitted.transform(Z), rtol=1e-12)
    assert fitted.score(Z) == -fitted.inertia_ == pytest.approx(fitted.score(X), rel=1e-12)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_numbers_and_indices(dtype, index):
    X = (64 * dense_rows()).astype(dtype)
    Z = with_index(X, index)
    assert Z.indices.dtype == index
    fitted, dense = KMeans(4, random_state=0).fit(Z), KMeans(4, random_state=0).fit(X)
    assert fitted.cluster_centers_.dtype == dense.cluster_centers_.dtype
    rtol = 1e-6 if dtype == np.float32 else 1e-12
    assert fitted.inertia_ == pytest.approx(naive_inertia(X, fitted.cluster_centers_), rel=1e-9)
    assert fitted.transform(Z).dtype == dense.transform(X).dtype
    by_hand = cdist(X, fitted.cluster_centers_)
    np.testing.assert_allclose(fitted.transform(Z), by_hand, rtol=10 * rtol)
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(Z))


def test_entries_in_parts_out_of_order_or_zero_and_nothing_changed():
    X = dense_rows()
    rows, columns = np.nonzero(X)
    values = X[rows, columns]
    at = np.random.default_rng(0).permutation(3 * len(rows))
    parts = np.r_[0.25 * values, 0.75 * values, 0.0 * values][at]
    where = np.tile(rows, 3)[at], np.tile(columns, 3)[at]
    order = np.argsort(where[0], kind="stable")
    indptr = np.r_[0, np.cumsum(np.bincount(where[0], minlength=len(X)))]
    Z = sparse.csr_array((parts[order], where[1][order], indptr), shape=X.shape)
    before = Z.data.copy(), Z.indices.copy(), Z.indptr.copy()
    one, other = KMeans(4, random_state=0).fit(Z), KMeans(4, random_state=0)
    same(other.fit(sparse.csr_array(X)), one)
    np.testing.assert_array_equal(one.predict(Z), one.labels_)
    np.testing.assert_allclose(one.transform(Z), one.transform(X), rtol=1e-12)
    kmeans_plusplus(Z, 3, random_state=0)
    seen = []
    KMeans(4, n_init=1, init=lambda Z, k, random_state: seen.append(Z) or X[:4]).fit(Z)
    assert seen[0].nnz < Z.nnz  # put together before anything is measured
    for left, right in zip(before, (Z.data, Z.indices, Z.indptr), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("init", INITS)
def test_weights(init):
    X = dense_rows()
    w = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
    options = {"n_clusters": 4, "init": init, "n_init": 2, "random_state": 3}
    one = KMeans(**options).fit(sparse.csr_array(X), sample_weight=w)
    repeated = np.repeat(X, w.astype(int), axis=0)[::-1]
    close(one, KMeans(**options).fit(sparse.csr_array(repeated)))
    kept = KMeans(**options).fit(sparse.csr_array(X[w > 0]), sample_weight=w[w > 0])
    np.testing.assert_array_equal(kept.predict(sparse.csr_array(X)), one.labels_)
    np.testing.assert_array_equal(kept.cluster_centers_, one.cluster_centers_)
    assert (
        kept.inertia_ == one.inertia_ == pytest.approx(naive_inertia(X, one.cluster_centers_, w=w))
    )


@pytest.mark.parametrize("init", INITS)
def test_any_number_of_threads(init):
    Z = sparse.csr_array(dense_rows(20_000, 40))
    options = {"init": init, "n_init": 1, "random_state": 0, "max_iter": 4}
    one = KMeans(5, n_threads=1, **options).fit(Z)
    for n_threads in (2, 3):
        same(one, KMeans(5, n_threads=n_threads, **options).fit(Z))


def test_seeds_are_rows():
    X = dense_rows()
    for make in (sparse.csr_array, sparse.csr_matrix, sparse.coo_array):
        centres, indices = kmeans_plusplus(make(X), 5, random_state=1)
        np.testing.assert_array_equal(centres, X[indices])
        assert isinstance(centres, np.ndarray)


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("weighted", [False, True])
def test_frames(weighted, offset):
    """Deviations as NumPy has them, zeros included; only dense rows are centred."""
    X = dense_rows() + offset
    w = np.random.default_rng(0).exponential(size=len(X)) if weighted else None
    mean = np.average(X, axis=0, weights=w)
    expected = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    for rows, centre in ((X, mean), (sparse.csr_array(X), 0.0)):
        frame, deviation, variance = frame_rows(rows, w, 1)
        np.testing.assert_allclose(deviation, expected, rtol=1e-7, atol=1e-15 * offset)
        assert np.ptp(frame.scale) == 0
        assert variance == pytest.approx(((expected * frame.scale) ** 2).mean(), rel=1e-6)
        assert (np.abs(frame.centre - centre) <= expected / 8 + 1e-15 * offset).all()
    frame, furthest = frame_centres(X[:5], X)
    assert np.abs(frame.to_frame(X[:5])).max() <= 1.0
    assert (np.abs(frame.centre - X[:5]) <= 2.0 * np.ptp(X[:5], axis=0)).all()
    assert np.abs(X - frame.centre).max() <= furthest
    assert (frame_centres(X[:5], sparse.csr_array(X))[0].centre == 0).all()


def test_distances_that_cancel():
    """Rows that nearly are centres, far from zero: subtracted, not expanded."""
    X = dense_rows()
    X[:, :3] += 1e6
    Z = sparse.csr_array(X)
    km = KMeans(4, random_state=0).fit(Z)
    by_hand = np.sqrt([[((x - c) ** 2).sum() for c in km.cluster_centers_] for x in X])
    np.testing.assert_allclose(km.transform(Z), by_hand, rtol=1e-12)
    assert km.inertia_ == pytest.approx(naive_inertia(X, km.cluster_centers_), rel=1e-6)
    np.testing.assert_array_equal(KMeans(240, random_state=0).fit(Z).transform(Z).min(axis=1), 0.0)


@pytest.mark.parametrize("power", [-498, 30, 498])
def test_units(power):
    X = dense_rows()
    one = KMeans(4, init=X[:4]).fit(sparse.csr_array(X))
    scaled = sparse.csr_array(np.ldexp(X, power))
    other = KMeans(4, init=np.ldexp(X[:4], power)).fit(scaled)
    np.testing.assert_array_equal(np.ldexp(one.cluster_centers_, power), other.cluster_centers_)
    np.testing.assert_array_equal(one.labels_, other.labels_)
    assert np.ldexp(one.inertia_, 2 * power) == pytest.approx(other.inertia_, rel=1e-14)
    assert np.isfinite(other.transform(scaled)).all()


def test_rows_far_from_the_centres():
    X = dense_rows()
    km = KMeans(4, random_state=0).fit(sparse.csr_array(X))
    for size in (1e12, 1e200):
        far = X * size
        np.testing.assert_array_equal(km.predict(sparse.csr_array(far)), km.predict(far))
        assert np.isfinite(km.transform(sparse.csr_array(far))).all()


def test_empty_rows_and_matrices():
    X = dense_rows()
    X[5:60] = 0.0
    fitted = KMeans(4, init=X[60:64]).fit(sparse.csr_array(X))
    np.testing.assert_array_equal(fitted.labels_, KMeans(4, init=X[60:64]).fit(X).labels_)
    nothing = sparse.csr_array((20, 3))
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(1\)"):
        km = KMeans(2, random_state=0).fit(nothing)
    assert km.inertia_ == 0.0
    np.testing.assert_array_equal(km.cluster_centers_, np.zeros((2, 3)))
    np.testing.assert_array_equal(km.predict(nothing), np.zeros(20))


def test_as_many_distinct_rows_as_clusters():
    Z = sparse.csr_array(np.repeat(dense_rows(9), 3, axis=0))
    km = KMeans(9, random_state=0).fit(Z)
    assert km.inertia_ <= 1e-26
    np.testing.assert_array_equal(km.predict(Z), km.labels_)
    assert len(set(km.labels_.tolist())) == 9


def test_starts_given_to_a_callable_are_sparse():
    X = dense_rows()
    seen = []

    def first_rows(X, n_clusters, random_state):
        seen.append(X)
        return X[:n_clusters].toarray()

    km = KMeans(3, init=first_rows, n_init=1).fit(sparse.csr_array(X))
    assert sparse.issparse(seen[0])
    same(km, KMeans(3, init=X[:3]).fit(sparse.csr_array(X)))


def test_numbers_that_are_not_finite_are_refused():
    X = dense_rows()
    X[3, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        KMeans(2).fit(sparse.csr_array(X))
    with pytest.raises(ValueError, match="variance is a floating-point number"):
        KMeans(2).fit(sparse.csr_array(dense_rows() * 1e200))

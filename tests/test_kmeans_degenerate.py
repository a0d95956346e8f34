"""Rows that break naive k-means: equal, few, huge, tiny, far away. Right answers, never NaN."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from mixtures import KMeans, kmeans_plusplus
from mixtures.core.point_frame import frame_rows

from .registry import gaussian_rows, refused
from .test_kmeans import naive_inertia, same

INITS = ["k-means++", "random"]


def consistent(km, X, w=None):
    """Labels, inertia and score are those of the centres that came back."""
    assert np.isfinite(km.cluster_centers_).all()
    assert np.isfinite([km.inertia_, km.initial_inertia_, *km.inertias_]).all()
    np.testing.assert_array_equal(km.labels_, km.predict(X))
    assert km.inertias_[-1] == km.inertia_ == -km.score(X, sample_weight=w)
    assert (np.diff([km.initial_inertia_, *km.inertias_]) <= 0).all()
    return km


@pytest.mark.parametrize("init", [*INITS, "array"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e8 + 0.1, 1e-38, 3e38])
def test_all_rows_equal(value, dtype, init):
    X = np.full((50, 3), value, dtype)
    start = X[:2] if init == "array" else init
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(1\) found .* n_clusters \(2"):
        km = KMeans(2, init=start, tol=0.0, random_state=0).fit(X)
    consistent(km, X)
    np.testing.assert_array_equal(km.cluster_centers_, X[:2])
    assert km.inertia_ == km.initial_inertia_ == 0.0
    assert (km.labels_ == 0).all()
    assert km.n_iter_ <= 2 and km.converged_
    assert (km.transform(X) == 0.0).all()


@pytest.mark.parametrize("value", [1e300, 1e-300, 5e-324, -1.7e308])
def test_equal_rows_at_the_ends_of_the_range(value):
    X = np.full((5, 2), value)
    km = consistent(KMeans(1).fit(X), X)
    np.testing.assert_array_equal(km.cluster_centers_, X[:1])
    assert km.inertia_ == 0.0


@pytest.mark.parametrize("power", [-1000, -480, 900])
def test_equal_rows_whose_mean_is_rounded(power):
    X = np.ldexp(np.full((7, 2), 0.1), power)
    with np.errstate(under="ignore"):
        km = consistent(KMeans(1).fit(X), X)
    np.testing.assert_array_equal(km.cluster_centers_, X[:1])


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("copies", [1, 7])
@pytest.mark.parametrize("offset", [0.0, 0.1, 1e8])
def test_as_many_distinct_rows_as_clusters(offset, copies, init):
    X = np.repeat(gaussian_rows(9, 2, 0)[0].round(3) + offset, copies, axis=0)
    km = consistent(KMeans(9, init=init, random_state=0).fit(X), X)
    np.testing.assert_allclose(km.cluster_centers_[km.labels_], X, rtol=1e-15, atol=1e-14)
    assert km.inertia_ <= 1e-28 * len(X) * (1.0 + offset) ** 2
    assert len(set(km.labels_.tolist())) == 9


@pytest.mark.parametrize("init", INITS)
def test_fewer_distinct_rows_than_clusters(init):
    X = np.repeat([[0.1, 0.2], [3.3, -1.0], [7.7, 0.0]], [5, 6, 7], axis=0)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(3\)"):
        km = KMeans(5, init=init, n_init=3, tol=0.0, random_state=0).fit(X)
    consistent(km, X)
    np.testing.assert_allclose(km.cluster_centers_[km.labels_], X, rtol=1e-15, atol=1e-14)
    assert km.inertia_ <= 1e-28
    assert km.n_iter_ < 5


def test_one_cluster_is_the_mean():
    X = gaussian_rows(100, 3, 0)[0]
    km = consistent(KMeans(1).fit(X), X)
    np.testing.assert_allclose(km.cluster_centers_[0], X.mean(axis=0), rtol=1e-12)
    assert km.inertia_ == pytest.approx(X.var(axis=0).sum() * 100)
    assert KMeans(1).fit(X[:1]).inertia_ == 0.0


def test_constant_features_stay_as_they_are():
    X = gaussian_rows(100, 4, 0)[0]
    X[:, 1], X[:, 3] = 0.1, 1e9 + 0.3
    km = consistent(KMeans(3, random_state=0).fit(X), X)
    np.testing.assert_array_equal(km.cluster_centers_[:, [1, 3]], X[:3, [1, 3]])
    alone = KMeans(3, init=km.cluster_centers_[:, [0, 2]]).fit(X[:, [0, 2]])
    np.testing.assert_array_equal(km.labels_, alone.labels_)


def test_rows_that_differ_by_rounding_are_told_apart():
    """Three values, neighbours as floats: they are what the data are."""
    value = np.nextafter(1e8, 2e8) - 1e8
    X = (1e8 + value * np.repeat([0.0, 1.0, 5.0], 10))[:, None]
    km = consistent(KMeans(3, random_state=0).fit(X), X)
    np.testing.assert_array_equal(km.cluster_centers_[km.labels_], X)
    assert km.inertia_ == 0.0


# ---- units and offsets --------------------------------------------------------------------------


@pytest.mark.parametrize("power", [-498, -40, 1, 30, 498])
def test_units_by_powers_of_two_change_no_bit(power):
    X = gaussian_rows(150, 3, 1)[0]
    scaled = np.ldexp(X, power)
    one = KMeans(4, init=X[:4]).fit(X)
    other = consistent(KMeans(4, init=scaled[:4]).fit(scaled), scaled)
    np.testing.assert_array_equal(np.ldexp(one.cluster_centers_, power), other.cluster_centers_)
    np.testing.assert_array_equal(np.ldexp(one.transform(X), power), other.transform(scaled))
    assert np.ldexp(one.inertia_, 2 * power) == pytest.approx(other.inertia_, rel=1e-15)
    np.testing.assert_array_equal(one.labels_, other.labels_)
    assert one.n_iter_ == other.n_iter_


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e100, 1e150])
def test_any_scale(scale):
    X = gaussian_rows(150, 3, 1)[0]
    one, other = KMeans(4, random_state=0).fit(X), KMeans(4, init=X[:4] * scale).fit(X * scale)
    consistent(other, X * scale)
    near = KMeans(4, init=X[:4]).fit(X)
    np.testing.assert_array_equal(near.labels_, other.labels_)
    assert other.inertia_ == pytest.approx(near.inertia_ * scale**2, rel=1e-10)
    assert one.n_iter_ >= 1


@pytest.mark.parametrize("offset", [1e4, -1e8, 1e12])
def test_any_offset(offset):
    """Rows on a lattice that the offset keeps: the same partition, and the same inertia."""
    X = (1024.0 * gaussian_rows(300, 3, 2)[0]).round() / 1024.0
    for k in (2, 5):
        near = KMeans(k, init=X[:k]).fit(X)
        far = consistent(KMeans(k, init=X[:k] + offset).fit(X + offset), X + offset)
        np.testing.assert_array_equal(near.labels_, far.labels_)
        assert far.inertia_ == pytest.approx(near.inertia_, rel=1e-6)
        assert far.n_iter_ == near.n_iter_


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
def test_float32_with_an_offset(offset):
    """Labels and inertia are those of the centres as rounded to float32."""
    X = (gaussian_rows(300, 3, 2)[0] + offset).astype(np.float32)
    km = consistent(KMeans(4, random_state=0).fit(X), X)
    assert km.cluster_centers_.dtype == np.float32
    assert km.inertia_ == pytest.approx(naive_inertia(X, km.cluster_centers_), rel=1e-9)
    wide = KMeans(4, random_state=0).fit(X.astype(np.float64))
    assert km.n_iter_ == wide.n_iter_
    assert (km.labels_ == wide.labels_).mean() > 0.99
    ulp = np.spacing(np.float32(abs(X).max()))
    np.testing.assert_allclose(km.cluster_centers_, wide.cluster_centers_, rtol=0, atol=ulp)


def test_features_of_very_different_size():
    X = gaussian_rows(200, 3, 0)[0] * [1e-100, 1.0, 1e100]
    km = consistent(KMeans(3, init=X[:3]).fit(X), X)
    alone = KMeans(3, init=X[:3, 2:]).fit(X[:, 2:])
    np.testing.assert_array_equal(km.labels_, alone.labels_)


# ---- far away -----------------------------------------------------------------------------------


def exact_labels(X, centres):
    """Nearest centres in rational arithmetic."""
    C = [[Fraction(float(c)) for c in centre] for centre in centres]
    found = []
    for row in X:
        x = [Fraction(float(v)) for v in row]
        found.append(
            min(
                range(len(C)), key=lambda k: sum((a - b) ** 2 for a, b in zip(x, C[k], strict=True))
            )
        )
    return np.array(found)


@pytest.mark.parametrize("size", [1e8, 1e17, 1e40, 1e200, 1e307])
def test_rows_far_from_the_centres(size):
    """Where subtracting a centre changes nothing any more, they still belong to the right one."""
    X = gaussian_rows(300, 3, 0, k=5)[0]
    km = KMeans(5, random_state=0).fit(X)
    rng = np.random.default_rng(0)
    far = rng.normal(size=(40, 3)) * size * rng.choice([1e-3, 1.0], size=(40, 1))
    both = np.vstack([X[:20], far])
    labels = km.predict(both)
    np.testing.assert_array_equal(labels, exact_labels(both, km.cluster_centers_))
    np.testing.assert_array_equal(labels[:20], km.labels_[:20])
    np.testing.assert_array_equal(labels, np.concatenate([km.predict(row[None]) for row in both]))
    distances = km.transform(both)
    assert np.isfinite(distances).all()
    np.testing.assert_allclose(distances[:20], km.transform(X[:20]), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_row_far_from_all_others(dtype):
    X = np.vstack([gaussian_rows(200, 2, 0)[0], [[1e12, -1e12]]]).astype(dtype)
    km = consistent(KMeans(2, random_state=0).fit(X), X)
    assert (km.labels_[:-1] != km.labels_[-1]).all()
    rest = X[:-1].astype(float)
    assert km.inertia_ == pytest.approx(naive_inertia(rest, rest.mean(axis=0)[None]), rel=1e-3)


def test_a_row_that_is_larger_by_far_than_any_in_a_sample():
    X = gaussian_rows(1000, 2, 0)[0] * 1e-150
    X[3] = 1e10
    km = consistent(KMeans(2, random_state=0).fit(X), X)
    assert (np.flatnonzero(km.labels_ == km.labels_[3]) == [3]).all()
    np.testing.assert_array_equal(km.cluster_centers_[km.labels_[3]], X[3])
    expected = np.sqrt(999.0) * 1e7
    np.testing.assert_allclose(frame_rows(X, None, 1).deviation, expected, rtol=1e-12)
    tiny = np.zeros((1000, 2))
    tiny[3] = 1e-200
    with refused(ValueError, ["variance is a floating-point number"]):
        KMeans(2, random_state=0).fit(tiny)


@pytest.mark.parametrize("max_iter", [1, 2, 300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("distance", [1e3, 1e30])
def test_a_cluster_that_is_empty_gets_rows(distance, dtype, max_iter):
    """Two of the centres given are nowhere near: all clusters have rows in the end."""
    X = gaussian_rows(200, 2, 0)[0].astype(dtype)
    init = np.vstack([X[:3], [[distance, 0.0], [0.0, distance]]])
    km = consistent(KMeans(5, init=init, max_iter=max_iter).fit(X), X)
    assert len(np.unique(km.labels_)) == 5
    assert km.inertia_ == pytest.approx(naive_inertia(X, km.cluster_centers_), rel=1e-9)
    same(km, KMeans(5, init=init, max_iter=max_iter).fit(X))


def test_ties_go_to_the_first_centre():
    X = np.array([[0.0], [4.0], [2.0]]) + 1e6
    km = KMeans(2, init=X[:2], max_iter=1).fit(X)
    assert km.predict([[1e6 + 2.5]]) == exact_labels([[1e6 + 2.5]], km.cluster_centers_)
    np.testing.assert_array_equal(KMeans(2, init=X[:2]).fit(X).labels_, [0, 1, 0])
    centres = np.array([[0.1], [0.1], [0.7]])
    with pytest.warns(ConvergenceWarning):
        doubled = KMeans(3, init=centres).fit(np.repeat([[0.1], [0.7]], 3, axis=0))
    np.testing.assert_array_equal(doubled.predict([[0.1], [0.7]]), [0, 2])


def test_more_features_than_rows():
    X = gaussian_rows(12, 200, 0)[0]
    consistent(KMeans(3, random_state=0).fit(X), X)


# ---- what has no answer is refused --------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e160, 1e300])
def test_a_variance_that_is_no_number_is_refused(scale):
    X = gaussian_rows(50, 3, 0)[0] * [0.0, 1.0, 0.1] * scale
    expected = ["expects features whose variance is a floating-point number", "feature 1 has"]
    with refused(ValueError, expected):
        KMeans(2, random_state=0).fit(X)
    with refused(ValueError, ["kmeans_plusplus", *expected]):
        kmeans_plusplus(X, 2)


def test_an_inertia_that_is_no_number_is_refused():
    X = gaussian_rows(3000, 3, 0)[0] * 1e152
    with refused(ValueError, ["inertia", "beyond 1.8e308", "Divide X or sample_weight"]):
        KMeans(2, random_state=0).fit(X)
    km = KMeans(2, random_state=0).fit(X * 1e-152)
    with refused(ValueError, ["inertia", "beyond 1.8e308"]):
        km.score(X * 1e48)
    with refused(ValueError, ["inertia"]):
        KMeans(2, random_state=0).fit(X * 1e-100, sample_weight=np.full(3000, 1e250))


def test_a_row_of_hardly_any_weight_does_not_spoil_the_frame():
    X, w = np.random.default_rng(0).normal(size=(2000, 2)), np.ones(2000)
    X[0], w[0] = 1e14, 1e-32
    one = KMeans(8, random_state=0).fit(X, sample_weight=w)
    other = KMeans(8, random_state=0).fit(np.roll(X, 1, axis=0), sample_weight=np.roll(w, 1))
    np.testing.assert_array_equal(other.labels_, np.roll(one.labels_, 1))
    assert other.inertia_ == pytest.approx(one.inertia_, rel=1e-12)

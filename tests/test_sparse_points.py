"""Rows of a CSR matrix are, to k-means, the same rows made dense.

On a lattice of quarters all sums are exact, whatever their order, so everything is compared to the
bit there, ties and all. Elsewhere a few hundred terms are off by less than 1e-12 of their sizes.
"""

from __future__ import annotations

import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import KMeans

from mixtures.core import sparse_points
from mixtures.core.blocks import ArraySource
from mixtures.core.discriminants import Frame
from mixtures.core.lloyd import run_lloyd
from mixtures.core.plusplus import plusplus
from mixtures.core.points import DensePoints
from mixtures.core.sparse_points import SparsePoints, row_blocks


@pytest.fixture(params=["compiled", "plain"])
def twin(request, monkeypatch):
    module = import_module(f"mixtures.core.kernels.sparse.{request.param}")
    monkeypatch.setattr(sparse_points, "load", lambda part: module)


def frame(d, scale=1.0):
    return Frame(np.zeros(d), np.full(d, scale))


def random_rows(n, d, density, dtype=np.float64):
    """Rows (n, d), CSR, of numbers below one."""
    return sparse.random_array((n, d), density=density, format="csr", rng=0).astype(dtype)


def sparse_of(X, w=None, scale=1.0):
    return SparsePoints(X, w, frame=frame(X.shape[1], scale))


def dense_of(X, w=None, scale=1.0):
    return DensePoints(ArraySource(X.toarray(), w, frame=frame(X.shape[1], scale)))


BOTH = sparse_of, dense_of


def everything(points, centres, others):
    """All that points say of centres, after a first and a second assignment."""
    labels = np.full(points.n_rows, -1, np.int32)
    first = points.assign(others, labels)
    start = labels.copy()
    second = points.assign(centres, labels)
    inertia, totals = points.summarise(centres, labels)
    closest = np.full(points.n_rows, np.inf, np.float32)
    prices = points.potentials(others, closest), points.potentials(centres, closest)
    return {
        "start": start, "first": first.totals, "labels": labels, "changed": second.changed,
        "gain": np.array([first.gain, second.gain]), "moved": second.totals, "inertia": inertia,
        "totals": totals, "closest": closest, "prices": np.array(prices),
        "far": points.squared_distances(others, labels),
    }  # fmt: skip


def same(found, expected):
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def alike(found, expected, rtol=1e-12):
    for key, value in expected.items():
        if key in ("start", "labels", "changed"):
            np.testing.assert_array_equal(found[key], value, err_msg=key)
        else:  # prices are made of squared distances to 32 bits
            limit = 2e-7 if key in ("closest", "prices") else rtol
            atol = limit * np.abs(value).max()
            np.testing.assert_allclose(found[key], value, rtol=limit, atol=atol, err_msg=key)


def stored(X, rng, dtype, index, untidy):
    """A CSR matrix of X, read-only, whose entries may be in parts, out of order, or zeros."""
    rows, columns = np.nonzero(np.ones_like(X) if untidy else X)
    values = X[rows, columns]
    if untidy:
        at = rng.permutation(2 * len(rows))
        at = at[np.argsort(np.tile(rows, 2)[at], kind="stable")]
        values = np.r_[values - 1.0, np.ones(len(rows))][at]
        rows, columns = np.tile(rows, 2)[at], np.tile(columns, 2)[at]
    indptr = np.r_[0, np.cumsum(np.bincount(rows, minlength=len(X)))]
    Z = sparse.csr_array(X.shape, dtype=dtype)
    Z.data, Z.indices, Z.indptr = values.astype(dtype), columns.astype(index), indptr.astype(index)
    for array in (Z.data, Z.indices, Z.indptr):
        array.flags.writeable = False
    return Z


@st.composite
def lattices(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(1, 40)), draw(st.sampled_from([1, 2, 3, 7, 20]))
    k, share = draw(st.sampled_from([1, 2, 3, 5, 9, 17, 70])), draw(st.sampled_from([0, 0.3, 1]))
    X = np.where(rng.random((n, d)) < share, rng.integers(-3, 4, (n, d)) / 4.0, 0.0)
    kinds = [rng.integers(-3, 4, (k, d)) / 4.0, X[rng.integers(n, size=k)], np.zeros((k, d))]
    centres, others = (kinds[draw(st.integers(0, 2))] for _ in range(2))
    w = draw(st.sampled_from([None, rng.integers(0, 4, n).astype(float)]))
    dtype, index = draw(st.sampled_from(["f4", "f8"])), draw(st.sampled_from(["i4", "i8"]))
    return X, stored(X, rng, dtype, index, draw(st.booleans())), w, centres, others


@given(lattice=lattices())
def test_sparse_rows_are_dense_rows_to_the_bit(twin, lattice):
    X, Z, w, centres, others = lattice
    ours, theirs = sparse_of(Z, w, 2.0), dense_of(sparse.csr_array(X.astype(Z.dtype)), w, 2.0)
    same(everything(ours, centres, others), everything(theirs, centres, others))
    for indices, salt in ((slice(0, len(X)), 0), (np.arange(len(X))[::-2], 2**64 - 1)):
        np.testing.assert_array_equal(ours.rows(indices), theirs.rows(indices))
        np.testing.assert_array_equal(ours.hashes(indices, salt), theirs.hashes(indices, salt))
    assert (Z.toarray() == X).all()


@pytest.mark.parametrize("k", [2, 9])
def test_seeds_are_those_of_dense_rows(twin, k):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((600, 12)) < 0.3, rng.integers(-3, 4, (600, 12)) / 4.0, 0.0)
    X, w = sparse.csr_array(X), rng.integers(1, 4, 600).astype(float)
    for seed in range(3):
        drawn = [plusplus(make(X, w), k, np.random.RandomState(seed)) for make in BOTH]
        np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape, k, density",
    [((300, 50), 3, 0.1), ((700, 400), 20, 0.05), ((100, 30), 1, 0.3), ((400, 20), 130, 0.5)],
)
def test_sparse_rows_are_dense_rows(twin, dtype, shape, k, density):
    X, rng = random_rows(*shape, density, dtype), np.random.default_rng(1)
    w, centres = rng.random(len(X.indptr) - 1), rng.random((2, k, shape[1])) * density
    alike(*(everything(make(X, w, 4.0), *centres) for make in BOTH))


def test_a_long_row_leaves_no_room_for_the_next(twin):
    """Scratch memory is as long as the longest row, and one zero."""
    X = sparse.lil_array((5, 5000))
    X[0, :], X[1, 7], X[3, 9], X[4, :40] = 1.0, 9.0, 2.0, 0.5
    centres = np.full((3, 5000), [[0.0], [0.1], [0.2]])
    alike(*(everything(make(X.tocsr()), centres, 2 * centres) for make in BOTH))


@pytest.mark.parametrize("offset", [1e3, 1e7])
def test_tight_clusters_far_from_zero(twin, offset):
    """Products with the centres are larger than distances by offset squared."""
    Z = np.random.default_rng(0).normal(size=(300, 6))
    Z[:, :3] += offset
    Z[:, 4] = 0.0
    X, centres, others = sparse.csr_array(Z), Z[:5] + 0.1, Z[[7, 8, 7, 9, 8]]
    alike(*(everything(make(X), centres, others) for make in BOTH), rtol=1e-3 / offset)


def test_no_row_knows_its_neighbours(twin):
    X = random_rows(2000, 60, 0.1)
    order = np.random.default_rng(0).permutation(2000)[:1500]
    centres = X[:20].toarray() * 0.7
    one, other = (everything(sparse_of(Z), centres, centres[::-1]) for Z in (X, X[order]))
    for key in ("start", "labels", "closest", "far"):
        np.testing.assert_array_equal(one[key][order], other[key], err_msg=key)


def test_a_stored_zero_changes_no_bit(twin):
    X = random_rows(400, 30, 0.2)
    centres = X[:6].toarray()
    X.data[::3] = 0.0
    cleared = sparse.csr_array(X.toarray())
    X.data[::6] *= -1.0
    assert cleared.nnz < X.nnz
    same(*(everything(sparse_of(Z), centres, centres[::-1]) for Z in (X, cleared)))


def gaps(Z, centres):
    """Labels, and differences of the distances to the two nearest centres, by the definition."""
    distances = np.linalg.norm(Z[:, None] - centres, axis=2)
    near = np.sort(distances, axis=1)
    return distances.argmin(axis=1).astype(np.int32), near[:, 1] - near[:, 0]


def margins_of(X, centres):
    labels, margins = np.full(X.shape[0], -1, np.int32), np.ones(X.shape[0], np.float32)
    sparse_of(X).assign(centres, labels, margins)
    return labels, margins


# Of the squares of rows, 1e-12 is lost, and taken off: where a distance is zero, 1e-6 of the size.
@pytest.mark.parametrize("k, offset, atol", [(2, 0.0, 2e-6), (12, 0.0, 2e-6), (2, 2.0**19, 0.3)])
def test_margins_are_gaps_and_never_too_large(twin, k, offset, atol):
    Z = random_rows(900, 40, 0.2).toarray()
    Z[:, 0] += offset
    labels, margins = margins_of(sparse.csr_array(Z), Z[:k])
    expected, gap = gaps(Z, Z[:k])
    np.testing.assert_array_equal(labels, expected)
    assert (margins <= gap).all()
    np.testing.assert_allclose(margins, gap, rtol=1e-5, atol=atol)


def test_margins_about_equal_centres_and_about_one(twin):
    X = random_rows(200, 40, 0.2)
    labels, margins = margins_of(X, X[[5, 6, 7, 6]].toarray())
    assert set(labels.tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(margins == 0.0, labels == 1)
    assert np.isinf(margins_of(X, X[:1].toarray())[1]).all()


def test_rows_with_a_margin_left_are_passed_over(twin):
    X, shrinkage = random_rows(600, 30, 0.3), np.linspace(0.05, 0.2, 5)
    Z, one, other = X.toarray(), X[:5].toarray(), 0.9 * X[[4, 3, 2, 1, 0]].toarray()
    labels, margins = margins_of(X, one)
    (old, before), (new, after) = gaps(Z, one), gaps(Z, other)
    left = before - shrinkage[old]
    found = sparse_of(X).assign(other, labels, margins, shrinkage)
    np.testing.assert_array_equal(labels, np.where(left > 0, old, new))
    np.testing.assert_allclose(margins, np.where(left > 0, left, after), rtol=1e-4, atol=2e-6)
    assert 0 < found.changed == (labels != old).sum() < (new != old).sum()


def test_bounds_change_no_result(twin):
    X, runs = random_rows(1500, 80, 0.1), []
    for bounded in (False, True):
        runs.append(run_lloyd(sparse_of(X), X[:12].toarray(), tol=0, max_iter=40, bounded=bounded))
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert runs[0].n_iter > 5


def test_same_bits_for_any_number_of_threads():
    X = random_rows(20_000, 300, 0.1)
    assert len(row_blocks(20_000, X.nnz, 10)) > 3
    centres, w, results = X[:10].toarray(), np.random.default_rng(0).random(20_000), []
    for n_threads in (1, 2, 3):
        with SparsePoints(X, w, frame=frame(300), n_threads=n_threads) as points:
            found = everything(points, centres, 0.5 * centres)
            run = run_lloyd(points, centres, tol=0.0, max_iter=5)
        results.append({**found, **run._asdict()})
    same(results[1], results[0])
    same(results[2], results[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lloyd_and_seeds_against_sklearn(twin, dtype):
    X = random_rows(1200, 100, 0.1, dtype)
    w = np.random.default_rng(2).integers(1, 4, 1200).astype(float)
    points = sparse_of(X, w, 2.0)
    seeds = plusplus(points, 8, np.random.RandomState(0))
    run = run_lloyd(points, points.rows(seeds), tol=0.0, max_iter=100)
    X = X.astype(np.float64)
    km = KMeans(8, init=X[seeds].toarray(), n_init=1, tol=0.0, max_iter=100)
    km.fit(X, sample_weight=w)
    np.testing.assert_array_equal(run.labels, km.labels_)
    np.testing.assert_allclose(run.centres / 2.0, km.cluster_centers_, rtol=1e-12, atol=1e-14)
    assert run.inertia / 4.0 == pytest.approx(km.inertia_, rel=1e-12)
    assert run.trace[-1] == run.inertia and (np.diff(run.trace) <= 0.0).all()


def test_no_dense_copy_is_made(twin):
    X = random_rows(20_000, 2000, 0.002)
    margins_of(X, X[:4].toarray())  # what is compiled and loaded once
    tracemalloc.start()
    try:
        seeds = plusplus(sparse_of(X), 4, np.random.RandomState(0))
        run_lloyd(sparse_of(X), X[seeds].toarray(), tol=0.0, max_iter=2)
        assert tracemalloc.get_traced_memory()[1] < 5e6  # of 320e6
    finally:
        tracemalloc.stop()


def test_what_is_refused():
    X = random_rows(20, 10, 0.3)
    for other in (X.tocsc(), X.toarray()):
        with pytest.raises(ValueError, match=r"in CSR format, got (csc format|ndarray)"):
            SparsePoints(other, frame=frame(10))
    for field, position, value, message in [
        ("indices", 3, 10, "between 0 and 9, but go from 0 to 10"),
        ("indices", 3, -1, "between 0 and 9, but go from -1 to 9"),
        ("indptr", 2, 50, "expected to ascend from 0 to at most 60"),
        ("indptr", -1, 10**6, "the number of stored values, but it goes from 0 to 1000000"),
    ]:
        spoilt = X.copy()
        getattr(spoilt, field)[position] = value
        with pytest.raises(ValueError, match=message):
            sparse_of(spoilt)
    for other in (Frame(np.eye(10)[0], np.ones(10)), Frame(np.zeros(10), 1.0 + np.eye(10)[0])):
        with pytest.raises(ValueError, match="expect a frame centred at zero with one scale"):
            SparsePoints(X, frame=other)
    for d, label in ((10, 3), (9, 0)):
        with pytest.raises((ValueError, IndexError), match=r"between 0|bounds|features|broadcast"):
            sparse_of(X).summarise(X[:3, :d].toarray(), np.full(20, label, np.int32))

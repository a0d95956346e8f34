"""The laws of k-means: a trace that falls, exact weights, labels of the centres that come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mixtures import KMeans, kmeans_plusplus
from mixtures.core.discriminants import Frame
from mixtures.core.point_frame import open_points
from mixtures.datasets import load_faithful
from mixtures.kmeans.seeds import random_rows

from .registry import gaussian_rows

ROUNDING = 1e-12
FITTED = ("cluster_centers_", "labels_", "inertia_", "n_iter_", "inertias_", "initial_inertia_")
INITS = ["k-means++", "random"]


def naive_inertia(X, centres, labels=None, w=None):
    """Straight from the definition, in extended precision."""
    squared = ((X[:, None].astype(np.longdouble) - centres) ** 2).sum(axis=2)
    nearest = squared.min(axis=1) if labels is None else squared[np.arange(len(X)), labels]
    return float(nearest @ (np.ones(len(X)) if w is None else w))


def same(one, other):
    for name in FITTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def close(one, other, rtol=ROUNDING):
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(one.inertias_, other.inertias_, rtol=1e-10)
    scale = float(abs(other.cluster_centers_).max())
    np.testing.assert_allclose(
        one.cluster_centers_, other.cluster_centers_, rtol=0, atol=rtol * scale
    )


CASES = st.fixed_dictionaries(
    {
        "n": st.integers(1, 60),
        "d": st.integers(1, 4),
        "k": st.integers(1, 8),
        "lattice": st.booleans(),  # many ties and duplicates
        "offset": st.sampled_from([0.0, 3.7, 1e4]),
        "weighted": st.booleans(),
        "init": st.sampled_from([*INITS, "rows", "far"]),
        "max_iter": st.sampled_from([1, 2, 5, 300]),
        "tol": st.sampled_from([0.0, 1e-4, 1.0]),
        "dtype": st.sampled_from([np.float64, np.float32]),
        "seed": st.integers(0, 1000),
    }
)


def drawn(case):
    """Rows, weights and a model as a case describes them."""
    rng = np.random.default_rng(case["seed"])
    n, d, k = case["n"], case["d"], min(case["k"], case["n"])
    X = rng.integers(0, 3, (n, d)) if case["lattice"] else rng.normal(size=(n, d))
    X = (X + case["offset"]).astype(case["dtype"])
    w = rng.integers(0, 4, n).astype(float) if case["weighted"] else None
    if w is not None:
        w[:k] += 1.0
    init = {"rows": X[:k], "far": X[:k] + 1e3 * np.arange(k)[:, None]}.get(
        case["init"], case["init"]
    )
    model = KMeans(
        k, init=init, n_init=1, max_iter=case["max_iter"], tol=case["tol"], random_state=0
    )
    return X, w, model


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@settings(max_examples=150)
@given(CASES)
def test_the_trace_never_rises_and_ends_at_the_inertia_of_the_centres(case):
    X, w, km = drawn(case)
    km.fit(X, sample_weight=w)
    trace = np.r_[km.initial_inertia_, km.inertias_]
    assert len(km.inertias_) == km.n_iter_ <= case["max_iter"]
    assert (np.diff(trace) <= 0).all()
    assert km.inertias_[-1] == km.inertia_
    size = float(np.abs(X).max()) ** 2 * len(X)
    tiny = 1e-28 * size
    assert km.inertia_ == pytest.approx(naive_inertia(X, km.cluster_centers_, w=w), 1e-9, tiny)
    np.testing.assert_array_equal(km.labels_, km.predict(X))
    labelled = naive_inertia(X, km.cluster_centers_, km.labels_, w)
    assert labelled == pytest.approx(km.inertia_, 1e-9, tiny)
    assert km.score(X, sample_weight=w) == -km.inertia_
    assert np.isfinite(km.cluster_centers_).all()


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@settings(max_examples=40)
@given(CASES)
def test_each_entry_of_the_trace_is_the_inertia_after_so_many_iterations(case):
    """A run cut short shows where the whole one was."""
    X, w, km = drawn({**case, "max_iter": 6, "dtype": np.float64})
    km.fit(X, sample_weight=w)
    tiny = 1e-24 * float(np.abs(X).max()) ** 2 * len(X)
    for n_iter in range(1, km.n_iter_):
        short = KMeans(**{**km.get_params(), "max_iter": n_iter}).fit(X, sample_weight=w)
        expected = naive_inertia(X, short.cluster_centers_, w=w)
        assert km.inertias_[n_iter - 1] == pytest.approx(expected, 1e-9, tiny)


# ---- weights -----------------------------------------------------------------------------------


def weighted_rows(seed, lattice=False, n=150):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 6, (n, 2)).astype(float) if lattice else gaussian_rows(n, 3, seed, 4)[0]
    return X, rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_integer_weights_are_repeated_rows_in_any_order(seed, lattice, init):
    X, w = weighted_rows(seed, lattice)
    repeated = np.repeat(X, w.astype(int), axis=0)
    options = {"n_clusters": 5, "init": init, "n_init": 3, "random_state": seed}
    one = KMeans(**options).fit(X, sample_weight=w)
    order = np.random.default_rng(seed).permutation(len(repeated))
    for rows in (repeated, repeated[order]):
        other = KMeans(**options).fit(rows)
        close(one, other)
        np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_on_a_lattice_changes_no_bit(seed):
    """Ties abound, sums are exact: the same start, centres and trace."""
    X, w = weighted_rows(seed, lattice=True)
    order = np.random.default_rng(seed).permutation(len(X))
    one = KMeans(6, random_state=seed).fit(X, sample_weight=w)
    other = KMeans(6, random_state=seed).fit(X[order], sample_weight=w[order])
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    np.testing.assert_array_equal(one.labels_[order], other.labels_)
    close(one, other)


def test_starts_that_end_alike_are_not_told_apart_by_rounding():
    """Their inertias differ in the last bits; which is kept, and so the numbering, must not."""
    X = gaussian_rows(200, 3, 0)[0] + 40.0 * np.eye(3)[np.arange(200) % 3] + np.pi
    one = KMeans(3, init="random", random_state=0).fit(X)
    assert len({restart.inertia for restart in one.restarts_}) > 1
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(len(X))
        close(one, KMeans(3, init="random", random_state=0).fit(X[order]))


@pytest.mark.parametrize("init", INITS)
def test_zero_weights_are_removed_rows_to_the_bit(init):
    X, w = weighted_rows(0)
    options = {"n_clusters": 5, "init": init, "random_state": 0}
    one = KMeans(**options).fit(X, sample_weight=w)
    other = KMeans(**options).fit(X[w > 0], sample_weight=w[w > 0])
    assert len(one.labels_) == len(X)
    np.testing.assert_array_equal(one.labels_, other.predict(X))
    one.labels_ = one.labels_[w > 0]
    same(one, other)


def test_a_weightless_outlier_is_labelled_and_not_seen():
    X = np.vstack([gaussian_rows(100, 3, 0)[0], np.full((1, 3), 1e200)])
    w = np.r_[np.ones(100), 0.0]
    one = KMeans(3, random_state=0).fit(X, sample_weight=w)
    other = KMeans(3, random_state=0).fit(X[:-1])
    np.testing.assert_array_equal(one.labels_[:-1], other.labels_)
    assert one.inertia_ == other.inertia_
    assert one.score(X, sample_weight=w) == one.score(X[:-1])


@pytest.mark.parametrize("power", [-1060, -900, -30, 7, 900])
def test_weights_have_no_unit(power):
    X, w = weighted_rows(1)
    one = KMeans(4, random_state=0).fit(X, sample_weight=w)
    other = KMeans(4, random_state=0).fit(X, sample_weight=np.ldexp(w, power))
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    assert other.inertia_ == np.ldexp(one.inertia_, power)
    assert other.restarts_[0].inertia == np.ldexp(one.restarts_[0].inertia, power)


def test_random_draws_rows_one_after_the_other_by_the_weights_of_those_left():
    X = np.repeat(np.arange(4.0), [2, 1, 3, 2])[:, None]  # copies of a row share its weight
    w = np.array([0.5, 0.5, 2.0, 1.0, 1.0, 1.0, 1.0, 3.0])
    mass = np.array([1.0, 2.0, 3.0, 4.0])
    pairs, draws = np.zeros((4, 4)), 1500
    rng = np.random.RandomState(0)
    with open_points(X, w, Frame.identity(1), 1) as points:
        for _ in range(draws):
            a, b = X[random_rows(points, 2, rng), 0].astype(int)
            pairs[a, b] += 1
        assert sorted(X[random_rows(points, 4, rng), 0]) == [0, 1, 2, 3]
        assert set(X[random_rows(points, 6, rng), 0]) == {0, 1, 2, 3}
    expected = draws * mass[:, None] / 10.0 * mass / (10.0 - mass[:, None])
    np.fill_diagonal(expected, 0.0)
    assert (np.abs(pairs - expected) <= 4.5 * np.sqrt(expected)).all()


# ---- the algorithms -----------------------------------------------------------------------------


def test_exact_is_never_worse_and_is_labelled_as_predict_does():
    X = load_faithful().data[:, 1:]
    w = np.random.default_rng(0).integers(0, 4, len(X)).astype(float)
    for k in (1, 2, 5, 9):
        exact = KMeans(k, algorithm="exact").fit(X, sample_weight=w)
        lloyd = KMeans(k, random_state=0, n_init=5, tol=0.0).fit(X, sample_weight=w)
        assert exact.inertia_ <= lloyd.inertia_ * (1.0 + ROUNDING)
        assert exact.inertia_ == pytest.approx(naive_inertia(X, exact.cluster_centers_, w=w))
        np.testing.assert_array_equal(exact.labels_, exact.predict(X))
        assert exact.inertias_ == [exact.inertia_]
        assert exact.converged_ and "best of all partitions" in exact.stop_reason_
        assert (np.diff(exact.cluster_centers_[:, 0]) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_local_search_never_ends_worse(seed):
    X = gaussian_rows(400, 2, seed, k=12)[0]
    options = {"n_clusters": 12, "random_state": seed}
    plain = KMeans(**options).fit(X)
    better = KMeans(**options, local_search=True).fit(X)
    assert better.inertia_ <= plain.inertia_ * (1.0 + ROUNDING)
    assert len(better.inertias_) == better.n_iter_ > plain.n_iter_
    assert (np.diff(better.inertias_) <= 0).all()
    np.testing.assert_array_equal(better.labels_, better.predict(X))
    assert better.inertia_ == pytest.approx(naive_inertia(X, better.cluster_centers_), rel=1e-12)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_bounds_change_no_bit(make):
    X = make(gaussian_rows(3000, 4, 0, k=15)[0])
    options = {"n_clusters": 15, "random_state": 0, "tol": 0.0}
    same(KMeans(**options).fit(X), KMeans(**options, algorithm="elkan").fit(X))


def test_the_best_of_several_starts_is_kept():
    X = gaussian_rows(300, 2, 3, k=9)[0]
    km = KMeans(9, init="random", random_state=0, tol=0.0).fit(X)
    ends = [restart.inertia for restart in km.restarts_]
    assert len(ends) == 10
    assert len({round(end, 6) for end in ends}) > 1
    assert km.inertia_ == pytest.approx(min(ends), rel=1e-11)
    assert km.n_iter_ in {r.n_iter for r in km.restarts_ if r.inertia == min(ends)}


def test_kmeans_plusplus_draws_rows():
    X, w = weighted_rows(0)
    for rows in (X, X.astype(np.float32), (10 * X).astype(int), X.tolist()):
        centres, indices = kmeans_plusplus(rows, 6, sample_weight=w, random_state=3)
        np.testing.assert_array_equal(centres, np.asarray(rows)[indices])
        assert centres.dtype == (np.asarray(rows).dtype)
        assert (w[indices] > 0).all()
        assert len(set(indices.tolist())) == 6
    start = KMeans(6, init=kmeans_plusplus(X, 6, sample_weight=w, random_state=3)[0])
    same(start.fit(X, sample_weight=w), KMeans(6, random_state=3).fit(X, sample_weight=w))
    norms = (X**2).sum(axis=1)
    _, one = kmeans_plusplus(X, 4, random_state=0, n_local_trials=1, x_squared_norms=norms)
    assert len(set(one.tolist())) == 4


def test_kmeans_plusplus_of_weights_is_that_of_repeated_rows():
    X, w = weighted_rows(2)
    repeated = np.repeat(X, w.astype(int), axis=0)[::-1]
    for seed in range(5):
        one, _ = kmeans_plusplus(X, 6, sample_weight=w, random_state=seed)
        other, _ = kmeans_plusplus(repeated, 6, random_state=seed)
        np.testing.assert_array_equal(one, other)


def test_a_callable_start_gets_rows_in_their_own_units():
    X, w = weighted_rows(0)
    X += 100.0
    seen = []

    def first_rows(X, n_clusters, random_state):
        seen.append(X)
        return X[:n_clusters].tolist()

    km = KMeans(5, init=first_rows, n_init=2).fit(X, sample_weight=w)
    np.testing.assert_array_equal(seen[0], X[w > 0])
    assert len(seen) == len(km.restarts_) == 2
    same(km, KMeans(5, init=X[w > 0][:5]).fit(X, sample_weight=w))
    assert len(KMeans(5, init=first_rows).fit(X).restarts_) == 10

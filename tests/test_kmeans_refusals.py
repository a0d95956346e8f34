"""Wrong input to k-means is refused by name: what was expected, what came, what to do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from mixtures import KMeans, kmeans_plusplus

from .registry import gaussian_rows, refused
from .test_refusals import ROWS, WEIGHTS, DaskLike

GOOD = gaussian_rows(30, 2, 0)[0]
ROW_CASES = [name for name, row in ROWS.items() if row[1] and name not in ("sparse", "one row")]
TOO_FEW = "fewer rows than components"


def test_one_row_is_enough():
    assert KMeans(1).fit(GOOD[:1]).inertia_ == 0.0


@pytest.mark.parametrize("case", ROW_CASES)
@pytest.mark.parametrize("fit", [lambda X: KMeans(3).fit(X), lambda X: kmeans_plusplus(X, 3)])
def test_rows_to_fit(fit, case):
    X, error, fragments = ROWS[case]
    if case == TOO_FEW:
        fragments = ["n_samples=2 should be >= n_clusters=3", "Decrease n_clusters"]
    if case == "dask":
        fragments = fragments[:1]
    with refused(error, fragments):
        fit(X)


def test_a_refused_fit_leaves_nothing():
    for X in (ROWS["NaN"][0], GOOD[:2]):
        km = KMeans(3)
        with pytest.raises(ValueError, match=r"NaN|n_samples"):
            km.fit(X)
        assert not hasattr(km, "n_features_in_")
        with pytest.raises(NotFittedError):
            km.predict(GOOD)
        with pytest.raises(NotFittedError):
            km.get_feature_names_out()


@pytest.mark.parametrize("method", ["predict", "transform", "score"])
@pytest.mark.parametrize("case", [name for name in ROW_CASES if name != TOO_FEW])
def test_rows_to_predict(case, method):
    X, error, fragments = ROWS[case]
    km = KMeans(2, random_state=0).fit(GOOD)
    with refused(error, fragments):
        getattr(km, method)(X)
    with pytest.raises(NotFittedError):
        getattr(KMeans(2), method)(GOOD)
    with pytest.raises(ValueError, match=r"X has 3 features, but KMeans is expecting 2 features"):
        getattr(km, method)(np.ones((4, 3)))


def test_sparse_rows_that_are_not_finite():
    X = sparse.csr_array(ROWS["NaN"][0])
    with pytest.raises(ValueError, match="NaN"):
        KMeans(3).fit(X)


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("method", ["fit", "fit_predict", "fit_transform", "score"])
def test_weights(method, case):
    w, fragments = WEIGHTS[case]
    km = KMeans(2, random_state=0).fit(GOOD)
    with refused(ValueError, fragments):
        getattr(km, method)(GOOD, sample_weight=w)
    with refused(ValueError, fragments):
        kmeans_plusplus(GOOD, 2, sample_weight=w)


def test_fewer_weighted_rows_than_clusters():
    w = np.zeros(30)
    w[:2] = 1.0
    expected = ["n_samples=2 should be >= n_clusters=3", "positive weight"]
    for fit in (KMeans(3).fit, lambda X, sample_weight: kmeans_plusplus(X, 3, sample_weight=w)):
        with refused(ValueError, expected):
            fit(GOOD, sample_weight=w)


OPTIONS = {
    "n_clusters": [0, -1, 1.5, "two", None],
    "tol": [-1e-3, "small", None],
    "max_iter": [-1, 0, 1.5],
    "n_init": [0, 2.5, "many", None],
    "init": ["bad", None, 3],
    "algorithm": ["fast", "auto", None],
    "local_search": ["yes", None],
    "copy_x": ["no"],
    "n_threads": [0, -1, 1.5],
    "random_state": ["seed"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    for value in OPTIONS[name]:
        whose = f"'{name}' parameter of KMeans must be"
        with refused(ValueError, [whose, f"Got {value!r} instead"]):
            KMeans(2).set_params(**{name: value}).fit(GOOD)


INIT = {
    "too few": (GOOD[:2], ["initial centers (2, 2)", "number of clusters 3", "shape (3, 2)"]),
    "too wide": (np.ones((3, 5)), ["initial centers (3, 5)", "number of features of the data 2"]),
    "NaN": (GOOD[:3] * np.nan, ["init contains NaN"]),
    "flat": ([1.0, 2.0, 3.0], ["Expected 2D array"]),
    "strings": ([["a", "b"]] * 3, ["could not convert"]),
    "beyond": (
        np.vstack([GOOD[:2], [[1.0, 1e160]]]),
        ["init expects centers", "feature 1 of center 2 is 1e+160", "Use rows of X"],
    ),
}


@pytest.mark.parametrize("case", INIT)
def test_starting_centres(case):
    init, fragments = INIT[case]
    with refused(ValueError, fragments):
        KMeans(3, init=init).fit(GOOD)
    with refused(ValueError, fragments):
        KMeans(3, init=lambda X, n_clusters, random_state: init).fit(GOOD)


def test_starting_centres_and_several_starts():
    message = (
        "Explicit initial center position passed: performing only one init in KMeans instead of "
        "n_init=4."
    )
    with pytest.warns(RuntimeWarning) as caught:
        km = KMeans(2, init=GOOD[:2], n_init=4).fit(GOOD)
    assert [str(w.message) for w in caught] == [message]
    assert caught[0].filename == __file__
    assert len(km.restarts_) == 1
    for n_init in ("auto", 1):
        KMeans(2, init=GOOD[:2].tolist(), n_init=n_init).fit(GOOD)


def test_warnings_point_to_the_caller():
    with pytest.warns(UserWarning, match="distinct clusters") as caught:
        KMeans(2).fit(np.ones((4, 2)))
    assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="elkan.* single cluster") as caught:
        KMeans(1, algorithm="elkan").fit(GOOD)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("X", [GOOD, sparse.csr_array(GOOD), sparse.csr_array(GOOD[:, :1])])
def test_exact_is_for_one_dense_feature(X):
    with refused(ValueError, ["algorithm='exact' expects dense rows of one feature", "'lloyd'"]):
        KMeans(2, algorithm="exact").fit(X)


def test_arguments_of_kmeans_plusplus():
    for name, values in {"n_clusters": [0, 1.5, None], "n_local_trials": [0, "two"]}.items():
        for value in values:
            options = {"n_clusters": 2, name: value}
            with refused(ValueError, [f"{name} to be an int >= 1, got {value!r}"]):
                kmeans_plusplus(GOOD, **options)
    with refused(ValueError, ["length of x_squared_norms", "(3,)", "n_samples 30"]):
        kmeans_plusplus(GOOD, 2, x_squared_norms=np.ones(3))


def test_integers_beyond_double_precision():
    X = 4096 * GOOD.round().astype(np.int64) + 2**61
    with pytest.warns(UserWarning, match="2\\*\\*53"):
        KMeans(2).fit(X)


def test_dask_is_not_computed():
    with refused(TypeError, ["KMeans expects rows in memory", ".compute()"]):
        KMeans(2).fit(DaskLike())


def test_a_callable_cannot_change_the_rows():
    def rude(X, k, random_state):
        X *= 2.0
        return X[:k]

    X = np.random.default_rng(0).normal(size=(30, 2))
    before = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        KMeans(2, init=rude, n_init=1).fit(X)
    np.testing.assert_array_equal(X, before)

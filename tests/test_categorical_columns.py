"""Categories in and out: integers, strings, booleans, data frames, gaps, what is not known."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from mixtures import CategoricalMixture
from mixtures.exceptions import DegenerateDataWarning
from mixtures.priors import Dirichlet

from .draws import category_rows
from .registry import refused, same_bits

COLOURS = np.array(["blue", "green", "red"], dtype=object)


def survey(n=60, seed=0):
    """Codes (n, 3) of two, three and four categories; -1 where missing."""
    codes = category_rows(n, 3, seed)[0].astype(int)
    codes[np.random.default_rng(seed).random(codes.shape) < 0.15] = -1
    return codes


def mixed(codes, missing=None):
    """The same as objects: booleans, strings and numbers."""
    table = np.empty(codes.shape, dtype=object)
    table[:, 0] = [missing if c < 0 else bool(c) for c in codes[:, 0]]
    table[:, 1] = [missing if c < 0 else COLOURS[c] for c in codes[:, 1]]
    table[:, 2] = [missing if c < 0 else 10 * int(c) for c in codes[:, 2]]
    return table


def floats(codes):
    return np.where(codes < 0, np.nan, codes)


def make(k=2, **options):
    return CategoricalMixture(k, random_state=0, **options)


def pandas_frame(codes):
    pd = pytest.importorskip("pandas")
    table = mixed(codes, None)
    return pd.DataFrame(
        {
            "member": pd.array(table[:, 0], dtype="boolean"),
            "colour": pd.Categorical(table[:, 1], categories=[*COLOURS, "violet"]),
            "score": pd.array(table[:, 2], dtype="Int64"),
        }
    )


def strings_frame(codes):
    pd = pytest.importorskip("pandas")
    frame = pandas_frame(codes)
    strings = pd.array(mixed(codes, pd.NA)[:, 1], dtype="string")
    return frame.assign(member=frame["member"].astype(object), colour=strings)


def polars_frame(codes):
    pl = pytest.importorskip("polars")
    table = mixed(codes)
    columns = dict(zip(("member", "colour", "score"), table.T.tolist(), strict=True))
    return pl.DataFrame(columns)


KINDS = {
    "objects": mixed,
    "NaN among objects": lambda codes: mixed(codes, np.nan),
    "a list": lambda codes: mixed(codes).tolist(),
    "pandas": pandas_frame,
    "pandas, other types": strings_frame,
    "polars": polars_frame,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_category(kind):
    codes = survey()
    X = KINDS[kind](codes)
    one, other = make().fit(floats(codes)), make().fit(X)
    same_bits(one, other)
    np.testing.assert_array_equal(one.predict_proba(floats(codes)), other.predict_proba(X))
    assert [v.tolist() for v in other.categories_] == [
        [False, True],
        ["blue", "green", "red"],
        [0, 10, 20, 30],
    ]
    assert other.categories_[0].dtype == bool
    if hasattr(X, "columns"):
        assert list(other.feature_names_in_) == ["member", "colour", "score"]


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.uint64, ">f8", "U3"])
def test_any_type_of_array(dtype):
    X = category_rows(60, 3, 0)[0].astype(int) + 200 * (dtype != np.int8)
    same_bits(make().fit(X.astype(float)), make().fit(X.astype(dtype)))


@given(
    st.lists(st.sampled_from([0, 1, -3, 2**60, 2**60 + 1, 70_000, 5]), min_size=2, max_size=12),
    st.sampled_from([np.int64, object]),
)
def test_codes_are_exact(values, dtype):
    X = np.array(values, dtype=dtype)[:, None]
    fitted = make(1).fit(X)
    expected, counts = np.unique(np.array(values), return_counts=True)
    assert fitted.categories_[0].tolist() == expected.tolist()
    np.testing.assert_allclose(fitted.category_probabilities_[0][0], counts / len(values))


def test_codes_are_exact_up_to_the_largest():
    X = np.array([[2**64 - 1], [2**64 - 3], [2**64 - 1]], np.uint64)
    assert make(1).fit(X).categories_[0].tolist() == [2**64 - 3, 2**64 - 1]


def test_dates_are_categories():
    X = np.array(["2020-01-01", "2021-06-05", "NaT", "2020-01-01"], "datetime64[D]")[:, None]
    fitted = make(1).fit(X)
    np.testing.assert_array_equal(fitted.categories_[0], np.unique(X[[0, 1]]))
    np.testing.assert_allclose(fitted.category_probabilities_[0], [[2 / 3, 1 / 3]])


def test_a_pandas_categorical_keeps_its_order_and_may_be_ordered_by_size():
    pd = pytest.importorskip("pandas")
    sizes = pd.Categorical(
        ["small", "large", "small", "medium", None], ["small", "medium", "large"]
    )
    halves = pd.Categorical([0.5, 1.5, 0.5, 0.5, 1.5])
    fitted = make(1).fit(pd.DataFrame({"size": sizes, "half": halves}))
    assert fitted.categories_[0].tolist() == ["small", "medium", "large"]
    assert fitted.categories_[1].tolist() == [0.5, 1.5]


# ---- what is not known ---------------------------------------------------------------------------


def test_unknown_categories():
    codes = survey()
    strict, lenient = make().fit(mixed(codes)), make(handle_unknown="ignore").fit(mixed(codes))
    row, gap = [[True, "violet", 10]], [[True, None, 10]]
    for method in ("predict", "predict_proba", "score_samples", "score"):
        with refused(
            ValueError,
            ["CategoricalMixture expects known categories, 'blue', 'green', 'red' in feature 1, "
             "but row 0 is 'violet'", "handle_unknown='ignore'"],
        ):  # fmt: skip
            getattr(strict, method)(row)
    np.testing.assert_array_equal(lenient.predict_proba(row), strict.predict_proba(gap))
    assert lenient.score(row) == strict.score(gap)


def test_messages_name_the_feature_and_list_a_few_categories():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"city": [f"city {i:02d}" for i in range(30)]})
    fitted = make(1).fit(X)
    with refused(ValueError, ["'city 09' and 20 more in feature 'city'", "row 1 is 'Rome'"]):
        fitted.predict(pd.DataFrame({"city": ["city 03", "Rome"]}))


def test_declared_categories():
    X = np.array([["b", 1], ["a", 1], ["b", None], ["b", 1]], dtype=object)
    declared = [["b", "a", "c"], np.array([1, "one"], dtype=object)]
    fitted = make(1, categories=declared).fit(X)
    assert [v.tolist() for v in fitted.categories_] == [["b", "a", "c"], [1, "one"]]
    np.testing.assert_allclose(fitted.category_probabilities_[0], [[0.75, 0.25, 0.0]])
    assert fitted.n_parameters() == 2 + 1
    with refused(ValueError, ["expects known categories, 'b' in feature 0, but row 1 is 'a'"]):
        make(1, categories=[["b"], [1]]).fit(X)
    same_bits(
        make(1, categories=[["b"], [1]], handle_unknown="ignore").fit(X),
        make(1).fit(np.where(X == "a", None, X)),
    )


@pytest.mark.parametrize(
    ("categories", "fragments"),
    [
        ([[0, 1]], ["each of the 2 features", "got 1 lists"]),
        ([[0, 1], [0, 0, 1]], ["different values", "feature 1", "[0, 0, 1]"]),
        ([[0, 1], []], ["different values", "feature 1"]),
        ([[0, 1], [0, None]], ["none of them missing", "Missing values need no category"]),
        ([[0, 1], "01"], ["expects a list", "'01'"]),
    ],
)
def test_declarations_that_are_none(categories, fragments):
    with refused(ValueError, fragments):
        make(1, categories=categories).fit([[0, 1], [1, 0]])


def test_folds_agree_on_declared_categories():
    X = np.repeat([[0], [1], [2]], [30, 30, 2], axis=0)
    declared = {"categories": [[0, 1, 2]], "prior": Dirichlet(2.0)}
    scores = cross_val_score(make(1, **declared), X, cv=2)
    assert np.isfinite(scores).all()
    with pytest.raises(ValueError, match="expects known categories"):
        cross_val_score(make(1), X, cv=2, error_score="raise")


def test_a_category_of_weightless_rows_is_not_seen():
    X = np.array([[0], [7], [1], [7]])
    fitted = make(1).fit(X, sample_weight=[1, 1, 0, 1])
    assert fitted.categories_[0].tolist() == [0, 7]
    np.testing.assert_allclose(fitted.category_probabilities_[0], [[1 / 3, 2 / 3]])
    assert fitted.n_parameters() == 1


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_feature_that_is_never_observed(missing):
    X = np.array([[0, missing], [1, missing], [1, 3]], dtype=object)
    with refused(ValueError, ["at least one known value", "feature 1", "all 2 rows", "Drop it"]):
        make(1).fit(X, sample_weight=[1, 1, 0])


@pytest.mark.parametrize(
    ("X", "fragments"),
    [
        ([["a"], [1]], ["one kind", "feature 0 has int and str", "declare their order"]),
        ([[0.0], [np.inf]], ["infinity"]),
        ([["a"], [["b"]]], ["one kind"]),
        ([[1j], [2.0]], ["omplex"]),
    ],
)
def test_values_that_are_no_categories(X, fragments):
    table = np.empty((2, 1), dtype=object)
    table[:, 0] = [row[0] for row in X]
    with refused(ValueError, fragments):
        make(1).fit(table)


def test_measurements_are_doubted():
    X = np.random.default_rng(0).normal(size=(20, 1))
    with pytest.warns(DegenerateDataWarning, match="feature 0 has 20 different numbers in 20 rows"):
        make(1).fit(X)
    stars = make(1).fit(np.repeat([[0.0], [0.5], [1.0], [1.5]], 3, axis=0))  # halves are fine
    assert stars.categories_[0].tolist() == [0.0, 0.5, 1.0, 1.5]


# ---- what comes back -----------------------------------------------------------------------------


def test_samples_are_of_the_categories():
    codes = survey()
    fitted = make().fit(mixed(codes))
    X, labels = fitted.sample(20_000, random_state=0)
    assert X.shape == (20_000, 3)
    assert X.dtype == object
    for j, values in enumerate(fitted.categories_):
        for k, p in enumerate(fitted.category_probabilities_[j]):
            own = X[labels == k, j].tolist()
            shares = [own.count(value) / len(own) for value in values.tolist()]
            np.testing.assert_allclose(shares, p, rtol=0, atol=5 * 0.5 / np.sqrt(len(own)))
    fitted.predict(X)
    numbers = make().fit(codes + 1).sample(5)[0]
    assert numbers.dtype == np.int64


def test_warm_start_and_pickling_keep_names():
    codes = survey()
    X = mixed(codes)
    fitted = make(warm_start=True).fit(X)
    copy = pickle.loads(pickle.dumps(fitted))
    same_bits(fitted, copy)
    np.testing.assert_array_equal(copy.predict_proba(X), fitted.predict_proba(X))
    before = fitted.score(X[:30])
    fitted.fit(X[:30])  # fewer rows, of the same categories
    assert fitted.initial_lower_bound_ == pytest.approx(before, rel=1e-13)
    with pytest.raises(ValueError, match="expects known categories"):
        fitted.fit([[True, "violet", 10]] * 3)
    assert clone(fitted).fit(X).categories_[1].tolist() == COLOURS.tolist()


def test_alignment_needs_the_same_categories():
    codes = survey()
    fitted = make().fit(mixed(codes))
    same_bits(fitted, clone(fitted).fit(mixed(codes)).align_to(fitted))
    with refused(ValueError, ["align_to expects", "green", "same features"]):
        fitted.align_to(make().fit(floats(codes)))


@pytest.mark.parametrize(
    ("given", "fragments"),
    [
        ([[[0.5, 0.5]] * 2], ["'category_probabilities'", "each of the 3 features", "got 1"]),
        ([[[0.5, 0.5]] * 2] * 3, ["'category_probabilities[1]'", "(2, 3)", "(2, 2)"]),
        ([[[0.6, 0.5]] * 2] + 2 * [0], ["'category_probabilities[0]'", "row 0 sums to 1.1"]),
        ([[[1.5, -0.5]] * 2] + 2 * [0], ["'category_probabilities[0]'", "range [0, 1]"]),
    ],
)
def test_starts_that_are_none(given, fragments):
    with refused(ValueError, fragments):
        make(category_probabilities_init=given).fit(floats(survey()))

"""MixedMixture among scikit-learn's estimators: its checks, parameters, searches, data frames."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures import (
    BernoulliMixture,
    CategoricalMixture,
    GaussianMixture,
    MixedMixture,
    PoissonMixture,
)
from mixtures.priors import Beta, Dirichlet
from mixtures.selection import InformationCriterionSearch

from .mixed_cases import all_blocks, mixed, mixed_rows, same_bits
from .test_callbacks import Recorder

COLUMNS = ["height", "mass", "likes", "eats", "sings", "visits", "eggs", "group"]


def halves(first, second, **options):
    """Two blocks, each with half of the columns, however many there are."""
    blocks = [
        ("first", first, slice(None, None, 2)),
        ("second", second, slice(1, None, 2)),
    ]
    return mixed(blocks=blocks, **options)


ESTIMATORS = [
    mixed(2, [("all", GaussianMixture(covariance_type="tied"), slice(None))], n_init=2),
    mixed(2, [("all", CategoricalMixture(handle_unknown="ignore"), slice(None))]),
    halves(
        GaussianMixture(covariance_type="diag"), BernoulliMixture(binarize=0.0, prior=Beta(2, 2))
    ),
    halves(GaussianMixture(), GaussianMixture(covariance_type="spherical"), n_components=2),
    halves(PoissonMixture(), PoissonMixture(), n_components=2, weight_prior=Dirichlet(2.0)),
]


@pytest.mark.filterwarnings("ignore::mixtures.exceptions.DegenerateDataWarning")
@parametrize_with_checks(ESTIMATORS, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def frame(n=200, seed=0):
    """`mixed_rows` as a data frame."""
    pandas = pytest.importorskip("pandas")
    X, _ = mixed_rows(n, seed)
    table = pandas.DataFrame(X, columns=COLUMNS)
    return table.assign(group=table["group"].map({0.0: "a", 1.0: "b"}))


def named_blocks():
    """The blocks of `mixed_cases.all_blocks`, by names of columns."""
    return [(name, block, COLUMNS[own]) for name, block, own in all_blocks()]


WAYS = {
    "names": named_blocks(),
    "slices of names": [
        ("size", GaussianMixture(), slice("height", "mass")),
        ("answers", BernoulliMixture(), slice("likes", "sings")),
        ("counts", PoissonMixture(), slice("visits", "eggs")),
        ("groups", CategoricalMixture(), "group"),
    ],
    "positions": [
        ("size", GaussianMixture(), [0, 1]),
        ("answers", BernoulliMixture(), (2, 3, 4)),
        ("counts", PoissonMixture(), np.array([-3, -2])),
        ("groups", CategoricalMixture(), -1),
    ],
    "masks": [
        ("size", GaussianMixture(), [True, True, *[False] * 6]),
        ("answers", BernoulliMixture(), [j in (2, 3, 4) for j in range(8)]),
        ("counts", PoissonMixture(), slice(5, -1)),
        ("groups", CategoricalMixture(), np.arange(8) == 7),
    ],
    "callables": [
        ("size", GaussianMixture(), lambda X: ["height", "mass"]),
        ("answers", BernoulliMixture(), make_column_selector("likes|eats|sings")),
        ("counts", PoissonMixture(), make_column_selector("visits|eggs")),
        ("groups", CategoricalMixture(), make_column_selector(dtype_exclude="number")),
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_name_columns(way):
    table = frame()
    fitted = mixed(2, WAYS[way]).fit(table)
    same_bits(fitted, mixed(2, WAYS["names"]).fit(table))
    positions = [block.columns.tolist() for block in fitted.blocks_]
    assert positions == [[0, 1], [2, 3, 4], [5, 6], [7]]
    np.testing.assert_array_equal(fitted.feature_names_in_, COLUMNS)
    np.testing.assert_array_equal(fitted.named_blocks_.size.feature_names_in_, COLUMNS[:2])


def test_frames_and_arrays_agree():
    table = frame()
    X = table.to_numpy()  # of objects: the group is a string
    one, other = mixed(2, named_blocks()).fit(table), mixed(2).fit(X)
    same_bits(one, other)
    same_bits(other, mixed(2).fit(X.tolist()))
    np.testing.assert_array_equal(one.predict_proba(table), other.predict_proba(X))
    rows, _ = one.sample(5, random_state=0)
    assert set(rows[:, 7]) <= {"a", "b"}
    np.testing.assert_array_equal(other.predict(rows).shape, 5)


def test_polars():
    polars = pytest.importorskip("polars")
    X, _ = mixed_rows(100, 0)
    table = polars.DataFrame(dict(zip(COLUMNS, X.T, strict=True)))
    same_bits(mixed(2, named_blocks()).fit(table), mixed(2).fit(X))


def test_names_are_checked_and_said_once():
    table = frame().drop(columns="group")
    blocks = named_blocks()[:3]
    fitted = mixed(2, blocks).fit(table)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table[COLUMNS[6::-1]])
    with pytest.warns(UserWarning, match="feature names, but MixedMixture was") as said:
        fitted.predict(table.to_numpy())
    assert len(said) == 1


def test_parameters_of_blocks():
    model = mixed(2)
    assert model.get_params()["size__covariance_type"] == "full"
    assert model.get_params()["answers"] is model.blocks[1][1]
    assert "size__covariance_type" not in model.get_params(deep=False)
    model.set_params(size__covariance_type="diag", tol=1e-5, counts=BernoulliMixture(prior=Beta()))
    assert model.blocks[0][1].covariance_type == "diag"
    assert model.tol == 1e-5
    assert isinstance(model.blocks[2][1], BernoulliMixture)
    model.set_params(blocks=all_blocks()[:1], size__reg_covar=0.1)
    assert [block[0] for block in model.blocks] == ["size"]
    assert model.get_params()["size__reg_covar"] == 0.1
    for strange in ("mass__covariance_type", "size__colour"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            model.set_params(**{strange: 1})


def test_a_fit_changes_no_block():
    X, _ = mixed_rows(100, 0)
    model = mixed(2)
    before = {name: repr(value) for name, value in model.get_params().items()}
    assert model.fit(X) is model
    assert {name: repr(value) for name, value in model.get_params().items()} == before
    assert not any(hasattr(block, "weights_") for _, block, _ in model.blocks)
    for _, fitted, _ in model.blocks_:
        assert fitted.converged_ == model.converged_
        assert fitted.n_components == 2


def test_clone_and_pickle():
    X, _ = mixed_rows(100, 0)
    fitted = mixed(2).fit(X)
    twin = clone(fitted)
    assert not hasattr(twin, "blocks_")
    assert repr(twin) == repr(fitted)
    assert twin.blocks[0][1] is not fitted.blocks[0][1]
    same_bits(fitted, twin.fit(X))
    copy = pickle.loads(pickle.dumps(fitted))
    same_bits(fitted, copy)
    np.testing.assert_array_equal(fitted.predict_proba(X), copy.predict_proba(X))


def test_a_failed_fit_leaves_the_last_one():
    X, _ = mixed_rows(100, 0)
    fitted = mixed(2).fit(X)
    log_density = fitted.score_samples(X)
    X[3, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.fit(X)
    np.testing.assert_array_equal(log_density[4:], fitted.score_samples(X[4:]))


def test_search_over_components_and_covariances():
    """Two round clusters and one answer that tells them apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=300)
    X = np.c_[rng.normal(size=(300, 2)) + 2.5 * labels[:, None], rng.random(300) < labels]
    blocks = [
        ("size", GaussianMixture(), [0, 1]),
        ("answer", BernoulliMixture(prior=Beta(2, 2)), [2]),
    ]
    grid = {"n_components": [1, 2, 3], "size__covariance_type": ["full", "spherical"]}
    search = GridSearchCV(mixed(1, blocks), grid, cv=3).fit(X)
    assert search.best_params_ == {"n_components": 2, "size__covariance_type": "spherical"}
    best = search.best_estimator_.named_blocks_.size
    assert best.covariances_.shape == (2,)
    assert blocks[0][1].covariance_type == "full"


def test_search_by_an_information_criterion():
    X, _ = mixed_rows(400, 2)
    grid = {"n_components": [2, 3, 4], "size__covariance_type": ["full", "spherical"]}
    search = InformationCriterionSearch(mixed(1, n_init=3), grid).fit(X)
    assert search.best_params_ == {"n_components": 3, "size__covariance_type": "full"}


def test_callbacks_are_handed_a_fitted_copy():
    X, _ = mixed_rows(100, 1)
    recorder = Recorder()
    fitted = mixed(2).set_callbacks(recorder).fit(X)
    assert recorder.scores == pytest.approx(fitted.lower_bounds_, rel=1e-10)
    same_bits(fitted, mixed(2).fit(X))


def test_pipeline_and_weights_by_routing():
    X, labels = mixed_rows(200, 0)
    w = (labels > 0).astype(float)
    backwards = FunctionTransformer(lambda X: X[:, ::-1])
    blocks = [("groups", CategoricalMixture(), [0]), ("rest", PoissonMixture(), [1, 2])]
    pipeline = make_pipeline(backwards, mixed(2, blocks, remainder="drop"))
    alone = mixed(2, [("groups", CategoricalMixture(), [7]), ("rest", PoissonMixture(), [6, 5])])
    alone.set_params(remainder="drop").fit(X)
    np.testing.assert_array_equal(pipeline.fit(X).predict(X), alone.predict(X))
    with config_context(enable_metadata_routing=True):
        model = mixed(2).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        nested = make_pipeline(FunctionTransformer(), model).fit(X, sample_weight=w)
    same_bits(nested[-1], mixed(2).fit(X[labels > 0]))


def test_float32_in_float32_out():
    X, _ = mixed_rows(100, 0)
    X = np.nan_to_num(X[:, :5]).astype(np.float32)
    fitted = mixed(2, all_blocks()[:2]).fit(X)
    assert fitted.weights_.dtype == fitted.named_blocks_.size.means_.dtype == np.float32
    assert fitted.predict_proba(X).dtype == fitted.score_samples(X).dtype == np.float32


def test_html_representation():
    html = estimator_html_repr(mixed(2))
    assert "MixedMixture" in html
    assert "n_components" in html


def test_tags_are_those_of_the_blocks():
    assert mixed(2).__sklearn_tags__().input_tags.categorical
    assert mixed(2).__sklearn_tags__().input_tags.positive_only
    assert not mixed(2).__sklearn_tags__().input_tags.allow_nan
    answers = mixed(2, [("answers", BernoulliMixture(), slice(None))])
    assert answers.__sklearn_tags__().input_tags.allow_nan
    assert not answers.__sklearn_tags__().input_tags.categorical
    assert not MixedMixture().__sklearn_tags__().input_tags.allow_nan

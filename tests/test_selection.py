"""Laws of the search: it agrees with a loop written out, and no failure ends or hides in it."""

from __future__ import annotations

import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import sklearn.mixture
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import ParameterGrid
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures import GaussianMixture
from mixtures.exceptions import DegenerateDataWarning
from mixtures.selection import InformationCriterionSearch

GRID = {"n_components": [1, 2, 3], "covariance_type": ["full", "tied", "spherical"]}


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [6.0, 1.0]])
    return centres[rng.integers(2, size=200)] + rng.normal(size=(200, 2))


def mixture(**options: object) -> GaussianMixture:
    return GaussianMixture(random_state=0, **options)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_equals_a_loop_over_the_grid(X: np.ndarray, criterion: str) -> None:
    search = InformationCriterionSearch(mixture(), GRID, criterion=criterion).fit(X)
    values = [getattr(mixture(**params).fit(X), criterion)(X) for params in ParameterGrid(GRID)]
    np.testing.assert_array_equal(search.results_["criterion"], values)
    assert search.best_index_ == np.argmin(values)
    assert search.best_score_ == min(values)
    assert search.results_["rank"][search.best_index_] == 1
    twin = mixture(**search.best_params_).fit(X)
    np.testing.assert_array_equal(search.predict(X), twin.predict(X))
    np.testing.assert_array_equal(search.predict_proba(X), twin.predict_proba(X))
    assert search.score(X) == twin.score(X)


def test_finds_the_truth(X: np.ndarray) -> None:
    assert InformationCriterionSearch(mixture(), GRID).fit(X).best_params_["n_components"] == 2


def test_works_with_any_estimator_that_has_the_method(X: np.ndarray) -> None:
    theirs = sklearn.mixture.GaussianMixture(random_state=0)
    search = InformationCriterionSearch(theirs, GRID, criterion="aic").fit(X)
    assert isinstance(search.best_estimator_, sklearn.mixture.GaussianMixture)
    assert set(search.results_["stop_reason"]) == {"The fit converged."}


def test_a_function_is_a_criterion(X: np.ndarray) -> None:
    def misfit(estimator: GaussianMixture, X: np.ndarray) -> float:
        return -estimator.score(X)

    search = InformationCriterionSearch(mixture(), GRID, criterion=misfit).fit(X)
    assert search.best_score_ == -search.score(X)


def test_integer_weights_choose_as_repeated_rows_do(X: np.ndarray) -> None:
    weights = np.random.default_rng(1).integers(0, 4, size=len(X))
    weighted = InformationCriterionSearch(mixture(), GRID).fit(X, sample_weight=weights)
    repeated = InformationCriterionSearch(mixture(), GRID).fit(np.repeat(X, weights, axis=0))
    assert weighted.best_params_ == repeated.best_params_
    np.testing.assert_allclose(
        weighted.results_["criterion"], repeated.results_["criterion"], rtol=1e-9
    )


@pytest.mark.filterwarnings("ignore::mixtures.exceptions.DegenerateDataWarning")
def test_a_failed_fit_is_a_row_with_its_reason(X: np.ndarray) -> None:
    search = InformationCriterionSearch(mixture(), {"n_components": [1, 2, 3]})
    with pytest.warns(FitFailedWarning, match=r"1 of 3 candidates .* NaN"):
        search.fit(X[:2])
    assert np.isnan(search.results_["criterion"]).tolist() == [False, False, True]
    assert search.results_["stop_reason"][2].startswith("ValueError: ")
    assert search.results_["rank"][2] == 3
    assert search.results_["n_iter"][2] == -1
    assert search.best_params_["n_components"] in (1, 2)


def test_an_infinite_criterion_does_not_win(X: np.ndarray) -> None:
    def criterion(estimator: GaussianMixture, X: np.ndarray) -> float:
        return -np.inf if estimator.n_components == 3 else estimator.bic(X)

    search = InformationCriterionSearch(mixture(), {"n_components": [2, 3]}, criterion=criterion)
    with pytest.warns(FitFailedWarning, match="ranks nothing"):
        search.fit(X)
    assert search.best_params_ == {"n_components": 2}


def test_if_all_fail_the_first_reason_is_quoted_and_nothing_is_fitted(X: np.ndarray) -> None:
    search = InformationCriterionSearch(mixture(), {"n_components": [5, 6]})
    with pytest.raises(ValueError, match="n_samples") as caught:
        search.fit(X[:3])
    (note,) = caught.value.__notes__
    assert note.startswith("2 of 2 candidates of the search failed")
    assert note.endswith("at {'n_components': 5}.")
    with pytest.raises(NotFittedError):
        search.predict(X)


def test_an_interrupt_is_not_a_failure_and_leaves_the_last_search(X: np.ndarray) -> None:
    search = InformationCriterionSearch(mixture(), {"n_components": [1, 2]}).fit(X)
    before = search.best_score_

    def interrupted(estimator: GaussianMixture, X: np.ndarray) -> float:
        raise KeyboardInterrupt

    search.set_params(criterion=interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X[:100])
    assert search.best_score_ == before


def test_a_missing_criterion_is_named(X: np.ndarray) -> None:
    with pytest.raises(AttributeError, match=r"criterion='slope'.*GaussianMixture has none"):
        InformationCriterionSearch(mixture(), GRID, criterion="slope").fit(X)


@pytest.mark.parametrize("criterion", [None, 3])
def test_what_is_no_criterion_is_named(X: np.ndarray, criterion: object) -> None:
    search = InformationCriterionSearch(mixture(), GRID, criterion=criterion)
    with pytest.raises(TypeError, match=rf"criterion={criterion}: .* neither .*pass a function"):
        search.fit(X)


@pytest.mark.parametrize("criterion", ["score", "score_samples"])
def test_a_score_is_refused_since_the_lowest_is_the_worst(X: np.ndarray, criterion: str) -> None:
    search = InformationCriterionSearch(mixture(), GRID, criterion=criterion)
    with pytest.raises(ValueError, match=rf"criterion='{criterion}'.* lower must be better.*'bic'"):
        search.fit(X)


def penalised(estimator: GaussianMixture, X: np.ndarray, price: float) -> float:
    return -2.0 * len(X) * estimator.score(X) + price * estimator.n_components


def test_a_partial_function_is_a_criterion(X: np.ndarray) -> None:
    search = InformationCriterionSearch(mixture(), GRID, criterion=partial(penalised, price=1e6))
    assert clone(search).fit(X).best_params_["n_components"] == 1


def test_methods_are_those_of_the_estimator() -> None:
    search = InformationCriterionSearch(sklearn.mixture.GaussianMixture(), GRID)
    assert hasattr(search, "predict_proba")

    class OnlyFits(sklearn.base.BaseEstimator):
        def bic(self, X: np.ndarray) -> float:
            return 0.0

    assert not hasattr(InformationCriterionSearch(OnlyFits(), GRID), "predict_proba")


def test_the_table_takes_the_best_over_what_it_does_not_show(X: np.ndarray) -> None:
    grid = GRID | {"reg_covar": [1e-6, 0.01]}
    search = InformationCriterionSearch(mixture(), grid).fit(X)
    rows, columns, values = search.table("n_components", "covariance_type")
    assert (rows, columns) == (GRID["n_components"], GRID["covariance_type"])
    assert np.min(values) == search.best_score_
    single = InformationCriterionSearch(mixture(), {"n_components": [1, 2]}).fit(X)
    assert single.table()[1] == [None]


def test_neither_the_estimator_nor_the_grid_is_touched(X: np.ndarray) -> None:
    estimator, grid = mixture(), {"n_components": [1, 2]}
    search = InformationCriterionSearch(estimator, grid).fit(X)
    assert not hasattr(estimator, "weights_")
    assert grid == {"n_components": [1, 2]}
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert not hasattr(clone(search), "best_estimator_")


SEARCH = InformationCriterionSearch(mixture(max_iter=1000), {"n_components": [1, 2]})


@parametrize_with_checks([SEARCH], xfail_strict=True)
def test_scikit_learn_contract(estimator: object, check: object) -> None:
    with warnings.catch_warnings():
        # Checks with very few rows let the larger candidates fail, as they should.
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.simplefilter("ignore", DegenerateDataWarning)  # 15 rows of 30 features
        check(estimator)

"""Wrong input to `DynamicResponsibility` is refused by name: what was expected, what to do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from mixtures import DynamicResponsibility

from .proportions_cases import normals
from .registry import refused
from .test_refusals import WEIGHTS, DaskLike, with_value

GOOD = normals(30, 2, 0)
LOGS = np.log(GOOD)
PREDICTIONS = ("predict", "predict_proba", "score_samples", "score")

SHAPES = {
    "complex": (GOOD + 0j, ValueError, ["Complex data not supported"]),
    "strings": (np.full((30, 2), "one"), ValueError, ["could not convert", "one"]),
    "sparse": (sparse.csr_array(GOOD), TypeError, ["parse", "dense"]),
    "dask": (DaskLike(), TypeError, ["dask DaskLike", ".compute()"]),
    "one-dimensional": (GOOD[:, 0], ValueError, ["Expected 2D array", "reshape"]),
    "three-dimensional": (GOOD[None], ValueError, ["dim 3"]),
    "a scalar": (3.0, ValueError, ["Expected 2D array"]),
    "no rows": (GOOD[:0], ValueError, ["0 sample(s)"]),
    "no components": (GOOD[:, :0], ValueError, ["0 feature(s)"]),
}
DENSITIES = {
    "NaN": (with_value(GOOD, np.nan), ValueError, ["NaN"]),
    "infinity": (with_value(GOOD, np.inf), ValueError, ["inf", "row 3", "component 1"]),
    "minus infinity": (with_value(GOOD, -np.inf), ValueError, ["inf", "input='log_density'"]),
    "negative": (with_value(GOOD, -0.25), ValueError, ["egative", "-0.25", "row 3", "component 1"]),
    "logarithms": (LOGS, ValueError, ["egative", "row 0", "input='log_density'"]),
}
LOG_DENSITIES = {
    "NaN": (with_value(LOGS, np.nan), ValueError, ["NaN"]),
    "infinity": (with_value(LOGS, np.inf), ValueError, ["inf", "row 3", "component 1"]),
}
ROWS = [
    *(("density", name, *row) for name, row in (SHAPES | DENSITIES).items()),
    *(("log_density", name, *row) for name, row in (SHAPES | LOG_DENSITIES).items()),
]
IDS = [f"{kind}-{name}" for kind, name, *_ in ROWS]


def with_column(F, column):
    return np.column_stack([F, np.broadcast_to(column, len(F))])


def good(kind):
    return GOOD if kind == "density" else LOGS


@pytest.mark.parametrize(("kind", "name", "F", "error", "fragments"), ROWS, ids=IDS)
def test_densities_to_fit(kind, name, F, error, fragments):
    model = DynamicResponsibility(input=kind)
    before = dict(vars(model))
    with refused(error, fragments):
        model.fit(F)
    assert vars(model) == before
    with pytest.raises(NotFittedError):
        model.predict(good(kind))


@pytest.mark.parametrize("method", PREDICTIONS)
@pytest.mark.parametrize(("kind", "name", "F", "error", "fragments"), ROWS, ids=IDS)
def test_densities_to_predict(kind, name, F, error, fragments, method):
    model = DynamicResponsibility(input=kind).fit(good(kind))
    with refused(error, fragments):
        getattr(model, method)(F)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_that_no_component_explains(dtype):
    """It would make the likelihood zero whatever the weights: which row, and what to do."""
    F = GOOD.astype(dtype)
    F[[7, 11]] = 0.0
    with refused(ValueError, ["Row 7", "0 under every component", "Drop"]):
        DynamicResponsibility().fit(F)
    A = LOGS.astype(dtype)
    A[7] = -np.inf
    with refused(ValueError, ["Row 7", "-inf under every component", "Drop"]):
        DynamicResponsibility(input="log_density").fit(A)


def test_an_impossible_row_of_no_weight_is_no_row():
    F, w = GOOD.copy(), np.ones(30)
    F[7], w[7] = 0.0, 0.0
    fitted = DynamicResponsibility(tol=1e-10).fit(F, sample_weight=w)
    alone = DynamicResponsibility(tol=1e-10).fit(np.delete(F, 7, axis=0))
    np.testing.assert_allclose(fitted.weights_, alone.weights_, atol=1e-6)


@pytest.mark.parametrize("concentration", [1.0, 2.0])
def test_an_impossible_row_is_never_hidden_by_a_prior(concentration):
    F = GOOD.copy()
    F[29] = 0.0
    with refused(ValueError, ["Row 29"]):
        DynamicResponsibility(concentration=concentration).fit(F)


def test_rows_are_numbered_as_they_were_given():
    """Rows of no weight are left out of the fit, and counted all the same."""
    F, w = GOOD.copy(), np.ones(30)
    F[11], w[[3, 5]] = 0.0, 0.0
    with refused(ValueError, ["Row 11"]):
        DynamicResponsibility().fit(F, sample_weight=w)
    F[11, 0] = np.nan
    with refused(ValueError, ["row 11"]):
        DynamicResponsibility().fit(F, sample_weight=w)


def test_predictions_for_an_impossible_row():
    """A row that only components of no weight explain has density zero, and responsibilities."""
    model = DynamicResponsibility().fit(with_column(GOOD, 1e-9 * GOOD[:, 0]))
    assert model.weights_[2] == 0.0
    F = with_column(GOOD, 1e-9)
    F[3, :2] = 0.0
    assert model.score_samples(F)[3] == -np.inf
    assert np.isfinite(np.delete(model.score_samples(F), 3)).all()
    assert model.score(F) == -np.inf
    np.testing.assert_array_equal(model.predict_proba(F)[3], [0.0, 0.0, 1.0])
    assert model.predict(F)[3] == 2
    F[3] = 0.0  # and one that none explains is a mistake
    for method in PREDICTIONS:
        with refused(ValueError, ["Row 3", "0 under every component"]):
            getattr(model, method)(F)


def test_another_number_of_components():
    model = DynamicResponsibility().fit(GOOD)
    for method in PREDICTIONS:
        with pytest.raises(ValueError, match=r"3 features, but .* is expecting 2 features"):
            getattr(model, method)(np.ones((4, 3)))


@pytest.mark.parametrize("method", ["fit", "score"])
@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(case, method):
    w, fragments = WEIGHTS[case]
    model = DynamicResponsibility().fit(GOOD)
    with refused(ValueError, fragments):
        getattr(model, method)(GOOD, sample_weight=w)


OPTIONS = {
    "input": ["logits", None, 1],
    "solver": ["newton", None],
    "tol": [-1e-3, "small", None],
    "max_iter": [-1, 1.5, "many"],
    "store_orbit": ["yes", None],
    "information": ["full", None],
    "n_threads": [0, -1, 1.5],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    for value in OPTIONS[name]:
        whose = f"'{name}' parameter of DynamicResponsibility must be"
        with refused(ValueError, [whose, f"Got {value!r} instead"]):
            DynamicResponsibility(**{name: value}).fit(GOOD)


STARTS = {
    "too few": ([1.0], ["start", "(2,)", "(1,)"]),
    "a matrix": (np.full((1, 2), 0.5), ["start", "(2,)", "(1, 2)"]),
    "not normalised": ([0.5, 0.6], ["start", "sum", "1.1"]),
    "negative": ([1.25, -0.25], ["start", "-0.25"]),
    "NaN": ([0.5, np.nan], ["start"]),
    "strings": (["a", "b"], ["start"]),
}
CONCENTRATIONS = {
    "below one": (0.5, ["concentration", "0.5", "[1.0, inf)"]),
    "one below one": ([2.0, 0.75], ["concentration", "0.75", "at least 1"]),
    "too many": ([2.0, 2.0, 2.0], ["concentration", "(2,)", "(3,)"]),
    "a matrix": (np.full((1, 2), 2.0), ["concentration", "(2,)", "(1, 2)"]),
    "NaN": (np.nan, ["concentration"]),
    "infinite": ([2.0, np.inf], ["concentration"]),
    "strings": ("strong", ["concentration"]),
}


@pytest.mark.parametrize("case", STARTS)
@pytest.mark.parametrize("solver", ["auto", "em", "squarem", "sqp"])
def test_starts(case, solver):
    start, fragments = STARTS[case]
    with refused(ValueError, fragments):
        DynamicResponsibility(start=start, solver=solver).fit(GOOD)


@pytest.mark.parametrize("case", CONCENTRATIONS)
def test_concentrations(case):
    concentration, fragments = CONCENTRATIONS[case]
    with refused(ValueError, fragments):
        DynamicResponsibility(concentration=concentration).fit(GOOD)


@pytest.mark.parametrize("solver", ["em", "squarem"])
def test_a_start_of_zero_where_the_prior_forbids_it(solver):
    """The objective is -inf there, and from -inf no step can be said to climb."""
    model = DynamicResponsibility(solver=solver, start=[1.0, 0.0], concentration=2.0)
    with refused(ValueError, ["start", "component 1", "concentration"]):
        model.fit(GOOD)


@pytest.mark.parametrize("solver", ["em", "squarem"])
def test_a_start_under_which_a_row_is_impossible(solver):
    """Zeros stay zero: the likelihood is zero for good."""
    F = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    with refused(ValueError, ["start", "ow 2"]):
        DynamicResponsibility(solver=solver, start=[1.0, 0.0]).fit(F)


def test_a_refused_refit_leaves_the_old_fit():
    model = DynamicResponsibility().fit(GOOD)
    before, expected = dict(vars(model)), model.predict_proba(GOOD)
    impossible = GOOD.copy()
    impossible[2] = 0.0
    for F in (impossible, LOGS, np.ones((5, 3)) * np.nan, GOOD[:, 0], np.ones((4, 3)) * -1.0):
        with pytest.raises(ValueError, match=r"."):
            model.fit(F)
        after = dict(vars(model))
        assert after.keys() == before.keys()
        assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(model.predict_proba(GOOD), expected)
    assert model.n_features_in_ == 2


def test_nothing_that_was_given_is_changed():
    F, w = GOOD.copy(), np.ones(30)
    start, concentration = np.array([0.5, 0.5]), np.array([1.0, 2.0])
    for array in (F, w, start, concentration):
        array.setflags(write=False)
    for solver in ("em", "squarem", "sqp", "auto"):
        model = DynamicResponsibility(solver=solver, start=start, concentration=concentration)
        model.fit(F, sample_weight=w)
        assert model.start is start
        assert model.concentration is concentration
    np.testing.assert_array_equal(F, GOOD)


def test_methods_before_a_fit():
    for method in PREDICTIONS:
        with pytest.raises(NotFittedError):
            getattr(DynamicResponsibility(), method)(GOOD)

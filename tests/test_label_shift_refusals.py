"""Wrong input to label shift is refused by name: what was expected, what came, what to do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier

from mixtures.label_shift import PriorShiftClassifier

from .registry import refused
from .test_label_shift import Table, draw, table_classifier

X, Y = draw(60)


def model(inner=None, **options):
    return PriorShiftClassifier(inner or LogisticRegression(), n_threads=1, **options)


FITS = {
    "prior of another shape": (
        model(predict_prior=[0.5, 0.5]), X, Y, ["predict_prior", "shape (3,)", "[0, 1, 2]", "(2,)"]
    ),
    "prior that is negative": (
        model(predict_prior=[1.2, -0.2, 0.0]), X, Y, ["predict_prior", "zero or positive", "-0.2"]
    ),
    "prior that does not sum to one": (
        model(predict_prior=[0.5, 0.5, 0.5]), X, Y, ["predict_prior", "sum to one", "1.5", "Divide"]
    ),
    "prior that is NaN": (
        model(predict_prior=[0.5, 0.5, np.nan]), X, Y, ["predict_prior", "finite", "nan"]
    ),
    "prior of words": (model(predict_prior=["a", "b", "c"]), X, Y, ["predict_prior", "numbers"]),
    "prior by another name": (
        model(predict_prior="test"), X, Y, ["predict_prior", "'uniform'", "'train'", "'test'"]
    ),
    "training shares of another shape": (
        model(train_prior=[1.0]), X, Y, ["train_prior", "(3,)", "(1,)"]
    ),
    "concentrations of another shape": (
        model(concentration=[1.0, 2.0]), X, Y, ["concentration", "(3,)", "(2,)"]
    ),
    "a concentration below one": (
        model(concentration=0.5), X, Y, ["'concentration' parameter", "[1.0, inf)", "0.5"]
    ),
    "a calibration by another name": (
        model(calibration="isotonic"), X, Y, ["'calibration'", "'bcts'", "'ts'", "'isotonic'"]
    ),
    "decisions without a calibration": (
        model(RidgeClassifier(), calibration=None),
        X, Y, ["expects posteriors", "RidgeClassifier()", "decision_function", "'bcts'"],
    ),
    "labels that a frozen classifier does not know": (
        model(FrozenEstimator(LogisticRegression().fit(X[Y < 2], Y[Y < 2]))),
        X, Y, ["y should have labels that the classifier knows", "[0, 1]", "[2]", "Remove"],
    ),
    "a class for each row": (
        model(), X[:4], np.arange(4), ["two rows", "n_samples = 4", "calibration=None"]
    ),
    "a share for a class without rows": (
        model(train_prior=[0.5, 0.5, 0.0], predict_prior=[0.2, 0.2, 0.6], calibration=None),
        X, Y, ["predict_prior should be zero", "[0.6]", "[2]", "density", "train on rows"],
    ),
    "two labels a row": (model(), X, np.stack([Y, Y], axis=1), ["1d array", "(60, 2)"]),
    "numbers for labels": (model(), X, X[:, 0], ["Unknown label type", "continuous"]),
    "NaN for a label": (model(), X, np.where(Y == 1, np.nan, Y), ["Input y contains NaN"]),
    "rows of another number": (model(), X, Y[:-1], ["inconsistent numbers of samples"]),
    "no rows": (model(), X[:0], Y[:0], ["0 sample(s)", "Pass rows"]),
}  # fmt: skip


@pytest.mark.parametrize("case", FITS)
def test_what_is_fitted(case):
    estimator, rows, labels, fragments = FITS[case]
    with refused(ValueError, fragments):
        estimator.fit(rows, labels)
    assert not hasattr(estimator, "classes_")


def test_estimators_that_are_no_classifiers():
    with refused(TypeError, ["predict_proba or decision_function", "LinearRegression()", "Pass"]):
        model(LinearRegression()).fit(X, Y)


WEIGHTS = {
    "negative": (np.r_[-1.0, np.ones(59)], ["sample_weight", "weight 0 is -1"]),
    "all zero": (np.zeros(60), ["non-zero", "Pass None"]),
    "NaN": (np.r_[np.nan, np.ones(59)], ["sample_weight", "weight 0 is nan"]),
    "of another number": (np.ones(7), ["(7,)", "(60,)"]),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(case):
    weight, fragments = WEIGHTS[case]
    with refused(ValueError, fragments):
        model().fit(X, Y, sample_weight=weight)
    fitted = model().fit(X, Y)
    for method in (fitted.estimate_prior, fitted.adapt):
        with refused(ValueError, fragments):
            method(X, sample_weight=weight)


@pytest.mark.parametrize(
    "method",
    [
        "predict",
        "predict_proba",
        "predict_log_proba",
        "log_density_ratio",
        "estimate_prior",
        "adapt",
    ],
)
def test_rows_to_ask_about(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(model(), method)(X)
    fitted = model().fit(X, Y)
    for rows, fragment in (
        (X[:0], "0 sample"),
        (X[:, :1], "1 features, but LogisticRegression is expecting 2"),
        (np.full((2, 2), np.nan), "NaN"),
    ):
        with refused(ValueError, [fragment]):
            getattr(fitted, method)(rows)


def test_a_prior_that_is_set_later():
    fitted = model().fit(X, Y)
    with refused(ValueError, ["predict_prior", "(3,)"]):
        fitted.set_params(predict_prior=[0.1, 0.9]).predict(X)


OUTPUTS = {
    "NaN": ([[0.5, np.nan, 0.5]], ["predict_proba", "nan at row 0", "class number 1"]),
    "negative": ([[1.5, -0.5, 0.0]], ["-0.5 at row 0", "no probability"]),
    "infinite": ([[np.inf, 0.0, 0.0]], ["inf at row 0"]),
    "all zero": ([[0.2, 0.4, 0.4], [0.0, 0.0, 0.0]], ["zero for every class at row 1"]),
    "of other classes": ([[0.5, 0.5]], ["3", "(1, 2)"]),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_what_the_classifier_says(case):
    outputs, fragments = OUTPUTS[case]
    fitted = table_classifier([0.2, 0.3, 0.5])
    assert isinstance(fitted.estimators_[0], Table)
    with refused(ValueError, fragments):
        fitted.predict_proba(np.array(outputs))


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_levels(level):
    found = model().fit(X, Y).estimate_prior(X)
    with refused(ValueError, ["level between 0 and 1", str(level), "0.95"]):
        found.confidence_interval(level)

"""mixsqp's proportions, frozen in tests/oracles (see the README there): same optimum, same weights.

Both sides are certified, so the likelihoods may differ by no more than the larger of two gaps, all
below 1e-10. Weights are compared as far as mixsqp's are right: by ours, which agree with 50 digits
to 1e-12 (test_proportions_scipy.py), that is to 1e-9.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from mixtures import DynamicResponsibility
from mixtures.proportions import log_likelihood, optimality_gap

FILE = Path(__file__).parent / "oracles" / "mixsqp_proportions.json"
RECORDS = json.loads(FILE.read_text(encoding="utf-8"))["problems"]
UNIQUE = [record for record in RECORDS if record["unique"]]
ROUNDING = 1e-13
EM_IS_FAST = {  # the others take EM thousands of iterations to this gap
    "apart",
    "two",
    "classifier",
    "classifier_weighted",
    "log_density",
    "duplicates",
    "more_components_than_rows",
}


def name_of(record):
    return record["name"]


def densities(record):
    """F, or log F, in which the file has null for -inf."""
    F = np.array(record["F"], dtype=float)
    return np.where(np.isnan(F), -np.inf, F)


def fit(record, **options):
    kind = "log_density" if record["log"] else "density"
    model = DynamicResponsibility(input=kind, **{"tol": 1e-12} | options)
    return model.fit(densities(record), sample_weight=record["sample_weight"])


def assert_same_optimum(fitted, record):
    """``l* - l <= gap`` holds for either, so it bounds what one can be above the other."""
    above = fitted.objective_ - record["log_likelihood"]
    slack = ROUNDING * max(1.0, abs(fitted.objective_))
    assert -fitted.gap_ - slack <= above <= np.log1p(record["gap"]) + slack


def test_the_oracle_is_worth_comparing_with():
    assert len(RECORDS) >= 12
    assert max(record["gap"] for record in RECORDS) < 1e-10
    assert any(0.0 in np.ravel(record["F"]) for record in RECORDS)
    assert any(record["log"] for record in RECORDS)
    assert sum(record["sample_weight"] is not None for record in RECORDS) >= 3


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_functions_say_of_its_weights_what_it_says(record):
    weights = np.array(record["weights"])
    how = {"sample_weight": record["sample_weight"], "log": record["log"]}
    gap = optimality_gap(densities(record), weights / weights.sum(), **how)
    assert gap == pytest.approx(np.log1p(record["gap"]), abs=ROUNDING)
    value = log_likelihood(densities(record), weights / weights.sum(), **how)
    assert value == pytest.approx(record["log_likelihood"], rel=ROUNDING)


@pytest.mark.parametrize("solver", ["auto", "sqp"])
@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_same_optimum(record, solver):
    fitted = fit(record, solver=solver)
    assert fitted.gap_ <= 1e-12
    assert_same_optimum(fitted, record)


@pytest.mark.parametrize("solver", ["em", "squarem"])
@pytest.mark.parametrize("record", [r for r in RECORDS if r["name"] in EM_IS_FAST], ids=name_of)
def test_same_optimum_by_em(record, solver):
    fitted = fit(record, solver=solver)
    assert fitted.gap_ <= 1e-12
    assert_same_optimum(fitted, record)


@pytest.mark.parametrize("solver", ["auto", "sqp"])
@pytest.mark.parametrize("record", UNIQUE, ids=name_of)
def test_same_weights(record, solver):
    fitted = fit(record, solver=solver)
    np.testing.assert_allclose(fitted.weights_, record["weights"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(fitted.active_, np.array(record["weights"]) > 0)
    assert fitted.identifiable_


def test_duplicates_are_seen():
    """Six columns, four of them different: how pairs share is free, what they share is not."""
    (record,) = (r for r in RECORDS if r["name"] == "duplicates")
    fitted = fit(record)
    assert not fitted.identifiable_
    own, its = fitted.weights_, np.array(record["weights"])
    for pair in ([0, 5], [1, 4]):
        first, second = densities(record)[:, pair].T
        np.testing.assert_array_equal(first, second)
        assert own[pair].sum() == pytest.approx(its[pair].sum(), abs=1e-9)


@pytest.mark.parametrize("solver", ["em", "squarem"])
@pytest.mark.parametrize("n_iter", [1, 10, 300])
@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_the_gap_reaches_up_to_its_optimum(record, n_iter, solver):
    """Wherever EM is stopped, what mixsqp is above it is within the certificate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = fit(record, solver=solver, tol=0.0, max_iter=n_iter, information=False)
    assert_same_optimum(fitted, record)

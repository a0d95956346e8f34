"""StepMix's latent class models, frozen in tests/oracles (see the README there): same numbers.

House Votes and Zoo with and without missing answers, drawn rows with features of two to five
categories, weights; from the same start the same parameters, iteration by iteration.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mixtures import BernoulliMixture, CategoricalMixture
from mixtures.datasets import load_house_votes

FILE = Path(__file__).parent / "oracles" / "stepmix_discrete.json"
FITS = json.loads(FILE.read_text(encoding="utf-8"))["fits"]
MODELS = {
    "binary": (BernoulliMixture, "probabilities"),
    "categorical": (CategoricalMixture, "category_probabilities"),
}


def label(record):
    return f"{record['name']}-{record['kind']}-{record['n_components']}"


each = pytest.mark.parametrize("record", FITS, ids=label)


def rows(record):
    """The answers as numbers, NaN where missing."""
    return np.array([[np.nan if c == "?" else float(c) for c in row] for row in record["rows"]])


def from_parameters(record, parameters, **options):
    """Our model, started where StepMix was."""
    weights = np.array(parameters["weights"])
    # Rounding takes StepMix's a little above one.
    probabilities = [np.clip(p, 0.0, 1.0) for p in parameters["probabilities"]]
    model, name = MODELS[record["kind"]]
    return model(
        record["n_components"],
        weights_init=weights / weights.sum(),  # StepMix's sum to one within rounding
        acceleration=None,
        **{f"{name}_init": probabilities, "tol": 0.0, **options},
    )


def assert_parameters(fitted, record, expected, atol):
    found = getattr(fitted, f"{MODELS[record['kind']][1]}_")
    np.testing.assert_allclose(fitted.weights_, expected["weights"], rtol=0, atol=atol)
    for ours, theirs in zip(found, expected["probabilities"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def log_likelihood(fitted, record):
    X, weight = rows(record), record["sample_weight"]
    return fitted.score(X, sample_weight=weight) * (len(X) if weight is None else sum(weight))


@each
def test_em_iterations(record):
    for run in record["runs"]:
        fitted = from_parameters(record, record["start"], max_iter=run["n_iter"])
        with pytest.warns(UserWarning, match="did not converge"):
            fitted.fit(rows(record), sample_weight=record["sample_weight"])
        assert_parameters(fitted, record, run, 1e-8)
        assert log_likelihood(fitted, record) == pytest.approx(run["loglik"], rel=1e-10)


@each
def test_fits_at_rest(record):
    rest = record["rest"]
    fitted = from_parameters(record, rest, tol=1e-13)
    fitted.fit(rows(record), sample_weight=record["sample_weight"])
    assert log_likelihood(fitted, record) == pytest.approx(rest["loglik"], rel=1e-10)
    # Where the objective is flat to 1e-12, parameters are determined to its root.
    assert_parameters(fitted, record, rest, 1e-5)
    if "df" in rest:
        assert fitted.n_parameters() == rest["df"]
        assert fitted.bic(rows(record)) == pytest.approx(rest["bic"], rel=1e-10)


@each
def test_the_same_start_leads_to_the_same_rest(record):
    fitted = from_parameters(record, record["start"], tol=1e-14, max_iter=5000)
    fitted.fit(rows(record), sample_weight=record["sample_weight"])
    assert log_likelihood(fitted, record) == pytest.approx(record["rest"]["loglik"], rel=1e-8)


def twin_step(record):
    """One EM iteration written out: weights, and (k, categories) for every feature."""
    X, start = rows(record), record["start"]
    weight = np.ones(len(X)) if record["sample_weight"] is None else record["sample_weight"]
    features = start["probabilities"]
    if record["kind"] == "binary":
        features = [np.column_stack([1 - p, p]) for p in np.transpose(features)]
    joint = np.tile(np.array(start["weights"]), (len(X), 1))
    for column, p in zip(X.T, features, strict=True):
        known = ~np.isnan(column)
        joint[known] *= np.array(p)[:, column[known].astype(int)].T
    resp = joint / joint.sum(axis=1, keepdims=True) * np.array(weight)[:, None]
    new = []
    for column, p in zip(X.T, features, strict=True):
        sums = np.array([resp[column == c].sum(axis=0) for c in range(np.shape(p)[1])]).T
        new.append(sums / sums.sum(axis=1, keepdims=True))
    return resp.sum(axis=0) / np.sum(weight), new


@each
def test_the_oracle_agrees_with_the_twin(record):
    """So that the file is read as it was meant."""
    run = record["runs"][0]
    assert run["n_iter"] == 1
    weights, features = twin_step(record)
    np.testing.assert_allclose(weights, run["weights"], rtol=1e-12)
    expected = run["probabilities"]
    if record["kind"] == "binary":
        features, expected = np.transpose([p[:, 1] for p in features]), np.array(expected)
    for ours, theirs in zip(features, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


def test_the_rows_are_those_of_the_data_set():
    record = next(r for r in FITS if r["name"] == "house votes")
    np.testing.assert_array_equal(rows(record), load_house_votes().data)

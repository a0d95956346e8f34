"""flexmix's Poisson mixtures, frozen in tests/oracles (see the README there): same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mixtures import PoissonMixture

FILE = Path(__file__).parent / "oracles" / "flexmix_counts.json"
RECORD = json.loads(FILE.read_text(encoding="utf-8"))
X = np.array(RECORD["X"])
WEIGHTS = {"runs": None, "weighted_runs": np.array(RECORD["sample_weight"])}


@pytest.mark.parametrize("key", WEIGHTS)
def test_em_iterations(key):
    """Past flexmix's first M-step, by a warm start from its result."""
    weight, (first, *runs) = WEIGHTS[key], RECORD[key]
    assert first["m_steps"] == 1
    for run in runs:
        done = run["m_steps"] - 1
        fitted = PoissonMixture(3, tol=0.0, max_iter=0, acceleration=None, warm_start=True)
        fitted.fit(X).set_params(max_iter=done)
        fitted.weights_ = np.average(RECORD["responsibilities"], axis=0, weights=weight)
        fitted.rates_ = np.array(first["rates"])
        with pytest.warns(UserWarning, match="did not converge"):
            fitted.fit(X, sample_weight=weight)
        np.testing.assert_allclose(fitted.rates_, run["rates"], rtol=1e-9)
        total = len(X) if weight is None else weight.sum()
        log_likelihood = fitted.score(X, sample_weight=weight) * total
        assert log_likelihood == pytest.approx(run["loglik"], rel=1e-11)
        ahead = np.average(fitted.predict_proba(X), axis=0, weights=weight)
        np.testing.assert_allclose(ahead, run["weights"], rtol=1e-9)

"""Corners of `DynamicResponsibility` in which something was wrong once."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import DynamicResponsibility, PriorShiftClassifier
from mixtures.core.proportions import solver
from mixtures.core.proportions.ascent import gap_of
from mixtures.core.proportions.densities import from_densities
from mixtures.core.proportions.source import DensitySource
from mixtures.proportions import optimality_gap


def test_nothing_is_certified_from_what_is_no_number():
    assert gap_of(np.array([0.5, np.nan])) == np.inf
    assert gap_of(np.array([np.inf, 1.0])) == np.inf
    with pytest.raises(ValueError, match="zero or at least"):
        DynamicResponsibility(start=[1e-310, 1.0]).fit(np.eye(2))


@pytest.mark.parametrize("solver_name", ["auto", "sqp"])
def test_a_tiny_start_does_no_harm(solver_name):
    F = np.array([[1.0, 0], [0, 1.0], [0, 1.0]])
    m = DynamicResponsibility(start=[1e-150, 1 - 1e-150], solver=solver_name).fit(F)
    np.testing.assert_allclose(m.weights_, [1 / 3, 2 / 3], atol=1e-6)


def test_a_density_is_not_lost_beside_one_of_no_weight():
    m = DynamicResponsibility(input="log_density").fit([[0.0, -50.0], [0.0, -50.0]])
    np.testing.assert_array_equal(m.weights_, [1.0, 0.0])
    far = [[-1000.0, 0.0]]
    assert m.score_samples(far) == -1000.0
    assert m.score(far) == -1000.0
    np.testing.assert_array_equal(m.predict_proba(far), [[1.0, 0.0]])
    only = m.predict_proba([[-np.inf, -3.0]])
    np.testing.assert_array_equal(only, [[0.0, 1.0]])
    assert m.score_samples([[-np.inf, -3.0]]) == -np.inf


@pytest.mark.parametrize("concentration", [1.001, [1.0, 1.0, 1.00001, 800.0, 1.0]])
@pytest.mark.parametrize("solver_name", ["auto", "em", "squarem"])
@pytest.mark.parametrize("tol", [5.0, 1e-2, 1e-4, 1e-8])
def test_information_never_costs_a_fit(concentration, solver_name, tol):
    F = np.random.default_rng(0).exponential(size=(12, 5))
    m = DynamicResponsibility(
        concentration=concentration, solver=solver_name, tol=tol, max_iter=5000
    ).fit(F)
    assert m.gap_ <= tol
    assert 0.0 <= m.lambda_min_ <= 1.0
    assert 0.0 <= m.rate_ <= 1.0
    assert not np.isnan(m.standard_errors_).any()


def test_equal_columns_do_not_change_the_rate():
    F = np.random.default_rng(0).exponential(size=(60, 3))
    one, two = (DynamicResponsibility().fit(G) for G in (F, F[:, [0, 1, 1, 2]]))
    assert two.rate_ == pytest.approx(one.rate_, abs=1e-6)
    assert two.lambda_min_ == pytest.approx(0.0, abs=1e-12)
    assert not two.identifiable_


@pytest.mark.parametrize("heavy", [1e300, 1e20])
def test_weights_of_any_size(heavy):
    F = np.random.default_rng(0).exponential(size=(20_000, 5))
    w = np.full(20_000, 1e-300)
    w[0] = heavy
    m = DynamicResponsibility().fit(F, sample_weight=w)
    assert m.weights_.argmax() == F[0].argmax()


def test_many_active_components_are_found_at_the_default_settings():
    G = np.random.default_rng(0).dirichlet(np.full(400, 0.01), size=1500) + 1e-9
    m = DynamicResponsibility().fit(G)
    assert m.converged_
    assert m.active_.sum() > 150


def separate(n, K, spread, seed=0):
    """Rows of K classes, of which a good classifier has given the posteriors."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, K))
    logits[np.arange(n), rng.integers(K, size=n)] += spread
    return np.exp(spread * logits)


def test_em_does_what_it_does_best(monkeypatch):
    """Components that explain rows of their own are left to accelerated EM, and not to Newton."""
    F = separate(3000, 40, 4.0)
    with DensitySource(from_densities(F)) as source:
        assert solver._apart(source)
        monkeypatch.setattr(solver, "_Ascent", None)
        found = solver.maximise(source, np.full(40, 1 / 40), 1e-8, 100, False, True)
    assert found.gap <= 1e-8
    grid = np.exp(-0.5 * (np.linspace(-3, 3, 2000)[:, None] - np.linspace(-3, 3, 40)) ** 2)
    with DensitySource(from_densities(grid)) as source:
        assert not solver._apart(source)


@pytest.mark.parametrize("max_iter", [5, 30, 110, 400])
def test_the_path_goes_on_where_em_gives_up(max_iter):
    """Blocks of near-duplicates: EM separates the blocks at once, and their halves hardly."""
    rng = np.random.default_rng(0)
    F = np.repeat(separate(2000, 20, 4.0), 2, axis=1)
    F *= 1.0 + 0.02 * rng.random(F.shape)
    fit = DynamicResponsibility(max_iter=max_iter, store_orbit=True).fit
    if max_iter < 100:
        with pytest.warns(match="stopped after"):
            m = fit(F)
    else:
        m = fit(F)
    assert m.n_iter_ <= max_iter
    assert len(m.objective_path_) == len(m.orbit_) == m.n_iter_ + 1
    np.testing.assert_array_equal(m.orbit_[0], np.full(40, 1 / 40))
    assert (np.diff(m.objective_path_) >= -1e-13).all()
    assert m.gap_ == pytest.approx(optimality_gap(F, m.weights_), abs=1e-11)


def test_a_part_of_the_rows_is_not_a_comb():
    """Runs are taken from places of their own: no period in the rows may meet that of a step."""
    F = np.ones((16_384, 2))
    with DensitySource(from_densities(F), np.arange(16_384.0)) as source:
        starts = source.every(16).sample_weight[::8]
    assert len(np.unique(starts % 128)) > 8


def test_the_covariance_of_an_ensemble_belongs_to_its_standard_errors():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=400)
    X = rng.normal(size=(400, 2)) + 2.0 * np.array([[0, 0], [1, 0], [0, 1]])[y]
    from sklearn.linear_model import LogisticRegression

    estimate = PriorShiftClassifier(LogisticRegression(), ensemble=True).fit(X, y).estimate_prior(X)
    np.testing.assert_allclose(np.diagonal(estimate.covariance), estimate.standard_errors**2)
    with pytest.raises(ValueError, match="at least 1 for every class"):
        PriorShiftClassifier(LogisticRegression(), concentration=[0.5, 1, 1]).fit(X, y)

"""Components that collapse: guarded starts, an honest error, empty components, a warning."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import GaussianMixture, PoissonMixture
from mixtures.core.em import EMResult, StopReason
from mixtures.core.family import DegenerateComponentError
from mixtures.core.restarts import AllRestartsFailed, best_of
from mixtures.exceptions import DegenerateDataWarning
from mixtures.priors import NormalInverseWishart

from .registry import COVARIANCES, GAUSSIANS, gaussian_rows, names, refused

# A component of its own for the last two rows, which are equal: its likelihood is unbounded.
PAIR = np.vstack([gaussian_rows(60, 2, 0)[0], [[90.0, 90.0], [90.0, 90.0]]])
PRECISIONS = {"full": [np.eye(2)] * 2, "diag": np.ones((2, 2)), "spherical": np.ones(2)}
SCIKIT_LEARNS_TEXT = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)


@pytest.mark.parametrize("n_init", [1, 3])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_without_a_ridge_a_collapse_is_an_error(covariance_type, n_init):
    model = GaussianMixture(
        2,
        covariance_type=covariance_type,
        reg_covar=0.0,
        n_init=n_init,
        means_init=[[0.0, 0.0], [90.0, 90.0]],  # or a lucky start would spare it
        precisions_init=PRECISIONS[covariance_type],
        random_state=0,
    )
    tried = "all 3 starts" if n_init == 3 else "the start"
    with refused(ValueError, [SCIKIT_LEARNS_TEXT, "(component ", tried]):
        model.fit(PAIR)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_float32_is_named_in_the_error(covariance_type):
    model = GaussianMixture(2, covariance_type=covariance_type, reg_covar=0.0, random_state=0)
    with pytest.raises(ValueError, match="fitting float64 data may help"):
        model.fit(PAIR.astype(np.float32))


def test_one_good_start_is_enough():
    """Four starts, some of which put a component on the pair of equal rows."""
    for seed in range(20):
        model = GaussianMixture(
            2,
            reg_covar=0.0,
            n_init=4,
            init_params="random_from_data",
            random_state=seed,
            max_iter=500,
        )
        X = np.vstack([gaussian_rows(40, 2, 3, k=2)[0], [[30.0, 30.0]] * 4])
        try:
            model.fit(X)
        except ValueError:
            continue
        objectives = np.array([restart.objective for restart in model.restarts_])
        if np.isnan(objectives).any():
            break
    else:
        pytest.fail("no seed had good and bad starts")
    assert len(model.restarts_) == 4
    assert model.lower_bound_ == np.nanmax(objectives)
    for restart in model.restarts_:
        if np.isnan(restart.objective):
            assert "A component collapsed" in restart.reason
            assert restart.n_iter == 0
        else:
            assert restart.n_iter > 0
        assert restart.seconds > 0


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_ridge_or_a_prior_keeps_it_alive(covariance_type):
    options = {"covariance_type": covariance_type, "random_state": 0}
    with pytest.warns(DegenerateDataWarning, match=r"Components \[\d\] have no variance"):
        ridge = GaussianMixture(2, **options).fit(PAIR)
    prior = GaussianMixture(2, prior=NormalInverseWishart(), **options).fit(PAIR)
    for fitted in (ridge, prior):
        assert sorted(np.bincount(fitted.predict(PAIR))) == [2, 60]
    assert prior.score(PAIR) < ridge.score(PAIR)


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_an_empty_component_keeps_its_parameters(covariance_type):
    """scikit-learn moves it to the origin, whatever the data (its weight is then 1e-18)."""
    X = gaussian_rows(80, 2, 1)[0]
    lost = np.array([1e4, -1e4])
    precisions = {
        "full": np.array([np.eye(2)] * 3),
        "tied": np.eye(2),
        "diag": np.ones((3, 2)),
        "spherical": np.ones(3),
    }[covariance_type]
    model = GaussianMixture(
        3,
        covariance_type=covariance_type,
        means_init=np.vstack([X[:2], lost]),
        precisions_init=precisions,
        weights_init=[0.4, 0.4, 0.2],
        random_state=0,
    ).fit(X)
    np.testing.assert_allclose(model.means_[2], lost, rtol=1e-13)
    if covariance_type != "tied":
        dense = (
            np.broadcast_to(np.asarray(model.covariances_[2]), (2,))
            if (covariance_type == "spherical")
            else model.covariances_[2]
        )
        np.testing.assert_allclose(dense, np.eye(2) if dense.ndim == 2 else np.ones(2), rtol=1e-9)
    assert model.weights_[2] == pytest.approx(0.0, abs=1e-15)
    assert not (model.predict(X) == 2).any()
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.lower_bounds_).all()


def test_an_empty_poisson_component():
    """Two distinct rows, three components: rates stay inside the data."""
    X = np.repeat([[0.0, 1.0], [50.0, 60.0]], 20, axis=0)
    model = PoissonMixture(3, random_state=0).fit(X)
    assert model.rates_.min() >= 0
    assert model.rates_.max() <= 60 + 1e-9
    assert np.isfinite(model.lower_bound_)


def test_rates_of_zero_forbid_events():
    X = np.repeat([[0.0, 4.0], [7.0, 0.0]], 10, axis=0)
    model = PoissonMixture(2, random_state=0, component_order="means").fit(X)
    np.testing.assert_allclose(model.rates_, [[0.0, 4.0], [7.0, 0.0]], atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), np.repeat([0, 1], 10))
    assert np.isfinite(model.score(X))
    assert np.isfinite(model.predict_proba([[3.0, 3.0]])).all()


# ---- the guard itself ------------------------------------------------------------------------


def run(objective):
    def go():
        if objective is None:
            raise DegenerateComponentError(1, "it collapsed")
        return EMResult(None, objective, [objective], 1, StopReason.CONVERGED)

    return go


def test_best_of_keeps_the_best_and_tells_of_all():
    best, table = best_of([run(1.0), run(None), run(3.0), run(2.0)])
    assert best.objective == 3.0
    assert [row.objective for row in table if row.n_iter] == [1.0, 3.0, 2.0]
    assert np.isnan(table[1].objective)
    assert "component 1: it collapsed" in table[1].reason


def test_best_of_fails_only_if_all_do():
    with pytest.raises(AllRestartsFailed, match=r"all 2 starts failed: .*component 1"):
        best_of([run(None), run(None)])


@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_n_is_k(model):
    """A component for each row: the likelihood grows without bound, and the fit says so."""
    X = model.rows(4, 2, seed=3)
    with pytest.warns(DegenerateDataWarning):
        fitted = model.make(4).fit(X)
    assert np.isfinite(fitted.lower_bound_)
    assert sorted(fitted.predict(X)) == [0, 1, 2, 3]


@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_no_warning_without_a_reason(model):
    for seed in range(5):
        for reg_covar in (0.0, 1e-6):
            model.make(2, reg_covar=reg_covar).fit(model.rows(100, 3, seed=seed))

"""The M-step maximises Q, and a fixed point of EM maximises the objective: by differences.

Q is computed through `naive.py` at fixed responsibilities, so the library's own objective is not
its judge. Central differences with step h = 1e-4 in unconstrained coordinates have an error of
h^2 times a third derivative plus eps |Q| / h: 1e-8 + 1e-16 * 1e3 / 1e-4 = 1e-8 of Q's curvature,
which is about n = 80; a gradient of 1e-4 is a step off by 1e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from mixtures import GaussianMixture
from mixtures.priors import Beta, Dirichlet, Gamma, NormalInverseWishart

from . import naive
from .registry import CONFIGURATIONS, COVARIANCES, LOW_RANKS, gaussian_rows, names, problem

H, FLAT = 1e-4, 1e-4
N, D, K = 80, 2, 2
PSI, CENTRE, DOF = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([1.0, -1.0]), 5.5


def gradient(f, x):
    steps = H * np.eye(len(x))
    return np.array([(f(x + s) - f(x - s)) / (2 * H) for s in steps])


def log_prior(options, params, covariance_type=None):
    total = 0.0
    if "weight_prior" in options:
        total += log_dirichlet(options["weight_prior"], params.weights)
    prior = options.get("prior")
    if isinstance(prior, NormalInverseWishart):
        twin = naive.NIW(CENTRE, prior.mean_precision, DOF, PSI)
        total += naive.log_niw(params.means, params.covariances, covariance_type, twin)
    elif prior is not None:
        total += DENSITIES[type(prior)](prior, params[1])
    return total


def log_dirichlet(prior, probabilities):
    """Its own formula: scipy's density insists on weights that sum to one exactly."""
    return float((prior.concentration - 1.0) * np.log(probabilities).sum())


DENSITIES = {
    Gamma: lambda prior, rates: stats.gamma(prior.shape, scale=1 / prior.rate).logpdf(rates).sum(),
    Beta: lambda prior, p: stats.beta(prior.a, prior.b).logpdf(p).sum(),
    Dirichlet: log_dirichlet,
}


def options_of(model, prior):
    options = dict(model.priors[prior])
    if isinstance(options.get("prior"), NormalInverseWishart):
        c = options["prior"].mean_precision
        options["prior"] = NormalInverseWishart(CENTRE, c, DOF, PSI)
    return options


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_m_step_is_stationary_for_q(model, prior):
    if model.options.get("covariance_type") in LOW_RANKS:
        pytest.skip("takes the factors for missing too: tests/test_low_rank.py has their Q")
    options = options_of(model, prior)
    estimator = model.make(K, **options, **model.exact)
    kind = model.options.get("covariance_type")
    X = model.rows(N, D, seed=4)
    with problem(estimator, X) as (em, start):
        point = em.evaluate(em.evaluate(start).image)
        frame, family = em.source.frame, em.family
        old, new = (estimator._to_data_units(p, frame) for p in (point.params, point.image))
        resp, _ = naive.e_step(model.twin(X, old))

        def q(vector):
            params = estimator._to_data_units(family.unpack(vector, point.image), frame)
            joint = model.twin(X, params)
            return float((resp * joint).sum()) + log_prior(options, params, kind)

        at = family.pack(point.image)
        slope = gradient(q, at)
        # The log-weights' coordinates are redundant (their sum is free): Q is flat along it.
        assert np.abs(slope).max() < FLAT
        elsewhere = at + 0.01 * (np.arange(len(at)) % 2)
        assert np.abs(gradient(q, elsewhere)).max() > 100 * FLAT  # the test can fail
        assert q(at) >= q(family.pack(point.params)) - 1e-9
        assert old.weights.sum() == pytest.approx(new.weights.sum())


@pytest.mark.parametrize(("model", "prior"), CONFIGURATIONS, ids=names)
def test_fixed_point_cannot_be_improved(model, prior):
    """A quasi-Newton search from EM's end gains no more than its tolerance allows: 1e-9 a row."""
    options = options_of(model, prior)
    kind = model.options.get("covariance_type")
    X = model.rows(N, D, seed=4)
    estimator = model.make(K, tol=1e-13, max_iter=5000, **options, **model.exact).fit(X)
    with problem(estimator, X) as (em, _):
        family, frame = em.family, em.source.frame
        end = estimator._to_frame(estimator._attribute_params(), frame)

        def loss(vector):
            params = estimator._to_data_units(family.unpack(vector, end), frame)
            joint = model.twin(X, params)
            value = naive.e_step(joint)[1].sum() + log_prior(options, params, kind)
            return -float(value) / N

        at = family.pack(end)
        found = optimize.minimize(loss, at, method="L-BFGS-B", options={"maxiter": 15})
        assert found.fun >= loss(at) - 1e-9


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_lower_bound_is_at_the_returned_parameters(covariance_type):
    """scikit-learn's is one M-step stale."""
    X = gaussian_rows(300, 3, seed=7)[0]
    fitted = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    assert fitted.lower_bound_ == pytest.approx(fitted.score(X), rel=1e-13)


def test_weight_prior_enters_the_objective():
    X = gaussian_rows(300, 3, seed=7)[0]
    fitted = GaussianMixture(3, weight_prior=Dirichlet(4.0), random_state=0).fit(X)
    extra = stats.dirichlet([4.0] * 3).logpdf(fitted.weights_) / 300
    assert fitted.lower_bound_ == pytest.approx(fitted.score(X) + extra, rel=1e-13)

"""What priors take for hyperparameters: numbers and arrays that suit the parameters, no less."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from mixtures import PoissonMixture
from mixtures.priors import Beta, Dirichlet, Gamma, NormalInverseWishart

from .registry import count_rows, refused

SHAPES = {
    "beta-a": (lambda: Beta(np.ones(4)).pseudo_successes((2, 3)), ["expects a", "(2, 3)", "(4,)"]),
    "beta-b": (lambda: Beta(2, np.ones((3, 3))).log_density(np.ones((2, 3)) / 2), ["b", "(3, 3)"]),
    "beta-up": (lambda: Beta(np.ones((2, 2, 3))).pseudo_successes((2, 3)), ["(2, 2, 3)"]),
    "gamma-shape": (lambda: Gamma(np.ones(4)).pseudo_events((2, 3)), ["shape", "(2, 3)", "(4,)"]),
    "gamma-rate": (lambda: Gamma(1, np.ones(2)).log_density(np.ones((2, 3))), ["rate", "(2,)"]),
    "weights": (lambda: Dirichlet(np.ones((2, 3))).mode(np.ones(3)), ["(3,)", "6", "(2, 3)"]),
    "categories": (lambda: Dirichlet(np.ones(2)).mode(np.ones((2, 3))), ["(2, 3)", "(2,)"]),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_wrong_shape_is_refused_with_both_shapes(case):
    make, fragments = SHAPES[case]
    with refused(ValueError, fragments):
        make()


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan, np.inf, [1.0, 0.99], "2", None, 1j, [[1], 2]])
def test_no_number_below_one(value):
    for make, advice in (
        (lambda: Beta(value), "use 1 for no pseudo-data"),
        (lambda: Beta(1.0, value), "use 1 for no pseudo-data"),
        (lambda: Gamma(value), "Use 1 for no pseudo-events"),
        (lambda: Dirichlet(value), "use 1 for a flat prior"),
    ):
        with refused(ValueError, [repr(value), "infinite", advice]):
            make()


@pytest.mark.parametrize(
    "prior", [Beta(2.0, [1.0, 3.0]), Gamma([2.0, 3.0], 0.5), Dirichlet([2.0, 1.0, 4.0])], ids=repr
)
def test_copies(prior):
    assert repr(prior) == repr(pickle.loads(pickle.dumps(prior))) == repr(clone(prior, safe=False))
    with pytest.raises(AttributeError):
        prior.b = 3.0


def test_a_prior_for_each_feature():
    """Each feature of one component is a problem of its own."""
    X = count_rows(40, 2, 3)[0]
    prior = Gamma(np.array([3.0, 5.0]), np.array([[1.0, 2.0]]))
    fitted = clone(PoissonMixture(1, prior=prior)).fit(X)
    expected = (X.sum(axis=0) + prior.shape - 1.0) / [41.0, 42.0]
    np.testing.assert_allclose(fitted.rates_[0], expected, rtol=1e-12)
    assert "NormalInverseWishart(mean=None" in repr(NormalInverseWishart())
    with refused(ValueError, ["(3, 2)", "(3,)"]):
        PoissonMixture(3, prior=Gamma(np.ones(3) * 2, 1.0)).fit(X)

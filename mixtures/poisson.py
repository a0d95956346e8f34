"""Mixtures of independent Poisson counts: the worked example of a family in one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .core.counts import AbstractCountMixture, log_factorials
from .core.discrete import NEVER, AbstractDiscreteFamily, refuse_impossible
from .core.discriminants import LINEAR, Array, Discriminants
from .core.unconstrained import Positive, Simplex
from .priors import Dirichlet, Gamma


class PoissonParams(NamedTuple):
    """Parameters of a Poisson mixture."""

    weights: Array  # (k,), on the simplex
    rates: Array  # (k, d), events per row, >= 0


@dataclass(frozen=True, eq=False)
class Poisson(AbstractDiscreteFamily[PoissonParams]):
    """``log p(x) = sum_j x_j log rate_j - rate_j - log x_j!``, linear in x."""

    prior: Gamma
    weight_prior: Dirichlet
    unconstrained = {"weights": Simplex(), "rates": Positive()}  # noqa: RUF012 - never changed

    def discriminants(self, params):
        # A rate of zero forbids events: log 0, made finite so that 0 events times it are 0.
        some = params.rates > 0
        slopes = np.log(params.rates, out=np.full(some.shape, NEVER), where=some).T
        with np.errstate(divide="ignore"):
            bias = np.log(params.weights) - params.rates.sum(axis=1)
        none, origin = np.empty((0, len(bias))), np.zeros(params.rates.shape)
        return Discriminants(LINEAR, np.ascontiguousarray(slopes), none, bias, origin)

    def m_step(self, stats, params):
        refuse_impossible(stats)
        rates = self.prior.mode(stats.first, stats.counts[:, None], params.rates)
        return PoissonParams(self.weight_prior.mode(stats.counts), rates)

    def guess(self, centres):
        return PoissonParams(np.full(len(centres), 1.0 / len(centres)), centres)

    def log_base(self, X):
        return -log_factorials(X)

    def log_prior(self, params):
        return self.prior.log_density(params.rates) + self.weight_prior.log_density(params.weights)

    def gradient(self, stats, params):
        weights = self.weight_prior.gradient(stats.counts, params.weights)
        rates = self.prior.gradient(stats.first, stats.counts[:, None], params.rates)
        return np.concatenate([weights, rates.ravel()])

    def sample(self, params, component, n, rng):
        return rng.poisson(params.rates[component], (n, params.rates.shape[1])).astype(float)

    def n_parameters(self, params):
        return params.rates.size + params.weights.size - 1


class PoissonMixture(AbstractCountMixture):
    """Mixture of independent Poisson counts, fitted by EM or MAP-EM.

    ``rate_kj = (sum_i w_i r_ik x_ij + shape - 1) / (N_k + rate)`` with a ``Gamma(shape, rate)``
    prior (Bishop 2006, section 2.3.6); the flat one gives weighted means. Without a prior rates may
    become exactly 0, which forbids events. Rows are dense or CSR; they may be any numbers >= 0.
    Parameters not listed are those of `GaussianMixture`.

    Parameters
    ----------
    n_components : int, default=1
    prior : Gamma, default=None
        On the rates; None is flat (maximum likelihood).
    weight_prior : Dirichlet, default=None
        On the mixing weights; None is flat.
    weights_init, rates_init : array-like, (n_components,) and (n_components, n_features)
        Where to start; None: as `init_params` says.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    rates_ : ndarray of shape (n_components, n_features)
        Expected events per row.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import PoissonMixture
    >>> X = np.array([[0.0], [1.0], [0.0], [9.0], [11.0], [10.0]])
    >>> PoissonMixture(2, random_state=0, component_order="means").fit(X).predict(X)
    array([0, 0, 0, 1, 1, 1])
    """

    _params, _ranges = PoissonParams, {"rates": (0.0, np.inf)}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AbstractCountMixture._parameter_constraints,
        "prior": [Gamma, None],
        "weight_prior": [Dirichlet, None],
        "rates_init": ["array-like", None],
    }

    def __init__(
        self, n_components=1, *, tol=1e-3, max_iter=100, n_init=1, init_params="kmeans",
        weights_init=None, rates_init=None, random_state=None, warm_start=False, verbose=0,
        verbose_interval=10, prior=None, weight_prior=None, acceleration="auto",
        component_order=None, n_threads=None,
    ):  # fmt: skip
        self.n_components, self.tol, self.max_iter = n_components, tol, max_iter
        self.n_init, self.init_params = n_init, init_params
        self.weights_init, self.rates_init = weights_init, rates_init
        self.random_state, self.warm_start, self.verbose = random_state, warm_start, verbose
        self.verbose_interval, self.acceleration = verbose_interval, acceleration
        self.prior, self.weight_prior = prior, weight_prior
        self.component_order, self.n_threads = component_order, n_threads

    def _bound(self, rows):
        return Poisson(self.prior or Gamma(), self.weight_prior or Dirichlet())

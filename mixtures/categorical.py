"""Mixtures of independent categories: latent class analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ._compat import StrOptions
from .core.categories import Simplices, sizes_of
from .core.category_mixture import AbstractCategoryMixture
from .core.discrete import AbstractDiscreteFamily
from .core.discriminants import BINARY, Array, Discriminants
from .core.seeding import draw
from .core.unconstrained import Simplex
from .priors import Dirichlet


class CategoricalParams(NamedTuple):
    """Parameters of a categorical mixture."""

    weights: Array  # (k,), on the simplex
    category_probabilities: Array  # (k, m), those of all features side by side


@dataclass(frozen=True, eq=False)
class Categorical(AbstractDiscreteFamily[CategoricalParams]):
    """``log p(x) = sum_j log p_j[x_j]`` over the values that are known; m categories in all."""

    prior: Dirichlet
    weight_prior: Dirichlet
    columns: Simplices

    @property
    def unconstrained(self):  # type: ignore[override]
        return {"weights": Simplex(), "category_probabilities": self.columns}

    def discriminants(self, params):
        with np.errstate(divide="ignore"):
            slopes = np.ascontiguousarray(np.log(params.category_probabilities).T)
            bias = np.log(params.weights)
        return Discriminants(BINARY, slopes, np.zeros(slopes.shape), bias, np.zeros(slopes.T.shape))

    def m_step(self, stats, params):
        probabilities = np.empty_like(stats.first)
        for at in self.columns.alike:
            previous = params.category_probabilities[:, at]
            probabilities[:, at] = self.prior.mode(stats.first[:, at], previous)
        return CategoricalParams(self.weight_prior.mode(stats.counts), probabilities)

    def guess(self, centres):
        sizes, known = self.columns.sizes, self.columns.totals(centres)
        out = np.tile(np.repeat(1.0 / sizes, sizes), (len(centres), 1))
        np.divide(centres, known, out=out, where=known > 0)
        return CategoricalParams(np.full(len(centres), 1.0 / len(centres)), out)

    def log_prior(self, params):
        p = params.category_probabilities
        on_categories = sum(self.prior.log_density(p[:, at]) for at in self.columns.alike)
        return on_categories + self.weight_prior.log_density(params.weights)

    def gradient(self, stats, params):
        gradient, p = np.empty_like(stats.first), params.category_probabilities
        for at in self.columns.alike:
            gradient[:, at] = self.prior.gradient(stats.first[:, at], p[:, at])
        weights = self.weight_prior.gradient(stats.counts, params.weights)
        return np.concatenate([weights, gradient.ravel()])

    def sample(self, params, component, n, rng):
        own = self.columns.split(params.category_probabilities[component, None])
        return np.column_stack([draw(p[0], rng, n) for p in own]).astype(float)

    def n_parameters(self, params):
        k, m = params.category_probabilities.shape
        return k * (m - len(self.columns.sizes)) + k - 1


class CategoricalMixture(AbstractCategoryMixture):
    """Mixture of independent categories, fitted by EM or MAP-EM: latent class analysis.

    ``probability_kjc = (sum_i w_i r_ik [x_ij = c] + a_c - 1) / (N_kj + sum(a) - C_j)`` with a
    ``Dirichlet(a)`` prior on the C_j categories of feature j, N_kj the weight of the rows of
    component k that it is known for (Bishop 2006, section 9.3.3 and exercise 9.19). Without a prior
    probabilities may become exactly 0. Values may be missing at random (NaN, None): what is known
    counts. Rows are whole numbers, or a DataFrame or array of strings, booleans and such.
    Parameters not listed are those of `GaussianMixture`.

    Parameters
    ----------
    categories : "auto" or list of n_features array-likes, default="auto"
        Those of each feature in order; "auto": all in rows of positive weight, sorted (or in the
        order of a pandas categorical). List them where folds of the rows may lack some.
    handle_unknown : {"error", "ignore"}, default="error"
        "ignore" takes a value that is none of the categories for missing.
    prior : Dirichlet, default=None
        On the probabilities of a feature's categories; None is flat (maximum likelihood).
    weights_init : array-like of shape (n_components,), default=None
    category_probabilities_init : list of array-likes, (n_components, n_categories) each
        Where to start, with `categories` in order; None: as `init_params` says.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    category_probabilities_ : list of ndarrays of shape (n_components, n_categories)
    categories_ : list of ndarrays of shape (n_categories,)

    Examples
    --------
    >>> from mixtures import CategoricalMixture
    >>> X = [["red", 1], ["red", 1], ["blue", 2], ["blue", 3], [None, 3], ["red", 1]]
    >>> cm = CategoricalMixture(2, random_state=0, component_order="weights").fit(X)
    >>> cm.categories_[0].tolist(), cm.category_probabilities_[0].round(2)
    (['blue', 'red'], array([[0., 1.],
           [1., 0.]]))
    >>> cm.predict([["blue", None]])
    array([1])
    """

    _params = CategoricalParams
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AbstractCategoryMixture._parameter_constraints,
        "categories": [StrOptions({"auto"}), list],
        "handle_unknown": [StrOptions({"error", "ignore"})],
        "prior": [Dirichlet, None],
        "weight_prior": [Dirichlet, None],
        "category_probabilities_init": [list, tuple, None],
    }

    def __init__(
        self, n_components=1, *, categories="auto", handle_unknown="error", tol=1e-3, max_iter=100,
        n_init=1, init_params="kmeans", weights_init=None, category_probabilities_init=None,
        random_state=None, warm_start=False, verbose=0, verbose_interval=10, prior=None,
        weight_prior=None, acceleration="auto", component_order=None, n_threads=None,
    ):  # fmt: skip
        self.n_components, self.tol, self.max_iter = n_components, tol, max_iter
        self.categories, self.handle_unknown = categories, handle_unknown
        self.n_init, self.init_params, self.weights_init = n_init, init_params, weights_init
        self.category_probabilities_init = category_probabilities_init
        self.random_state, self.warm_start, self.verbose = random_state, warm_start, verbose
        self.verbose_interval, self.acceleration = verbose_interval, acceleration
        self.prior, self.weight_prior = prior, weight_prior
        self.component_order, self.n_threads = component_order, n_threads

    def _bound(self, rows):
        columns = Simplices(sizes_of(self.categories_ if rows is None else rows.categories))
        return Categorical(self.prior or Dirichlet(), self.weight_prior or Dirichlet(), columns)

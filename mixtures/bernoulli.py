"""Mixtures of independent answers, yes or no: latent class analysis of binary items."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ._compat import Interval
from .core.answers import binarised, check_answers
from .core.discrete import AbstractCodedMixture, AbstractDiscreteFamily
from .core.discriminants import BINARY, Array, Discriminants
from .core.unconstrained import Simplex, UnitInterval
from .core.validation import check_codes
from .priors import Beta, Dirichlet


class BernoulliParams(NamedTuple):
    """Parameters of a Bernoulli mixture."""

    weights: Array  # (k,), on the simplex
    probabilities: Array  # (k, d), of a one


@dataclass(frozen=True, eq=False)
class Bernoulli(AbstractDiscreteFamily[BernoulliParams]):
    """``log p(x) = sum_j x_j log p_j + (1 - x_j) log(1 - p_j)`` over the answers that are known."""

    prior: Beta
    weight_prior: Dirichlet
    gaps: np.ndarray  # (m,), features with gaps: they have a second bit, for no, after the d first
    unconstrained = {"weights": Simplex(), "probabilities": UnitInterval()}  # noqa: RUF012

    def discriminants(self, params):
        with np.errstate(divide="ignore"):
            yes, no = np.log(params.probabilities).T, np.log1p(-params.probabilities).T
            bias = np.log(params.weights)
        slopes = np.vstack([yes, no[self.gaps]])
        offsets = np.vstack([no, np.zeros((len(self.gaps), len(bias)))])
        offsets[self.gaps] = 0.0
        return Discriminants(BINARY, slopes, offsets, bias, np.broadcast_to(0.0, slopes.T.shape))

    def _answers(self, stats):
        """Ones (k, d), and answers that are known (k, d)."""
        d = stats.first.shape[1] - len(self.gaps)
        ones = stats.first[:, :d]
        known = np.repeat(stats.counts[:, None], d, axis=1)
        known[:, self.gaps] = ones[:, self.gaps] + stats.first[:, d:]
        return ones, known

    def m_step(self, stats, params):
        ones, known = self._answers(stats)
        probabilities = self.prior.mode(ones, known, params.probabilities)
        return BernoulliParams(self.weight_prior.mode(stats.counts), probabilities)

    def guess(self, centres):
        k, d = len(centres), centres.shape[1] - len(self.gaps)
        ones, known = centres[:, :d].copy(), np.ones((k, d))
        known[:, self.gaps] = ones[:, self.gaps] + centres[:, d:]
        probabilities = np.divide(ones, known, out=np.full((k, d), 0.5), where=known > 0)
        return BernoulliParams(np.full(k, 1.0 / k), probabilities)

    def log_prior(self, params):
        on_probabilities = self.prior.log_density(params.probabilities)
        return on_probabilities + self.weight_prior.log_density(params.weights)

    def gradient(self, stats, params):
        weights = self.weight_prior.gradient(stats.counts, params.weights)
        ones, known = self._answers(stats)
        answers = self.prior.gradient(ones, known, params.probabilities)
        return np.concatenate([weights, answers.ravel()])

    def sample(self, params, component, n, rng):
        p = params.probabilities[component]
        return (rng.random_sample((n, len(p))) < p).astype(float)

    def n_parameters(self, params):
        return params.probabilities.size + params.weights.size - 1


class BernoulliMixture(AbstractCodedMixture):
    """Mixture of independent answers, fitted by EM or MAP-EM: latent classes of binary items.

    ``probability_kj = (sum_i w_i r_ik x_ij + a - 1) / (N_kj + a + b - 2)`` with a ``Beta(a, b)``
    prior, N_kj the weight of the rows of component k whose answer j is known (Bishop 2006, section
    9.3.3 and exercises 9.18 and 9.19). Without a prior probabilities may become exactly 0 or 1.
    Answers may be missing at random (NaN, in dense rows): what is known counts. Rows are bool,
    integers, floats, a DataFrame or CSR. Parameters not listed are those of `GaussianMixture`.

    Parameters
    ----------
    binarize : float, default=None
        Numbers above it count as 1, others as 0; None: X must be binary already.
    prior : Beta, default=None
        On the probabilities; None is flat (maximum likelihood).
    weights_init, probabilities_init : array-like, (n_components,) and (n_components, n_features)
        Where to start; None: as `init_params` says.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    probabilities_ : ndarray of shape (n_components, n_features)

    Examples
    --------
    >>> from mixtures import BernoulliMixture
    >>> X = [[1, 1, 0], [1, 1, 0], [1, float("nan"), 0], [0, 0, 1], [0, 1, 1], [0, 0, 1]]
    >>> bm = BernoulliMixture(2, random_state=0, component_order="means").fit(X)
    >>> bm.probabilities_.round(2)
    array([[0.  , 0.33, 1.  ],
           [1.  , 1.  , 0.  ]])
    >>> bm.predict([[1, float("nan"), float("nan")]])
    array([1])
    """

    _params, _ranges, _sparse = BernoulliParams, {"probabilities": (0.0, 1.0)}, True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AbstractCodedMixture._parameter_constraints,
        "binarize": [Interval(Real, None, None, closed="neither"), None],
        "prior": [Beta, None],
        "weight_prior": [Dirichlet, None],
        "probabilities_init": ["array-like", None],
    }

    def __init__(
        self, n_components=1, *, binarize=None, tol=1e-3, max_iter=100, n_init=1,
        init_params="kmeans", weights_init=None, probabilities_init=None, random_state=None,
        warm_start=False, verbose=0, verbose_interval=10, prior=None, weight_prior=None,
        acceleration="auto", component_order=None, n_threads=None,
    ):  # fmt: skip
        self.n_components, self.tol, self.max_iter = n_components, tol, max_iter
        self.binarize, self.n_init, self.init_params = binarize, n_init, init_params
        self.weights_init, self.probabilities_init = weights_init, probabilities_init
        self.random_state, self.warm_start, self.verbose = random_state, warm_start, verbose
        self.verbose_interval, self.acceleration = verbose_interval, acceleration
        self.prior, self.weight_prior = prior, weight_prior
        self.component_order, self.n_threads = component_order, n_threads

    def _bound(self, rows):
        gaps = np.empty(0, np.intp) if rows is None else rows.gaps
        return Bernoulli(self.prior or Beta(), self.weight_prior or Dirichlet(), gaps)

    def _validated(self, X, *, reset, ensure_min_samples=1):
        X = check_codes(self, X, reset=reset, ensure_min_samples=ensure_min_samples)
        return check_answers(type(self).__name__, binarised(X, self.binarize))

"""The estimator: scikit-learn's GaussianMixture with what it lacks."""

from __future__ import annotations

from copy import copy
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .._compat import Interval, StrOptions
from ..core import validation
from ..core.blocks import ArraySource
from ..core.discriminants import Array, Frame
from ..core.estimator import AbstractMixture
from ..core.frames import Totals, power_of_two_scale
from ..covariance import STRUCTURES, AbstractCovariance, Context, GaussianParams
from ..priors import Dirichlet, NormalInverseWishart, ResolvedNIW
from .family import Gaussian, ridge
from .given import given_covariances, sample_covariance


class GaussianMixture(AbstractMixture):
    """Gaussian mixture model, fitted by EM or MAP-EM; a drop-in for scikit-learn's.

    ``p(x) = sum_k weight_k N(x | mean_k, covariance_k)``. The E-step computes responsibilities
    ``r_ik`` in the log domain; the M-step is ``N_k = sum_i w_i r_ik``, ``weight_k = N_k / N``,
    ``mean_k = sum_i w_i r_ik x_i / N_k``, ``covariance_k = sum_i w_i r_ik (x_i - mean_k)
    (x_i - mean_k)' / N_k + ridge`` (Bishop 2006, section 9.2.2), with a prior's pseudo-data added.

    Parameters
    ----------
    n_components : int, default=1
        Number of components, k.
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'ppca', 'factor'} or \
            AbstractCovariance, default='full'
        Each component its own matrix; one matrix for all; each component its own variances; each
        component one variance. Low-rank matrices are `mixtures.covariance.LowRank` (rank, noise);
        'ppca' and 'factor' stand for those of rank one with isotropic and with diagonal noise.
    tol : float, default=1e-3
        EM stops when the objective changes by less, in nats per row.
    reg_covar : float, default=1e-6
        Added to the diagonal of the covariances, in squared units of the data. Where a feature's
        variance v is below one it is ``reg_covar * v`` instead, so that units do not matter, and
        at least ``1e-12 * v`` for ``reg_covar >= 1e-12``. Zero adds nothing.
    max_iter : int, default=100
        Number of EM iterations; 0 returns the initialisation.
    n_init : int, default=1
        Number of starts; the best result is kept. A start that fails does not end the others.
    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, default='kmeans'
        How to start. 'kmeans' tries k-means in several metrics (whitened, unusual directions,
        standardised, the data's own units) and keeps the partition that the model likes best;
        'k-means++' and 'random_from_data' assign rows to the nearest seed on standardised data.
    weights_init : array-like of shape (n_components,), default=None
        Mixing weights to start from.
    means_init : array-like of shape (n_components, n_features), default=None
        Means to start from.
    precisions_init : array-like, default=None
        Inverse covariances to start from, in the shape that `covariance_type` implies.
    random_state : int, RandomState instance or None, default=None
        The same int gives the same bits, whatever the number of threads.
    warm_start : bool, default=False
        Continue from the last fit instead of starting anew; `n_init` is then ignored.
    verbose : int, default=0
        1 prints every `verbose_interval` iterations, 2 also times and changes.
    verbose_interval : int, default=10
    prior : NormalInverseWishart, default=None
        On means and covariances; None is flat (maximum likelihood).
    weight_prior : Dirichlet, default=None
        On the mixing weights; None is flat.
    acceleration : {'auto', 'squarem', 'anderson', None}, default='auto'
        'auto' runs plain EM until it has settled (ten iterations, and a gain below 1e-3 nats per
        row), then extrapolates; with ``tol=0`` it is plain EM, as None is. The objective never
        falls.
    component_order : {'weights', 'means', None}, default=None
        Sort the components by decreasing weight, or by their means; None leaves them.
    n_threads : int, default=None
        None uses the cores that this process may use. Any number gives the same bits.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Mixing weights; they sum to one.
    means_ : ndarray of shape (n_components, n_features)
    covariances_ : ndarray
        (n_components, n_features, n_features) if 'full', (n_features, n_features) if 'tied',
        (n_components, n_features) if 'diag', (n_components,) if 'spherical'; loadings and, in
        the last column, noise variances, (n_components, n_features, rank + 1), if of low rank.
    precisions_ : ndarray
        Inverse covariances, of the same shape.
    precisions_cholesky_ : ndarray
        U with ``precision = U @ U.T``, or square roots of precisions; neither if of low rank.
    loadings_, noise_variances_ : ndarray
        Only if of low rank: (n_components, n_features, rank), and (n_components, n_features) or,
        isotropic, (n_components,).
    converged_ : bool
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Objective at the returned parameters: mean log-likelihood plus log-prior over n, in nats
        per row. With flat priors it equals ``score`` of the training rows and weights, unless
        `reg_covar` is so large that the likelihood itself would fall: then it is that of rows
        blurred by noise of this variance, which is lower and which EM does climb.
    lower_bounds_ : list of float of length n_iter_
        The objective after each iteration; it never falls, and ends at `lower_bound_`.
    initial_lower_bound_ : float
        The objective before the first iteration.
    stop_reason_ : str
        Why EM stopped, as a sentence.
    restarts_ : list of Restart
        Objective, iterations, reason and seconds of every start.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has column names.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, or no start led to a model, because components
        collapsed.

    Notes
    -----
    The objective is evaluated by one pass over the rows in O(n_threads k d^2) memory; the matrix
    of responsibilities is never stored.

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.datasets import load_faithful
    >>> X = load_faithful().data  # minutes of eruption, minutes to the next one
    >>> gm = GaussianMixture(n_components=2, random_state=0, component_order="means").fit(X)
    >>> gm.means_.round(1)
    array([[ 2. , 54.5],
           [ 4.3, 80. ]])
    >>> gm.predict([[1.8, 50.0], [4.5, 85.0]])
    array([0, 1])
    >>> gm.stop_reason_
    'The objective changed by less than tol in one iteration.'
    """

    _params = GaussianParams

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AbstractMixture._parameter_constraints,
        "covariance_type": [StrOptions(set(STRUCTURES)), AbstractCovariance],
        "reg_covar": [Interval(Real, 0.0, None, closed="left")],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "prior": [NormalInverseWishart, None],
        "weight_prior": [Dirichlet, None],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str | AbstractCovariance = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        prior: NormalInverseWishart | None = None,
        weight_prior: Dirichlet | None = None,
        acceleration: str | None = "auto",
        component_order: str | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.prior = prior
        self.weight_prior = weight_prior
        self.acceleration = acceleration
        self.component_order = component_order
        self.n_threads = n_threads

    @property
    def _structure(self) -> AbstractCovariance:
        named = self.covariance_type
        return STRUCTURES[named] if isinstance(named, str) else named

    def _framing(self, n_features: int) -> dict[str, bool]:
        structure = self._structure
        pairs = structure.measures_pairs(n_features)
        return {"common_scale": structure.common_scale, "pairs": pairs}

    def _family(self, source: ArraySource, totals: Totals) -> Gaussian:
        frame, structure, k = source.frame, self._structure, self.n_components
        validation.refuse_unsquarable(type(self).__name__, frame.scale)
        if self.weight_prior is not None:
            own = self.weight_prior.pseudo_counts(k)  # refuses a wrong length before any work
            if self.component_order is not None and np.ptp(own) > 0:
                raise ValueError(
                    "component_order sorts the components, but weight_prior gives each its own "
                    f"concentration, {self.weight_prior.concentration!r}. Use one number, or "
                    "component_order=None."
                )
        d = source.n_features
        prior, log_volume = ResolvedNIW.none(d, pairs=structure.measures_pairs(d)), 0.0
        if self.prior is not None:
            covariance = sample_covariance(totals, frame)
            prior = self.prior.resolve(k, frame.from_frame(totals.mean), covariance)
            log_volume = structure.log_volume(k, np.log(frame.scale), prior)
            prior = prior.to_frame(frame)
        context = Context(ridge(self.reg_covar, totals, frame), prior, totals)
        return Gaussian(structure, context, self.weight_prior, log_volume)

    def _given_start(self, n_features: int) -> dict[str, Array]:
        k, d = self.n_components, n_features
        given = {}
        if self.weights_init is not None:
            given["weights"] = validation.check_weights(self.weights_init, k)
        if self.means_init is not None:
            given["means"] = validation.check_shape("means", self.means_init, (k, d))
        structure = self._structure.bind(d)
        if self.precisions_init is not None:
            named = self.covariance_type
            name = named if isinstance(named, str) else type(named).__name__
            given["covariances"] = given_covariances(name, structure, self.precisions_init, k, d)
        return given

    def _to_frame(self, params: GaussianParams, frame: Frame) -> GaussianParams:
        covariances = self._structure.rescale(params.covariances, frame.scale)
        return params._replace(means=frame.to_frame(params.means), covariances=covariances)

    def _to_data_units(self, params: GaussianParams, frame: Frame) -> GaussianParams:
        covariances = self._structure.rescale(params.covariances, 1.0 / frame.scale)
        return params._replace(means=frame.from_frame(params.means), covariances=covariances)

    def _parameter_attributes(self, params: GaussianParams, dtype: Any) -> dict[str, Any]:
        params = params._replace(covariances=self._structure.canonical(params.covariances))
        attributes = super()._parameter_attributes(params, dtype)
        attributes["_fitted_covariance_type"] = copy(self.covariance_type)  # rank may change
        derived = self._structure.derived(params.covariances)
        return attributes | {f"{n}_": a.astype(dtype, copy=False) for n, a in derived.items()}

    def _attribute_params(self) -> GaussianParams:
        fitted = getattr(self, "_fitted_covariance_type", self.covariance_type)
        if fitted != self.covariance_type:
            raise ValueError(
                f"The model was fitted with covariance_type={fitted!r}, but it is now "
                f"{self.covariance_type!r}. Fit again without warm_start, or set it back."
            )
        if self.means_.dtype == np.float64:
            return super()._attribute_params()

        def read(name: str) -> Array:
            return np.array(getattr(self, f"{name}_"), dtype=np.float64)

        return GaussianParams(read("weights"), read("means"), self._structure.rounded(read))

    def _permuted(self, params: GaussianParams, order: np.ndarray) -> GaussianParams:
        covariances = self._structure.permute(params.covariances, order)
        return GaussianParams(params.weights[order], params.means[order], covariances)

    def _fitted_family(self) -> tuple[Gaussian, GaussianParams, Frame]:
        params, structure = self._attribute_params(), self._structure
        d = params.means.shape[1]
        spread = np.sqrt(structure.variances(params).max(axis=0))
        if structure.common_scale:
            spread = np.full(d, spread.max())
        frame = Frame(params.weights @ params.means, power_of_two_scale(spread))
        totals = Totals(1.0, np.zeros(d), np.empty((0, 0)), squares=np.ones(d))
        prior = ResolvedNIW.none(d, pairs=structure.measures_pairs(d))
        family = Gaussian(structure, Context(np.zeros(d), prior, totals))
        return family, self._to_frame(params, frame), frame

    def _failure(self, reason: str, dtype: Any) -> str:
        message = (
            "Fitting the mixture model failed because some components have ill-defined empirical "
            "covariance (for instance caused by singleton or collapsed samples). Try to decrease "
            "the number of components, increase reg_covar, or scale the input data. "
            f"What happened: {reason}"
        )
        if dtype == np.float32:
            message += " The data are float32; fitting float64 data may help."
        return message

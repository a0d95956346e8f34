"""Mixtures of probabilistic PCA and of factor analysers: what there is to say of factors."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from .._compat import Interval
from ..core import low_rank, validation
from ..core.discriminants import Array
from ..covariance import LowRank
from ..priors import Dirichlet, NormalInverseWishart
from .estimator import GaussianMixture

BLOCK = 4096  # rows that are centred about every component at a time


class AbstractFactorMixture(ClassNamePrefixFeaturesOutMixin, TransformerMixin, GaussianMixture):
    """What mixtures of low-rank Gaussians say of their factors; see a model's class."""

    _noise: ClassVar[str]
    precisions_init = None  # low-rank covariances start from their own

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{
            name: allowed
            for name, allowed in GaussianMixture._parameter_constraints.items()
            if name not in ("covariance_type", "precisions_init")
        },
        "n_factors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_factors: int = 1,
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
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
        self.n_factors = n_factors
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
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
    def covariance_type(self) -> LowRank:  # type: ignore[override]
        """The covariances that `n_factors` stands for."""
        return LowRank(self.n_factors, self._noise)

    @property
    def _structure(self) -> LowRank:
        return self.covariance_type

    @property
    def _n_features_out(self) -> int:
        return int(np.prod(self.loadings_.shape[::2]))

    def transform(self, X: ArrayLike, component: int | None = None) -> np.ndarray:
        """Posterior means of the factors, given the row and its component.

        ``E[z | x, k] = (I + L_k' P_k^-1 L_k)^-1 L_k' P_k^-1 (x - mean_k)``; how likely each
        component is, `predict_proba` says.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        component : int, default=None
            None: the factors of all components side by side.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components * n_factors) or (n_samples, n_factors)
            In units of their prior's standard deviation; float32 for float32 rows.
        """
        rows = self._rows(X)
        chosen = range(len(self.means_)) if component is None else [self._component(component)]
        blocks = [np.hstack([z for z, _ in parts]) for parts in self._latent(rows, chosen)]
        return np.vstack(blocks).astype(validation.float_type(rows), copy=False)

    def inverse_transform(self, X: ArrayLike, component: int = 0) -> np.ndarray:
        """Rows expected given the factors of one component: ``E[x | z, k] = mean_k + L_k z``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_factors)
            Factors.
        component : int, default=0

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        Z, c = check_array(X, dtype=validation.FLOATS), self._component(component)
        loadings = self.loadings_[c]
        if Z.shape[1] != loadings.shape[1]:
            raise ValueError(
                f"{type(self).__name__} expects the factors of one component, shape (n_samples, "
                f"{loadings.shape[1]}), but got {Z.shape}. Use transform(X, component={c})."
            )
        return np.asarray(self.means_[c] + Z @ loadings.T)

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Rows without their noise: ``E[mean_k + L_k z | x]``, over components and factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            float32 for float32 rows.
        """
        rows = self._rows(X)
        resp = np.concatenate([r for r, _ in self._posterior(rows)])
        out, lo = np.zeros(rows.shape), 0
        for parts in self._latent(rows, range(len(self.means_))):
            hi = lo + len(parts[0][0])
            for c, (_, fitted) in enumerate(parts):
                out[lo:hi] += resp[lo:hi, c, None] * fitted
            lo = hi
        return out.astype(validation.float_type(rows), copy=False)

    def get_covariance(self) -> np.ndarray:
        """The components' covariances, ``L_k L_k' + P_k``.

        Returns
        -------
        covariances : ndarray of shape (n_components, n_features, n_features)
        """
        check_is_fitted(self)
        return np.asarray(self._structure.dense(self._attribute_params()))

    @property
    def posterior_covariances_(self) -> np.ndarray:
        """Covariances of a row's factors given the row, (n_components, n_factors, n_factors)."""
        check_is_fitted(self)
        pairs = self._structure.whitened(self._attribute_params())
        return np.array([low_rank.posterior_covariance(w) for w in pairs])

    def _component(self, component: int) -> int:
        k = len(self.means_)
        if not (isinstance(component, Integral) and 0 <= component < k):
            raise ValueError(
                f"{type(self).__name__} has components 0 to {k - 1}, but got component="
                f"{component!r}."
            )
        return int(component)

    def _latent(self, rows: np.ndarray, chosen: Any) -> Iterator[list[tuple[Array, Array]]]:
        """For blocks of rows: each chosen component's factors (b, q) and fitted rows (b, d)."""
        params = self._attribute_params()
        whitened = self._structure.whitened(params)
        for lo in range(0, len(rows), BLOCK):
            block, parts = rows[lo : lo + BLOCK].astype(np.float64, copy=False), []
            for c in chosen:
                z = low_rank.posterior_means(whitened[c], block - params.means[c])
                parts.append((z, params.means[c] + z @ params.covariances[c, :, :-1].T))
            yield parts


class MixtureOfPPCA(AbstractFactorMixture):
    """Mixture of probabilistic principal component analysers (Tipping and Bishop 1999).

    ``x = mean_k + L_k z + e`` with probability ``weight_k``, where ``z ~ N(0, I)`` has `n_factors`
    numbers and ``e ~ N(0, p_k I)``. It is ``GaussianMixture(covariance_type=LowRank(n_factors,
    'isotropic'))`` with what there is to say of the factors.

    Parameters
    ----------
    n_components : int, default=1
    n_factors : int, default=1
        Factors of each component, fewer than features.
    tol, reg_covar, max_iter, n_init, init_params, weights_init, means_init, random_state, \
            warm_start, verbose, verbose_interval, prior, weight_prior, acceleration, \
            component_order, n_threads
        As in `GaussianMixture`.

    Attributes
    ----------
    loadings_ : ndarray of shape (n_components, n_features, n_factors)
        Orthogonal columns, the longest first; of each the largest entry is positive.
    noise_variances_ : ndarray of shape (n_components,)
    posterior_covariances_ : ndarray of shape (n_components, n_factors, n_factors)
        Of a row's factors, given the row and its component.
    weights_, means_, covariances_, converged_, n_iter_, lower_bound_, lower_bounds_, \
            initial_lower_bound_, stop_reason_, restarts_, n_features_in_, feature_names_in_
        As in `GaussianMixture`.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, if there are not more features than factors, or
        if no start led to a model.

    Examples
    --------
    >>> from mixtures import MixtureOfPPCA
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> mixture = MixtureOfPPCA(3, n_factors=2, random_state=0).fit(X)
    >>> mixture.loadings_.shape, mixture.noise_variances_.shape
    ((3, 4, 2), (3,))
    >>> mixture.transform(X, component=0).shape
    (150, 2)
    """

    _noise = "isotropic"


class MixtureOfFactorAnalyzers(AbstractFactorMixture):
    """Mixture of factor analysers (Ghahramani and Hinton 1996; McLachlan and Peel 2000, chapter 8).

    ``x = mean_k + L_k z + e`` with probability ``weight_k``, where ``z ~ N(0, I)`` has `n_factors`
    numbers and ``e ~ N(0, P_k)``, P diagonal: the factors explain all that a component's features
    have in common. It is ``GaussianMixture(covariance_type=LowRank(n_factors, 'diagonal'))`` with
    what there is to say of the factors.

    Parameters
    ----------
    n_components : int, default=1
    n_factors : int, default=1
        Factors of each component, fewer than features.
    tol, reg_covar, max_iter, n_init, init_params, weights_init, means_init, random_state, \
            warm_start, verbose, verbose_interval, prior, weight_prior, acceleration, \
            component_order, n_threads
        As in `GaussianMixture`.

    Attributes
    ----------
    loadings_ : ndarray of shape (n_components, n_features, n_factors)
        Columns orthogonal in units of the noise, ``L' P^-1 L`` diagonal and decreasing; of each
        the largest entry is positive.
    noise_variances_ : ndarray of shape (n_components, n_features)
    posterior_covariances_ : ndarray of shape (n_components, n_factors, n_factors)
        Of a row's factors, given the row and its component.
    weights_, means_, covariances_, converged_, n_iter_, lower_bound_, lower_bounds_, \
            initial_lower_bound_, stop_reason_, restarts_, n_features_in_, feature_names_in_
        As in `GaussianMixture`.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, if there are not more features than factors, or
        if no start led to a model.

    Examples
    --------
    >>> from mixtures import MixtureOfFactorAnalyzers
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> mixture = MixtureOfFactorAnalyzers(2, n_factors=1, random_state=0).fit(X)
    >>> mixture.get_covariance().shape
    (2, 4, 4)
    >>> mixture.reconstruct(X).shape
    (150, 4)
    """

    _noise = "diagonal"

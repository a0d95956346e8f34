"""What mixtures of low-rank Gaussians say of their factors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from .._compat import Interval
from ..core import low_rank, validation
from ..core.discriminants import Array
from ..covariance import GaussianParams, LowRank
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

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Posterior means of all components' factors, side by side; see :meth:`factors`.

        How likely each component is, `predict_proba` says.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components * n_factors)
            In units of their prior's standard deviation; float32 for float32 rows.
        """
        rows = self._rows(X)
        blocks = [np.hstack([z for z, _ in parts]) for parts in self._latent(rows)]
        return np.vstack(blocks).astype(validation.float_type(rows), copy=False)

    def factors(self, X: ArrayLike, component: int) -> np.ndarray:
        """Posterior means of one component's factors, given the row and that it is of it.

        ``E[z | x, k] = (I + L_k' P_k^-1 L_k)^-1 L_k' P_k^-1 (x - mean_k)``

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        component : int

        Returns
        -------
        Z : ndarray of shape (n_samples, n_factors)
            In units of their prior's standard deviation; float32 for float32 rows.
        """
        rows, c = self._rows(X), self._component(component)
        blocks = [z for ((z, _),) in self._latent(rows, [c])]
        return np.vstack(blocks).astype(validation.float_type(rows), copy=False)

    def inverse_transform(self, X: ArrayLike, component: int | None = None) -> np.ndarray:
        """Rows expected given the factors of one component: ``E[x | z, k] = mean_k + L_k z``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_factors)
            Factors.
        component : int, default=None
            Whose factors they are; None where there is one component only.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        if component is None and len(self.means_) > 1:
            raise ValueError(
                f"{type(self).__name__} expects the component whose factors X has, from 0 to "
                f"{len(self.means_) - 1}, but got None. Use reconstruct for rows without noise."
            )
        Z, c = check_array(X, dtype=validation.FLOATS), self._component(component or 0)
        loadings = self.loadings_[c]
        if Z.shape[1] != loadings.shape[1]:
            raise ValueError(
                f"{type(self).__name__} expects the factors of one component, shape (n_samples, "
                f"{loadings.shape[1]}), but got {Z.shape}. Use factors(X, component={c})."
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
        for parts in self._latent(rows):
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

    def _given_start(self, n_features: int) -> dict[str, Array]:
        if self.n_factors >= n_features:
            raise ValueError(
                f"{type(self).__name__} expects more features than factors, but n_factors="
                f"{self.n_factors} and X has {n_features} feature(s). Use fewer factors, or "
                "GaussianMixture for none."
            )
        return super()._given_start(n_features)

    def _attribute_params(self) -> GaussianParams:
        fitted = self.loadings_.shape[2]
        if fitted != self.n_factors:
            raise ValueError(
                f"The model was fitted with n_factors={fitted}, but it is now {self.n_factors}. "
                "Fit again without warm_start, or set it back."
            )
        return super()._attribute_params()

    def _component(self, component: int) -> int:
        k = len(self.means_)
        if isinstance(component, bool) or component not in range(k):
            raise ValueError(
                f"{type(self).__name__} has components 0 to {k - 1}, but got component="
                f"{component!r}."
            )
        return int(component)

    def _latent(
        self, rows: np.ndarray, chosen: Iterable[int] | None = None
    ) -> Iterator[list[tuple[Array, Array]]]:
        """For blocks of rows: each chosen component's factors (b, q) and fitted rows (b, d)."""
        params = self._attribute_params()
        some = range(len(params.means)) if chosen is None else chosen
        whitened = self._structure.whitened(params)
        for lo in range(0, len(rows), BLOCK):
            block, parts = rows[lo : lo + BLOCK].astype(np.float64, copy=False), []
            for c in some:
                z = low_rank.posterior_means(whitened[c], block - params.means[c])
                parts.append((z, params.means[c] + z @ params.covariances[c, :, :-1].T))
            yield parts

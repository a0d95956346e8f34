"""Low-rank covariances: mixtures of probabilistic PCA and of factor analysers.

Shapes: k components, d features, q factors. Covariances are (k, d, 1 + q): the loadings of each
component and, in the last column, the noise variances.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any, Self

import numpy as np
from scipy.linalg import solve_triangular

from ..core import discriminants as kinds
from ..core import low_rank
from ..core import statistics as sums
from ..core.blas import one_blas_thread
from ..core.blocks import ArraySource
from ..core.discriminants import Array, Discriminants
from ..core.family import Sweep
from ..core.low_rank import Whitened
from ..core.statistics import SufficientStatistics
from ..core.unconstrained import Coordinates, LoadingsAndNoise
from . import low_rank_start as starts
from .base import EMPTY, Context, GaussianParams, log_weights, steps
from .factors import Factors

WIDE = 256
"""Features up to which a fit starts from whole covariances of clusters; beyond, from the leading
directions of some rows, so that memory and work stay linear in the features."""

RIVALS = 4
"""Random partitions that k-means' has to beat: components with long factors cross each other."""

NOISES = ("isotropic", "diagonal")
SHARED = 0.05
"""Rows like all others that a cluster's first covariance is blended with, relative to the mean
size of a cluster: relative, so that repeating all rows changes nothing."""
FREE_START = 30  # EM steps on a cluster's own covariance before the first on the rows


class LowRank(Factors):
    """``S_k = L_k L_k' + P_k``: loadings L (d, rank) and noise P, few numbers for many features.

    With isotropic noise, ``P = p I``, a component is probabilistic PCA (Tipping and Bishop 1999,
    Neural Computation 11); with diagonal noise, a factor analysis (Ghahramani and Hinton 1996;
    McLachlan and Peel 2000, chapter 8). A pass over the rows costs O(n k d rank), and memory is
    O(k d rank): there never is a matrix of d by d numbers beyond 256 features, but for the scale of
    a `NormalInverseWishart` prior, and in `certificate`.

    Parameters
    ----------
    rank : int, default=1
        Number of factors q, from 1 to d - 1.
    noise : {'isotropic', 'diagonal'}, default='isotropic'
        One variance for what the factors leave of all features, or one for each feature.

    Notes
    -----
    The M-step is that of parameter-expanded EM (Liu, Rubin and Wu 1998, Biometrika 85), in which
    the covariance of the factors is free, and folded into the loadings: with A the component's
    scatter per row, and ``B = L' S^-1`` the regression of the factors on a row,

    ``Szz = I - B L + B A B' = C C'``, ``L_new = A B' C'^-1``, ``P_new = diag(A - L_new L_new')``

    (its mean if isotropic). It needs ``A B'`` and the diagonal of A, not A. Rotations of a
    component's loadings change nothing; use `MixtureOfFactorAnalyzers` for factors as such.

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.covariance import LowRank
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> gm = GaussianMixture(3, covariance_type=LowRank(2, noise="diagonal"), random_state=0)
    >>> gm.fit(X).covariances_.shape  # loadings and noise variances
    (3, 4, 3)
    """

    moments = sums.FULL
    rivals = RIVALS
    rank: int
    noise: str

    def __init__(self, rank: int = 1, noise: str = "isotropic") -> None:
        if not isinstance(rank, Integral) or isinstance(rank, bool) or rank < 1:
            raise ValueError(
                f"LowRank expects rank to be a number of factors, an int >= 1, but got {rank!r}. "
                "Use covariance_type='spherical' or 'diag' for no factors."
            )
        if noise not in NOISES:
            raise ValueError(f"LowRank expects noise to be one of {NOISES}, but got {noise!r}.")
        self.rank, self.noise = rank, noise

    # ---- as a parameter ----------------------------------------------------------------------

    @property
    def isotropic(self) -> bool:  # type: ignore[override]
        return self.noise == "isotropic"

    @property
    def common_scale(self) -> bool:  # type: ignore[override]
        return self.isotropic

    @property
    def coordinates(self) -> LoadingsAndNoise:  # type: ignore[override]
        return LoadingsAndNoise(isotropic=self.isotropic)

    def parts(self, shape: tuple[int, ...]) -> list[tuple[Coordinates, tuple[int, ...]]]:
        return self.coordinates.parts(shape)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Rank and noise, so that searches can set ``covariance_type__rank``."""
        return {"rank": self.rank, "noise": self.noise}

    def set_params(self, **params: Any) -> Self:
        """Change rank or noise; nothing changes if one of them is refused."""
        for name in params:
            if name not in ("rank", "noise"):
                raise ValueError(
                    f"Invalid parameter {name!r} for LowRank, which has 'rank' and 'noise'."
                )
        self.__dict__.update(vars(LowRank(**{**self.get_params(), **params})))
        return self

    def __repr__(self) -> str:
        return f"LowRank(rank={self.rank}, noise={self.noise!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LowRank) and self.get_params() == other.get_params()

    def __hash__(self) -> int:
        return hash((self.rank, self.noise))

    def bind(self, n_features: int) -> LowRank:
        if self.rank >= n_features:
            less = f"a rank of at most {n_features - 1}, or " if n_features > 1 else ""
            raise ValueError(
                f"{self!r} expects more features than factors, but X has {n_features} feature(s). "
                f"Use {less}covariance_type='full' or 'diag'."
            )
        return self

    def measures_pairs(self, n_features: int) -> bool:
        return n_features <= WIDE

    # ---- E-step ------------------------------------------------------------------------------

    @one_blas_thread  # small products: other threads would only spin
    def discriminants(self, params: GaussianParams) -> Discriminants:
        k, d = params.means.shape
        q = params.covariances.shape[2] - 1
        slopes, offsets, bias = np.empty((k, d, 1 + q)), np.empty((k, d + q)), np.empty(k)
        for c, w in enumerate(self.whitened(params)):
            slopes[c, :, 0] = math.sqrt(0.5) * w.scale  # the half of a Gaussian's exponent
            slopes[c, :, 1:] = w.directions
            offsets[c, :d] = -slopes[c, :, 0] * params.means[c]
            offsets[c, d:] = w.shrinkage**2
            bias[c] = -0.5 * (w.log_det + d * low_rank.LOG_2_PI)
        bias += log_weights(params.weights)
        return Discriminants(kinds.LOW_RANK, slopes, offsets, bias, params.means)

    def moments_at_start(self, n_features: int) -> int:
        return sums.FULL if n_features <= WIDE else sums.DIAGONAL

    def sweep(self, params: GaussianParams, context: Context) -> Sweep:
        q = params.covariances.shape[2] - 1
        return Sweep(self.discriminants(params), sums.FACTORS + q)

    # ---- M-step ------------------------------------------------------------------------------

    @one_blas_thread  # small products: other threads would only spin
    def m_step(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        shift, mass = steps(stats, params, context)
        prior = context.prior
        away = prior.mean - params.means
        pull = prior.mean_precision
        spread = stats.counts + self.pseudo_rows(shift.shape, prior)
        covariances = params.covariances.copy()
        for c, w in enumerate(self.whitened(params)):
            if not spread[c] > EMPTY:
                continue
            B = (w.directions * (w.strengths * w.shrinkage**2)).T * w.scale
            gain = math.sqrt(2.0) * w.strengths * w.shrinkage**2
            AB = stats.second[c, 1:].T * gain  # of the rows; d by q
            AB -= np.outer(mass[c] * shift[c], B @ shift[c])
            own = stats.second[c, 0] - mass[c] * shift[c] ** 2
            if not prior.flat:
                AB += prior.scale @ B.T + pull * np.outer(away[c], B @ away[c])
                own = own + np.diagonal(prior.scale) + pull * away[c] ** 2
            AB = AB / spread[c] + context.ridge[:, None] * B.T
            own = own / spread[c] + context.ridge
            covariances[c] = self._update(w, B, AB, own)
        return params.means + shift, covariances

    def _update(self, w: Whitened, B: Array, AB: Array, own: Array) -> Array:
        """Loadings and noise (d, 1 + q) from A B' (d, q) and A's diagonal (d,); see the class."""
        szz = np.diag(w.shrinkage**2) + B @ AB
        lower = np.linalg.cholesky(0.5 * (szz + szz.T))
        loadings = solve_triangular(lower, AB.T, lower=True).T
        left = own - (loadings**2).sum(axis=1)
        if self.isotropic:
            noise = np.full(len(own), max(left.mean(), starts.TINY * own.mean()))
        else:
            noise = np.maximum(left, starts.TINY * own)
        return np.column_stack([loadings, noise])

    @one_blas_thread  # small products: other threads would only spin
    def start(
        self, stats: SufficientStatistics, params: GaussianParams, context: Context
    ) -> tuple[Array, Array]:
        """Each cluster's own loadings, from its covariance and a little of that of all rows.

        The latter counts as some rows more: clusters of few rows have no covariance to speak of.
        From variances alone (many features) they are all noise.
        """
        shift, mass = steps(stats, params, context)
        covariances, totals = params.covariances.copy(), context.totals
        some = SHARED * totals.weight / len(covariances)
        for c, n in enumerate(stats.counts):
            if not n > EMPTY:
                continue
            if stats.second.ndim < 3:
                own = stats.second[c] - mass[c] * shift[c] ** 2
                own = (own + some * totals.variances) / (n + some) + context.ridge
                own = np.full_like(own, own.mean()) if self.isotropic else own
                covariances[c] = np.column_stack([np.zeros((len(own), self.rank)), own])
                continue
            A = stats.second[c] - mass[c] * np.outer(shift[c], shift[c])
            A = (A + some * totals.covariance) / (n + some) + np.diag(context.ridge)
            covariances[c] = self._alone(A)
        return params.means + shift, covariances

    def _alone(self, A: Array) -> Array:
        """Loadings and noise (d, 1 + q) of one covariance (d, d), near their maximum."""
        new = starts.whole(A, self.rank, isotropic=self.isotropic)
        for _ in range(0 if self.isotropic else FREE_START):
            if not (new[:, -1] > 0).all():
                break
            w = low_rank.whiten(new[:, :-1], new[:, -1])
            B = (w.directions * (w.strengths * w.shrinkage**2)).T * w.scale
            new = self._update(w, B, A @ B.T, np.diagonal(A))
        return new

    def refine(self, params: GaussianParams, start: Any) -> Array:
        """With many features, the leading directions of the rows of a sample, each component's."""
        d = params.means.shape[1]
        if self.measures_pairs(d):
            return params.covariances
        sample = start.sample()
        with ArraySource(sample.points, n_threads=start.n_threads) as source:
            labels = source.posterior(self.discriminants(params))[0].argmax(axis=1)
        roots = np.sqrt(sample.weights / sample.weights.mean())
        away = (sample.points - params.means[labels]) * roots[:, None]
        covariances, variances = params.covariances.copy(), self.variances(params)
        for c in range(len(params.weights)):
            own = away[labels == c]
            rows = own if len(own) > self.rank + 1 else away  # else those of all components
            covariances[c] = starts.local(rows, variances[c], self.rank, isotropic=self.isotropic)
        return covariances

    def from_dense(self, covariance: Array, n_components: int) -> Array:
        one = starts.whole(covariance, self.rank, isotropic=self.isotropic)
        return np.repeat(one[None], n_components, axis=0)

    def pooled(self, context: Context, n_components: int) -> Array:
        if context.totals.squares is None:
            return super().pooled(context, n_components)
        noise = context.totals.variances + context.ridge
        noise = np.full_like(noise, noise.mean()) if self.isotropic else noise
        one = np.column_stack([np.zeros((len(noise), self.rank)), noise])
        return np.repeat(one[None], n_components, axis=0)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Loadings without the rotations that change nothing, and noise; at most a matrix's."""
        q, d = self.rank, n_features
        own = d * q - q * (q - 1) // 2 + (1 if self.isotropic else d)
        return n_components * min(own, d * (d + 1) // 2)

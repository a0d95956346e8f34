"""Conjugate priors: pseudo-data added to the sufficient statistics.

One M-step formula serves maximum likelihood and MAP: a prior adds pseudo-counts and pseudo-sums,
and the flat prior adds zeros. The objective that EM climbs and reports is log-likelihood plus
log-prior. k components, d features, N_k the responsibility-weighted count of component k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, multigammaln, xlogy

from .core.discriminants import Array, Frame

SINGULAR = 1e-12
"""Eigenvalues of a prior's scale below this share of the largest are rounding."""


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """Dirichlet prior on the mixing weights.

    Its pseudo-data are ``concentration - 1`` rows in each component, so that

    ``weight_k = (N_k + concentration_k - 1) / (N + sum(concentration) - k)``

    (Bishop 2006, exercise 9.18 and section 10.2.1). ``Dirichlet(1)`` is flat.

    Parameters
    ----------
    concentration : float or array-like of shape (k,), default=1.0
        Finite and at least one; below one the density is unbounded where a weight is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.priors import Dirichlet
    >>> Dirichlet(2.0).mode(np.array([0.0, 2.0]))
    array([0.25, 0.75])
    """

    concentration: ArrayLike = 1.0

    def __post_init__(self) -> None:
        a = np.asarray(self.concentration, dtype=float)
        if a.ndim > 1 or not np.all(np.isfinite(a) & (a >= 1)):
            raise ValueError(
                "Dirichlet expects concentration to be finite and >= 1 (a number, or one a "
                f"component), but got {self.concentration!r}. Below 1 the posterior has no "
                "maximum inside the simplex; use 1 for a flat prior."
            )

    def pseudo_counts(self, n_components: int) -> Array:
        """``concentration - 1`` for each of k components, shape (k,).

        Raises ValueError if `concentration` has another length.
        """
        a = np.asarray(self.concentration, dtype=float)
        if a.ndim == 1 and len(a) != n_components:
            raise ValueError(
                f"Dirichlet expects one concentration or one for each of the {n_components} "
                f"components, but got {len(a)}. Pass {n_components} of them."
            )
        return np.broadcast_to(a - 1.0, (n_components,))

    def mode(self, counts: Array) -> Array:
        """Weights (k,) of largest posterior density after `counts` (k,) rows were assigned."""
        mass = counts + self.pseudo_counts(len(counts))
        return mass / mass.sum()

    def log_density(self, weights: Array) -> float:
        """Log-density at `weights` (k,) in nats; zero everywhere for the flat prior."""
        extra = self.pseudo_counts(len(weights))
        if not extra.any():
            return 0.0
        a = extra + 1.0
        return float(xlogy(extra, weights).sum() + gammaln(a.sum()) - gammaln(a).sum())


@dataclass(frozen=True, eq=False)
class Gamma:
    """Gamma prior on rates, density proportional to ``rate**(shape - 1) exp(-rate_ * rate)``.

    Its pseudo-data are ``shape - 1`` events in ``rate`` rows, so that a Poisson component has

    ``rate_kj = (sum_i r_ik x_ij + shape - 1) / (N_k + rate)``

    (Bishop 2006, section 2.3.6 for the conjugacy). ``Gamma(1, 0)`` is flat.

    Parameters
    ----------
    shape : float, default=1.0
        At least one; below one the density is unbounded at rate zero.
    rate : float, default=0.0
        Rows of pseudo-data, at least zero.

    Examples
    --------
    >>> from mixtures.priors import Gamma
    >>> Gamma(shape=3.0, rate=1.0).pseudo_events
    2.0
    """

    shape: float = 1.0
    rate: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.shape) and self.shape >= 1):
            raise ValueError(
                f"Gamma expects shape to be finite and >= 1, but got {self.shape!r}. "
                "Use 1 for no pseudo-events."
            )
        if not (np.isfinite(self.rate) and self.rate >= 0):
            raise ValueError(
                f"Gamma expects rate to be finite and >= 0, but got {self.rate!r}. "
                "Use 0 for no pseudo-rows."
            )

    @property
    def pseudo_events(self) -> float:
        """``shape - 1``, events in each feature of each component."""
        return self.shape - 1.0

    def log_density(self, rates: Array) -> float:
        """Sum of log-densities at `rates` in nats, unnormalised where the prior is improper."""
        total = xlogy(self.pseudo_events, rates).sum() - self.rate * rates.sum()
        if self.rate > 0:
            total += rates.size * (self.shape * np.log(self.rate) - gammaln(self.shape))
        return float(total)


@dataclass(frozen=True, eq=False)
class NormalInverseWishart:
    """Normal-inverse-Wishart prior on the mean and covariance of Gaussian components.

    ``covariance_k ~ IW(degrees_of_freedom, scale)`` and
    ``mean_k | covariance_k ~ N(mean, covariance_k / mean_precision)``, independently. The
    pseudo-data are `mean_precision` rows at `mean` with scatter `scale`; the posterior mode is,
    for full covariances with c = mean_precision and nu = degrees_of_freedom,

    ``mean_k = (N_k xbar_k + c mean) / (N_k + c)``

    ``covariance_k = (scale + S_k + c N_k / (c + N_k) (xbar_k - mean)(xbar_k - mean)')
    / (N_k + nu + d + 2)``

    (Gelman et al. 2013, section 3.6; Fraley and Raftery 2007, J. Classification 24, whose
    denominators for tied, diagonal and spherical covariances are those of `mixtures.covariance`).

    Parameters
    ----------
    mean : array-like of shape (d,), or None
        None: the mean of the data.
    mean_precision : float, default=0.01
        Pseudo-rows behind `mean`; 0 leaves the means without a prior.
    degrees_of_freedom : float, or None
        None: ``d + 2``.
    scale : array-like of shape (d, d) or (d,) or a float, or None
        In squared units of the data. None: the covariance of the data, with divisor n - 1, over
        ``n_components**(2 / d)``, mclust's default for full covariances. A vector is a diagonal
        matrix, a number that multiple of the identity.

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.datasets import load_faithful
    >>> from mixtures.priors import NormalInverseWishart
    >>> X = load_faithful().data
    >>> GaussianMixture(3, prior=NormalInverseWishart(), random_state=0).fit(X).converged_
    True
    """

    mean: ArrayLike | None = None
    mean_precision: float = 0.01
    degrees_of_freedom: float | None = None
    scale: ArrayLike | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean_precision) and self.mean_precision >= 0):
            raise ValueError(
                "NormalInverseWishart expects mean_precision to be finite and >= 0 rows, but got "
                f"{self.mean_precision!r}. Use 0 for no prior on the means."
            )

    def resolve(self, n_components: int, mean: Array, covariance: Array) -> ResolvedNIW:
        """All hyperparameters as arrays, data-scaled defaults filled in from the data's moments.

        Parameters
        ----------
        n_components : int
        mean : ndarray of shape (d,)
            Of the data.
        covariance : ndarray of shape (d, d)
            Of the data.
        """
        d = len(mean)
        centre = mean if self.mean is None else np.asarray(self.mean, dtype=float)
        if centre.shape != (d,) or not np.isfinite(centre).all():
            raise ValueError(
                f"NormalInverseWishart expects mean to have {d} finite numbers, one a feature, but "
                f"got shape {centre.shape}. Pass the centre you expect, or None for the data's."
            )
        dof = d + 2.0 if self.degrees_of_freedom is None else float(self.degrees_of_freedom)
        if not (np.isfinite(dof) and dof > d - 1):
            raise ValueError(
                f"NormalInverseWishart expects degrees_of_freedom > n_features - 1 = {d - 1}, but "
                f"got {dof:g}. Use None for n_features + 2."
            )
        if self.scale is None:
            scale = covariance / n_components ** (2.0 / d)
        else:
            scale = np.asarray(self.scale, dtype=float)
            scale = np.diag(np.broadcast_to(scale, (d,))) if scale.ndim < 2 else scale
        if scale.shape != (d, d) or not np.allclose(scale, scale.T):
            raise ValueError(
                f"NormalInverseWishart expects scale to be symmetric of shape ({d}, {d}), or a "
                f"vector or number that stands for a diagonal, but got shape {scale.shape}."
            )
        eigenvalues = np.linalg.eigvalsh(scale)
        if eigenvalues[0] < -SINGULAR * eigenvalues[-1]:
            raise ValueError(
                "NormalInverseWishart expects scale to be positive semi-definite, but its smallest "
                f"eigenvalue is {eigenvalues[0]:g}. Check the signs of its entries."
            )
        return ResolvedNIW(centre, float(self.mean_precision), dof, scale)


@dataclass(frozen=True, eq=False)
class ResolvedNIW:
    """A normal-inverse-Wishart prior with all its hyperparameters, in some coordinates."""

    mean: Array  # (d,)
    mean_precision: float
    degrees_of_freedom: float
    scale: Array  # (d, d)
    flat: bool = False
    log_scale: Array | float = 0.0  # (d,), of the frame that the coordinates are of

    @classmethod
    def none(cls, n_features: int) -> ResolvedNIW:
        """The flat prior: all that it adds is zero."""
        d = n_features
        return cls(np.zeros(d), 0.0, 0.0, np.zeros((d, d)), flat=True)

    def pseudo_rows(self, from_scale: float, from_means: float) -> float:
        """What is added to the divisor of a covariance, ``nu + from_scale + from_means``.

        The powers of the determinant in the densities of the covariance and, if there is a prior
        on them, of the means.
        """
        if self.flat:
            return 0.0
        return self.degrees_of_freedom + from_scale + from_means * (self.mean_precision > 0)

    def to_frame(self, frame: Frame) -> ResolvedNIW:
        """The same prior on parameters expressed in a frame's coordinates."""
        scale = self.scale * frame.scale * frame.scale[:, None]
        return replace(
            self, mean=frame.to_frame(self.mean), scale=scale, log_scale=np.log(frame.scale)
        )

    def log_normaliser(self) -> float:
        """Log of what multiplies the inverse-Wishart kernel, as far as `scale` is not singular."""
        eigenvalues = np.linalg.eigvalsh(self.scale)
        if not eigenvalues[0] > SINGULAR * eigenvalues[-1]:
            # Improper: no density normalises it; but the objective must not depend on the frame.
            return float(self.degrees_of_freedom * np.sum(self.log_scale))
        log_det = float(np.log(eigenvalues).sum())
        d, dof = len(self.mean), self.degrees_of_freedom
        return float(0.5 * dof * log_det - 0.5 * dof * d * np.log(2) - multigammaln(0.5 * dof, d))

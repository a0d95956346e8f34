"""The normal-inverse-Wishart prior, on means and covariances."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import multigammaln

from ..core.discriminants import Array, Frame

SINGULAR = 1e-12
"""Eigenvalues of a prior's scale below this share of the largest are rounding."""


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
    def none(cls, n_features: int, *, pairs: bool = True) -> ResolvedNIW:
        """The flat prior: all that it adds is zero. Without `pairs`, it has no matrix of zeros."""
        d = n_features
        zeros = np.zeros((d, d) if pairs else (0, 0))
        return cls(np.zeros(d), 0.0, 0.0, zeros, flat=True)

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

"""Noise of one variance for all features, and its limit of zero: PPCA and PCA.

What each of the two says of a decomposition in principal axes, and of a model fitted with it.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from ..core import low_rank, validation
from ..core.discriminants import Array
from ..exceptions import DegenerateDataWarning
from .fitted import Fitted
from .principal import Principal

FLOOR = 1e-12
"""Least noise variance, relative to the largest variance of a direction."""


def say_floored(why: str, stacklevel: int = 7) -> None:
    """DegenerateDataWarning that the noise is held at its floor."""
    warnings.warn(
        f"{why} the likelihood is unbounded as the noise vanishes. noise_variance_ is held at "
        f"{FLOOR:g} of the largest variance. Use fewer components, or noise='zero'.",
        DegenerateDataWarning,
        stacklevel=stacklevel,
    )


class AbstractNoise(ABC):
    """The noise of a model with principal axes."""

    has_density: ClassVar[bool]
    n_parameters: ClassVar[int]

    @abstractmethod
    def most(self, n_rows: int, n_features: int) -> tuple[int, str]:
        """How many factors may be asked for: that number, and how it comes about."""

    @abstractmethod
    def room(self, found: Principal) -> int:
        """How many factors the data have room for, given all their variances."""

    @abstractmethod
    def variance(self, found: Principal) -> float:
        """The variance of the noise, in the frame's units."""

    @abstractmethod
    def fitted(self, model: Any) -> Fitted:
        """A fitted model as numbers to predict with."""

    @abstractmethod
    def means(self, model: Any, fitted: Fitted, away: Array) -> Array:
        """Factors (n, q) of complete rows (n, d) in the fitted model's frame."""

    @abstractmethod
    def decoder(self, model: Any) -> np.ndarray:
        """What turns factors (n, q) into rows about the mean: (q, d)."""


class Isotropic(AbstractNoise):
    """``sigma^2 I``: factors are posterior means."""

    has_density, n_parameters = True, 1

    def most(self, n_rows: int, n_features: int) -> tuple[int, str]:
        return min(n_rows, n_features - 1), "min(n_samples, n_features - 1)"

    def room(self, found: Principal) -> int:
        """All directions whose variance is above the floor, but one that the noise needs."""
        varied = int((found.variances > FLOOR * found.variances.max(initial=0.0)).sum())
        return max(varied - 1, 0)

    def variance(self, found: Principal) -> float:
        if found.constant:
            raise ValueError(
                "ProbabilisticPCA expects rows that differ, but all rows of positive weight are "
                "equal, to rounding: the likelihood has no maximum. Pass other rows, or use "
                "noise='zero'."
            )
        q, d = found.axes.shape
        largest = max(float(found.variances.max(initial=0.0)), found.total / d)
        noise = found.rest / (d - q)
        if noise >= FLOOR * largest:
            return noise
        say_floored(
            f"Only {found.rank} of {d} directions have variance beyond rounding of the largest, so "
            f"with n_components={q}",
            6,
        )
        return FLOOR * largest

    def fitted(self, model: Any) -> Fitted:
        d = len(model.mean_)
        return Fitted.of(model.mean_, model.loadings_, np.full(d, model.noise_variance_))

    def means(self, model: Any, fitted: Fitted, away: Array) -> Array:
        return low_rank.posterior_means(fitted.whitened, away)

    def decoder(self, model: Any) -> np.ndarray:
        return model.loadings_.T


class NoNoise(AbstractNoise):
    """The limit of none: factors are scores, in the units of the data."""

    has_density, n_parameters = False, 0

    def most(self, n_rows: int, n_features: int) -> tuple[int, str]:
        return min(n_rows, n_features), "min(n_samples, n_features)"

    def room(self, found: Principal) -> int:
        """All directions with variance."""
        return found.rank

    def variance(self, found: Principal) -> float:
        if found.constant:
            warnings.warn(
                "All rows of positive weight are equal, to rounding: there is no direction of "
                "largest variance, and the components are arbitrary. Pass other rows.",
                DegenerateDataWarning,
                stacklevel=5,
            )
        return 0.0

    def fitted(self, model: Any) -> Fitted:
        variances = np.asarray(model.explained_variance_, dtype=np.float64)
        axes, d = np.asarray(model.components_, dtype=np.float64), len(model.mean_)
        # With all directions kept the covariance is that of noise of the least variance, and of
        # factors that have what the others have beyond.
        least = float(variances[-1]) if len(variances) == d else 0.0
        loadings = axes.T * np.sqrt(variances - least)
        return Fitted.of(model.mean_, loadings, np.full(d, least))

    def means(self, model: Any, fitted: Fitted, away: Array) -> Array:
        return (away / fitted.frame.scale) @ model.components_.astype(np.float64).T

    def decoder(self, model: Any) -> np.ndarray:
        return model.components_


NOISES: dict[str, AbstractNoise] = {"isotropic": Isotropic(), "zero": NoNoise()}


def closed_form(found: Principal, noise: float) -> float:
    """Log-likelihood in nats per row, in the frame: ``-(d log 2 pi + log det S + tr S^-1 C) / 2``.

    S has the principal variances of the covariance C, or the noise's where that is larger.
    """
    q, d = found.axes.shape
    variances = np.maximum(found.variances, noise)
    log_det = float(np.log(variances).sum())
    trace = float((found.variances / variances).sum())
    if d > q:
        log_det += (d - q) * float(np.log(noise))
        trace += found.rest / noise
    return -0.5 * (d * low_rank.LOG_2_PI + log_det + trace)


def varies_everywhere(variances: np.ndarray, n_features: int) -> bool:
    """Whether principal variances (q,) make a density without noise."""
    return len(variances) == n_features and bool(variances[-1] > FLOOR * variances[0])


def spherical_attributes(
    found: Principal, noise: float, rows: np.ndarray, total: float
) -> dict[str, Any]:
    """Fitted attributes, in the units and the precision of the rows, which count as `total`."""
    frame, dtype, q = found.frame, validation.float_type(rows), len(found.axes)
    unit = 1.0 / float(frame.scale[0])
    spread = np.sqrt(found.variances)
    beyond = np.maximum(found.variances - noise, 0.0)  # less than the noise has: no factor
    whole = found.total if found.total > 0 else 1.0
    within = np.maximum(found.variances, noise) if noise > 0 else np.ones(q)
    arrays = {
        "components_": found.axes,
        "explained_variance_": (spread * unit) ** 2,
        "explained_variance_ratio_": found.variances / whole,
        "singular_values_": spread * np.sqrt(total) * unit,
        "loadings_": found.axes.T * (np.sqrt(beyond) * unit),
        "mean_": frame.centre,
        "posterior_covariance_": np.diag(noise / within),
    }
    attributes: dict[str, Any] = {
        name: array.astype(dtype, copy=False) for name, array in arrays.items()
    }
    attributes |= {"noise_variance_": noise * unit**2, "n_components_": q, "n_samples_": len(rows)}
    if noise > 0 or varies_everywhere(found.variances, found.axes.shape[1]):
        attributes["log_likelihood_"] = closed_form(found, noise) + frame.log_jacobian
    return attributes

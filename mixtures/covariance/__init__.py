"""Covariance structures of Gaussian components.

`STRUCTURES` is the one place where scikit-learn's names are mapped to objects.
"""

from .base import AbstractCovariance, Context, GaussianParams
from .matrices import Full, Tied
from .variances import Diagonal, Spherical

STRUCTURES: dict[str, AbstractCovariance] = {
    "full": Full(),
    "tied": Tied(),
    "diag": Diagonal(),
    "spherical": Spherical(),
}

__all__ = [
    "STRUCTURES",
    "AbstractCovariance",
    "Context",
    "Diagonal",
    "Full",
    "GaussianParams",
    "Spherical",
    "Tied",
]

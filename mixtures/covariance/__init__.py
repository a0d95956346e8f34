"""Covariance structures of Gaussian components.

`STRUCTURES` is the one place where scikit-learn's names are mapped to objects.
"""

from .base import AbstractCovariance, Context, GaussianParams
from .low_rank import LowRank
from .matrices import Full, Tied
from .variances import Diagonal, Spherical

STRUCTURES: dict[str, AbstractCovariance] = {
    "full": Full(),
    "tied": Tied(),
    "diag": Diagonal(),
    "spherical": Spherical(),
    "ppca": LowRank(1, "isotropic"),
    "factor": LowRank(1, "diagonal"),
}

__all__ = [
    "STRUCTURES",
    "AbstractCovariance",
    "Context",
    "Diagonal",
    "Full",
    "GaussianParams",
    "LowRank",
    "Spherical",
    "Tied",
]

"""Mixture proportions for known densities: the estimator, the responsibility map, derivatives."""

from .derivatives import proportions_jvp, proportions_vjp, responsibility_jvp, responsibility_vjp
from .estimator import DynamicResponsibility
from .functions import log_likelihood, optimality_gap, responsibility_map, responsibility_orbit

__all__ = [
    "DynamicResponsibility",
    "responsibility_map",
    "responsibility_orbit",
    "log_likelihood",
    "optimality_gap",
    "responsibility_jvp",
    "responsibility_vjp",
    "proportions_jvp",
    "proportions_vjp",
]

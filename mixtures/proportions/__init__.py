"""Mixture proportions for known densities."""

from .estimator import DynamicResponsibility

__all__ = ["DynamicResponsibility"]

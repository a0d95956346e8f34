"""Gaussian mixtures: the family, and the estimator."""

from .estimator import GaussianMixture
from .family import Gaussian

__all__ = ["Gaussian", "GaussianMixture"]

"""Gaussian mixtures: the family, and the estimators."""

from .estimator import GaussianMixture
from .factor_mixtures import MixtureOfFactorAnalyzers, MixtureOfPPCA
from .family import Gaussian

__all__ = ["Gaussian", "GaussianMixture", "MixtureOfFactorAnalyzers", "MixtureOfPPCA"]

"""Latent linear-Gaussian models: principal components, probabilistic or not, factor analysis."""

from .analysis import FactorAnalysis
from .goodness import FitTest
from .ppca import ProbabilisticPCA

__all__ = ["FactorAnalysis", "FitTest", "ProbabilisticPCA"]

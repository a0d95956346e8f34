"""Classical mixture modelling, scikit-learn compatible."""

from ._version import __version__
from .bernoulli import BernoulliMixture
from .categorical import CategoricalMixture
from .factor import FactorAnalysis, ProbabilisticPCA
from .gaussian import GaussianMixture, MixtureOfFactorAnalyzers, MixtureOfPPCA
from .kmeans import KMeans, kmeans_plusplus
from .label_shift import PriorShiftClassifier
from .mixed import MixedMixture
from .neural import ResponsibleSoftmaxClassifier
from .poisson import PoissonMixture
from .proportions import DynamicResponsibility

__all__ = [
    "BernoulliMixture",
    "CategoricalMixture",
    "DynamicResponsibility",
    "FactorAnalysis",
    "GaussianMixture",
    "KMeans",
    "MixedMixture",
    "MixtureOfFactorAnalyzers",
    "MixtureOfPPCA",
    "PoissonMixture",
    "PriorShiftClassifier",
    "ProbabilisticPCA",
    "ResponsibleSoftmaxClassifier",
    "kmeans_plusplus",
    "__version__",
]

"""Classical mixture modelling, scikit-learn compatible."""

from ._version import __version__
from .bernoulli import BernoulliMixture
from .gaussian import GaussianMixture
from .kmeans import KMeans, kmeans_plusplus
from .poisson import PoissonMixture

__all__ = [
    "BernoulliMixture",
    "GaussianMixture",
    "KMeans",
    "PoissonMixture",
    "kmeans_plusplus",
    "__version__",
]

"""Classical mixture modelling, scikit-learn compatible."""

from ._version import __version__
from .gaussian import GaussianMixture
from .poisson import PoissonMixture

__all__ = ["GaussianMixture", "PoissonMixture", "__version__"]

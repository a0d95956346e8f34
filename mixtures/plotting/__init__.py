"""Pictures of fitted mixtures, classifiers and searches, in scikit-learn's Display convention.

A display holds the numbers of a picture; `plot` draws them, as often as wanted; ``from_...`` makes
and draws one. Only this package imports matplotlib, and only when something is drawn.
"""

from .convergence import ConvergenceDisplay
from .criterion import InformationCriterionDisplay
from .loadings import LoadingsDisplay
from .mixture import MixtureDisplay
from .prior_curve import PriorCurveDisplay
from .proportions import OrbitDisplay
from .prototypes import PrototypeDisplay
from .regions import ClassRegionsDisplay
from .report import save_report
from .shares import ClassShareDisplay

__all__ = [
    "ClassRegionsDisplay",
    "ClassShareDisplay",
    "ConvergenceDisplay",
    "InformationCriterionDisplay",
    "LoadingsDisplay",
    "MixtureDisplay",
    "OrbitDisplay",
    "PriorCurveDisplay",
    "PrototypeDisplay",
    "save_report",
]

"""Pictures of fitted mixtures and of searches, in scikit-learn's Display convention.

A display holds the numbers of a picture; `plot` draws them, as often as wanted; ``from_...`` makes
and draws one. Only this package imports matplotlib, and only when something is drawn.
"""

from .convergence import ConvergenceDisplay
from .criterion import InformationCriterionDisplay
from .mixture import MixtureDisplay
from .proportions import OrbitDisplay
from .prototypes import PrototypeDisplay
from .report import save_report
from .shares import ClassShareDisplay

__all__ = [
    "ClassShareDisplay",
    "ConvergenceDisplay",
    "InformationCriterionDisplay",
    "MixtureDisplay",
    "OrbitDisplay",
    "PrototypeDisplay",
    "save_report",
]

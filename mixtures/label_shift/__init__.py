"""Label shift: class shares of unlabelled rows, and classifiers adapted to them."""

from .classifier import PriorShiftClassifier
from .estimate import PriorEstimate

__all__ = ["PriorEstimate", "PriorShiftClassifier"]

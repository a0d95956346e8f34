"""Neural networks whose last layer is a mixture's E-step: the responsible softmax."""

from .classifier import ResponsibleSoftmaxClassifier
from .layers import ACTIVATIONS, Dense
from .losses import CrossEntropy
from .responsible import ResponsibleSoftmax

__all__ = [
    "ACTIVATIONS",
    "CrossEntropy",
    "Dense",
    "ResponsibleSoftmax",
    "ResponsibleSoftmaxClassifier",
]

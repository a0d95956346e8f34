"""Mixtures of columns of different kinds: each block of columns with its own family."""

from .estimator import MixedMixture

__all__ = ["MixedMixture"]

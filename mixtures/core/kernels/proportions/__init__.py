"""Kernels on rows whose component densities are known; use ``kernels.load("proportions")``."""

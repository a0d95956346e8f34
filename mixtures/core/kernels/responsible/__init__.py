"""Kernels of the responsible softmax on one batch of rows; use ``kernels.load("responsible")``."""

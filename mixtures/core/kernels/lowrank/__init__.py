"""Kernels of components with low-rank covariances; see `plain.py` for what they compute."""

"""K-means: the estimator, and its seeding as a function."""

from .estimator import KMeans
from .seeds import kmeans_plusplus

__all__ = ["KMeans", "kmeans_plusplus"]

"""The kernels of k-means: hard assignment, sums by label, and prices of seeds."""

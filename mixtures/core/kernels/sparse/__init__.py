"""The kernels of k-means on rows of a CSR matrix."""

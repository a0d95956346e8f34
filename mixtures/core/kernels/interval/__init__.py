"""The kernel of exact k-means in one dimension: costs of intervals, and one more cluster."""

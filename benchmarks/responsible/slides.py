"""What was published, to stand beside our figures.

From the slides of the defence (R. D. Coatney, University of Arizona, 2018 to 2020), and from the
author's sheets of all runs. Classes are the slides', 1 to 5; rows of a confusion table are true
classes, columns predicted ones, in % of all test rows.
"""

from __future__ import annotations

import numpy as np

NETS = ("Net 1", "Net 2", "Net 3", "Net 4")

RECALL = {
    "Net 1": (0.999, 0.000, 0.966, 0.000, 0.999),
    "Net 2": (0.997, 0.027, 0.953, 0.090, 0.997),
    "Net 3": (0.988, 0.194, 0.894, 0.364, 0.989),
    "Net 4": (0.930, 0.882, 0.868, 0.969, 0.922),
}
PRECISION = {
    "Net 1": (0.936, 0.000, 0.998, 0.000, 0.979),
    "Net 2": (0.935, 0.209, 0.998, 0.401, 0.898),
    "Net 3": (0.934, 0.279, 0.999, 0.385, 0.918),
    "Net 4": (0.988, 0.289, 0.999, 0.380, 0.996),
}
CONFUSION = {
    "Net 1": [
        [30.253, 0, 0.027, 0, 0],
        [1.680, 0, 0, 0, 0],
        [0.328, 0, 32.206, 0, 0.706],
        [0, 0, 0.033, 0, 3.207],
        [0, 0, 0.021, 0, 31.539],
    ],
    "Net 2": [
        [30.165, 0.101, 0.014, 0, 0],
        [1.616, 0.063, 0, 0, 0],
        [0.398, 0.114, 31.739, 0.330, 0.659],
        [0, 0, 0.031, 0.333, 2.875],
        [0, 0, 0.012, 0.082, 31.466],
    ],
    "Net 3": [
        [29.897, 0.374, 0.009, 0, 0],
        [1.273, 0.406, 0.001, 0, 0],
        [0.658, 0.595, 29.916, 1.329, 0.743],
        [0, 0, 0.013, 1.221, 2.006],
        [0, 0, 0, 0.340, 31.220],
    ],
    "Net 4": [
        [26.842, 3.438, 0, 0, 0],
        [0.044, 1.636, 0, 0, 0],
        [0.075, 1.841, 28.737, 2.540, 0.047],
        [0, 0, 0.027, 3.122, 0.092],
        [0, 0, 0, 2.463, 29.097],
    ],
}

# Means over all runs in the author's sheets: 1 280 or 640 of a net, and 320 of a wide one.
AUTHOR_RECALL = {
    "Net 1": (0.999, 0.000, 0.965, 0.000, 1.000),
    "Net 2": (0.996, 0.037, 0.951, 0.103, 0.997),
    "Net 3": (0.989, 0.194, 0.888, 0.360, 0.990),
    "Net 4": (0.895, 0.961, 0.852, 0.970, 0.910),
}
WIDE_RECALL = {
    "Net 1": (0.989, 0.341, 0.985, 0.824, 0.990),
    "Net 2": (0.928, 1.000, 0.921, 0.988, 0.941),
    "Net 3": (0.895, 1.000, 0.881, 0.989, 0.915),
    "Net 4": (0.909, 1.000, 0.893, 0.997, 0.933),
}
CRESCENT_DIAGONAL = {
    "Net 1": (195, 64, 10, 196),
    "Net 2": (192, 78, 15, 191),
    "Net 3": (192, 78, 15, 186),
    "Net 4": (192, 79, 16, 184),
}
MNIST_ERROR = {"runs": 120, "softmax": 3.15, "Net 2": 4.00, "Net 3": 4.83, "Net 4": 3.53}  # %


def precision_of(table: np.ndarray) -> np.ndarray:
    """Precision by class from a confusion table, zero where no row is predicted to be of it."""
    table = np.asarray(table, dtype=float)
    predicted = table.sum(axis=0)
    return np.divide(np.diag(table), predicted, out=np.zeros(len(table)), where=predicted > 0)

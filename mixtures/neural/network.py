"""A multilayer perceptron: dense layers, activations between them, logits at the end.

Parameters are one vector, in which each layer has its weights and then its biases, so that an
optimiser is a few operations on vectors whatever the layers are.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from .layers import ACTIVATIONS, Dense, namespace_of


class Network:
    """Layers of given widths.

    Parameters
    ----------
    sizes : sequence of int
        Number of features, of units in each hidden layer, and of classes.
    activation : str
        A key of `ACTIVATIONS`.
    """

    def __init__(self, sizes: tuple[int, ...], activation: str) -> None:
        self.sizes = tuple(sizes)
        self.activation = activation
        self._activation, self._dense = ACTIVATIONS[activation], Dense()
        self._shapes = list(pairwise(self.sizes))
        self._slices, at = [], 0
        for rows, columns in self._shapes:
            middle = at + rows * columns
            self._slices.append((slice(at, middle), slice(middle, middle + columns)))
            at = middle + columns
        self.n_parameters = at

    def start(self, rng: np.random.RandomState, last: Any = 0.0) -> np.ndarray:
        """Weights uniform in +-sqrt(6 / (in + out)) (Glorot and Bengio 2010), biases zero.

        But for those of the `last` layer, which are given.
        """
        theta = np.zeros(self.n_parameters)
        for (weights, _), (rows, columns) in zip(self._slices, self._shapes, strict=True):
            bound = math.sqrt(6.0 / (rows + columns))
            theta[weights] = rng.uniform(-bound, bound, rows * columns)
        theta[self._slices[-1][1]] = last
        return theta

    def is_weight(self) -> np.ndarray:
        """(n_parameters,), 1 for weights and 0 for biases."""
        mask = np.zeros(self.n_parameters)
        for weights, _ in self._slices:
            mask[weights] = 1.0
        return mask

    def unpack(self, theta: Any) -> list[tuple[Any, Any]]:
        """Weights (in, out) and biases (out,) of each layer."""
        xp = namespace_of(theta)
        parts = zip(self._slices, self._shapes, strict=True)
        return [(xp.reshape(theta[w], shape), theta[b]) for (w, b), shape in parts]

    def pack(self, coefs: Any, intercepts: Any) -> np.ndarray:
        """The vector of the layers' parameters."""
        parts = [np.ravel(a) for pair in zip(coefs, intercepts, strict=True) for a in pair]
        return np.concatenate(parts)

    def forward(self, layers: list[tuple[Any, Any]], X: Any) -> tuple[Any, Any]:
        """Logits (n, K) of rows X (n, d), with weights and biases as from `unpack`."""
        saved = []
        for number, (W, b) in enumerate(layers, start=1):
            X, of_layer = self._dense.forward(X, W, b)
            of_activation = None
            if number < len(layers):
                X, of_activation = self._activation.forward(X, overwrite=True)
            saved.append((of_layer, of_activation))
        return X, saved

    def backward(self, saved: Any, cotangent: Any) -> Any:
        """The gradient (n_parameters,) from the cotangent (n, K) of the logits."""
        xp = namespace_of(cotangent)
        gradients: list[Any] = []
        for number in reversed(range(len(saved))):
            of_layer, of_activation = saved[number]
            if number < len(saved) - 1:
                cotangent, _ = self._activation.backward(of_activation, cotangent, overwrite=True)
            cotangent, found = self._dense.backward(of_layer, cotangent, inputs=number > 0)
            gradients[:0] = [xp.reshape(found["weights"], (-1,)), found["biases"]]
        return xp.concat(gradients)

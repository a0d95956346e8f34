"""Dense layers and activations, as pairs of a forward and a backward function.

``forward(...) -> (output, saved)``, ``backward(saved, cotangent) -> (input cotangent, gradients)``.
n rows; arrays are of one array-API namespace, and rows that enter the first layer may be CSR.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .._compat import array_namespace

WIDE = 256  # units


def namespace_of(array: Any) -> Any:
    """The array's module: NumPy's own, without the wrapper that takes as long as small sums."""
    return np if isinstance(array, np.ndarray) else array_namespace(array)


def column_sums(array: Any) -> Any:
    """Sums over rows; of NumPy's arrays without its wrapper, too."""
    if isinstance(array, np.ndarray):
        return np.add.reduce(array, axis=0)
    return namespace_of(array).sum(array, axis=0)


class Dense:
    """The affine map ``Z = X W + b``.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.neural import Dense
    >>> Z, saved = Dense().forward(np.array([[1.0, 2.0]]), np.eye(2), np.array([0.5, 0.0]))
    >>> Z
    array([[1.5, 2. ]])
    >>> Dense().backward(saved, np.array([[1.0, 0.0]]))[1]["weights"]
    array([[1., 0.],
           [2., 0.]])
    """

    def forward(self, X: Any, W: Any, b: Any) -> tuple[Any, Any]:
        """Z (n, m) of X (n, d), W (d, m) and b (m,)."""
        Z = X @ W
        Z += b
        return Z, (X, W)

    def backward(self, saved: Any, dZ: Any, inputs: bool = True) -> tuple[Any, dict[str, Any]]:
        """Cotangents of X (n, d), None unless `inputs`, and of ``weights`` and ``biases``."""
        X, W = saved
        # From a wide layer to few units BLAS takes half as long the other way round.
        wide = X.shape[1] >= max(WIDE, 8 * dZ.shape[1])
        weights = (dZ.T @ X).T if wide else X.T @ dZ
        gradients = {"weights": weights, "biases": column_sums(dZ)}
        return dZ @ W.T if inputs else None, gradients


class Activation(ABC):
    """A function of each number.

    `overwrite` lets the first array's memory be used for the result, where that is NumPy's: a wide
    layer's temporaries are otherwise fetched from the system anew in every update, which takes
    longer than the arithmetic.
    """

    @abstractmethod
    def forward(self, Z: Any, overwrite: bool = False) -> tuple[Any, Any]:
        """H (n, m) of Z (n, m), and what `backward` needs."""

    @abstractmethod
    def backward(self, saved: Any, dH: Any, overwrite: bool = False) -> tuple[Any, dict[str, Any]]:
        """The cotangent of Z from that of H; there are no parameters. May overwrite `saved`."""


def _apply(function: Any, Z: Any, overwrite: bool) -> Any:
    """``function(Z)``, in Z's memory where that is allowed and possible."""
    return function(Z, out=Z) if overwrite and isinstance(Z, np.ndarray) else function(Z)


def _square(H: Any, overwrite: bool) -> Any:
    if overwrite:
        H *= H
        return H
    return H * H


class Identity(Activation):
    """The activation ``H = Z``."""

    def forward(self, Z: Any, overwrite: bool = False) -> tuple[Any, Any]:
        return Z, None

    def backward(self, saved: Any, dH: Any, overwrite: bool = False) -> tuple[Any, dict[str, Any]]:
        return dH, {}


class Tanh(Activation):
    """The activation ``H = tanh Z``, with the derivative ``1 - H^2``."""

    def forward(self, Z: Any, overwrite: bool = False) -> tuple[Any, Any]:
        H = _apply(namespace_of(Z).tanh, Z, overwrite)
        return H, H

    def backward(self, saved: Any, dH: Any, overwrite: bool = False) -> tuple[Any, dict[str, Any]]:
        slope = _square(saved, overwrite)
        if isinstance(slope, np.ndarray):
            np.subtract(1.0, slope, out=slope)
        else:
            slope = 1.0 - slope
        slope *= dH
        return slope, {}


class Logistic(Activation):
    """The activation ``H = 1 / (1 + exp(-Z))``, with the derivative ``H (1 - H)``."""

    def forward(self, Z: Any, overwrite: bool = False) -> tuple[Any, Any]:
        with np.errstate(over="ignore"):  # 1 / inf is the zero that is meant
            H = _apply(namespace_of(Z).exp, -Z, True)
        H += 1.0
        H = 1.0 / H
        return H, H

    def backward(self, saved: Any, dH: Any, overwrite: bool = False) -> tuple[Any, dict[str, Any]]:
        slope = saved - _square(saved, False)
        slope *= dH
        return slope, {}


class ReLU(Activation):
    """The activation ``H = max(Z, 0)``, with the derivative 0 at 0."""

    def forward(self, Z: Any, overwrite: bool = False) -> tuple[Any, Any]:
        xp = namespace_of(Z)
        zero = xp.zeros_like(Z[:1, :1])
        H = _apply(lambda Z, **out: xp.maximum(Z, zero, **out), Z, overwrite)
        return H, H

    def backward(self, saved: Any, dH: Any, overwrite: bool = False) -> tuple[Any, dict[str, Any]]:
        slope = namespace_of(dH).astype(saved > 0, dH.dtype)
        slope *= dH
        return slope, {}


ACTIVATIONS: dict[str, Activation] = {
    "identity": Identity(),
    "logistic": Logistic(),
    "relu": ReLU(),
    "tanh": Tanh(),
}
"""By scikit-learn's names."""

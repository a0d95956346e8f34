"""Dense layers and activations, as pairs of a forward and a backward function.

``forward(...) -> (output, saved)``, ``backward(saved, cotangent) -> (input cotangent, gradients)``.
n rows; arrays are of one array-API namespace, and rows that enter the first layer may be CSR.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from .._compat import array_namespace


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
        gradients = {"weights": X.T @ dZ, "biases": column_sums(dZ)}
        return dZ @ W.T if inputs else None, gradients


class Identity:
    """The activation ``H = Z``."""

    def forward(self, Z: Any) -> tuple[Any, Any]:
        return Z, None

    def backward(self, saved: Any, dH: Any) -> tuple[Any, dict[str, Any]]:
        return dH, {}


class Tanh:
    """The activation ``H = tanh Z``, with the derivative ``1 - H^2``."""

    def forward(self, Z: Any) -> tuple[Any, Any]:
        H = namespace_of(Z).tanh(Z)
        return H, H

    def backward(self, saved: Any, dH: Any) -> tuple[Any, dict[str, Any]]:
        slope = saved * saved
        slope *= dH
        return dH - slope, {}


class Logistic:
    """The activation ``H = 1 / (1 + exp(-Z))``, with the derivative ``H (1 - H)``."""

    def forward(self, Z: Any) -> tuple[Any, Any]:
        if isinstance(Z, np.ndarray):
            H = expit(Z)
        else:  # exp(-|Z|) cannot overflow
            xp = namespace_of(Z)
            small = xp.exp(-xp.abs(Z))
            H = xp.where(Z >= 0, xp.ones_like(Z), small) / (1.0 + small)
        return H, H

    def backward(self, saved: Any, dH: Any) -> tuple[Any, dict[str, Any]]:
        return dH * saved * (1.0 - saved), {}


class ReLU:
    """The activation ``H = max(Z, 0)``, with the derivative 0 at 0."""

    def forward(self, Z: Any) -> tuple[Any, Any]:
        xp = namespace_of(Z)
        H = xp.maximum(Z, xp.zeros_like(Z[:1, :1]))
        return H, H

    def backward(self, saved: Any, dH: Any) -> tuple[Any, dict[str, Any]]:
        xp = namespace_of(dH)
        return dH * xp.astype(saved > 0, dH.dtype), {}


ACTIVATIONS: dict[str, Any] = {
    "identity": Identity(),
    "logistic": Logistic(),
    "relu": ReLU(),
    "tanh": Tanh(),
}
"""By scikit-learn's names."""

"""Where arrays live: the one module that resolves array namespaces, and the only one for CuPy.

Rows in NumPy, a data frame, a list or CSR are computed with NumPy, unless a device is asked for;
rows in CuPy, or any other namespace of the array-API standard, stay where they are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .._compat import array_namespace


class Backend(NamedTuple):
    """An array module, a device of it, and the type of numbers."""

    xp: Any
    device: Any
    dtype: Any

    @property
    def is_host(self) -> bool:
        return self.xp is np

    def put(self, array: Any, dtype: Any = None) -> Any:
        """An array from wherever it is, of the backend's type of numbers if no other is given."""
        dtype = dtype or self.dtype
        if self.is_host:
            return np.asarray(to_host(array), dtype=dtype)
        if is_foreign(array) and not (
            array_namespace(array) is self.xp and array.device == self.device
        ):
            array = to_host(array)
        return self.xp.asarray(array, dtype=dtype, device=self.device)

    def put_indices(self, array: np.ndarray) -> Any:
        return array if self.is_host else self.put(array, self.xp.int64)


def is_foreign(X: Any) -> bool:
    """Whether X is an array of another namespace than NumPy's."""
    if isinstance(X, np.ndarray) or sparse.issparse(X) or not hasattr(X, "dtype"):
        return False
    if not (hasattr(X, "__array_namespace__") or hasattr(X, "__dlpack__")):
        return False
    try:
        return array_namespace(X) is not None and not hasattr(X, "iloc")
    except TypeError:
        return False


def backend_of(X: Any, device: str | None) -> Backend:
    """That of checked rows X, or of the device that is asked for.

    Raises
    ------
    ImportError
        Where CuPy is asked for and not installed.
    RuntimeError
        Where it finds no GPU.
    ValueError
        For sparse rows on a GPU.
    """
    if device == "cuda" and not is_foreign(X):
        if sparse.issparse(X):
            raise ValueError(
                "device='cuda' expects dense rows, but X is sparse. Use X.toarray() if it fits "
                "into the GPU's memory, or device=None."
            )
        cupy = cuda()
        return Backend(array_namespace(cupy.empty(0)), cupy.cuda.Device(), X.dtype.type)
    if is_foreign(X):
        return Backend(array_namespace(X), X.device, X.dtype)
    return Backend(np, "cpu", X.dtype.type)


def cuda() -> Any:
    """CuPy, where it and a GPU are at hand."""
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            f"device='cuda' expects CuPy, which cannot be imported ({error}). Install the extra "
            "'gpu' (pip install 'mixtures-learn[gpu]'), or use device=None."
        ) from error
    if not cupy.is_available():
        raise RuntimeError(
            "device='cuda' expects a GPU, but CuPy finds none that it can use. Use device=None."
        )
    return cupy


def to_host(array: Any) -> Any:
    """A NumPy array of an array of any namespace; anything else as it is."""
    if isinstance(array, (np.ndarray, np.generic)) or not is_foreign(array):
        return array
    if hasattr(array, "get"):  # CuPy
        return array.get()
    if hasattr(array, "detach"):  # PyTorch
        return array.detach().cpu().numpy()
    try:
        return np.asarray(array)
    except (TypeError, RuntimeError, ValueError):  # a device of array_api_strict
        xp = array_namespace(array)
        return np.asarray(array.to_device(xp.Device("CPU_DEVICE")))


def wide_type(xp: Any, device: Any) -> Any:
    """Double precision, or single where the device has no other."""
    kinds = xp.__array_namespace_info__().dtypes(device=device, kind="real floating")
    return kinds.get("float64", xp.float32)

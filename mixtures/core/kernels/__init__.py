"""The E-step's kernels: the only package that imports numba, and only when a fit asks for them.

``load()`` returns a module with `rows`, `workspace`, `accumulate`, `posterior`,
`triangular_discriminants` and `full_m_step`: `compiled`, or its plain NumPy twin where
``MIXTURES_KERNELS=plain`` says so or numba is missing. ``load("kmeans")`` does the same for the
kernels of k-means, ``load("sparse")`` for those on CSR rows, ``load("interval")`` for those of the
exact k-means of one feature, ``load("responsible")`` for those of a responsible softmax.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def load(part: str = "") -> ModuleType:
    """The module of kernels to use; the first call compiles or loads them.

    `part` is "" for the E-step, or the name of a package beside this file.
    """
    chosen = os.environ.get("MIXTURES_KERNELS", "compiled")
    if chosen not in ("compiled", "plain"):
        raise ValueError(f"MIXTURES_KERNELS must be 'compiled' or 'plain', not {chosen!r}.")
    if chosen == "compiled":
        try:
            import_module("numba")
        except ImportError as error:
            warnings.warn(
                f"numba cannot be imported ({error}): mixtures falls back to plain NumPy, which "
                "gives the same results many times more slowly. Install numba to change that.",
                RuntimeWarning,
                stacklevel=2,
            )
            chosen = "plain"
    return import_module(".".join(filter(None, (__name__, part, chosen))))

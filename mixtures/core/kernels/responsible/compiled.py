"""The responsible softmax compiled: namesakes of `plain.py`."""

from __future__ import annotations

import numpy as np

from ..build import compiled
from . import drivers, plain

LEAST = 1e-290
"""Of a class's share, in numbers and not in logarithms: responsibilities that the exponential
flushes to zero, below e^-708, are then less than 1e-16 of it. Below, it is the plain twin's turn,
which has logarithms throughout."""

_LINE, _ROWS = "float64[::1]", "float64[:, ::1]"
_forward = compiled(drivers.forward, f"float64({_ROWS}, {_LINE}, {_LINE}, {_ROWS}, {_ROWS})")
_backward = compiled(
    drivers.backward,
    f"boolean({_ROWS}, {_LINE}, {_ROWS}, {_ROWS}, {_LINE}, {_ROWS}, {_LINE}, float64, {_ROWS}, "
    f"{_LINE})",
)
_OWN = np.empty(0)


def forward(logits, share, pseudo, log_start, n_iter):
    """Priors and log-posterior of a batch; see `plain.forward`."""
    values = _read(logits)
    path, log_posterior = np.empty((n_iter + 1, values.shape[1])), np.empty(values.shape)
    path[0] = log_start
    if _forward(values, _read(share), _read(pseudo), path, log_posterior) >= LEAST:
        return path, log_posterior
    return plain.forward(logits, share, pseudo, log_start, n_iter)


def backward(logits, share, here, there, last, cotangent, given=None):
    """Cotangents of the logits and of the first prior; see `plain.backward`."""
    values, cotangent = _read(logits), _read(cotangent)
    pulled, v = np.empty(values.shape), np.empty(values.shape[1])
    first = _OWN if given is None else _read(given)
    here, there, last = _read(here), _read(there), _read(last)
    if _backward(values, _read(share), here, there, last, cotangent, first, LEAST, pulled, v):
        return pulled, v
    return plain.backward(logits, share, here, there, last, cotangent, given)


def _read(array):
    """What the kernels take: contiguous doubles, writeable, for which there is one code."""
    flags = array.flags
    if array.dtype == np.float64 and flags.c_contiguous and flags.writeable and flags.aligned:
        return array
    return np.array(array, np.float64, order="C")

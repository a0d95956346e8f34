"""The responsible softmax compiled: namesakes of `plain.py`."""

from __future__ import annotations

import numpy as np

from ..build import compiled
from . import drivers, plain

LEAST = 1e-290
"""Of a class's share, in numbers and not in logarithms: responsibilities that the exponential
flushes to zero, below e^-708, are then less than 1e-16 of it. Below, it is the plain twin's turn,
which has logarithms throughout."""

_IN, _LINE = "Array(float64, 2, 'C', readonly=True)", "Array(float64, 1, 'C', readonly=True)"
_OUT = "float64[:, ::1]"
_forward = compiled(drivers.forward, f"float64({_IN}, {_LINE}, {_LINE}, {_OUT}, {_OUT})")
_backward = compiled(drivers.backward, f"void({_IN}, {_LINE}, {_IN}, {_IN}, float64[::1], {_OUT})")


def forward(logits, share, pseudo, log_start, n_iter):
    """Priors and log-posterior of a batch; see `plain.forward`."""
    values, line, start = _read(logits), _read(share), _read(log_start)
    path = np.empty((n_iter + 1, values.shape[1]))
    path[0] = start
    log_posterior = np.empty(values.shape)
    least = _forward(values, line, _read(pseudo), path, log_posterior)
    if not least >= LEAST:
        return plain.forward(logits, share, pseudo, log_start, n_iter)
    return path, log_posterior


def backward(logits, share, here, there, log_posterior, cotangent, transform=None):
    """Cotangents of the logits and of the first prior; see `plain.backward`."""
    if here.shape[0] and not _least(there) >= LEAST:
        return plain.backward(logits, share, here, there, log_posterior, cotangent, transform)
    cotangent = np.asarray(cotangent, np.float64)
    pulled = np.exp(log_posterior)
    pulled *= -cotangent.sum(axis=1, keepdims=True)
    pulled += cotangent
    v = pulled.sum(axis=0)
    if transform is not None:
        v = transform @ v
    if here.shape[0]:
        _backward(_read(logits), _read(share), _read(here), _read(there), v, pulled)
    return pulled, v


def _read(array):
    """What a kernel reads; a view that is not writeable, for which there is one code."""
    view = np.require(array, np.float64, "CA").view()
    view.flags.writeable = False
    return view


def _least(log_priors):
    """The least share of a class that is not excluded; NaN where there is one."""
    return np.exp(np.where(log_priors == -np.inf, 0.0, log_priors)).min()

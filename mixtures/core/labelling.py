"""Labels, inertia and distances of rows about centres given in the units of the data.

A fit ends with the code that predictions run, so that they agree to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from sklearn.utils.validation import validate_data

from . import validation
from .blocks import ArraySource
from .discriminants import Array, Frame
from .point_frame import FAR, Rows, coarse, frame_centres, open_points
from .points import DensePoints, Labels
from .sparse_points import canonical

BLOCK = 2**20  # numbers in a block of rows of which copies are made
CANCELLED = 1e-3
"""Share of ``|x|^2 + |c|^2`` below which their difference to ``2 x c`` has lost digits."""


def check_points(estimator: Any, X: Any, *, reset: bool) -> Rows:
    """X as floats of shape (n, d), finite, dense or CSR with each entry stored once."""
    validation.refuse_lazy_array(type(estimator).__name__, X)
    if not issparse(X):
        return validation.check_rows(estimator, X, reset=reset)
    rows = validate_data(estimator, X, accept_sparse="csr", dtype=validation.FLOATS, reset=reset)
    return canonical(rows)


def labels_of(X: Rows, centres: np.ndarray, n_threads: int | None) -> Labels:
    """Index (n,) of the centre (k, d) nearest to each row; of equally near ones the first."""
    centres = centres.astype(np.float64)
    return _labels(X, centres, *frame_centres(centres, X), n_threads)


def label(
    X: Rows, sample_weight: Array | None, centres: np.ndarray, n_threads: int | None
) -> tuple[Labels, float, int]:
    """Labels (n,) of the nearest centres (k, d), the inertia in squared units of the data, and how
    many centres have rows.

    The inertia, the weighted sum of squared distances, is infinite if no float is so large.
    """
    centres = centres.astype(np.float64)
    frame, furthest = frame_centres(centres, X)
    labels = _labels(X, centres, frame, furthest, n_threads)
    frame = coarse(frame, furthest)
    with open_points(X, sample_weight, frame, n_threads) as points:
        inertia, totals = points.summarise(frame.to_frame(centres), labels)
    scale = float(frame.scale[0])
    return labels, float(inertia) / scale / scale, int(np.count_nonzero(totals[:, -1]))


def _labels(
    X: Rows, centres: Array, frame: Frame, furthest: float, n_threads: int | None
) -> Labels:
    z, labels = frame.to_frame(centres), np.full(X.shape[0], -1, np.int32)
    if furthest * float(frame.scale[0]) > FAR:
        _label_far_rows(X, frame, z, labels)
        near = labels < 0
        rest = labels[near]
        if len(rest):
            with open_points(X[near], None, frame, n_threads) as points:
                points.assign(z, rest)
        labels[near] = rest
        return labels
    with open_points(X, None, frame, n_threads) as points:
        points.assign(z, labels)
    return labels


def _label_far_rows(X: Rows, frame: Frame, centres: Array, labels: Labels) -> None:
    """Label rows so far away that the centres (k, d) hardly differ, by ``|c|^2 - 2 z c``."""
    norms, unit = (centres**2).sum(axis=1), np.frexp(frame.scale[0])[1]
    step = max(1, BLOCK // X.shape[1])
    for lo in range(0, X.shape[0], step):
        half = 0.5 * dense(X[lo : lo + step]) - 0.5 * frame.centre
        size = np.abs(half).max(axis=1, keepdims=True)
        far = np.flatnonzero(size > 0.5 * FAR / frame.scale[0])
        exponent = np.frexp(size[far])[1]
        direction = np.ldexp(half[far], -exponent)  # z = direction * 2 ** (exponent + unit)
        values = np.ldexp(norms, -exponent - unit)
        values = values - 2.0 * np.einsum("nd,kd->nk", direction, centres)
        labels[lo + far] = values.argmin(axis=1)


def dense(X: Rows) -> Array:
    """A copy of rows as a float64 array."""
    return (X.toarray() if issparse(X) else X).astype(np.float64)


def distances(X: Rows, centres: np.ndarray, n_threads: int | None) -> np.ndarray:
    """Euclidean distances (n, k) of rows to centres (k, d), in the precision of the rows."""
    centres = centres.astype(np.float64)
    frame, furthest = frame_centres(centres, X)
    wide = coarse(frame, furthest)
    if wide is frame and not issparse(X):
        with ArraySource(X, frame=frame, n_threads=n_threads) as source:
            unit = 1.0 / float(frame.scale[0])
            return DensePoints(source).distances(frame.to_frame(centres), unit, X.dtype)
    out = np.empty((X.shape[0], len(centres)), X.dtype)
    step = max(1, BLOCK // (X.shape[1] + len(centres)))
    for lo in range(0, len(out), step):
        block = X[lo : lo + step]
        found = _distances(block, centres, frame)
        if wide is not frame:
            lost = np.flatnonzero(~(found < np.inf).all(axis=1))
            found[lost] = _distances(block[lost], centres, wide)
        out[lo : lo + step] = found
    return out


def _distances(X: Rows, centres: Array, frame: Frame) -> Array:
    z, scale = frame.to_frame(centres), frame.scale[0]
    with np.errstate(over="ignore", invalid="ignore"):
        if issparse(X):
            return _sparse_distances(X.astype(np.float64) * scale, z) / scale
        return cdist(frame.to_frame(X.astype(np.float64)), z) / scale


def _sparse_distances(Z: Any, centres: Array) -> Array:
    """Expanded ``|z|^2 - 2 z c + |c|^2``; rows for which that cancels are made dense."""
    norms = np.asarray(Z.multiply(Z).sum(axis=1)).reshape(-1, 1) + (centres**2).sum(axis=1)
    squared = norms - 2.0 * (Z @ centres.T)
    out = np.sqrt(np.maximum(squared, 0.0))
    lost = np.flatnonzero((squared < CANCELLED * norms).any(axis=1))
    step = max(1, BLOCK // Z.shape[1])
    for lo in range(0, len(lost), step):
        rows = lost[lo : lo + step]
        out[rows] = cdist(dense(Z[rows]), centres)
    return out

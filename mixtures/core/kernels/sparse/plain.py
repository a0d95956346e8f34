"""k-means on rows of a CSR matrix, in NumPy and SciPy: the twin that tests the compiled kernels.

It also runs where numba does not. Every function here has a compiled namesake in `compiled.py` with
the same arguments and, to rounding, the same results. Rows have sorted features, none twice, and
lie in a frame that is centred at zero, ``z = x * scale``.

Of products with all centres only the stored numbers of a row have a part. So the nearest centre
is the one of largest ``v_c = m_c z - |m_c|^2 / 2``; where the two largest differ by less than
rounding can have done, the row's squared distances are summed feature by feature instead, as for
dense rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ..kmeans.plain import KEPT, _squared_distances, splitmix

BLOCK = 1024  # rows: (BLOCK, k) temporaries stay in the cache
NUMBERS = 2**17  # in a block of rows that are made dense
EPS = 2.0**-52
SMALLEST = 2.0**-1000
DIGITS = 2.0**20
"""Differences below so many rounding errors are summed feature by feature before they are used."""


class Rows(NamedTuple):
    """Rows bound to the kernels."""

    X: Any  # CSR (n, d)
    weight: np.ndarray  # (n,), or (0,) for ones
    scale: float


class About(NamedTuple):
    """Centres as the kernels want them."""

    centres: np.ndarray  # (k, d)
    norms: np.ndarray  # (k,), |m|^2
    twins: np.ndarray  # (k,), index of the first centre equal to each


def bind(X, sample_weight, scale):
    """Bind rows to the kernels once per fit: the handle that the functions below take first.

    X : CSR of shape (n, d), float32 or float64, indices of 32 or 64 bits, sorted, none twice
    sample_weight : ndarray of shape (n,), or None
    scale : float, the frame's
    """
    weight = np.empty(0) if sample_weight is None else np.asarray(sample_weight, np.float64)
    return Rows(X, weight, scale)


def prepare(centres):
    """Centres (k, d) as `assign`, `inertia` and `potentials` want them, once for all blocks."""
    norms = (centres**2).sum(axis=1)
    twins, first = np.arange(len(centres)), {}
    if len(np.unique(norms)) < len(norms):
        for c, row in enumerate(centres + 0.0):
            twins[c] = first.setdefault(row.tobytes(), c)
    return About(centres, norms, twins)


def workspace(handle, k):
    """Scratch memory for one thread and k centres; the plain twin needs none."""
    return None


def rounding(length, norm, largest):
    """How far rounding may have moved the difference of two values v_c of a row.

    `length` products, their sum, and ``|m|^2 / 2`` summed in pairs, each off by half an EPS of
    numbers that do not exceed ``norm + largest``, the squares of the row and of the largest
    centre; twice the sum of it all.
    """
    return (4.0 * length + 32.0) * EPS * (norm + largest) + SMALLEST


def _weights(handle, rows):
    return handle.weight[rows] if handle.weight.size else np.ones(len(rows))


def _blocks(handle, lo, hi, size):
    """Blocks of rows lo..hi: their indices, where they are in the range, and Z (b, d), CSR."""
    for start in range(lo, hi, max(1, size)):
        rows = np.arange(start, min(start + max(1, size), hi))
        Z = handle.X[start : rows[-1] + 1].astype(np.float64) * handle.scale
        yield rows, slice(start - lo, rows[-1] + 1 - lo), Z


def _squares(Z):
    """Squared norms (b,) of the rows."""
    return np.asarray(Z.multiply(Z).sum(axis=1)).reshape(-1)


def _exact(Z, rows, centres, squared):
    """Write the squared distances of some rows, subtracted before they are squared."""
    step = max(1, NUMBERS // Z.shape[1])
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        squared[some] = _squared_distances(Z[some].toarray(), centres)


def _gaps(squared, slack):
    """Differences (b,) of the distances to the two nearest centres, rather too small."""
    nearest = np.partition(squared, min(1, squared.shape[1] - 1), axis=1)[:, :2]
    if squared.shape[1] == 1:
        return np.full(len(squared), np.inf)
    near, far = nearest[:, 0] + slack, nearest[:, 1] - slack
    return np.sqrt(np.maximum(far, 0.0)) - np.sqrt(np.maximum(near, 0.0))


def assign(handle, lo, hi, about, labels, margins, shrinkage, workspace):
    """Label rows lo..hi by the nearest centre; return (rows relabelled, fall of inertia).

    labels (hi - lo,) and margins (hi - lo,) or (0,) IN-OUT, shrinkage (k,): as in `assign` of
    dense rows. The totals are left to `tally`.
    """
    changed, gain = 0, 0.0
    for rows, here, Z in _blocks(handle, lo, hi, BLOCK):
        norm, every = _squares(Z), np.arange(len(rows))
        slack = rounding(np.diff(Z.indptr), norm, about.norms.max())
        values = Z @ about.centres.T - 0.5 * about.norms
        squared = norm[:, None] - 2.0 * values
        old, new = labels[here].copy(), values.argmax(axis=1)
        top, values[every, new] = values[every, new], -np.inf
        doubt = ~(top - values.max(axis=1) > slack)
        _exact(Z, np.flatnonzero(doubt), about.centres, squared)
        new[doubt] = squared[doubt].argmin(axis=1)
        if margins.size:
            left = np.where(old < 0, -1.0, (margins[here] - shrinkage[old]) * KEPT)
            new = np.where(left > 0, old, new)
            gaps = KEPT * _gaps(squared, 2.0 * slack * ~doubt)
            margins[here] = np.where(left > 0, left, gaps)
        moved = np.flatnonzero(new != old)
        again = moved[old[moved] >= 0]
        fall = squared[again, old[again]] - squared[again, new[again]]
        _exact(Z, again[fall < 2.0 * DIGITS * slack[again]], about.centres, squared)
        fall = squared[again, old[again]] - squared[again, new[again]]
        gain += float(_weights(handle, rows[again]) @ fall)
        changed += len(moved)
        labels[here] = new
    return changed, gain


def tally(handle, before, after, first, last, totals):
    """Move rows from the totals of the label `before` to those of the label `after`, in order.

    before, after (n,) int32, -1 for no label; totals (k, d + 2) IN-OUT, as in `assign` of dense
    rows, of which only the lines first..last are touched.
    """
    moved = np.flatnonzero(before != after)
    for labels, sign in ((after, 1.0), (before, -1.0)):
        rows = moved[(labels[moved] >= first) & (labels[moved] < last)]
        own, w = labels[rows], _weights(handle, rows)
        Z = handle.X[rows].astype(np.float64) * handle.scale
        select = csr_array((sign * w, (own, np.arange(len(rows)))), (len(totals), len(rows)))
        totals[:, :-2] += (select @ Z).toarray()
        totals[:, -2] += sign * np.bincount(own, w, len(totals))
        totals[:, -1] += sign * np.bincount(own, minlength=len(totals))


def inertia(handle, lo, hi, about, labels, out):
    """Weighted sum of squared distances of rows lo..hi to the centres that their labels name.

    labels (hi - lo,), at least 0. The squared distances are written to out, (hi - lo,) or (0,).
    """
    total = 0.0
    for rows, here, Z in _blocks(handle, lo, hi, NUMBERS // handle.X.shape[1]):
        squared = ((Z.toarray() - about.centres[labels[here]]) ** 2).sum(axis=1)
        total += float(_weights(handle, rows) @ squared)
        if out.size:
            out[here] = squared
    return total


def potentials(handle, lo, hi, about, closest, sums, workspace):
    """Take the first centre for a seed, and price each of the others as the next.

    closest (hi - lo,) float32 and sums (l,), IN-OUT: as in `potentials` of dense rows.
    """
    for rows, here, Z in _blocks(handle, lo, hi, NUMBERS // handle.X.shape[1]):
        squared = np.array([((Z.toarray() - c) ** 2).sum(axis=1) for c in about.centres]).T
        with np.errstate(over="ignore"):  # beyond single precision: infinitely far
            nearest = np.minimum(closest[here], squared[:, 0].astype(np.float32))
        closest[here] = nearest
        sums += _weights(handle, rows) @ np.minimum(nearest[:, None], squared)


def hashes(handle, rows, salt):
    """A 64-bit hash (m,), uint64, of some rows (m,) in the frame: that of the rows made dense.

    What is not stored is zero, and zeros add nothing to the sum that is hashed.
    """
    X = handle.X[rows]
    with np.errstate(over="ignore"):
        bits = (X.data.astype(np.float64) * handle.scale + 0.0).view(np.uint64)
        multipliers = splitmix(np.uint64(salt) + X.indices.astype(np.uint64)) | np.uint64(1)
        total = np.full(len(rows), np.uint64(salt))
        terms = (bits ^ (bits >> np.uint64(32))) * multipliers
        np.add.at(total, np.repeat(np.arange(len(rows)), np.diff(X.indptr)), terms)
        return splitmix(total)

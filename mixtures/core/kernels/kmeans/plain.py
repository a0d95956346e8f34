"""The kernels of k-means written plainly in NumPy: the twin that tests the compiled ones.

Rows belong to the nearest of k centres. It also runs where numba does not. Every function here has
a compiled namesake in `compiled.py` with the same arguments and, to rounding, the same results;
labels are the same but for ties to the last bit. Rows are bound by `rows`, as for the E-step.
"""

from __future__ import annotations

import numpy as np

from ..plain import BLOCK, rows

__all__ = [
    "assign",
    "assignment_workspace",
    "distances",
    "hashes",
    "place",
    "potentials",
    "rows",
    "seeding_workspace",
    "splitmix",
    "summarise",
]

KEPT = 1.0 - 2.0**-20
"""Of a margin, when it is written as a float: it must never be too large."""


def _framed(handle, lo, hi, centre, scale):
    """Blocks of rows lo..hi: where they are in the range, Z (b, d) in the frame, weights (b,)."""
    X, sample_weight = handle
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        Z = (X[start:stop].astype(np.float64) - centre) * scale
        w = np.ones(len(Z)) if sample_weight is None else sample_weight[start:stop]
        yield slice(start - lo, stop - lo), Z, w


def _squared_distances(Z, centres):
    """(b, k), subtracted before they are squared, so that equal rows have equal distances."""
    out = np.zeros((len(Z), len(centres)))
    for j in range(Z.shape[1]):
        out += (Z[:, [j]] - centres[:, j]) ** 2
    return out


def _add_rows(totals, labels, Z, w, sign):
    k = len(totals)
    for j in range(Z.shape[1]):
        totals[:, j] += sign * np.bincount(labels, w * Z[:, j], k)
    totals[:, -2] += sign * np.bincount(labels, w, k)
    totals[:, -1] += sign * np.bincount(labels, minlength=k)


def assign(handle, lo, hi, centre, scale, centres, labels, margins, shrinkage, totals, workspace):
    """Label rows lo..hi by the nearest of `centres`; return (rows relabelled, fall of inertia).

    Parameters
    ----------
    handle, lo, hi, centre, scale : as in `accumulate`
    centres : ndarray of shape (k, d), in the frame
    labels : ndarray of shape (hi - lo,), int32, IN-OUT
        -1 for a row that has none yet. The nearest centre is the one of least squared distance,
        subtracted before squaring; of equal ones the first.
    margins : ndarray of shape (hi - lo,), float32, IN-OUT, or of shape (0,)
        How far centres may move before the row's label can change: the difference of the
        distances to the two nearest centres. `shrinkage` is subtracted from it; where it stays
        positive the row is passed over, elsewhere it is computed anew.
    shrinkage : ndarray of shape (k,)
        For a row of each label: how far its own centre and the fastest other have moved since.
    totals : ndarray of shape (k, d + 2), IN-OUT
        For each centre the sum of its rows, of their weights, and their number; rows that change
        their label are moved.
    """
    changed, gain = 0, 0.0
    for here, Z, w in _framed(handle, lo, hi, centre, scale):
        squared = _squared_distances(Z, centres)
        old, new = labels[here].copy(), squared.argmin(axis=1)
        if margins.size:
            left = (margins[here] - shrinkage[old]) * KEPT
            margins[here] = np.where(old < 0, -1.0, left)
            safe = margins[here] > 0
            new[safe] = old[safe]
            nearest = np.sqrt(np.partition(squared, min(1, len(centres) - 1), axis=1)[:, :2])
            gap = np.full(len(Z), np.inf) if len(centres) == 1 else nearest[:, 1] - nearest[:, 0]
            margins[here][~safe] = (KEPT * gap[~safe]).astype(np.float32)
        moved = np.flatnonzero(new != old)
        again = moved[old[moved] >= 0]
        _add_rows(totals, new[moved], Z[moved], w[moved], 1.0)
        _add_rows(totals, old[again], Z[again], w[again], -1.0)
        labels[here] = new
        gain += float(w[again] @ (squared[again, old[again]] - squared[again, new[again]]))
        changed += len(moved)
    return changed, gain


def summarise(handle, lo, hi, centre, scale, centres, labels, totals, workspace):
    """Add rows lo..hi to the totals (k, d + 2) of their labels; return their inertia.

    The inertia is the weighted sum of squared distances to the centres that the labels name.
    """
    inertia = 0.0
    for here, Z, w in _framed(handle, lo, hi, centre, scale):
        own = labels[here]
        _add_rows(totals, own, Z, w, 1.0)
        inertia += float(w @ ((Z - centres[own]) ** 2).sum(axis=1))
    return inertia


def potentials(handle, lo, hi, centre, scale, candidates, closest, sums, workspace):
    """Take the first of `candidates` (l, d) for a seed, and price each of the others as the next.

    ``closest = min(closest, |z - candidates[0]|^2)``, the squared distance to the nearest seed,
    and ``sums[c] += sum w min(closest, |z - candidates[c]|^2)``.

    closest (hi - lo,) float32, IN-OUT; sums (l,), IN-OUT.
    """
    for here, Z, w in _framed(handle, lo, hi, centre, scale):
        squared = _squared_distances(Z, candidates)
        with np.errstate(over="ignore"):  # beyond single precision: infinitely far
            nearest = np.minimum(closest[here], squared[:, 0].astype(np.float32))
        closest[here] = nearest
        sums += w @ np.minimum(nearest[:, None], squared)


def distances(handle, lo, hi, centre, scale, centres, unit, out, workspace):
    """Write ``unit * |z - centre_k|`` of rows lo..hi to out (hi - lo, k), float32 or float64."""
    for here, Z, _ in _framed(handle, lo, hi, centre, scale):
        out[here] = np.sqrt(_squared_distances(Z, centres)) * unit


def hashes(X, salt, scale):
    """A 64-bit hash (n,), uint64, of each row of ``X * scale`` (n, d), the same for 0.0 and -0.0.

    Universal hashing of the features, ``sum_j fold(bits_j) multiplier_j``, and the finaliser of
    splitmix64. Folding brings the leading bits, the only ones by which small integers differ, to
    where they multiply into all bits of the product.
    """
    with np.errstate(over="ignore"):
        total = np.full(len(X), np.uint64(salt))
        for j in range(X.shape[1]):
            bits = (X[:, j].astype(np.float64) * scale + 0.0).view(np.uint64)
            multiplier = splitmix(np.uint64(salt) + np.uint64(j)) | np.uint64(1)
            total += (bits ^ (bits >> np.uint64(32))) * multiplier
        return splitmix(total)


def splitmix(h):
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014), a bijection of 64 bits."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def place(numbers, offset, free, members):
    """Put rows ``offset + arange(m)`` where their bins have room: a counting sort, in order.

    numbers (m,) intp, the bin of each row; free IN-OUT, where the next row of each bin goes;
    members OUT, of any integers.
    """
    order = np.argsort(numbers, kind="stable")
    ranked = numbers[order]
    first = np.searchsorted(ranked, ranked)  # where the run of equal bins begins
    members[free[ranked] + np.arange(len(ranked)) - first] = offset + order
    np.add.at(free, numbers, 1)


def assignment_workspace(n_features, n_components):
    """Scratch memory for one thread, for `assign` and `summarise`: none is needed here."""
    return None


def seeding_workspace(n_features, n_candidates):
    """Scratch memory for one thread, for `potentials`: none is needed here."""
    return None

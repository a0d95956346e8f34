"""The E-step of low-rank covariances in NumPy: the twin that tests the compiled kernels.

Arguments are those of the E-step's `plain.py`. Of a component, with q factors,

- ``slopes[c]`` (d, 1 + q) has the whitening scale of each feature and the orthonormal directions,
- ``offsets[c]`` (d + q) has what is added to a whitened feature, and how much of the square of a
  direction's coordinate counts.

With ``y = scale * z + offset`` and ``u = directions' y`` the value of a row is
``bias - |y - directions u|^2 - sum(share * u^2)``: what the factors leave, and a share of them.
"""

from __future__ import annotations

import numpy as np

from .. import plain

BLOCK = plain.BLOCK
FACTORS = 4  # moments from here on: of each feature, and of each with this many factors less four


def _whitened(Z, slopes, offsets):
    """Whitened rows (b, d), and their coordinates along a component's directions (b, q)."""
    d = len(slopes)
    y = Z * slopes[:, 0] + offsets[:d]
    return y, y @ slopes[:, 1:]


def _values(Z, slopes, offsets, bias):
    """Discriminant values (b, k) of the rows Z (b, d)."""
    value = np.empty((len(Z), len(bias)))
    for c in range(len(bias)):
        y, u = _whitened(Z, slopes[c], offsets[c])
        rest = y - u @ slopes[c][:, 1:].T
        value[:, c] = bias[c] - (rest**2).sum(axis=1) - u**2 @ offsets[c][Z.shape[1] :]
    return value


def _rows(handle, lo, hi, centre, scale):
    """Blocks of rows lo..hi in the frame, and where they are."""
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        yield (handle[0][start:stop].astype(np.float64) - centre) * scale, start, stop


def _add(Z, resp, slopes, offsets, reference, moments, first, second):
    """Moments of rows Z (b, d) under responsibilities times weights (b, k)."""
    if moments < FACTORS:
        for c, m in enumerate(reference):
            first[c] += resp[:, c] @ (Z - m)
        plain._second(Z, resp, reference, moments, second)
        return
    for c, m in enumerate(reference):
        away = Z - m
        _, u = _whitened(Z, slopes[c], offsets[c])
        weighted = away * resp[:, c, None]
        first[c] += weighted.sum(axis=0)
        second[c, 0] += (weighted * away).sum(axis=0)
        second[c, 1:] += u.T @ weighted


def accumulate(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, reference,
    beta, hard, moments, counts, first, second, workspace,
):  # fmt: skip
    """Add the statistics of rows lo..hi; return the sum of w log-norm.

    From `FACTORS` on, `second` (k, 1 + q, d) has sums of ``r y^2`` and of ``r u y``, y being the
    row less the reference.
    """
    total = 0.0
    for Z, start, stop in _rows(handle, lo, hi, centre, scale):
        w = np.ones(len(Z)) if handle[1] is None else handle[1][start:stop]
        value = _values(Z, slopes, offsets, bias)
        resp, log_norm = plain._responsibilities(value, beta, hard)
        total += w @ log_norm
        resp *= w[:, None]
        counts += resp.sum(axis=0)
        _add(Z, resp, slopes, offsets, reference, moments, first, second)
    return total


def posterior(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, beta, hard, resp, log_norm,
    workspace,
):  # fmt: skip
    """Responsibilities (hi-lo, k) and log-normalisers (hi-lo,) of rows lo..hi, written in place."""
    for Z, start, stop in _rows(handle, lo, hi, centre, scale):
        out = slice(start - lo, stop - lo)
        resp[out], log_norm[out] = plain._responsibilities(
            _values(Z, slopes, offsets, bias), beta, hard
        )


def values(handle, lo, hi, centre, scale, kind, slopes, offsets, bias, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo)."""
    for Z, start, stop in _rows(handle, lo, hi, centre, scale):
        out[:, start - lo : stop - lo] += _values(Z, slopes, offsets, bias).T


def sums(
    handle, lo, hi, centre, scale, slopes, offsets, resp, reference, moments, first, second,
    workspace,
):  # fmt: skip
    """Add the moments of rows lo..hi under given responsibilities times weights (k, hi - lo)."""
    for Z, start, stop in _rows(handle, lo, hi, centre, scale):
        r = resp[:, start - lo : stop - lo].T
        _add(Z, r, slopes, offsets, reference, moments, first, second)


def workspace(kind, moments, n_features, n_components):
    """Scratch memory for one thread; the plain twin needs none."""
    return None

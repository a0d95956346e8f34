"""The E-step written plainly in NumPy: the twin that tests the compiled kernels.

It also runs where numba does not (`MIXTURES_KERNELS=plain`). Every function here has a compiled
namesake in `compiled.py` with the same arguments and, to rounding, the same results.
"""

from __future__ import annotations

import math

import numpy as np

EMPTY = 10 * np.finfo(float).eps  # rows; what scikit-learn adds to every count
BLOCK = 1024  # rows: (BLOCK, k) temporaries stay in the cache

LINEAR, DIAGONAL, TRIANGULAR = 0, 1, 2
NO_MOMENTS, NORM, DIAGONAL_MOMENTS, FULL_MOMENTS = 0, 1, 2, 3


def _values(Z, kind, slopes, offsets, bias):
    """Discriminant values (b, k) of the rows Z (b, d)."""
    if kind == LINEAR:
        return bias + Z @ slopes
    if kind == DIAGONAL:
        return bias - ((Z[:, :, None] * slopes + offsets) ** 2).sum(axis=1)
    d = len(offsets)
    value = np.repeat(bias[None], len(Z), axis=0)
    for i in range(d):
        row = i * (i + 1) // 2
        value -= (offsets[i] + Z[:, : i + 1] @ slopes[row : row + i + 1]) ** 2
    return value


def _responsibilities(value, beta, hard):
    """(b, k) values to responsibilities (b, k) and log-normalisers (b,)."""
    top = value.max(axis=1, keepdims=True)
    top[~np.isfinite(top)] = 0.0
    if hard:
        resp = np.zeros_like(value)
        resp[np.arange(len(value)), value.argmax(axis=1)] = 1.0
        return resp, value.max(axis=1)
    exponent = value - top
    with np.errstate(divide="ignore"):  # a row that no component can have made: -inf
        log_norm = top[:, 0] + np.log(np.exp(exponent).sum(axis=1))
    resp = np.exp(beta * exponent)
    total = resp.sum(axis=1, keepdims=True)
    return np.divide(resp, total, out=np.zeros_like(resp), where=total > 0), log_norm


def _second(Z, resp, reference, moments, second):
    for k, centre in enumerate(reference):
        about = Z - centre
        if moments == NORM:
            second[k] += resp[:, k] @ (about * about).sum(axis=1)
        elif moments == DIAGONAL_MOMENTS:
            second[k] += resp[:, k] @ (about * about)
        elif moments == FULL_MOMENTS:
            second[k] += (about * resp[:, k, None]).T @ about


def rows(X, sample_weight=None):
    """Bind rows to the kernels once per fit: X (n, d) float32 or float64 in C order, weights (n,).

    The handle that comes back is what `accumulate` and `posterior` take first.
    """
    return X, sample_weight


def accumulate(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, reference,
    beta, hard, moments, counts, first, second, workspace,
):  # fmt: skip
    """Add the statistics of rows lo..hi to counts (k,), first (k, d), second; return sum w lse.

    Parameters
    ----------
    handle : what `rows` returned                     # IN
    lo, hi : int                                      # IN, rows lo <= i < hi
    centre, scale : (d,) float64                      # IN, z = (x - centre) * scale
    kind, slopes, offsets, bias, reference            # IN, see `Discriminants`
    beta, hard                                        # IN, see `Assignment`
    moments : int                                     # IN, see `core/statistics.py`
    counts, first, second : float64                   # IN-OUT, added to
    """
    X, sample_weight = handle
    total = 0.0
    for start in range(lo, hi, BLOCK):
        block = slice(start, min(start + BLOCK, hi))
        Z = (X[block].astype(np.float64) - centre) * scale
        w = np.ones(len(Z)) if sample_weight is None else sample_weight[block]
        resp, log_norm = _responsibilities(_values(Z, kind, slopes, offsets, bias), beta, hard)
        total += w @ log_norm
        resp *= w[:, None]
        n_k = resp.sum(axis=0)
        counts += n_k
        for k, m in enumerate(reference):
            first[k] += resp[:, k] @ (Z - m)
        _second(Z, resp, reference, moments, second)
    return total


def posterior(
    handle, lo, hi, centre, scale, kind, slopes, offsets, bias, beta, hard, resp, log_norm,
    workspace,
):  # fmt: skip
    """Responsibilities (hi-lo, k) and log-normalisers (hi-lo,) of rows lo..hi, written in place."""
    X, _ = handle
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        Z = (X[start:stop].astype(np.float64) - centre) * scale
        out = slice(start - lo, stop - lo)
        resp[out], log_norm[out] = _responsibilities(
            _values(Z, kind, slopes, offsets, bias), beta, hard
        )


def values(handle, lo, hi, centre, scale, kind, slopes, offsets, bias, out, workspace):
    """Add the discriminant values of rows lo..hi to out (k, hi - lo)."""
    X, _ = handle
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        Z = (X[start:stop].astype(np.float64) - centre) * scale
        out[:, start - lo : stop - lo] += _values(Z, kind, slopes, offsets, bias).T


def sums(handle, lo, hi, centre, scale, resp, reference, moments, first, second, workspace):
    """Add the moments of rows lo..hi under given responsibilities times weights (k, hi - lo)."""
    X, _ = handle
    for start in range(lo, hi, BLOCK):
        stop = min(start + BLOCK, hi)
        Z = (X[start:stop].astype(np.float64) - centre) * scale
        r = resp[:, start - lo : stop - lo].T
        for k, m in enumerate(reference):
            first[k] += r[:, k] @ (Z - m)
        _second(Z, r, reference, moments, second)


def normalise(value, weight, beta, hard, log_norm):
    """Discriminant values (k, b) to responsibilities times weights (b,), in place.

    Writes the log-normalisers (b,); returns their weighted sum. `weight` None: all one.
    """
    resp, norm = _responsibilities(np.ascontiguousarray(value.T), beta, hard)
    log_norm[:] = norm
    if weight is None:
        value[:] = resp.T
        return float(norm.sum())
    value[:] = (resp * weight[:, None]).T
    return float(weight @ norm)


def workspace(kind, moments, n_features, n_components):
    """Scratch memory for one thread; the plain twin needs none."""
    return None


def triangular_discriminants(weights, means, covariances, slopes, offsets, bias):
    """Full Gaussians to TRIANGULAR discriminants, written in place.

    With the Cholesky factor ``C_k C_k' = S_k`` and the whitener ``U_k = C_k^-1``:
    ``slopes = sqrt(1/2) U``, ``offsets = -sqrt(1/2) U m``,
    ``bias = log w - sum log diag C - d/2 log 2 pi``. `covariances` is (k, d, d), or (1, d, d) when
    shared by all components; only its lower triangle is read.

    Returns 0, or 1 + the index of the first component whose covariance is not positive definite.
    """
    k, d = means.shape
    rows, columns = np.tril_indices(d)
    with np.errstate(divide="ignore"):
        bias[:] = np.log(weights) - 0.5 * d * math.log(2 * math.pi)
    for c in range(k):
        try:
            lower = np.linalg.cholesky(covariances[min(c, len(covariances) - 1)])
        except np.linalg.LinAlgError:
            return 1 + c
        if not np.isfinite(lower).all():
            return 1 + c
        whitener = math.sqrt(0.5) * np.linalg.solve(lower, np.eye(d))
        slopes[:, c] = whitener[rows, columns]
        offsets[:, c] = -whitener @ means[c]
        bias[c] -= np.log(np.diag(lower)).sum()
    return 0


def full_m_step(counts, first, second, reference, kappa, prior_mean, prior_scatter, prior_dof,
                ridge, means, covariances):  # fmt: skip
    """Means and full covariances of Gaussian components from statistics about `reference`.

    ``shift = (first + kappa (m0 - ref)) / (N + kappa)``, ``mean = ref + shift``,
    ``S = (second + Psi + kappa (m0 - ref)(m0 - ref)' - (N + kappa) shift shift') / (N + dof)``,
    then ``diag(S) += ridge``. Flat prior: kappa = 0, Psi = 0, dof = 0. Where
    ``N + kappa`` is below EMPTY the mean stays, where ``N + dof`` is the covariance does.
    counts (k,), first (k, d), second (k, d, d), reference (k, d), kappa float, prior_mean (d,),
    prior_scatter (d, d), prior_dof float, ridge (d,); OUT means (k, d), covariances (k, d, d).
    """
    for k in range(len(counts)):
        mass, spread = counts[k] + kappa, counts[k] + prior_dof
        if not spread > EMPTY:
            continue
        away = prior_mean - reference[k]
        shift = (first[k] + kappa * away) / mass if mass > EMPTY else np.zeros_like(away)
        scatter = second[k] + prior_scatter + kappa * np.outer(away, away)
        covariances[k] = (scatter - mass * np.outer(shift, shift)) / spread + np.diag(ridge)
        means[k] = reference[k] + shift

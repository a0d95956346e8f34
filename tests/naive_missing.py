"""Slow, obvious twins of EM on rows with gaps: one row, one feature at a time.

Nothing here imports the library. n rows X (n, d) with NaN, q factors; ``x = mean + L z + e``.
"""

from __future__ import annotations

import mpmath
import numpy as np
from scipy import stats


def covariance(loadings, noise):
    return loadings @ loadings.T + np.diag(noise)


def log_densities(X, mean, S):
    """``log N(x_o | mean_o, S_oo)`` of the observed part of each row, shape (n,)."""
    values = np.zeros(len(X))
    for i, x in enumerate(X):
        o = np.flatnonzero(~np.isnan(x))
        if o.size:
            normal = stats.multivariate_normal(mean[o], S[np.ix_(o, o)])
            values[i] = normal.logpdf(x[o])
    return values


def objective(X, w, mean, loadings, noise):
    """Mean log-density of the observed numbers, over the rows that have any."""
    some = ~np.isnan(X).all(axis=1)
    w = np.ones(len(X)) if w is None else w
    values = log_densities(X, mean, covariance(loadings, noise))
    return (w * values)[some].sum() / w[some].sum()


def conditional(x, mean, S):
    """Mean and covariance of the gaps m of one row given the rest: ``S_mo S_oo^-1``."""
    o, m = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
    slopes = np.linalg.solve(S[np.ix_(o, o)], S[np.ix_(o, m)]).T
    return mean[m] + slopes @ (x[o] - mean[o]), S[np.ix_(m, m)] - slopes @ S[np.ix_(o, m)]


def factors(x, mean, loadings, noise):
    """Mean and covariance of z given one row, as the conditional of their joint Gaussian."""
    d, q = loadings.shape
    joint = np.zeros((d + q, d + q))
    joint[:d, :d] = covariance(loadings, noise)
    joint[:d, d:], joint[d:, :d] = loadings, loadings.T
    joint[d:, d:] = np.eye(q)
    return _last(*conditional_of(x, np.append(mean, np.zeros(q)), joint, q), q)


def conditional_of(x, mean, S, q):
    return conditional(np.append(x, np.full(q, np.nan)), mean, S)


def _last(mean, S, q):
    """Factors come after the gaps."""
    return mean[-q:], S[-q:, -q:]


def em_step(X, w, mean, loadings, noise, *, isotropic, expanded):
    """One step of EM, or of PX-EM, as regressions of each feature on (1, z)."""
    n, d = X.shape
    q = loadings.shape[1]
    means, covariances = zip(*(factors(x, mean, loadings, noise) for x in X), strict=True)
    new_mean, new_loadings, squares = np.empty(d), np.empty((d, q)), np.empty(d)
    weights = np.empty(d)
    for j in range(d):
        left, right = np.zeros((q + 1, q + 1)), np.zeros(q + 1)
        rows = [i for i in range(n) if not np.isnan(X[i, j])]
        for i in rows:
            u = np.append(1.0, means[i])
            left += w[i] * np.outer(u, u)
            left[1:, 1:] += w[i] * covariances[i]
            right += w[i] * X[i, j] * u
        beta = np.linalg.solve(left, right)
        new_mean[j], new_loadings[j] = beta[0], beta[1:]
        squares[j] = sum(
            w[i]
            * (
                (X[i, j] - beta[0] - beta[1:] @ means[i]) ** 2
                + beta[1:] @ covariances[i] @ beta[1:]
            )
            for i in rows
        )
        weights[j] = sum(w[i] for i in rows)
    new_noise = np.full(d, squares.sum() / weights.sum()) if isotropic else squares / weights
    if expanded:
        share = w / w.sum()
        centre = sum(s * m for s, m in zip(share, means, strict=True))
        spread = sum(
            s * (C + np.outer(m - centre, m - centre))
            for s, m, C in zip(share, means, covariances, strict=True)
        )
        values, axes = np.linalg.eigh(spread)
        new_mean = new_mean + new_loadings @ centre
        new_loadings = new_loadings @ axes @ np.diag(np.sqrt(values)) @ axes.T
    return new_mean, new_loadings, new_noise


def ppca(X, q):
    """Mean, covariance and log-likelihood per row in closed form (Tipping and Bishop 1999)."""
    n, d = X.shape
    mean = X.mean(axis=0)
    values, axes = np.linalg.eigh((X - mean).T @ (X - mean) / n)
    values, axes = values[::-1], axes[:, ::-1]
    noise = values[q:].mean()
    S = (axes[:, :q] * (values[:q] - noise)) @ axes[:, :q].T + noise * np.eye(d)
    return mean, S, log_densities(X, mean, S).mean()


def precise(x, params):
    """Posterior mean and covariance, log-density and E[r^2] of one row, in mpmath's digits."""
    o = np.flatnonzero(~np.isnan(x))
    q = params.loadings.shape[1]
    L = mpmath.matrix(params.loadings[o].tolist())
    P = [mpmath.mpf(p) for p in params.noise[o].tolist()]
    y = mpmath.matrix([mpmath.mpf(x[j].item()) - mpmath.mpf(params.mean[j].item()) for j in o])
    weighted = L.T * mpmath.diag([1 / p for p in P])
    M = mpmath.eye(q) + weighted * L
    C = M**-1
    z = C * (weighted * y)
    rest = y - L * z
    squares = sum(r * r / p for r, p in zip(rest, P, strict=True)) + sum(k * k for k in z)
    volume = mpmath.log(mpmath.det(M)) + sum(mpmath.log(2 * mpmath.pi * p) for p in P)
    expected = np.zeros(len(x))  # E[r_j^2]
    for k, j in enumerate(o):
        expected[j] = float(rest[k] ** 2 + (L[k, :] * C * L[k, :].T)[0])
    as_floats = np.array(C.tolist(), dtype=np.float64)
    value = float(-(volume + squares) / 2)
    return np.array(list(z), dtype=np.float64), as_floats, value, expected


def slopes(value, point, step=1e-5):
    """Central differences of a function of a vector."""
    result = np.empty(len(point))
    for k in range(len(point)):
        ahead, back = point.copy(), point.copy()
        ahead[k] += step
        back[k] -= step
        result[k] = (value(ahead) - value(back)) / (2.0 * step)
    return result

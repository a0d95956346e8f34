"""Slow, obvious twins: textbook formulas in double loops, densities from scipy.stats.

Nothing here imports the library. n rows X (n, d), k components; covariances of all structures
are passed as matrices (k, d, d), and `m_step` returns them in scikit-learn's shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import logsumexp


@dataclass(frozen=True)
class NIW:
    """Normal-inverse-Wishart hyperparameters; the flat prior is None, not an instance."""

    mean: np.ndarray
    mean_precision: float
    degrees_of_freedom: float
    scale: np.ndarray


def gaussian_log_joint(X, weights, means, covariances):
    """log w_k + log N(x_i | m_k, S_k), shape (n, k)."""
    table = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        normal = stats.multivariate_normal(means[k], covariances[k])
        for i in range(len(X)):
            table[i, k] = np.log(weights[k]) + normal.logpdf(X[i])
    return table


def poisson_log_joint(X, weights, rates):
    """log w_k + sum_j log Poisson(x_ij | rate_kj), shape (n, k)."""
    table = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        for i in range(len(X)):
            table[i, k] = np.log(weights[k]) + stats.poisson.logpmf(X[i], rates[k]).sum()
    return table


def bernoulli_log_joint(X, weights, probabilities):
    """log w_k + sum of log Bernoulli(x_ij | p_kj) over the answers that are known, shape (n, k)."""
    table = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        for i in range(len(X)):
            known = [j for j in range(X.shape[1]) if not np.isnan(X[i, j])]
            terms = stats.bernoulli.logpmf(X[i, known], probabilities[k, known])
            table[i, k] = np.log(weights[k]) + terms.sum()
    return table


def categorical_log_joint(X, weights, probabilities, categories):
    """log w_k + sum of log p_kj[x_ij] over the values that are known, shape (n, k).

    probabilities and categories are lists: (k, c_j) and (c_j,) of feature j.
    """
    table = np.empty((len(X), len(weights)))
    for k in range(len(weights)):
        for i in range(len(X)):
            table[i, k] = np.log(weights[k])
            for j, x in enumerate(X[i]):
                if not np.isnan(x):
                    table[i, k] += np.log(probabilities[j][k, list(categories[j]).index(x)])
    return table


def e_step(log_joint):
    """Responsibilities (n, k) and log-densities (n,)."""
    log_density = logsumexp(log_joint, axis=1)
    return np.exp(log_joint - log_density[:, None]), log_density


def weights_step(responsibilities, concentration=1.0):
    """Posterior mode of the mixing weights under a symmetric Dirichlet prior."""
    mass = responsibilities.sum(axis=0) + concentration - 1.0
    return mass / mass.sum()


def poisson_m_step(X, responsibilities, shape=1.0, rate=0.0):
    """(sum_i r_ik x_ij + shape - 1) / (N_k + rate), shape (k, d)."""
    k, d = responsibilities.shape[1], X.shape[1]
    rates = np.empty((k, d))
    for c in range(k):
        for j in range(d):
            events = sum(responsibilities[i, c] * X[i, j] for i in range(len(X)))
            rates[c, j] = (events + shape - 1.0) / (responsibilities[:, c].sum() + rate)
    return rates


def bernoulli_m_step(X, responsibilities, a=1.0, b=1.0):
    """(sum_i r_ik x_ij + a - 1) / (N_kj + a + b - 2) over known answers, shape (k, d)."""
    k, d = responsibilities.shape[1], X.shape[1]
    probabilities = np.empty((k, d))
    for c in range(k):
        for j in range(d):
            known = [i for i in range(len(X)) if not np.isnan(X[i, j])]
            ones = sum(responsibilities[i, c] * X[i, j] for i in known)
            answers = sum(responsibilities[i, c] for i in known)
            probabilities[c, j] = (ones + a - 1.0) / (answers + a + b - 2.0)
    return probabilities


def categorical_m_step(X, responsibilities, categories, concentration=1.0):
    """(S_kjc + a - 1) / (N_kj + C_j (a - 1)) over known values, a list of (k, c_j)."""
    k = responsibilities.shape[1]
    out = []
    for j, values in enumerate(categories):
        mass = np.empty((k, len(values)))
        for c in range(k):
            for v, value in enumerate(values):
                seen = [i for i in range(len(X)) if X[i, j] == value]
                mass[c, v] = sum(responsibilities[i, c] for i in seen) + concentration - 1.0
        out.append(mass / mass.sum(axis=1, keepdims=True))
    return out


def gaussian_means(X, responsibilities, prior=None):
    """(N_k xbar_k + c m0) / (N_k + c), shape (k, d)."""
    k, d = responsibilities.shape[1], X.shape[1]
    c, centre = (0.0, np.zeros(d)) if prior is None else (prior.mean_precision, prior.mean)
    means = np.empty((k, d))
    for a in range(k):
        total = sum(responsibilities[i, a] * X[i] for i in range(len(X)))
        means[a] = (total + c * centre) / (responsibilities[:, a].sum() + c)
    return means


def scatter(X, responsibilities, means, prior=None):
    """sum_i r_ik (x_i - m_k)(x_i - m_k)' + c (m0 - m_k)(m0 - m_k)', shape (k, d, d).

    The textbook's ``c N / (c + N) (xbar - m0)(xbar - m0)'`` about xbar is this about the new mean.
    """
    k, d = means.shape
    out = np.zeros((k, d, d))
    for a in range(k):
        for i in range(len(X)):
            away = X[i] - means[a]
            out[a] += responsibilities[i, a] * np.outer(away, away)
        if prior is not None:
            pull = prior.mean - means[a]
            out[a] += prior.mean_precision * np.outer(pull, pull)
    return out


def full(S, counts, ridge, prior=None):
    k, d = len(S), S.shape[1]
    extra, psi = 0.0, np.zeros((d, d))
    if prior is not None:
        extra = prior.degrees_of_freedom + d + 1 + (prior.mean_precision > 0)
        psi = prior.scale
    return np.array([(S[a] + psi) / (counts[a] + extra) + ridge * np.eye(d) for a in range(k)])


def tied(S, counts, ridge, prior=None):
    k, d = len(S), S.shape[1]
    extra, psi = 0.0, np.zeros((d, d))
    if prior is not None:
        extra = prior.degrees_of_freedom + d + 1 + k * (prior.mean_precision > 0)
        psi = prior.scale
    return (sum(S) + psi) / (counts.sum() + extra) + ridge * np.eye(d)


def diag(S, counts, ridge, prior=None):
    k, d = len(S), S.shape[1]
    variances = np.empty((k, d))
    for a in range(k):
        for j in range(d):
            extra, psi = 0.0, 0.0
            if prior is not None:
                extra = prior.degrees_of_freedom + 2 + (prior.mean_precision > 0)
                psi = prior.scale[j, j]
            variances[a, j] = (S[a, j, j] + psi) / (counts[a] + extra) + ridge
    return variances


def spherical(S, counts, ridge, prior=None):
    k, d = len(S), S.shape[1]
    variances = np.empty(k)
    for a in range(k):
        extra, psi = 0.0, 0.0
        if prior is not None:
            extra = prior.degrees_of_freedom + 2 + d * (prior.mean_precision > 0)
            psi = np.mean([prior.scale[j, j] for j in range(d)])
        variances[a] = (sum(S[a, j, j] for j in range(d)) + psi) / (d * counts[a] + extra) + ridge
    return variances


COVARIANCE_STEPS = {"full": full, "tied": tied, "diag": diag, "spherical": spherical}


def gaussian_m_step(X, responsibilities, covariance_type, ridge=0.0, prior=None, concentration=1.0):
    """Weights, means and covariances of largest expected log-posterior, plus the ridge."""
    means = gaussian_means(X, responsibilities, prior)
    S = scatter(X, responsibilities, means, prior)
    counts = responsibilities.sum(axis=0)
    covariances = COVARIANCE_STEPS[covariance_type](S, counts, ridge, prior)
    return weights_step(responsibilities, concentration), means, covariances


def dense(covariances, covariance_type, k, d):
    """scikit-learn's shapes as matrices (k, d, d)."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.array([covariances] * k)
    if covariance_type == "diag":
        return np.array([np.diag(v) for v in covariances])
    if covariance_type in ("ppca", "factor"):  # loadings and, last, noise variances
        return np.array([c[:, :-1] @ c[:, :-1].T + np.diag(c[:, -1]) for c in covariances])
    return np.array([v * np.eye(d) for v in covariances])


def log_inverse_wishart(S, dof, psi):
    return stats.invwishart(dof, psi).logpdf(S)


def log_niw(means, covariances, covariance_type, prior):
    """Log-density of the prior at the parameters, restricted as Fraley and Raftery (2007) do."""
    k, d = means.shape
    matrices = dense(covariances, covariance_type, k, d)
    total = 0.0
    for a in range(k if prior.mean_precision > 0 else 0):
        normal = stats.multivariate_normal(prior.mean, matrices[a] / prior.mean_precision)
        total += normal.logpdf(means[a])
    dof, psi = prior.degrees_of_freedom, prior.scale
    if covariance_type in ("full", "ppca", "factor"):
        return total + sum(log_inverse_wishart(S, dof, psi) for S in matrices)
    if covariance_type == "tied":
        return total + log_inverse_wishart(covariances, dof, psi)
    diagonal = np.diag(psi)
    scales = diagonal if covariance_type == "diag" else np.mean(diagonal)
    return total + stats.invgamma(0.5 * dof, scale=0.5 * scales).logpdf(covariances).sum()


# ---- log joints of a tuple of parameters -------------------------------------------------------


def gaussian_twin(covariance_type):
    def log_joint(X, params):
        k, d = params.means.shape
        covariances = dense(params.covariances, covariance_type, k, d)
        return gaussian_log_joint(X, params.weights, params.means, covariances)

    return log_joint


def poisson_twin(X, params):
    return poisson_log_joint(X, params.weights, params.rates)


def bernoulli_twin(X, params):
    return bernoulli_log_joint(X, params.weights, params.probabilities)


def categorical_twin(X, params):
    """With the categories of X itself."""
    categories = [np.unique(x[~np.isnan(x)]) for x in X.T]
    ends = np.cumsum([len(values) for values in categories])[:-1]
    parts = np.split(params.category_probabilities, ends, axis=1)
    return categorical_log_joint(X, params.weights, parts, categories)

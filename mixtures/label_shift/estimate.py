"""Class shares of unlabelled rows, with what is known of their error.

Conventions: n rows, K classes; a log density ratio is log p(x | class) up to a constant a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import chdtrc, chdtri

from ..core.discriminants import Array
from ..core.validation import check_sample_weight
from ..proportions import DynamicResponsibility

NAME = "PriorShiftClassifier"


@dataclass(frozen=True, eq=False)
class PriorEstimate:
    """Shares of the classes among unlabelled rows, by maximum likelihood.

    Made by :meth:`PriorShiftClassifier.estimate_prior`. K is the number of classes.

    Attributes
    ----------
    classes : ndarray of shape (K,)
        Class labels, in the order of all arrays below.
    prior : ndarray of shape (K,)
        The estimated shares; they sum to one, and may be exactly zero.
    train_prior : ndarray of shape (K,)
        Shares in training.
    standard_errors : ndarray of shape (K,)
        Of `prior`, from the curvature of the log-likelihood within the classes whose share is
        positive; zero for the others, NaN if more than a hundred classes have one. They take the
        classifier's density ratios for known: what its own training leaves unsure comes on top.
    covariance : ndarray of shape (K, K)
    gap : float
        Certificate, in nats per row: no shares have an objective higher by more than this.
    converged : bool
    n_iter : int
    stop_reason : str
    identifiable : bool
        Whether the rows determine the shares; False where density ratios are linearly dependent.
    n_rows : float
        Number of rows, or the sum of their weights.
    statistic, p_value : float
        Likelihood-ratio test of "the shares are those in training", against a chi-squared
        distribution with one degree of freedom less than there are classes (Wilks 1938). It takes
        density ratios for known too: of many rows, it also rejects for a classifier's faults.

    Notes
    -----
    For a class whose share is zero standard errors say nothing; `confidence_interval` is then
    one-sided, from the slope and the curvature with which the log-likelihood falls off there.
    """

    classes: np.ndarray
    prior: Array
    train_prior: Array
    standard_errors: Array
    covariance: Array = field(repr=False)
    gap: float
    converged: bool
    n_iter: int
    stop_reason: str
    identifiable: bool
    n_rows: float
    statistic: float
    p_value: float
    _edges: Edges = field(repr=False)

    def confidence_interval(self, level: float = 0.95) -> Array:
        """Intervals for the shares, one class each.

        All shares whose profile log-likelihood, in its quadratic approximation at the estimate,
        is at most half a chi-squared quantile below the maximum: the estimate plus or minus
        multiples of its standard error, cut at 0 and 1. Where the share is estimated as zero the
        interval is ``[0, c]``, where c solves ``2 n (s c + h c^2 / 2) = quantile`` with the slope s
        and curvature h of the fall; for a class that no row resembles, c is near ``1.92 / n``. The
        intervals of the other classes reach to what they have left when this one has c.

        Parameters
        ----------
        level : float, default=0.95
            Between 0 and 1.

        Returns
        -------
        interval : ndarray of shape (K, 2)
            Lower and upper ends. [0, 0] for a class that training did not have, and NaN where
            standard errors are.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(
                f"confidence_interval expects a level between 0 and 1, but got {level!r}. Use 0.95 "
                "for intervals that miss one share in twenty."
            )
        quantile = float(chdtri(1, 1.0 - level))
        half = np.sqrt(quantile) * self.standard_errors
        low, high = self.prior - half, self.prior + half
        known, none = self.train_prior > 0, self.prior == 0
        edge = known & none
        high[edge] = self._edges.ends(quantile / self.n_rows)
        left = self.prior[~none][:, None] + self._edges.drift * high[edge]
        low[~none] = np.minimum(low[~none], left.min(axis=1, initial=np.inf))
        high[~none] = np.maximum(high[~none], left.max(axis=1, initial=-np.inf))
        return np.stack([np.maximum(low, 0.0), np.minimum(high, 1.0)], axis=1)


@dataclass(frozen=True, eq=False)
class Edges:
    """How the log-likelihood falls as classes whose share is zero, Z, get one, the rest A follow.

    A share c costs ``fall c + curvature c^2 / 2`` nats per row.
    """

    fall: Array  # (Z,)
    curvature: Array  # (Z,)
    drift: Array  # (A, Z), what a unit of c changes the other shares by

    @classmethod
    def at(cls, ratio: Array, share: Array, pi: Array) -> Edges:
        """From log density ratios, shares of rows in all rows, and the shares of classes.

        With ``g_k`` and ``H_jk`` the means of ``ratio_k / u`` and of ``ratio_j ratio_k / u^2``, u
        the mixture density: ``fall = 1 - g_k`` and
        ``curvature = H_kk - H_kA inv(H_AA) H_Ak + fall^2``, whose last term is the price of shares
        that sum to one (``H_AA pi_A = 1``, so that the multiplier needs no solve of its own).
        """
        inside = pi > 0
        if inside.all():
            return cls(np.empty(0), np.empty(0), np.empty((len(pi), 0)))
        some = share > 0
        rows = ratio[some]
        rows = rows - _log_mixture(rows[:, inside], pi[inside])[:, None]
        root = np.sqrt(share[some])
        G = np.exp(rows) * root[:, None]  # at the maximum no g is above one
        H = G.T @ G
        across = H[np.ix_(inside, ~inside)]
        explained = np.linalg.pinv(H[np.ix_(inside, inside)], hermitian=True) @ across
        own = np.diag(H)[~inside] - (across * explained).sum(axis=0)
        fall = np.maximum(1.0 - root @ G[:, ~inside], 0.0)
        drift = -explained - np.outer(pi[inside], fall)
        return cls(fall, np.maximum(own, 0.0) + fall**2, drift)

    def ends(self, q: float) -> Array:
        """Shares (Z,) that cost q / 2 nats per row, at most one."""
        # The root in a form that holds without slope, and without curvature.
        root = self.fall + np.sqrt(self.fall**2 + q * self.curvature)
        ends = np.divide(q, root, out=np.ones(len(root)), where=root > 0)
        return np.minimum(ends, 1.0)


def estimate_shares(
    log_ratios: Array, sample_weight: Any, classes: np.ndarray, train_prior: Array, *,
    concentration: Any, tol: float, n_threads: int | None,
) -> PriorEstimate:  # fmt: skip
    """Maximise the mean over classifiers of ``sum_n w_n log sum_k prior_k ratio_nk``.

    `log_ratios` (m, n, K) are those of m classifiers. For one, that is the maximum which the EM
    iterations of Saerens, Latinne and Decaestecker (2002) climb to:
    ``prior_k <- mean_n of prior_k ratio_nk / sum_j prior_j ratio_nj``, dynamic responsibility. A
    mean over m classifiers has their curvatures' mean as its own, and its scores vary less.
    """
    known = train_prior > 0
    m, n_rows, _ = log_ratios.shape
    w = check_sample_weight(sample_weight, n_rows)
    _refuse_unexplained(log_ratios[..., known], w, classes[known])
    # All m at once: as many rows, and as many pseudo-rows.
    ratio = log_ratios[..., known].reshape(m * n_rows, -1)
    pseudo = np.broadcast_to(np.asarray(concentration, dtype=np.float64) - 1.0, classes.shape)
    model = DynamicResponsibility(
        input="log_density",
        tol=tol,
        concentration=1.0 + m * pseudo[known],
        information=True,
        n_threads=n_threads,
    ).fit(ratio, sample_weight=None if w is None else np.tile(w, m))
    n, pi = float(n_rows if w is None else w.sum()), model.weights_
    share = np.full(m * n_rows, 1.0 / (m * n_rows)) if w is None else np.tile(w / (m * n), m)
    covariance = m * model.covariance_
    errors = np.sqrt(m) * model.standard_errors_
    gain = _log_likelihood(ratio, share, pi) - _log_likelihood(ratio, share, train_prior[known])
    statistic = 2.0 * n * gain
    freedom = int(known.sum()) - 1
    return PriorEstimate(
        classes=classes,
        prior=_spread(pi, known),
        train_prior=train_prior,
        standard_errors=_spread(errors, known),
        covariance=_spread(_spread(covariance, known).T, known),
        gap=float(model.gap_),
        converged=bool(model.converged_),
        n_iter=int(model.n_iter_),
        stop_reason=str(model.stop_reason_),
        identifiable=bool(model.identifiable_),
        n_rows=n,
        statistic=statistic,
        p_value=float(chdtrc(freedom, max(statistic, 0.0))) if freedom else 1.0,
        _edges=Edges.at(ratio, share, pi),
    )


def _spread(values: Array, known: np.ndarray) -> Array:
    """Values of the classes in training as values of all classes, along the last axis."""
    full = np.zeros((*values.shape[:-1], len(known)))
    full[..., known] = values
    return full


def _refuse_unexplained(ratios: Array, w: Array | None, classes: np.ndarray) -> None:
    """ValueError for a row that no class can have, according to one of the classifiers."""
    lost = ~np.isfinite(ratios.max(axis=2)).all(axis=0)
    if w is not None:
        lost &= w > 0
    if lost.any():
        raise ValueError(
            f"{NAME} expects each row to be possible in a class that training had, but row "
            f"{int(lost.argmax())} of X has posterior zero in all of {classes.tolist()}. Remove "
            "the row, or train on rows of the other classes too."
        )


def _log_likelihood(ratio: Array, share: Array, pi: Array) -> float:
    """``sum_n share_n log sum_k pi_k ratio_nk``, in nats per row."""
    used, some = pi > 0, share > 0
    ratio = ratio if used.all() else ratio[:, used]
    ratio, share = (ratio, share) if some.all() else (ratio[some], share[some])
    return float(share @ _log_mixture(ratio, pi[used]))


def _log_mixture(ratio: Array, pi: Array) -> Array:
    """``log sum_k pi_k ratio_nk`` (n,), where each row has a finite entry; pi is positive."""
    top = ratio.max(axis=1)
    mixture: Array = np.log(np.exp(ratio - top[:, None]) @ pi) + top
    return mixture

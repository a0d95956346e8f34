"""Maximum likelihood where numbers are missing, as the estimators want it."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..core import validation
from ..core.discriminants import Array, Frame
from ..core.em import AT_REST, EMResult, StopReason
from ..core.frames import CONSTANT
from ..core.low_rank import LOG_2_PI
from ._start import FLOOR
from .gaps import frame_rows_with_gaps
from .missing import LatentParams, fit_observed, start_observed

VANISHING = 0.02
"""Share of a feature's variance below which its noise may be on its way to zero. EM takes hundreds
of iterations there and then stops before; so zero is tried."""

AT_FLOOR = 2.0
"""Times the floor that is at it: EM's is of the variance observed, which the model's is near."""


class GapFit(NamedTuple):
    """Where EM on the observed numbers ended."""

    frame: Frame  # centred at the model's mean
    loadings: Array  # (d, q), in the frame
    noise: Array  # (d,), in the frame
    varies: np.ndarray  # (d,) bool, features with more than one value
    floored: np.ndarray  # (d,) bool, of these, whose noise is at its floor
    attributes: dict[str, Any]  # fitted attributes on how it went


def fit_gaps(
    estimator: Any,
    rows: np.ndarray,
    w: Array | None,
    n_factors: int,
    *,
    isotropic: bool,
    tol: float,
) -> GapFit:
    """Maximum likelihood of the numbers observed, by EM; `tol` in nats per row.

    With a noise variance for each feature, constant ones are left out, as from complete rows: no
    loadings, and noise of `FLOOR` in the units of the data.
    """
    frame, Z = frame_rows_with_gaps(rows, w, common_scale=isotropic)
    single = rows.dtype == np.float32
    validation.refuse_unsquarable(type(estimator).__name__, frame.scale, single=single)
    varies = np.nanmax(Z, axis=0) - np.nanmin(Z, axis=0) > CONSTANT
    if isotropic and not varies.any():
        raise ValueError(
            f"{type(estimator).__name__} expects rows that differ, but in every feature all "
            "numbers are equal, to rounding: the likelihood has no maximum. Pass other rows."
        )
    fitted = varies | isotropic
    q = min(n_factors, int(fitted.sum()))
    result = climb(estimator, Z[:, fitted], w, q, isotropic=isotropic, tol=tol)
    # EM leaves out rows without a number; they have a density, of one, and are rows for `score`.
    there = ~np.isnan(rows)
    known = np.average(there[:, fitted].any(axis=1), weights=w)
    seen = np.average(there, axis=0, weights=w)
    gain = float(seen[fitted] @ np.log(frame.scale[fitted]))
    gain -= 0.5 * float(seen[~fitted].sum()) * (LOG_2_PI + float(np.log(FLOOR)))
    trace = [float(known * value + gain) for value in result.trace]
    mean, noise = np.zeros(len(varies)), FLOOR * frame.scale**2
    loadings = np.zeros((len(varies), n_factors))
    mean[fitted], noise[fitted] = result.params.mean, result.params.noise
    loadings[fitted, :q] = result.params.loadings[:, :q]
    variances = (loadings**2).sum(axis=1) + noise
    floor = FLOOR * (variances.mean() if isotropic else variances)
    attributes = {
        "log_likelihoods_": trace[1:],
        "log_likelihood_": trace[-1],
        "n_iter_": result.n_iter,
        "converged_": result.reason in AT_REST,
        "stop_reason_": result.reason.value,
    }
    frame = Frame(frame.from_frame(mean), frame.scale)
    floored = fitted & (noise <= AT_FLOOR * floor)
    return GapFit(frame, loadings, noise, varies, floored, attributes)


def climb(
    estimator: Any, Z: Array, w: Array | None, n_factors: int, *, isotropic: bool, tol: float
) -> EMResult:
    """EM from where rows filled with means lead, and, where noise vanishes, from zero noise."""
    if not Z.shape[1]:
        nothing = LatentParams(np.empty(0), np.empty((0, 0)), np.empty(0))
        return EMResult(nothing, 0.0, [0.0, 0.0], 1, StopReason.STATIONARY)
    start = start_observed(Z, w, max(n_factors, 1), isotropic)
    if not n_factors:  # one without loadings: the same model, and EM leaves it there
        start = start._replace(loadings=np.zeros((len(start.mean), 1)))
    run = partial(
        fit_observed, Z, w, isotropic=isotropic, tol=tol, max_iter=estimator.max_iter,
        n_threads=estimator.n_threads,
    )  # fmt: skip
    result = run(start)
    if not isotropic and estimator.max_iter > 0:
        result = without_vanishing_noise(run, result, n_factors)
    if result.reason not in AT_REST and estimator.max_iter > 0:
        warnings.warn(
            f"EM on rows with missing numbers did not converge in {result.n_iter} iterations. "
            "Increase max_iter or tol, or use fewer components.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return result


def without_vanishing_noise(run: Any, result: EMResult, n_factors: int) -> EMResult:
    """The better of a result and of what EM makes of it without the noise of a feature, repeated.

    At most as many features as there are factors can be without noise (Heywood cases).
    """
    tried: set[int] = set()
    for _ in range(n_factors):
        params: LatentParams = result.params
        variances = (params.loadings**2).sum(axis=1) + params.noise
        share = params.noise / variances
        falling = (share < VANISHING) & (share > AT_FLOOR * FLOOR)
        falling[list(tried)] = False
        if not falling.any():
            break
        j = int(np.argmin(np.where(falling, share, np.inf)))
        tried.add(j)
        noise = params.noise.copy()
        noise[j] = 0.0  # `fit_observed` takes its floor
        other = run(params._replace(noise=noise))
        if other.objective > result.objective:
            later = [value for value in other.trace if value > result.objective]
            result = other._replace(
                trace=[*result.trace, *later], n_iter=len(result.trace) - 1 + len(later)
            )
    return result

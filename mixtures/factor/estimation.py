"""From rows to the maximum of factor analysis' likelihood, in the units of the data.

n rows, d features, q factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..core import validation
from ..core.discriminants import Array, Frame
from ..core.frames import CONSTANT, first_frame, framed, own_frame
from ._start import FLOOR
from .goodness import FitTest, chi_square
from .profile import FactorSolution, fit_factors


class Moments(NamedTuple):
    """Mean and covariance of rows, in a frame with a scale for each feature."""

    frame: Frame  # centred at the mean
    varies: np.ndarray  # (d,) bool: features that vary by more than rounding
    covariance: Array | None  # (d, d), n-normalised, zero for the others; None where rows are few
    root: Array | None  # (n, d): covariance = root' root; None where features are few

    @property
    def variances(self) -> Array:
        """Of the features (d,)."""
        if self.covariance is not None:
            return np.diagonal(self.covariance)
        assert self.root is not None
        return np.einsum("ij,ij->j", self.root, self.root)

    def tested(self, loadings: Array, noise: Array, total: float) -> FitTest | None:
        """Chi-square test of factors and noise, in the frame; None where it does not exist."""
        if self.covariance is None:  # fewer rows than features: no covariance to compare with
            return None
        return chi_square(self.covariance, loadings, noise, total)


class FactorFit(NamedTuple):
    """A maximum, in the units of the data."""

    mean: Array  # (d,)
    loadings: Array  # (d, q)
    noise: Array  # (d,)
    uniquenesses: Array  # (d,), noise over variance
    heywood: np.ndarray  # (d,) bool
    trace: list[float]  # log-likelihood after each iteration, nats per row
    solution: FactorSolution
    test: FitTest | None

    def stop_reason(self, max_iter: int) -> str:
        """Why the search ended, as a sentence."""
        if self.solution.converged:
            return "No step from here promises more than tol."
        if self.solution.n_iter >= max_iter:
            return "max_iter iterations were done before a step promised less than tol."
        return "Rounding hides what another step would gain: use fewer factors, or a larger tol."


def moments_of(name: str, rows: np.ndarray, w: Array | None, n_threads: int | None) -> Moments:
    """Mean and covariance of complete rows, or a root of it where there are fewer than features."""
    n, d = rows.shape
    covariance: Array | None = None
    root: Array | None = None
    if n > d:
        source, totals = framed(rows, w, n_threads=n_threads)
        with source:
            frame, covariance = source.frame, totals.covariance
        frame = Frame(frame.from_frame(totals.mean), frame.scale)
        variances = np.diagonal(covariance)
    else:
        frame, root = rooted(rows, np.full(n, 1.0 / n) if w is None else w / w.sum())
        variances = np.einsum("ij,ij->j", root, root)
    validation.refuse_unsquarable(name, frame.scale, single=rows.dtype == np.float32)
    varies = variances > CONSTANT**2
    if covariance is not None:
        covariance = covariance * (varies & varies[:, None])
    if root is not None:
        root *= varies
    # the mean of equal numbers may differ from them by rounding
    centre = np.where(varies, frame.centre, rows[0].astype(np.float64))
    return Moments(Frame(centre, frame.scale), varies, covariance, root)


def rooted(rows: np.ndarray, share: Array) -> tuple[Frame, Array]:
    """A frame for few rows (n, d), and a root (n, d) of their covariance; shares sum to one."""
    rough = first_frame(rows)
    Z = rough.to_frame(rows.astype(np.float64))
    mean = share @ Z
    Z -= mean
    spread = np.sqrt(np.einsum("i,ij,ij->j", share, Z, Z))
    frame = own_frame(rough.from_frame(mean), spread / rough.scale, common_scale=False)
    Z *= frame.scale / rough.scale
    Z *= np.sqrt(share)[:, None]
    return frame, Z


def check_noise_start(noise_variance_init: ArrayLike, n_features: int) -> Array:
    """Noise variances (d,) to start from, finite and positive, or ValueError."""
    start = validation.check_shape("noise_variance_init", noise_variance_init, (n_features,))
    if start.min() <= 0:
        raise ValueError(
            f"The parameter 'noise_variance_init' should be positive, but contains "
            f"{start.min():g} for feature {int(start.argmin())}."
        )
    return start


def maximum(
    moments: Moments,
    n_factors: int,
    *,
    noise_init: Array | None,
    n_init: int,
    rng: np.random.RandomState,
    tol: float,
    max_iter: int,
    total: float,
) -> FactorFit:
    """The maximum of the likelihood, given moments; `tol` in nats per row, weights sum to `total`.

    Factors and noise of constant features: none, and `FLOOR`.
    """
    frame, varies = moments.frame, moments.varies
    solution = fit_factors(
        moments.covariance,
        n_factors,
        root=moments.root,
        noise_init=None if noise_init is None else noise_init * frame.scale**2,
        n_init=n_init,
        rng=rng,
        tol=tol,
        max_iter=max_iter,
        floor=FLOOR,
    )
    # a constant feature's floor is the same in all units, and so is its density
    jacobian = float(np.log(frame.scale[varies]).sum())
    variances = np.where(varies, moments.variances, 1.0)
    return FactorFit(
        frame.centre,
        solution.loadings / frame.scale[:, None],
        np.where(varies, solution.noise / frame.scale**2, FLOOR),
        np.where(varies, solution.noise / variances, 1.0),
        solution.heywood,
        [value + jacobian for value in solution.trace],
        solution,
        moments.tested(solution.loadings, solution.noise, total),
    )

"""What pictures of orbits are computed from: the objective anywhere on the simplex, and slopes.

n rows, k components; p points on the simplex.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ._style import COLOURS

ENTRIES = 2**22  # of a table that exists at a time
TAIL = 1e-3
"""How far, as a share, a quantity falls while its slope is measured: three digits."""


def orbit_of(estimator: Any, display: str) -> np.ndarray:
    """The stored orbit of a fitted estimator, or an error that says how to get one."""
    check_is_fitted(estimator)
    orbit = getattr(estimator, "orbit_", None)
    if orbit is None:
        raise ValueError(
            f"{display} draws the orbit of a fit, but this {type(estimator).__name__} has stored "
            "none: fit it with store_orbit=True."
        )
    return np.asarray(orbit, dtype=np.float64)


def simplex_grid(steps: int) -> np.ndarray:
    """Points (p, 3) with weights in multiples of ``1 / steps``."""
    i, j = np.mgrid[: steps + 1, : steps + 1]
    inside = i + j <= steps
    i, j = i[inside], j[inside]
    return np.column_stack([i, j, steps - i - j]) / steps


class Objective:
    """The objective of an estimator at any weights, with its prior, for the rows given."""

    def __init__(self, estimator: Any, F: ArrayLike, sample_weight: ArrayLike | None) -> None:
        F = np.asarray(F, dtype=np.float64)
        K = getattr(estimator, "n_features_in_", F.shape[-1])
        if F.ndim != 2 or F.shape[1] != K:
            raise ValueError(
                f"The rows that were fitted are expected, of shape (n, {K}), but got {F.shape}."
            )
        if sample_weight is not None:
            w = np.asarray(sample_weight, dtype=float)
            F, sample_weight = F[w > 0], w[w > 0]
        log = estimator.input == "log_density"
        bad = np.isnan(F) | np.isposinf(F) | ((not log) & (F < 0))
        if bad.any():
            i, k = np.argwhere(bad)[0]
            raise ValueError(
                f"Rows that can be fitted are expected, but row {i} has {F[i, k]:g} under "
                f"component {k}."
            )
        top = F.max(axis=1, keepdims=True)
        self.shares = np.exp(F - top) if log else F / top  # rows with 1 for their largest entry
        self.logs = top[:, 0] if log else np.log(top[:, 0])
        n, k = F.shape
        self.w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        self.pseudo = np.broadcast_to(np.asarray(estimator.concentration, dtype=float), (k,)) - 1.0
        self.total = self.w.sum() + self.pseudo.sum()

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Values (p,) at points (p, k), in nats per row; -inf where a row is impossible."""
        some = self.pseudo > 0
        with np.errstate(divide="ignore"):
            values = np.log(points[:, some]) @ self.pseudo[some] + self.w @ self.logs
            rows = max(1, ENTRIES // len(points))
            for lo in range(0, len(self.w), rows):
                block = np.log(self.shares[lo : lo + rows] @ points.T)
                w = self.w[lo : lo + rows]
                values += w[w > 0] @ block[w > 0]
        return values / self.total

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """``g_k`` (k,) of a component without pseudo-counts: 1 at the maximum where it is used."""
        return (self.w / (self.shares @ weights)) @ self.shares / self.total


def draw_decay(
    panel: Any, values: np.ndarray, rate: float, floor: float, look: dict[str, Any]
) -> float:
    """A curve on a logarithmic axis, and the straight line that it approaches; the slope measured.

    The line goes through the last point above rounding.
    """
    shown = np.flatnonzero(values > floor)
    shown = shown[shown < np.argmax([*(values <= floor), True])]  # up to the first that is not
    slope = measured_slope(values[shown])
    base = {"color": COLOURS[0], "marker": "o", "markersize": 3.0, "linestyle": "none"}
    panel.plot(shown, values[shown], label=f"measured: {slope:.4f} a step", **(base | look))
    if len(shown) and 0.0 < rate < 1.0:
        n = np.arange(shown[-1] + 1)
        line = np.log(values[shown[-1]]) + np.log(rate) * (n - shown[-1])
        label = f"theory: {np.log(rate):.4f} a step"
        panel.plot(n, np.exp(line), color=COLOURS[1], linewidth=1.2, label=label)
    return slope


def measured_slope(values: np.ndarray) -> float:
    """Of log values against their number, where they fall by the last few digits; NaN for one."""
    if len(values) < 2:
        return np.nan
    far = np.flatnonzero(values >= values[-1] / TAIL)
    first = int(far[-1]) if far.size else 0
    return float(np.log(values[-1] / values[first]) / (len(values) - 1 - first))

"""The picture of convergence: how fast an orbit comes in, and the straight lines of theory.

Conventions: n rows, k components with weights ``pi``; ``pi_0, ..., pi_m`` is an orbit.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from ._orbits import Objective, draw_decay, orbit_of
from ._style import axes_or_new

TIGHT = 1e-12
"""Certified gap, in nats, of the maximum that orbits are compared with."""

LEAST_DISTANCE, LEAST_LOSS = 1e-14, 1e-12
"""Of weights, and relative to an objective: smaller differences have fewer than three digits."""


class ConvergenceDisplay:
    """How an orbit comes in: distance to the limit, and what the objective lacks of its maximum.

    The distance ``a_n = |pi_n - pi*|`` of EM falls by a factor of ``1 - lambda_min(M)`` a step in
    the end, or by the largest g_k of a component without weight where that is larger. The loss
    ``l* - l(pi_n)``, the Lyapunov function, falls by the square of the former, as any smooth
    function does at its maximum, or by the latter.

    Parameters
    ----------
    distances, losses : ndarray of shape (m + 1,)
        ``|pi_n - pi*|``, and ``l* - l(pi_n)`` in nats per row.
    rates : (float, float)
        The factors by which theory says that EM multiplies them in the end.
    floors : (float, float), default=(0.0, 0.0)
        Below these they are rounding, and not shown.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The frame around the two panels.
    axes_ : ndarray of Axes, (2,)
    figure_ : matplotlib Figure
    slopes_ : (float, float)
        What log distance and log loss fall by in a step, measured at the end of what is shown.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import DynamicResponsibility
    >>> from mixtures.plotting import ConvergenceDisplay
    >>> F = np.random.default_rng(0).exponential(size=(50, 2))
    >>> model = DynamicResponsibility(solver="em", store_orbit=True, tol=1e-9).fit(F)
    >>> display = ConvergenceDisplay.from_estimator(model, F)
    >>> bool(abs(display.slopes_[0] - np.log(model.rate_)) < 0.01)
    True
    """

    def __init__(
        self,
        distances: np.ndarray,
        losses: np.ndarray,
        rates: tuple[float, float],
        *,
        floors: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.distances = distances
        self.losses = losses
        self.rates = rates
        self.floors = floors

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        F: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the convergence of a fit; the maximum is found to many digits first.

        Parameters
        ----------
        estimator : DynamicResponsibility
            Fitted with ``store_orbit=True``.
        F : array-like of shape (n, k)
            The densities, or log-densities, that it was fitted to.
        sample_weight : array-like of shape (n,), default=None
            The weights that it was fitted with.
        ax : matplotlib Axes, default=None
            Where to draw, divided into two panels; None makes a figure.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : ConvergenceDisplay

        Raises
        ------
        ValueError
            If no orbit was stored, or if there is more than one maximum to converge to.
        """
        orbit = orbit_of(estimator, cls.__name__)
        best = clone(estimator).set_params(
            solver="auto", tol=TIGHT, max_iter=None, start=None, store_orbit=False, information=True
        )
        best.fit(F, sample_weight=sample_weight)
        if not best.identifiable_:
            raise ValueError(
                "ConvergenceDisplay needs one maximum to measure distances from, but the densities "
                "of the active components are linearly dependent (identifiable_ is False): where "
                "EM ends depends on its start. Leave out components that equal others."
            )
        losses = best.objective_ - estimator.objective_path_
        contraction = 1.0 - best.lambda_min_
        g = Objective(estimator, F, sample_weight).gradient(best.weights_)
        unused = float(g[~best.active_].max(initial=0.0))
        rates = max(contraction, unused), max(contraction**2, unused)
        floors = (
            LEAST_DISTANCE / max(best.lambda_min_, 1e-4),
            LEAST_LOSS * max(1.0, abs(best.objective_)),
        )
        distances = np.linalg.norm(orbit - best.weights_, axis=1)
        return cls(distances, losses, rates, floors=floors).plot(ax=ax, **plot_options)

    def plot(self, ax: Any = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw both on logarithmic axes, with the straight lines that theory predicts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, divided into two panels; None makes a figure.
        line_kwargs : dict, default=None
            Options of the measured curves, in place of ours.

        Returns
        -------
        self : ConvergenceDisplay
        """
        ax = axes_or_new("ConvergenceDisplay.plot", ax, (9.0, 3.8))
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        self.ax_, self.figure_ = ax, ax.figure
        ax.set_axis_off()
        cells = GridSpecFromSubplotSpec(1, 2, ax.get_subplotspec(), wspace=0.08)
        self.axes_ = np.array([ax.figure.add_subplot(cells[0, column]) for column in range(2)])
        names = "distance |πₙ − π*|", "loss ℓ* − ℓ(πₙ), nats per row"
        slopes = []
        for panel, values, rate, floor, name in zip(
            self.axes_, (self.distances, self.losses), self.rates, self.floors, names, strict=True
        ):
            slopes.append(draw_decay(panel, values, rate, floor, line_kwargs or {}))
            panel.set(xlabel="iteration n", ylabel=name, yscale="log")
            panel.legend(frameon=False)
        self.slopes_ = slopes[0], slopes[1]
        return self

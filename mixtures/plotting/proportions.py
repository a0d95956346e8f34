"""The picture of the responsibility map: the orbit of three weights on the simplex.

Conventions: n rows, 3 components; an orbit has m steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._orbits import Objective, orbit_of, simplex_grid
from ._style import COLOURS, axes_or_new

STEPS = 80  # of the grid along each side of the simplex; level lines look smooth from about fifty
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
SHARES = (0.01, 0.03, 0.07, 0.13, 0.21, 0.31, 0.43, 0.57, 0.73, 0.9)
"""Of the simplex inside each level line: about evenly spaced hills, however steep they are."""


class OrbitDisplay:
    """The orbit of the weights of three components on the simplex, over level lines.

    Parameters
    ----------
    orbit : ndarray of shape (m + 1, 3)
        The weights, from the start to the end.
    points, values : ndarray of shape (p, 3) and (p,)
        Where on the simplex the objective is known, and what it is there, nats per row.
    names : sequence of str of length 3
        What the corners are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The orbit, in the plane of the picture.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import DynamicResponsibility
    >>> from mixtures.plotting import OrbitDisplay
    >>> F = np.random.default_rng(0).exponential(size=(50, 3))
    >>> model = DynamicResponsibility(solver="em", store_orbit=True, tol=1e-4).fit(F)
    >>> OrbitDisplay.from_estimator(model, F).line_.get_xydata().shape == model.orbit_[:, 1:].shape
    True
    """

    def __init__(
        self, orbit: np.ndarray, points: np.ndarray, values: np.ndarray, names: Sequence[str]
    ) -> None:
        self.orbit = orbit
        self.points = points
        self.values = values
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        F: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        names: Sequence[str] | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the orbit of a fit.

        Parameters
        ----------
        estimator : DynamicResponsibility
            Fitted to three components with ``store_orbit=True``; ``solver="em"`` is the orbit of
            the responsibility map, other solvers show the points that they went through.
        F : array-like of shape (n, 3)
            The densities, or log-densities, that it was fitted to.
        sample_weight : array-like of shape (n,), default=None
            The weights that it was fitted with.
        names : sequence of str of length 3, default=None
            What the corners are called; None takes the names of the columns, or numbers them.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : OrbitDisplay

        Raises
        ------
        ValueError
            If there are not three components, or no orbit was stored.
        """
        orbit = orbit_of(estimator, cls.__name__)
        if orbit.shape[1] != 3:
            raise ValueError(
                f"OrbitDisplay draws the triangle of three components, but {orbit.shape[1]} were "
                "fitted. ConvergenceDisplay shows the orbit of any number of them."
            )
        own = getattr(estimator, "feature_names_in_", [f"component {c}" for c in range(3)])
        points = simplex_grid(STEPS)
        values = Objective(estimator, F, sample_weight)(points)
        names = [str(name) for name in (own if names is None else names)]
        return cls(orbit, points, values, names).plot(ax=ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        background: bool = True,
        line_kwargs: dict[str, Any] | None = None,
        contour_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the simplex, level lines of the objective, and the orbit from its start to its end.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        background : bool, default=True
            False adds the orbit to a picture that has the simplex and the level lines already.
        line_kwargs, contour_kwargs : dict, default=None
            Options of the orbit and of the level lines, in place of ours.

        Returns
        -------
        self : OrbitDisplay
        """
        ax = axes_or_new("OrbitDisplay.plot", ax, (6.0, 5.2))
        self.ax_, self.figure_ = ax, ax.figure
        if background:
            self._draw_simplex(contour_kwargs or {})
        x, y = (self.orbit @ CORNERS).T
        look = {"color": COLOURS[0], "marker": "o", "markersize": 3.0, "linewidth": 1.0}
        (self.line_,) = ax.plot(x, y, **(look | (line_kwargs or {})))
        colour = self.line_.get_color()
        ax.plot(x[0], y[0], marker="o", markersize=8.0, color=colour, markerfacecolor="white")
        ax.plot(x[-1], y[-1], marker="*", markersize=13.0, color=colour, markeredgecolor="white")
        return self

    def _draw_simplex(self, contour_kwargs: dict[str, Any]) -> None:
        ax, outline = self.ax_, np.vstack([CORNERS, CORNERS[:1]])
        finite = np.isfinite(self.values)
        below = self.values.max() - np.where(finite, self.values, self.values[finite].min())
        levels = np.unique(np.quantile(below, SHARES))
        look = {"levels": levels, "colors": "#B0B0B0", "linewidths": 0.7}
        if len(levels) > 1:  # a flat objective has no lines
            ax.tricontour(*(self.points @ CORNERS).T, below, **(look | contour_kwargs))
        ax.plot(*outline.T, color="black", linewidth=1.0)
        sides = [("center", "top"), ("center", "top"), ("center", "bottom")]
        for corner, name, (side, above) in zip(CORNERS, self.names, sides, strict=True):
            ax.annotate(
                name,
                corner,
                (0, 6 if above == "bottom" else -6),
                textcoords="offset points",
                ha=side,
                va=above,
            )
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.margins(0.12)

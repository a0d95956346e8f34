"""The picture of a search: the criterion over the grid, one line for each kind of model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np

from ._style import axes_or_new, style

SHOWN = 0.7
"""Share of the points that the vertical axis must reach. Hopeless models lie so far above the rest
that the candidates worth comparing would be one flat line."""


class InformationCriterionDisplay:
    """An information criterion against the number of components; lower is better.

    Parameters
    ----------
    x : sequence of float or str, length r
        Positions along the horizontal axis, such as numbers of components.
    values : ndarray of shape (r, c)
        The criterion, one column a line; NaN leaves a gap.
    labels : sequence of str, length c
        Names of the lines.
    x_name, criterion : str
        Names of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D, length c

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.datasets import load_faithful
    >>> from mixtures.plotting import InformationCriterionDisplay
    >>> from mixtures.selection import InformationCriterionSearch
    >>> grid = {"n_components": [1, 2, 3], "covariance_type": ["diag", "tied"]}
    >>> estimator = GaussianMixture(random_state=0, tol=1e-6)
    >>> search = InformationCriterionSearch(estimator, grid).fit(load_faithful().data)
    >>> display = InformationCriterionDisplay.from_search(search)
    >>> display.ax_.get_ylabel()
    'BIC (lower is better)'
    """

    def __init__(
        self,
        x: Sequence[Any],
        values: np.ndarray,
        labels: Sequence[str],
        *,
        x_name: str = "n_components",
        criterion: str = "bic",
    ) -> None:
        self.x = x
        self.values = values
        self.labels = labels
        self.x_name = x_name
        self.criterion = criterion

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        ax: Any = None,
        x: str = "n_components",
        lines: str | None = "covariance_type",
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw a fitted `InformationCriterionSearch`.

        Parameters
        ----------
        search : InformationCriterionSearch
            Fitted.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        x, lines : str
            Parameters of the grid along the axis, and with one line for each value. Where the grid
            has more parameters, a point is the best over the others.
        line_kwargs : dict, default=None
            Options of the lines.

        Returns
        -------
        display : InformationCriterionDisplay
        """
        positions, kinds, values = search.table(x, lines)
        name = _name_of(search.criterion)
        named = f"{lines} = " if all(isinstance(kind, Real) for kind in kinds) else ""
        labels = ["" if kind is None else f"{named}{kind}" for kind in kinds]
        display = cls(positions, values, labels, x_name=x, criterion=name)
        return display.plot(ax=ax, line_kwargs=line_kwargs)

    def plot(self, ax: Any = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the lines, and a ring around the best point.

        Where a few points are far above all others, the axis ends below them; the legend says
        which lines are wholly out of sight.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        line_kwargs : dict, default=None
            Options of the lines, in place of ours.

        Returns
        -------
        self : InformationCriterionDisplay
        """
        ax = axes_or_new("InformationCriterionDisplay.plot", ax, (6.0, 4.5))
        at, top = np.arange(len(self.x)), _top(self.values)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        for number, (label, column) in enumerate(zip(self.labels, self.values.T, strict=True)):
            colour, marker = style(number)
            # Open markers, so that lines which coincide can all be seen.
            look = {"color": colour, "marker": marker, "markerfacecolor": "none", "linewidth": 1.2}
            if not (column <= top).any():
                label = f"{label} (above)"
            self.lines_ += ax.plot(at, column, label=label, **(look | (line_kwargs or {})))
        if np.isfinite(self.values).any():
            row, column = divmod(int(np.nanargmin(self.values)), len(self.labels))
            label = self.labels[column]
            chosen = f"{label}, {self.x[row]}" if "=" in label else f"{label} {self.x[row]}".strip()
            ring = {"markersize": 14, "markerfacecolor": "none", "markeredgecolor": "black"}
            mark = {"linestyle": "none", "marker": "o", "label": f"lowest: {chosen}"}
            ax.plot(row, self.values[row, column], **(ring | mark))
        if top < np.inf:
            low = float(np.nanmin(self.values))
            ax.set_ylim(low - 0.08 * (top - low), top + 0.05 * (top - low))
        ax.set_xticks(at, [str(position) for position in self.x])
        ax.set_xlabel(re.sub(r"^n_(components|factors)$", r"number of \1", self.x_name))
        ax.set_ylabel(f"{self.criterion.upper()} (lower is better)")
        ax.legend(frameon=False)
        return self


def _name_of(criterion: Any) -> str:
    """The name of a criterion: of its method, of its function, or of its class."""
    if isinstance(criterion, partial):
        return _name_of(criterion.func)
    if isinstance(criterion, str):
        return criterion
    return str(getattr(criterion, "__name__", type(criterion).__name__))


def _top(values: np.ndarray) -> float:
    """Where the vertical axis ends: infinity unless a few points would squeeze all others."""
    finite = values[np.isfinite(values)]
    if finite.size < 4:
        return np.inf
    low, most, high = np.quantile(finite, [0.0, SHOWN, 1.0], method="lower")
    return float(most) if high - low > 4.0 * (most - low) > 0.0 else np.inf

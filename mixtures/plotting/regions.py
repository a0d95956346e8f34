"""The picture of a classifier: which class it names where in the plane, and how surely.

Conventions: n rows, K classes, m points along each axis of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._regions import (
    ask,
    classes_of,
    codes_of,
    grid_over,
    in_the_form_of,
    names_of,
    two_features,
)
from ._style import axes_or_new, style

GRID_POINTS = 320  # along each axis: about one for every two pixels of a page
PALEST, DARKEST = 0.10, 0.55
"""How much of its colour a region has, the rest being white, where a class is named at the even
posterior 1 / K and where at one. Rows on top of it are drawn in the full colour."""
TINY = 1e-9  # of a log-posterior
BORDER = "#4D4D4D"
MOST_IN_A_LINE = 8  # classes of a legend
BARE = "#333333"  # rows whose class nobody told


class ClassRegionsDisplay:
    """Regions of the plane by the class that a classifier names there, and rows on top.

    A region has the colour of its class; the paler, the less sure: the shade is the posterior
    probability of the named class, from 1 / K to 1. It is even where the classifier gives none.

    Parameters
    ----------
    sides : (ndarray of shape (m,), ndarray of shape (m,))
        Values of the first and of the second feature along the grid.
    codes : ndarray of shape (m, m), int
        Number of the class named at each point; a line of the array has one second feature.
    confidence : ndarray of shape (m, m) or None
        Posterior probability of that class; None: not known.
    class_names : sequence, length K
        Names of the classes in the legend.
    lead : ndarray of shape (m, m), default=None
        By how much the log-posterior of that class is above those of all others: borders are drawn
        where it vanishes, between the points of the grid. None: halfway between points.
    X : ndarray of shape (n, 2)
        Rows to draw.
    labels : ndarray of shape (n,), int, or None
        Number of the true class of each row; None draws them all alike.
    feature_names : sequence of str of length 2, default=None
        Names of the axes; None numbers them.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage
        The regions, (m, m, 3).
    rows_ : list of matplotlib PathCollection
        The rows, a collection for each class that has any; or one.
    handles_ : list of matplotlib Line2D, length K
        A marker for each class with its name: a legend for a figure of several displays.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from mixtures.datasets import make_crescents
    >>> from mixtures.plotting import ClassRegionsDisplay
    >>> X, y = make_crescents(200, random_state=0)
    >>> display = ClassRegionsDisplay.from_estimator(GaussianNB().fit(X, y), X, y)
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['0', '1', '2', '3']
    """

    def __init__(
        self,
        sides: tuple[np.ndarray, np.ndarray],
        codes: np.ndarray,
        confidence: np.ndarray | None,
        class_names: Sequence[Any],
        *,
        lead: np.ndarray | None = None,
        X: np.ndarray,
        labels: np.ndarray | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.sides = sides
        self.codes = codes
        self.confidence = confidence
        self.class_names = class_names
        self.lead = lead
        self.X = X
        self.labels = labels
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        grid_points: int = GRID_POINTS,
        limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
        class_names: Sequence[Any] | None = None,
        feature_names: Sequence[str] | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the regions of a fitted classifier of two features.

        Parameters
        ----------
        estimator : classifier
            Fitted: has ``classes_`` and ``predict``; ``predict_proba``, if any, gives the shade.
        X : array-like of shape (n, 2)
            Rows to draw; the regions reach a little beyond them.
        y : array-like of shape (n,), default=None
            Classes of the rows, in colours and markers; None draws the rows alike.
        grid_points : int, default=320
            Points along each axis at which the classifier is asked, at least 2.
        limits : ((float, float), (float, float)), default=None
            Ends of both axes. None: those of X and 6 % more.
        class_names : sequence, length K, default=None
            None: the labels.
        feature_names : sequence of str of length 2, default=None
            None takes them from the estimator, where it was fitted with column names.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : ClassRegionsDisplay

        Raises
        ------
        TypeError
            If the estimator is no classifier.
        ValueError
            If X has not two features, or y not a known class for each row.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        classes = classes_of(estimator, cls.__name__)
        rows = two_features(X)
        names = names_of(class_names, classes)
        labels = None if y is None else codes_of(y, classes, len(rows))
        sides, points = grid_over(rows, limits, grid_points)
        said = ask(estimator, in_the_form_of(X), points, classes)
        known = getattr(estimator, "feature_names_in_", None)
        features = known if feature_names is None else feature_names
        rest: dict[str, Any] = {"X": rows, "labels": labels, "feature_names": features}
        display = cls(sides, said.codes, said.confidence, names, lead=said.lead, **rest)
        return display.plot(ax=ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        legend: bool = True,
        scatter_kwargs: dict[str, Any] | None = None,
        border_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw regions, borders and rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        legend : bool, default=True
            Whether to name the classes above the picture.
        scatter_kwargs, border_kwargs : dict, default=None
            Options of the rows and of the borders between regions, in place of ours.

        Returns
        -------
        self : ClassRegionsDisplay
        """
        ax = axes_or_new("ClassRegionsDisplay.plot", ax, (6.0, 5.0))
        self.ax_, self.figure_ = ax, ax.figure
        self._draw_regions()
        self._draw_borders({"colors": BORDER, "linewidths": 0.8} | (border_kwargs or {}))
        self._draw_rows(
            {"s": 16, "edgecolors": "white", "linewidths": 0.4} | (scatter_kwargs or {})
        )
        names = self.feature_names
        x_name, y_name = ("feature 0", "feature 1") if names is None else map(str, names)
        ax.set(xlabel=x_name, ylabel=y_name)
        self.handles_ = self._handles()
        if legend:
            above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False}
            columns = min(len(self.handles_), MOST_IN_A_LINE)
            ax.legend(handles=self.handles_, ncols=columns, handletextpad=0.1, **above)
        return self

    def _draw_regions(self) -> None:
        from matplotlib.colors import to_rgb

        k = len(self.class_names)
        colours = np.array([to_rgb(style(number)[0]) for number in range(k)])
        sure = 1.0 if self.confidence is None else (self.confidence - 1.0 / k) * k / max(k - 1, 1)
        ink = PALEST + (DARKEST - PALEST) * np.clip(sure, 0.0, 1.0)
        ink = np.broadcast_to(ink, self.codes.shape)[..., None]
        picture = 1.0 - ink * (1.0 - colours[self.codes])
        # A point of the grid is the middle of its cell.
        spans = [(s[0], s[-1], (s[1] - s[0]) / 2.0) for s in self.sides]
        extent = [end for low, high, half in spans for end in (low - half, high + half)]
        look = {"origin": "lower", "aspect": "auto", "interpolation": "bilinear", "zorder": 0}
        self.image_ = self.ax_.imshow(picture, extent=extent, **look)
        self.ax_.set_xlim(*extent[:2])
        self.ax_.set_ylim(*extent[2:])

    def _draw_borders(self, look: dict[str, Any]) -> None:
        present = np.unique(self.codes)
        # Never zero on the grid: equal posteriors would be borders wherever they are.
        lead = np.maximum(1.0 if self.lead is None else self.lead, TINY)
        # One class fewer than there are: each border is drawn by one of its sides at least.
        for code in present[1:]:
            ahead = np.where(self.codes == code, lead, -lead)
            self.ax_.contour(*self.sides, ahead, levels=[0.0], zorder=1, **look)

    def _draw_rows(self, look: dict[str, Any]) -> None:
        self.rows_ = []
        if self.labels is None:
            self.rows_.append(
                self.ax_.scatter(*self.X.T, **({"facecolors": BARE, "zorder": 2} | look))
            )
            return
        # The most frequent class first, so that it does not bury the rare ones.
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        for depth, code in enumerate(np.argsort(-counts, kind="stable")):
            if counts[code]:
                colour, marker = style(code)
                own = {"facecolors": colour, "marker": marker, "zorder": 2 + depth / len(counts)}
                rows = self.X[self.labels == code]
                self.rows_.append(self.ax_.scatter(*rows.T, **(own | look)))

    def _handles(self) -> list[Any]:
        """A marker for each class, with its name."""
        from matplotlib.lines import Line2D

        handles = []
        for number, name in enumerate(self.class_names):
            colour, marker = style(number)
            look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 6.0}
            handles.append(Line2D([], [], label=str(name), linestyle="none", **look))
        return handles

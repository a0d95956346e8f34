"""The picture of a Gaussian mixture: rows, ellipses, density.

Conventions: n rows, d features, k components, m features shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from scipy.stats import chi2, multivariate_normal
from sklearn.utils.validation import check_is_fitted

from ..covariance import STRUCTURES, GaussianParams
from ._style import axes_or_new, style
from ._triangle import panels_in, tidy, triangle

GRID_POINTS = 160  # along each axis of a density; contours look smooth from about a hundred
CURVE_POINTS = 1000  # along a curve, which costs less and has sharper peaks
DENSITY_MASSES = (0.99, 0.95, 0.8, 0.6, 0.4, 0.2)
SHADES = ("#F5F5F5", "#EBEBEB", "#DEDEDE", "#D0D0D0", "#C2C2C2", "#B0B0B0")
MAX_FEATURES = 4  # that are shown unless others are asked for


class MixtureDisplay:
    """Rows, components and density of a Gaussian mixture.

    One feature is drawn as a histogram with the density and its parts; two as a scatter plot with
    the components' ellipses and contours of the density; more as a triangle of such plots.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows to show.
    labels : ndarray of shape (n,), int
        The component of each row.
    weights, means, covariances : ndarray of shape (k,), (k, d), (k, d, d)
        The mixture, its covariances as matrices whatever their structure.
    feature_names : sequence of str, default=None
        Names of the axes; None numbers them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on; for more than two features, the frame around `axes_`.
    axes_ : ndarray of Axes, (m, m)
        The panels for m > 2 features, None above the diagonal; (1, 1) otherwise.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from mixtures import GaussianMixture
    >>> from mixtures.datasets import load_faithful
    >>> from mixtures.plotting import MixtureDisplay
    >>> X = load_faithful().data
    >>> gm = GaussianMixture(2, random_state=0).fit(X)
    >>> display = MixtureDisplay.from_estimator(gm, X)
    >>> [len(panel.patches) for panel in display.axes_.flat]  # two ellipses a component
    [4]
    """

    def __init__(
        self,
        X: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        means: np.ndarray,
        covariances: np.ndarray,
        *,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.X = X
        self.labels = labels
        self.weights = weights
        self.means = means
        self.covariances = covariances
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        ax: Any = None,
        feature_names: Sequence[str] | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw a fitted Gaussian mixture over the rows X.

        Parameters
        ----------
        estimator : GaussianMixture
            Fitted; scikit-learn's own is drawn as well.
        X : array-like of shape (n, d)
            The rows to show, labelled by ``estimator.predict``.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        feature_names : sequence of str, default=None
            None takes them from the estimator, where it was fitted with column names.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : MixtureDisplay

        Raises
        ------
        TypeError
            If the estimator is no Gaussian mixture.
        """
        if not hasattr(estimator, "covariance_type"):
            raise TypeError(
                "MixtureDisplay draws Gaussian mixtures, which have a covariance_type, but got "
                f"{type(estimator).__name__}; fit a GaussianMixture, or draw a search over models "
                "of any kind with InformationCriterionDisplay."
            )
        check_is_fitted(estimator)
        structure = STRUCTURES.get(estimator.covariance_type, estimator.covariance_type)
        parameters = (estimator.weights_, estimator.means_, estimator.covariances_)
        weights, means, covariances = (np.asarray(p, dtype=np.float64) for p in parameters)
        dense = structure.dense(GaussianParams(weights, means, covariances))
        names = getattr(estimator, "feature_names_in_", None)
        labels = estimator.predict(X)
        display = cls(
            np.asarray(X, dtype=np.float64),
            labels,
            weights,
            means,
            dense,
            feature_names=names if feature_names is None else feature_names,
        )
        return display.plot(ax=ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        features: Sequence[int] | None = None,
        masses: Sequence[float] = (0.5, 0.95),
        density: bool = True,
        scatter_kwargs: dict[str, Any] | None = None,
        ellipse_kwargs: dict[str, Any] | None = None,
        contour_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the mixture's marginal for some features.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure. More than two features divide it into panels.
        features : sequence of int, default=None
            Columns to show; None shows the first four at most.
        masses : sequence of float in (0, 1)
            Share of its component that each ellipse holds.
        density : bool, default=True
            Whether to shade the smallest regions that hold 99, 95, 80, 60, 40 and 20 per cent of
            the mixture.
        scatter_kwargs, ellipse_kwargs, contour_kwargs : dict, default=None
            Options of the artists, in place of ours.

        Returns
        -------
        self : MixtureDisplay
        """
        everything = range(min(self.X.shape[1], MAX_FEATURES))
        shown = list(everything if features is None else features)
        m = len(shown)
        side = 5.0 if m < 3 else 2.4 * m
        self.ax_ = axes_or_new("MixtureDisplay.plot", ax, (1.2 * side, side))
        self.figure_ = self.ax_.figure
        self.axes_ = panels_in(self.ax_, m) if m > 2 else np.array([[self.ax_]])
        scatter = {"s": 18 if m < 3 else 7, "alpha": 0.7, "linewidths": 0} | (scatter_kwargs or {})
        ellipse = {"linewidth": 1.6 if m < 3 else 1.0} | (ellipse_kwargs or {})
        contour = {"colors": SHADES} | (contour_kwargs or {})

        for row, column in triangle(m):
            pair = [shown[column], shown[row]]
            if row != column:
                panel = self.axes_[row, column] if m > 2 else self.ax_
                self._scatter(panel, pair, scatter)
                self._ellipses(panel, pair, masses, ellipse)
                if density:
                    self._contours(panel, pair, contour)
            elif m != 2:
                self._histogram(self.axes_[row, row], shown[row])
        if m > 2:
            tidy(self.axes_, [self._name(feature) for feature in shown])
        return self

    def _name(self, feature: int) -> str:
        names = self.feature_names
        return f"feature {feature}" if names is None else str(names[feature])

    def _marginal(self, features: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Means (k, m) and covariances (k, m, m) of some features: blocks of the whole ones."""
        return self.means[:, features], self.covariances[:, features][:, :, features]

    def log_densities(self, points: np.ndarray, features: list[int]) -> np.ndarray:
        """log(weight * density) of each component at points (p, m) of some features, (p, k)."""
        means, covariances = self._marginal(features)
        empty = np.full(len(self.weights), -np.inf)
        log_weights = np.log(self.weights, out=empty, where=self.weights > 0)
        columns = [
            log_weight + multivariate_normal(mean, covariance).logpdf(points).reshape(-1)
            for log_weight, mean, covariance in zip(log_weights, means, covariances, strict=True)
        ]
        return np.stack(columns, axis=1)

    def _scatter(self, panel: Any, pair: list[int], options: dict[str, Any]) -> None:
        for component in range(len(self.weights)):
            colour, marker = style(component)
            rows = self.X[self.labels == component][:, pair]
            look = {"color": colour, "marker": marker, "label": f"{component}"} | options
            panel.scatter(rows[:, 0], rows[:, 1], **look)
        panel.set(xlabel=self._name(pair[0]), ylabel=self._name(pair[1]))

    def _ellipses(
        self, panel: Any, pair: list[int], masses: Sequence[float], options: dict[str, Any]
    ) -> None:
        """Outlines that hold given shares of each component; heavier ones are drawn stronger.

        ``(x - mean)' covariance^-1 (x - mean) <= chi2.ppf(mass, 2)``: the axes lie along the
        eigenvectors of the covariance, half as long as the root of quantile times eigenvalue.
        """
        from matplotlib.patches import Ellipse

        for component, (mean, covariance) in enumerate(zip(*self._marginal(pair), strict=True)):
            variances, axes = np.linalg.eigh(covariance)  # ascending: the long axis is the last
            angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
            alpha = 0.35 + 0.65 * self.weights[component] / self.weights.max()
            colour = style(component)[0]
            for mass in masses:
                short, long = 2.0 * np.sqrt(chi2.ppf(mass, 2) * variances)
                look = {"edgecolor": colour, "facecolor": "none", "alpha": alpha, "zorder": 3}
                panel.add_patch(Ellipse(mean, long, short, angle=angle, **(look | options)))

    def _contours(self, panel: Any, pair: list[int], options: dict[str, Any]) -> None:
        sides = [_span(self.X[:, feature]) for feature in pair]
        grid = np.stack(np.meshgrid(*sides), axis=-1)  # (points, points, 2)
        log_density = logsumexp(self.log_densities(grid.reshape(-1, 2), pair), axis=1)
        levels = [*_levels(log_density), np.inf]
        heights = log_density.reshape(grid.shape[:2])
        panel.contourf(*sides, heights, levels=levels, zorder=0, **options)

    def _histogram(self, panel: Any, feature: int) -> None:
        """Rows, density and its parts along one feature."""
        values = self.X[:, feature]
        bins = int(np.clip(2.0 * np.sqrt(values.size), 10, 80))
        look = {"color": SHADES[2], "edgecolor": "white", "linewidth": 0.3}
        panel.hist(values, bins=bins, density=True, **look)
        points = _span(values, CURVE_POINTS)
        parts = np.exp(self.log_densities(points[:, None], [feature]))
        panel.plot(points, parts.sum(axis=1), color="#999999", linewidth=3.0, label="mixture")
        for component, part in enumerate(parts.T):
            colour = style(component)[0]
            panel.plot(points, part, color=colour, linewidth=1.3, label=f"{component}")
        panel.set(xlabel=self._name(feature), ylabel="density")


def _span(values: np.ndarray, points: int = GRID_POINTS) -> np.ndarray:
    """Evenly spaced points (points,) over the values' range and a bit more."""
    low, high = values.min(), values.max()
    margin = 0.12 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, points)


def _levels(log_density: np.ndarray) -> np.ndarray:
    """Log-densities that bound the highest-density regions of `DENSITY_MASSES`, increasing.

    A region of highest density holds the densest grid points until their share reaches its mass;
    the share is of what lies on the grid, which holds all but the far tails.
    """
    ordered = np.sort(log_density)[::-1]
    share = np.cumsum(np.exp(ordered - ordered[0]))
    at = np.searchsorted(share / share[-1], DENSITY_MASSES)
    return np.unique(ordered[np.minimum(at, ordered.size - 1)])

"""The picture of what factors are made of: loadings as a heat map, or as images.

d features, q factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._style import axes_or_new

TWO_SIDED = ("#003B5C", "#0072B2", "#7FB8D8", "#F7F7F7", "#EBB18A", "#D55E00", "#702F00")
"""Blue for negative and vermilion for positive: lightness falls evenly from zero to either side."""
CELLS_WITH_NUMBERS = 300  # as for prototypes; more are a carpet
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue light, in that of white
DARK = 0.24  # luminance of cells below which white writing has more contrast than dark grey
IMAGES_IN_A_ROW = 10
ATTRIBUTES = ("loadings_", "components_")


class LoadingsDisplay:
    """Loadings of features on factors, with one colour for each sign.

    Without a `shape`, a heat map with a line a feature and a column a factor; with one, an image a
    factor, whose pixels are the features.

    Parameters
    ----------
    loadings : ndarray of shape (d, q)
    feature_names, factor_names : sequence of str of length d and q, default=None
        None numbers them.
    shape : (int, int), default=None
        Height and width of an image whose pixels, row by row, are the features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The heat map's, or the frame around the images.
    axes_ : list of Axes
        The heat map's, or one an image.
    figure_ : matplotlib Figure
    colorbar_ : matplotlib Colorbar

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mixtures import ProbabilisticPCA
    >>> from mixtures.plotting import LoadingsDisplay
    >>> iris = load_iris()
    >>> model = ProbabilisticPCA(2).fit(iris.data)
    >>> display = LoadingsDisplay.from_estimator(model, feature_names=iris.feature_names)
    >>> [text.get_text() for text in display.ax_.get_xticklabels()]
    ['factor 0', 'factor 1']
    """

    def __init__(
        self,
        loadings: np.ndarray,
        *,
        feature_names: Sequence[str] | None = None,
        factor_names: Sequence[str] | None = None,
        shape: tuple[int, int] | None = None,
    ) -> None:
        self.loadings = np.asarray(loadings, dtype=np.float64)
        d, q = self.loadings.shape
        self.feature_names = _names(feature_names, "feature", d)
        self.factor_names = _names(factor_names, "factor", q)
        self.shape = shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        component: int | None = None,
        standardized: bool = False,
        features: Sequence[int] | None = None,
        feature_names: Sequence[str] | None = None,
        factor_names: Sequence[str] | None = None,
        shape: tuple[int, int] | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the loadings of a fitted model.

        Parameters
        ----------
        estimator : FactorAnalysis, ProbabilisticPCA, MixtureOfFactorAnalyzers or MixtureOfPPCA
            Fitted; or any model with ``loadings_`` (d, q) or ``components_`` (q, d).
        component : int, default=None
            Of a mixture: whose loadings; None takes the first one's.
        standardized : bool, default=False
            Divide by the features' standard deviations under the model: where factors do not
            correlate, these are the correlations of features and factors.
        features : sequence of int, default=None
            Which to show, in this order, as :meth:`order` gives one; None shows all.
        feature_names : sequence of str of length d, default=None
            Of all features; None takes the column names that the estimator was fitted with, or
            numbers them.
        factor_names : sequence of str of length q, default=None
        shape : (int, int), default=None
            Height and width of images, if the features are pixels; None draws a heat map.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : LoadingsDisplay

        Raises
        ------
        TypeError
            If the estimator has no loadings.
        ValueError
            If the names, the component or the shape do not fit them.
        """
        loadings = _loadings_of(estimator, component)
        if standardized:
            loadings = _standardized(loadings, estimator.get_covariance(), component)
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        names = _names(feature_names, "feature", len(loadings))
        if features is not None:
            loadings, names = loadings[list(features)], [names[j] for j in features]
        display = cls(loadings, feature_names=names, factor_names=factor_names, shape=shape)
        return display.plot(ax=ax, **plot_options)

    def order(self) -> np.ndarray:
        """Features by the factor that they load on most, and by how much: blocks to read.

        Returns
        -------
        features : ndarray of shape (d,), int
            For `features` of :meth:`from_estimator`.
        """
        sizes = np.abs(self.loadings)
        return np.lexsort([-sizes.max(axis=1), sizes.argmax(axis=1)])

    def plot(
        self,
        ax: Any = None,
        *,
        limit: float | None = None,
        colorbar: bool = True,
        image_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the heat map or the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure. Images divide it into panels.
        limit : float, default=None
            Size of the loadings at the ends of the colours; None takes the largest.
        colorbar : bool, default=True
        image_kwargs : dict, default=None
            Options of ``imshow`` or, for a heat map, ``pcolormesh``, such as ``cmap``.

        Returns
        -------
        self : LoadingsDisplay
        """
        d, q = self.loadings.shape
        if self.shape is not None and np.prod(self.shape) != d:
            raise ValueError(
                f"shape should be the height and width of images of {d} pixels, one a feature, but "
                f"{self.shape} has {np.prod(self.shape)}; pass None for a heat map."
            )
        margin = 0.6 + 0.085 * max(len(name) for name in self.feature_names)
        rows = -(-q // IMAGES_IN_A_ROW)
        size = (margin + 0.85 * q + 0.9, 0.7 + 0.27 * d)
        if self.shape is not None:
            size = (1.1 * min(q, IMAGES_IN_A_ROW) + 0.8, 1.35 * rows)
        self.ax_ = axes_or_new("LoadingsDisplay.plot", ax, size)
        self.figure_ = self.ax_.figure
        if limit is None:
            limit = float(np.abs(self.loadings).max(initial=0.0)) or 1.0
        look = {"cmap": _two_sided(), "vmin": -limit, "vmax": limit} | (image_kwargs or {})
        artist = self._heat_map(look) if self.shape is None else self._images(look, self.shape)
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(artist, ax=self.axes_, label="loading")
            self.colorbar_.outline.set_visible(False)
        return self

    def _heat_map(self, look: dict[str, Any]) -> Any:
        """One line a feature, the first on top."""
        ax, (d, q) = self.ax_, self.loadings.shape
        self.axes_ = [ax]
        artist = ax.pcolormesh(self.loadings, edgecolors="white", linewidth=1.5, **look)
        ax.invert_yaxis()
        ax.set_xticks(np.arange(q) + 0.5, self.factor_names)
        ax.set_yticks(np.arange(d) + 0.5, self.feature_names)
        ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
        ax.spines[:].set_visible(False)
        if d * q <= CELLS_WITH_NUMBERS:
            brightness = artist.to_rgba(self.loadings)[..., :3] ** 2.2 @ LUMINANCE
            for (j, factor), value in np.ndenumerate(self.loadings):
                colour = "white" if brightness[j, factor] < DARK else "#333333"
                text = f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")
                base = {"ha": "center", "va": "center", "fontsize": "small", "color": colour}
                ax.text(factor + 0.5, j + 0.5, text, **base)
        return artist

    def _images(self, look: dict[str, Any], shape: tuple[int, int]) -> Any:
        from matplotlib.gridspec import GridSpecFromSubplotSpec

        q, artist = self.loadings.shape[1], None
        rows = -(-q // IMAGES_IN_A_ROW)
        columns = -(-q // rows)
        self.ax_.set_axis_off()
        cells = GridSpecFromSubplotSpec(rows, columns, self.ax_.get_subplotspec())
        self.axes_ = [self.figure_.add_subplot(cells[divmod(at, columns)]) for at in range(q)]
        panels = zip(self.axes_, self.factor_names, self.loadings.T, strict=True)
        for panel, name, values in panels:
            artist = panel.imshow(values.reshape(shape), **look)
            panel.set_title(name, fontsize="small")
            panel.set(xticks=[], yticks=[])
            for edge in panel.spines.values():
                edge.set_color("#BBBBBB")
        return artist


def _loadings_of(estimator: Any, component: int | None) -> np.ndarray:
    """Loadings (d, q) of a fitted model, or of a component of a mixture."""
    check_is_fitted(estimator)
    name = next((name for name in ATTRIBUTES if hasattr(estimator, name)), None)
    if name is None:
        raise TypeError(
            f"LoadingsDisplay expects an estimator with {' or '.join(ATTRIBUTES)}, but "
            f"{type(estimator).__name__} has none."
        )
    values = np.asarray(getattr(estimator, name), dtype=np.float64)
    if values.ndim == 3:
        k, one = len(values), component or 0
        if not 0 <= one < k:
            raise ValueError(f"The mixture has components 0 to {k - 1}, but got component={one}.")
        return values[one]
    if component is not None:
        raise ValueError(
            f"component={component} is one of a mixture, but {type(estimator).__name__} has one "
            "set of loadings. Pass None."
        )
    return values if name == "loadings_" else values.T


def _standardized(
    loadings: np.ndarray, covariance: np.ndarray, component: int | None
) -> np.ndarray:
    """Loadings (d, q) over the standard deviations; zero for features without variance."""
    own = covariance if covariance.ndim == 2 else covariance[component or 0]
    deviations = np.sqrt(np.diagonal(own))[:, None]
    result: np.ndarray = loadings / np.where(deviations > 0.0, deviations, 1.0)
    return result


def _names(given: Sequence[str] | None, what: str, number: int) -> list[str]:
    """Names of features or factors: those given, or numbers."""
    if given is None:
        return [f"{what} {at}" for at in range(number)]
    names = [str(name) for name in given]
    if len(names) != number:
        raise ValueError(
            f"{what}_names should hold {number} names, one for each {what}, but got {len(names)}."
        )
    return names


def _two_sided() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("two-sided", TWO_SIDED)

"""The picture of what each component is like: images of prototypes, or a latent class profile.

k components, m values a component.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any, Self

import numpy as np

from ..profiles import Profiles, profiles_of
from ._style import axes_or_new

IMAGES_IN_A_ROW = 10
CELLS_WITH_NUMBERS = 300
"""Cells of a heat map up to which their values are written into them; more are a carpet."""

INK = ("#F7F9FB", "#D3E4F1", "#8FBFDF", "#3B8DC4", "#0072B2", "#00436B", "#002038")
"""From nothing to most: lightness falls evenly, through the first of our colours."""

LETTERS = 11  # of a component's name in a line

DARK = 0.45  # share of the range of colours from which writing on them is white


class PrototypeDisplay:
    """Component parameters as pictures.

    With a `shape`, each component is an image; without, all are the columns of a heat map with one
    line a feature, as latent class profiles are shown. Components are titled with their weights.

    Parameters
    ----------
    profiles : Profiles
        Weights, values and their names, as `mixtures.profiles.profiles_of` gives them.
    shape : (int, int), default=None
        Height and width of an image whose pixels, row by row, are the features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The heat map's, or the frame around the images.
    axes_ : ndarray of Axes, (rows, columns)
        The images', None beyond the last; (1, 1) for a heat map.
    figure_ : matplotlib Figure
    colorbar_ : matplotlib Colorbar

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import PoissonMixture
    >>> from mixtures.plotting import PrototypeDisplay
    >>> X = np.random.default_rng(0).poisson([[1.0, 5.0, 2.0, 9.0]] * 20)
    >>> model = PoissonMixture(1).fit(X)
    >>> PrototypeDisplay.from_estimator(model, shape=(2, 2)).axes_.shape
    (1, 1)
    """

    def __init__(self, profiles: Profiles, *, shape: tuple[int, int] | None = None) -> None:
        self.profiles = profiles
        self.shape = shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
        component_names: Sequence[str] | None = None,
        components: Sequence[int] | None = None,
        most: int | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the components of a fitted mixture or of k-means.

        Parameters
        ----------
        estimator : BernoulliMixture, CategoricalMixture, PoissonMixture, GaussianMixture or KMeans
            Fitted. Probabilities, rates or means are shown.
        shape : (int, int), default=None
            Height and width of images, if the features are pixels; None draws a heat map.
        feature_names : sequence of str of length d, default=None
            None takes the column names that the estimator was fitted with, or numbers the features.
        component_names : sequence of str of length k, default=None
            None numbers the components of a heat map.
        components : sequence of int, default=None
            Which to show, in this order; None shows all.
        most : int, default=None
            Show only so many features, those that differ most between components, in that order.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : PrototypeDisplay

        Raises
        ------
        TypeError
            If the estimator has no parameters that could be shown.
        ValueError
            If the names or the shape do not fit them.
        """
        profiles = profiles_of(estimator, feature_names, component_names)
        if components is not None:
            profiles = profiles.select(components)
        if most is not None:
            profiles = profiles.distinct(most)
        display = cls(profiles, shape=shape)
        return display.plot(ax=ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        image_kwargs: dict[str, Any] | None = None,
        text_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the images or the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure. Images divide it into panels.
        image_kwargs : dict, default=None
            Options of ``imshow`` or, for a heat map, ``pcolormesh``, such as ``cmap`` or ``vmax``.
        text_kwargs : dict, default=None
            Options of the numbers in a heat map.

        Returns
        -------
        self : PrototypeDisplay
        """
        k, m = self.profiles.values.shape
        if self.shape is not None and np.prod(self.shape) != m:
            raise ValueError(
                f"shape should be the height and width of images of {m} pixels, one a feature, but "
                f"{self.shape} has {np.prod(self.shape)}; pass None for a heat map."
            )
        self._prepare(ax)
        low, high = self.profiles.limits or _limits(self.profiles.values)
        look = {"cmap": _ramp(), "vmin": low, "vmax": high} | (image_kwargs or {})
        if self.shape is None:
            artist = self._heat_map(look, text_kwargs or {})
            bar = {"aspect": 2.2 * m, "fraction": min(0.1, 0.2 / k), "pad": 0.03}
        else:
            artist = self._images(look, self.shape)
            bar = {"aspect": 15 * len(self.axes_), "fraction": 0.02, "pad": 0.01}
        panels = [panel for panel in self.axes_.flat if panel is not None]
        name = self.profiles.quantity
        self.colorbar_ = self.figure_.colorbar(artist, ax=panels, label=name, **bar)
        self.colorbar_.outline.set_visible(False)
        return self

    def _titles(self, heads: Sequence[str]) -> list[str]:
        """Name, or nothing, and weight of each component."""
        shares = [f"{100.0 * weight:.1f} %" for weight in self.profiles.weights]
        heads = [fill(head, LETTERS, break_long_words=False) for head in heads]
        return [f"{head}\n{share}".strip() for head, share in zip(heads, shares, strict=True)]

    def _prepare(self, ax: Any) -> None:
        """Axes for all panels: the one of the heat map, or rows of images of equal length."""
        purpose, (k, m) = "PrototypeDisplay.plot", self.profiles.values.shape
        if self.shape is None:
            margin = 1.8 + 0.075 * max(len(name) for name in self.profiles.names)
            longest = max(len(word) for head in self.profiles.heads for word in head.split())
            width = max(k * max(0.75, 0.085 * longest), 1.5)
            self.ax_ = axes_or_new(purpose, ax, (margin + width, 0.9 + 0.27 * m))
            self.axes_ = np.array([[self.ax_]])
        else:
            rows = -(-k // IMAGES_IN_A_ROW)
            columns = -(-k // rows)
            self.ax_ = axes_or_new(purpose, ax, (1.1 * columns + 0.8, 1.5 * rows))
            self.axes_ = _grid_in(self.ax_, rows, columns, k)
        self.figure_ = self.ax_.figure

    def _images(self, look: dict[str, Any], shape: tuple[int, int]) -> Any:
        artist = None
        panels = self.axes_.ravel()[: len(self.profiles.values)]
        titles = self._titles(self.profiles.labels or [""] * len(panels))
        for panel, title, values in zip(panels, titles, self.profiles.values, strict=True):
            artist = panel.imshow(values.reshape(shape), **look)
            panel.set_title(title, fontsize="small")
            panel.set(xticks=[], yticks=[])
            for edge in panel.spines.values():
                edge.set_color("#BBBBBB")
        return artist

    def _heat_map(self, look: dict[str, Any], text: dict[str, Any]) -> Any:
        """One line a value, the first on top; a gap of two parts features with categories."""
        ax, (k, m) = self.ax_, self.profiles.values.shape
        artist = ax.pcolormesh(self.profiles.values.T, edgecolors="white", linewidth=1.5, **look)
        ax.invert_yaxis()
        ax.set_xticks(np.arange(k) + 0.5, self._titles(self.profiles.heads))
        ax.set_yticks(np.arange(m) + 0.5, self.profiles.names)
        ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
        ax.spines[:].set_visible(False)
        form = ".3g" if self.profiles.limits is None else ".2f"
        if k * m <= CELLS_WITH_NUMBERS:
            share = artist.norm(self.profiles.values)
            for (component, j), value in np.ndenumerate(self.profiles.values):
                colour = "white" if share[component, j] > DARK else "#333333"
                base = {"ha": "center", "va": "center", "fontsize": "small", "color": colour}
                ax.text(component + 0.5, j + 0.5, f"{value:{form}}", **(base | text))
        sizes = self.profiles.sizes
        for at, above, below in zip(np.cumsum(sizes)[:-1], sizes[:-1], sizes[1:], strict=True):
            if max(above, below) > 1:
                ax.axhline(at, color="white", linewidth=6.0)
        return artist


def _ramp() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("ink", INK)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """From zero, where no value is negative, to the largest."""
    return min(0.0, float(values.min())), float(values.max()) or 1.0


def _grid_in(ax: Any, rows: int, columns: int, k: int) -> np.ndarray:
    """Divide axes into k panels, row by row; None beyond the last."""
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    ax.set_axis_off()
    cells = GridSpecFromSubplotSpec(rows, columns, ax.get_subplotspec())
    panels = np.full((rows, columns), None, dtype=object)
    for number in range(k):
        panels.flat[number] = ax.figure.add_subplot(cells[number // columns, number % columns])
    return panels

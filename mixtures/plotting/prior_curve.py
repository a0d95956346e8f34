"""The picture of a layer's prior: what it is, epoch by epoch, beside the shares of the classes.

Conventions: K classes, m epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._regions import names_of
from ._style import axes_or_new, style

DASHES = (0, (5, 3))
MARKED = 40  # epochs up to which each has a marker


class PriorCurveDisplay:
    """The prior of a responsible softmax layer after each epoch, and the shares of the classes.

    A solid line a class is the prior that the layer worked with, the mean over the batches of an
    epoch; dashed is the share of the class in training, which the prior estimates from the batches
    without their labels.

    Parameters
    ----------
    curve : ndarray of shape (m, K)
        The prior in each epoch.
    shares : ndarray of shape (K,)
        Shares of the classes in training.
    class_names : sequence, length K
        Names of the lines.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_, references_ : list of matplotlib Line2D, length K
        The prior of each class, and its share.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.plotting import PriorCurveDisplay
    >>> curve = np.array([[0.5, 0.5], [0.7, 0.3], [0.8, 0.2]])
    >>> display = PriorCurveDisplay(curve, np.array([0.9, 0.1]), ["common", "rare"]).plot()
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['common', 'rare', 'share in training']
    """

    def __init__(self, curve: np.ndarray, shares: np.ndarray, class_names: Sequence[Any]) -> None:
        self.curve = curve
        self.shares = shares
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        class_names: Sequence[Any] | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Draw the prior of a fitted `ResponsibleSoftmaxClassifier`.

        Parameters
        ----------
        estimator : ResponsibleSoftmaxClassifier
            Fitted; ``prior_curve_`` and ``class_prior_`` are drawn.
        class_names : sequence, length K, default=None
            None: the labels.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **plot_options
            Handed to `plot`.

        Returns
        -------
        display : PriorCurveDisplay

        Raises
        ------
        TypeError
            If the estimator keeps no prior.
        ValueError
            If there is not one name for each class.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        """
        check_is_fitted(estimator)
        if not (hasattr(estimator, "prior_curve_") and hasattr(estimator, "class_prior_")):
            raise TypeError(
                "PriorCurveDisplay draws the prior_curve_ of a ResponsibleSoftmaxClassifier, but "
                f"got {type(estimator).__name__}, which has none."
            )
        shares = np.asarray(estimator.class_prior_, dtype=np.float64)
        names = names_of(class_names, np.asarray(estimator.classes_))
        curve = np.asarray(estimator.prior_curve_, dtype=np.float64)
        return cls(curve, shares, names).plot(ax=ax, **plot_options)

    def plot(
        self,
        ax: Any = None,
        *,
        log: bool = True,
        legend: bool = True,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        log : bool, default=True
            Whether the axis of the shares is logarithmic, so that rare classes can be seen.
        legend : bool, default=True
            Whether to name the classes beside the picture.
        line_kwargs : dict, default=None
            Options of the curves, in place of ours.

        Returns
        -------
        self : PriorCurveDisplay
        """
        ax = axes_or_new("PriorCurveDisplay.plot", ax, (6.0, 4.0))
        from matplotlib.lines import Line2D

        self.ax_, self.figure_, self.lines_, self.references_ = ax, ax.figure, [], []
        epochs = np.arange(1, len(self.curve) + 1)
        for number, name in enumerate(self.class_names):
            colour, marker = style(number)
            mark = marker if len(epochs) <= MARKED else ""
            look = {"color": colour, "marker": mark, "markersize": 4.0, "linewidth": 1.3}
            look |= {"label": str(name), "zorder": 3} | (line_kwargs or {})
            self.lines_ += ax.plot(epochs, self.curve[:, number], **look)
            dashes = {"color": colour, "linestyle": DASHES, "linewidth": 1.0, "zorder": 2}
            self.references_.append(ax.axhline(self.shares[number], **dashes))
        if log:
            _plain_logarithmic(ax)
        else:
            ax.set_ylim(bottom=0.0)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="epoch", ylabel="share of the class")
        ax.spines[["top", "right"]].set_visible(False)
        if legend:
            key = Line2D([], [], color="#555555", linestyle=DASHES, linewidth=1.0)
            words = [*(str(name) for name in self.class_names), "share in training"]
            right = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
            ax.legend([*self.lines_, key], words, frameon=False, **right)
        return self


def _plain_logarithmic(ax: Any) -> None:
    """A logarithmic axis with labels at 1, 2 and 5 times powers of ten, written as shares are."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
    ax.yaxis.set_minor_locator(NullLocator())

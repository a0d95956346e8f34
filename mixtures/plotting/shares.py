"""The picture of class shares: estimated with intervals, beside others that are known.

Conventions: K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._style import axes_or_new, style

WIDTH = 0.7  # of a class on the axis, whose unit it is
DASH = "#777777"


class ClassShareDisplay:
    """Estimated shares of classes, with their intervals, and other shares to compare.

    Parameters
    ----------
    shares : ndarray of shape (K,)
        The estimate.
    interval : ndarray of shape (K, 2)
        Lower and upper ends.
    class_names : sequence, length K
        Names along the axis.
    references : dict of str to ndarray of shape (K,)
        Other shares by name, such as those in training: the first is drawn as lines across each
        class, the others as open markers.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib ErrorbarContainer
        Estimate and intervals.
    references_ : dict of str to matplotlib artist

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mixtures.label_shift import PriorShiftClassifier
    >>> from mixtures.plotting.shares import ClassShareDisplay
    >>> X = np.r_[np.arange(40.0), np.arange(30.0, 70.0)][:, None]
    >>> model = PriorShiftClassifier(LogisticRegression()).fit(X, np.repeat(["a", "b"], 40))
    >>> display = ClassShareDisplay.from_estimate(model.estimate_prior(X[:45]))
    >>> [text.get_text() for text in display.ax_.get_xticklabels()]
    ['a', 'b']
    """

    def __init__(
        self,
        shares: np.ndarray,
        interval: np.ndarray,
        class_names: Sequence[Any],
        *,
        references: Mapping[str, np.ndarray],
    ) -> None:
        self.shares = shares
        self.interval = interval
        self.class_names = class_names
        self.references = references

    @classmethod
    def from_estimate(
        cls,
        estimate: Any,
        *,
        level: float = 0.95,
        references: Mapping[str, ArrayLike] | None = None,
        class_names: Sequence[Any] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw what `PriorShiftClassifier.estimate_prior` returned.

        Parameters
        ----------
        estimate : PriorEstimate
        level : float, default=0.95
            Of the intervals.
        references : dict of str to array-like of shape (K,), default=None
            Other shares, beside those in training.
        class_names : sequence, length K, default=None
            None: the labels.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ClassShareDisplay
        """
        k = len(estimate.classes)
        names = list(estimate.classes) if class_names is None else list(class_names)
        given = {"training": estimate.train_prior, **(references or {})}
        others = {name: np.asarray(values, dtype=float) for name, values in given.items()}
        for name, values in others.items():
            if values.shape != (k,):
                raise ValueError(
                    f"references should have one share for each of the {k} classes, shape ({k},), "
                    f"but the shape of {name!r} is {values.shape}."
                )
        if len(names) != k:
            raise ValueError(
                f"class_names should have one name for each of the {k} classes, but got {names!r}."
            )
        interval = estimate.confidence_interval(level)
        return cls(estimate.prior, interval, names, references=others).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the shares.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        self : ClassShareDisplay
        """
        k, points = len(self.shares), max(1, len(self.references))
        ax = axes_or_new("ClassShareDisplay.plot", ax, (max(4.5, 1.2 + 0.62 * k), 4.0))
        at = np.arange(k)
        beside = (np.arange(points) - (points - 1) / 2.0) * WIDTH / points
        self.ax_, self.figure_, self.references_ = ax, ax.figure, {}
        for number, (name, values) in enumerate(self.references.items()):
            if number == 0:
                ends = at - WIDTH / 2, at + WIDTH / 2
                artist = ax.hlines(values, *ends, colors=DASH, linewidth=2.0, label=name)
            else:
                colour, marker = style(number)
                look = {"edgecolors": colour, "facecolors": "none", "linewidths": 1.4}
                where = at + beside[number]
                artist = ax.scatter(where, values, marker=marker, label=name, zorder=3, **look)
            self.references_[name] = artist
        colour, marker = style(0)
        ends = np.abs(self.interval.T - self.shares)
        bar = {"color": colour, "marker": marker, "linestyle": "none", "capsize": 3.0, "zorder": 4}
        self.bars_ = ax.errorbar(at + beside[0], self.shares, yerr=ends, label="estimated", **bar)
        ax.set_xticks(at, [str(name) for name in self.class_names])
        ax.set_xlabel("class")
        ax.set_ylabel("share")
        ax.set_ylim(bottom=0.0)
        ax.spines[["top", "right"]].set_visible(False)
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": points + 1}
        ax.legend(frameon=False, **above)
        return self

"""One picture of a whole search: the chosen model over its data, and the criterion's curves."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._style import require_matplotlib
from .criterion import InformationCriterionDisplay
from .mixture import MixtureDisplay


def save_report(
    path: str | PathLike[str],
    search: Any,
    X: ArrayLike,
    *,
    feature_names: Sequence[str] | None = None,
) -> None:
    """Write a picture of a search over Gaussian mixtures to a file.

    Parameters
    ----------
    path : path-like
        Where to write; the ending chooses the format (.png, .pdf, .svg).
    search : InformationCriterionSearch
        Fitted to the rows X.
    X : array-like of shape (n, d)
        The rows to show.
    feature_names : sequence of str, default=None
        Names of the axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the ending is none that matplotlib can write.
    OSError
        If the file cannot be written.
    """
    require_matplotlib("A picture")
    from matplotlib.figure import Figure

    best = search.best_estimator_
    pairs = np.ndim(X) == 2 and np.shape(X)[1] > 2
    # A figure without pyplot needs no screen, and does not stay in memory.
    figure = Figure(figsize=(13.0, 6.5) if pairs else (11.0, 4.8), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5 if pairs else 1.15, 1.0])
    model = MixtureDisplay.from_estimator(best, X, ax=left, feature_names=feature_names)
    title = f"{best.n_components} components, {best.covariance_type} covariance"
    if pairs:  # the triangle leaves room above its diagonal
        left.text(1.0, 1.0, title, ha="right", va="top", fontsize="large", transform=left.transAxes)
        handles, labels = model.axes_[1, 0].get_legend_handles_labels()
        where = {"loc": "upper right", "bbox_to_anchor": (1.0, 0.95), "ncols": 3}
        left.legend(handles, labels, title="component", frameon=False, **where)
    else:
        left.set_title(title)
        left.legend(title="component", frameon=False)
    InformationCriterionDisplay.from_search(search, ax=right)
    right.set_title("Which model?")
    figure.savefig(path)

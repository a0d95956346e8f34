"""A triangle of panels, one for each pair of features.

Conventions: m features shown; a panel's row and column are those of its features.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def triangle(m: int) -> list[tuple[int, int]]:
    """Rows and columns on and below the diagonal."""
    return [(row, column) for row in range(m) for column in range(row + 1)]


def panels_in(ax: Any, m: int) -> np.ndarray:
    """Divide axes into a lower triangle of m x m panels; None above the diagonal."""
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    ax.set_axis_off()
    cells = GridSpecFromSubplotSpec(m, m, ax.get_subplotspec(), wspace=0.05, hspace=0.05)
    panels = np.full((m, m), None, dtype=object)
    for row, column in triangle(m):
        share = panels[column, column] if row != column else None
        panels[row, column] = ax.figure.add_subplot(cells[row, column], sharex=share)
    return panels


def tidy(panels: np.ndarray, names: list[str]) -> None:
    """Ticks and names along the outer edge of a triangle of panels only."""
    m = len(names)
    for row, column in triangle(m):
        panel = panels[row, column]
        left = column == 0 and row > 0  # heights of a density say nothing here
        panel.set_xlabel(names[column] if row == m - 1 else "", fontsize="small")
        panel.set_ylabel(names[row] if left else "", fontsize="small")
        panel.tick_params(labelbottom=row == m - 1, labelleft=left, labelsize="small")
        if row == column:
            panel.set_yticks([])
    panels[0, 0].figure.align_ylabels(panels[1:, 0])

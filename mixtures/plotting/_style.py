"""What all pictures share: colours, and where to draw.

The colours are those of Okabe and Ito (2008), which people with any form of colour vision can tell
apart; the shape of the markers says the same again, for print and for more components than colours.
"""

from __future__ import annotations

from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")


def style(number: int) -> tuple[str, str]:
    """Colour and marker of a component, or of a line among several."""
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def require_matplotlib(purpose: str) -> None:
    """ImportError with a remedy, if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs matplotlib, which is not installed: "
            "pip install matplotlib, or install mixtures-learn with its extra 'plot'."
        ) from error


def axes_or_new(purpose: str, ax: Any, size: tuple[float, float]) -> Any:
    """`ax`, or the axes of a new figure of `size` inches."""
    require_matplotlib(purpose)
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]

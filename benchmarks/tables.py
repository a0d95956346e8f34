"""Tables of the report."""

from __future__ import annotations

import math
from typing import Any

Row = dict[str, Any]


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def ratio(row: Row) -> str:
    """Times ours, of medians and, in brackets, of minima."""
    return f"{row['ratio']:.2f} ({row['least_ratio']:.2f})"


def every_library(rows: list[Row], objective: str) -> str:
    """All that was measured per iteration; `objective` is the name of what is compared."""
    lines = [
        [
            row["item"], row["library"], number(row["ms"], 3), number(row["least_ms"], 3),
            number(row["ratio"]), number(row["fit_ratio"]), number(row["growth"], 1),
            f"{row['difference']:.0e}", number(row["cpu_share"]), row["rounds"],
            f"{row['load']:.1f} / {row['others']:.1f}",
        ]
        for row in rows
    ]  # fmt: skip
    head = ["item", "library", "ms", "least ms", "× ours", "× ours, whole fit", "peak growth, MiB"]
    head += [f"{objective}, relative difference", "core share", "rounds", "load / others' cores"]
    return "Every library:\n\n" + table(head, lines)

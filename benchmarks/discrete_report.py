"""The section on binary and categorical rows of the report, as text; report.py has the rest."""

from __future__ import annotations

from . import discrete
from .discrete_peers import BLOCKED, NUMPY, ONE_HOT, SCIPY, STEPMIX
from .discrete_workloads import DISCRETE, Categories
from .kmeans_report import by_group
from .tables import Row, every_library, number, table
from .targets import BESIDES, DISCRETE_SPEED, PACKED, verdict

WHOLE_FIT = "B4"
"""The item judged by a whole fit: what it saves on equal rows it must first spend on finding them.
"""


def times(row: Row | None) -> float | None:
    """Times ours that a library took."""
    if row is None:
        return None
    return row["fit_ratio"] if row["item"] == WHOLE_FIT else row["ratio"]


def cells(row: Row | None, target: float | None) -> list[str]:
    """How many times ours, and whether that is enough."""
    found = times(row)
    if found is None:
        return ["–", "–"]
    least = "" if row["item"] == WHOLE_FIT else f" ({row['least_ratio']:.2f})"
    asked = "none set" if target is None else f"≥ {target:g}: {verdict(found >= target)}"
    return [f"{found:.2f}{least}", asked]


def growth(own: Row) -> str:
    """Whether memory grew by no more than the packed copies; categories have no target."""
    most = PACKED * own["data"] + BESIDES
    if DISCRETE[own["item"]].work is Categories:
        return f"{own['growth']:.1f}"
    return f"{own['growth']:.1f} ≤ {most:.1f}: {verdict(own['growth'] <= most)}"


def summary(rows: list[Row]) -> str:
    lines = []
    for own, group in by_group(rows, "item"):
        name = own["item"]
        targets = DISCRETE_SPEED[name]
        ours = own["fit_ms"] if name == WHOLE_FIT else own["ms"]
        line = [name, own["what"], number(ours, 3)]
        line += cells(group.get(NUMPY) or group.get(SCIPY), targets.numpy)
        line += cells(group.get(BLOCKED), None)[:1]
        line += cells(group.get(STEPMIX), targets.stepmix)
        line += cells(group.get(ONE_HOT), None)[:1]
        lines.append([*line, number(own["data"], 0), growth(own)])
    head = ["item", "rows", "ours, ms", "× NumPy or scipy.sparse (of minima)", "target"]
    head += ["× NumPy blocked", "× StepMix", "target", "× StepMix one-hot", "rows, MiB"]
    return table([*head, "our peak growth, MiB"], lines)


def section(libraries: list[str], rounds: int, quick: bool, cache: str) -> str:
    """Measure and report all of it."""
    measured = discrete.run(DISCRETE, libraries, rounds, quick, cache)
    text = (
        "Time per EM iteration from one start; a whole fit of "
        f"{DISCRETE[WHOLE_FIT].long} iterations for {WHOLE_FIT}, where equal rows\nare to be found "
        "first. NumPy and scipy.sparse multiply whole matrices; `NumPy blocked` is the same\nEM "
        "tuned to the cache (`benchmarks/discrete_plain.py`).\n"
    )
    every = every_library(measured, "log-likelihood")
    return f"## Binary and categorical rows\n\n{text}\n{summary(measured)}\n{every}"

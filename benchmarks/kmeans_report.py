"""The section on k-means of the report, as text; report.py has the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable

from . import kmeans, kmeans_converged, kmeans_seeding, workloads
from .kmeans_peers import ELKAN, FAISS, PEERS
from .peers import OURS, SKLEARN
from .tables import Row, every_library, number, ratio, table
from .targets import (
    CLUSTER_SPEED,
    CONVERGED,
    FLOAT32,
    SEEDING_GROWTH,
    STANDARD_ERRORS,
    verdict,
)

SAME_INERTIA = 1e-10
"""By which ours may exceed a peer's from the same start, relative: rounding."""


def by_group(rows: list[Row], *fields: str) -> Iterable[tuple[Row, dict[str, Row]]]:
    """Our row and all rows by library, for each value of the fields."""
    for key in dict.fromkeys(tuple(row[f] for f in fields) for row in rows):
        group = {r["library"]: r for r in rows if tuple(r[f] for f in fields) == key}
        yield group[OURS], group


def as_good(own: Row, row: Row, field: str) -> bool:
    """Whether our mean of what is to be small is no worse than chance allows.

    A single value allows nothing.
    """
    error = math.hypot(own["error"], row["error"])
    bound = SAME_INERTIA if math.isnan(error) else STANDARD_ERRORS * error
    return own[field] - row[field] <= bound


def at_least(target: float | None, row: Row | None, *, good: bool = True) -> str:
    """The target and whether the row's ratio meets it."""
    if row is None or target is None:
        return "–" if row is None else "none set"
    return f"≥ {target:g}: {verdict(row['ratio'] >= target and good)}"


def iterations_section(rows: list[Row]) -> str:
    lines = []
    for own, group in by_group(rows, "item"):
        name, targets = own["item"], CLUSTER_SPEED[own["item"]]
        peers = [r for r in group.values() if PEERS[r["library"]].float64 and r is not own]
        best = min(peers, key=lambda r: r["ms"], default=None)
        lloyd, faiss = group.get(SKLEARN), group.get(FAISS)
        line = [name, own["what"], number(own["ms"], 3)]
        line += [ratio(lloyd) if lloyd else "–", at_least(targets.sklearn, lloyd)]
        line += [f"{ratio(best)} {best['library']}" if best else "–"]
        line += [at_least(targets.float64, best)]
        line += [ratio(faiss) if faiss else "–", at_least(FLOAT32.get(name), faiss)]
        lines.append(line)
    head = ["item", "rows", "ours, ms", "× scikit-learn's lloyd (of minima)", "target"]
    head += ["× fastest in float64", "target", "× faiss, float32", "target"]
    summary = table(head, lines)
    return f"### Time per Lloyd iteration\n\n{summary}\n{every_library(rows, 'inertia')}"


def seeding_section(rows: list[Row]) -> str:
    lines = []
    for own, group in by_group(rows, "item"):
        for library, row in group.items():
            asked = room = ""
            if library == SKLEARN:
                target, good = CLUSTER_SPEED[own["item"]].seeding, as_good(own, row, "potential")
                asked = at_least(target, row, good=good)
            if row is own and own["item"] in SEEDING_GROWTH:
                most = SEEDING_GROWTH[own["item"]]
                room = f"≤ {most:g}: {verdict(own['growth'] <= most)}"
            line = [own["item"], library, number(row["ms"], 1), ratio(row), asked]
            line += [f"{row['potential']:.4f} ± {number(row['error'], 4)}", row["states"]]
            lines.append([*line, number(row["growth"], 1), room])
    head = [
        "item",
        "library",
        "ms",
        "× ours (of minima)",
        "target",
        "potential, scikit-learn's = 1",
    ]
    head += ["random states", "peak growth, MiB", "target"]
    text = (
        "Greedy k-means++, 2 + log K candidates for each centre. The potential is the mean\n"
        "inertia of the seeds, with its standard error; a target is met only at one as good.\n"
    )
    return f"### Seeding\n\n{text}\n{table(head, lines)}"


def converged_section(rows: list[Row]) -> str:
    lines = []
    for own, group in by_group(rows, "item", "start"):
        peers = [group[x] for x in (SKLEARN, ELKAN) if x in group]
        fastest = min(peers, key=lambda r: r["ms"], default=None)
        for library, row in group.items():
            asked = ""
            if row is fastest:
                good = as_good(own, row, "inertia")
                if own["start"] == "given":
                    good = row["excess"] <= SAME_INERTIA
                asked = at_least(CONVERGED, row, good=good)
            line = [own["item"], own["start"], library, number(row["ms"], 1), number(row["ratio"])]
            line += [asked, f"{row['inertia']:.5f} ± {number(row['error'], 5)}"]
            line += [" ".join(map(str, row["iterations"])), number(row["growth"], 1)]
            lines.append(line)
    head = ["item", "start", "library", "ms", "× ours", "target, at no greater inertia"]
    head += ["inertia, scikit-learn's = 1", "iterations", "peak growth, MiB"]
    text = (
        "Whole fits with default settings, means over random states. From `given` seeds the fits\n"
        "are the same but for their time; `default` ones seed themselves, and a mean inertia is\n"
        f"as good up to {STANDARD_ERRORS:g} standard errors of the difference.\n"
    )
    return f"### Time to a converged fit\n\n{text}\n{table(head, lines)}"


def section(libraries: list[str], rounds: int, quick: bool, cache: str) -> str:
    """Measure and report all of it."""
    what = workloads.KMEANS, libraries, rounds, quick, cache
    parts = [
        iterations_section(kmeans.run(*what)),
        seeding_section(kmeans_seeding.run(*what)),
        converged_section(kmeans_converged.run(*what)),
    ]
    return "\n".join(["## k-means\n", *parts])

"""Time per Lloyd iteration, peak memory and inertia: ours and each peer, in one interleaved run.

    python -m benchmarks.kmeans --items K1,K2 --rounds 3
    python -m benchmarks.kmeans --quick --libraries mixtures,scikit-learn

As `fit.py`, whose clockwork it uses: the same start, no tolerance, a long fit less a short one, a
fresh single-threaded process for each library and round. A run fails if final inertias differ by
more than 1e-10, or centres, which a settled inertia tells little of, by more than 1e-8; faiss works
in float32 and may differ by 1e-4 in inertia.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import fresh, workloads
from .fit import arguments, check_agreement, interleave, rows, show, time_fits
from .kmeans_peers import PEERS, chosen
from .likelihood import inertia
from .machine import Busy

SAME_CENTRES = 1e-8
"""Distance, in standard deviations of the centres, at which they are the same."""


def measure(name: str, library: str, cache: str, quick: bool, budget: float) -> dict[str, Any]:
    """One library on one item, in this process; `budget` is in seconds."""
    begin, peer, work = time.perf_counter(), PEERS[library], workloads.load(name, cache, quick)
    small = peer.prepare(workloads.trivial_clusters(work))
    item = workloads.item(name, quick)
    record, last = time_fits(peer, peer.prepare(work), small, item, budget)
    found = {"objective": inertia(work.X, last.centres), "centres": last.centres.tolist()}
    return {**record, **found, "took": time.perf_counter() - begin}


def check_centres(name: str, results: dict[str, list[dict[str, Any]]]) -> None:
    """RuntimeError unless all float64 libraries end with the same centres."""
    ends = {x: np.array(runs[0]["centres"]) for x, runs in results.items() if PEERS[x].float64}
    first = next(iter(ends.values()), None)
    for library, centres in ends.items():
        apart = abs(centres - first).max() / first.std()
        if not apart <= SAME_CENTRES:
            raise RuntimeError(f"{name}: the centres of {library} lie elsewhere, by {apart:.1e}.")


def run(
    items: Iterable[str], libraries: list[str], rounds: int, quick: bool, cache: str
) -> list[dict[str, Any]]:
    """Measure, check and print all items; the rows of the table."""
    table = []
    for name in items:
        workloads.load(name, cache, quick)  # drawn here, so that no measured process draws it
        what = {"name": name, "cache": cache, "quick": quick, "budget": 0.3 if quick else 1.0}
        with Busy() as busy:
            results = interleave(
                libraries,
                rounds,
                lambda x, _, w=what: fresh.call("kmeans:measure", library=x, **w),
            )
        check_agreement(name, results, PEERS)
        check_centres(name, results)
        head = f"# {name} {workloads.item(name, quick).describe()}, per iteration"
        print(f"{head}; {busy.describe()}", flush=True)
        for row in rows(name, quick, results):
            table.append({**row, "load": busy.load, "others": busy.others})
            print(show(row), flush=True)
    return table


def options(description: str | None) -> argparse.Namespace:
    """The options of all benchmarks of k-means; `libraries` a list."""
    parser = arguments(description)
    parser.add_argument("--items", default=",".join(workloads.KMEANS))
    parser.add_argument("--libraries", help="default: all that are installed")
    given = parser.parse_args()
    given.items = given.items.split(",")
    given.libraries = chosen(given.libraries.split(",") if given.libraries else None)
    return given


def main() -> None:
    given = options(__doc__)
    run(given.items, given.libraries, given.rounds, given.quick, given.cache)


if __name__ == "__main__":
    main()

"""Greedy k-means++: time, potential of the seeds, and peak memory; ours and each peer's.

    python -m benchmarks.kmeans_seeding --items K1,K3 --rounds 3 [--quick]

All draw as many candidates for each centre. The potential is the inertia of the seeds, which chance
decides as well: its mean over all random states is shown with its standard error.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable
from typing import Any

from . import fresh, peak, workloads
from .fit import interleave
from .kmeans import options
from .kmeans_peers import PEERS
from .likelihood import inertia
from .machine import Busy
from .peers import OURS, SKLEARN

STATES = 4
"""Random states of a round; the next round has others."""


def measure(name: str, library: str, cache: str, quick: bool, turn: int) -> dict[str, Any]:
    """One library on one item and STATES random states, in this process."""
    begin, peer, work = time.perf_counter(), PEERS[library], workloads.load(name, cache, quick)
    k, small = len(work.centres), workloads.trivial_clusters(work)
    peer.seed(small.X, k, 0)  # the warm-up call
    _, growth = peak.growth(lambda: peer.seed(work.X, k, 0))
    states = range(turn * STATES, (turn + 1) * STATES)
    found = [peer.seed(work.X, k, state) for state in states]
    return {
        "seconds": [one.seconds for one in found],
        "potentials": [inertia(work.X, one.centres) for one in found],
        "growth": growth,
        "took": time.perf_counter() - begin,
    }


def pooled(runs: list[dict[str, Any]], field: str) -> list[float]:
    """The values of all rounds."""
    return [value for run in runs for value in run[field]]


def standard_error(values: list[float]) -> float:
    """Of their mean; NaN for a single one."""
    if len(values) < 2:
        return math.nan
    return statistics.stdev(values) / math.sqrt(len(values))


def rows(name: str, quick: bool, results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row a library; potentials relative to the mean of scikit-learn's (the first one's)."""
    first = next(iter(results.values()))
    own = pooled(results.get(OURS, first), "seconds")
    unit = statistics.mean(pooled(results.get(SKLEARN, first), "potentials"))
    table = []
    for library, runs in results.items():
        seconds, potentials = pooled(runs, "seconds"), pooled(runs, "potentials")
        row = {
            "item": name,
            "what": workloads.item(name, quick).describe(),
            "library": library,
            "states": len(seconds),
            "ms": 1e3 * statistics.median(seconds),
            "least_ms": 1e3 * min(seconds),
            "ratio": statistics.median(seconds) / statistics.median(own),
            "least_ratio": min(seconds) / min(own),
            "potential": statistics.mean(potentials) / unit,
            "error": standard_error(potentials) / unit,
            "growth": max(run["growth"] for run in runs),
        }
        table.append(row)
    return table


def show(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    return (
        f"{row['item']:3} {row['library']:18} {row['ms']:10.2f} ms (least {row['least_ms']:9.2f})  "
        f"x {row['ratio']:6.2f} (least {row['least_ratio']:6.2f})  {row['growth']:7.1f} MiB  "
        f"potential {row['potential']:.4f} ± {row['error']:.4f}, {row['states']} states"
    )


def run(
    items: Iterable[str], libraries: list[str], rounds: int, quick: bool, cache: str
) -> list[dict[str, Any]]:
    """Measure and print; one row an item and library that seeds."""
    table = []
    for name in items:
        workloads.load(name, cache, quick)
        what = {"name": name, "cache": cache, "quick": quick}
        entrants = [x for x in libraries if PEERS[x].seeds]
        with Busy() as busy:
            results = interleave(
                entrants,
                rounds,
                lambda x, turn, w=what: fresh.call(
                    "kmeans_seeding:measure", library=x, turn=turn, **w
                ),
            )
        head = f"# {name} {workloads.item(name, quick).describe()}, k-means++"
        print(f"{head}; {busy.describe()}", flush=True)
        for row in rows(name, quick, results):
            table.append({**row, "load": busy.load, "others": busy.others})
            print(show(row), flush=True)
    return table


def main() -> None:
    given = options(__doc__)
    run(given.items, given.libraries, given.rounds, given.quick, given.cache)


if __name__ == "__main__":
    main()

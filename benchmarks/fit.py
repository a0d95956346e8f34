"""Time per EM iteration, peak memory and likelihood: ours and each peer, in one interleaved run.

    python -m benchmarks.fit --items G1,G2 --rounds 3
    python -m benchmarks.fit --quick --libraries mixtures,scikit-learn

Each round measures every library once, in a fresh single-threaded process: a warm-up call, one fit
that gives the memory, then pairs of a short and a long fit. Time per iteration is the difference
of their medians over the difference of their iterations. Item G8 is judged by its whole short fit
of 20 iterations, validation included. A run whose final log-likelihoods differ fails.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import fresh, peak, workloads
from .likelihood import mean_log_likelihood
from .machine import Busy
from .peers import OURS, PEERS, SKLEARN
from .workloads import ClusterItem, Item

WHOLE_FIT = "G8"
"""The item whose target is for the whole short fit, not for an iteration."""

PATIENCE = 60.0
"""Seconds that a measurement of a library may take if it is to be repeated in further rounds."""


CORES = 1.5
"""Processor seconds per second at which a fit that was to run on one thread did not."""


def measure(name: str, library: str, cache: str, quick: bool, budget: float) -> dict[str, Any]:
    """One library on one item, in this process; `budget` is in seconds."""
    begin, peer = time.perf_counter(), PEERS[library]
    work, item = workloads.load(name, cache, quick), workloads.item(name, quick)
    record, last = time_fits(peer, work, workloads.trivial(work), item, budget)
    if last.growth is not None:  # a process of the library's own, which we know less of
        record |= {"growth": last.growth, "cpu_share": math.nan}
    record["objective"] = mean_log_likelihood(work.X, last.weights, last.means, last.covariances)
    return {**record, "took": time.perf_counter() - begin}


def time_fits(
    peer: Any, work: Any, small: Any, item: Item | ClusterItem, budget: float
) -> tuple[dict[str, float], Any]:
    """Times and memory of pairs of a short and a long fit, and the last fit.

    `small` is the work of the warm-up call; the pairs fill `budget` seconds.
    """
    peer.fit(small, 1)  # imports, compiled code, caches
    _, growth = peak.growth(lambda: peer.fit(work, item.short))
    shorts, longs, cpu, clock = [], [], 0.0, time.perf_counter()
    while not longs or (time.perf_counter() - clock < budget and len(longs) < 200):
        shorts.append(peer.fit(work, item.short).seconds)
        cpu -= time.process_time()
        longs.append((last := peer.fit(work, item.long)).seconds)
        cpu += time.process_time()
        if last.n_iter != item.long:
            raise RuntimeError(f"{peer.name} stopped after {last.n_iter} of {item.long}: {item}.")
    if cpu > CORES * sum(longs):
        raise RuntimeError(f"{peer.name} used {cpu / sum(longs):.2f} cores, not one.")
    each = (statistics.median(longs) - statistics.median(shorts)) / (item.long - item.short)
    record = {
        "iteration": each,
        "short_fit": statistics.median(shorts),
        "long_fit": statistics.median(longs),
        "cpu_share": cpu / sum(longs),  # below one where other processes had our core
        "growth": growth,
    }
    return record, last


def compete(
    name: str, libraries: Iterable[str], rounds: int, quick: bool, cache: str
) -> dict[str, list[dict[str, Any]]]:
    """Measurements of each library on one item, the rounds interleaved."""
    item = workloads.item(name, quick)
    entrants = [x for x in libraries if PEERS[x].supports(item)]
    budget = 0.3 if quick else 1.0
    what = {"name": name, "cache": cache, "quick": quick, "budget": budget}
    workloads.load(name, cache, quick)  # drawn here, so that no measured process draws it
    return interleave(
        entrants, rounds, lambda library, _: fresh.call("fit:measure", library=library, **what)
    )


def interleave(
    entrants: list[str], rounds: int, measure: Callable[[str, int], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Results of ``measure(entrant, round)``, each round beginning with another entrant."""
    results: dict[str, list[dict[str, Any]]] = {entrant: [] for entrant in entrants}
    for turn in range(rounds):
        first = turn % len(entrants)
        for entrant in entrants[first:] + entrants[:first]:
            if not results[entrant] or results[entrant][-1]["took"] <= PATIENCE:
                results[entrant].append(measure(entrant, turn))
    return results


def check_agreement(
    name: str, results: dict[str, list[dict[str, Any]]], peers: Mapping[str, Any] = PEERS
) -> None:
    """RuntimeError unless all libraries reached the same objective."""
    reference = reference_of(results)
    for library, measurements in results.items():
        for one in measurements:
            difference = abs(one["objective"] / reference - 1)
            if not difference <= peers[library].agreement:
                raise RuntimeError(
                    f"{name}: {library} reached an objective of {one['objective']!r}, not "
                    f"{reference!r}: not the same work, so its time means nothing."
                )


def reference_of(results: dict[str, list[dict[str, Any]]]) -> float:
    """The objective that all are compared with: scikit-learn's, or the first library's."""
    return results.get(SKLEARN, next(iter(results.values())))[0]["objective"]


def rows(name: str, quick: bool, results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row a library: medians, minima, and how many times ours they are.

    In a run without ours the first library takes our place.
    """
    key = "short_fit" if name == WHOLE_FIT else "iteration"
    own, reference = results.get(OURS, next(iter(results.values()))), reference_of(results)
    table = []
    for library, runs in results.items():
        row = {
            "item": name,
            "what": workloads.item(name, quick).describe(),
            "library": library,
            "rounds": len(runs),
            "ms": 1e3 * median_of(runs, key),
            "least_ms": 1e3 * min(run[key] for run in runs),
            "ratio": median_of(runs, key) / median_of(own, key),
            "least_ratio": min(run[key] for run in runs) / min(run[key] for run in own),
            "iteration_ms": 1e3 * median_of(runs, "iteration"),
            "fit_ms": 1e3 * median_of(runs, "long_fit"),
            "fit_ratio": median_of(runs, "long_fit") / median_of(own, "long_fit"),
            "growth": max(run["growth"] for run in runs),
            "cpu_share": median_of(runs, "cpu_share"),
            "difference": abs(runs[0]["objective"] / reference - 1),
        }
        table.append(row)
    return table


def median_of(runs: list[dict[str, Any]], field: str) -> float:
    return statistics.median(run[field] for run in runs)


def show(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    growth = "-" if math.isnan(row["growth"]) else f"{row['growth']:.1f}"
    return (
        f"{row['item']:3} {row['library']:18} {row['ms']:10.3f} ms (least {row['least_ms']:9.3f})  "
        f"x {row['ratio']:6.2f} (least {row['least_ratio']:6.2f}, fit {row['fit_ratio']:6.2f})  "
        f"{growth:>7} MiB  off by {row['difference']:.0e}  cpu {row['cpu_share']:.2f}  "
        f"{row['rounds']} rounds"
    )


def run(
    items: Iterable[str], libraries: Iterable[str], rounds: int, quick: bool, cache: str
) -> list[dict[str, Any]]:
    """Measure, check and print all items; the rows of the table."""
    table = []
    for name in items:
        with Busy() as busy:
            results = compete(name, libraries, rounds, quick, cache)
        check_agreement(name, results)
        what = "fit of 20 iterations" if name == WHOLE_FIT else "iteration"
        head = f"# {name} {workloads.item(name, quick).describe()}, per {what}"
        print(f"{head}; {busy.describe()}", flush=True)
        for row in rows(name, quick, results):
            table.append({**row, "load": busy.load, "others": busy.others})
            print(show(row), flush=True)
    return table


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few rows: a trial, not a result")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", default=workloads.default_cache(), help="folder for the data")
    return parser


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--items", default=",".join(workloads.ITEMS))
    parser.add_argument("--libraries", help="default: all that are installed")
    given = parser.parse_args()
    libraries = given.libraries.split(",") if given.libraries else installed()
    run(given.items.split(","), libraries, given.rounds, given.quick, given.cache)


def installed() -> list[str]:
    """The libraries to run: ours and every peer that is here."""
    return [name for name in PEERS if fresh.call("fit:is_available", library=name)]


def is_available(library: str) -> bool:
    return PEERS[library].available()


if __name__ == "__main__":
    main()

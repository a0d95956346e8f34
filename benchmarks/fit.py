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
from collections.abc import Iterable
from typing import Any

from . import fresh, peak, workloads
from .likelihood import mean_log_likelihood
from .machine import Busy, load_average
from .peers import OURS, PEERS, SKLEARN

WHOLE_FIT = "G8"
"""The item whose target is for the whole short fit, not for an iteration."""

PATIENCE = 60.0
"""Seconds that a measurement of a library may take if it is to be repeated in further rounds."""


def measure(name: str, library: str, cache: str, quick: bool, budget: float) -> dict[str, Any]:
    """One library on one item, in this process; `budget` is in seconds."""
    work, item = workloads.load(name, cache, quick), workloads.item(name, quick)
    peer, begin = PEERS[library], time.perf_counter()
    peer.fit(workloads.trivial(work), 1)  # the warm-up call: imports, compiled code, caches
    first, growth = peak.growth(lambda: peer.fit(work, item.short))
    shorts, longs, cpu, clock = [], [], 0.0, time.perf_counter()
    while not longs or (time.perf_counter() - clock < budget and len(longs) < 200):
        shorts.append(peer.fit(work, item.short).seconds)
        cpu -= time.process_time()
        longs.append((last := peer.fit(work, item.long)).seconds)
        cpu += time.process_time()
        if last.n_iter != item.long:
            raise RuntimeError(f"{library} stopped {name} after {last.n_iter} of {item.long}.")
    each = (statistics.median(longs) - statistics.median(shorts)) / (item.long - item.short)
    return {
        "iteration": each,
        "short_fit": statistics.median(shorts),
        "long_fit": statistics.median(longs),
        # Below one where other processes had our core; unknown for a library in its own process.
        "cpu_share": cpu / sum(longs) if first.growth is None else math.nan,
        "growth": growth if first.growth is None else first.growth,
        "likelihood": mean_log_likelihood(work.X, last.weights, last.means, last.covariances),
        "took": time.perf_counter() - begin,
    }


def compete(
    name: str, libraries: Iterable[str], rounds: int, quick: bool, cache: str
) -> dict[str, list[dict[str, Any]]]:
    """Measurements of each library on one item, the rounds interleaved."""
    item = workloads.item(name, quick)
    workloads.load(name, cache, quick)  # drawn here, so that no measured process draws it
    entrants = [x for x in libraries if PEERS[x].supports(item)]
    results: dict[str, list[dict[str, Any]]] = {library: [] for library in entrants}
    budget = 0.3 if quick else 1.0
    for turn in range(rounds):
        for library in entrants[turn % len(entrants) :] + entrants[: turn % len(entrants)]:
            if results[library] and results[library][-1]["took"] > PATIENCE:
                continue
            one = fresh.call(
                "fit:measure", name=name, library=library, cache=cache, quick=quick, budget=budget
            )
            results[library].append(one)
    return results


def check_agreement(name: str, results: dict[str, list[dict[str, Any]]]) -> None:
    """RuntimeError unless all libraries reached the same log-likelihood."""
    reference = results.get(SKLEARN, results[OURS])[0]["likelihood"]
    for library, measurements in results.items():
        for one in measurements:
            difference = abs(one["likelihood"] / reference - 1)
            if not difference <= PEERS[library].agreement:
                raise RuntimeError(
                    f"{name}: {library} reached a mean log-likelihood of {one['likelihood']!r}, "
                    f"not {reference!r}: not the same work, so its time means nothing."
                )


def rows(name: str, quick: bool, results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row a library: medians, minima, and how many times ours they are."""
    key = "short_fit" if name == WHOLE_FIT else "iteration"
    own, reference = results[OURS], results.get(SKLEARN, results[OURS])[0]["likelihood"]
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
            "difference": abs(runs[0]["likelihood"] / reference - 1),
        }
        table.append(row)
    return table


def median_of(runs: list[dict[str, Any]], field: str) -> float:
    return statistics.median(run[field] for run in runs)


def show(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    growth = "-" if math.isnan(row["growth"]) else f"{row['growth']:.1f}"
    return (
        f"{row['item']:3} {row['library']:13} {row['ms']:10.3f} ms (least {row['least_ms']:9.3f})  "
        f"x {row['ratio']:6.2f} (least {row['least_ratio']:6.2f}, fit {row['fit_ratio']:6.2f})  "
        f"{growth:>7} MiB  ll {row['difference']:.0e}  cpu {row['cpu_share']:.2f}  "
        f"{row['rounds']} rounds"
    )


def run(
    items: Iterable[str], libraries: Iterable[str], rounds: int, quick: bool, cache: str
) -> list[dict[str, Any]]:
    """Measure, check and print all items; the rows of the table."""
    table = []
    for name in items:
        before = load_average()
        with Busy() as busy:
            results = compete(name, libraries, rounds, quick, cache)
        check_agreement(name, results)
        what = "fit of 20 iterations" if name == WHOLE_FIT else "iteration"
        print(f"# {name} {workloads.item(name, quick).describe()}, per {what}; load {before:.2f} "
              f"-> {load_average():.2f}, other processes used {busy.others:.2f} cores")  # fmt: skip
        for row in rows(name, quick, results):
            table.append({**row, "load": before, "others": busy.others})
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

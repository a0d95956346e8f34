"""Time per EM iteration on binary and categorical rows, memory and likelihood: ours and each peer.

    python -m benchmarks.discrete --items B1,B2 --rounds 3
    python -m benchmarks.discrete --quick --libraries mixtures,NumPy

As `fit.py`, whose clockwork it uses: the same start, no tolerance, a long fit less a short one, a
fresh single-threaded process for each library and round. A run fails where a final log-likelihood
differs by more than 1e-8 from that of NumPy after as many iterations. B4 is judged by a whole fit,
in which equal rows must first be found.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable
from typing import Any

from . import fresh, workloads
from .discrete_peers import PEERS, chosen
from .discrete_plain import blocked, mean_log_likelihood, whole
from .discrete_workloads import DISCRETE, SparseAnswers, trivial_discrete
from .fit import arguments, interleave, rows, show, time_fits
from .machine import Busy
from .peak import MIB


def measure(name: str, library: str, cache: str, quick: bool, budget: float) -> dict[str, Any]:
    """One library on one item, in this process; `budget` is in seconds."""
    begin, peer, work = time.perf_counter(), PEERS[library], workloads.load(name, cache, quick)
    small, item = trivial_discrete(DISCRETE[name]), peer.share(workloads.item(name, quick))
    record, last = time_fits(peer, peer.prepare(work), peer.prepare(small), item, budget)
    em = whole if isinstance(work, SparseAnswers) else blocked
    reference = em(work, work.rows, item.long)
    ends = {
        "objective": mean_log_likelihood(work, last.weights, last.probabilities),
        "expected": mean_log_likelihood(work, *reference),
    }
    return {**record, **ends, "took": time.perf_counter() - begin}


def difference(one: dict[str, Any]) -> float:
    """Of the log-likelihood from NumPy's after as many iterations, relative."""
    return abs(one["objective"] / one["expected"] - 1)


def check(name: str, results: dict[str, list[dict[str, Any]]]) -> None:
    """RuntimeError unless every library did the same work as NumPy."""
    for library, measurements in results.items():
        for one in measurements:
            if not difference(one) <= PEERS[library].agreement:
                raise RuntimeError(
                    f"{name}: {library} reached a log-likelihood of {one['objective']!r} a row, "
                    f"not {one['expected']!r}: not the same work, so its time means nothing."
                )


def run(
    items: Iterable[str], libraries: list[str], rounds: int, quick: bool, cache: str
) -> list[dict[str, Any]]:
    """Measure, check and print all items; the rows of the table."""
    table = []
    for name in items:
        work = workloads.load(name, cache, quick)  # drawn here: no measured process draws it
        entrants = [x for x in libraries if PEERS[x].supports(DISCRETE[name])]
        what = {"name": name, "cache": cache, "quick": quick, "budget": 0.3 if quick else 1.0}
        with Busy() as busy:
            results = interleave(
                entrants,
                rounds,
                lambda x, _, w=what: fresh.call("discrete:measure", library=x, **w),
            )
        check(name, results)
        head = f"# {name} {workloads.item(name, quick).describe()}, per iteration"
        print(f"{head}; {busy.describe()}", flush=True)
        for row in rows(name, quick, results):
            peer, item = PEERS[row["library"]], workloads.item(name, quick)
            row |= {"difference": difference(results[peer.name][0]), "data": work.size / MIB}
            if peer.share(item) != item:  # a fit of other length compares with none
                row |= {"fit_ratio": math.nan}
            table.append({**row, "load": busy.load, "others": busy.others})
            print(show(table[-1]), flush=True)
    return table


def options(description: str | None) -> argparse.Namespace:
    """The options of the command; `items` and `libraries` lists."""
    parser = arguments(description)
    parser.add_argument("--items", default=",".join(DISCRETE))
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

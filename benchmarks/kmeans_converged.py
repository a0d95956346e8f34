"""Time of whole k-means fits until they converge: ours and scikit-learn's two algorithms.

    python -m benchmarks.kmeans_converged --items K1,K3 --rounds 3 [--quick]

All settings are the defaults, tol=1e-4 among them; each round has random states of its own. From
`given` seeds, common to all, every library should reach the same optimum. A `default` fit also
seeds itself: chance then decides time and inertia as well, so means are compared. Peak growth is
that of a whole fit, after a warm-up call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from typing import Any

from . import fresh, peak, workloads
from .fit import interleave
from .kmeans import options
from .kmeans_peers import ELKAN, PEERS
from .kmeans_seeding import pooled, standard_error
from .likelihood import inertia
from .machine import Busy
from .peers import OURS, SKLEARN, timed

ENTRANTS = (OURS, SKLEARN, ELKAN)
STARTS = ("given", "default")

SMALL = 1e8
"""Distances of one iteration, times features, below which a round has several fits."""


def states(name: str, quick: bool, turn: int) -> range:
    """The random states of a round."""
    n, d, k, *_ = workloads.item(name, quick)
    count = 5 if n * d * k < SMALL else 1
    return range(turn * count, (turn + 1) * count)


def draw_seeds(name: str, state: int, cache: str, quick: bool) -> list[int]:
    """Rows that scikit-learn's k-means++ takes for seeds."""
    from sklearn.cluster import kmeans_plusplus

    work = workloads.load(name, cache, quick)
    _, indices = kmeans_plusplus(work.X, len(work.centres), random_state=state)
    return indices.tolist()


def measure(
    name: str, library: str, given: dict[str, list[int]], cache: str, quick: bool
) -> dict[str, Any]:
    """Fits of one library from every start, in this process; `given` has seeds by random state."""
    begin, peer, work = time.perf_counter(), PEERS[library], workloads.load(name, cache, quick)
    k, small = len(work.centres), workloads.trivial_clusters(work)
    timed(lambda: peer.estimator(k, random_state=0).fit(small.X))  # the warm-up call
    record: dict[str, Any] = {}
    for start in STARTS:
        fits = []
        for state, indices in given.items():
            init = {"init": work.X[indices]} if start == "given" else {}
            model = peer.estimator(k, random_state=int(state), **init)
            (_, seconds), growth = peak.growth(lambda m=model: timed(lambda: m.fit(work.X)))
            end = inertia(work.X, model.cluster_centers_)
            fits.append((seconds, int(model.n_iter_), end, growth))
        fields = ("seconds", "iterations", "inertia", "growth")
        record[start] = dict(zip(fields, zip(*fits, strict=True), strict=True))
    return {**record, "took": time.perf_counter() - begin}


def rows(
    name: str, quick: bool, start: str, results: dict[str, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """One row a library; inertias relative to the mean of scikit-learn's (the first one's).

    `excess` is the largest by which ours exceeds that of the library from the same start, relative.
    """
    runs = {library: [one[start] for one in r] for library, r in results.items()}
    first = next(iter(runs.values()))
    own, unit = runs.get(OURS, first), pooled(runs.get(SKLEARN, first), "inertia")
    table = []
    for library, one in runs.items():
        seconds, ends = pooled(one, "seconds"), pooled(one, "inertia")
        rounds = min(len(one), len(own))  # a slow library has fewer
        ours, theirs = own[:rounds], one[:rounds]
        pairs = zip(pooled(ours, "inertia"), pooled(theirs, "inertia"), strict=True)
        row = {
            "item": name,
            "what": workloads.item(name, quick).describe(),
            "start": start,
            "library": library,
            "ms": 1e3 * statistics.mean(seconds),
            "ratio": sum(pooled(theirs, "seconds")) / sum(pooled(ours, "seconds")),
            "iterations": pooled(one, "iterations"),
            "inertia": statistics.mean(ends) / statistics.mean(unit),
            "error": standard_error(ends) / statistics.mean(unit),
            "excess": max(end / other - 1 for end, other in pairs),
            "growth": max(pooled(one, "growth")),
        }
        table.append(row)
    return table


def show(row: dict[str, Any]) -> str:
    """A row of the printed table."""
    return (
        f"{row['item']:3} {row['start']:8} {row['library']:18} {row['ms']:10.2f} ms  "
        f"x {row['ratio']:6.2f}  {row['growth']:7.1f} MiB  inertia {row['inertia']:.6f} ± "
        f"{row['error']:.6f}, iterations {' '.join(map(str, row['iterations']))}"
    )


def compete(
    name: str, entrants: list[str], rounds: int, quick: bool, cache: str
) -> dict[str, list[dict[str, Any]]]:
    """Measurements of each library on one item, the rounds interleaved."""
    what = {"name": name, "cache": cache, "quick": quick}
    given = [
        {s: fresh.call("kmeans_converged:draw_seeds", state=s, **what) for s in state_range}
        for state_range in (states(name, quick, turn) for turn in range(rounds))
    ]

    def one(library: str, turn: int) -> dict[str, Any]:
        return fresh.call("kmeans_converged:measure", library=library, given=given[turn], **what)

    return interleave(entrants, rounds, one)


def run(
    items: Iterable[str], libraries: list[str], rounds: int, quick: bool, cache: str
) -> list[dict[str, Any]]:
    """Measure and print; one row an item, start and library."""
    table, entrants = [], [x for x in libraries if x in ENTRANTS]
    for name in items:
        workloads.load(name, cache, quick)
        with Busy() as busy:
            results = compete(name, entrants, rounds, quick, cache)
        head = f"# {name} {workloads.item(name, quick).describe()}, whole fits"
        print(f"{head}; {busy.describe()}", flush=True)
        for row in (row for start in STARTS for row in rows(name, quick, start, results)):
            table.append({**row, "load": busy.load, "others": busy.others})
            print(show(row), flush=True)
    return table


def main() -> None:
    given = options(__doc__)
    run(given.items, given.libraries, given.rounds, given.quick, given.cache)


if __name__ == "__main__":
    main()

"""Time to a converged fit, and what acceleration saves: ours plain and accelerated, scikit-learn.

    python -m benchmarks.converged --problems A1,A5 --rounds 3 [--quick]

All methods start where five plain iterations from the problem's start lead. First, for each, the
number of EM maps (passes over the rows) until the mean log-likelihood is within 1e-5, 1e-7 and
1e-9 nats of the best, and whether the optimum reached lies below that of plain EM. Then the time
of a whole fit of as many iterations as reach 1e-7, scikit-learn doing as many as our plain EM,
whose path it shares; all final log-likelihoods are recomputed and checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from . import fresh, workloads
from .fit import arguments
from .likelihood import AGREEMENT, mean_log_likelihood
from .machine import Busy, load_average
from .peers import SKLEARN, given, timed
from .workloads import PROBLEMS, Work

METHODS: dict[str, str | None] = {
    "plain": None,
    "auto": "auto",
    "squarem": "squarem",
    "anderson": "anderson",
}
GAPS = (1e-5, 1e-7, 1e-9)
TIMED_GAP = 1e-7

SAME_OPTIMUM = 1e-6
"""Nats per row by which two ends of EM may differ and still be one optimum, not fully reached."""

LONGEST = 5000  # maps after which a run counts as ended
NO_TOLERANCE = 1e-300  # 'auto' leaves a fit with tol=0 unaccelerated
REST = 1e-13  # change per iteration, in nats per row, at which a run has ended


def settled_start(work: Work) -> Work:
    """The work with the start moved by five plain iterations."""
    from mixtures import GaussianMixture

    estimator = GaussianMixture(**given(work, 5), acceleration=None, n_threads=1)
    estimator, _ = timed(lambda: estimator.fit(work.X))
    start = estimator.weights_, estimator.means_, estimator.covariances_
    return Work(work.covariance, work.X, *start)


def trace(name: str, method: str, cache: str, quick: bool) -> list[float]:
    """The objective after 0, 1, 2, ... maps, until it rests."""
    from mixtures import GaussianMixture

    work = settled_start(workloads.load(name, cache, quick))
    settings = {**given(work, LONGEST), "tol": REST}
    estimator = GaussianMixture(**settings, acceleration=METHODS[method], n_threads=1)
    timed(lambda: estimator.fit(work.X))
    return [float(estimator.initial_lower_bound_), *map(float, estimator.lower_bounds_)]


def maps_to(path: list[float], level: float) -> int | None:
    """The first map after which the objective is at `level`; None if it never is."""
    return next((i for i, value in enumerate(path) if value >= level), None)


def count_maps(name: str, cache: str, quick: bool) -> list[dict[str, Any]]:
    """Maps that each method takes on one problem, and the optimum it reaches."""
    paths = {
        m: fresh.call("converged:trace", name=name, method=m, cache=cache, quick=quick)
        for m in METHODS
    }
    ends = {method: max(path) for method, path in paths.items()}
    table = []
    for method, path in paths.items():
        # An end elsewhere is another optimum; its path is then judged by its own end.
        best = max(e for e in ends.values() if abs(e - ends[method]) < SAME_OPTIMUM)
        row = {
            "problem": name,
            "what": PROBLEMS[name].describe(),
            "method": method,
            "maps": [maps_to(path, best - gap) for gap in GAPS],
            "best": best,
            "end": ends[method],
            "against_plain": ends[method] - ends["plain"],
            "falls": any(b < a for a, b in pairwise(path)),
            "rested": len(path) <= LONGEST,
        }
        table.append(row)
    return table


def time_fit(name: str, method: str, n_iter: int, cache: str, quick: bool) -> tuple[float, float]:
    """Seconds and final mean log-likelihood of a whole fit of `n_iter` iterations, warmed up."""
    work = settled_start(workloads.load(name, cache, quick))
    settings = {**given(work, n_iter), "tol": NO_TOLERANCE}
    if method == SKLEARN:
        from sklearn.mixture import GaussianMixture

        estimator = GaussianMixture(**settings, init_params="random_from_data")
    else:
        from mixtures import GaussianMixture

        estimator = GaussianMixture(**settings, acceleration=METHODS[method], n_threads=1)
    estimator.set_params(max_iter=1)
    timed(lambda: estimator.fit(work.X))  # the warm-up call
    estimator.set_params(max_iter=n_iter)
    _, seconds = timed(lambda: estimator.fit(work.X))
    end = estimator.weights_, estimator.means_, estimator.covariances_
    return seconds, mean_log_likelihood(work.X, *end)


def time_all(
    name: str, counted: list[dict[str, Any]], rounds: int, cache: str, quick: bool
) -> list[dict[str, Any]]:
    """Times of fits to within TIMED_GAP, the rounds interleaved."""
    gap = GAPS.index(TIMED_GAP)
    maps = {row["method"]: row["maps"][gap] for row in counted}
    # A run's last iteration is a plain step whatever the method: one more makes up for it.
    lengths = {m: n + (m != "plain") for m, n in maps.items()}
    lengths[SKLEARN] = maps["plain"]
    runs: dict[str, list[tuple[float, float]]] = {method: [] for method in lengths}
    for _ in range(rounds):
        for method, n_iter in lengths.items():
            one = {"method": method, "n_iter": n_iter, "cache": cache, "quick": quick}
            runs[method].append(fresh.call("converged:time_fit", name=name, **one))
    best = {row["method"]: row["best"] for row in counted}
    best[SKLEARN] = best["plain"]
    table = []
    for method, results in runs.items():
        end = min(likelihood for _, likelihood in results)
        if end < best[method] - TIMED_GAP - AGREEMENT * abs(best[method]):
            raise RuntimeError(f"{name}: {method} ended at {end!r}, short of {best[method]!r}.")
        seconds = [s for s, _ in results]
        row = {"problem": name, "method": method, "iterations": lengths[method], "end": end}
        table.append({**row, "ms": 1e3 * statistics.median(seconds), "least": 1e3 * min(seconds)})
    return table


def run(names: Iterable[str], rounds: int, quick: bool, cache: str) -> list[dict[str, Any]]:
    """Count and time; one row a problem and method, scikit-learn last."""
    table = []
    for name in names:
        workloads.load(name, cache, quick)
        before = load_average()
        with Busy() as busy:
            counted = count_maps(name, cache, quick)
            times = time_all(name, counted, rounds, cache, quick)
        print(f"# {name} {PROBLEMS[name].describe()}; load {before:.2f}, others {busy.others:.2f}")
        slowest = times[-1]["ms"]
        for row, t in zip([*counted, {}], times, strict=True):
            joined = {**row, **t, "load": before, "speed_up": slowest / t["ms"]}
            table.append(joined)
            print(show(joined), flush=True)
    return table


def show(row: dict[str, Any]) -> str:
    maps = "/".join(str(m) for m in row["maps"]) if "maps" in row else ""
    optimum = f"optimum {row['against_plain']:+.1e}" if "maps" in row else ""
    return (
        f"{row['method']:13} maps {maps:15} {row['ms']:9.1f} ms for {row['iterations']:4} maps, "
        f"{row['speed_up']:6.1f} x scikit-learn; ends at {row['end']:.10f} {optimum}"
        + (" THE OBJECTIVE FELL" if row.get("falls") else "")
        + ("" if row.get("rested", True) else " STILL CLIMBING WHEN STOPPED")
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    given_arguments = parser.parse_args()
    names = given_arguments.problems.split(",")
    run(names, given_arguments.rounds, given_arguments.quick, given_arguments.cache)


if __name__ == "__main__":
    main()

"""What threads bring: passes of over 5 ms on one thread, on two, and on all cores.

    python -m benchmarks.threads --items G2,G3 --rounds 3 [--quick]

Wall and processor time of one iteration of EM or Lloyd's, the numbers of threads alternating in one
process, and whether everything fitted comes out the same to the bit. A speed-up below the target
with other processes busy says little: the cores they used are printed.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from . import fresh, workloads
from .fit import arguments
from .machine import Busy, load_average
from .peers import given, timed
from .workloads import Clusters, Work

LONG_PASSES = ("G2", "G3", "G4", "G5", "G6", "K1", "K2", "K4")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def counts() -> list[int]:
    """Numbers of threads to compare."""
    return sorted({1, 2, cores()})


def gaussian(work: Work, n_iter: int, n_threads: int) -> tuple[Any, tuple[str, ...]]:
    """Our estimator of a mixture, and the attributes to compare."""
    from mixtures import GaussianMixture

    estimator = GaussianMixture(**given(work, n_iter), acceleration=None, n_threads=n_threads)
    return estimator, ("weights_", "means_", "covariances_", "lower_bounds_")


def kmeans(work: Clusters, n_iter: int, n_threads: int) -> tuple[Any, tuple[str, ...]]:
    """As `gaussian`, of clusters."""
    from mixtures import KMeans

    settings = {"init": work.centres, "n_init": 1, "max_iter": n_iter, "tol": 0.0}
    estimator = KMeans(len(work.centres), n_threads=n_threads, **settings)
    return estimator, ("cluster_centers_", "labels_", "inertia_")


MODELS = {Work: gaussian, Clusters: kmeans}


def fit(work: Work | Clusters, n_iter: int, n_threads: int) -> tuple[float, float, list[bytes]]:
    """Wall and processor seconds of a plain fit, and the bits it ends with."""
    estimator, fitted = MODELS[type(work)](work, n_iter, n_threads)
    cpu = time.process_time()
    _, wall = timed(lambda: estimator.fit(work.X))
    cpu = time.process_time() - cpu
    return wall, cpu, [np.asarray(getattr(estimator, name)).tobytes() for name in fitted]


def measure(name: str, cache: str, quick: bool, rounds: int) -> list[dict[str, Any]]:
    """One row a number of threads; in this process."""
    work, item = workloads.load(name, cache, quick), workloads.item(name, quick)
    runs: dict[int, list[tuple[float, float]]] = {n: [] for n in counts()}
    bits = []
    for n in runs:
        fit(work, 1, n)  # the warm-up calls
    for _ in range(rounds):
        for n in runs:
            short, long = fit(work, item.short, n), fit(work, item.long, n)
            steps = item.long - item.short
            runs[n].append(((long[0] - short[0]) / steps, (long[1] - short[1]) / steps))
            bits.append(long[2])
    table = []
    for n, pairs in runs.items():
        wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
        alone = statistics.median(w for w, _ in runs[1])
        row = {"item": name, "what": item.describe(), "threads": n, "ms": 1e3 * wall}
        row |= {"least_ms": 1e3 * min(w for w, _ in pairs), "cpu_ms": 1e3 * cpu}
        row |= {"speed_up": alone / wall, "same_bits": all(b == bits[0] for b in bits)}
        row["least_speed_up"] = min(w for w, _ in runs[1]) / min(w for w, _ in pairs)
        table.append(row)
    return table


def run(names: Iterable[str], rounds: int, quick: bool, cache: str) -> list[dict[str, Any]]:
    """Measure and print; RuntimeError where threads change a bit."""
    table = []
    for name in names:
        workloads.load(name, cache, quick)
        before = load_average()
        with Busy() as busy:
            results = fresh.call(
                "threads:measure", name=name, cache=cache, quick=quick, rounds=rounds
            )
        print(
            f"# {name}, {cores()} cores; load {before:.2f} -> {load_average():.2f}, others used "
            f"{busy.others:.2f} cores"
        )
        for row in results:
            if not row["same_bits"]:
                raise RuntimeError(f"{name}: the bits depend on the number of threads.")
            table.append({**row, "load": before, "others": busy.others})
            print(
                f"{row['threads']:3} threads {row['ms']:9.2f} ms wall {row['cpu_ms']:9.2f} ms cpu  "
                f"x {row['speed_up']:.2f} (least {row['least_speed_up']:.2f})  same bits",
                flush=True,
            )
    return table


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--items", default=",".join(LONG_PASSES))
    options = parser.parse_args()
    run(options.items.split(","), options.rounds, options.quick, options.cache)


if __name__ == "__main__":
    main()

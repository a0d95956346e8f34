"""Peak memory growth during a fit of G2, ours and scikit-learn's: start given, and by default.

    python -m benchmarks.memory [--quick]

The data are in memory before; growth is the high-water mark above the level before the fit. It is
measured after a warm-up call, and once more in a process that has never fitted anything, where
modules and compiled code count too. One thread, five iterations.
"""

from __future__ import annotations

from typing import Any

from . import fresh, peak, workloads
from .fit import arguments
from .peers import OURS, SKLEARN, given, timed

ITEM = "G2"
ITERATIONS = 5


def estimator(library: str, work: workloads.Work, start: str) -> Any:
    """Unfitted; 'given' prescribes the start, 'default' is what a user who names none gets."""
    if library == OURS:
        from mixtures import GaussianMixture

        extra: dict[str, Any] = {"n_threads": 1}
    else:
        from sklearn.mixture import GaussianMixture

        extra = {"init_params": "random_from_data"} if start == "given" else {}
    settings = given(work, ITERATIONS)
    if start == "default":
        names = ("n_components", "covariance_type", "max_iter", "random_state")
        settings = {name: settings[name] for name in names}
    return GaussianMixture(**settings, **extra)


def measure(library: str, start: str, warm: bool, cache: str, quick: bool) -> float:
    """MiB, in this process."""
    work = workloads.load(ITEM, cache, quick)
    if warm:
        small = workloads.trivial(work)
        timed(lambda: estimator(library, small, start).fit(small.X))
    model = estimator(library, work, start)
    _, growth = peak.growth(lambda: timed(lambda: model.fit(work.X)))
    return growth


def run(quick: bool, cache: str) -> list[dict[str, Any]]:
    """One row a library and start."""
    size = workloads.load(ITEM, cache, quick).X.nbytes / peak.MIB
    print(f"# {ITEM} {workloads.item(ITEM, quick).describe()}: the data are {size:.1f} MiB")
    table = []
    for start in ("given", "default"):
        for library in (OURS, SKLEARN):
            what = {"library": library, "start": start}
            first, later = (
                fresh.call("memory:measure", **what, warm=warm, cache=cache, quick=quick)
                for warm in (False, True)
            )
            table.append({**what, "warm": later, "first": first, "data": size})
            growths = f"{later:8.1f} MiB; first fit of a process {first:8.1f} MiB"
            print(f"{start:8} start {library:13} {growths}", flush=True)
    return table


def main() -> None:
    options = arguments(__doc__).parse_args()
    run(options.quick, options.cache)


if __name__ == "__main__":
    main()

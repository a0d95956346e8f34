"""Mixtures of factor analysers: time of an iteration and memory, beside full covariances."""

from __future__ import annotations

import math
import statistics
from functools import partial
from typing import Any

from .. import peak
from ..fit import interleave
from ..tables import number, table
from . import workloads
from .apart import call, clock_of, clocked
from .section import Context, Section, Target

OURS, PPCA, FULL = "factor analysers", "PPCA", "scikit-learn, full covariance"
COMPONENTS, RANK = 10, 8
ROWS, QUICK_ROWS = 20_000, 1_000
RIDGE = 1e-3
ITERATIONS = {OURS: (2, 32), PPCA: (2, 32), FULL: (1, 2)}
AT_MOST = 0.1  # of a full iteration
GROWTH = 200.0  # MiB
WIDE = (2_000, 5_000, 3, 4)  # rows, features, components, factors
WIDE_ITERATIONS = 20


def estimator(method: str, k: int, q: int, max_iter: int, threads: int) -> Any:
    settings: dict[str, Any] = {
        "n_components": k, "max_iter": max_iter, "tol": 0.0, "reg_covar": RIDGE,
        "init_params": "random_from_data", "random_state": 0,
    }  # fmt: skip
    if method == FULL:
        from sklearn.mixture import GaussianMixture as Peer

        return Peer(covariance_type="full", **settings)
    from mixtures import GaussianMixture
    from mixtures.covariance import LowRank

    structure = LowRank(q, "diagonal" if method == OURS else "isotropic")
    return GaussianMixture(covariance_type=structure, n_threads=threads, **settings)


def measure(method: str, threads: int, cache: str, n: int) -> dict[str, Any]:
    """Seconds of an iteration, from a long and a short fit, and the growth of memory in the first.

    In this process.
    """
    X = workloads.image_rows(n, cache)
    few = X[:: max(1, n // 500)]
    clocked(lambda: estimator(method, 2, 2, 2, threads).fit(few))  # imports, compiled code
    clock = clock_of(threads)
    record: dict[str, Any] = {"took": 0.0}
    for name, steps in zip(("short", "long"), ITERATIONS[method], strict=True):
        model = estimator(method, COMPONENTS, RANK, steps, threads)
        if name == "short":
            (fitted, *seconds), growth = peak.growth(partial(clocked, partial(model.fit, X)))
            record["growth"] = growth
        else:
            fitted, *seconds = clocked(partial(model.fit, X))
        if fitted.n_iter_ != steps:
            raise RuntimeError(f"{method} stopped after {fitted.n_iter_} of {steps} iterations.")
        record[name] = seconds[clock == "processor"]
        record["took"] += seconds[0]
        record["score"] = float(fitted.lower_bound_)
    if method == FULL and n == ROWS:
        record["took"] = math.inf  # a minute: one round is enough
    short, long = ITERATIONS[method]
    each = (record["long"] - record["short"]) / (long - short)
    if not each > 0:
        raise RuntimeError(
            f"{method}: {long} iterations took {record['long']:.2f} s and {short} of them "
            f"{record['short']:.2f} s: the machine is too busy to measure anything."
        )
    return record | {"iteration": each}


def measure_wide(quick: bool) -> dict[str, Any]:
    """Seconds and memory of a fit of many features, in this process, on one thread."""
    n, d, k, q = WIDE
    X = workloads.wide_mixture(n // 10 if quick else n, d, k, q)
    clocked(lambda: estimator(OURS, 2, 2, 2, 1).fit(X[:60]))
    model = estimator(OURS, k, q, WIDE_ITERATIONS, 1)
    (fitted, _, seconds), growth = peak.growth(partial(clocked, partial(model.fit, X)))
    return {"seconds": seconds, "growth": growth, "n": len(X), "n_iter": fitted.n_iter_}


def _one(method: str, _: int, threads: int, **what: Any) -> dict[str, Any]:
    return call("mixture:measure", threads, method=method, threads=threads, **what)


def section(context: Context) -> Section:
    n = QUICK_ROWS if context.quick else ROWS
    workloads.image_rows(n, context.cache)  # made here, so that no measured process makes it
    lines, targets = [], []
    for threads in (1,) if context.quick else (1, 2):
        results = interleave(
            list(ITERATIONS),
            1 if context.quick else 3,
            partial(_one, threads=threads, cache=context.cache, n=n),
        )
        context.say(f"mixtures, {threads} thread(s) done")
        full = results[FULL]
        for method, runs in results.items():
            ratios = [
                choose(run["iteration"] for run in runs) / choose(run["iteration"] for run in full)
                for choose in (min, statistics.median)
            ]
            growth = max(run["growth"] for run in runs)
            lines.append(_line(threads, method, runs, ratios, growth))
            if method == OURS:
                what = f"mixture of factor analysers, {threads} thread(s): "
                targets += [
                    Target.at_most(what + "iteration / a full one", AT_MOST, ratios[1], 4),
                    Target.at_most(what + "growth of memory, MiB", GROWTH, growth, 0),
                ]
    head = ["threads", "model", "iteration, s", "least", "× full", "least", "short fit, s"]
    head += ["long fit, s", "peak growth, MiB", "log-likelihood", "rounds"]
    return Section("Mixtures", _text(n, table(head, lines), _wide(context)), targets)


def _line(
    threads: int, method: str, runs: list[dict[str, Any]], ratios: list[float], growth: float
) -> list[Any]:
    steps = ITERATIONS[method]
    middle = {
        name: statistics.median(run[name] for run in runs)
        for name in ("iteration", "short", "long")
    }
    return [
        threads, method, number(middle["iteration"], 3),
        number(min(run["iteration"] for run in runs), 3),
        *(f"{ratio:.4f}" for ratio in reversed(ratios)),
        f"{middle['short']:.2f} ({steps[0]})", f"{middle['long']:.2f} ({steps[1]})",
        number(growth, 0), number(runs[0]["score"], 1), len(runs),
    ]  # fmt: skip


def _text(n: int, measured: str, wide: str) -> str:
    return f"""{n} × {workloads.SIDE**2}: images of {workloads.images().name}, all equally often,
shifted by up to {workloads.SHIFT} pixels, with Gaussian noise of {workloads.GREY:g} grey levels,
over 255. {COMPONENTS} components, {RANK} factors, `reg_covar={RIDGE:g}`,
`init_params='random_from_data'`, the same for scikit-learn's
`GaussianMixture(covariance_type='full')`. An iteration is a long fit less a short one, over the
difference of their iterations (in brackets); each pair of fits in a process of its own.
Log-likelihood: nats per row at the end of the long fit, which says that fits go somewhere, not who
is better. Peak growth is that of the short fit, beyond the rows.

{measured}

{wide}"""


def _wide(context: Context) -> str:
    found = call("mixture:measure_wide", 1, quick=context.quick)
    context.say("many features done")
    _, d, k, q = WIDE
    matrices = k * d * d * 8 / peak.MIB
    return f"""Many features: {found["n"]} × {d}, {k} components, {q} factors, one thread:
{found["n_iter"]} iterations in {found["seconds"]:.2f} s, the start included, and a peak growth of
{found["growth"]:.0f} MiB. The {k} covariances alone would be {matrices:.0f} MiB, and their factors
as many again."""

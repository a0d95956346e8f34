"""Missing numbers: error of what is imputed, and seconds, beside scikit-learn's imputers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..tables import table
from . import workloads
from .apart import call, least, median, take_turns
from .section import Context, Section

SHARE = 0.2
SEEDS = 2  # draws of what is missing
FACTORS = (10, 20)
KNN, MEAN = "scikit-learn, KNNImputer", "scikit-learn, column means"
ITERATIVE = "scikit-learn, IterativeImputer"
SWEEPS = (3, 10)  # rounds over the features; the latter is the default


def impute(model: Any, X: np.ndarray) -> np.ndarray:
    return model.fit(X).impute(X)


def entrants(X: np.ndarray, quick: bool) -> dict[str, Callable[[], np.ndarray]]:
    """Fit and impute the same rows; n, d as X."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    from mixtures import FactorAnalysis, ProbabilisticPCA

    found: dict[str, Callable[[], np.ndarray]] = {}
    for q in FACTORS[: 1 if quick else None]:
        for name, face in (("PPCA", ProbabilisticPCA), ("factor analysis", FactorAnalysis)):
            found[f"{name}, q = {q}"] = partial(impute, face(q, n_threads=1), X)
    found[MEAN] = lambda: SimpleImputer(keep_empty_features=True).fit_transform(X)
    found[KNN] = lambda: KNNImputer(keep_empty_features=True).fit_transform(X)
    for sweeps in SWEEPS[: 1 if quick else None]:
        imputer = IterativeImputer(max_iter=sweeps, random_state=0, keep_empty_features=True)
        found[f"{ITERATIVE}, {sweeps} rounds"] = partial(imputer.fit_transform, X)
    return found


def measure(seed: int, rounds: int, quick: bool) -> dict[str, Any]:
    """Root mean square errors of the missing numbers, and seconds; in this process."""
    X = workloads.table("digits").X
    X = X[:300] if quick else X
    gaps = workloads.with_gaps(X, SHARE, seed)
    missing = np.isnan(gaps)
    for name, run in entrants(gaps[:60], quick).items():
        if not name.startswith(ITERATIVE):
            take_turns({name: run}, 1)  # compiles
    last, times = take_turns(entrants(gaps, quick), rounds)
    error = {
        method: float(np.sqrt(np.mean(np.square(filled[missing] - X[missing]))))
        for method, filled in last.items()
    }
    return {"error": error, "times": times}


def section(context: Context) -> Section:
    seeds = 1 if context.quick else SEEDS
    runs = []
    for seed in range(seeds):
        runs.append(call("gaps:measure", 1, seed=seed, rounds=1, quick=context.quick))
        context.say(f"missing numbers, draw {seed} done")
    lines = []
    for method in runs[0]["error"]:
        errors = np.array([run["error"][method] for run in runs])
        base = np.array([run["error"][MEAN] for run in runs])
        times = [one for run in runs for one in run["times"][method]]
        lines.append([
            method, f"{errors.mean():.4f}", f"{np.ptp(errors):.4f}",
            f"{(errors / base).mean():.3f}",
            f"{median(times, 'processor'):.2f}", f"{least(times, 'processor'):.2f}",
        ])  # fmt: skip
    head = ["method", "error", "range", "× column means", "median, s", "least, s"]
    text = f"""Digits (grey levels from 0 to 16) of which {100 * SHARE:g} % of the pixels are
missing, at random. Root mean square error of the missing ones, the mean of {seeds} draw(s); seconds
of `fit` and `impute` together, one thread. Ours stop by their own defaults; scikit-learn's are as
they come, but for the rounds of `IterativeImputer`. There is no target.

{table(head, lines)}"""
    return Section("Missing numbers", text)

"""Is there a way of training by which the responsible head is as good as the best of its rivals?

python -m benchmarks.responsible.regimes [--quick] [--seeds 20] [--jobs 1]
                                         [--output docs/responsible_regimes.md]

Two scores on four problems: balanced accuracy under equal shares of the classes, and log-loss under
the shares in training. A regime is chosen on some seeds and judged on others.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ..fresh import ROOT
from .baselines import Trial, chosen, drawn
from .images import small_digits
from .nets import CRESCENTS_LONG, DIGITS, OVERLAP, PROPER, Regime
from .problems import crescents, overlap, slides_gmm
from .regimes_page import page
from .regimes_recipes import BATCHED, REGIMES, RIVALS, SIZES
from .regimes_scores import Scores
from .regimes_train import Recipe
from .scores import evaluate

BENT = replace(
    CRESCENTS_LONG, what=CRESCENTS_LONG.what.replace("150", "75").replace("every 50", "every 25"),
    epochs=75, drop=(0.2, 25),
)  # fmt: skip
FIRST_TO_CHOOSE = 1000  # seed
TO_CHOOSE = 8  # seeds
QUICK = 2


class Task(NamedTuple):
    regime: Regime
    draw: Callable[[int], Trial]


def tasks(quick: bool) -> dict[str, Task]:
    """By name; `quick` trains for four epochs."""
    found = {
        "GMM": Task(PROPER, partial(drawn, problem=slides_gmm())),
        "crescents": Task(BENT, partial(drawn, problem=crescents())),
        "digits": Task(DIGITS, partial(chosen, images=small_digits(), profile="tail")),
        "overlap": Task(OVERLAP, partial(drawn, problem=overlap())),
    }
    if not quick:
        return found
    return {
        name: task._replace(regime=replace(task.regime, epochs=4, drop=(0.2, 2)))
        for name, task in found.items()
    }


def scored(recipes: dict[str, Recipe], task: Task, seed: int) -> dict[str, tuple[float, float]]:
    """Balanced accuracy and log-loss of each recipe, on the same rows and first weights."""
    trial, found = task.draw(seed), {}
    for name, recipe in recipes.items():
        posteriors = recipe.posteriors(task.regime, seed, trial.train, trial.test.X)
        scores = evaluate(posteriors, trial.test.y, trial.shares)
        found[name] = scores["balanced U"], scores["nll T"]
    return found


def run(recipes: dict[str, Recipe], given: dict[str, Task], seeds: range, jobs: int) -> Scores:
    """All recipes on all tasks."""
    values: dict[tuple[str, str], np.ndarray] = {}
    for name, task in given.items():
        begin = time.perf_counter()
        runs = Parallel(n_jobs=jobs)(delayed(scored)(recipes, task, seed) for seed in seeds)
        for recipe in recipes:
            values[recipe, name] = np.array([found[recipe] for found in runs])
        minutes = (time.perf_counter() - begin) / 60
        print(f"{name}: {len(recipes)} recipes, {len(seeds)} seeds, {minutes:.1f} min", flush=True)
    return Scores(values, tuple(given))


def with_limits(regimes: dict[str, Recipe]) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Rivals, regimes and their limits, the same with a constant prior; whose limit is which."""
    found, partners = RIVALS | regimes, {}
    for name, recipe in regimes.items():
        limit = recipe.limit()
        known = [other for other, made in found.items() if made == limit]
        partners[name] = known[0] if known else f"{name}, constant prior"
        found[partners[name]] = limit
    return found, partners


def batched() -> dict[str, Recipe]:
    """Other sizes of batches."""
    return {
        f"{name}, {size:g}": replace(recipe, batch=size)
        for name, recipe in BATCHED.items()
        for size in SIZES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds, four epochs")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "responsible_regimes.md")
    options = parser.parse_args()
    n, n_choose = (QUICK, QUICK) if options.quick else (options.seeds, TO_CHOOSE)
    given, begin = tasks(options.quick), time.perf_counter()
    recipes, partners = with_limits(REGIMES)
    to_choose = run(
        RIVALS | REGIMES, given, range(FIRST_TO_CHOOSE, FIRST_TO_CHOOSE + n_choose), options.jobs
    )
    judged = run(recipes, given, range(n), options.jobs)
    sizes = run(batched(), given, range(n), options.jobs)
    command = shlex.join(["python", "-m", "benchmarks.responsible.regimes", *sys.argv[1:]])
    text = page(
        to_choose, judged, sizes, partners, {name: t.regime.what for name, t in given.items()},
        command=command, quick=options.quick, seconds=time.perf_counter() - begin,
    )  # fmt: skip
    options.output.write_text(text)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()

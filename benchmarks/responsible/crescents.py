"""The slides' crescents: four nets, on their 500 test labels and on many fresh rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..tables import table
from . import slides
from .bands import Band
from .nets import (
    CRESCENTS,
    CRESCENTS_LONG,
    Regime,
    Settings,
    fitted,
    network,
    slides_nets,
)
from .page import Section, prose, sentence
from .problems import Problem, crescents
from .scores import confusion, mean, over_seeds, recall_of, stream, with_error

FRESH = 20_000
RARE = 2  # class 3 of the slides
LONG = 8  # seeds of the long training


def one(seed: int, problem: Problem, regime: Regime, chosen: dict[str, Settings]) -> dict[str, Any]:
    """All heads on one sample; counts on the slides' labels and on fresh rows."""
    train, test = problem.train(stream(seed, 10)), problem.test(stream(seed, 11))
    fresh = problem.sample(FRESH, stream(seed, 12))
    found = {}
    for name, head in chosen.items():
        net = fitted(network(regime, seed, **head), train)
        found[name] = {
            "slides": confusion(test.y, net.predict(test.X), 4),
            "fresh": confusion(fresh.y, net.predict(fresh.X), 4),
        }
    best = (problem.log_density(fresh.X) + np.log(problem.prior)).argmax(axis=1)
    found["best possible"] = {"fresh": confusion(fresh.y, best, 4)}
    return found


def recalls(counts: np.ndarray) -> np.ndarray:
    return np.stack([recall_of(run) for run in counts])


def accuracy(counts: np.ndarray) -> np.ndarray:
    return np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))


def fresh_table(found: dict[str, Any]) -> str:
    lines = [
        [
            name, *(with_error(column) for column in recalls(run["fresh"]).T),
            with_error(accuracy(run["fresh"])),
        ]
        for name, run in found.items()
    ]  # fmt: skip
    return table(["net", *(f"class {k + 1}" for k in range(4)), "accuracy"], lines)


def bands(found: dict[str, Any]) -> list[Band]:
    rare = {net: mean(recalls(found[net]["fresh"]))[RARE] for net in slides.NETS}
    hits = {net: float(mean(accuracy(found[net]["fresh"]))) for net in slides.NETS}
    return [
        Band("crescents, recall of class 3, Net 1", rare["Net 1"], 0.20, 0.50),
        Band("crescents, the same, Net 2 less Net 1", rare["Net 2"] - rare["Net 1"], low=0.0),
        Band("crescents, the same, Net 4 less Net 2", rare["Net 4"] - rare["Net 2"], low=0.0),
        Band("crescents, the same, Net 4", rare["Net 4"], 0.72, 0.90),
        Band("crescents, accuracy, Net 2 less Net 1", hits["Net 2"] - hits["Net 1"], low=0.0),
    ]


def listed(found: dict[str, Any]) -> str:
    return ", ".join(f"{float(mean(accuracy(found[net]['fresh']))):.3f}" for net in slides.NETS)


def section(seeds: int, jobs: int) -> Section:
    problem = crescents()
    nets = slides_nets(problem.prior)
    found = over_seeds(partial(one, problem=problem, regime=CRESCENTS, chosen=nets), seeds, jobs)
    n = min(seeds, LONG)
    longer = over_seeds(partial(one, problem=problem, regime=CRESCENTS_LONG, chosen=nets), n, jobs)
    diagonal = []
    for net in slides.NETS:
        counts = np.diagonal(found[net]["slides"], axis1=1, axis2=2)
        diagonal.append([net, *(with_error(column, 1) for column in counts.T)])
        diagonal.append(["slides, one run", *map(str, slides.CRESCENT_DIAGONAL[net])])
    labels = np.bincount(problem.test_labels())
    head = ["net", *(f"class {k + 1} of {labels[k]}" for k in range(4))]
    shares = ", ".join(f"{p:g}" for p in problem.prior)
    text = f"""Four interlocking half circles, shares {shares}; {problem.n_train} rows a run to
train with, {problem.n_test} to test, with the slides' labels. {sentence(CRESCENTS.what)} {seeds}
runs.

### Rows that are right, with the slides' labels

{table(head, diagonal)}

### Recall on {FRESH} fresh rows

The best possible classifier knows the densities.

{fresh_table(found)}

### Trained longer

{n} runs; {CRESCENTS_LONG.what}.

{fresh_table(longer)}"""
    verdicts = [
        f"Crescents: accuracies of nets 1 to 4 are {listed(found)} after the slides' training, "
        f"{listed(longer)} after a longer one; the best possible is "
        f"{float(mean(accuracy(found['best possible']['fresh']))):.3f}."
    ]
    return Section("The crescents", prose(text), bands(found), verdicts)

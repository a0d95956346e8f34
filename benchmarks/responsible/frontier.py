"""Where a responsible head lies on the curve of post-hoc logit adjustment: overlapping classes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..tables import table
from .baselines import Trial, drawn
from .nets import METHODS, OVERLAP, Posteriors
from .page import Section, prose
from .problems import Problem, overlap
from .scores import evaluate, mean, over_seeds, with_error

TAUS = np.linspace(0.0, 1.2, 13)
SHOWN = (0.0, 0.5, 0.6, 0.8, 1.0)
HEADS = ("responsible, 1", "responsible, 2", "responsible, 5", "fixed", "class weights")
SCORES = ("accuracy T", "balanced T", "f1 T")  # of the same predictions, by the training shares


def label(tau: float) -> str:
    return f"τ = {tau:.1f}"


def one(seed: int, problem: Problem) -> dict[str, Any]:
    trial = drawn(seed, problem)
    found = {}
    for name in HEADS:
        uniform = METHODS[name].posteriors(OVERLAP, seed, trial.train, trial.test.X).uniform
        found[name] = scored(uniform, trial)
    train = METHODS["softmax"].posteriors(OVERLAP, seed, trial.train, trial.test.X).train
    log_shares = np.log(np.bincount(trial.train.y) / len(trial.train.y))
    for tau in TAUS:
        found[label(tau)] = scored(train - tau * log_shares, trial)
    return found


def scored(values: np.ndarray, trial: Trial) -> dict[str, float]:
    found = evaluate(Posteriors(values, values), trial.test.y, trial.shares)
    return {key: found[key] for key in SCORES}


def equivalent(found: dict[str, Any], name: str) -> tuple[float, float]:
    """The τ of the same accuracy, and how much more balanced than there the head is."""
    curve = {key: np.array([float(mean(found[label(tau)][key])) for tau in TAUS]) for key in SCORES}
    at = float(mean(found[name]["accuracy T"]))
    tau = float(np.interp(-at, -curve["accuracy T"], TAUS))  # accuracy falls with τ
    there = np.interp(tau, TAUS, curve["balanced T"])
    return tau, float(mean(found[name]["balanced T"]) - there)


def section(seeds: int, jobs: int) -> Section:
    found = over_seeds(partial(one, problem=overlap()), seeds, jobs)
    lines, taus, offs = [], {}, {}
    for name in [*map(label, SHOWN), *HEADS]:
        cells = [with_error(found[name][key]) for key in SCORES]
        taus[name], offs[name] = equivalent(found, name)
        further = [f"{taus[name]:.2f}", f"{offs[name]:+.4f}"] if name in HEADS else ["", ""]
        lines.append([f"softmax, {name}" if name in map(label, SHOWN) else name, *cells, *further])
    head = ["method", "accuracy", "balanced accuracy", "macro-F1"]
    head += ["τ of the same accuracy", "balanced accuracy less the curve's there"]
    text = f"""Three classes that overlap, {seeds} runs. A plain softmax predicts
argmax(log posterior − τ log share); every τ is a point on a curve of accuracy against balanced
accuracy. The other heads predict under equal shares.

{table(head, lines)}"""
    places = ", ".join(f"{taus[name]:.2f} ({name})" for name in HEADS[:3])
    off = max(abs(offs[name]) for name in HEADS[:3])
    verdicts = [
        f"Overlap: the responsible head is a partial logit adjustment; it is as accurate as "
        f"post-hoc adjustment with τ = {places}, and its balanced accuracy is within {off:.3f} of "
        "the curve's there."
    ]
    return Section("A partial logit adjustment", prose(text), verdicts=verdicts)

"""Other class shares in the test than in training: what each network makes of unlabelled rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning

from mixtures import DynamicResponsibility, PriorShiftClassifier

from ..label_shift_problems import (
    MOSTLY_FIRST,
    OVERLAPPING,
    SEPARATE,
    TWO_RARE,
    Gaussians,
    Rows,
    exchanged,
)
from ..tables import table
from .bands import Band
from .nets import OVERLAP_SETTLED, PROPER, Regime, applied, fitted, network
from .page import Section, prose
from .scores import mean, over_seeds, stream


class Task(NamedTuple):
    name: str
    regime: Regime
    classes: Gaussians
    n: int
    prior: np.ndarray
    tests: dict[str, tuple[int, np.ndarray]]  # rows and shares


EQUAL = np.full(3, 1 / 3)
TASKS = [
    Task(
        "Overlap", OVERLAP_SETTLED, OVERLAPPING, 5000, MOSTLY_FIRST,
        {
            "same": (2000, MOSTLY_FIRST), "mild": (2000, np.array([0.60, 0.25, 0.15])),
            "balanced": (2000, EQUAL), "reversed": (2000, MOSTLY_FIRST[::-1]),
            "reversed, few": (200, MOSTLY_FIRST[::-1]),
        },
    ),
    Task(
        "The slides' mixture", PROPER, SEPARATE, 7000, TWO_RARE,
        {"same": (2500, TWO_RARE), "exchanged": (2500, exchanged(TWO_RARE))},
    ),
]  # fmt: skip

STORED, UNIFORM = "softmax, shares in training", "softmax, equal shares (post-hoc adjustment)"
ADAPTED, ORACLE = "softmax, adapted", "true densities, true shares"
ADAPTED_5 = "responsible, 5, adapted"
STORED_2, ADAPTED_2 = "responsible, 2, its stored prior", "responsible, 2, adapted"
RAW = "responsible, {}, logits taken for log-densities"
BCTS, BCTS_ONE = "softmax, BCTS, five folds, adapted", "softmax, BCTS, one network, adapted"

WORTH = 0.02  # of accuracy

Answer = tuple[np.ndarray, np.ndarray | None]  # log-posterior (n, K); shares, if estimated


class Fitted(NamedTuple):
    """Networks of one seed, and wrappers with calibration around them."""

    softmax: Any
    constant: Any  # the same at a constant rate
    fixed: Any
    two: Any
    five: Any
    folds: Any
    calibrated: Any
    two_folds: Any


def fit_all(task: Task, seed: int) -> Fitted:
    train = task.classes.draw(task.n, task.prior)(stream(seed, 30))
    make = partial(network, task.regime, seed)
    plain = {"head": "softmax", "predict_prior": "train"}
    inner = applied(2, predict_prior="train")
    models = [
        make(**plain),
        make(**plain, learning_rate="constant"),
        make(head="fixed"),
        make(**applied(2)),
        make(**applied(5)),
    ]
    models += [
        PriorShiftClassifier(make(**plain)),
        PriorShiftClassifier(make(**plain), ensemble=False),
        PriorShiftClassifier(make(**inner)),
    ]
    return Fitted(*(fitted(model, train) for model in models))


def methods(models: Fitted) -> dict[str, Callable[[np.ndarray], Answer]]:
    """Log-posteriors of test rows, all of them seen together."""

    def given(model: Any, prior: str) -> Callable[[np.ndarray], Answer]:
        return lambda X: (model.predict_log_proba(X, prior=prior), None)

    return {
        STORED: given(models.softmax, "train"),
        UNIFORM: given(models.softmax, "uniform"),
        ADAPTED: partial(adapted, models.softmax),
        "softmax, constant rate, adapted": partial(adapted, models.constant),
        "fixed, adapted": partial(adapted, models.fixed),
        STORED_2: given(models.two, "train"),
        ADAPTED_2: partial(adapted, models.two),
        ADAPTED_5: partial(adapted, models.five),
        RAW.format(2): partial(taken_for_densities, models.two),
        RAW.format(5): partial(taken_for_densities, models.five),
        BCTS_ONE: partial(wrapped, models.calibrated),
        BCTS: partial(wrapped, models.folds),
        "responsible, 2, BCTS, five folds, adapted": partial(wrapped, models.two_folds),
    }


def adapted(net: Any, X: np.ndarray) -> Answer:
    """By the classifier's own methods, behind the columns' scaler if there is one."""
    model, Z = (net[-1], net[:-1].transform(X)) if hasattr(net, "steps") else (net, X)
    copy = model.adapt(Z)
    return copy.predict_log_proba(Z), copy.prior_estimate_.prior


def taken_for_densities(net: Any, X: np.ndarray) -> Answer:
    """The slides' reading, exp(logits) = F; without the correction for few applications."""
    return with_estimated(net.predict_log_proba(X, prior="uniform"))


def wrapped(model: Any, X: np.ndarray) -> Answer:
    copy = model.adapt(X)
    return copy.predict_log_proba(X), copy.prior_estimate_.prior


def with_estimated(log_density: np.ndarray) -> Answer:
    shares = DynamicResponsibility(input="log_density").fit(log_density).weights_
    with np.errstate(divide="ignore"):
        return log_softmax(log_density + np.log(shares), axis=1), shares


def score(answer: Answer, rows: Rows) -> dict[str, float]:
    log_posterior, shares = answer
    error = np.nan if shares is None else np.abs(shares - rows.prior).sum()
    return {
        "accuracy": float(np.mean(log_posterior.argmax(axis=1) == rows.y)),
        "nll": -float(log_posterior[np.arange(len(rows.y)), rows.y].mean()),
        "error": float(error),
    }


def one(seed: int, task: Task) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = methods(fit_all(task, seed))
    for number, (test, (n, prior)) in enumerate(task.tests.items()):
        rows = task.classes.draw(n, prior)(stream(seed, 31 + number))
        found[test] = {name: score(answer(rows.X), rows) for name, answer in models.items()}
        known = task.classes.log_density(rows.X)
        found[test]["true densities, adapted"] = score(with_estimated(known), rows)
        best = log_softmax(known + np.log(prior), axis=1)
        found[test][ORACLE] = score((best, None), rows)
    return found


def cell(scores: dict[str, np.ndarray]) -> str:
    """Accuracy / log-loss / error of shares; infinite log-losses are counted, not averaged."""
    finite = np.isfinite(scores["nll"])
    loss = f"{scores['nll'][finite].mean():.3f}" if finite.any() else "∞"
    if 0 < finite.sum() < len(finite):
        loss += f" (∞: {np.count_nonzero(~finite)})"
    error = mean(scores["error"])
    wrong = "" if np.isnan(error) else f" / {error:.3f}"
    return f"{mean(scores['accuracy']):.4f} / {loss}{wrong}"


def task_text(task: Task, n: int, found: dict[str, Any]) -> str:
    names = list(next(iter(found.values())))
    lines = [[name, *(cell(found[test][name]) for test in task.tests)] for name in names]
    rows = ", ".join(f"{test}: {k}" for test, (k, _) in task.tests.items())
    return f"""### {task.name}

{n} runs, {task.n} rows to train with; {task.regime.what}. Rows of the tests: {rows}.

{table(["accuracy / log-loss / error of shares", *task.tests], lines)}"""


def value(found: dict[str, Any], test: str, name: str, key: str = "accuracy") -> float:
    return float(mean(found[test][name][key]))


def bands(found: dict[str, Any]) -> list[Band]:
    stored, ours = value(found, "reversed", STORED), value(found, "reversed", ADAPTED)
    oracle = value(found, "reversed", ORACLE)
    error = value(found, "reversed", ADAPTED, "error")
    change = value(found, "same", ADAPTED_2) - value(found, "same", STORED_2)
    return [
        Band("overlap, reversed: accuracy with the shares in training", stored, high=0.40),
        Band("overlap, reversed: accuracy adapted", ours, low=0.87),
        Band("overlap, reversed: error of the shares", error, high=0.08),
        Band("overlap, reversed: true densities and shares less adapted", oracle - ours, high=0.01),
        Band("overlap, no shift: two applications adapted, less stored", change, low=-0.01),
    ]


INTRODUCTION = """Only the shares of the classes change. *Adapted* estimates them from unlabelled
test rows and predicts with them: `adapt` of a network without calibration, or of a
`PriorShiftClassifier` around it with bias-corrected temperature scaling (BCTS), of one network or
of five fitted to folds. A responsible head's logits are no densities after few applications, so its
`adapt` corrects them; the rows without that correction take them for densities. Error of shares:
sum of absolute differences to those that the rows were drawn with; it is larger at a constant rate,
whose last weights still jump about. In brackets: runs with an
infinite log-loss, which are left out of the mean; a class that the test has was given no share."""


def no_shift(found: dict[str, Any]) -> str:
    """Whether logits are log-densities after few applications."""
    parts = [
        f"{value(found, 'same', RAW.format(n)):.3f} and {value(found, 'same', name):.3f} after {n}"
        for n, name in ((2, ADAPTED_2), (5, ADAPTED_5))
    ]
    return (
        "Overlap, no shift: accuracies with logits taken for log-densities and with the correction "
        f"of `adapt` are {' applications, '.join(parts)}."
    )


def section(seeds: int, jobs: int) -> Section:
    texts, verdicts, wanted, gains = [INTRODUCTION], [], [], []
    for task in TASKS:
        found = over_seeds(partial(one, task=task), seeds, jobs)
        texts.append(task_text(task, seeds, found))
        last = "reversed" if "reversed" in task.tests else list(task.tests)[-1]
        at = {name: value(found, last, name) for name in (STORED, ADAPTED, BCTS, ORACLE)}
        gains.append(at[ADAPTED] - at[STORED])
        verdicts.append(
            f"{task.name}, {last} shares: a plain softmax's accuracy goes from {at[STORED]:.3f} to "
            f"{at[ADAPTED]:.3f} adapted to unlabelled rows, to {at[BCTS]:.3f} with calibration; "
            f"{at[ORACLE]:.3f} with true densities and shares."
        )
        if task is TASKS[0]:
            wanted = bands(found)
            verdicts.append(no_shift(found))
    gained = sum(gain > WORTH for gain in gains)
    summary = (
        "The map's own use, estimating the shares of unlabelled rows, raises accuracy by more than "
        f"{WORTH:g} in {gained} of {len(gains)} tasks whose shares change."
    )
    verdicts.insert(0, summary)
    return Section("Label shift", prose("\n\n".join(texts)), wanted, verdicts)

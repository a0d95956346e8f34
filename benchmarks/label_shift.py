"""Label shift: accuracy, log-loss and error of class shares, and the time of an estimate.

python -m benchmarks.label_shift [--quick] [--seeds 10] [--output docs/benchmarks-label-shift.md]

QuaPy takes part where it is installed (`pip install quapy abstention`).
"""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_predict

from mixtures import DynamicResponsibility
from mixtures.label_shift import PriorShiftClassifier
from mixtures.label_shift.shares import adapted

from . import label_shift_peers as peers
from . import machine
from .fresh import ROOT
from .label_shift_problems import PROBLEMS, Problem, Rows
from .label_shift_times import ITEMS, measure
from .tables import table
from .targets import verdict

STORED_AT_MOST, ADAPTED_AT_LEAST, WITHIN = 0.40, 0.87, 0.01
"""What the accuracy on `overlap`, reversed, must be: with stored shares, adapted, and how near the
latter comes to that of true densities with true shares."""

STORED, EQUAL, TRUE = "stored shares", "equal shares", "true shares"
ADAPTED: dict[str, dict[str, Any]] = {
    "ours": {},
    "ours, concentration 2": {"concentration": 2.0},
    "ours, TS": {"calibration": "ts"},
    "ours, BCTS, one network": {"ensemble": False},
    "ours, one network": {"calibration": None},
}
TRUE_DR, ORACLE = "true densities, ours", "true densities, true shares"
GIVEN = (STORED, EQUAL, TRUE, ORACLE)  # rows that estimate nothing


class Scores(dict):
    """Accuracy, log-loss and error of shares of a method on a test, one row a seed."""

    def add(self, test: str, method: str, log_posterior: np.ndarray, rows: Rows, prior) -> None:
        hits = float(np.mean(log_posterior.argmax(axis=1) == rows.y))
        loss = -float(np.mean(log_posterior[np.arange(len(rows.y)), rows.y]))
        error = float(np.abs(prior - rows.prior).sum())
        self.setdefault((test, method), []).append((hits, loss, error))

    def mean(self, test: str, method: str) -> np.ndarray:
        return np.mean(self[test, method], axis=0)

    def cell(self, test: str, method: str) -> str:
        """What the tables say; log-losses that are infinite are counted, not averaged."""
        hits, losses, errors = np.array(self[test, method]).T
        finite = np.isfinite(losses)
        loss = f"{losses[finite].mean():.3f}" if finite.any() else "∞"
        if 0 < finite.sum() < len(finite):
            loss += f" (∞: {np.count_nonzero(~finite)})"
        wrong = "" if method in GIVEN else f" / {errors.mean():.3f}"
        return f"{hits.mean():.4f} / {loss}{wrong}"


def drawn(problem: Problem, seed: int) -> tuple[Rows, dict[str, Rows]]:
    train = problem.train(np.random.default_rng([seed, 0]))
    tests = {}
    for number, (name, draw) in enumerate(problem.tests.items()):
        stream = 0 if problem.pooled else 1 + number
        tests[name] = draw(np.random.default_rng([seed, stream]))
    return train, tests


def run_seed(problem: Problem, seed: int, scores: Scores) -> None:
    train, tests = drawn(problem, seed)
    network = problem.network(seed)
    models = {
        method: PriorShiftClassifier(network, n_threads=1, **options).fit(train.X, train.y)
        for method, options in ADAPTED.items()
    }
    plain = models["ours, one network"]
    held_out = cross_val_predict(
        clone(network), train.X, train.y, cv=5, method="predict_proba"
    )  # the folds of our calibration
    for name, rows in tests.items():
        prior, log_posterior = plain.train_prior_, plain.predict_log_proba(rows.X)
        scores.add(name, STORED, log_posterior, rows, prior)
        for method, shares in (EQUAL, np.full(len(prior), 1.0 / len(prior))), (TRUE, rows.prior):
            scores.add(name, method, adapted(log_posterior, prior, shares), rows, shares)
        for method, fitted in models.items():
            model = fitted.adapt(rows.X)
            result = model.predict_log_proba(rows.X)
            scores.add(name, method, result, rows, model.prior_estimate_.prior)
        evidence = peers.Evidence(held_out, train.y, np.exp(log_posterior), plain.estimators_[0])
        for method, estimate in (peers.OURS | peers.quapy_methods()).items():
            shares = estimate(evidence)
            scores.add(name, method, adapted(log_posterior, prior, shares), rows, shares)
        if problem.log_density is not None:
            known = problem.log_density(rows.X)
            fitted = DynamicResponsibility(input="log_density", n_threads=1).fit(known)
            for method, shares in ((TRUE_DR, fitted.weights_), (ORACLE, rows.prior)):
                with np.errstate(divide="ignore"):
                    result = log_softmax(known + np.log(shares), axis=1)
                scores.add(name, method, result, rows, shares)


def problem_section(problem: Problem, seeds: int) -> tuple[str, Scores]:
    scores = Scores()
    for seed in range(seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # networks stop by epochs
            run_seed(problem, seed, scores)
        print(f"{problem.name}: seed {seed} done", flush=True)
    methods = list(dict.fromkeys(method for _, method in scores))
    lines = []
    for method in methods:
        lines.append([method, *(scores.cell(test, method) for test in problem.tests)])
    head = ["accuracy / log-loss / error of shares", *problem.tests]
    text = f"## {problem.name.capitalize()}\n\n{problem.what[0].upper()}{problem.what[1:]}.\n"
    return f"{text}\n{table(head, lines)}", scores


def targets_section(scores: Scores) -> str:
    stored, oracle, mine = (scores.mean("reversed", m)[0] for m in (STORED, ORACLE, "ours"))
    line = [
        f"{stored:.3f} ≤ {STORED_AT_MOST:.2f}: {verdict(stored <= STORED_AT_MOST)}",
        f"{mine:.4f} ≥ {ADAPTED_AT_LEAST:.2f}: {verdict(mine >= ADAPTED_AT_LEAST)}",
        f"{oracle - mine:+.4f} ≤ {WITHIN:.2f}: {verdict(oracle - mine <= WITHIN)}",
    ]
    head = ["overlap, reversed: accuracy with stored shares", "adapted"]
    head.append("true densities and shares, less adapted")
    return f"## Targets\n\n{table(head, [line])}"


def times_section(rounds: int, quick: bool) -> str:
    lines = []
    for item in ITEMS[: 2 if quick else None]:
        for row in measure(item, rounds):
            lines.append([item.name, row.method, f"{row.ms:.2f}", f"{row.ratio:.1f}", row.gap])
    text = (
        "Posteriors of a calibrated classifier in memory, one thread; the least of all rounds.\n"
        "The gap bounds how far the log-likelihood is below the best, in nats per row; QuaPy\n"
        "stops when shares move by less than epsilon. `with errors` adds logarithms, standard\n"
        "errors, intervals and the test, all that `estimate_prior` returns.\n"
    )
    head = ["item", "method", "ms", "× ours", "gap"]
    return f"## Time of an estimate\n\n{text}\n{table(head, lines)}"


def heading(seeds: int, quick: bool, command: str) -> str:
    found = machine.versions()
    for package in ("quapy", "abstention"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    versions = ", ".join(f"{name} {v}" for name, v in found.items())
    absent = (
        ""
        if peers.installed()
        else (
            "\n**QuaPy is not installed here, so its rows are missing: "
            "`pip install quapy abstention`.**\n"
        )
    )
    trial = "\n**A trial run (`--quick`): the targets do not apply to it.**\n" if quick else ""
    return f"""# Benchmarks of label shift

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.
{trial}{absent}
- Machine: {machine.processor()}; load average {machine.load_average():.2f}.
- Versions: {versions}.
- Means over {seeds} seeds. Error of shares: sum of absolute differences to those that the test rows
  were drawn with. In brackets: seeds with an infinite log-loss, which are left out of the mean; a
  class that the test has was given no share there. A concentration prevents that.
- `ours` is the default: a mean of five networks, each fitted to four fifths of the rows, and one
  calibration for all. BBSE, QuaPy and the rows of given shares adapt the posteriors of one network
  that was fitted to all rows, as `one network` does, but for that with BCTS without calibration.
  Confusion matrices, and QuaPy's calibration, which is for its shares only, have the same rows held
  out by the same five folds.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds, small items")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks-label-shift.md")
    options = parser.parse_args()
    seeds = 2 if options.quick else options.seeds
    found = {problem.name: problem_section(problem, seeds) for problem in PROBLEMS}
    command = shlex.join(["python", "-m", "benchmarks.label_shift", *sys.argv[1:]])
    sections = [heading(seeds, options.quick, command), targets_section(found["overlap"][1])]
    sections += [text for text, _ in found.values()]
    sections.append(times_section(options.rounds, options.quick))
    options.output.write_text("\n".join(sections))
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()

"""The command line: a table in; criteria, the chosen mixture, labels and a picture out.

Everything that a user can get wrong ends as one sentence on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from . import GaussianMixture, __version__
from ._report import format_choice, format_fits, format_table
from ._table import Table, TableError, read_table
from .core.kernels import load
from .covariance import STRUCTURES
from .datasets import load_faithful
from .exceptions import DegenerateDataWarning
from .plotting import save_report
from .selection import InformationCriterionSearch

CLASSIC = "full,tied,diag,spherical"  # of few features, where low rank saves nothing
MAX_COMPONENTS = 9
STARTS = 5
"""Starts for each candidate: with one, a poor local optimum can decide between models."""


class UsageError(ValueError):
    """What the user asked for cannot be done; the message is one sentence."""


class Job(NamedTuple):
    """What to fit, and where the data come from."""

    title: str
    table: Table
    components: range
    covariances: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    code : int
        0 if all went well, 2 if the input or the options were at fault.
    """
    options = _parser().parse_args(argv)
    try:
        job = _job(options)
        search = _fit(job, options)
        X = job.table.values
        print(job.title)
        if job.table.note:
            print(job.table.note)
        print(f"\n{format_table(search)}")
        print(f"\n{format_choice(search.best_estimator_, job.table.names)}")
        print(f"\n{format_fits(search)}\n")
        if options.labels is not None:
            _write_labels(options.labels, search.predict_proba(X))
        _draw(options.plot or _default_plot(options.file), search, job.table)
    except (TableError, UsageError) as error:
        print(f"mixtures: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mixtures",
        description="Fit Gaussian mixtures to a table of numbers and choose one by an information "
        "criterion. Without FILE.csv, the waiting times of the geyser Old Faithful are fitted.",
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE.csv", help="one row a line; separated by , ; or tab"
    )
    parser.add_argument(
        "--components", metavar="A-B", help=f"numbers of components to try (1-{MAX_COMPONENTS})"
    )
    parser.add_argument("--criterion", choices=("bic", "aic", "icl"), default="bic")
    parser.add_argument(
        "--covariance", metavar="LIST", default=CLASSIC, help="default: %(default)s"
    )
    parser.add_argument("--labels", metavar="OUT.csv", help="write row, label, max_probability")
    parser.add_argument("--plot", metavar="OUT.png", help="where to draw (mixtures-NAME.png)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    parser.add_argument("--threads", type=int, metavar="N", help="default: all cores")
    parser.add_argument("--version", action="version", version=f"mixtures {__version__}")
    return parser


def _job(options: argparse.Namespace) -> Job:
    """Read the table and check the options against it, before anything takes time."""
    if options.file is None:
        faithful = load_faithful()
        table = Table(list(faithful.feature_names), faithful.data, "")
        name = "Old Faithful"
    else:
        table, name = read_table(options.file), options.file
    n, d = table.values.shape
    if n < 2:
        raise UsageError(f"{name} has one row; a mixture needs at least two.")
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"--threads should be at least 1, but it is {options.threads}.")
    if not 0 <= options.seed < 2**32:
        raise UsageError(f"--seed should be between 0 and 4294967295, but it is {options.seed}.")
    for path in filter(None, (options.labels, options.plot)):
        if not Path(path).parent.is_dir():
            raise UsageError(f"{path} cannot be written: its folder does not exist.")
    title = f"{name}: {n} rows, {d} feature{'s' * (d != 1)} ({', '.join(table.names)})"
    components = _components(options.components, n, name)
    return Job(title, table, components, _covariances(options.covariance))


def _components(text: str | None, n: int, name: str) -> range:
    """The numbers of components that ``A-B`` or ``A`` asks for."""
    if text is None:
        return range(1, min(MAX_COMPONENTS, n) + 1)
    first, dash, last = text.partition("-")
    parts = (first, last) if dash else (first, first)
    if not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--components should be like 3 or 1-9, but it is {text!r}.")
    low, high = (int(part) for part in parts)
    if not 1 <= low <= high:
        raise UsageError(
            f"--components should run upwards from at least 1, like 1-9, but it is {text!r}."
        )
    if high > n:
        raise UsageError(
            f"{name} has {n} rows, too few for {high} components; ask for {n} components at most."
        )
    return range(low, high + 1)


def _covariances(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in STRUCTURES:
            known = ", ".join(STRUCTURES)
            raise UsageError(f"--covariance should list some of {known}, but it has {name!r}.")
    return names


def _fit(job: Job, options: argparse.Namespace) -> InformationCriterionSearch:
    """Fit every candidate. What fits warn of stands in the report, so it is not said twice."""
    estimator = GaussianMixture(
        tol=1e-6,  # differences between criteria matter here, so EM runs on until they are exact
        max_iter=1000,
        n_init=STARTS,
        random_state=options.seed,
        component_order="weights",
        n_threads=options.threads,
    )
    grid = {"covariance_type": job.covariances, "n_components": job.components}
    search = InformationCriterionSearch(estimator, grid, criterion=options.criterion)
    load()  # the kernels: compiling them, once, is not part of the first fit
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, DegenerateDataWarning, FitFailedWarning):
            warnings.simplefilter("ignore", category)
        try:
            return search.fit(job.table.values)
        except ValueError as error:
            raise UsageError(str(error)) from error


def _write_labels(path: str, probabilities: np.ndarray) -> None:
    """One line a row of the table, counted from 1: its component and how certain that is."""
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "label", "max_probability"])
            labels, certainty = probabilities.argmax(axis=1), probabilities.max(axis=1)
            for i, (label, p) in enumerate(zip(labels, certainty, strict=True), start=1):
                writer.writerow([i, label, f"{p:.6g}"])
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    print(f"Labels: {path}")


def _default_plot(file: str | None) -> str:
    return f"mixtures-{'faithful' if file is None else Path(file).stem}.png"


def _draw(path: str, search: InformationCriterionSearch, table: Table) -> None:
    """Write the picture, or say how to get one."""
    try:
        save_report(path, search, table.values, feature_names=table.names)
    except ImportError:
        print("No picture: matplotlib is not installed; get it by: pip install matplotlib")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from None
    except ValueError as error:  # an ending that matplotlib does not know
        raise UsageError(f"{path} cannot be drawn: {error}") from None
    else:
        print(f"Picture: {path}")

"""Scores of ways of training, compared by seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

MEASURES = ("balanced accuracy", "log-loss")
SIGNS = {"balanced accuracy": 1.0, "log-loss": -1.0}  # of what is better
BEYOND = 2.0  # standard errors of a paired difference, from which it counts


class Cell(NamedTuple):
    """One score on one problem."""

    task: str
    measure: str

    def __str__(self) -> str:
        return f"{self.measure} on {self.task}"


class Difference(NamedTuple):
    """Of two ways of training, by seeds; positive where the first is better."""

    mean: float
    error: float  # standard error of the mean, NaN of a single seed

    @property
    def sign(self) -> int:
        """0 where it is not beyond two standard errors."""
        return 0 if not abs(self.mean) > BEYOND * self.error else int(np.sign(self.mean))

    @property
    def text(self) -> str:
        """In ten-thousandths; worse in bold, better in italics."""
        plain = f"{1e4 * self.mean:+.1f} ± {1e4 * self.error:.1f}".replace("-", "−")
        mark = {-1: "**", 0: "", 1: "*"}[self.sign]
        return f"{mark}{plain}{mark}"


class Scores(NamedTuple):
    """By recipe and task, arrays (n_seeds, 2) of the two measures."""

    values: Mapping[tuple[str, str], np.ndarray]
    tasks: tuple[str, ...]

    @property
    def n_seeds(self) -> int:
        return len(next(iter(self.values.values())))

    @property
    def cells(self) -> Iterator[Cell]:
        return (Cell(task, measure) for task in self.tasks for measure in MEASURES)

    def of(self, recipe: str, cell: Cell) -> np.ndarray:
        """(n_seeds,)"""
        return self.values[recipe, cell.task][:, MEASURES.index(cell.measure)]

    def mean(self, recipe: str, cell: Cell) -> float:
        return float(self.of(recipe, cell).mean())

    def difference(self, ours: str, theirs: str, cell: Cell) -> Difference:
        gap = SIGNS[cell.measure] * (self.of(ours, cell) - self.of(theirs, cell))
        error = np.std(gap, ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else np.nan
        return Difference(float(gap.mean()), float(error))

    def best(self, recipes: Iterable[str], cell: Cell) -> str:
        return max(recipes, key=lambda name: SIGNS[cell.measure] * self.mean(name, cell))

    def against(self, ours: str, theirs: Mapping[Cell, str]) -> dict[Cell, Difference]:
        """In each cell against what is named there."""
        return {cell: self.difference(ours, theirs[cell], cell) for cell in self.cells}


def worse(found: Mapping[Cell, Difference]) -> list[Cell]:
    return [cell for cell, difference in found.items() if difference.sign < 0]


def better(found: Mapping[Cell, Difference]) -> list[Cell]:
    return [cell for cell, difference in found.items() if difference.sign > 0]

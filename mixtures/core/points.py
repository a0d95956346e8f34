"""Rows as k-means sees them: what they cost, and where they belong, given some centres.

Conventions: n rows, d features, k centres; centres and distances are in the coordinates of the
rows' frame. Totals (k, d + 2) are for each centre the sum of its rows, the sum of their weights,
and their number; they add over disjoint sets of rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from .blocks import ArraySource
from .discriminants import Array, Frame
from .kernels import load

Labels = np.ndarray  # (n,), int32, -1 for a row that belongs nowhere yet
BLOCK = 4096  # rows of which copies are made at a time
NO_MARGINS = np.empty(0, np.float32)


class Assigned(NamedTuple):
    """What an assignment of all rows to their nearest centres has changed."""

    changed: int  # rows whose label is another one now
    gain: float  # by how much the inertia fell for it, of rows that had a label before
    totals: Array  # (k, d + 2), what the totals have gained


class AbstractPoints(ABC):
    """Rows with weights, seen through a frame of one scale for all features."""

    n_rows: int
    n_features: int
    sample_weight: Array | None
    total_weight: float
    frame: Frame

    @abstractmethod
    def assign(
        self,
        centres: Array,
        labels: Labels,
        margins: np.ndarray = NO_MARGINS,
        shrinkage: Array | None = None,
    ) -> Assigned:
        """Label each row by its nearest centre (k, d), of equal ones the first.

        Parameters
        ----------
        centres : ndarray of shape (k, d)
        labels : ndarray of shape (n,), int32, IN-OUT
            -1 for rows that have none yet.
        margins : ndarray of shape (n,), float32, IN-OUT
            How far centres may move before a row's label can change; rows that are safe are passed
            over. Of shape (0,): all rows are looked at.
        shrinkage : ndarray of shape (k,)
            By how much the margins of each label have shrunk since: the moves of its own centre
            and of the fastest other one.
        """

    @abstractmethod
    def summarise(self, centres: Array, labels: Labels) -> tuple[float, Array]:
        """Inertia about the centres that the labels name, and the labels' totals (k, d + 2)."""

    @abstractmethod
    def potentials(self, candidates: Array, closest: np.ndarray) -> Array:
        """Make candidates[0] a seed and price each candidate (l, d) as one: sums (l,).

        closest (n,) float32, IN-OUT: squared distance to the nearest seed.
        """

    @abstractmethod
    def squared_distances(self, centres: Array, labels: Labels) -> Array:
        """Squared distance (n,) of each row to the centre that its label names."""

    @abstractmethod
    def hashes(self, indices: np.ndarray | slice, salt: int) -> np.ndarray:
        """A 64-bit hash (m,) of the values of some rows: equal for equal rows."""

    def place(
        self, numbers: np.ndarray, offset: int, free: np.ndarray, members: np.ndarray
    ) -> None:
        """Put rows ``offset + arange(m)`` where their bins have room; free, members IN-OUT."""
        load("kmeans").place(numbers, offset, free, members)

    @abstractmethod
    def rows(self, indices: np.ndarray | slice) -> Array:
        """Some rows (m, d), in the frame's coordinates."""


class DensePoints(AbstractPoints):
    """Rows of an array; sums over super-blocks are merged in order, for any number of threads."""

    def __init__(self, source: ArraySource) -> None:
        self.source = source
        self.n_rows, self.n_features = source.n_rows, source.n_features
        self.sample_weight, self.total_weight = source.sample_weight, source.total_weight
        self._kernels = load("kmeans")

    @property
    def frame(self) -> Frame:  # type: ignore[override]
        return self.source.frame

    def assign(self, centres, labels, margins=NO_MARGINS, shrinkage=None):
        centres = np.ascontiguousarray(centres, np.float64)
        k, d = centres.shape
        shrinkage = np.zeros(k) if shrinkage is None else shrinkage
        kernels, frame = self._kernels, self.frame

        def run(handle, lo, hi, block, space):
            part = np.zeros((k, d + 2))
            changed, gain = kernels.assign(
                handle, lo, hi, frame.centre, frame.scale, centres, labels[block],
                margins[block], shrinkage, part, space,
            )  # fmt: skip
            return changed, gain, part

        changed, gain, totals = 0, 0.0, np.zeros((k, d + 2))
        for one in self.source.each_block(k, kernels.assignment_workspace, run):
            changed, gain = changed + one[0], gain + one[1]
            if one[0]:
                totals += one[2]
        return Assigned(changed, gain, totals)

    def summarise(self, centres, labels):
        centres = np.ascontiguousarray(centres, np.float64)
        k, d = centres.shape
        kernels, frame = self._kernels, self.frame

        def run(handle, lo, hi, block, space):
            part = np.zeros((k, d + 2))
            inertia = kernels.summarise(
                handle, lo, hi, frame.centre, frame.scale, centres, labels[block], part, space
            )
            return inertia, part

        inertia, totals = 0.0, np.zeros((k, d + 2))
        for one in self.source.each_block(k, kernels.assignment_workspace, run):
            inertia, totals = inertia + one[0], totals + one[1]
        return inertia, totals

    def potentials(self, candidates, closest):
        candidates = np.ascontiguousarray(candidates, np.float64)
        kernels, frame = self._kernels, self.frame

        def run(handle, lo, hi, block, space):
            part = np.zeros(len(candidates))
            kernels.potentials(
                handle, lo, hi, frame.centre, frame.scale, candidates, closest[block], part, space
            )
            return part

        sums = np.zeros(len(candidates))
        for part in self.source.each_block(len(candidates), kernels.seeding_workspace, run):
            sums += part
        return sums

    def distances(self, centres: Array, unit: float, dtype: Any) -> np.ndarray:
        """Distance (n, k) of each row to each of centres (k, d), times `unit`."""
        centres = np.ascontiguousarray(centres, np.float64)
        kernels, frame = self._kernels, self.frame
        out = np.empty((self.n_rows, len(centres)), dtype)

        def run(handle, lo, hi, block, space):
            kernels.distances(
                handle, lo, hi, frame.centre, frame.scale, centres, unit, out[block], space
            )

        for _ in self.source.each_block(len(centres), kernels.assignment_workspace, run):
            pass
        return out

    def squared_distances(self, centres, labels):
        out = np.empty(self.n_rows)
        for lo in range(0, self.n_rows, BLOCK):
            here = slice(lo, lo + BLOCK)
            out[here] = ((self.rows(here) - centres[labels[here]]) ** 2).sum(axis=1)
        return out

    def hashes(self, indices, salt):
        return self._kernels.hashes(self.source.X[indices], salt, float(self.frame.scale[0]))

    def rows(self, indices):
        return self.frame.to_frame(self.source.X[indices].astype(np.float64, copy=False))


class SortedPoints(DensePoints):
    """Distinct rows of an array in canonical order: their places serve as hashes."""

    def hashes(self, indices, salt):
        places = np.arange(self.n_rows, dtype=np.uint64)[indices]
        return places * np.uint64((2**64 - 1) // self.n_rows)

"""Newton's method on a few columns, kept on the simplex and kept climbing.

Without the constraint that weights sum to one, maximise ``l(p) - sum(p)`` over p >= 0: l grows by
log c when p grows c-fold, so at the maximum the sum is one of itself, and nothing but signs is left
to constrain. A step maximises the quadratic model there (`quadratic.step_of`), returns to the
simplex by its sum, and is shortened until l climbs enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..discriminants import Array
from .quadratic import step_of
from .source import Evaluation

ENOUGH = 1e-4
"""Share of the gain that the slope promises which a step must make (Armijo 1966); of one nat, where
it promises more: beside a row that is hardly explained, slopes are of no size at all."""

HOPELESS, NEARLY = 1e12, 0.9
"""A gradient that says that some row is left without an explanation, which no later step could
mend; and the share of a step to go instead."""

ROUGH = 0.5
"""Excess of the largest gradient, among columns in use, from which rows are badly covered: the
quadratic model then sees only a part of the way, and EM steps go faster."""

FLAT = 1e-13
"""Promised gains, relative to one nat and to l, that are rounding of l."""

WORN = 0.6
"""Share of the gap a step may leave before the curvature is worked out anew. With m columns that
takes as long as ``1 + m / 16`` passes without it (measured), and what steps have taught lasts."""

SQUARABLE = 1e100
"""Changes of a gradient beyond teach nothing."""

SHORTENED = 30
"""Times a step is shortened before an EM step is taken instead, which always climbs."""

Evaluate = Callable[[Array, bool], Evaluation]


class Place(NamedTuple):
    """Weights of the columns, and what is known there."""

    p: Array
    at: Evaluation  # its curvature may be that of an earlier place, and what was learnt since

    @property
    def gap(self) -> float:
        """``max_k g_k - 1``: how much l can still gain on these columns, at most."""
        largest = float(self.at.gradient.max())
        return largest - 1.0 if largest < np.inf else np.inf  # NaN too


class Climb:
    """A way up from p (on the simplex), until no column offers more than `tol` nats.

    Every step raises l, or, where all that is left is rounding of l, lowers the gap.

    Parameters
    ----------
    evaluate : callable (p, curvature) -> Evaluation
    p : ndarray of shape (m,)
    tol : float
    curvature : ndarray of shape (m, m), optional
        One to begin with, from fewer rows, say.
    """

    def __init__(
        self, evaluate: Evaluate, p: Array, tol: float, curvature: Array | None = None
    ) -> None:
        self._evaluate, self._tol, self._fresh = evaluate, tol, curvature is None
        at = evaluate(p, self._fresh)
        self.places = [Place(p, at if curvature is None else at._replace(curvature=curvature))]

    def run(self, max_iter: int) -> None:
        """Climb, at most so many steps."""
        place, fresh = self.places[0], self._fresh
        while place.gap > self._tol and len(self.places) <= max_iter:
            rough = float(place.at.gradient[place.p > 0].max()) > 1.0 + ROUGH
            new = self._em_step(place) if rough else self._newton_step(place)
            if new is None and fresh:
                break
            if new is not None:
                self.places.append(new)
            good = new is not None and new.gap < WORN * place.gap
            place, fresh = self.places[-1], False
            if not (good or place.gap <= self._tol):
                place, fresh = Place(place.p, self._evaluate(place.p, True)), True

    def _place(self, p: Array, old: Place) -> Place:
        """The place at p, with the curvature of the old one and what the move there has taught."""
        at = self._evaluate(p, False)
        change = old.at.gradient - at.gradient
        bent = _taught(old.at.curvature, p - old.p, change)
        return Place(p, at._replace(curvature=bent))

    def _em_step(self, place: Place) -> Place:
        p = place.p * place.at.gradient
        return self._place(p / p.sum(), place)

    def _newton_step(self, place: Place) -> Place | None:
        """The next place, or None where no step climbs."""
        p, (value, gradient, curvature) = place
        y = step_of(curvature, gradient - 1.0, p)
        y /= y.sum()
        move = y - p
        slope = float(gradient @ move)
        flat = slope <= FLAT * max(1.0, abs(value))
        share = 1.0
        for _ in range(SHORTENED):
            new = self._place(p + share * move if share < 1.0 else y, place)
            if flat:
                return new if new.gap < 0.8 * place.gap else None
            if not new.gap <= max(HOPELESS, place.gap):  # some row would be left behind
                share *= NEARLY
            elif new.at.value >= value + ENOUGH * min(share * slope, 1.0):
                return new
            else:  # l is concave: the best share is where its slope along the step is zero
                ahead = float(new.at.gradient @ move)
                share *= min(max(slope / (slope - ahead), 0.1), 0.5) if ahead < 0 else 0.5
        return self._em_step(place)


def _taught(curvature: Array, move: Array, change: Array) -> Array:
    """The curvature, corrected to give the change of the gradient along a move.

    The update of Broyden, Fletcher, Goldfarb and Shanno (1970), which keeps it positive: l is
    concave, so ``move @ change`` is not negative.
    """
    if not np.abs(change).max() < SQUARABLE:  # NaN too: some row is left behind
        return curvature
    along, turned = float(move @ change), curvature @ move
    size = float(move @ turned)
    if not along > 1e-3 * size > 0.0:
        return curvature
    return curvature + np.outer(change, change) / along - np.outer(turned, turned) / size

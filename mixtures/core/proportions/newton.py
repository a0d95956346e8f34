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

PATIENCE = 3
"""Steps that leave most of the gap, or raise it, before all rows work out the curvature."""

SHORTENED = 30
"""Times a step is shortened before an EM step is taken instead, which always climbs."""

Evaluate = Callable[[Array, bool], Evaluation]


def worn(n_columns: int) -> float:
    """Share of the gap a step may leave before the curvature is worked out anew, on all rows.

    That takes as long as ``1 + m / 16`` passes without it (measured), so the more columns there
    are, the longer a slow step is better value.
    """
    return 0.5 * n_columns / (n_columns + 48.0)


class Place(NamedTuple):
    """Weights of the columns, and what is known there."""

    p: Array
    at: Evaluation  # its curvature may be that of an earlier place

    @property
    def gap(self) -> float:
        """``max_k g_k - 1``: how much l can still gain on these columns, at most."""
        return float(self.at.gradient.max()) - 1.0


class Climb:
    """A way up from p (on the simplex), until no column offers more than `tol` nats.

    Every step raises l, or, where all that is left is rounding of l, lowers the gap.

    Parameters
    ----------
    evaluate : callable (p, curvature) -> Evaluation
    p : ndarray of shape (m,)
    tol : float
    sketch : callable (p) -> curvature (m, m), optional
        A curvature that costs little, to begin with.
    """

    def __init__(
        self, evaluate: Evaluate, p: Array, tol: float, sketch: Callable[[Array], Array] | None
    ) -> None:
        self._evaluate, self._tol, self._sketch = evaluate, tol, sketch
        self._disappointed = 0
        place = Place(p, evaluate(p, sketch is None))
        self.places = [place]
        if sketch is not None and place.gap > tol:
            self.places = [self._bent(place)]

    def run(self, max_iter: int) -> None:
        """Climb, at most so many steps."""
        place, fresh = self.places[0], True
        for _ in range(max_iter):
            new = None
            while new is None and place.gap > self._tol:
                rough = float(place.at.gradient[place.p > 0].max()) > 1.0 + ROUGH
                new = self._em_step(place) if rough else self._newton_step(place)
                kept = new is not None and (rough or new.gap < worn(len(place.p)) * place.gap)
                if not kept and (fresh or new is None or new.gap > place.gap):
                    self._disappointed += 1
                if new is None:
                    if fresh and self._sketch is None:
                        return
                    place, fresh = self._bent(place), True
            if new is None:
                return
            self.places.append(new)
            again = not kept and new.gap > self._tol
            place, fresh = (self._bent(new), True) if again else (new, False)

    def _bent(self, place: Place) -> Place:
        """The place with its own curvature: a sketch, unless several have disappointed."""
        if self._sketch is None or self._disappointed >= PATIENCE:
            self._sketch = None
            return Place(place.p, self._evaluate(place.p, True))
        return Place(place.p, place.at._replace(curvature=self._sketch(place.p)))

    def _place(self, p: Array, old: Place) -> Place:
        """The place at p, with the curvature of the old one and what the move there has taught."""
        at = self._evaluate(p, False)
        bent = _taught(old.at.curvature, p - old.p, old.at.gradient - at.gradient)
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
    if not np.isfinite(change).all():
        return curvature
    along, turned = float(move @ change), curvature @ move
    size = float(move @ turned)
    if not along > 1e-3 * size > 0.0:
        return curvature
    return curvature + np.outer(change, change) / along - np.outer(turned, turned) / size

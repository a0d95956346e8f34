"""Acceleration of EM: propose a point beyond the EM step; the loop keeps it only if it climbs.

EM is a fixed-point iteration ``x -> F(x)`` that converges linearly, slowly where components
overlap. Two ways to extrapolate it, both in unconstrained coordinates, both one map per proposal:

- SQUAREM (Varadhan and Roland 2008, Scand. J. Statist. 35, scheme S3): two EM steps give
  ``r = F(x) - x`` and ``v = F(F(x)) - F(x) - r``; propose ``x - 2 a r + a^2 v`` with
  ``a = -|r| / |v|``.
- Anderson mixing (Walker and Ni 2011, SIAM J. Numer. Anal. 49; damped and made monotone as in
  DAAREM, Henderson and Varadhan 2019): from the last m steps, the affine combination of images
  whose residual ``F(x) - x`` is smallest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .discriminants import Array

if TYPE_CHECKING:
    from .em import Point
    from .family import AbstractFamily


class AbstractAccelerator(ABC):
    """Proposes where to go next; knows no model."""

    @abstractmethod
    def propose(self, family: AbstractFamily[Any], point: Point, n_iter: int) -> Any | None:
        """Parameters to try instead of ``point.image``, or None for the EM step itself."""

    @abstractmethod
    def rejected(self) -> None:
        """The last proposal did not climb; the loop will take the EM step."""

    @abstractmethod
    def settled(self, change: float, tol: float) -> bool:
        """Whether a change of the objective this small, in nats per row, ends the run."""

    def confirms(self, change: float, tol: float) -> bool:
        """Whether the plain EM step that follows a settled run may end it, having gained this."""
        return change < tol


def interior(family: AbstractFamily[Any], point: Point) -> tuple[Array, Array, Array]:
    """Where a step comes from and leads to, without what lies on the boundary; and that.

    Coordinates that are infinite or nearly so, of probabilities or rates that are zero, are 0 in
    the first two; the third has those of the image there, and NaN elsewhere.
    """
    x, image = family.pack(point.params), family.pack(point.image)
    lost, start = np.zeros(len(x), dtype=bool), 0
    for coordinates, shape in family.coordinates(point.params):
        own = slice(start, start + coordinates.size(shape))
        lost[own] = coordinates.lost(x[own]) | coordinates.lost(image[own])
        start = own.stop
    return np.where(lost, 0.0, x), np.where(lost, 0.0, image), np.where(lost, image, np.nan)


def _same(one: Array, other: Array) -> bool:
    """Whether two points hold the same coordinates on the boundary."""
    return bool((np.isnan(one) == np.isnan(other)).all())


def _with_held(proposal: Array, held: Array) -> Array:
    return np.where(np.isnan(held), proposal, held)


class NoAcceleration(AbstractAccelerator):
    """Plain EM."""

    def propose(self, family: AbstractFamily[Any], point: Point, n_iter: int) -> None:
        return None

    def rejected(self) -> None:
        raise RuntimeError("plain EM proposes nothing that could be rejected")

    def settled(self, change: float, tol: float) -> bool:
        return change < tol

    def confirms(self, change: float, tol: float) -> bool:
        return True  # as in scikit-learn: the last M-step's gain is not looked at


PATIENCE = 3  # rejected proposals in a row


class Stage(NamedTuple):
    """An accelerator, and when its turn comes."""

    accelerator: AbstractAccelerator
    n_iter: int = 0  # not before this many iterations
    gain: float = np.inf  # not before an iteration gains less, in nats per row


class Staged(AbstractAccelerator):
    """One accelerator after another, as the run settles.

    An extrapolation taken while EM still moves fast can land in the basin of another, worse
    optimum (measured: one of six problems with SQUAREM from the first step), so plain EM comes
    first. Squared extrapolation copes best with what is not yet linear, Anderson mixing converges
    fastest where it is. Where it does not, near a boundary, every proposal is rejected and costs a
    map: after `PATIENCE` such in a row the run goes back to the stage before, for good, unless that
    is plain EM.
    """

    def __init__(self, *stages: Stage) -> None:
        self.stages = list(stages)
        self._before: type[AbstractAccelerator] | None = None
        self._rejections = 0
        self._proposed = False  # and not rejected
        self._last = -np.inf

    @property
    def _now(self) -> AbstractAccelerator:
        return self.stages[0].accelerator

    def propose(self, family: AbstractFamily[Any], point: Point, n_iter: int) -> Any | None:
        gain, self._last = point.objective - self._last, point.objective
        while len(self.stages) > 1:  # a rejected proposal gains nothing, and says nothing
            following = self.stages[1]
            if n_iter <= following.n_iter or not 0.0 < gain < following.gain:
                break
            left, self._rejections = self.stages.pop(0).accelerator, 0
            self._before = None if isinstance(left, NoAcceleration) else type(left)
        if self._proposed:
            self._rejections = 0
        if self._rejections >= PATIENCE and self._before is not None:
            self.stages, self._before = [Stage(self._before())], None
        proposal = self._now.propose(family, point, n_iter)
        self._proposed = proposal is not None
        return proposal

    def rejected(self) -> None:
        self._rejections, self._proposed = self._rejections + 1, False
        self._now.rejected()

    def settled(self, change: float, tol: float) -> bool:
        return self._now.settled(change, tol)

    def confirms(self, change: float, tol: float) -> bool:
        return self._now.confirms(change, tol)


class Squarem(AbstractAccelerator):
    """Squared extrapolation: cycles of two EM steps and one proposal."""

    def __init__(self) -> None:
        self._previous: tuple[Array, Array, Array] | None = None  # x, F(x) - x, the boundary
        self._longest = 4.0  # bound on -a; grows fourfold when reached and accepted
        self._reached = self._proposed = False

    def propose(self, family: AbstractFamily[Any], point: Point, n_iter: int) -> Any | None:
        if self._proposed:  # the last proposal was accepted: one EM step, then a new cycle
            if self._reached:
                self._longest *= 4.0
            self._proposed, self._previous = False, None
            return None
        x, image, fixed = interior(family, point)
        if self._previous is None or not _same(fixed, self._previous[2]):
            self._previous = x, image - x, fixed
            return None
        (start, r, _), self._previous = self._previous, None
        v = (image - x) - r
        norm_v = float(np.linalg.norm(v))
        if norm_v == 0.0:
            return None
        length = float(np.linalg.norm(r)) / norm_v
        self._reached = length >= self._longest
        length = min(length, self._longest)
        if length <= 1.0:
            return None
        self._proposed = True
        proposal = start + 2.0 * length * r + length**2 * v
        return family.unpack(_with_held(proposal, fixed), point.params)

    def rejected(self) -> None:
        self._proposed = False
        self._longest = max(4.0, self._longest / 4.0) if self._reached else self._longest

    def settled(self, change: float, tol: float) -> bool:
        # Only the gain of an EM step tells how far EM still has to go.
        return change < tol and not self._proposed


class Anderson(AbstractAccelerator):
    """Damped Anderson mixing of the last `memory` steps."""

    def __init__(self, memory: int = 6) -> None:
        self._steps: deque[tuple[Array, Array]] = deque(maxlen=memory)  # steps of x, of F(x)-x
        self._previous: tuple[Array, Array, Array] | None = None
        self._damping = 1e-8  # relative to the mean square of the residuals' differences
        self._small = 0

    def propose(self, family: AbstractFamily[Any], point: Point, n_iter: int) -> Any | None:
        x, image, fixed = interior(family, point)
        if self._previous is not None and not _same(fixed, self._previous[2]):
            self._forget()
        residual = image - x
        if self._previous is not None:
            self._steps.append((x - self._previous[0], residual - self._previous[1]))
            self._damping = max(1e-12, self._damping / 2)
        self._previous = x, residual, fixed
        if not self._steps:
            return None
        moves, changes = (np.array(column) for column in zip(*self._steps, strict=True))
        gram = changes @ changes.T
        ridge = self._damping * np.trace(gram) / len(gram)
        if not ridge > 0.0:
            return None
        mix = np.linalg.solve(gram + ridge * np.eye(len(gram)), changes @ residual)
        return family.unpack(_with_held(image - mix @ (moves + changes), fixed), point.params)

    def rejected(self) -> None:
        self._damping = min(1.0, self._damping * 100.0)
        self._forget()

    def settled(self, change: float, tol: float) -> bool:
        # A mixed step can gain little by accident; two in a row do not.
        self._small = self._small + 1 if change < tol else 0
        return self._small >= 2

    def _forget(self) -> None:
        self._steps.clear()
        self._previous = None


def accelerator_of(acceleration: str | None, tol: float) -> Callable[[], AbstractAccelerator]:
    """What makes the accelerator that the `acceleration` parameter of an estimator names.

    'auto' leaves a fit with ``tol=0`` to plain EM: such a fit asks for a number of iterations, not
    for a precision that could be reached in fewer.
    """
    if acceleration == "auto" and tol == 0:
        return NoAcceleration
    plain = Stage(NoAcceleration())
    makers: dict[str | None, Callable[[], AbstractAccelerator]] = {
        None: NoAcceleration,
        "squarem": lambda: Staged(plain, Stage(Squarem(), 5, 1e-2)),
        "anderson": lambda: Staged(plain, Stage(Anderson(), 5, 1e-2)),
        "auto": lambda: Staged(plain, Stage(Squarem(), 10, 1e-3), Stage(Anderson(), 10, 1e-6)),
    }
    return makers[acceleration]

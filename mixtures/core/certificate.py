"""Where a fit stopped: at a maximum, at a saddle, on a boundary, or on the way.

EM stops where its steps are small. That may be a maximum of the objective, a saddle point (equal
components never part), a ridge along which parameters are not determined, or a point on the way.
First and second derivatives tell them apart, in coordinates without constraints; parameters at the
end of their range are held there, and checked by the Karush-Kuhn-Tucker condition: moving one
inside must not raise the objective.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from .discriminants import Array
from .em import EMProblem
from .gradient import AbstractGradient, gradient_of
from .information import Eigen, Information

NEGLIGIBLE = 1e-4
"""Nats that count as nothing: a parameter is within ``sqrt(2 * 1e-4)``, 1.4 %, of a standard error
of where the objective is that much higher."""

FIRST_EDGE = 1e-12
"""How far inside an infinite coordinate is looked at first, as a probability or a rate."""

SLOPE_NOISE = 1e-3
"""Slopes at a boundary relative to the information there that are rounding: a parameter at 1e-12
of its end has four digits left."""

NEAR_ONE = 0.01
"""Weights within are all that there is to share out, where the data say nothing about them."""


class Verdict(Enum):
    """What kind of point the parameters are, in words."""

    MAXIMUM = "A maximum"
    BOUNDARY_MAXIMUM = "A maximum on the boundary"
    SADDLE = "A saddle"
    FLAT = "A ridge"
    NOT_STATIONARY = "Not stationary"


class Certificate(NamedTuple):
    """Evidence on where a fit stopped; printed, it is a sentence or two.

    All in nats and in the family's unconstrained coordinates (logarithms of rates and weights,
    log-odds of probabilities, Cholesky factors of covariances), m of them.
    """

    verdict: Verdict
    gradient_norm: float
    """Euclidean norm of the gradient of log-likelihood plus log-prior in the free coordinates."""
    gain: float
    """Nats that a Newton step still promises, from the gradient and the curvature."""
    smallest_eigenvalue: float
    """Of the observed information, in units in which the complete-data information of each
    coordinate is one: about 1 where components are apart, near 0 where the data hardly determine
    some direction, negative where the objective curves upwards. Infinite if nothing is free."""
    error: float
    """How far the eigenvalue may be off, by rounding and truncation."""
    direction: Array
    """(m,), of unit length: where the curvature is least, or the slope inwards where that makes the
    point no maximum."""
    n_free: int
    """Directions in which the parameters can move, the redundant one of weights left out."""
    n_boundary: int
    """Parameters held at an end of their range."""
    n_idle: int
    """Parameters that change nothing, those of components without rows."""

    def __str__(self) -> str:
        curvature = (
            f"the smallest eigenvalue of the observed information is {self.smallest_eigenvalue:.3g}"
            f" (± {self.error:.1g}; complete data would have 1)"
        )
        return f"{self.verdict.value}: {SENTENCES[self.verdict](self, curvature)}."


def _several(n: int) -> str:
    return "1 parameter" if n == 1 else f"{n} parameters"


def _flat(c: Certificate, curvature: str) -> str:
    if c.n_idle:
        return f"the data say nothing about {_several(c.n_idle)}, of components without rows"
    return (
        f"{curvature}, which is zero as far as can be told, so that the data do not determine the "
        "parameters along `direction`"
    )


def _not_stationary(c: Certificate, curvature: str) -> str:
    if math.isinf(c.gain):
        return (
            "the objective would rise if a parameter left the end of its range, along `direction`, "
            "though EM cannot or hardly move it. Start from other parameters"
        )
    return (
        f"the gradient has a norm of {c.gradient_norm:.3g} nats, and a Newton step promises "
        f"{c.gain:.2g} more nats; {curvature}. Lower tol or raise max_iter"
    )


SENTENCES: dict[Verdict, Callable[[Certificate, str], str]] = {
    Verdict.MAXIMUM: lambda c, curvature: (
        f"{curvature}, and about {c.gain:.1g} nats are left to gain"
    ),
    Verdict.BOUNDARY_MAXIMUM: lambda c, curvature: (
        f"the objective would not rise if {_several(c.n_boundary)} left the end of the "
        f"range; for the {c.n_free} free directions {curvature}, and about {c.gain:.1g} nats are "
        "left to gain"
    ),
    Verdict.SADDLE: lambda c, curvature: (
        f"{curvature}, so that the objective rises along `direction`, both ways. Start from other "
        "parameters, or from these moved along it"
    ),
    Verdict.FLAT: lambda c, curvature: f"{_flat(c, curvature)}. Use fewer components, or a prior",
    Verdict.NOT_STATIONARY: _not_stationary,
}


def certify(problem: EMProblem[Any], params: Any, tol: float = NEGLIGIBLE) -> Certificate:
    """Say at what kind of point of a problem's objective some parameters are.

    Parameters
    ----------
    problem : EMProblem
    params : the family's parameters, in the coordinates of the problem's frame
    tol : float, default=1e-4
        Nats in total (not per row) that count as nothing: a point from which a Newton step gains
        less is stationary, and a parameter on which less depends is at the end of its range.

    Returns
    -------
    Certificate

    Notes
    -----
    Where the family's M-step is exact for another objective (`AbstractFamily.exact`: Gaussian
    components with a ridge), that is the one examined. A large ridge leaves EM with the likelihood
    off its maxima, too: such a fit is not stationary.

    It takes two passes over the rows for each of up to 60 free coordinates, or for each of some
    hundred steps of Lanczos' method where there are more.
    """
    exact = problem.family.exact()
    if exact is not None:
        problem = replace(problem, family=exact)
    packed = np.asarray(problem.family.pack(params), dtype=float)
    gradient, x = _gradient_near(problem, params, packed)
    g, information = gradient(x), gradient.information
    ends, sums, still = _layout(problem, params, x)
    free = information > tol
    whole = (sums >= 0) & (x > -NEAR_ONE)  # nothing is left to the others of the sum
    edge, idle = ~free & ~whole & (ends != 0), ~free & ~whole & (ends == 0)
    rising = _rising(g, information, x, ends, edge, tol)
    direction = np.zeros(len(x))
    curved = Information(gradient, x, free, sums, still)
    found = curved.smallest() if curved.size else Eigen(np.array([np.inf]), np.zeros((0, 1)), 0.0)
    gain = _gain(curved.project(g[free] / curved.scale), found)
    if rising.any():
        best = int(np.flatnonzero(rising)[0])
        gain, direction[best] = math.inf, -float(ends[best])
    elif curved.size:
        direction[free] = found.vectors[:, 0] / curved.scale
        direction /= np.linalg.norm(direction)
    value = float(found.values[0])
    verdict = _verdict(gain <= tol, value, found.error, bool(idle.any()), bool(edge.any()))
    return Certificate(
        verdict, float(np.linalg.norm(g[free])), gain, value, found.error, direction,
        curved.size, int(edge.sum()), int(idle.sum()),
    )  # fmt: skip


def _verdict(stationary: bool, value: float, error: float, idle: bool, edge: bool) -> Verdict:
    if not stationary:
        return Verdict.NOT_STATIONARY
    if value < -error:
        return Verdict.SADDLE
    if value <= error or idle:
        return Verdict.FLAT
    return Verdict.BOUNDARY_MAXIMUM if edge else Verdict.MAXIMUM


def _gradient_near(
    problem: EMProblem[Any], params: Any, packed: Array
) -> tuple[AbstractGradient, Array]:
    """The gradient, and a finite vector to ask it at: infinite coordinates put inside by a hair.

    By how little, depends on the digits that the gradient has.
    """
    infinite = np.isinf(packed)
    edge = FIRST_EDGE
    while True:
        x = np.where(infinite, -np.sign(packed) * math.log(edge), packed)
        gradient = gradient_of(problem, params, x)
        if gradient.edge <= edge or not infinite.any():
            return gradient, x
        edge = gradient.edge


def _layout(problem: EMProblem[Any], params: Any, x: Array) -> tuple[np.ndarray, np.ndarray, Array]:
    """`Coordinates.ends`, `Coordinates.sums` and `Coordinates.still` of the whole vector."""
    ends, sums, still, start, n_sums = [], [], [], 0, 0
    for coordinates, shape in problem.family.coordinates(params):
        size = coordinates.size(shape)
        here = x[start : start + size]
        ends.append(coordinates.ends(here))
        own = coordinates.sums(shape)
        sums.append(np.where(own >= 0, own + n_sums, -1))
        turns = coordinates.still(here, shape)
        still.append(np.zeros((len(turns), len(x))))
        still[-1][:, start : start + size] = turns
        start, n_sums = start + size, n_sums + int(own.max(initial=-1)) + 1
    return np.concatenate(ends), np.concatenate(sums), np.concatenate(still)


def _rising(
    g: Array, information: Array, x: Array, ends: np.ndarray, edge: np.ndarray, tol: float
) -> np.ndarray:
    """Which of the parameters at an end (m,) would raise the objective by moving inside.

    The slope by the parameter itself is that by the coordinate over the distance to the end. It
    must be more than `tol` nats for the whole unit range, and more than rounding.
    """
    distance = np.exp(-ends * x)
    inwards = -ends * g
    return edge & (inwards > tol * distance) & (inwards > SLOPE_NOISE * information)


def _gain(g: Array, found: Eigen) -> float:
    """Nats that a Newton step promises: ``sum_i g_i^2 / (2 |eigenvalue_i|)`` for g (f,).

    What lies outside the eigenvectors found is taken to be as little curved as the last of these.
    Along a ridge, where there is no Newton step, it is a step in complete-data units.
    """
    if not g.size or not found.vectors.size:
        return 0.0
    along = found.vectors.T @ g
    curvature = np.abs(found.values)
    curvature[curvature <= found.error] = 1.0
    rest = max(0.0, float(g @ g - along @ along))
    return float((along**2 / curvature).sum() + rest / curvature[-1]) / 2

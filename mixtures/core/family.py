"""What a component distribution must answer: the interface between the engine and the models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from .discriminants import Array, Discriminants
from .statistics import NONE, SufficientStatistics
from .unconstrained import Coordinates

if TYPE_CHECKING:
    from .source import AbstractSource

BASE_ROWS = 65536  # rows whose base measure is computed at a time

P = TypeVar("P")  # the family's parameters: a NamedTuple of arrays whose first field is `weights`


class DegenerateComponentError(ArithmeticError):
    """A component's parameters left the domain, so that no density can be computed from them."""

    def __init__(self, component: int, reason: str) -> None:
        self.component, self.reason = component, reason
        super().__init__(f"component {component}: {reason}")


class Sweep(NamedTuple):
    """What one pass over the rows of a fit needs of the parameters."""

    discriminants: Any  # those of the source: Discriminants, unless columns are split up
    moments: Any  # the second moments that the M-step will read
    omitted: float = 0.0  # what the discriminants leave out, summed over the rows, in nats


class AbstractFamily(ABC, Generic[P]):
    """A component distribution, with its priors, bound to the frame of one data set.

    Immutable: parameters travel in the family's NamedTuple, statistics in
    :class:`~mixtures.core.statistics.SufficientStatistics`; the engine calls, the family computes.
    k components, d features, n rows.
    """

    moments: int = NONE
    """The second moments that `m_step` reads: NONE, NORM, DIAGONAL or FULL."""

    unconstrained: dict[str, Coordinates]
    """For each field of the parameters, the coordinates in which acceleration may extrapolate."""

    @abstractmethod
    def discriminants(self, params: P) -> Discriminants:
        """log weight + log density of each component, up to the row's `log_base`.

        Raises DegenerateComponentError if the parameters admit no density.
        """

    @abstractmethod
    def m_step(self, stats: SufficientStatistics, params: P) -> P:
        """The parameters that maximise the expected log-posterior given the statistics.

        `params` are the current ones: what a component keeps when no row is assigned to it.
        """

    def start(self, stats: SufficientStatistics, centres: Array) -> P:
        """Parameters to start from, given the statistics of clusters around k centres (k, d)."""
        return self.m_step(stats, self.guess(centres))

    rivals: int = 0
    """Partitions from random seeds that the default start's has to beat in short runs of EM."""

    def refine(self, params: P, start: Any) -> P:
        """Better parameters to start from, by a look at some rows; see `initialise.Start`."""
        return params

    @abstractmethod
    def guess(self, centres: Array) -> P:
        """Parameters around k centres (k, d), before any responsibilities are known."""

    @abstractmethod
    def sample(self, params: P, component: int, n: int, rng: np.random.RandomState) -> Array:
        """n rows (n, d) drawn from one component, in the frame's coordinates."""

    @abstractmethod
    def n_parameters(self, params: P) -> int:
        """Number of free parameters, mixing weights included."""

    def reference(self, centres: Array) -> Array:
        """Where moments are taken about when a fit starts; the origin, unless the family says."""
        return np.zeros_like(centres)

    def sweep(self, params: P) -> Sweep:
        """What a fit's pass over its rows needs.

        It may leave out terms of the row that cancel in responsibilities, if it accounts for
        their sum.
        """
        return Sweep(self.discriminants(params), self.moments)

    def log_base(self, X: np.ndarray) -> Array | float:
        """log h(x) of the density's factor without parameters: (n,) in float64, or a constant."""
        return 0.0

    def base(self, source: AbstractSource) -> float:
        """Sum over a source's rows of what no parameter changes, the frame's Jacobian included."""
        total = source.total_weight * source.frame.log_jacobian
        if not isinstance(self.log_base(source.X[:1]), np.ndarray):
            return total  # no row has one, and blocks of CSR rows would be copies
        for lo in range(0, source.n_rows, BASE_ROWS):
            base = self.log_base(source.X[lo : lo + BASE_ROWS])
            if isinstance(base, np.ndarray):
                w = source.sample_weight
                total += float(base.sum() if w is None else base @ w[lo : lo + BASE_ROWS])
        return total

    def log_prior(self, params: P) -> float:
        """Log-density of the priors at params, in nats; zero for flat ones."""
        return 0.0

    def gradient(self, stats: SufficientStatistics, params: P) -> Array | None:
        """Gradient of the total objective, nats, in the coordinates of `pack`; None: no formula.

        By Fisher's identity it is that of the expected complete-data log-posterior.
        """
        return None

    def exact(self) -> AbstractFamily[P] | None:
        """The family whose objective `m_step` surely does not lower, if that is another one.

        EM starts over with it when the objective is about to fall; None where `m_step` is an exact
        maximiser, which is the rule.
        """
        return None

    def doubts(self, params: P) -> str | None:
        """A sentence that warns of parameters which the data alone do not determine, or None."""
        return None

    def distances(self, params: P, others: P) -> Array:
        """How far each component is from each of another fit (k, k), in any monotone measure.

        Unless the family says otherwise, the squared distance of the second fields.
        """
        mine, theirs = (np.asarray(p[1], dtype=np.float64) for p in (params, others))  # type: ignore[index]
        return ((mine[:, None] - theirs[None]) ** 2).reshape(len(mine), len(theirs), -1).sum(axis=2)

    def coordinates(self, params: P) -> list[tuple[Coordinates, tuple[int, ...]]]:
        """For each array of the parameters, in the order of `pack`, its coordinates and shape.

        The mixing weights come first.
        """
        return [(c, getattr(params, name).shape) for name, c in self.unconstrained.items()]

    def pack(self, params: P) -> Array:
        """Parameters as one vector without constraints."""
        fields: Any = params
        return np.concatenate(
            [c.pack(getattr(fields, name)) for name, c in self.unconstrained.items()]
        )

    def unpack(self, vector: Array, like: P) -> P:
        """The inverse of `pack`, with the shapes of `like`."""
        fields: Any = like
        new, start = {}, 0
        for name, c in self.unconstrained.items():
            shape = getattr(fields, name).shape
            size = c.size(shape)
            new[name] = c.unpack(vector[start : start + size], shape)
            start += size
        return fields._replace(**new)

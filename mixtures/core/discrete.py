"""What mixtures of discrete rows have in common: no frame, and probabilities that may be zero."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import numpy as np

from . import validation
from .discriminants import Array, Discriminants, Frame
from .estimator import AbstractMixture
from .family import AbstractFamily, DegenerateComponentError
from .frames import Totals
from .source import AbstractSource
from .statistics import SufficientStatistics

P = TypeVar("P")

BLEND = 1.0 / 64.0
"""Share of the pooled estimate in a start: a probability of zero would stay zero for ever."""

NEVER = -1e300
"""Logarithm of zero where it is multiplied: zero events times it are zero."""

IMPOSSIBLE = -1e290
"""Log-density below which `NEVER` was in the sum: the row has probability zero."""

UNLIKELY = -1e6
"""Stands for the logarithm of a vanishing probability: larger than what any likely row loses."""


class AbstractDiscreteFamily(AbstractFamily[P]):
    """A family whose parameters, but for the weights, form a convex set."""

    def start(self, stats: SufficientStatistics, centres: Array) -> P:
        """Those of the clusters, drawn a little towards those of all rows together."""
        own = self.m_step(stats, self.guess(centres))
        everywhere = stats._replace(
            counts=np.full_like(stats.counts, stats.counts.sum()),
            first=np.broadcast_to(stats.first.sum(axis=0), stats.first.shape),
        )
        pooled: Any = self.m_step(everywhere, self.guess(centres))
        fields: Any = own
        blended = {
            name: getattr(own, name) + BLEND * (getattr(pooled, name) - getattr(own, name))
            for name in fields._fields
            if name != "weights"
        }
        return fields._replace(**blended)


def refuse_impossible(stats: SufficientStatistics) -> None:
    """DegenerateComponentError where `NEVER` was in the log-likelihood of all components."""
    if stats.log_likelihood < IMPOSSIBLE:
        raise DegenerateComponentError(
            int(np.argmin(stats.counts)),
            "the log-likelihood is -inf, as some row has what no component can have",
        )


def softened(v: Discriminants) -> Discriminants:
    """The same discriminants with vanishing probabilities in place of zeros."""
    return v._replace(
        slopes=np.maximum(v.slopes, UNLIKELY), offsets=np.maximum(v.offsets, UNLIKELY)
    )


def _inside(rounded: np.ndarray, exact: Array) -> np.ndarray:
    """Rounded numbers, none of them 0 or 1 that was not: it would exclude rows that were seen."""
    low, high = np.finfo(rounded.dtype).smallest_subnormal, np.nextafter(rounded.dtype.type(1), 0)
    rounded = np.where((rounded == 0) & (exact > 0), low, rounded)
    return np.where((rounded == 1) & (exact < 1), high, rounded)


class AbstractDiscreteMixture(AbstractMixture):
    """Base of mixtures of counts, answers and categories."""

    _centred: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AbstractMixture._parameter_constraints,
        "weights_init": ["array-like", None],
    }

    _ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    """Least and largest value of the parameters, where a start may be given."""

    _sparse: ClassVar[bool] = False
    """Whether rows may be sparse."""

    _prior_axes: ClassVar[int] = 2

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._sparse
        return tags

    def _fitted_family(self) -> tuple[AbstractFamily[Any], Any, Frame]:
        return self._fitted_to(None)

    def _fitted_to(self, rows: Any) -> tuple[AbstractFamily[Any], Any, Frame]:
        params, frame = self._attribute_params(), Frame.identity(self.n_features_in_)
        return self._bound(rows), params, frame

    @abstractmethod
    def _bound(self, rows: Any) -> AbstractFamily[Any]:
        """The family with its priors, for validated rows; None: for none in particular."""

    def _family(self, source: Any, totals: Any) -> AbstractFamily[Any]:
        if self.component_order is not None:
            self._refuse_own_priors("component_order sorts", ", or component_order=None")
        return self._bound(source.coding)

    def _parameter_attributes(self, params: Any, dtype: Any) -> dict[str, Any]:
        exact = super()._parameter_attributes(params, np.float64)
        rounded = super()._parameter_attributes(params, dtype)
        return {name: _inside(array, exact[name]) for name, array in rounded.items()}

    def _failure(self, reason: str, dtype: Any) -> str:
        given = [n for n in self._params._fields if getattr(self, f"{n}_init", None) is not None]
        if self.warm_start or given:
            start = " and ".join(f"{name}_init" for name in given) or "the last fit's parameters"
            return (
                f"Fitting the mixture model failed: {reason}. The start was {start}: where it has "
                "zeros or ones, a row or a prior that contradicts them has probability zero in "
                "every component. Move them inside, or leave the start to init_params."
            )
        return super()._failure(reason, dtype)

    def _given_start(self, n_features: int) -> dict[str, Array]:
        given = {}
        for name in self._params._fields:
            value = getattr(self, f"{name}_init", None)
            if value is not None and name == "weights":
                given[name] = validation.check_weights(value, self.n_components)
            elif value is not None:
                given[name] = self._starting(name, value, n_features)
        return given

    def _starting(self, name: str, value: Any, n_features: int) -> Array:
        """A parameter (k, d) to start from, as a user gave it, or ValueError."""
        array = validation.check_shape(name, value, (self.n_components, n_features))
        return validation.check_range(name, array, *self._ranges[name])

    def _softened(self, v: Discriminants) -> Discriminants:
        return softened(v)

    def _far_rows(
        self, family: AbstractFamily[Any], params: Any, frame: Frame, rows: Any, log_norm: Array
    ) -> tuple[Array, Array]:
        """Responsibilities and log-normalisers of rows that no component can have made, or nearly.

        Zeros are taken for the limit of vanishing probabilities, so a component is the more likely
        the fewer of them a row contradicts.
        """
        with self._opened(rows, frame) as source:
            resp, _ = source.posterior(self._softened(family.discriminants(params)))
        return resp, np.where(log_norm > IMPOSSIBLE, log_norm, -np.inf)


class AbstractCodedMixture(AbstractDiscreteMixture):
    """Base of mixtures whose validated rows know how they are coded: see `core.answers`."""

    @contextmanager
    def _source(
        self, X: Any, w: Array | None, *, merge: bool = True
    ) -> Iterator[tuple[Any, Totals]]:
        with X.answered(type(self).__name__).source(
            w, merge=merge, n_threads=self.n_threads
        ) as source:
            yield source, source.totals()

    def _opened(self, rows: Any, frame: Frame) -> AbstractSource:
        return rows.source(n_threads=self.n_threads)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
